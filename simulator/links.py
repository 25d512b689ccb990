"""The links that messages share on their way, and how long they wait for them.

A link is a FIFO server that is described by one number, the time at which it is free: a message
that comes begins to cross at max(now, free), keeps the link for `occupancy` and is across after
`latency`, whichever is longer (it does not wait for its own tail). So one event per hop is enough.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simulator.errors import ScenarioError

Way = tuple[int, ...]
"""Positions of the links that a message crosses, in order."""


@dataclass(frozen=True, slots=True)
class Links:
    """Directed links, and which of them lie on the way of each ordered pair of PUs.

    `names` are for the result. A pair that `ways` does not hold meets no link. A message crosses
    links from the end of its send on; where the pair's propagation is longer than the latencies of
    its links together, the rest follows behind the last one. Raises `ScenarioError` where a way
    leads over a link that is not there, or a number is negative or not whole.
    """

    names: tuple[str, ...]
    occupancy_ps: tuple[int, ...]
    latency_ps: tuple[int, ...]
    ways: Mapping[tuple[int, int], Way] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check names, numbers and ways."""
        if len(set(self.names)) != len(self.names):
            raise ScenarioError("two links have the same name")
        for name in ("occupancy_ps", "latency_ps"):
            row = getattr(self, name)
            if len(row) != len(self.names):
                raise ScenarioError(f"{name} has {len(row)} numbers for {len(self.names)} links")
            for link, number in zip(self.names, row, strict=True):
                if not isinstance(number, int) or isinstance(number, bool) or number < 0:
                    raise ScenarioError(f"{name} of link {link} is {number!r}: whole picoseconds")
        for (sender, receiver), way in self.ways.items():
            if not all(0 <= link < len(self.names) for link in way):
                raise ScenarioError(
                    f"the way from PU {sender} to PU {receiver} leads over links that are not there"
                )

    def way(self, sender: int, receiver: int) -> Way:
        """Return the links between two PUs; none where they meet none."""
        return self.ways.get((sender, receiver), ())

    def latency(self, sender: int, receiver: int) -> int:
        """Return the picoseconds of all links between two PUs together."""
        return sum(self.latency_ps[link] for link in self.way(sender, receiver))


@dataclass(frozen=True, slots=True)
class LinkUse:
    """What a link has carried: messages, picoseconds that it was kept, and that they waited."""

    name: str
    messages: int
    busy_ps: int
    waited_ps: int


class Crossings:
    """The links of a run, by positions of the members."""

    def __init__(self, links: Links, members: Sequence[int]) -> None:
        """All links are free."""
        self._links = links
        self.ways = [[links.way(u, v) for v in members] for u in members]
        self._free = [0] * len(links.names)
        self._messages = [0] * len(links.names)
        self._busy = [0] * len(links.names)
        self._waited = [0] * len(links.names)

    def cross(self, link: int, now: int) -> int:
        """Let a message cross a link and return when it is across."""
        free = self._free[link]
        start = free if free > now else now
        occupancy = self._links.occupancy_ps[link]
        self._free[link] = start + occupancy
        self._messages[link] += 1
        self._busy[link] += occupancy
        self._waited[link] += start - now
        return start + self._links.latency_ps[link]

    def uses(self) -> tuple[LinkUse, ...]:
        """Return what each link has carried."""
        rows = zip(self._links.names, self._messages, self._busy, self._waited, strict=True)
        return tuple(LinkUse(*row) for row in rows)

"""What the rules of a placement imply about pairs of tasks that talk, said outright.

Nothing here excludes a placement; it saves clingo from finding out. A message that reaches a level
reaches those below it. Where the nearer parts of a level are classes, of three tasks that talk to
each other not just two can be apart. And who talks to more tasks than fit near it is far from some.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations

from skb.engines.asp import Atom
from skb.questions.placement_places import Place

# triangles of the traffic that are said; above it the lightest are left out
MOST_TRIANGLES = 1_000


@dataclass(frozen=True, slots=True)
class Zone:
    """From the places of `members` exactly those of `near` are nearer than a level."""

    members: tuple[int, ...]
    near: frozenset[int]


@dataclass(frozen=True, slots=True)
class Need:
    """What the first PU of a task takes at least of its place, in loads: `load`, or full cores."""

    load: int
    whole: bool
    exclusive: bool

    def least(self, width: int, full: int) -> int:
        """Return what it takes where cores have so many PUs or more."""
        if self.exclusive:
            return full * width
        return self.load * width if self.whole else self.load


def implied(
    traffic: Sequence[tuple[int, int, int]],
    levels: Sequence[Sequence[Zone]],
    places: Sequence[Place],
    needs: Sequence[Need],
    full: int,
) -> list[Atom]:
    """Return the atoms of `rules/placement/implied.lp`; levels count from 1."""
    rates: dict[tuple[int, int], int] = defaultdict(int)
    for a, b, rate in traffic:
        if a != b:
            rates[min(a, b), max(a, b)] += rate
    peers: dict[int, set[int]] = defaultdict(set)
    for a, b in rates:
        peers[a].add(b)
        peers[b].add(a)
    atoms: list[Atom] = [("triangle", triple) for triple in _triangles(rates, peers)]
    for level, zones in enumerate(levels, start=1):
        if all(frozenset(zone.members) == zone.near for zone in zones):
            atoms.append(("classes", (level,)))
        if not _mutual(zones):
            continue
        atoms.append(("mutual", (level,)))
        room = _Room(zones, places, needs, full)
        for task, near in sorted(peers.items()):
            if (leaving := len(near) - room.most(task, near)) > 0:
                atoms.append(("leaves", (task, level, leaving)))
    return atoms


def _triangles(
    rates: dict[tuple[int, int], int], peers: dict[int, set[int]]
) -> list[tuple[int, int, int]]:
    found = [(a, b, c) for a, b in rates for c in peers[a] & peers[b] if c > b]
    found.sort(key=lambda t: (-sum(rates[pair] for pair in combinations(t, 2)), t))
    return found[:MOST_TRIANGLES]


def _mutual(zones: Iterable[Zone]) -> bool:
    """Whether each place is nearer to those that are nearer to it."""
    near = {place: zone.near for zone in zones for place in zone.members}
    return all(place in near[other] for place in near for other in near[place])


class _Room:
    """How many tasks fit near another one, at one level."""

    def __init__(
        self, zones: Sequence[Zone], places: Sequence[Place], needs: Sequence[Need], full: int
    ) -> None:
        self.needs, self.full = needs, full
        found = set()
        for zone in zones:
            near = [places[place] for place in zone.near]
            if near:
                room = full * sum(len(place.cores) * place.width for place in near)
                width = min(place.width for place in near)
                found.add((room, width, zone.near.issuperset(zone.members)))
        self.rooms = sorted(found)

    def most(self, task: int, others: Iterable[int]) -> int:
        """Return how many of the others can be near the task at most."""
        best = 0
        for room, width, own in self.rooms:
            left = room - (self.needs[task].least(width, self.full) if own else 0)
            sizes = sorted(self.needs[other].least(width, self.full) for other in others)
            best = max(best, sum(1 for taken in accumulate(sizes) if taken <= left))
        return best

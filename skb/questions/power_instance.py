"""The machine as the power question sees it: parts that are on, links, names, watts, and ways."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from skb.decision import Assumption
from skb.engines.power_net import Net, Reach, graph_of, link_name, reach
from skb.errors import RequestError
from skb.machine import CPU_KINDS, IO_KINDS, ROOT, Machine, kind_of, object_order
from skb.questions.power_request import PowerRequest
from skb.relations import Fact
from skb.usability import stops_only_pus, takes_all

LINK = "link:"
# of the names of a kind that an error lists
SHOWN = 12
# a part's own power, first the whole of it, then its domains
WHOLE, DOMAINS = "total", ("package", "dram")
MILLI = 1000


@dataclass(frozen=True, slots=True)
class Off:
    """Parts and links that go."""

    parts: tuple[str, ...] = ()
    links: frozenset[frozenset[str]] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """All of it by name, links as `link:A-B`."""
        return (*self.parts, *sorted(link_name(*sorted(link)) for link in self.links))

    def plus(self, parts: Iterable[str]) -> Off:
        """Return it with more parts."""
        return Off(tuple(dict.fromkeys([*self.parts, *parts])), self.links)


class Power:
    """What is on now, and what would be gone with more parts off."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.states = _states(machine)
        links = [
            (a, b)
            for a, ends in machine.links.items()
            for b in ends
            if a != b and machine.has(a) and machine.has(b)
        ]
        parents = {str(fact.args[1]): str(fact.args[0]) for fact in machine.facts_of("contains")}
        pus = machine.of_kind("pu")
        side = [name for name in machine.objects if kind_of(name) in CPU_KINDS]
        io = [name for name in machine.objects if kind_of(name) in IO_KINDS]
        self.net = Net(parents, links, side, io, pus, ROOT)
        self.takes = {name for name, states in self.states.items() if takes_all(name, states)}
        self.stops = set(self.states) - self.takes
        self.known: dict[Any, dict[Any, Any]] = {}

    @cached_property
    def now(self) -> Reach:
        """What is gone now."""
        return self.reach(Off())

    def reach(self, off: Off, home: str | None = None) -> Reach:
        """Return what is gone with more parts off, as seen from a home where one is given."""
        whole = {name for name in off.parts if not stops_only_pus(name)}
        return reach(
            self.net,
            self.takes | whole,
            self.stops | (set(off.parts) - whole),
            off.links,
            home,
        )

    def graph(self, home: str) -> Any:
        """Return the ways from the machine to every part as they are now, from a home."""
        return graph_of(self.net, home)

    # ------------------------------------------------------------ names
    def part(self, name: str, place: str) -> str:
        """Return the part that a name means; raise `RequestError` where there is none."""
        machine = self.machine
        if machine.has(name):
            return name
        if machine.has(f"device:{name}"):
            return f"device:{name}"
        kind = kind_of(name)
        known = [other for other in machine.objects if kind_of(other) == kind]
        kinds = dict.fromkeys(map(kind_of, machine.objects))
        mend = f"it has: {', '.join(known[:SHOWN])}" if known else f"kinds are: {', '.join(kinds)}"
        raise RequestError(
            f"{machine.name} has no {name}", place=f"power request {place}", mend=mend
        )

    def off(self, names: Sequence[str], place: str) -> Off:
        """Return parts and links by name."""
        parts: list[str] = []
        links: list[frozenset[str]] = []
        for at, name in enumerate(names):
            if name.startswith(LINK) and not self.machine.has(name):
                links.append(self._link(name, f"{place}[{at}]"))
            else:
                parts.append(self.part(name, f"{place}[{at}]"))
        return Off(tuple(dict.fromkeys(parts)), frozenset(links))

    def _link(self, name: str, place: str) -> frozenset[str]:
        for a, b in self.net.links:
            if name in (f"{LINK}{a}-{b}", f"{LINK}{b}-{a}"):
                return frozenset((a, b))
        known = sorted({link_name(a, b) for a, b in self.net.links})
        mend = f"links are {', '.join(known[:SHOWN])}" if known else "it states no links"
        raise RequestError(
            f"{self.machine.name} has no {name}", place=f"power request {place}", mend=mend
        )

    # ------------------------------------------------------------ what there is
    def counted(self, names: Iterable[str]) -> dict[str, int]:
        """Return how many parts there are of each kind, in the order of the kinds."""
        found: dict[str, int] = {}
        for name in sorted(names, key=object_order):
            found[kind_of(name)] = found.get(kind_of(name), 0) + 1
        return found

    def memory_bytes(self, names: Iterable[str]) -> int:
        """Return the memory of those parts that are NUMA nodes."""
        return sum(self.size.get(name, 0) for name in names)

    @cached_property
    def pus(self) -> tuple[int, ...]:
        """The PUs that may be used, where they are there."""
        return self.machine.allowed_pus

    @cached_property
    def nodes(self) -> tuple[int, ...]:
        """The NUMA nodes that may be used, where they are there."""
        fact = self.machine.fact
        return tuple(n for n in self.machine.numa if fact("disallowed", f"numa:{n}") is None)

    @cached_property
    def size(self) -> Mapping[str, int]:
        """The size of each NUMA node in bytes."""
        found: dict[str, int] = {}
        for fact in self.machine.facts_of("memory_size"):
            name = str(fact.args[0])
            found[name] = found.get(name, 0) + int(str(fact.args[-1]))
        return found

    # ------------------------------------------------------------ watts
    def watts(
        self, request: PowerRequest, parts: Sequence[str]
    ) -> tuple[dict[str, int], str, tuple[Assumption, ...]]:
        """Return what each part saves, in mW, where that is known: by request, else by facts.

        Otherwise each counts as one part. The second value is the unit.
        """
        stated = {
            name: watts for name in parts if (watts := self._watts(request, name)) is not None
        }
        if not stated:
            return dict.fromkeys(parts, 1), "parts", ()
        missing = [name for name in parts if name not in stated]
        assumed = tuple(
            Assumption(f"power of {name} = 0 W", "nobody stated it, but that of others")
            for name in missing
        )
        return {name: round(stated.get(name, 0.0) * MILLI) for name in parts}, "W", assumed

    def _watts(self, request: PowerRequest, name: str) -> float | None:
        for key in (name, name.partition(":")[2], kind_of(name)):
            if key in request.watts and (key != name.partition(":")[2] or "device" in name):
                return request.watts[key]
        machine = self.machine
        whole = machine.number("power_draw", name, "idle", WHOLE)
        if whole is not None:
            return whole
        shares = [machine.number("power_draw", name, "idle", domain) for domain in DOMAINS]
        known = [share for share in shares if share is not None]
        return sum(known) if known else None


def supposed(machine: Machine, off: Off, cut: Collection[str] = ()) -> Machine:
    """Return the machine as it would be without parts and links, and without what is cut off."""
    gone = {*off.parts, *cut}
    kept = [
        fact
        for fact in machine.facts
        if not (fact.predicate == "power" and fact.args[0] in gone)
        and not (
            fact.predicate.startswith("link")
            and len(fact.args) > 1
            and frozenset(map(str, fact.args[:2])) in off.links
        )
    ]
    more = [Fact("power", (name, "off"), by="supposed") for name in sorted(gone, key=object_order)]
    return Machine(machine.name, [*kept, *more], revision=machine.revision)


def _states(machine: Machine) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for predicate, fine in (("power", "on"), ("presence", "present")):
        for fact in machine.facts_of(predicate):
            if fact.args[1] != fine:
                found.setdefault(str(fact.args[0]), set()).add(str(fact.args[1]))
    return found

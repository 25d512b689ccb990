"""The instance of `schedule`: units that run a thread each, in locality classes of known latency.

A *unit* is a core with all its usable PUs, or one PU. A *class* (cell) is a largest part of the
machine whose units are alike: any two of them are equally far apart, all are equally far from every
unit outside, and the same applications may use them. So only counts per class need deciding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from skb.costs import Costs
from skb.engines.schedule_greedy import Board
from skb.machine import CPU_KINDS, ROOT, Machine, kind_of
from skb.questions.schedule_request import Wanted


@dataclass(frozen=True, slots=True)
class Limit:
    """A wish of the user that leaves an application only some of the units."""

    id: str
    text: str
    items: tuple[str, ...]
    units: frozenset[int]


class Instance:
    """Units, classes and latencies of one machine for the applications of one request.

    Latencies are picoseconds, the larger of both directions, between the first PUs of two units.
    """

    def __init__(self, machine: Machine, applications: tuple[Wanted, ...], unit: str) -> None:
        self.machine = machine
        self.applications = applications
        self.unit = unit
        self.costs = Costs(machine)
        self.units = _units(machine, unit)
        self.limits = tuple(tuple(self._limits(one)) for one in applications)
        everywhere = frozenset(range(len(self.units)))
        self.allowed = tuple(
            everywhere.intersection(*(limit.units for limit in limits)) for limits in self.limits
        )
        self._paired = bool(machine.facts_of("latency") or machine.facts_of("message_cost"))
        self._users = {
            unit: tuple(unit in allowed for allowed in self.allowed) for unit in everywhere
        }
        self._inside = self._units_inside()
        self.cells: tuple[tuple[int, ...], ...] = tuple(self._split(ROOT)) if self.units else ()

    # ------------------------------------------------------------ what may run where
    def _limits(self, wanted: Wanted) -> Iterable[Limit]:
        name, machine = wanted.name, self.machine
        item = f"application:{name}"
        for key, word in (("isa", wanted.isa), ("kind", wanted.kind)):
            if word is not None:
                units = frozenset(
                    unit
                    for unit, pus in enumerate(self.units)
                    if _attribute(machine, pus[0], key) == word
                )
                yield Limit(f"{key}:{name}", f"{name} needs {key} {word}", (item,), units)
        if wanted.at:
            where = " or ".join(wanted.at)
            units = self._within(wanted.at)
            yield Limit(f"at:{name}", f"{name} runs inside {where}", (item, *wanted.at), units)
        for at in wanted.forced:
            text = f"{name} is forced into {at}"
            yield Limit(f"forced:{name}:{at}", text, (item, at), self._within((at,)))

    def _within(self, names: Iterable[str]) -> frozenset[int]:
        pus = frozenset().union(*(self.machine.pus_of(name) for name in names))
        return frozenset(unit for unit, own in enumerate(self.units) if pus.issuperset(own))

    # ------------------------------------------------------------ classes
    def _units_inside(self) -> dict[str, list[int]]:
        inside: dict[str, list[int]] = {}
        for unit, pus in enumerate(self.units):
            pu = f"pu:{pus[0]}"
            for name in (pu, *self.machine.ancestors(pu)):
                inside.setdefault(name, []).append(unit)
        return inside

    def _split(self, name: str) -> Iterable[tuple[int, ...]]:
        own = self._inside.get(name, [])
        if len(own) <= 1 or self._alike(name, own):
            if own:
                yield tuple(own)
            return
        for child in self._branches(name):
            yield from self._split(child)

    def _branches(self, name: str) -> list[str]:
        children = self.machine.children(name)
        return [c for c in children if kind_of(c) in CPU_KINDS and c in self._inside]

    def _alike(self, name: str, own: list[int]) -> bool:
        machine, first = self.machine, own[0]
        around = {(machine.package_of[pu], machine.numa_of_pu[pu]) for pu in self._firsts(own)}
        if len(around) > 1 or any(self._users[u] != self._users[first] for u in own):
            return False
        if not self._paired:
            # latency depends on the smallest common part alone, so one pair for each part is enough
            return len({self.latency_ps(a, b) for a, b in self._pairs(name)}) <= 1
        wanted = self.latency_ps(own[0], own[1])
        if any(self.latency_ps(a, b) != wanted for a in own for b in own if a < b):
            return False
        inner = set(own)
        outside = [unit for unit in range(len(self.units)) if unit not in inner]
        return all(
            self.latency_ps(unit, other) == self.latency_ps(first, other)
            for other in outside
            for unit in own
        )

    def _firsts(self, own: list[int]) -> Iterable[int]:
        return (self.units[unit][0] for unit in own)

    def _pairs(self, name: str) -> Iterable[tuple[int, int]]:
        branches = self._branches(name)
        if len(branches) > 1 and len(self._inside[name]) > 1:
            yield self._inside[branches[0]][0], self._inside[branches[1]][0]
        for branch in branches:
            if len(self._inside[branch]) > 1:
                yield from self._pairs(branch)

    # ------------------------------------------------------------ latency
    def latency_ps(self, first: int, second: int) -> int:
        """Return the latency between two units, the larger of both directions."""
        a, b = self.units[first][0], self.units[second][0]
        return max(self.costs.latency_ps(a, b), self.costs.latency_ps(b, a))

    @cached_property
    def inner(self) -> tuple[int, ...]:
        """The latency between two units of each class; 0 for a class of one."""
        return tuple(self.latency_ps(c[0], c[1]) if len(c) > 1 else 0 for c in self.cells)

    @cached_property
    def far(self) -> tuple[tuple[int, ...], ...]:
        """The latency between units of two classes."""
        count = len(self.cells)
        rows = [[0] * count for _ in range(count)]
        for a in range(count):
            for b in range(a):
                rows[a][b] = rows[b][a] = self.latency_ps(self.cells[a][0], self.cells[b][0])
        return tuple(tuple(row) for row in rows)

    @cached_property
    def near(self) -> tuple[tuple[int, ...], ...]:
        """For each class all classes from the nearest, itself first."""
        count = range(len(self.cells))
        return tuple(
            tuple(sorted(count, key=lambda d, c=c: (d != c, self.far[c][d], d)))  # type: ignore[misc]
            for c in count
        )

    @cached_property
    def may(self) -> tuple[frozenset[int], ...]:
        """The classes that each application may use."""
        return tuple(
            frozenset(c for c, cell in enumerate(self.cells) if cell[0] in allowed)
            for allowed in self.allowed
        )

    # ------------------------------------------------------------ price
    def least_spread_ps(self, application: int) -> int:
        """Return what no set of an application's fewest threads can go below.

        A unit of the set has all others within the set's spread; so the spread is at least the
        distance within which some unit finds enough others.
        """
        wanted, may = self.applications[application].least - 1, self.may[application]
        best: int | None = None
        for cell in may if wanted else ():
            rows = [(self.far[cell][d], len(self.cells[d])) for d in may if d != cell]
            rows.append((self.inner[cell], len(self.cells[cell]) - 1))
            found = 0
            for distance, size in sorted(rows):
                found += size
                if found >= wanted:
                    best = distance if best is None else min(best, distance)
                    break
        return best or 0

    def idle_price_ps(self, slots: int) -> Fraction:
        """Return what an idle unit of a slot costs: its whole time, in picoseconds per second.

        Where synchronisation at its worst could outweigh that, it costs as much as that worst, so
        that fewer idle units always come first.
        """
        widest = max((*self.inner, *(ps for row in self.far for ps in row)), default=0)
        worst = sum((one.sync * widest for one in self.applications), Fraction(0))
        return max(Fraction(10**12, slots), worst)

    @cached_property
    def board(self) -> Board:
        """The problem in plain numbers."""
        return Board(
            sizes=tuple(len(cell) for cell in self.cells),
            inner=self.inner,
            far=self.far,
            near=self.near,
            may=self.may,
            least=tuple(one.least for one in self.applications),
            most=tuple(one.most for one in self.applications),
            sync=tuple(one.sync for one in self.applications),
        )


def _units(machine: Machine, unit: str) -> tuple[tuple[int, ...], ...]:
    usable = machine.usable_pus
    if unit == "pus":
        return tuple((pu,) for pu in usable)
    cores: dict[str, list[int]] = {}
    for pu in usable:
        cores.setdefault(machine.core_of[pu], []).append(pu)
    return tuple(tuple(pus) for pus in sorted(cores.values()))


def _attribute(machine: Machine, pu: int, key: str) -> str:
    if key == "isa":
        return str(machine.inherited("isa", f"pu:{pu}") or "")
    return str(machine.value("core_kind", machine.core_of[pu]) or "")


def memory_of(machine: Machine) -> tuple[int, tuple[int, ...]]:
    """Return the bytes of the usable NUMA nodes, and the nodes of which nobody states a size."""
    sizes = {node: machine.number("memory_size", f"numa:{node}") for node in machine.usable_numa}
    unknown = tuple(node for node, size in sizes.items() if size is None)
    return sum(int(size) for size in sizes.values() if size is not None), unknown

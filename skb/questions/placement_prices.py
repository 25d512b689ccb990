"""The price tables of a placement program.

Latency enters as balls: level L is one of the distinct latencies, and traffic pays the step of
each level that it reaches. So the size grows with tasks times places, not with its square (the
thresholds of the latency matrix; for a tree they are its levels, for a mesh its hop counts).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from math import gcd

from skb.engines.asp import INTEGER_MAX, Atom
from skb.questions.placement_implied import Zone
from skb.questions.placement_instance import Instance
from skb.questions.placement_places import Partition, Place

# entries in the sets of one level of latency; above it levels are merged downwards and bound, not
# price, is exact
LARGEST_BALLS = 40_000


class Sets:
    """Sets of places by number; equal sets share one."""

    def __init__(self) -> None:
        self._numbers: dict[frozenset[int], int] = {}

    def __call__(self, places: Iterable[int]) -> int:
        return self._numbers.setdefault(frozenset(places), len(self._numbers))

    def atoms(self) -> list[Atom]:
        return [
            ("inside", (place, number))
            for members, number in self._numbers.items()
            for place in sorted(members)
        ]


class Prices:
    """The prices of one instance on one partition; `storing` are the tasks that choose their
    memory.
    """

    def __init__(
        self, instance: Instance, cut: Partition, sets: Sets, storing: Sequence[int]
    ) -> None:
        self.instance = instance
        self.cut = cut
        self.places = cut.places
        self.sets = sets
        self.storing = storing
        self.zones: list[list[Zone]] = []
        self._fetch: list[Atom] = []

    @cached_property
    def matrix(self) -> list[list[int]]:
        """Latency in ps between places; within a place between two tasks there, at the least."""
        ps, places = self.instance.latency.ps, self.places
        rows = [[ps(p.first, q.first) for q in places] for p in places]
        for i, place in enumerate(places):
            others = [value for j, value in enumerate(rows[i]) if j != i]
            rows[i][i] = self._inner(place, min(others, default=0))
        return rows

    def _inner(self, place: Place, nearest: int) -> int:
        """Return the latency between two tasks at one place; where several are possible the least.

        Where no two fit, any value is right; that of the nearest other place keeps the levels few.
        """
        ps = self.instance.latency.ps
        shared = any(w.task.load < 1 and not w.task.exclusive for w in self.instance.tasks)
        if len(place.pus) == 1 and not shared:
            return nearest
        found = []
        if len(place.cores) > 1:
            found.append(ps(place.first, place.cores[1][0]))
        if place.width > 1 and not (self.cut.exact and len(place.cores) > 1):
            found.append(ps(place.first, place.cores[0][1]))
        if shared:
            found.append(ps(place.first, place.first))
        return min(found)

    def _levels(self, priced: bool) -> tuple[list[tuple[int, int]], list[Atom], bool]:
        """Return (level, step in ps) pairs, the ball atoms, and whether no levels were merged."""
        if not priced:
            return [], [], True
        values = sorted({value for row in self.matrix for value in row} | {self._least()})
        exact, size = True, len(self.places)
        most = max(2, LARGEST_BALLS // max(1, size * min(size, 40)))
        if len(values) - 1 > most:
            exact = False
            keep = [values[0]] + [values[1 + i * (len(values) - 1) // most] for i in range(most)]
            values = sorted(set(keep))
        steps: list[tuple[int, int]] = []
        atoms: list[Atom] = []
        for level, (lower, value) in enumerate(pairwise(values), start=1):
            steps.append((level, value - lower))
            zones: dict[frozenset[int], list[int]] = defaultdict(list)
            for i, row in enumerate(self.matrix):
                zones[frozenset(j for j, d in enumerate(row) if d < value)].append(i)
            for near, members in zones.items():
                atoms.append(("ball", (level, self.sets(members), self.sets(near))))
            self.zones.append([Zone(tuple(members), near) for near, members in zones.items()])
        return steps, atoms, exact

    def atoms(self) -> tuple[list[Atom], int, int, bool]:
        """Return scaled price atoms, and offset, factor and exactness of the scale."""
        instance = self.instance
        wide = [t for t in range(len(instance.tasks)) if self._width(t) > 1]
        priced = bool(instance.traffic or wide)
        steps, atoms, exact = self._levels(priced)
        least = self._least() if priced else 0
        rows: list[tuple[str, tuple[int, ...], int]] = []
        offset = 0
        for a, b, rate in instance.traffic:
            if a == b:
                offset += rate * instance.costs.own_ps()
                continue
            offset += rate * least
            rows += [("price", (a, b, level), rate * step) for level, step in steps]
        for task in range(len(instance.tasks)):
            offset += self._task_prices(task, steps, least, rows)
        offset += self._hauls(rows)
        return self._scaled(rows, atoms, offset, exact and self.cut.exact)

    def _least(self) -> int:
        """Return what every message costs at the least, which no level has to say.

        Nothing where cores differ in width: how many PUs a task takes then depends on the places.
        """
        if self._uneven():
            return 0
        return min((value for row in self.matrix for value in row), default=0)

    def _uneven(self) -> bool:
        """Whether a task of several whole cores could get cores of different widths."""
        widths = {len(self.instance.core_pus[core]) for core in self.instance.complete}
        tasks = range(len(self.instance.tasks))
        return len(widths) > 1 and any(self.instance.whole(task) for task in tasks)

    def _width(self, task: int) -> int:
        """Return how many PUs a task takes at least."""
        widest = self._widest if self.instance.whole(task) else 1
        return self.instance.count(task) * widest

    @cached_property
    def _widest(self) -> int:
        return max(len(pus) for pus in self.instance.core_pus.values())

    def _task_prices(
        self,
        task: int,
        steps: Sequence[tuple[int, int]],
        least: int,
        rows: list[tuple[str, tuple[int, ...], int]],
    ) -> int:
        """Add the prices that depend on one task; return their constant part."""
        instance = self.instance
        wide = self._width(task) > 1
        free = not (wide or instance.remembers(task) or instance.tasks[task].task.near)
        places = () if free else enumerate(self.places)
        tolls = [self._toll(task, i, place, wide, least) for i, place in places]
        constant = min(tolls, default=0)
        rows += [
            ("toll", (task, i), toll - constant) for i, toll in enumerate(tolls) if toll > constant
        ]
        if wide:
            for i, place in enumerate(self.places):
                pus = place.width if instance.whole(task) and not place.core else 1
                rows += [
                    ("width_price", (task, i, level), instance.scale * step * pus)
                    for level, step in steps
                ]
        now = instance.current(task)
        if now is not None and instance.moving:
            if not self._can_stay(task, now):
                return constant + instance.moving
            rows.append(("move", (task,), instance.moving))
        return constant

    def _can_stay(self, task: int, now: frozenset[int]) -> bool:
        """Tell whether a task asks for as much as it has now; else it moves wherever it goes."""
        instance = self.instance
        if not instance.whole(task):
            return len(now) == instance.count(task)
        cores = {instance.machine.core_of[pu] for pu in now}
        whole = {pu for core in cores for pu in instance.core_pus.get(core, ())}
        return len(cores) == instance.count(task) and whole == now

    def _toll(self, task: int, index: int, place: Place, wide: bool, least: int) -> int:
        """Return what a first PU at a place costs: wishes, nearest memory, and its own core's
        spread.
        """
        instance = self.instance
        found = instance.toll(task, place.first)
        nearest = instance.node_near(task, place.first)
        if instance.remembers(task) and task not in self.storing and nearest is not None:
            found += instance.scale * instance.supplies.memory_ps(place.first, nearest)
        if wide:
            # the units at the first PU's place are charged like two tasks there; put right what is
            # its own core
            inner = self.matrix[index][index]
            if instance.whole(task) and not place.core:
                sibling = self.instance.latency.ps(*place.cores[0][:2]) if place.width > 1 else 0
                own = (place.width - 1) * sibling - place.width * inner
            else:
                own = -inner
            found += instance.scale * (own + self._units(task) * least)
        return found

    def _units(self, task: int) -> int:
        """Return the PUs that a task takes at least: what the least level costs for each of
        them.
        """
        instance = self.instance
        if not instance.whole(task):
            return instance.count(task)
        widths = [len(instance.core_pus[core]) for core in instance.complete]
        return instance.count(task) * min(widths, default=1)

    def _hauls(self, rows: list[tuple[str, tuple[int, ...], int]]) -> int:
        """Add the prices of memory that tasks choose; return their constant part."""
        instance = self.instance
        nodes = instance.machine.usable_numa
        storing = [task for task in self.storing if instance.remembers(task)]
        if not storing or not nodes or not self.places:
            return 0
        table = {n: [instance.supplies.memory_ps(p.first, n) for p in self.places] for n in nodes}
        values = sorted({value for row in table.values() for value in row})
        for level, (lower, value) in enumerate(pairwise(values), start=1):
            rows.append(("haul", (level,), instance.scale * (value - lower)))
            self._fetch += [
                ("fetch", (level, n, self.sets(i for i, d in enumerate(table[n]) if d < value)))
                for n in nodes
            ]
        return len(storing) * instance.scale * values[0]

    def _most(self, rows: Sequence[tuple[str, tuple[int, ...], int]]) -> int:
        """Return what all prices come to together: clasp adds up those that fall on one literal.

        A task has one home, so only its largest toll counts; rows that the rules charge several
        times count as often.
        """
        tolls: dict[int, int] = defaultdict(int)
        remembering = sum(1 for task in self.storing if self.instance.remembers(task))
        found = 0
        for name, key, price in rows:
            if name == "toll":
                tolls[key[0]] = max(tolls[key[0]], price)
            elif name == "width_price":
                found += price * min(self.instance.count(key[0]), len(self.places[key[1]].pus))
            else:
                found += price * (remembering if name == "haul" else 1)
        return found + sum(tolls.values())

    def _scaled(
        self,
        rows: list[tuple[str, tuple[int, ...], int]],
        atoms: list[Atom],
        offset: int,
        exact: bool,
    ) -> tuple[list[Atom], int, int, bool]:
        """Divide by the common divisor; where 31 bits do not hold the sum, round down and lose
        exactness.
        """
        factor = max(1, gcd(*(price for _n, _k, price in rows))) if rows else 1
        most = self._most(rows)
        if most // factor > INTEGER_MAX:
            factor, exact = -(-most // INTEGER_MAX), False
        atoms += [(name, (*key, price // factor)) for name, key, price in rows]
        atoms += self._fetch
        for task in range(len(self.instance.tasks)):
            now = self.instance.current(task)
            if now is not None:
                atoms += [("stays", (task, i)) for i, p in enumerate(self.places) if p.first in now]
        return atoms, offset, factor, exact

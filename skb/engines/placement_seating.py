"""Who sits where on one machine, kept while tasks come and go, and the cheapest seat of one more.

PUs are looked at by class: a class is all PUs of equal latency to everything else. A task's price
is bounded from below for all classes at once, then only the classes that may hold the optimum are
looked into, PU by PU where that matters. So the answer for one task is exact, the others staying,
and it takes a fraction of a millisecond on a thousand cores. It judges nothing: what a task may
use comes in, worked out by the rules.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from skb.engines.placement_board import Seat
from skb.engines.placement_grid import Amount, Grid

FULL = 10**6  # load of one PU
Table = Mapping[int, str]
# the other task, the rate in the scale of all prices, and whether it is from the one that is asked
Peer = tuple[str, int, bool]
# names of tasks with the table of objects that they share, or must not share
Company = tuple[tuple[str, ...], Table]


@dataclass(frozen=True, slots=True)
class Need:
    """What one task needs: `count` PUs (or cores, where `whole`), and where it may run.

    `allowed` limits all PUs and `first` the first one, None does not; `toll` is the price of a
    first PU and `tolls` its least by class, which is all in the classes outside `uneven`. `nodes`
    are the memory nodes to choose from with `amounts` by resource, empty where the nearest one will
    do; `remembers` says that accesses to it are priced; `moving` is the price of any PUs but those
    of `current`.
    """

    count: int = 1
    whole: bool = False
    exclusive: bool = False
    load: int = FULL
    allowed: frozenset[int] | None = None
    first: frozenset[int] | None = None
    toll: Callable[[int], int] | None = None
    tolls: Sequence[int] = ()
    uneven: frozenset[int] = frozenset()
    nodes: tuple[int, ...] = ()
    remembers: bool = False
    amounts: Mapping[str, Amount] = field(default_factory=dict)
    cache: Amount = 0
    current: frozenset[int] | None = None
    moving: int = 0
    together: tuple[Company, ...] = ()
    apart: tuple[Company, ...] = ()


class Seating:
    """A placement with what is left of the machine; tasks are known by their names."""

    def __init__(self, grid: Grid, unit: int) -> None:
        self.grid = grid
        self.unit = unit
        self.seats: dict[str, Seat] = {}
        self.needs: dict[str, Need] = {}
        self.off: set[int] = set()
        self.room = [len(pus) for pus in grid.classes]
        self._load: dict[int, int] = {}
        self._on_core: dict[str, int] = {}
        self._locked: set[str] = set()
        self._used: dict[tuple[str, int], Amount] = defaultdict(int)
        self._cached: dict[str, Amount] = defaultdict(int)

    # ------------------------------------------------------------ who sits
    def sit(self, name: str, need: Need, seat: Seat) -> None:
        self.seats[name] = seat
        self.needs[name] = need
        self._change(need, seat, 1)

    def stand(self, name: str) -> Seat:
        seat, need = self.seats.pop(name), self.needs.pop(name)
        self._change(need, seat, -1)
        return seat

    def _change(self, need: Need, seat: Seat, sign: int) -> None:
        grid, load = self.grid, self._load
        for pu in seat.pus:
            before = load.get(pu, 0)
            load[pu] = before + sign * need.load
            if pu not in self.off and pu in grid.class_of:
                self.room[grid.class_of[pu]] += (load[pu] == 0) - (before == 0)
        for core in {grid.core_of[pu] for pu in seat.pus}:
            self._on_core[core] = self._on_core.get(core, 0) + sign
            if need.exclusive:
                (self._locked.add if sign > 0 else self._locked.discard)(core)
        if seat.node is not None:
            for resource, amount in need.amounts.items():
                self._used[resource, seat.node] += sign * amount
        if need.cache:
            self._cached[grid.cache_of.get(seat.first, "")] += sign * need.cache

    def busy(self, core: str) -> bool:
        """Tell whether somebody sits on a core."""
        return bool(self._on_core.get(core))

    def switch(self, pus: Iterable[int], off: bool) -> None:
        """Take PUs away, or give them back; who sits there stays until told to stand."""
        for pu in pus:
            if (pu in self.off) != off and pu in self.grid.class_of:
                (self.off.add if off else self.off.discard)(pu)
                if not self._load.get(pu):
                    self.room[self.grid.class_of[pu]] += -1 if off else 1

    def cache_left(self, group: int) -> Amount | None:
        """Return what is left of the cache of a class; None where its size is not known."""
        cache = self.grid.cache[group]
        size = self.grid.cache_size.get(cache)
        return None if size is None else size - self._cached[cache]

    # ------------------------------------------------------------ what is free
    def company(self, name: str, need: Need) -> list[tuple[Table, set[str], bool]]:
        """Return tables with the objects that a task has to be in (True), or must not be in."""
        found: list[tuple[Table, set[str], bool]] = []
        for members, table in need.together:
            seats = [self.seats[m] for m in members if m != name and m in self.seats]
            shared = {table[pu] for seat in seats for pu in seat.pus if pu in table}
            if shared:
                # who is in several objects shares none of them with anybody
                found.append((table, shared if len(shared) == 1 else set(), True))
        for members, table in need.apart:
            seats = [self.seats[m] for m in members if m != name and m in self.seats]
            taken = {table[pu] for seat in seats for pu in seat.pus if pu in table}
            if taken:
                found.append((table, taken, False))
        return found

    def free(
        self,
        need: Need,
        group: int,
        company: Sequence[tuple[Table, set[str], bool]],
        least: bool = False,
    ) -> list[int]:
        """Return the PUs of a class that a task could use now; the `least` alone where asked."""
        if need.load == FULL and not self.room[group]:
            return []
        found = []
        load, core_of, allowed = self._load, self.grid.core_of, need.allowed
        for pu in self.grid.classes[group]:
            if pu in self.off or load.get(pu, 0) + need.load > FULL:
                continue
            if allowed is not None and pu not in allowed:
                continue
            core = core_of[pu]
            if core in self._locked or (need.exclusive and self._on_core.get(core)):
                continue
            if need.whole and not self._whole(need, core):
                continue
            if company and not all((table[pu] in these) == yes for table, these, yes in company):
                continue
            found.append(pu)
            if least:
                break
        return found

    def _whole(self, need: Need, core: str) -> bool:
        return all(
            pu in self.grid.class_of
            and pu not in self.off
            and self._load.get(pu, 0) + need.load <= FULL
            and (need.allowed is None or pu in need.allowed)
            for pu in self.grid.core_pus[core]
        )

    def nodes(self, need: Need) -> list[int]:
        """Return the memory nodes with room for a task."""
        return [
            node
            for node in need.nodes
            if all(amount <= self.left(res, node, amount) for res, amount in need.amounts.items())
        ]

    def left(self, resource: str, node: int, enough: Amount) -> Amount:
        """Return what is left of a node's memory or bandwidth; `enough` where it is not known."""
        supply = self.grid.supply[resource].get(node)
        return enough if supply is None else supply - self._used[resource, node]

    # ------------------------------------------------------------ prices
    def least(self, need: Need, peers: Sequence[Peer], nodes: Sequence[int]) -> list[int]:
        """Return a lower bound of the price of each class as first, beside those that sit."""
        grid = self.grid
        rates: dict[tuple[int, bool], int] = {}
        for other, rate, outwards in peers:
            seat = self.seats.get(other)
            if seat is not None:
                key = (grid.class_of.get(seat.first, -1), outwards)
                rates[key] = rates.get(key, 0) + rate
        found = list(need.tolls) or [0] * len(grid.classes)
        shared = need.load < FULL
        for (there, outwards), rate in rates.items():
            if there >= 0:
                row = grid.row(there, outwards, shared)
                found = [a + rate * b for a, b in zip(found, row, strict=True)]
        if need.remembers:
            firsts = [pus[0] for pus in grid.classes]
            found = [
                a + self.unit * min((grid.memory(pu, node) for node in nodes), default=0)
                for a, pu in zip(found, firsts, strict=True)
            ]
        return found

    def price(self, name: str, need: Need, seat: Seat, peers: Sequence[Peer]) -> int:
        """Return what a seat costs beside those that sit."""
        latency, first = self.grid.latency, seat.first
        total = need.toll(first) if need.toll is not None else 0
        for other, rate, outwards in peers:
            there = seat if other == name else self.seats.get(other)
            if there is not None:
                pair = (first, there.first) if outwards else (there.first, first)
                total += rate * latency(*pair)
        if need.remembers and seat.node is not None:
            total += self.unit * self.grid.memory(first, seat.node)
        if len(seat.pus) > 1:
            total += self.unit * sum(latency(first, pu) for pu in seat.pus if pu != first)
        if need.moving and need.current is not None and need.current != frozenset(seat.pus):
            total += need.moving
        return total

    # ------------------------------------------------------------ seats
    def best(self, name: str, need: Need, peers: Sequence[Peer]) -> tuple[int, Seat] | None:
        """Return the cheapest seat and its price, the lowest PU of equals; None where none is."""
        nodes = self.nodes(need)
        if need.nodes and not nodes:
            return None
        rows = self.least(need, peers, nodes)
        company = self.company(name, need)
        fine = self.fine(name, need, peers)
        found: tuple[int, int, Seat] | None = None
        for group in sorted(self.groups(need), key=rows.__getitem__):
            if found is not None and rows[group] > found[0]:
                break
            for seat in self.options(need, group, company, nodes, fine):
                price = self.price(name, need, seat, peers)
                if found is None or (price, seat.first) < found[:2]:
                    found = (price, seat.first, seat)
        return None if found is None else (found[0], found[2])

    def fits(self, name: str, need: Need) -> bool:
        """Tell whether a task has any seat."""
        nodes = self.nodes(need)
        if need.nodes and not nodes:
            return False
        company, none = self.company(name, need), frozenset[int]()
        fine = None if need.count > 1 else none
        return any(
            True
            for group in self.groups(need)
            for _seat in self.options(need, group, company, nodes, fine)
        )

    def groups(self, need: Need) -> Collection[int]:
        """Return the classes in which a task may begin."""
        few = need.allowed if need.first is None else need.first
        grid = self.grid
        if few is None or len(few) > len(grid.classes):
            return range(len(grid.classes))
        return sorted({grid.class_of[pu] for pu in few if pu in grid.class_of})

    def fine(self, name: str, need: Need, peers: Sequence[Peer]) -> frozenset[int] | None:
        """Return the classes in which a task has to be tried on each PU; None for all of them."""
        if not self.grid.narrow and (need.count > 1 or need.whole):
            return None
        if need.current is not None and need.moving:
            return None
        if need.count > 1 and need.together:
            return None
        if self.grid.narrow and need.load == FULL:
            return need.uneven
        seats = [self.seats[other] for other, _rate, _out in peers if other in self.seats]
        return need.uneven.union(self.grid.class_of.get(seat.first, -1) for seat in seats)

    def options(
        self,
        need: Need,
        group: int,
        company: Sequence[tuple[Table, set[str], bool]],
        nodes: Sequence[int],
        fine: frozenset[int] | None,
    ) -> Iterable[Seat]:
        """Yield seats that begin in a class; one of those that cost the same."""
        grid = self.grid
        cache = grid.cache[group]
        if need.cache:
            size = grid.cache_size.get(cache)
            if size is not None and self._cached[cache] + need.cache > size:
                return
        every = fine is None or group in fine
        firsts = self.free(need, group, company, least=not every and need.first is None)
        if need.first is not None:
            firsts = [pu for pu in firsts if pu in need.first]
        for pu in firsts if every else firsts[:1]:
            node = grid.nearest[pu]
            if need.nodes:
                node = min(nodes, key=lambda node: (grid.memory(pu, node), node))
            for pus in self._sets(need, pu, company):
                yield Seat(pu, pus, node)

    def _sets(
        self, need: Need, first: int, company: Sequence[tuple[Table, set[str], bool]]
    ) -> Iterable[tuple[int, ...]]:
        """Yield the nearest PUs around a first one, and those of a task that does not move."""
        nearest = self._around(need, first, company)
        if nearest is None:
            return
        yield nearest
        now = need.current
        if need.count == 1 or not need.moving or now is None or first not in now:
            return
        if now != frozenset(nearest) and self._may_stay(need, now, first, company):
            yield tuple(sorted(now))

    def _may_stay(
        self,
        need: Need,
        now: frozenset[int],
        first: int,
        company: Sequence[tuple[Table, set[str], bool]],
    ) -> bool:
        """Tell whether a task of several units can have all the PUs that it has now."""
        grid = self.grid
        limits = [*company, *((table, {table[first]}, True) for _members, table in need.together)]
        cores = {grid.core_of[pu] for pu in now}
        units = len(cores) if need.whole else len(now)
        own = not need.whole or all(now.issuperset(grid.core_pus[core]) for core in cores)
        groups = {grid.class_of.get(pu, -1) for pu in now}
        if units != need.count or not own or -1 in groups:
            return False
        return now.issubset(pu for group in groups for pu in self.free(need, group, limits))

    def _around(
        self, need: Need, first: int, company: Sequence[tuple[Table, set[str], bool]]
    ) -> tuple[int, ...] | None:
        """Return the PUs of a task around its first one, the nearest; None where too few are."""
        grid = self.grid
        own = grid.core_pus[grid.core_of[first]] if need.whole else (first,)
        if need.count == 1:
            return own
        limits = [*company, *((table, {table[first]}, True) for _members, table in need.together)]
        core = grid.core_of[first]
        found: list[tuple[int, bool, int, tuple[int, ...]]] = []
        group = grid.class_of[first]
        row = grid.row(group, False, False)
        for other in grid.near(group):
            if len(found) >= need.count - 1 and other != group:
                found.sort()
                # a core has at least one PU at this distance
                if found[need.count - 2][0] < row[other]:
                    break
            seen = {core} if need.whole else set()
            for pu in self.free(need, other, limits):
                if pu == first or grid.core_of[pu] in seen:
                    continue
                unit: tuple[int, ...] = (pu,)
                if need.whole:
                    seen.add(grid.core_of[pu])
                    unit = grid.core_pus[grid.core_of[pu]]
                away = sum(grid.latency(first, one) for one in unit)
                found.append((away, grid.core_of[pu] != core, pu, unit))
        found.sort()
        if len(found) < need.count - 1:
            return None
        return tuple(sorted((*own, *(p for row in found[: need.count - 1] for p in row[3]))))

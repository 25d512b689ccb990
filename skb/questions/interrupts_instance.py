"""Queues and PUs as a flow, and the flow as a plan: the PU of every queue, with its proof.

Where loads differ, the flow proves the distances, and the loads are then levelled at that price.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from heapq import heapify, heappop, heapreplace
from math import lcm

from skb.engines.interrupts_balance import Vector, bound, level
from skb.engines.interrupts_flow import Job, Seating, Seats, seat
from skb.questions.interrupts_places import Places
from skb.questions.interrupts_queues import Queue


@dataclass(slots=True)
class Plan:
    """The PU of each queue by place in the list; empty where there is none, with `stuck` devices.

    `fill` is how many queues a PU takes under the rule of spilling, `raised` whether that is more
    than was asked for. `proven` is about the distance, `levelled` about the largest load of a core,
    `fewest` about what moves.
    """

    pus: list[int] = field(default_factory=list)
    proven: bool = True
    levelled: bool = True
    fewest: bool = True
    least_load: Fraction = Fraction(0)
    fill: int | None = None
    raised: bool = False
    stuck: tuple[str, ...] = ()
    steps: int = 0


@dataclass
class Instance:
    """The queues that are free, in whole numbers: loads by `scale`, seats by PU."""

    places: Places
    until: float

    @property
    def queues(self) -> Sequence[Queue]:
        return self.places.devices.queues

    @cached_property
    def free(self) -> list[int]:
        """Places of the queues that are to be decided."""
        return [at for at in range(len(self.queues)) if at not in self.places.fixed]

    @cached_property
    def scale(self) -> int:
        return lcm(*(queue.load.denominator for queue in self.queues))

    @cached_property
    def _loads(self) -> list[int]:
        return [int(queue.load * self.scale) for queue in self.queues]

    def load(self, at: int) -> int:
        """Return the load of a queue in whole numbers."""
        return self._loads[at]

    @cached_property
    def uniform(self) -> bool:
        return len({queue.load for queue in self.queues}) <= 1

    # ------------------------------------------------------------ seats
    @cached_property
    def offered(self) -> dict[str, tuple[int, ...]]:
        """The PUs offered to each device that has free queues, under its rule of spilling."""
        devices = dict.fromkeys(self.queues[at].device for at in self.free)
        return {device: self._offered(device) for device in devices}

    def _offered(self, device: str) -> tuple[int, ...]:
        choices = self.places.choices(device)
        spill = self.places.request.spill
        if spill not in {"refuse", "other-package"} or not choices:
            return choices
        row = self.places.distances.row(device)
        least = min(row[pu] for pu in choices)
        near = {pu for pu in choices if row[pu] == least}
        if spill == "refuse":
            return tuple(sorted(near))
        package = self.places.machine.package_of
        own = {package[pu] for pu in near}
        return tuple(pu for pu in choices if pu in near or package[pu] not in own)

    @cached_property
    def pus(self) -> list[int]:
        """All PUs that are seats: offered ones and those of fixed queues."""
        offered = {pu for row in self.offered.values() for pu in row}
        return sorted(offered | set(self.places.fixed.values()))

    @cached_property
    def place_of(self) -> dict[int, int]:
        return {pu: at for at, pu in enumerate(self.pus)}

    def seats(self, fill: int | None) -> Seats:
        """Return the seats where each PU (with `smt` "one": each core) takes `fill` queues."""
        places = self.places
        taken = Counter(places.fixed.values())
        core_of = places.machine.core_of
        by_core: Counter[str] = Counter()
        for pu, count in taken.items():
            by_core[core_of[pu]] += count
        numbers = {core: at for at, core in enumerate(dict.fromkeys(core_of[p] for p in self.pus))}
        one = places.request.smt == "one"
        rooms, most = [], {}
        for pu in self.pus:
            room = places.vectors_per_pu - places.others[pu] - taken[pu]
            if fill is not None and not one:
                room = min(room, fill - taken[pu])
            elif fill is not None:
                most[numbers[core_of[pu]]] = max(0, fill - by_core[core_of[pu]])
            rooms.append(max(0, room))
        cores = [numbers[core_of[pu]] for pu in self.pus]
        return Seats(cores, rooms, [taken[pu] for pu in self.pus], most, not one)

    # ------------------------------------------------------------ jobs
    @cached_property
    def classes(self) -> list[list[int]]:
        """Places of free queues that are alike in device and load."""
        rows: dict[tuple[str, Fraction], list[int]] = defaultdict(list)
        for at in self.free:
            rows[self.queues[at].device, self.queues[at].load].append(at)
        return list(rows.values())

    def prices(self, at: int) -> dict[int, int]:
        """Return the price of each seat for a queue: its scaled load times picoseconds."""
        device = self.queues[at].device
        row, load = self.places.distances.row(device), self.load(at)
        return {self.place_of[pu]: load * row[pu] for pu in self.offered[device]}

    def now(self, at: int) -> int:
        """Return the seat where a queue is now, -1 where it may not stay."""
        queue = self.queues[at]
        if len(queue.now) != 1 or queue.now[0] not in self.offered[queue.device]:
            return -1
        return self.place_of[queue.now[0]]

    @cached_property
    def jobs(self) -> list[Job]:
        return [Job(self.prices(row[0]), [self.now(at) for at in row]) for row in self.classes]

    # ------------------------------------------------------------ plan
    def plan(self) -> Plan:
        """Return the best plan; without PUs where not all queues have room."""
        asked = None if self.places.request.spill == "share" else self.places.request.limits.fill
        fill = asked
        if fill is not None and self._may_raise(self._short(fill)):
            fill = self._enough(fill)
        found = seat(self.seats(fill), self.jobs, self.until)
        if found.seats is None and found.proven and fill is not None:
            stuck = [self.queues[self.classes[at][0]].device for at in found.stuck]
            if self._may_raise(stuck):
                fill, found = self._raised(fill)
        names = dict.fromkeys(self.queues[self.classes[at][0]].device for at in found.stuck)
        plan = Plan(fill=fill, raised=fill != asked, stuck=tuple(names), steps=found.steps)
        plan.fewest = all(self.places.stays(device) for device in self.offered)
        if found.seats is None:
            return plan if found.proven else self._greedy(plan, fill)
        taken = [-1] * len(self.queues)
        for row, places in zip(self.classes, found.seats, strict=True):
            for at, place in zip(row, places, strict=True):
                taken[at] = place
        plan.proven = found.proven
        return self._levelled(plan, self.seats(fill), taken)

    def _short(self, fill: int) -> list[str]:
        """Return devices that lack room by counting alone: those whose PUs are all among the same.

        Where sets of PUs are inside each other or apart, that finds all (Hall's theorem).
        """
        seats = self.seats(fill)
        count = Counter(self.queues[at].device for at in self.free)
        sets = {frozenset(pus) for pus in self.offered.values()}
        for pus in sorted({*sets, frozenset().union(*sets)}, key=lambda one: sorted(one)):
            inside = [device for device in count if pus.issuperset(self.offered[device])]
            room = seats.space(self.place_of[pu] for pu in pus)
            if sum(count[device] for device in inside) > room:
                return inside
        return []

    def _enough(self, fill: int) -> int:
        """Return the least number of queues for each PU with which counting finds no lack."""
        low, high = fill, len(self.queues) + fill
        if self._short(high):
            return high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._short(middle) else (low, middle)
        return high

    def _may_raise(self, stuck: Sequence[str]) -> bool:
        """Tell whether the rule has devices that lack room share at last, as "refuse" forbids."""
        rule = self.places.request.spill
        if rule == "next-nearest":
            return bool(stuck)
        package = self.places.machine.package_of
        return (
            rule == "other-package"
            and all(
                len({package[pu] for pu in self.offered[device]})
                > len({package[pu] for pu in self._nearest(device)})
                for device in stuck
            )
            and bool(stuck)
        )

    def _nearest(self, device: str) -> list[int]:
        row, offered = self.places.distances.row(device), self.offered[device]
        least = min((row[pu] for pu in offered), default=0)
        return [pu for pu in offered if row[pu] == least]

    def _raised(self, fill: int) -> tuple[int, Seating]:
        """Return the least number of queues for each PU with which all have room, by flows."""
        low, high = fill, len(self.queues) + fill
        best = seat(self.seats(high), self.jobs, self.until)
        while best.seats is not None and high - low > 1:
            middle = (low + high) // 2
            found = seat(self.seats(middle), self.jobs, self.until)
            if found.seats is not None:
                high, best = middle, found
            elif found.proven:
                low = middle
            else:
                return high, replace(best, proven=False)
        return high, best

    def _greedy(self, plan: Plan, fill: int | None) -> Plan:
        """Seat one queue after the other where that is cheapest: no time was left for more."""
        seats = self.seats(fill)
        load = Counter[int]()
        taken = [-1] * len(self.queues)
        used = Counter[int]()
        for row in self.classes:
            heap = [(price, 0, place) for place, price in self.prices(row[0]).items()]
            heapify(heap)
            for at in row:
                place = _next(heap, seats, used, load)
                if place is None:
                    return plan
                taken[at] = place
                used[place] += 1
                load[seats.core[place]] += 1
        plan = self._levelled(plan, seats, taken)
        plan.proven = plan.levelled = plan.fewest = False
        return plan

    def _levelled(self, plan: Plan, seats: Seats, taken: list[int]) -> Plan:
        """Fill in PUs and the largest load; where loads differ, level them first."""
        held: Counter[int] = Counter()
        least = 0
        for at, pu in self.places.fixed.items():
            held[seats.core[self.place_of[pu]]] += self.load(at)
        begun = [taken[at] for at in self.free]
        if not self.uniform and begun:
            begun, least = self._evened(plan, seats, held, begun)
        found = {at: self.pus[place] for at, place in zip(self.free, begun, strict=True)}
        found |= self.places.fixed
        plan.pus = [found[at] for at in range(len(self.queues))]
        loads = self.core_loads(plan.pus)
        most = max(loads.values(), default=Fraction(0))
        plan.least_load = most if plan.levelled else Fraction(least, self.scale)
        return plan

    def _evened(
        self, plan: Plan, seats: Seats, held: Mapping[int, int], begun: list[int]
    ) -> tuple[list[int], int]:
        """Return seats with a smaller largest load, where loads differ, and its bound."""
        alike = {row[0]: Vector(self.load(row[0]), self.prices(row[0])) for row in self.classes}
        by_place = {at: alike[row[0]] for row in self.classes for at in row}
        vectors = [by_place[at] for at in self.free]
        now = [self.now(at) for at in self.free]
        least = bound(vectors, seats, held, begun)
        begun, plan.levelled = level(vectors, seats, held, begun, now, least)
        plan.fewest = False
        taken = dict(zip(self.free, begun, strict=True))
        for row in self.classes:
            taken |= self._kept(row, [taken[at] for at in row])
        return [taken[at] for at in self.free], least

    def _kept(self, row: Sequence[int], places: Sequence[int]) -> dict[int, int]:
        """Deal seats to queues that are alike, so that as many as can be stay where they are."""
        left = Counter(places)
        found = {}
        for at in row:
            if left[self.now(at)] > 0:
                found[at] = self.now(at)
                left[found[at]] -= 1
        rest = left.elements()
        return found | {at: next(rest) for at in row if at not in found}

    def core_loads(self, pus: Sequence[int]) -> dict[str, Fraction]:
        """Return the load of each core that has one."""
        core_of = self.places.machine.core_of
        loads: Counter[str] = Counter()
        for at, pu in enumerate(pus):
            loads[core_of[pu]] += self.load(at)
        return {core: Fraction(load, self.scale) for core, load in loads.items()}

    def price(self, pus: Mapping[int, int] | Sequence[int]) -> Fraction:
        """Return the sum of load times latency, in nanoseconds."""
        rows = self.places.distances
        total = sum(
            self.load(at) * rows.row(queue.device)[pus[at]] for at, queue in enumerate(self.queues)
        )
        return Fraction(total, 1000 * self.scale)

    @cached_property
    def least_price(self) -> Fraction:
        """Every free queue at its nearest PU, whatever the room: a bound that needs no search."""
        rows = self.places.distances
        near = {name: min(rows.row(name)[pu] for pu in pus) for name, pus in self.offered.items()}
        total = 0
        for at, queue in enumerate(self.queues):
            fixed = self.places.fixed.get(at)
            far = near[queue.device] if fixed is None else rows.row(queue.device)[fixed]
            total += self.load(at) * far
        return Fraction(total, 1000 * self.scale)


def _next(
    heap: list[tuple[int, int, int]], seats: Seats, used: Counter[int], load: Counter[int]
) -> int | None:
    """Return the cheapest seat with room, of equal ones that of the emptiest core."""
    while heap:
        price, told, place = heap[0]
        core = seats.core[place]
        if used[place] >= seats.room[place] or load[core] >= seats.most.get(core, load[core] + 1):
            heappop(heap)
        elif told != load[core]:
            heapreplace(heap, (price, load[core], place))
        else:
            return place
    return None

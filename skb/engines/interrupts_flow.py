"""Seats of interrupt vectors as a cheapest flow with convex costs: exact, in whole numbers.

Vectors of one device and load are a class; each takes one seat (a PU). What is minimised, each
before the next: the sum of prices; the squares of the vectors on each core, then on each PU, then
of each class on each PU; the vectors that do not stay. Least squares of a flow are also the least
largest value (Frank and Murota, *Decreasing minimization on M-convex sets*, 2022; for machines and
jobs Harvey et al., *Semi-matchings for bipartite graphs and load balancing*, 2006). Successive
shortest paths (Ahuja, Magnanti, Orlin, *Network Flows*, chapter 9.7 and 14.5) end with a proof.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

# the arcs that may be looked at: 5 to 20 seconds of one processor
MOST_STEPS = 30_000_000
_SOURCE, _SINK = 0, 1


@dataclass(frozen=True, slots=True)
class Seats:
    """PUs that vectors may take: the core of each (any number), room for vectors, and how many
    vectors are there that cannot be moved; `most` is the room of a core, where that has a limit,
    `even` whether PUs of one core are levelled.
    """

    core: Sequence[int]
    room: Sequence[int]
    taken: Sequence[int]
    most: Mapping[int, int] = field(default_factory=dict)
    even: bool = True

    def space(self, places: Iterable[int]) -> int:
        """Return how many vectors fit on some seats together."""
        by_core: Counter[int] = Counter()
        for at in places:
            by_core[self.core[at]] += max(0, self.room[at])
        return sum(min(room, self.most.get(core, room)) for core, room in by_core.items())


@dataclass(frozen=True, slots=True)
class Job:
    """Vectors that are alike: how many, the price of each seat that they may take, and on which
    seat each sits now (-1 for none, or one that it may not take).
    """

    prices: Mapping[int, int]
    now: Sequence[int]


@dataclass(slots=True)
class Seating:
    """The seat of every vector of every job in their order, None where not all have room.

    `stuck` then are the jobs that together lack room. `proven` is false where the limit came first.
    """

    seats: list[list[int]] | None
    price: int = 0
    proven: bool = True
    steps: int = 0
    stuck: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Net:
    """Arcs in pairs: arc `a` and its reverse `a ^ 1`; `steep` is the convex part of the cost."""

    head: list[int] = field(default_factory=list)
    room: list[int] = field(default_factory=list)
    cost: list[int] = field(default_factory=list)
    steep: list[int] = field(default_factory=list)
    flow: list[int] = field(default_factory=list)
    out: list[list[int]] = field(default_factory=lambda: [[], []])

    def node(self) -> int:
        self.out.append([])
        return len(self.out) - 1

    def arc(
        self, start: int, end: int, room: int, cost: int = 0, steep: int = 0, begun: int = 0
    ) -> int:
        """Add an arc whose next unit costs `cost + steep * (2 * units + 1)`."""
        number = len(self.head)
        for head, space, price, units in ((end, room, cost, begun), (start, 0, -cost, begun)):
            self.head.append(head)
            self.room.append(space)
            self.cost.append(price)
            self.steep.append(steep)
            self.flow.append(units)
        self.out[start].append(number)
        self.out[end].append(number + 1)
        return number

    def price(self, arc: int) -> int:
        """Return what one more unit costs; on a reverse arc, what the last one gives back."""
        steep = self.steep[arc]
        if not steep:
            return self.cost[arc]
        if arc & 1:
            return self.cost[arc] - steep * (2 * self.flow[arc] - 1)
        return self.cost[arc] + steep * (2 * self.flow[arc] + 1)

    def push(self, arc: int) -> None:
        back = arc ^ 1
        self.room[arc] -= 1
        self.room[back] += 1
        step = -1 if arc & 1 else 1
        self.flow[arc] += step
        self.flow[back] += step


def seat(seats: Seats, jobs: Sequence[Job], until: float = float("inf")) -> Seating:
    """Return the cheapest seats; `until` is the monotonic time at which the search gives up."""
    near = [_needed(seats, job, jobs) for job in jobs]
    net, stays, leaves, enters = _build(seats, jobs, near)
    total = sum(len(job.now) for job in jobs)
    found = _Search(net).run(total, until)
    if found < 0:
        return Seating(None, proven=False, steps=-found)
    if net.flow[0] < total:
        reached = _reached(net)
        stuck = frozenset(number for number, node in enumerate(leaves) if node in reached)
        return Seating(None, steps=found, stuck=stuck)
    taken = _seats(net, jobs, stays, enters)
    price = sum(job.prices[at] for job, row in zip(jobs, taken, strict=True) for at in row)
    return Seating(taken, price, steps=found)


def _needed(seats: Seats, job: Job, jobs: Sequence[Job]) -> list[int]:
    """Return the seats of a job up to the distance at which all vectors of all jobs have room.

    Further ones are never needed: a nearer seat of the same job would be free.
    """
    total = sum(len(one.now) for one in jobs)
    order = sorted(job.prices, key=lambda at: (job.prices[at], at))
    kept, space, last = [], 0, None
    inside: Counter[int] = Counter()
    for at in order:
        if space >= total and job.prices[at] != last:
            break
        kept.append(at)
        core = seats.core[at]
        before = inside[core]
        inside[core] = min(before + max(0, seats.room[at]), seats.most.get(core, total))
        space += inside[core] - before
        last = job.prices[at]
    return kept


def _build(
    seats: Seats, jobs: Sequence[Job], near: Sequence[Sequence[int]]
) -> tuple[_Net, dict[tuple[int, int], int], list[int], dict[tuple[int, int], int]]:
    """Return the net, arcs of those who stay, nodes of the jobs, arcs from a job to a seat."""
    total = sum(len(job.now) for job in jobs)
    whole = total + sum(seats.taken)
    moved = 1
    spread = moved * (total + 1)
    even = spread * (total * total + 1)
    cores = even * (whole * whole + 1)
    base = cores * (whole * whole + 1)
    net = _Net()
    begin = net.node()
    net.arc(_SOURCE, begin, total)
    used = sorted({at for row in near for at in row})
    core_node = {core: net.node() for core in sorted({seats.core[at] for at in used})}
    before = Counter[int]()
    for core, taken in zip(seats.core, seats.taken, strict=True):
        before[core] += taken
    for core, node in core_node.items():
        net.arc(node, _SINK, max(0, seats.most.get(core, total)), 0, cores, before[core])
    seat_node = {}
    # where each core has one PU, the squares of the PUs are those of the cores
    steep = even if seats.even and len(set(seats.core)) < len(seats.core) else 0
    for at in used:
        seat_node[at] = net.node()
        into = core_node[seats.core[at]]
        net.arc(seat_node[at], into, max(0, seats.room[at]), 0, steep, seats.taken[at])
    stays: dict[tuple[int, int], int] = {}
    enters: dict[tuple[int, int], int] = {}
    leaves = []
    for number, (job, row) in enumerate(zip(jobs, near, strict=True)):
        start, free = net.node(), net.node()
        leaves.append(start)
        net.arc(begin, start, len(job.now))
        now = Counter(job.now)
        own = {}
        for at in row:
            own[at] = net.node()
            net.arc(own[at], seat_node[at], len(job.now), job.prices[at] * base, spread)
            enters[number, at] = net.arc(free, own[at], len(job.now))
        net.arc(start, free, len(job.now), moved)
        for at in row:
            if now[at]:
                stays[number, at] = net.arc(start, own[at], now[at])
    return net, stays, leaves, enters


class _Search:
    """Shortest augmenting paths with node potentials; several of equal length in one round."""

    def __init__(self, net: _Net) -> None:
        self.net = net
        self.height = [0] * len(net.out)
        self.steps = 0

    def run(self, total: int, until: float) -> int:
        """Push what has room up to `total`; return the steps, negative where the limit came."""
        done = 0
        while done < total:
            if self.steps > MOST_STEPS or time.monotonic() > until:
                return -max(1, self.steps)
            if not self._measure():
                break
            done += self._push_all(total - done)
        return self.steps

    def _measure(self) -> bool:
        """Set the height of every node to its distance; tell whether the sink is reached."""
        net, height = self.net, self.height
        far: list[int | None] = [None] * len(net.out)
        far[_SOURCE] = 0
        heap = [(0, _SOURCE)]
        closed = bytearray(len(net.out))
        end = 0
        while heap:
            at, node = heapq.heappop(heap)
            if closed[node]:
                continue
            closed[node] = 1
            end = at
            if node == _SINK:
                break
            self.steps += len(net.out[node])
            for arc in net.out[node]:
                if net.room[arc] <= 0:
                    continue
                head = net.head[arc]
                if closed[head]:
                    continue
                there = at + net.price(arc) + height[node] - height[head]
                known = far[head]
                if known is None or there < known:
                    far[head] = there
                    heapq.heappush(heap, (there, head))
        if not closed[_SINK]:
            return False
        for node, at_node in enumerate(far):
            height[node] += end if at_node is None or not closed[node] else at_node
        return True

    def _push_all(self, most: int) -> int:
        """Push single units along arcs of no reduced cost until none leads to the sink."""
        dead = bytearray(len(self.net.out))
        done = 0
        while done < most:
            path = self._path(dead)
            if not path:
                break
            for arc in path:
                self.net.push(arc)
            done += 1
        return done

    def _path(self, dead: bytearray) -> list[int]:
        net, height = self.net, self.height
        trail: list[int] = []
        on = {_SOURCE}
        walks = [iter(net.out[_SOURCE])]
        node = _SOURCE
        while walks:
            for arc in walks[-1]:
                self.steps += 1
                head = net.head[arc]
                if net.room[arc] <= 0 or dead[head] or head in on:
                    continue
                if net.price(arc) + height[node] - height[head]:
                    continue
                trail.append(arc)
                if head == _SINK:
                    return trail
                on.add(head)
                walks.append(iter(net.out[head]))
                node = head
                break
            else:
                dead[node] = 1
                on.discard(node)
                walks.pop()
                if not trail:
                    return []
                node = net.head[trail.pop() ^ 1]
        return []


def _reached(net: _Net) -> set[int]:
    """Return the nodes that the source still reaches where the flow is largest."""
    found, waiting = {_SOURCE}, [_SOURCE]
    while waiting:
        for arc in net.out[waiting.pop()]:
            head = net.head[arc]
            if net.room[arc] > 0 and head not in found:
                found.add(head)
                waiting.append(head)
    return found


def _seats(
    net: _Net,
    jobs: Sequence[Job],
    stays: Mapping[tuple[int, int], int],
    enters: Mapping[tuple[int, int], int],
) -> list[list[int]]:
    """Read the seat of each vector; the first of those who may stay do, in their order."""
    rows = []
    entered: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for (number, at), arc in enters.items():
        entered[number].append((at, net.flow[arc]))
    for number, job in enumerate(jobs):
        left = {at: net.flow[arc] for (j, at), arc in stays.items() if j == number}
        fresh = {at: units for at, units in sorted(entered[number]) if units}
        row = [-1] * len(job.now)
        for place, now in enumerate(job.now):
            if left.get(now, 0) > 0:
                left[now] -= 1
                row[place] = now
            elif fresh.get(now, 0) > 0:
                fresh[now] -= 1
                row[place] = now
        waiting = _dealt(fresh, job.prices)
        for place, at in enumerate(row):
            if at < 0:
                row[place] = waiting.pop(0)
        rows.append(row)
    return rows


def _dealt(fresh: Mapping[int, int], prices: Mapping[int, int]) -> list[int]:
    """Deal seats in rounds, the nearest first: queues next to each other are on different ones."""
    rounds = [(turn, prices[at], at) for at, units in fresh.items() for turn in range(units)]
    return [at for _turn, _price, at in sorted(rounds)]

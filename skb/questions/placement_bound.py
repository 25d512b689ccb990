"""What any placement costs at least: the instance as `skb.engines.placement_bound` needs it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import nsmallest
from itertools import accumulate, combinations, pairwise

from skb.engines.placement_board import Board, Job
from skb.engines.placement_bound import Bounding, Found, Matrix, Partition, Wish
from skb.engines.placement_proof import Anytime, Child
from skb.questions.placement_instance import Instance
from skb.questions.placement_request import wishes

# above this many blocks of interchangeable cores the latencies between them take too long to list
MOST_BLOCKS = 512
# latencies that are compared for what tasks of several PUs cost by themselves
MOST_SPREAD = 300_000
# thresholds of latency that are kept; the others fall to the next lower one
MOST_STEPS = 5
# share of the time left that the process keeps for its start and its end
KEPT = 0.1
# seconds of the limit that the whole effort is meant for, on a host that is half as fast as common,
# and the most effort
SECONDS, MOST_EFFORT = 10.0, 4.0
# tasks from which two processes share the work: the search has long ended when they do
LEAST_HALVED = 200
# the least size that a task counts with, as a share of a PU
LIGHTEST = 0.02


class Bounds:
    """The bound of an instance, worked out in processes of its own once it is started; use as a
    context, which kills what still runs at its end.
    """

    def __init__(self, instance: Instance, board: Board, end: float, seconds: float) -> None:
        self._instance = instance
        self._board = board
        self._end = end
        self._effort = min(MOST_EFFORT, seconds / SECONDS)
        self._base = self._alone = 0
        self._children: list[Child] = []
        self._found: Found | None = None

    def __enter__(self) -> Bounds:
        return self

    def __exit__(self, *fault: object) -> None:
        for child in self._children:
            child.__exit__(*fault)

    def start(self) -> None:
        if not self._children and self._board.pus:
            parts = Parts(self._instance, self._board)
            self._base, self._alone = parts.base(), parts.base(alone=True)
            left = max(0.0, self._end - time.monotonic())
            work = parts.bounding(self._end - left * KEPT, self._effort)
            halves = work.halves() if work.tasks >= LEAST_HALVED else (work,)
            self._children += [Child(Anytime(half)) for half in halves]

    @property
    def cut(self) -> bool:
        """Whether the clock ended the work, so that the same request may get another bound."""
        return bool(self._children) and (self._found is None or not self._found.whole)

    def meets(self, price: int) -> bool:
        """Whether the bound is known by now, without waiting, and a placement of this price has
        reached it.
        """
        known = bool(self._children) and all(child.done() for child in self._children)
        return known and self.result() >= price

    def result(self) -> int:
        """Return what any placement costs at least, in the board's scale; waits for the end."""
        self.start()
        if self._found is None:
            halves = [child.result(self._end) or Found(0, False) for child in self._children]
            price = sum(half.price for half in halves)
            self._found = Found(price, all(half.whole for half in halves))
        return max(self._alone, self._base + self._found.price)


@dataclass(frozen=True, slots=True)
class _Layer:
    """Parts as PUs and as blocks, empty where part of a block; `split` says that some are PUs of
    a core.
    """

    threshold_ps: int
    parts: tuple[frozenset[int], ...]
    blocks: tuple[tuple[int, ...], ...]
    split: bool


class Parts:
    """Blocks of interchangeable cores, the latencies inside and between them, and what fits.

    A latency counts with its smaller direction. `blocks` is empty where there are too many.
    """

    def __init__(self, instance: Instance, board: Board) -> None:
        self.instance = instance
        self.board = board
        self._usable = frozenset(board.pus)
        members: dict[int, list[int]] = defaultdict(list)
        for pu in board.pus:
            members[instance.latency.block_of[pu]].append(pu)
        self.blocks = tuple(map(tuple, members.values())) if len(members) <= MOST_BLOCKS else ()
        self._cores = [self._split(block) for block in self.blocks]
        self._inside = [self._between_cores(cores) for cores in self._cores]
        self._threads = [[self._between_pus(core) for core in cores] for cores in self._cores]
        self.between = self._matrix()
        self._homes: dict[tuple[int, str], int | None] = {}
        self._spreads: dict[tuple[int, bool, frozenset[int], int], int] = {}
        self._lightest = sorted(job.load for job in board.jobs)[:2]
        self.least = min(self._values(), default=0) if self.blocks else 0

    def base(self, alone: bool = False) -> int:
        """Return what any placement costs if no message leaves the nearest parts, in the board's
        scale: every message pays the least latency, every task its cheapest first PU.

        Wishes that `bounding` weighs are left out, unless it stands `alone`.
        """
        board, own = self.board, self.instance.costs.own_ps()
        # alike PUs have one price and are named by the same rules, so one of each class will do
        chosen = {board.alike[pu]: pu for pu in reversed(board.pus)}
        found = sum(rate * (own if a == b else self.least) for a, b, rate in board.traffic)
        for task, job in enumerate(board.jobs):
            wide = alone and (job.whole or job.need > 1)
            if wide or job.remembers or self.instance.tasks[task].task.near:
                first = [pu for pu in chosen.values() if pu in job.first]
                found += min((self._price(task, pu, alone) for pu in first), default=0)
        return found

    def _price(self, task: int, pu: int, alone: bool) -> int:
        """Return what a task costs on a PU by itself."""
        board, job = self.board, self.board.jobs[task]
        found = job.toll(pu)
        if not alone:
            found -= sum(
                self.instance.whole_number(weight) * self.instance.latency.near_ps(pu, name)
                for name, weight in self._weighed(task)
            )
        if job.remembers:
            found += board.unit * min((board.memory(pu, node) for node in job.nodes), default=0)
        if alone and (job.whole or job.need > 1):
            found += board.unit * self._spread_ps(job.need, job.whole, job.allowed, pu)
        return found

    def _spread_ps(self, need: int, whole: bool, allowed: frozenset[int], pu: int) -> int:
        """Return the least that a task's further PUs cost from its first one; 0 where that would
        take long to say.
        """
        key = need, whole, allowed, pu
        if key in self._spreads:
            return self._spreads[key]
        board = self.board
        if len(self._spreads) * len(board.pus) > MOST_SPREAD:
            return 0
        ps = {other: board.latency(pu, other) for other in allowed if other != pu}
        if not whole:
            found = sum(nsmallest(need - 1, ps.values()))
        else:
            own = board.core_of[pu]
            cores = {
                core: sum(ps[other] for other in board.core_pus[core] if other != pu)
                for core in board.complete
                if allowed.issuperset(board.core_pus[core])
            }
            found = cores.pop(own, 0) + sum(nsmallest(need - 1, cores.values()))
        self._spreads[key] = found
        return found

    def _weighed(self, task: int) -> list[tuple[str, float]]:
        """Return the wishes of a task that `bounding` weighs: for an object inside one part."""
        if not self.blocks or self.board.jobs[task].remembers:
            return []
        return [
            (name, weight)
            for name, weight in wishes(self.instance.tasks[task].task)
            if self._layers and self._part_of(self._layers[-1], name) is not None
        ]

    def bounding(self, deadline: float, effort: float = 1.0) -> Bounding:
        """Return the work that gives the bound beyond `base`; it finds 0 where no latency was
        listed.
        """
        return Bounding(
            tasks=len(self.board.jobs),
            traffic=self.board.traffic,
            least_ps=self.least,
            partitions=tuple(self._partition(layer) for layer in range(len(self._layers))),
            between_ps=self.between,
            deadline=deadline,
            effort=effort,
        )

    def _split(self, block: Sequence[int]) -> list[tuple[int, ...]]:
        found: dict[str, list[int]] = defaultdict(list)
        for pu in block:
            found[self.board.core_of[pu]].append(pu)
        return [tuple(core) for core in found.values()]

    def _nearer(self, a: int, b: int) -> int:
        return min(self.board.latency(a, b), self.board.latency(b, a))

    def _between_cores(self, cores: Sequence[tuple[int, ...]]) -> int | None:
        """Latency between two cores of a block, which is the same for all of them."""
        return self._nearer(cores[0][0], cores[1][0]) if len(cores) > 1 else None

    def _between_pus(self, core: Sequence[int]) -> int | None:
        return min((self._nearer(a, b) for a, b in combinations(core, 2)), default=None)

    def _matrix(self) -> Matrix:
        first = [block[0] for block in self.blocks]
        rows = [[0] * len(first) for _ in first]
        for i, j in combinations(range(len(first)), 2):
            rows[i][j] = rows[j][i] = self._nearer(first[i], first[j])
        return tuple(map(tuple, rows))

    def _values(self) -> Iterable[int]:
        """Yield each latency that two tasks may have to each other."""
        if len(self._lightest) > 1 and sum(self._lightest) <= self.board.full:
            yield self.board.latency(self.board.pus[0], self.board.pus[0])
        yield from (value for value in self._inside if value is not None)
        yield from (value for core in self._threads for value in core if value is not None)
        yield from (value for i, row in enumerate(self.between) for value in row[:i])

    # ------------------------------------------------------------ sizes and rooms
    def _least_load(self, job: Job) -> int:
        """Return what a task takes at least of the cores around its first PU."""
        board = self.board
        # where pairs are stated a part need not hold whole cores
        if self.instance.latency.pairwise or not (job.whole or job.exclusive):
            return job.load
        widths = {len(self._usable.intersection(pus)) for pus in board.core_pus.values()} - {0}
        return min(widths, default=1) * (board.full if job.exclusive else job.load)

    def _sized(self, layer: _Layer) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return the sizes of tasks and the rooms of parts: loads, or each task as one where that
        leaves less room.
        """
        full, jobs = self.board.full, self.board.jobs
        loads = [job.load if layer.split else self._least_load(job) for job in jobs]
        light = sorted(loads)
        counts = [
            sum(1 for taken in accumulate(light) if taken <= len(part) * full)
            for part in layer.parts
        ]
        least = full * LIGHTEST
        sizes = [max(float(load), least) for load in loads]
        excess = sum(size - load for size, load in zip(sizes, loads, strict=True))
        rooms = [len(part) * full + excess for part in layer.parts]
        if sum(counts) * sum(sizes) <= sum(rooms) * len(jobs):
            return (), tuple(map(float, counts))
        return tuple(size / full for size in sizes), tuple(room / full for room in rooms)

    # ------------------------------------------------------------ partitions
    @cached_property
    def _layers(self) -> list[_Layer]:
        """The partitions at the thresholds that matter, rising, without the trivial one."""
        values = _kept(sorted(set(self._values()) - {self.least}))
        found = [self._at(value) for value in values]
        # where all are one part nobody has to leave it; a finer partition is at a lower threshold
        return [layer for layer in found if len(layer.parts) > 1]

    def _at(self, threshold: int) -> _Layer:
        """Return the parts at one threshold, joined by single linkage."""
        parts: list[frozenset[int]] = []
        blocks: list[tuple[int, ...]] = []
        split = False
        for part in self._linked(threshold):
            inside = self._inside[part[0]]
            if len(part) > 1 or (inside is not None and inside < threshold):
                parts.append(frozenset(pu for block in part for pu in self.blocks[block]))
                blocks.append(tuple(part))
                continue
            for core, value in zip(self._cores[part[0]], self._threads[part[0]], strict=True):
                joined = value is not None and value < threshold
                pieces = [frozenset(core)] if joined else [frozenset({pu}) for pu in core]
                split = split or not joined
                parts += pieces
                single = len(core) == len(self.blocks[part[0]]) and len(pieces) == 1
                blocks += [tuple(part) if single else () for _ in pieces]
        return _Layer(threshold, tuple(parts), tuple(blocks), split)

    def _partition(self, number: int) -> Partition:
        layer = self._layers[number]
        sizes, rooms = self._sized(layer)
        return Partition(
            layer.threshold_ps,
            rooms,
            layer.blocks,
            sizes,
            tuple(self._allowed(layer)),
            tuple(self._wished(number)),
        )

    def _allowed(self, layer: _Layer) -> Iterable[tuple[int, tuple[int, ...]]]:
        """Yield the parts of a task that may not be in all of them."""
        known: dict[frozenset[int], tuple[int, ...]] = {}
        for task, job in enumerate(self.board.jobs):
            first = job.first & job.allowed
            if first not in known:
                known[first] = tuple(
                    index for index, part in enumerate(layer.parts) if not part.isdisjoint(first)
                )
            if 0 < len(known[first]) < len(layer.parts):
                yield task, known[first]

    def _wished(self, number: int) -> Iterable[Wish]:
        layer = self._layers[number]
        for task in range(len(self.board.jobs)):
            for name, weight in self._weighed(task):
                part = self._part_of(layer, name)
                if part is None:
                    continue
                finer = self._layers[number - 1] if number else None
                paid = finer and self._part_of(finer, name) is not None
                rate = self.instance.whole_number(weight)
                yield Wish(task, part, rate, finer.threshold_ps if finer and paid else 0)

    def _part_of(self, layer: _Layer, name: str) -> int | None:
        """Return the part that has all PUs local to an object, which all must be usable."""
        key = (layer.threshold_ps, name)
        if key not in self._homes:
            local = frozenset(self.instance.machine.pus_of(name))
            homes = [i for i, part in enumerate(layer.parts) if local and local <= part]
            self._homes[key] = homes[0] if homes else None
        return self._homes[key]

    def _linked(self, threshold: int) -> list[list[int]]:
        left = set(range(len(self.blocks)))
        found: list[list[int]] = []
        while left:
            part = [left.pop()]
            for block in part:
                near = sorted(q for q in left if self.between[block][q] < threshold)
                left.difference_update(near)
                part += near  # the loop goes on to these
            found.append(part)
        return found


def _kept(values: Sequence[int]) -> Sequence[int]:
    """Return the thresholds above the widest gaps: those that lose least by falling below."""
    if len(values) <= MOST_STEPS:
        return values
    gaps = [(b - a, b) for a, b in pairwise(values)]
    return sorted([values[0], *(b for _gap, b in sorted(gaps)[-(MOST_STEPS - 1) :])])

"""What any placement costs at least: the instance as `skb.engines.placement_bound` needs it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate, combinations, pairwise

from skb.engines.placement_bound import Bounding, Matrix, Partition
from skb.engines.placement_proof import Child
from skb.engines.placement_search import Board, Job
from skb.questions.placement_instance import Instance

# above this many blocks of interchangeable cores the latencies between them take too long to list
MOST_BLOCKS = 512
# thresholds of latency that are kept; the others fall to the next lower one
MOST_STEPS = 5
# share of the time left that the process keeps for its start and its end
KEPT = 0.3


class Bounds:
    """The bound of an instance, worked out in a process of its own once it is started; use as a
    context, which kills what still runs at its end.
    """

    def __init__(self, instance: Instance, board: Board, end: float) -> None:
        self._instance = instance
        self._board = board
        self._end = end
        self._base = 0
        self._child: Child | None = None

    def __enter__(self) -> Bounds:
        return self

    def __exit__(self, *fault: object) -> None:
        if self._child is not None:
            self._child.__exit__(*fault)

    def start(self) -> None:
        if self._child is None:
            parts = Parts(self._instance, self._board)
            self._base = parts.base()
            left = max(0.0, self._end - time.monotonic())
            self._child = Child(parts.bounding(self._end - left * KEPT))

    def result(self) -> int:
        """Return what any placement costs at least, in the board's scale; waits for the end."""
        self.start()
        return self._base + (0 if self._child is None else self._child.result(self._end) or 0)


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
        self._light = sorted(self._least_load(job) for job in board.jobs)
        self._light_pu = sorted(job.load for job in board.jobs)
        self.least = min(self._values(), default=0) if self.blocks else 0

    def base(self) -> int:
        """Return what any placement costs if no message leaves the nearest parts, in the board's
        scale: every message pays the least latency, every task its cheapest first PU.
        """
        board, own = self.board, self.instance.costs.own_ps()
        # alike PUs have one price and are named by the same rules, so one of each class will do
        chosen = {board.alike[pu]: pu for pu in reversed(board.pus)}
        found = sum(rate * (own if a == b else self.least) for a, b, rate in board.traffic)
        for wanted, job in zip(self.instance.tasks, board.jobs, strict=True):
            if job.remembers or wanted.task.near:
                first = [pu for pu in chosen.values() if pu in job.first]
                found += min((_alone(board, job, pu) for pu in first), default=0)
        return found

    def bounding(self, deadline: float) -> Bounding:
        """Return the work that gives the bound beyond `base`; it finds 0 where no latency was
        listed.
        """
        return Bounding(
            tasks=len(self.board.jobs),
            traffic=self.board.traffic,
            least_ps=self.least,
            partitions=self.partitions(),
            between_ps=self.between,
            deadline=deadline,
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
        if len(self._light_pu) > 1 and sum(self._light_pu[:2]) <= self.board.full:
            yield self.board.latency(self.board.pus[0], self.board.pus[0])
        yield from (value for value in self._inside if value is not None)
        yield from (value for core in self._threads for value in core if value is not None)
        yield from (value for i, row in enumerate(self.between) for value in row[:i])

    # ------------------------------------------------------------ rooms
    def _least_load(self, job: Job) -> int:
        """Return what a task takes at least of the cores around its first PU."""
        board = self.board
        # where pairs are stated a part need not hold whole cores
        if self.instance.latency.pairwise or not (job.whole or job.exclusive):
            return job.load
        widths = {len(self._usable.intersection(pus)) for pus in board.core_pus.values()} - {0}
        return min(widths, default=1) * (board.full if job.exclusive else job.load)

    def _room(self, pus: int) -> int:
        """Return how many tasks can have their first PU among so many PUs of whole cores."""
        return sum(1 for taken in accumulate(self._light) if taken <= pus * self.board.full)

    def _room_of_pu(self) -> int:
        return sum(1 for taken in accumulate(self._light_pu) if taken <= self.board.full)

    # ------------------------------------------------------------ partitions
    def partitions(self) -> tuple[Partition, ...]:
        """Return the partitions at the thresholds that matter, rising, without the trivial one."""
        values = _kept(sorted(set(self._values()) - {self.least}))
        found = [self._at(value) for value in values]
        # where all are one part nobody has to leave it; a finer partition is at a lower threshold
        return tuple(p for p in found if len(p.rooms) > 1)

    def _at(self, threshold: int) -> Partition:
        """Return the parts at one threshold, joined by single linkage."""
        rooms: list[int] = []
        blocks: list[tuple[int, ...]] = []
        for part in self._linked(threshold):
            inside = self._inside[part[0]]
            if len(part) > 1 or (inside is not None and inside < threshold):
                rooms.append(self._room(sum(len(self.blocks[block]) for block in part)))
                blocks.append(tuple(part))
                continue
            for core, value in zip(self._cores[part[0]], self._threads[part[0]], strict=True):
                joined = value is not None and value < threshold
                pieces = [self._room(len(core))] if joined else [self._room_of_pu()] * len(core)
                rooms += pieces
                single = len(core) == len(self.blocks[part[0]]) and len(pieces) == 1
                blocks += [tuple(part) if single else () for _ in pieces]
        return Partition(threshold, tuple(rooms), tuple(blocks))

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


def _alone(board: Board, job: Job, pu: int) -> int:
    found = job.toll(pu)
    if job.remembers:
        found += board.unit * min((board.memory(pu, node) for node in job.nodes), default=0)
    return found

"""What traffic costs at least because parts of a machine hold only so many tasks, at every size.

Latency is taken apart into what every message pays, steps that a message pays when it leaves its
part (a core, a last-level cache, a package), and what the way between the outermost parts costs
beyond that. Each piece has a bound of its own (`placement_spectrum`), and no piece counts a
picosecond twice, so their sum bounds the price.

The parts of a step are the classes of single linkage: two PUs nearer than the step's threshold, or
joined by a chain of such pairs, are in one part. So a message between parts really pays the
threshold, whatever the latencies are; asymmetric ones count with the smaller direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Matrix = tuple[tuple[int, ...], ...]
# outermost parts above which the way between them is left out
MOST_PARTS = 128


@dataclass(frozen=True, slots=True)
class Partition:
    """Parts that a message leaves only for `threshold_ps` or more: blocks by part, and how many
    tasks each part holds at most.
    """

    threshold_ps: int
    rooms: tuple[int, ...]
    blocks: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Bounding:
    """A bound to work out in a process of its own: `least_ps` is paid by every message.

    `traffic` are pairs of tasks with rates, `partitions` rise in threshold, `between_ps` is the
    least latency between two blocks. `deadline` is the fuse by the monotonic clock.
    """

    tasks: int
    traffic: tuple[tuple[int, int, int], ...]
    least_ps: int
    partitions: tuple[Partition, ...]
    between_ps: Matrix
    deadline: float

    def run(self) -> int:
        """Return the least price beyond `least_ps` for every message, in rate times ps."""
        # numpy is worth its import only where there is something to work out
        from skb.engines.placement_spectrum import Kernel, bounds, laplacian
        from skb.engines.placement_ways import way_kernel

        if not self.partitions:
            return 0
        outer = self.partitions[-1]
        thresholds = [self.least_ps, *(p.threshold_ps for p in self.partitions)]
        steps = [float(high - low) for low, high in pairwise(thresholds)]
        kernels = [Kernel(tuple(map(float, _falling(p.rooms)))) for p in self.partitions]
        extra = _extra(self.between_ps, outer)
        way = way_kernel(extra, outer.rooms, steps[-1]) if extra else None
        if way:
            kernels.append(way[1])
        found = bounds(laplacian(self.tasks, self.traffic), kernels, self.deadline)
        price = sum(step * cut for step, cut in zip(steps, found, strict=False))
        if way:
            # the way may use a part of the outermost step, which then counts there alone
            price += max(0.0, found[-1] - way[0] * found[len(steps) - 1])
        return max(0, int(price * (1 - 1e-12)))


def _falling(rooms: Sequence[int]) -> list[int]:
    return sorted(rooms, reverse=True)


def _extra(between: Matrix, outer: Partition) -> Matrix | None:
    """Return what the way between two outermost parts costs beyond their threshold; None where
    nothing.
    """
    if len(outer.blocks) > MOST_PARTS or any(not blocks for blocks in outer.blocks):
        return None
    parts = outer.blocks
    found = tuple(
        tuple(
            0
            if p == q
            else min(between[a][b] for a in parts[p] for b in parts[q]) - outer.threshold_ps
            for q in range(len(parts))
        )
        for p in range(len(parts))
    )
    return found if any(map(any, found)) else None

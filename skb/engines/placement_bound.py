"""What traffic costs at least because parts of a machine hold only so many tasks, at every size.

Latency is taken apart into what every message pays, steps that a message pays when it leaves its
part (a core, a last-level cache, a package), and what the way between the outermost parts costs
beyond that. Each piece has a bound of its own (`placement_spectrum`), and no piece counts a
picosecond twice, so their sum bounds the price.

The parts of a step are the classes of single linkage: two PUs nearer than the step's threshold, or
joined by a chain of such pairs, are in one part. So a message between parts really pays the
threshold, whatever the latencies are; asymmetric ones count with the smaller direction. A wish to
be near an object inside one part is traffic to an anchor there, which pays the threshold outside.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import inf, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skb.engines.placement_spectrum import System

Matrix = tuple[tuple[int, ...], ...]
# outermost parts above which the way between them is left out
MOST_PARTS = 128
# a round costs about the cube of the nodes: so much of it may be spent on one level, first on the
# contracted graph and then on the whole one, where the effort is 1
WORK, MOST_ROUNDS, LEAST_ROUNDS = 1_500_000_000, 600, 60
WHOLE_WORK, MOST_WHOLE = 1_300_000_000, 400
# the most tasks of a group, or share of a part's room
GROUP, GROUP_SHARE = 8.0, 0.125
# tasks are contracted that talk to each other at least this much of what one of them says else, and
# more where their group fills much of a part
TIE, TIGHT = 0.3, 0.5
# nodes up to which the graph that is not routed is tried as well
LARGEST_PLAIN = 64
# nodes up to which the outermost step is tried without the way
LARGEST_BOTH = 200
# times of finding the eigenvalues of the whole graph that the way back to it takes, and the least
# share of the time that the contracted one has
AFTERWARDS, LEAST_SHARE = 5, 0.5


@dataclass(frozen=True, slots=True)
class Wish:
    """A task's wish to be near an object inside one part; `paid_ps` counts in finer partitions."""

    task: int
    part: int
    rate: int
    paid_ps: int


@dataclass(frozen=True, slots=True)
class Partition:
    """Parts that a message leaves only for `threshold_ps` or more: blocks by part, and the sizes
    of tasks that each part holds at most.

    `sizes` are those of the tasks, all 1 where empty; `allowed` the parts where a task may be,
    all of them where it is missing.
    """

    threshold_ps: int
    rooms: tuple[float, ...]
    blocks: tuple[tuple[int, ...], ...]
    sizes: tuple[float, ...] = ()
    allowed: tuple[tuple[int, tuple[int, ...]], ...] = ()
    wishes: tuple[Wish, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A price that no placement is below; `whole` says that no clock has cut the work for it."""

    price: int
    whole: bool


@dataclass(slots=True)
class Work:
    """How long a bound may be looked for: until the fuse, with so much effort; `tell` hears of each
    better bound, and `cut` says that the fuse ended it.
    """

    fuse: float = inf
    effort: float = 1.0
    tell: Callable[[float], None] = lambda _worth: None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Bounding:
    """A bound to work out in a process of its own: `least_ps` is paid by every message.

    `traffic` are pairs of tasks with rates, `partitions` rise in threshold, `between_ps` is the
    least latency between two blocks. `deadline` is the fuse by the monotonic clock, `effort` scales
    the rounds. The bound is of all steps; where `outer` is stated, of the outermost or the others.
    """

    tasks: int
    traffic: tuple[tuple[int, int, int], ...]
    least_ps: int
    partitions: tuple[Partition, ...]
    between_ps: Matrix
    deadline: float
    effort: float = 1.0
    outer: bool | None = None

    def halves(self) -> tuple[Bounding, ...]:
        """Return the bound as the sum of two, where there are two steps."""
        if len(self.partitions) < 2:
            return (self,)
        return replace(self, outer=True), replace(self, outer=False)

    def run(self) -> int:
        """Return the least price beyond `least_ps` for every message, in rate times ps."""
        return self.found(lambda _found: None).price

    def found(self, tell: Callable[[Found], None]) -> Found:
        """Return the bound; tell each one on the way to it."""
        from skb.engines.placement_climb import begun

        systems = self._systems()
        best = [0.0] * len(systems)
        whole = True

        def price() -> int:
            return max(0, int(sum(best) * (1 - 1e-12)))

        def better(number: int, worth: float) -> None:
            if worth > best[number]:
                best[number] = worth
                tell(Found(price(), False))

        # what needs no search, first of all
        for number, system in enumerate(systems):
            for other in system:
                if all(level.possible for level in other.levels):
                    begun(other, partial(better, number))
        for number, system in enumerate(systems):
            for index, other in enumerate(system):
                now = time.monotonic()
                # the way may be worth less than the part of the step that it takes
                left = [len(one.levels) for some in systems[number:] for one in some][index:]
                fuse = now + (self.deadline - now) * left[0] / sum(left)
                work = Work(fuse, self.effort, partial(better, number))
                least(other, work)
                whole = whole and not work.cut
        return Found(price(), whole)

    def _systems(self) -> list[tuple[System, ...]]:
        """Return each step's level, the last with that of the way, and what may be better."""
        # numpy is worth its import only where there is something to work out
        from skb.engines.placement_levels import Nodes, part_level, way_level
        from skb.engines.placement_spectrum import System
        from skb.engines.placement_ways import way_kernel

        if not self.partitions:
            return []
        thresholds = [self.least_ps, *(p.threshold_ps for p in self.partitions)]
        steps = [float(high - low) for low, high in pairwise(thresholds)]
        outer = self.partitions[-1]
        extra = _extra(self.between_ps, outer)
        way = way_kernel(extra, steps[-1]) if extra else None
        found: list[tuple[System, ...]] = []
        for step, partition in zip(steps, self.partitions, strict=True):
            nodes = Nodes(self.tasks, self.traffic, partition)
            if not nodes.tasks or self.outer not in (None, partition is outer):
                continue
            here = way if partition is outer else None
            alone = System((part_level(nodes, step, 0.0),))
            if here is None:
                found.append((alone,))
                continue
            level = part_level(nodes, step, here.taken)
            both = System((level, way_level(nodes, here)), here.least / here.own * (1 - 1e-9))
            found.append((both, alone) if len(nodes.sizes) <= LARGEST_BOTH else (both,))
        return found


def least(system: System, work: Work | None = None) -> float:
    """Return what a system's traffic costs at least; work is counted, its clock is a fuse."""
    import numpy as np

    from skb.engines.placement_contraction import clusters

    work = work or Work()
    first = system.levels[0]
    graph = np.sum([level.graph for level in system.levels], axis=0)
    if not all(level.possible for level in system.levels) or not graph.any():
        return 0.0
    began = time.monotonic()
    if began >= work.fuse:
        work.cut = True
        return 0.0
    np.linalg.eigvalsh(graph)
    afterwards = AFTERWARDS * (time.monotonic() - began) * len(system.levels)
    metric = not any(level.slack for level in system.levels)
    found = 0.0
    if len(first.sizes) <= LARGEST_PLAIN or not metric:
        found = _plain(system, work)
    room = float(first.caps[0])
    most = min(room, max(GROUP * float(np.mean(first.sizes)), GROUP_SHARE * room))
    tie = TIE + TIGHT * most / room
    groups = clusters(graph, first.sizes, most, len(first.pivots), tie)
    return max(found, _gathered(system, groups, metric, work, afterwards))


def _rounds(nodes: int, work: Work, most: int, amount: int) -> int:
    """Return how many rounds this much work is; those of few nodes cost something too."""
    return round(min(most * sqrt(work.effort), work.effort * amount / nodes**3))


def _plain(system: System, work: Work) -> float:
    """Return the bound of the graph as it is."""
    from skb.engines.placement_climb import begun

    rounds = _rounds(len(system.levels[0].sizes), work, MOST_WHOLE, WHOLE_WORK)
    now = time.monotonic()
    fuse = now + (work.fuse - now) / 2
    climb = begun(system, work.tell)
    climb.run(rounds, fuse)
    work.cut = work.cut or climb.cut
    return climb.best


def _gathered(
    system: System, groups: list[list[int]], metric: bool, work: Work, afterwards: float
) -> float:
    """Return the bound of the graph whose traffic is routed through the groups.

    The way back from a contracted graph takes `afterwards` seconds.
    """
    from skb.engines.placement_climb import begun
    from skb.engines.placement_contraction import contracted, spread
    from skb.engines.placement_routing import gathered
    from skb.engines.placement_spectrum import System

    if metric:
        for level in system.levels:
            if level.graph.any():
                groups = gathered(level, groups)[1]
        levels = tuple(gathered(level, groups, 0.0)[0] for level in system.levels)
        system = replace(system, levels=levels)
    coarse = System(tuple(contracted(level, groups) for level in system.levels), system.ratio)
    many = max(LEAST_ROUNDS, _rounds(len(groups), work, MOST_ROUNDS, WORK))
    climb = begun(coarse)
    now = time.monotonic()
    climb.run(many, max(work.fuse - afterwards, now + LEAST_SHARE * (work.fuse - now)))
    wide = spread(climb, system, groups, work.tell, work.fuse)
    rounds = _rounds(len(system.levels[0].sizes), work, MOST_WHOLE, WHOLE_WORK)
    if time.monotonic() < work.fuse:
        wide.run(rounds, work.fuse)
    work.cut = work.cut or climb.cut or wide.cut or time.monotonic() >= work.fuse
    return wide.best


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

"""Local search over the parents of a broadcast tree; orders follow from the parents.

The moves are those of `route_kernel`, drawn from a seeded generator; which worse trees to walk
through is simulated annealing's decision (Kirkpatrick, Gelatt and Vecchi, Science 1983), cooled by
the number of moves and not by a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import log
from random import Random

from skb.engines.placement_kernel import SHARES, STRIDE
from skb.engines.route_arms import RouteArm
from skb.engines.route_kernel import find_critical, keep, worth
from skb.engines.route_rows import BEST, EDIT, FRESH, ROOT, SEED, VALUE, Costs, Walk
from skb.engines.route_tree import Matrix, Task, Tree, heights_of, ordered, value

SMALLEST = 3
"""Nodes from which on there is something to search for."""
LARGEST_COST = 1 << 40
"""Costs in picoseconds up to which all sums fit 63 bits."""

COLD = 0.02
"""Temperature at the end, as a share of that at the start."""


@cache
def odds() -> tuple[float, ...]:
    """Return the quantiles of what a step uphill may cost, by the heat."""
    return tuple(-log((share + 0.5) / SHARES) for share in range(SHARES))


def _flat(matrix: Matrix) -> list[int]:
    return [cost for row in matrix for cost in row]


def _barred(task: Task) -> bool:
    """Whether a node must not send to some other or must not be the root."""
    sends = sum(sum(row) for row in task.allowed)
    return sends < task.size * (task.size - 1) or len(set(task.roots)) < task.size


class Ground:
    """A task in the arrays of an arm: what all its walks share."""

    def __init__(self, task: Task, arm: RouteArm) -> None:
        self.task, self.arm = task, arm
        words, parts = arm.words, [costs for costs, _ in task.phases]
        self.costs = Costs(
            first=words([cost for part in parts for cost in _flat(part.first)]),
            further=words([cost for part in parts for cost in _flat(part.further)]),
            tail=words([cost for part in parts for cost in _flat(part.tail)]),
            weight=words([weight for _, weight in task.phases]),
            bursts=words([int(part.bursts) for part in parts]),
            allowed=words([int(may) for row in task.allowed for may in row]),
            roots=words([int(node in set(task.roots)) for node in range(task.size)]),
            report=words([] if task.report is None else _flat(task.report)),
            fan_out=words([task.fan_out, int(_barred(task))]),
            odds=arm.reals(odds()),
        )


class Search:
    """One walk from a tree; `best` and `best_value` hold the best tree met so far."""

    def __init__(self, ground: Ground, start: Tree, seed: int) -> None:
        self.ground, self.task = ground, ground.task
        self.best = ordered(self.task.phases[0][0], start.root, start.kids)
        self.best_value = value(self.task, self.best)
        self.walk = self._begin(seed)

    def _begin(self, seed: int) -> Walk:
        words, size = self.ground.arm.words, self.task.size
        tree, phases = self.best, len(self.task.phases)
        parent = [-1] * size
        kids = self.ground.arm.halves(size * size, 0)
        for node, row in enumerate(tree.kids):
            for place, child in enumerate(row):
                parent[child] = node
                kids[node * size + place] = child
        heights = [
            height
            for costs, _ in self.task.phases
            for height in heights_of(costs, tree.root, tree.kids)
        ]
        control = [0] * 8
        control[SEED] = Random(seed).getrandbits(62) | 1
        control[ROOT] = tree.root
        walk = Walk(
            parent=words(parent),
            degree=words([len(row) for row in tree.kids]),
            kids=kids,
            height=words(heights),
            found=words(parent),
            row=words([0] * size),
            key=words([0] * size),
            end=words([0] * (2 * size)),
            edit=words([0] * (2 * EDIT)),
            critical=words([0] * (phases * size)),
            control=words(control),
            heat=self.ground.arm.reals([0.0, 0.0]),
        )
        now = worth(self.ground.costs, walk)
        walk.control[VALUE] = walk.control[BEST] = now
        find_critical(self.ground.costs, walk)
        return walk

    def run(self, moves: int, heat: float, goal: int, spent: Callable[[], bool]) -> None:
        """Walk for a number of tried moves, until the goal is met or until `spent`.

        The temperature starts as a share of the value and falls to a fixed part of that.
        """
        arm, walk = self.ground.arm, self.walk
        walk.heat[0] = heat * float(walk.control[VALUE])
        walk.heat[1] = COLD ** (STRIDE / max(STRIDE, moves))
        for begin in range(0, moves, arm.moves):
            if spent() or walk.control[BEST] <= goal:
                break
            arm.wander(self.ground.costs, walk, min(arm.moves, moves - begin), goal)
        if walk.control[FRESH]:
            keep(walk)
        self._written()

    def _written(self) -> None:
        kids: list[list[int]] = [[] for _ in range(self.task.size)]
        root = 0
        for node, above in enumerate(map(int, self.walk.found)):
            if above < 0:
                root = node
            else:
                kids[above].append(node)
        tree = ordered(self.task.phases[0][0], root, kids)
        found = value(self.task, tree)
        if found < self.best_value:
            self.best, self.best_value = tree, found

"""The proof of an operation whose phases share a tree, or whose last leaf reports.

`route_hunt` looks at every tree that could be better than the best one that is known, root by root,
counted in sends that are tried. Ten unlike nodes take some million of them.
"""

from __future__ import annotations

from skb.engines.route_arms import RouteArm
from skb.engines.route_bounds import Bounds, Spent
from skb.engines.route_hunt import ENDED, LEAST, MET, STEPS, Hunt
from skb.engines.route_rows import ROOT
from skb.engines.route_search import Ground, Search
from skb.engines.route_tree import Task, Tree

EVERY_BETTER = "every tree that could be better"
LARGEST_HUNTED = 12
STEPS_OF = {"plain": 20_000, "compiled": 40_000_000}
"""Sends that are tried at the usual effort, about eight seconds, plainly half a second."""


def shared_tree(task: Task) -> bool:
    """Whether no phase alone says which tree is best, and trees are few enough for this proof.

    Further sends of a burst must cost in later phases what first ones do: a part of a tree is then
    no higher than the whole.
    """
    several = len(task.phases) > 1 or task.report is not None
    alike = not any(costs.bursts for costs, _ in task.phases[1:])
    return several and alike and task.in_order and 2 < task.size <= LARGEST_HUNTED


def every_better(
    task: Task, bounds: Bounds, best: tuple[int, Tree], arm: RouteArm, effort: float, spent: Spent
) -> tuple[int, Tree]:
    """Return the best tree, and raise the bound to its value where every root was done."""
    left = int(STEPS_OF[arm.name] * effort)
    ground = Ground(task, arm)
    for root in sorted(set(task.roots), key=lambda node: (bounds.of_root(node), node)):
        if bounds.of_root(root) >= best[0]:
            continue
        hunt, done = _from_root(ground, bounds, best, root, left, spent)
        best = _met(hunt, best, root)
        left -= int(hunt.control[STEPS])
        if not done:
            return best
    bounds.settle(best[0], EVERY_BETTER)
    return best


def _from_root(
    ground: Ground, bounds: Bounds, best: tuple[int, Tree], root: int, left: int, spent: Spent
) -> tuple[Hunt, bool]:
    """Try the trees of a root; return what was found, and whether all are done."""
    task, arm = ground.task, ground.arm
    walk = Search(ground, best[1], 0).walk
    for node in range(task.size):
        walk.parent[node], walk.degree[node] = -1, 0
    for at in range(len(walk.height)):
        walk.height[at] = 0
    walk.control[ROOT] = root
    hunt = _begun(task, arm, bounds, best[0], root)
    while not arm.hunt(ground.costs, walk, hunt, arm.tries):
        if spent() or hunt.control[STEPS] >= left:
            return hunt, False
    return hunt, True


def _met(hunt: Hunt, best: tuple[int, Tree], root: int) -> tuple[int, Tree]:
    if not hunt.control[MET]:
        return best
    rows: list[list[tuple[int, int]]] = [[] for _ in hunt.found]
    for node, above in enumerate(map(int, hunt.found)):
        if above >= 0:
            rows[above].append((int(hunt.place[node]), node))
    kids = tuple(tuple(node for _, node in sorted(row)) for row in rows)
    return int(hunt.control[LEAST]), Tree(root, kids)


def _begun(task: Task, arm: RouteArm, bounds: Bounds, best: int, root: int) -> Hunt:
    """Lay out a root that is informed, and nobody else."""
    words, size, nodes = arm.words, task.size, range(task.size)
    down = task.phases[0][0]
    way_in = [
        min(min(down.first[u][v], down.further[u][v]) + down.tail[u][v] for u in nodes if u != v)
        for v in nodes
    ]
    time = [-1] * size
    time[root] = 0
    control = [0] * (ENDED + 2)
    control[LEAST] = best
    return Hunt(
        time=words(time),
        busy=words([0] * size),
        way_in=words(way_in),
        least=words([*(end for row in bounds.rows for end in row), *bounds.reports]),
        pick=words([0] * size),
        ended=words([0] * size),
        before=words([0] * size),
        height=words([0] * (size * size * len(task.phases))),
        found=words([-1] * size),
        place=words([0] * size),
        reach=words([0] * size),
        control=words(control),
    )

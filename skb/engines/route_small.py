"""Every tree of a small group: the proof for operations that use one tree for several phases.

The exact programme proves a single broadcast; a barrier's tree must be good both ways, and the two
best trees differ. A group of six has 7776 trees, which is soon done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations, product

from skb.engines.route_tree import Task, Tree, admissible, heights_of, ordered, value

LARGEST = 6


def every_tree(size: int, root: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Yield the children of each node for every tree over the nodes from a root."""
    others = [node for node in range(size) if node != root]
    for parents in product(range(size), repeat=len(others)):
        above = dict(zip(others, parents, strict=True))
        if not _reaches(above, root):
            continue
        kids: list[list[int]] = [[] for _ in range(size)]
        for node, parent in above.items():
            kids[parent].append(node)
        yield tuple(tuple(row) for row in kids)


def _reaches(above: dict[int, int], root: int) -> bool:
    for node in above:
        at, left = node, len(above)
        while at != root:
            at, left = above[at], left - 1
            if left < 0:
                return False
    return True


def best_of_all(task: Task, spent: Callable[[], bool]) -> tuple[Tree, int, int] | None:
    """Return the best tree, its value and a bound; None where time was up or there is no tree.

    Without a report the best order of a tree is known; who reports depends on the order, so with
    one every order is tried of the trees that could be better. Either way the value is the optimum.
    """
    best: tuple[int, Tree] | None = None
    for root in task.roots:
        for number, kids in enumerate(every_tree(task.size, root)):
            if number % 64 == 0 and spent():
                return None
            if not admissible(task, Tree(root, kids)):
                continue
            least = sum(
                weight * heights_of(costs, root, kids)[root] for costs, weight in task.phases
            )
            if task.report is not None:
                leaves = (v for v, row in enumerate(kids) if not row)
                least += min(task.report[v][root] for v in leaves)
            if best is not None and least >= best[0]:
                continue
            for tree in _orders(task, root, kids):
                worth = value(task, tree)
                if best is None or worth < best[0]:
                    best = (worth, tree)
    return None if best is None else (best[1], best[0], best[0])


def _orders(task: Task, root: int, kids: tuple[tuple[int, ...], ...]) -> Iterator[Tree]:
    yield ordered(task.phases[0][0], root, kids)
    if task.report is not None:
        for rows in product(*(permutations(row) for row in kids)):
            yield Tree(root, rows)

"""Which completions can be had for which occupancy: trees none of which is worse in both.

Between the tree that ends first and the one of least load, limits of the load are walked downwards,
each from the last tree found. A load limit is also a limit of children, which raises the bound of
what may end at all. Groups so small that every tree can be tried are tried whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from skb.engines.route_busy import Busy, Walk
from skb.engines.route_small import every_tree
from skb.engines.route_tree import Task, Tree, admissible, order, top_down, value

LARGEST_WHOLE = 5
"""Every tree and every first child of it: 5^3 * 5 trees, each at most a few orders."""
STEPS = 8
MOVES = 2500

Spent = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Point:
    """A tree, its load and completion, and what no tree of at most this load can end before."""

    tree: Tree
    load: int
    worth: int
    bound: int = 0


def every_point(task: Task, busy: Busy, spent: Spent) -> list[Point] | None:
    """Return the whole frontier by trying every tree; None where that is too much or time is up.

    An operation with a report is left out: who reports depends on the order of all sends.
    """
    if task.size > LARGEST_WHOLE or task.report is not None:
        return None
    found: dict[int, Point] = {}
    for root in task.roots:
        for number, kids in enumerate(every_tree(task.size, root)):
            if number % 64 == 0 and spent():
                return None
            if not admissible(task, Tree(root, kids)):
                continue
            for tree in _orders(task, busy, root, kids):
                load, worth = busy.load(tree), value(task, tree)
                if load not in found or worth < found[load].worth:
                    found[load] = Point(tree, load, worth, worth)
    return front(list(found.values()))


def _orders(task: Task, busy: Busy, root: int, kids: Sequence[Sequence[int]]) -> Iterator[Tree]:
    """Yield a tree with each choice of first children, the others in their best order."""
    costs = task.phases[0][0]
    heads: Sequence[Sequence[int]] = kids if busy.bursts else [()] * task.size
    for chosen in product(*(row or (-1,) for row in heads)):
        heights = [0] * task.size
        rows: list[tuple[int, ...]] = [()] * task.size
        for node in reversed(top_down(root, kids)):
            row = kids[node]
            if not row:
                continue
            tail, first, further = costs.tail[node], costs.first[node], costs.further[node]
            head = chosen[node]
            if head < 0:
                rows[node] = order(costs, heights, node, row)
            else:
                rest = sorted(
                    (c for c in row if c != head), key=lambda c: (-tail[c] - heights[c], c)
                )
                rows[node] = (head, *rest)
            sent = end = 0
            for place, child in enumerate(rows[node]):
                sent += further[child] if place else first[child]
                end = max(end, sent + tail[child] + heights[child])
            heights[node] = end
        yield Tree(root, tuple(rows))


def front(points: Sequence[Point]) -> list[Point]:
    """Return the points that no other is at least as good as in both, by falling load."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda p: (p.load, p.worth)):
        if not kept or point.worth < kept[-1].worth:
            kept.append(point)
    return kept[::-1]


def walked(
    task: Task,
    busy: Busy,
    trees: tuple[Tree, Tree],
    load_of: Callable[[Tree], int],
    seed: int,
    effort: float,
    spent: Spent,
) -> list[Point]:
    """Return points between the tree that ends first and the least busy one, both included.

    `load_of` returns a tree's whole load, where `busy` leaves something out.
    """
    early, idle = (Point(tree, load_of(tree), value(task, tree)) for tree in trees)
    found = [early, idle]
    last = early
    for step in range(1, STEPS + 1):
        limit = early.load - (early.load - idle.load) * step // STEPS
        if last.load <= limit or spent():
            continue
        walk = Walk(task, busy, limit, last.tree)
        _, worth, tree = walk.run(int(MOVES * effort), seed + step, spent)
        last = Point(tree, load_of(tree), worth)
        found.append(last)
    return front(found)


def most_children(task: Task, busy: Busy, limit: int) -> int:
    """Return how many children a node can have at most without being busier than a limit."""
    most = 1
    for u in range(task.size):
        allowed = [v for v in range(task.size) if task.allowed[u][v]]
        costs = sorted(busy.further[u][v] for v in allowed)
        gain = max((busy.further[u][v] - busy.first[u][v] for v in allowed), default=0)
        total, count = -max(0, gain), 0
        for cost in costs:
            total += cost
            if total > limit:
                break
            count += 1
        most = max(most, count)
    return min(most, task.fan_out)

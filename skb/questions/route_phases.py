"""One tree for each phase, with a common root: the messages down over one, the answers up another.

What an operation takes is then a sum of two parts that share nothing but the root. Each part is
decided with the root left free, which bounds it from every root; the roots are then taken by the
sum of their bounds, until no other can be better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from skb.engines.route_solve import Solution
from skb.engines.route_tree import Task, Tree, value

ROOTS = 6
"""At most so many common roots are decided one by one; the others keep their bound."""

Seek = Callable[[Task, Sequence[Tree]], Solution | None]


@dataclass(frozen=True, slots=True)
class Phased:
    """The trees down and up, what they take together, and a proven lower bound of that."""

    down: Tree
    up: Tree
    value: int
    bound: int
    methods: tuple[str, ...]


def parts_of(task: Task) -> tuple[Task, Task]:
    """Split an operation into its broadcasts, with the report, and its reductions."""
    down = replace(task, phases=task.phases[:1])
    return down, replace(task, phases=task.phases[1:], report=None, in_order=False)


def per_phase(task: Task, one: Tree, seek: Seek, spent: Callable[[], bool]) -> Phased:
    """Return a tree for each part, never dearer together than the one tree for both."""
    parts = parts_of(task)
    best = (sum(value(part, one) for part in parts), one, one)
    free = [None if spent() else seek(part, [one]) for part in parts]
    if free[0] is None or free[1] is None:
        return Phased(one, one, best[0], 0, ())
    found = free[0], free[1]
    least = {root: sum(part.least(root) for part in found) for root in task.roots}
    order = sorted(task.roots, key=lambda root: (least[root], root))
    first = [part.tree.root for part in found]
    for root in [*dict.fromkeys((*first, one.root, *order))][:ROOTS]:
        if least[root] >= best[0] or spent():
            continue
        pair = [
            part if part.tree.root == root else seek(replace(task_, roots=(root,)), [one])
            for task_, part in zip(parts, found, strict=True)
        ]
        if pair[0] is None or pair[1] is None:
            continue
        least[root] = max(least[root], pair[0].least(root) + pair[1].least(root))
        total = pair[0].value + pair[1].value
        best = min(best, (total, pair[0].tree, pair[1].tree), key=lambda row: row[0])
    bound = min(best[0], min(least.values()))
    methods = tuple(dict.fromkeys((*found[0].methods, *found[1].methods)))
    return Phased(best[1], best[2], best[0], bound, methods)

"""One tree for each phase, with a common root: the messages down over one, the answers up another.

What an operation takes is then a sum of two parts that share nothing but the root. Each part is
decided with the root left free, which bounds it from every root; the roots are then taken by the
sum of their bounds, until no other can be better. What bounded a phase of the one tree for both
bounds it over a tree of its own, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from skb.engines.route_better import EVERY_BETTER
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


def per_phase(task: Task, first: Solution, seek: Seek, spent: Callable[[], bool]) -> Phased:
    """Return a tree for each part, never dearer together than the one tree for both.

    `first` is that tree, and what bounds its phases.
    """
    parts, one = parts_of(task), first.tree
    best = (sum(value(part, one) for part in parts), one, one)
    known = [_of_one(task, part, first, at) for at, part in enumerate(parts)]
    free = [None if spent() else seek(part, [one]) for part in parts]
    found = [part or before for part, before in zip(free, known, strict=True)]
    both = list(zip(found, known, strict=True))
    least = {
        root: sum(max(now.least(root), before.least(root)) for now, before in both)
        for root in task.roots
    }
    order = sorted(task.roots, key=lambda root: (least[root], root))
    free_roots = [part.tree.root for part in found]
    for root in [*dict.fromkeys((*free_roots, one.root, *order))][:ROOTS]:
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
    told = [*found]
    told += [b for a, b in both if any(b.least(root) > a.least(root) for root in task.roots)]
    methods = tuple(dict.fromkeys(method for part in told for method in part.methods))
    return Phased(best[1], best[2], best[0], bound, methods)


def _of_one(task: Task, part: Task, first: Solution, at: int) -> Solution:
    """Return what the one tree for both is for a part, with what is known of that part alone."""
    by_root = first.apart[at] if first.apart else (0,) * task.size
    proofs = tuple(name for name in first.methods if name != EVERY_BETTER) if first.apart else ()
    bound = min(by_root[root] for root in task.roots)
    return Solution(first.tree, value(part, first.tree), bound, proofs, by_root)

"""The last step where the leaf that is informed last reports to the root.

Who is last depends on the order of sending, so a row in an order that ends later may still win: it
lets a leaf near the root be the last. The walks keep every row in the order that ends first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from skb.engines.route_tree import Task, Tree, admissible, top_down, value

SMALL = 16
"""Up to so many nodes every place in every row is tried; above, only the end of two rows."""
TRIALS = 24_000
"""Trees priced in all, about half a second."""


def near_reporters(
    task: Task, found: Sequence[tuple[int, Tree]], effort: float, spent: Callable[[], bool]
) -> list[tuple[int, Tree]]:
    """Return trees near those found that are better, whatever the order of their rows."""
    if task.size > SMALL:
        return [_best(task, found[0], _leaves_moved(task, found[0][1]), spent)]
    left = int(TRIALS * effort)
    better = []
    for row in found:
        best, before = row, None
        while best != before and left > 0 and not spent():
            before = best
            trials = [*_moved(task, best[1]), *_exchanged(task, best[1])][:left]
            best, left = _best(task, best, trials, spent), left - len(trials)
        better.append(best)
    return better


def _best(
    task: Task, best: tuple[int, Tree], trials: Iterable[Tree], spent: Callable[[], bool]
) -> tuple[int, Tree]:
    for trial in trials:
        if spent():
            break
        if (worth := value(task, trial)) < best[0]:
            best = worth, trial
    return best


def _without(tree: Tree, node: int) -> list[tuple[int, ...]]:
    return [tuple(child for child in row if child != node) for row in tree.kids]


def _may_hang(task: Task, tree: Tree, parent: int, child: int) -> bool:
    if child in tree.kids[parent]:
        return True
    return task.allowed[parent][child] and len(tree.kids[parent]) < task.fan_out


def _leaves_moved(task: Task, tree: Tree) -> Iterator[Tree]:
    """Yield the trees with a leaf at the end of its parent's row or of the root's."""
    for node, row in enumerate(tree.kids):
        for leaf in row:
            for parent in sorted({node, tree.root}):
                if not tree.kids[leaf] and _may_hang(task, tree, parent, leaf):
                    kids = _without(tree, leaf)
                    kids[parent] = (*kids[parent], leaf)
                    yield Tree(tree.root, tuple(kids))


def _moved(task: Task, tree: Tree) -> Iterator[Tree]:
    """Yield the trees with one subtree at another place of any row."""
    for child in (child for row in tree.kids for child in row):
        below = set(top_down(child, tree.kids))
        rest = _without(tree, child)
        for parent, row in enumerate(rest):
            if parent in below or not _may_hang(task, tree, parent, child):
                continue
            for at in range(len(row) + 1):
                kids = list(rest)
                kids[parent] = (*row[:at], child, *row[at:])
                yield Tree(tree.root, tuple(kids))


def _exchanged(task: Task, tree: Tree) -> Iterator[Tree]:
    """Yield the admissible trees with two nodes in each other's place."""
    for a in range(task.size):
        for b in range(a + 1, task.size):
            trial = _swapped(tree, a, b)
            if admissible(task, trial):
                yield trial


def _swapped(tree: Tree, a: int, b: int) -> Tree:
    place = list(range(len(tree.kids)))
    place[a], place[b] = b, a
    rows = [tree.kids[place[node]] for node in range(len(place))]
    return Tree(place[tree.root], tuple(tuple(place[child] for child in row) for row in rows))

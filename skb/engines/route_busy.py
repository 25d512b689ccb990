"""Occupancy: how long one operation keeps the busiest node busy, and trees that keep it short.

A stream of operations runs as fast as its busiest node. The load of a node is a sum over its edges,
so its least maximum is a bounded-degree spanning tree problem: a walk over parents finds trees, the
rules prove small ones (rules/route/busy.lp), and two arguments bound the rest: whoever passes a
message on has received it first, and all loads together are at least what the edges take.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp
from random import Random

from skb.engines.route_tree import Kids, Matrix, Task, Tree, array_of, top_down, value

HEAT = 0.03
"""Temperature at the start of a walk, as a share of the value; it falls in a straight line."""
SWAP_SHARE = 0.4
REACH_WORK = 2_000_000
"""Pairs of nodes times roots up to which it is looked at what each root can reach."""
BEYOND = 1 << 60
"""More picoseconds than any load."""


@dataclass(frozen=True, slots=True)
class Busy:
    """What each edge keeps its two ends busy in one operation, in picoseconds, rows are parents.

    A parent is busy `first` for the child that it serves first and `further` for each other one, a
    child `child`; a root is busy `top` besides, at least.
    """

    first: Matrix
    further: Matrix
    child: Matrix
    top: tuple[int, ...]

    @property
    def bursts(self) -> bool:
        return self.first != self.further

    def base(self, tree_root: int, kids: Kids) -> list[int]:
        """Return the load of each node, every child counted as a further one."""
        found = [0] * len(self.top)
        found[tree_root] = self.top[tree_root]
        for node, row in enumerate(kids):
            pays, takes = self.further[node], self.child[node]
            for child in row:
                found[node] += pays[child]
                found[child] += takes[child]
        return found

    def load(self, tree: Tree) -> int:
        """Return the largest load of a tree in its order of sending."""
        found = self.base(tree.root, tree.kids)
        for node, row in enumerate(tree.kids):
            if row:
                found[node] += self.first[node][row[0]] - self.further[node][row[0]]
        return max(found)


def within(task: Task, busy: Busy, root: int, kids: Kids, limit: int) -> tuple[int, Tree]:
    """Return by how much all loads together exceed a limit, and the tree in a good order.

    The order is the best one for the messages down of which no first send breaks the limit (or the
    least load of that node, where that is above the limit).
    """
    costs, base = task.phases[0][0], busy.base(root, kids)
    rows: list[tuple[int, ...]] = [()] * task.size
    heights = [0] * task.size
    over = 0
    for node in reversed(top_down(root, kids)):
        row = kids[node]
        if not row:
            over += max(0, base[node] - limit)
            continue
        more = [busy.first[node][child] - busy.further[node][child] for child in row]
        allowed = max(limit, base[node] + min(more))
        tail, first, further = costs.tail[node], costs.first[node], costs.further[node]
        by_tail = sorted([(tail[c] + heights[c], c) for c in row], reverse=True)
        best: tuple[int, int] | None = None
        heads = zip(more, row, strict=True) if busy.bursts else ((0, by_tail[0][1]),)
        for extra, head in heads:
            if base[node] + extra > allowed:
                continue
            sent = first[head]
            end = sent + tail[head] + heights[head]
            for behind, child in by_tail:
                if child != head:
                    sent += further[child]
                    end = max(end, sent + behind)
            if best is None or end < best[0]:
                best = end, head
        assert best is not None
        heights[node], chosen = best
        rows[node] = (chosen, *(child for _, child in by_tail if child != chosen))
        opened = busy.first[node][chosen] - busy.further[node][chosen]
        over += max(0, base[node] + opened - limit)
    return over, Tree(root, tuple(rows))


class Walk:
    """Simulated annealing over parents for the least completion of which no load breaks a limit.

    `extra` may add to the excess, in units of the limit, what other conditions a tree breaks.
    Work is counted in moves, so the same start, limit and seed give the same trees.
    """

    def __init__(
        self,
        task: Task,
        busy: Busy,
        limit: int,
        start: Tree,
        extra: Callable[[Tree], int] = lambda _: 0,
    ) -> None:
        self.task, self.busy, self.limit, self.extra = task, busy, limit, extra
        self.root = start.root
        self.kids = [list(row) for row in start.kids]
        self.parent = [-1] * task.size
        for node, row in enumerate(start.kids):
            for child in row:
                self.parent[child] = node
        self.excess, self.worth, self.best = self._judge()

    def _judge(self) -> tuple[int, int, Tree]:
        excess, tree = within(self.task, self.busy, self.root, self.kids, self.limit)
        return excess + self.extra(tree), value(self.task, tree), tree

    def run(
        self, moves: int, seed: int, spent: Callable[[], bool], fits: bool = False
    ) -> tuple[int, int, Tree]:
        """Return the least excess, the completion of a tree that has it, and that tree.

        With `fits` the first tree without excess will do.
        """
        random = Random(seed)
        size = self.task.size
        unit, strict = max(1, self.worth), 8.0 / max(1, self.limit)
        now = self.worth / unit + strict * self.excess
        best = (self.excess, self.worth, self.best)
        for turn in range(moves):
            if size < 2 or (turn % 16 == 0 and spent()) or (fits and not best[0]):
                break
            undo = self._change(random)
            if undo is None:
                continue
            excess, worth, tree = self._judge()
            cost = worth / unit + strict * excess
            heat = HEAT * (1 - turn / moves)
            if cost <= now or (heat > 0 and random.random() < exp((now - cost) / heat)):
                now = cost
                best = min(best, (excess, worth, tree), key=lambda row: row[:2])
            else:
                undo()
        return best

    # ------------------------------------------------------------ moves
    def _change(self, random: Random) -> Callable[[], None] | None:
        one, two = int(random.random() * self.task.size), int(random.random() * self.task.size)
        if random.random() < SWAP_SHARE:
            return self._swap(one, two)
        return self._hang(one, two)

    def _inside(self, node: int, top: int) -> bool:
        while node >= 0:
            if node == top:
                return True
            node = self.parent[node]
        return False

    def _hang(self, node: int, parent: int) -> Callable[[], None] | None:
        old = self.parent[node]
        if (
            old < 0
            or parent == old
            or not self.task.allowed[parent][node]
            or len(self.kids[parent]) >= self.task.fan_out
            or self._inside(parent, node)
        ):
            return None
        self._move(node, parent)
        return lambda: self._move(node, old)

    def _move(self, node: int, parent: int) -> None:
        self.kids[self.parent[node]].remove(node)
        self.kids[parent].append(node)
        self.parent[node] = parent

    def _swap(self, one: int, two: int) -> Callable[[], None] | None:
        if one == two or (self.root in (one, two) and len(self.task.roots) == 1):
            return None
        self._exchange(one, two)
        if self.root in self.task.roots and self._fits(one) and self._fits(two):
            return lambda: self._exchange(one, two)
        self._exchange(one, two)
        return None

    def _fits(self, node: int) -> bool:
        above, allowed = self.parent[node], self.task.allowed
        return (above < 0 or allowed[above][node]) and all(
            allowed[node][child] for child in self.kids[node]
        )

    def _exchange(self, one: int, two: int) -> None:
        name = {one: two, two: one}
        kids, parent = self.kids, self.parent
        for above in {parent[one], parent[two], one, two} - {-1}:
            kids[above] = [name.get(child, child) for child in kids[above]]
        kids[one], kids[two] = kids[two], kids[one]
        up, down = name.get(parent[one], parent[one]), name.get(parent[two], parent[two])
        parent[one], parent[two] = down, up
        for node in (one, two):
            for child in kids[node]:
                parent[child] = node
        self.root = name.get(self.root, self.root)


# ---------------------------------------------------------------- bounds
def least_load(task: Task, busy: Busy) -> int:
    """Return a lower bound of the largest load over all admissible trees."""
    size = task.size
    if size == 1:
        return min(busy.top[root] for root in task.roots)
    edges = _cheapest_edges(task, busy)
    total = sum(edges)
    low = min(-(-(total - edges[root] + busy.top[root]) // size) for root in task.roots)
    if size * size * len(task.roots) > REACH_WORK:
        return low
    pays, least = _least_pay(task, busy), BEYOND
    for root in task.roots:
        if least > low and _reaches(task, busy, pays, root, least - 1):
            least = _least_reach(task, busy, pays, root, low, least - 1)
    return max(low, least)


def _least_reach(
    task: Task, busy: Busy, pays: Sequence[Sequence[int]], root: int, low: int, high: int
) -> int:
    """Return the least limit from `low` by which a root reaches everybody, `high` being one."""
    step = 1
    while low + step < high and not _reaches(task, busy, pays, root, low + step):
        low, step = low + step, step * 2
    high = min(high, low + step)
    while low < high:
        middle = (low + high) // 2
        if _reaches(task, busy, pays, root, middle):
            high = middle
        else:
            low = middle + 1
    return low


def _least_pay(task: Task, busy: Busy) -> list[list[int]]:
    """Return what a parent is busy at least if a node is among its children, whoever is first."""
    import numpy as np

    nodes = range(task.size)
    may = array_of(task.allowed) == 1
    heads = np.where(may, array_of(busy.first), BEYOND)
    cheapest = heads.argmin(axis=1)
    others = np.repeat(heads.min(axis=1)[:, None], task.size, axis=1)
    rest = heads.copy()
    rest[nodes, cheapest] = BEYOND
    others[nodes, cheapest] = rest.min(axis=1)
    pays = np.minimum(heads, array_of(busy.further) + others)
    found: list[list[int]] = np.where(may, pays, BEYOND).tolist()
    return found


def _cheapest_edges(task: Task, busy: Busy) -> list[int]:
    """Return what the edge into each node takes of both ends at least, in whatever place."""
    import numpy as np

    paid = np.minimum(array_of(busy.further), array_of(busy.first)) + array_of(busy.child)
    least = np.where(array_of(task.allowed) == 1, paid, BEYOND).min(axis=0)
    found: list[int] = np.where(least < BEYOND, least, 0).tolist()
    return found


def _reaches(task: Task, busy: Busy, pays: Sequence[Sequence[int]], root: int, most: int) -> bool:
    """Whether no argument about one edge in and one edge out rules out a largest load."""
    size = task.size
    into = [BEYOND] * size
    into[root] = busy.top[root]
    waiting = [root]
    while waiting:
        node = waiting.pop()
        for child in range(size):
            if child in (node, root) or into[node] + pays[node][child] > most:
                continue
            takes = busy.child[node][child]
            if takes < into[child] and takes <= most:
                into[child] = takes
                waiting.append(child)
    return max(into) <= most

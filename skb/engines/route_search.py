"""Local search over the parents of a broadcast tree; orders follow from the parents.

Only what delays a last leaf matters: a hop of a critical path, or a sibling that is sent to before
it. Such a node is moved to another parent, or changes places with another node. A move recomputes
the heights from the changed places up to the root and stops where they stay as they were. Moves are
drawn from a seeded generator; which worse trees to walk through is simulated annealing's decision
(Kirkpatrick, Gelatt and Vecchi, Science 1983), cooled by the number of moves and not by a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log
from random import Random

from skb.engines.route_tree import (
    Task,
    Tree,
    arrivals,
    height,
    heights_of,
    ordered,
    value,
)

HEAT = 0.012
"""Temperature at the start, as a share of the value; it falls to zero in a straight line."""
HANG_SHARE = 0.6
"""Share of moves to another parent; the rest are exchanges."""


class Search:
    """One walk from a tree; `best` and `best_value` hold the best tree met so far."""

    def __init__(self, task: Task, start: Tree, seed: int) -> None:
        self.task = task
        self.root = start.root
        self.kids = [list(row) for row in start.kids]
        self.parent = [-1] * task.size
        for node, row in enumerate(start.kids):
            for child in row:
                self.parent[child] = node
        self.costs = tuple(costs for costs, _ in task.phases)
        self.weights = tuple(weight for _, weight in task.phases)
        self.heights = [heights_of(costs, self.root, self.kids) for costs in self.costs]
        self.random = Random(seed)
        self.best = ordered(self.costs[0], self.root, self.kids)
        self.best_value = value(task, self.best)
        self._undo: list[tuple[int, int, int]] = []
        self._refresh()

    # ------------------------------------------------------------ prices
    def now(self) -> int:
        """Return the weighted sum of the phases over the tree as it stands, without the report."""
        root = self.root
        return sum(
            weight * heights[root]
            for weight, heights in zip(self.weights, self.heights, strict=True)
        )

    def _refresh(self) -> None:
        """Find the arrivals, and whose move may help: critical hops and their earlier siblings."""
        self.times = []
        self.critical: list[int] = []
        for costs in self.costs:
            tree = ordered(costs, self.root, self.kids)
            times = arrivals(costs, tree.root, tree.kids)
            self.times.append(times)
            node = last = times.index(max(times))
            while node != self.root:
                row = tree.kids[self.parent[node]]
                self.critical.extend(row[: row.index(node) + 1])
                node = self.parent[node]
            if not self.critical:
                self.critical.append(last)

    def _climb(self, node: int, surely: int) -> None:
        """Recompute heights from a node to the root, at least so many levels."""
        for index, (costs, heights) in enumerate(zip(self.costs, self.heights, strict=True)):
            at, left = node, surely
            while at >= 0:
                found = height(costs, heights, at, self.kids[at])
                if found == heights[at] and left <= 0:
                    break
                if found != heights[at]:
                    self._undo.append((index, at, heights[at]))
                    heights[at] = found
                at, left = self.parent[at], left - 1

    def _take_back(self) -> None:
        for index, node, old in reversed(self._undo):
            self.heights[index][node] = old
        self._undo.clear()

    # ------------------------------------------------------------ moves
    def _inside(self, node: int, top: int) -> bool:
        """Whether a node lies in the subtree of another."""
        while node >= 0:
            if node == top:
                return True
            node = self.parent[node]
        return False

    def _hang(self, node: int, parent: int) -> None:
        self.kids[self.parent[node]].remove(node)
        self.kids[parent].append(node)
        self.parent[node] = parent

    def _promising(self, node: int, parent: int, limit: int) -> bool:
        """Whether the first phase alone does not rule out that the move stays within the limit."""
        costs, heights = self.costs[0], self.heights[0]
        least = min(costs.first[parent][node], costs.further[parent][node])
        end = self.times[0][parent] + least + costs.tail[parent][node] + heights[node]
        return self.weights[0] * end <= limit or len(self.costs) > 1

    def _try_hang(self, node: int, parent: int, limit: int) -> int | None:
        """Move a subtree; return the new value, or None where that is not admissible or no good."""
        task = self.task
        if (
            parent == self.parent[node]
            or not task.allowed[parent][node]
            or len(self.kids[parent]) >= task.fan_out
            or not self._promising(node, parent, limit)
            or self._inside(parent, node)
        ):
            return None
        old = self.parent[node]
        self._hang(node, parent)
        self._climb(old, 1)
        self._climb(parent, 1)
        found = self.now()
        if found <= limit:
            return found
        self._hang(node, old)
        self._take_back()
        return None

    def _try_swap(self, one: int, two: int, limit: int) -> int | None:
        """Let two nodes change places; return the new value, or None where that is no good."""
        if one == two or (self.root in (one, two) and len(self.task.roots) == 1):
            return None
        self._exchange(one, two)
        if self._fits(one) and self._fits(two) and self.root in self.task.roots:
            deep, high = (one, two) if self._inside(one, two) else (two, one)
            self._climb(deep, 2)
            self._climb(high, 2)
            found = self.now()
            if found <= limit:
                return found
            self._take_back()
        self._exchange(one, two)
        return None

    def _fits(self, node: int) -> bool:
        parent, allowed = self.parent[node], self.task.allowed
        return (parent < 0 or allowed[parent][node]) and all(
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

    # ------------------------------------------------------------ walk
    def run(self, moves: int, spent: Callable[[], bool]) -> int:
        """Walk for a number of tried moves or until `spent`; return how many were tried."""
        current = self.now()
        pick, size, cooling = self.random.random, self.task.size, HEAT * current / max(1, moves)
        for tried in range(moves):
            if tried % 32 == 0 and spent():
                return tried
            limit = current - int(cooling * (moves - tried) * log(1.0 - pick()))
            node = self.critical[int(pick() * len(self.critical))]
            other = int(pick() * size)
            if pick() < HANG_SHARE:
                found = self._try_hang(node, other, limit)
            else:
                found = self._try_swap(node, other, limit)
            if found is not None:
                self._undo.clear()
                current = found
                self._keep(found)
                self._refresh()
        return moves

    def _keep(self, found: int) -> None:
        if found >= self.best_value and self.task.report is None:
            return
        tree = ordered(self.costs[0], self.root, self.kids)
        worth = value(self.task, tree)
        if worth < self.best_value:
            self.best, self.best_value = tree, worth

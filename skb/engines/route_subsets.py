"""The exact programme over sets of nodes: the optimum up to a horizon, for about 20 unlike nodes.

The tables and their filling are `route_sets`; here the costs are laid out, times that are of no use
within the horizon are named, and a best tree is read off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from skb.engines.route_arms import RouteArm
from skb.engines.route_classes import FORBIDDEN
from skb.engines.route_sets import BEYOND, COUNT, Sets
from skb.engines.route_tree import Broadcast

LARGEST = 20
"""Nodes up to which the tables fit into 200 MB."""
LATEST = BEYOND >> 1
"""Horizons in picoseconds up to which sums fit 32 bits."""


def splits(size: int) -> int:
    """Return how many splits the programme looks at: what a caller's budget is compared with."""
    return int(size * 3 ** (size - 1))


class Subsets:
    """The filled table of one broadcast; all pairs that may not be used cost `FORBIDDEN`.

    `times` holds for each root its optimum where that is at most the horizon, else the horizon
    plus one, which is a lower bound. `done` is False where time was up first. A limit of the
    children of a node is left out, which keeps the times lower bounds.
    """

    def __init__(
        self,
        costs: Broadcast,
        roots: Sequence[int],
        horizon: int,
        arm: RouteArm,
        spent: Callable[[], bool],
    ) -> None:
        self.size, self._arm, self._horizon = costs.size, arm, horizon
        self._bursts = costs.bursts
        self._sets = self._laid_out(costs, set(roots))
        while not (done := int(self._sets.control[COUNT]) >= self.size) and not spent():
            arm.fill(self._sets, arm.splits)
        self.done = done
        full = (1 << self.size) - 1
        self.times = tuple(
            min(int(self._sets.below[(root << self.size) + (full ^ 1 << root)]), horizon + 1)
            if done and root in roots
            else 0
            for root in range(self.size)
        )

    def _laid_out(self, costs: Broadcast, roots: set[int]) -> Sets:
        size, arm = self.size, self._arm
        states, span = 1 << size, range(size)
        busy, arrive = arm.halves(2 * size * size, BEYOND), arm.halves(2 * size * size, BEYOND)
        for part, sends in enumerate((costs.first, costs.further)):
            for u in span:
                for v in span:
                    both = sends[u][v] + costs.tail[u][v]
                    if u != v and sends[u][v] < FORBIDDEN and both <= self._horizon:
                        busy[(part * size + v) * size + u] = sends[u][v]
                        arrive[(part * size + v) * size + u] = both
        below, after = arm.halves(size * states, BEYOND), arm.halves(size * states, BEYOND)
        least = arm.halves(states, BEYOND)
        least[0] = 0
        for node in span:
            below[node * states] = after[node] = 0
        return Sets(
            busy=busy,
            arrive=arrive,
            budget=arm.words(self._budget(busy, arrive, roots)),
            below=below,
            after=after,
            least=least,
            best=arm.words([0] * (2 * size)),
            outside=arm.words([0] * size),
            control=arm.words([1, 1]),
        )

    def _budget(self, busy: Any, arrive: Any, roots: set[int]) -> list[int]:
        """Return the latest useful times by size of the set and node, before and after a send."""
        size, horizon = self.size, self._horizon
        span, square = range(size), size * size
        if size == 1:
            return [-1, -1]
        informed = [
            min(int(arrive[p * square + v * size + u]) for p in (0, 1) for u in span) for v in span
        ]
        sent = [min(int(busy[v * size + u]) for v in span) for u in span]
        fresh = [-1] * size + [horizon - at for at in informed] * (size - 1)
        later = [-1] * size + [
            max(horizon - sent[u] if u in roots else -1, horizon - informed[u] - sent[u])
            for u in span
        ] * (size - 1)
        if not self._bursts:
            fresh = later = [max(pair) for pair in zip(fresh, later, strict=True)]
        last = [horizon if u in roots else -1 for u in span]
        return [*fresh[:-size], *last, *later[:-size], *([-1] * size if self._bursts else last)]

    def tree(self, root: int) -> tuple[tuple[int, ...], ...]:
        """Return the children of each node in a best tree from a root within the horizon."""
        kids: list[list[int]] = [[] for _ in range(self.size)]
        stack = [(root, 0, ((1 << self.size) - 1) ^ 1 << root)]
        while stack:
            node, part, group = stack.pop()
            if not group:
                continue
            _, child, share = min(self._choices(node, part, group))
            kids[node].append(child)
            stack.append((child, 0, share))
            stack.append((node, 1, group ^ 1 << child ^ share))
        return tuple(tuple(row) for row in kids)

    def _choices(self, node: int, part: int, group: int) -> list[tuple[int, int, int]]:
        sets, size = self._sets, self.size
        found = []
        for child in range(size):
            if not group >> child & 1:
                continue
            others = group ^ 1 << child
            edge = (part * size + child) * size + node
            share = others
            while True:
                with_it = int(sets.below[(child << size) + share])
                rest = int(sets.after[(others ^ share) * size + node])
                end = max(int(sets.arrive[edge]) + with_it, int(sets.busy[edge]) + rest)
                found.append((end, child, share))
                if not share:
                    break
                share = share - 1 & others
        return found

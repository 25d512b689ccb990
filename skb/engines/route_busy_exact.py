"""Least largest load by a dynamic programme over what is left to inform, for a given limit.

G_A(u) is the least that a node of class A is busy for its children if it sees to u (a count for
each class) and nobody below is busier than the limit: the least over the next child's class B and
its share w of pay(A,B) + G_A(u - w - e_B), provided that take(A,B) + G_B(w) keeps to the limit. A
root whose own load keeps to it, too, proves that the limit can be kept. With classes of
interchangeable nodes that is exact (a limit of children left aside), with the least costs between
merged classes a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from skb.engines.route_busy import BEYOND, Busy
from skb.engines.route_classes import Classes, barred, coarser, interchangeable, merged
from skb.engines.route_exact import laid_out, radix_of, splits
from skb.engines.route_tree import Broadcast, Task, Tree

WORK = 1_500_000
"""Comparisons for one limit, about a twentieth of a second; a proof tries some twenty limits."""
LARGEST_START = 48
"""Classes that are merged pair by pair at most: each merge looks at all pairs."""


class Programme:
    """The programme over classes; `least` seeks the smallest limit that can be kept."""

    def __init__(self, classes: Classes, top: tuple[int, ...], roots: tuple[int, ...]) -> None:
        import numpy as np

        self._np = np
        self._count = len(classes.sizes)
        self._radix = radix_of(classes.sizes)
        self.members = classes.members
        costs = classes.costs
        self._pay = np.minimum(np.array([costs.first, costs.further], dtype=np.int64), BEYOND)
        self._take = np.minimum(np.array(costs.tail, dtype=np.int64), BEYOND)
        self._states = prod(size + 1 for size in classes.sizes)
        self._splits = [
            list(splits(classes.sizes, self._radix, state)) for state in range(self._states)
        ]
        may = set(roots)
        self._tops = [
            min((top[node] for node in nodes if node in may), default=BEYOND)
            for nodes in classes.members
        ]
        self._top, self._may = top, may

    def _fill(self, limit: int, spent: Callable[[], bool]) -> Any | None:
        np = self._np
        table = np.full((2, self._count, self._states), BEYOND, dtype=np.int64)
        table[:, :, 0] = 0
        for state in range(1, self._states):
            if state % 64 == 0 and spent():
                return None
            for receiver, shares in self._splits[state]:
                ends = self._ends(table, limit, state, receiver, shares)
                np.minimum(table[:, :, state], ends.min(axis=2), out=table[:, :, state])
        return table

    def _ends(self, table: Any, limit: int, state: int, receiver: int, shares: Any) -> Any:
        """Return what each class pays, as its first child or not, by what goes along with it."""
        np = self._np
        below = self._take[:, receiver, None] + table[0, receiver, shares]
        after = table[1][:, state - self._radix[receiver] - shares]
        paid = self._pay[:, :, receiver, None] + after
        return np.where((below <= limit) & (paid <= limit), paid, BEYOND)

    def _root(self, table: Any, limit: int) -> int | None:
        """Return a class whose node, as the root, keeps to the limit with everybody informed."""
        for at, top in enumerate(self._tops):
            if table[0, at, self._states - 1 - self._radix[at]] + top <= limit:
                return at
        return None

    def least(self, low: int, high: int, spent: Callable[[], bool]) -> tuple[int, int]:
        """Return the least limit from `low` that can be kept, `high` being one or the end.

        The second number is the same, or where time was up what is proven by then.
        """
        while low < high and not spent():
            middle = (low + high) // 2
            table = self._fill(middle, spent)
            if table is None:
                break
            if self._root(table, middle) is None:
                low = middle + 1
            else:
                high = middle
        return high, low

    def tree(self, limit: int, spent: Callable[[], bool]) -> Tree | None:
        """Return a tree that keeps to a limit, None where there is none or time is up."""
        table = self._fill(limit, spent)
        home = None if table is None else self._root(table, limit)
        if home is None:
            return None
        may = [node for node in self.members[home] if node in self._may]
        root = min(may, key=lambda node: (self._top[node], node))

        def choices(level: int, sender: int, state: int) -> Iterator[tuple[int, Any, Any]]:
            for receiver, shares in self._splits[state]:
                ends = self._ends(table, limit, state, receiver, shares)
                yield receiver, shares, ends[level, sender]

        return Tree(root, laid_out(self.members, root, 1, choices))


def programme(task: Task, busy: Busy) -> Programme | None:
    """Return the programme over as many classes as the work allows."""
    costs = barred(Broadcast(busy.first, busy.further, busy.child), task.allowed)
    groups = interchangeable(costs)
    if len(groups) > LARGEST_START:
        return None
    classes = merged(costs, groups, True)
    while _work(classes) > WORK and len(classes.members) > 1:
        classes = coarser(classes)
    return Programme(classes, busy.top, task.roots) if _work(classes) <= WORK else None


def _work(classes: Classes) -> int:
    splits = prod((size + 1) * (size + 2) // 2 for size in classes.sizes)
    return splits * len(classes.sizes) ** 2 * 2

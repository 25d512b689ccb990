"""Dynamic programme over what is left to inform: exact for interchangeable classes, else a bound.

T_A(u) is the least time in which a free informed node of class A informs u (a count for each
class): T_A(u) = min over the next receiver's class B and its share w of u - e_B of max(send + tail
+ T_B(w), send + T'_A(u - w - e_B)), where T' is T after a first send, when LogP's gap takes the
place of the send. With one class for each node this is the optimum;
with classes of interchangeable nodes too; with the least costs between classes it is a lower bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import prod
from typing import Any

from skb.engines.route_classes import FORBIDDEN, Classes


def work(classes: Classes, fan_out: int) -> int:
    """Return how many comparisons the programme makes: what a caller's budget is compared with."""
    splits = prod((size + 1) * (size + 2) // 2 for size in classes.sizes)
    count = len(classes.sizes)
    return splits * count * count * (_levels(classes, fan_out))


def _levels(classes: Classes, fan_out: int) -> int:
    """Return how many states of a sender there are: fresh, after a first send, … to the cap."""
    total = sum(classes.sizes)
    if fan_out < total - 1:
        return fan_out + 1
    return 2 if classes.costs.bursts else 1


class Programme:
    """The filled table: `times` holds for each class the least completion with a root of it.

    `done` is False where time was up first. Times at or above `FORBIDDEN` mean that no tree keeps
    to the allowed pairs and the fan-out.
    """

    def __init__(self, classes: Classes, fan_out: int, spent: Callable[[], bool]) -> None:
        import numpy as np

        self._np = np
        self._sizes = classes.sizes
        self._count = len(classes.sizes)
        self._radix = radix_of(classes.sizes)
        self._levels = _levels(classes, fan_out)
        self._free = self._levels if fan_out >= sum(classes.sizes) - 1 else self._levels - 1
        self._members = classes.members
        self._busy = np.array([classes.costs.first, classes.costs.further], dtype=np.int64)
        tail = np.array(classes.costs.tail, dtype=np.int64)
        self._arrive = np.minimum(self._busy + tail, FORBIDDEN)
        states = prod(size + 1 for size in classes.sizes)
        self._table = np.full((self._levels, self._count, states), FORBIDDEN, dtype=np.int64)
        self._table[:, :, 0] = 0
        self.done = self._fill(states, spent)
        full = states - 1
        self.times = tuple(
            int(self._table[0, at, full - self._radix[at]]) if self.done else 0
            for at in range(self._count)
        )

    def _fill(self, states: int, spent: Callable[[], bool]) -> bool:
        np = self._np
        for state in range(1, states):
            if state % 8 == 0 and spent():
                return False
            best = np.full((self._levels, self._count), FORBIDDEN, dtype=np.int64)
            for receiver, shares in splits(self._sizes, self._radix, state):
                for level in range(self._free):
                    ends = self._ends(level, slice(None), receiver, state, shares)
                    np.minimum(best[level], ends.min(axis=1), out=best[level])
            np.minimum(best, FORBIDDEN, out=self._table[:, :, state])
        return True

    def _ends(self, level: int, sender: Any, receiver: int, state: int, shares: Any) -> Any:
        """Return the ends of sending to a class next, by what of the state goes along with it."""
        np, role = self._np, min(level, 1)
        rest = state - self._radix[receiver]
        after = self._table[min(level + 1, self._levels - 1)][sender][..., rest - shares]
        below = self._table[0, receiver, shares]
        busy = self._busy[role, sender, receiver]
        arrive = self._arrive[role, sender, receiver]
        return np.maximum(arrive[..., None] + below, busy[..., None] + after)

    def tree(self, root: int) -> tuple[tuple[int, ...], ...]:
        """Return the children of each node in a best tree from a root."""

        def choices(level: int, sender: int, state: int) -> Iterator[tuple[int, Any, Any]]:
            for receiver, shares in splits(self._sizes, self._radix, state):
                yield receiver, shares, self._ends(level, sender, receiver, state, shares)

        return laid_out(self._members, root, self._levels - 1, choices)


def radix_of(sizes: Sequence[int]) -> tuple[int, ...]:
    """Return what one node of each class counts in a state."""
    steps, step = [], 1
    for size in sizes:
        steps.append(step)
        step *= size + 1
    return tuple(steps)


def splits(sizes: Sequence[int], radix: Sequence[int], state: int) -> Iterator[tuple[int, Any]]:
    """Yield each class that is left in a state, with all shares of the rest."""
    import numpy as np

    counts = [(state // step) % (size + 1) for size, step in zip(sizes, radix, strict=True)]
    for receiver, left in enumerate(counts):
        if left:
            shares = np.zeros(1, dtype=np.int64)
            for at, most in enumerate(counts):
                last = most - (at == receiver)
                if last:
                    steps = np.arange(last + 1, dtype=np.int64) * radix[at]
                    shares = (steps[:, None] + shares).ravel()
            yield receiver, shares


def laid_out(
    members: Sequence[Sequence[int]],
    root: int,
    last: int,
    choices: Callable[[int, int, int], Iterable[tuple[int, Any, Any]]],
) -> tuple[tuple[int, ...], ...]:
    """Return the children of each node where every sender takes its best choice.

    `choices` are, for the sends that a sender has made (`last` of them or more), its class and what
    is left to inform, the next receiver's class with its shares and what each of these costs.
    """
    radix = radix_of([len(nodes) for nodes in members])
    pools = [[node for node in nodes if node != root] for nodes in members]
    kids: list[list[int]] = [[] for _ in range(sum(map(len, members)))]
    home = next(at for at, nodes in enumerate(members) if root in nodes)
    left = sum(len(pool) * step for pool, step in zip(pools, radix, strict=True))
    stack = [(root, home, 0, left)]
    while stack:
        node, at, level, state = stack.pop()
        if not state:
            continue
        _, receiver, share = min(
            (int(ends.min()), receiver, int(shares[int(ends.argmin())]))
            for receiver, shares, ends in choices(level, at, state)
        )
        child = pools[receiver].pop()
        kids[node].append(child)
        stack.append((child, receiver, 0, share))
        stack.append((node, at, min(level + 1, last), state - radix[receiver] - share))
    return tuple(tuple(row) for row in kids)

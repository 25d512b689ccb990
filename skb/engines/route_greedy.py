"""First trees: the send that completes earliest comes first (ECEF), plain and with look-ahead.

Bhat, Raghavendra and Prasanna, "Efficient collective communication in distributed heterogeneous
systems", ICDCS 1999 and JPDC 2003. What a send is worth does not change while the tree grows, so
each sender keeps its receivers sorted once and a heap holds the best next send of everybody: O(n
log n) for a tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any

from skb.engines.route_tree import Broadcast, Task, Tree, array_of, ordered

LOOK_AHEAD = (0.0, 0.5, 1.0)
TAIL_SHARES = (1.0, 0.6, 0.25, -0.25)
"""How much of what follows a send counts: below 1, far receivers come earlier."""


class Preferences:
    """For each sender what sends are worth, best first, and the receivers in that order.

    A sender's row is sorted when it is first asked for: most nodes of a tree never send.
    """

    def __init__(self, worth: Any, allowed: Any) -> None:
        import numpy as np

        self._worth = np.where(allowed, worth, np.inf)
        self._count = allowed.sum(axis=1)
        self._rows: dict[int, tuple[list[float], list[int]]] = {}

    def __getitem__(self, sender: int) -> tuple[list[float], list[int]]:
        if sender not in self._rows:
            worth = self._worth[sender]
            order = worth.argsort(kind="stable")[: self._count[sender]]
            self._rows[sender] = worth[order].tolist(), order.tolist()
        return self._rows[sender]


class Greedy:
    """Trees by one rule of preference: `tail_share` of the tail, and a share of the look-ahead.

    The look-ahead of a receiver is the shortest time in which it could inform somebody itself.
    """

    def __init__(self, task: Task, costs: Broadcast, tail_share: float, look_ahead: float) -> None:
        self._task, self._costs = task, costs
        import numpy as np

        tail = array_of(costs.tail).astype(np.float64)
        first = array_of(costs.first).astype(np.float64)
        allowed = array_of(task.allowed).astype(bool) & ~np.eye(task.size, dtype=bool)
        alone = np.where(np.eye(task.size, dtype=bool), np.inf, first + tail)
        onward = alone.min(axis=1) if task.size > 1 else np.zeros(1)
        worth = tail_share * tail + look_ahead * onward
        self._first = Preferences(first + worth, allowed)
        self._further = self._first
        if costs.bursts:
            self._further = Preferences(array_of(costs.further).astype(np.float64) + worth, allowed)

    def grow(self, root: int, stages: Sequence[Sequence[int]] = ()) -> Tree | None:
        """Return the tree from a root, or None where the pairs left over do not reach everybody.

        The nodes of each stage are informed before those of the next, and all others at last.
        """
        growth = _Growth(self._task, self._costs, root)
        for stage in (*stages, range(self._task.size)):
            growth.inform(stage, self._first, self._further)
        if growth.left:
            return None
        return ordered(self._task.phases[0][0], root, growth.kids)


class _Growth:
    """A tree while it grows: who is informed, and when each sender is free again."""

    def __init__(self, task: Task, costs: Broadcast, root: int) -> None:
        self.kids: list[list[int]] = [[] for _ in range(task.size)]
        self.left = task.size - 1
        self._costs, self._cap = costs, task.fan_out
        self._free = [0] * task.size
        self._informed = [root]
        self._open = [True] * task.size
        self._open[root] = False

    def inform(self, stage: Sequence[int], first: Preferences, further: Preferences) -> None:
        """Inform the nodes of a stage, the send that is worth most next first."""
        wanted = [False] * len(self.kids)
        for node in stage:
            wanted[node] = self._open[node]
        count = sum(wanted)
        at = [0] * len(self.kids)
        heap: list[tuple[float, int, int]] = []

        def offer(sender: int) -> None:
            worth, receivers = further[sender] if self.kids[sender] else first[sender]
            place, end = at[sender], len(receivers)
            while place < end and not wanted[receivers[place]]:
                place += 1
            at[sender] = place
            if place < end and len(self.kids[sender]) < self._cap:
                heappush(heap, (self._free[sender] + worth[place], sender, receivers[place]))

        for sender in self._informed:
            offer(sender)
        while heap and count:
            _, sender, receiver = heappop(heap)
            if wanted[receiver]:
                wanted[receiver] = False
                count -= 1
                if not self.kids[sender]:
                    at[sender] = 0
                self._send(sender, receiver)
                offer(receiver)
            offer(sender)

    def _send(self, sender: int, receiver: int) -> None:
        busy = self._costs.further if self.kids[sender] else self._costs.first
        self._free[sender] += busy[sender][receiver]
        self._free[receiver] = self._free[sender] + self._costs.tail[sender][receiver]
        self.kids[sender].append(receiver)
        self._informed.append(receiver)
        self._open[receiver] = False
        self.left -= 1


def leaders(root: int, partitions: Sequence[Sequence[Sequence[int]]]) -> list[list[int]]:
    """Return for each partition one node of each group that has none yet: a stage of a tree."""
    chosen = {root}
    stages = []
    for partition in partitions:
        stage = [min(group) for group in partition if chosen.isdisjoint(group)]
        chosen.update(stage)
        stages.append(stage)
    return stages

"""Levels of a machine within one another, and trees that enter each group once.

On a machine of nested groups (threads of a core, cores of a cache, packages) whose costs depend on
the level of a pair alone, what is left to inform is a count for each level: how many groups of the
level below a node still has to have entered in its own group. T(a) is the least time in which a
free node has the counts a entered and informed: the least over the level k of its next send and the
share w of the counts of level k and above that goes along, of max(send + tail + T(all below k, w),
send + T'(a - e_k - w)), T' with LogP's gap for the send. Exact for trees that enter each group
once; which groups are worth that is tried by leaving levels out, where a send is then as dear as
at the next level. The tree is laid over the real nodes send by send, the farthest fresh group
first, so that nothing is dearer than it was planned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush
from itertools import combinations
from math import log
from typing import Any

from skb.engines.route_tree import Broadcast, Same, Task, Tree, array_of, ordered, value

SMALLEST = 9
"""Nodes from which on levels are worth a look."""
MOST_STATES = 4096
UNKNOWN = 1 << 62
CONFIGURATIONS = 32
PLANNED, LAID = 2, 6
"""How many trees are planned in any case, and how many are laid over the nodes."""


@dataclass(frozen=True, slots=True)
class Nest:
    """Groupings of the nodes within one another, from the smallest groups to all in one.

    `home` is the group of each node by level, `level` the innermost level that holds both nodes of
    a pair (-1 on the diagonal).
    """

    home: Any
    level: Any

    @property
    def depth(self) -> int:
        return len(self.home)

    def largest(self, level: int) -> int:
        """Return the size of the largest group of a level."""
        import numpy as np

        return int(np.bincount(self.home[level]).max())

    def costs(self, broadcast: Broadcast, pick: Callable[[Any], Any]) -> Any:
        """Return what `pick` makes of first and further send and tail, by role and level."""
        import numpy as np

        found = np.zeros((3, self.depth), dtype=np.int64)
        for role, matrix in enumerate((broadcast.first, broadcast.further, broadcast.tail)):
            array = array_of(matrix)
            for level in range(self.depth):
                found[role, level] = int(pick(array[self.level == level]))
        return found


def nested(size: int, partitions: Sequence[Sequence[Sequence[int]]]) -> Nest:
    """Return the levels of those groupings that stand within one another, all nodes the last."""
    return _nested(size, Same(partitions))


@lru_cache(maxsize=2)
def _nested(size: int, key: Same) -> Nest:
    import numpy as np

    partitions: Sequence[Sequence[Sequence[int]]] = key.it
    home = [np.zeros(size, dtype=np.int64)]
    for partition in sorted(partitions, key=len):
        inner = np.zeros(size, dtype=np.int64)
        for at, nodes in enumerate(partition):
            inner[list(nodes)] = at
        outer = home[0]
        pairs = len(np.unique(inner * size + outer))
        if len(np.unique(outer)) < len(partition) < size and pairs == len(partition):
            home.insert(0, inner)
    level = np.full((size, size), len(home) - 1, dtype=np.int64)
    for at in range(len(home) - 2, -1, -1):
        level[home[at][:, None] == home[at][None, :]] = at
    np.fill_diagonal(level, -1)
    return Nest(np.array(home), level)


class Once:
    """The programme over the kept levels; `times` by role and counts, in mixed radix."""

    def __init__(self, fans: Sequence[int], costs: Any) -> None:
        import numpy as np

        self.fans = tuple(fans)
        radix = [1]
        for fan in self.fans:
            radix.append(radix[-1] * fan)
        self.radix, states = radix, radix[-1]
        self.times = np.zeros((2, states), dtype=np.int64)
        self.choice = np.zeros((2, states, 2), dtype=np.int64)
        for state in range(1, states):
            self._fill(np, state, costs)

    def _fill(self, np: Any, state: int, costs: Any) -> None:
        best = [UNKNOWN, UNKNOWN]
        for level, fan in enumerate(self.fans):
            if not state // self.radix[level] % fan:
                continue
            shares = np.zeros(1, dtype=np.int64)
            for at in range(level, len(self.fans)):
                last = state // self.radix[at] % self.fans[at] - (at == level)
                if last:
                    steps = np.arange(last + 1, dtype=np.int64) * self.radix[at]
                    shares = (steps[:, None] + shares).ravel()
            below = self.times[0, self.radix[level] - 1 + shares] + costs[2, level]
            after = self.times[1, state - self.radix[level] - shares]
            ends = np.maximum(below, after)
            at = int(ends.argmin())
            for role in range(2):
                end = int(ends[at]) + int(costs[role, level])
                if end < best[role]:
                    best[role] = end
                    self.choice[role, state] = level, shares[at]
        for role in range(2):
            self.times[role, state] = best[role]

    @property
    def end(self) -> int:
        return int(self.times[0, -1])


def trees(
    task: Task, partitions: Sequence[Sequence[Sequence[int]]], spent: Callable[[], bool]
) -> list[Tree]:
    """Return trees that enter groups once, for several choices of levels; the best of each phase.

    Pairs that may not be used are not looked at: the caller leaves inadmissible trees out.
    """
    import numpy as np

    if task.size < SMALLEST or not task.roots:
        return []
    nest = nested(task.size, partitions)
    found: list[Tree] = []
    for costs in dict.fromkeys(costs for costs, _ in task.phases):
        for pick in (np.median, np.max):
            plans = _plans(nest, costs, pick, spent)
            for once, kept in plans[:LAID]:
                if found and spent():
                    return found
                found.append(_laid(task, costs, nest, once, kept))
            if not plans or (nest.costs(costs, np.min) == nest.costs(costs, np.max)).all():
                break
    return sorted(found, key=lambda tree: value(task, tree))


def _plans(
    nest: Nest, costs: Broadcast, pick: Callable[[Any], Any], spent: Callable[[], bool]
) -> list[tuple[Once, tuple[int, ...]]]:
    """Return the programmes for choices of levels, the one that promises most first."""
    import numpy as np

    found: list[tuple[Once, tuple[int, ...]]] = []
    by_level = nest.costs(costs, pick)
    for kept in _choices(nest)[:CONFIGURATIONS]:
        if len(found) >= PLANNED and spent():
            break
        levels = (*kept, nest.depth - 1)
        fans = [_fan(nest, levels[at - 1] if at else -1, level) for at, level in enumerate(levels)]
        if int(np.prod(fans)) <= MOST_STATES:
            found.append((Once(fans, by_level[:, levels]), kept))
    return sorted(found, key=lambda row: row[0].end)


def _choices(nest: Nest) -> list[tuple[int, ...]]:
    """Return the choices of levels, those of middling groups that leave out least first."""
    inner, middle = range(nest.depth - 1), log(nest.home.shape[1]) / 2
    chosen = [kept for count in range(nest.depth) for kept in combinations(inner, count)]

    def odd(kept: tuple[int, ...]) -> tuple[float, int]:
        largest = nest.largest(kept[-1]) if kept else 1
        return abs(log(largest) - middle), -len(kept)

    return sorted(chosen, key=odd)


def _fan(nest: Nest, inner: int, outer: int) -> int:
    """Return how many groups of an inner level (-1: nodes) an outer group has at most."""
    import numpy as np

    if inner < 0:
        return nest.largest(outer)
    parts = np.unique(nest.home[outer] * nest.home.shape[1] + nest.home[inner])
    return int(np.bincount(parts // nest.home.shape[1]).max())


def _laid(task: Task, costs: Broadcast, nest: Nest, once: Once, kept: tuple[int, ...]) -> Tree:
    """Lay a planned tree over the nodes from the root that is nearest to all."""
    import numpy as np

    first, further, tail = map(array_of, (costs.first, costs.further, costs.tail))
    root = min(task.roots, key=lambda node: (int(tail[node].sum()), node))
    laying = _Laying(first, further, tail, nest.home[[*kept, nest.depth - 1]])
    laying.inform(root)
    heap = [(0, root, 0, len(once.times[0]) - 1)]
    while heap:
        now, node, role, owed = heappop(heap)
        if not owed:
            continue
        level, share = map(int, once.choice[role, owed])
        rest = owed - once.radix[level] - share
        child = laying.farthest(node, level)
        if child < 0:
            heappush(heap, (now, node, role, rest))
            continue
        sent = laying.send(node, child)
        heappush(heap, (laying.at[child], child, 0, once.radix[level] - 1 + share))
        heappush(heap, (sent, node, 1, rest))
    for node in np.nonzero(laying.at < 0)[0].tolist():
        laying.hang(node)
    return ordered(task.phases[0][0], root, laying.kids)


class _Laying:
    """Nodes while a plan is laid over them: who has the message when, which groups are fresh."""

    def __init__(self, first: Any, further: Any, tail: Any, home: Any) -> None:
        import numpy as np

        self._np, self._first, self._further, self._tail = np, first, further, tail
        self._home = home
        size = len(first)
        self.at = np.full(size, -1, dtype=np.int64)
        self._free = np.zeros(size, dtype=np.int64)
        self.kids: list[list[int]] = [[] for _ in range(size)]
        # by level: what may be entered there (nodes, or groups of the level below), by its nodes
        self._parts = [np.arange(size), *home[:-1]]
        self._fresh = [np.ones(size, dtype=bool) for _ in home]
        self._near = first + tail

    def inform(self, node: int) -> None:
        self.at[node] = self._free[node] = 0
        self._entered(node)

    def _entered(self, node: int) -> None:
        for parts, fresh in zip(self._parts, self._fresh, strict=True):
            fresh[parts == parts[node]] = False

    def farthest(self, node: int, level: int) -> int:
        """Return a node of the farthest fresh group that a send of a level may enter, or -1."""
        open_to = self._fresh[level] & (self._home[level] == self._home[level][node])
        if not open_to.any():
            return -1
        return int(self._np.where(open_to, self._near[node], -1).argmax())

    def send(self, node: int, child: int) -> int:
        """Send next from a node to another; return when the sender is free again."""
        busy = self._further if self.kids[node] else self._first
        self._free[node] = sent = self._free[node] + busy[node, child]
        self.kids[node].append(child)
        self.at[child] = self._free[child] = sent + self._tail[node, child]
        self._entered(child)
        return int(sent)

    def hang(self, child: int) -> None:
        """Send to a node that was left over from where it has the message soonest."""
        soonest = self._free + self._further[:, child] + self._tail[:, child]
        soonest[self.at < 0] = self._np.iinfo(self._np.int64).max
        self.send(int(soonest.argmin()), child)

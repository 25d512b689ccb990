"""Every tree of a small group: the proof for operations that use one tree for several phases.

The exact programme proves a single broadcast; a barrier's tree must be good both ways, and the two
best trees differ. Which leaf reports depends on the order of sending, so trees are tried in every
order: a group of seven has 132 ordered trees, and 5040 ways to name their nodes, which are priced
all at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

from skb.engines.route_tree import Broadcast, Task, Tree, ordered, value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Times = NDArray[np.int64]
    Named = dict[tuple[int, int], NDArray[Any]]

Shape = tuple[int, ...]

LARGEST = 7
NEVER = 1 << 62
LARGEST_COST = NEVER >> 9
"""Costs are added in 64 bits: two broadcasts, a reduction and a report of seven nodes fit."""


def every_tree(size: int, root: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Yield the children of each node for every tree over the nodes from a root."""
    others = [node for node in range(size) if node != root]
    for parents in product(range(size), repeat=len(others)):
        above = dict(zip(others, parents, strict=True))
        if not _reaches(above, root):
            continue
        kids: list[list[int]] = [[] for _ in range(size)]
        for node, parent in above.items():
            kids[parent].append(node)
        yield tuple(tuple(row) for row in kids)


def _reaches(above: dict[int, int], root: int) -> bool:
    for node in above:
        at, left = node, len(above)
        while at != root:
            at, left = above[at], left - 1
            if left < 0:
                return False
    return True


def best_of_all(task: Task, spent: Callable[[], bool]) -> tuple[Tree, int, tuple[int, ...]] | None:
    """Return the best tree, its value, and the least value from each node, NEVER from no root.

    None where time was up or there is no tree.

    All phases but the first must cost the same for every send of a burst, as a reduction does.
    """
    if spent() or not _in_words(task):
        return None
    forest = _Forest(task)
    best, found = NEVER, None
    least = dict.fromkeys(range(task.size), NEVER)
    for shape in _shapes(task.size):
        if spent():
            return None
        if shape and max(Counter(shape).values()) > task.fan_out:
            continue
        times = forest.times(shape)
        at = int(times.argmin())
        by_root = times.reshape(len(forest.roots), -1).min(axis=1).tolist()
        least |= {v: min(least[v], time) for v, time in zip(forest.roots, by_root, strict=True)}
        if times[at] < best:
            best, found = int(times[at]), forest.tree(shape, at)
    if found is None:
        return None
    tidy = ordered(task.phases[0][0], found.root, found.kids)
    tree = tidy if value(task, tidy) == best else found
    return tree, best, tuple(least.values())


def _in_words(task: Task) -> bool:
    tables = [table for costs, _ in task.phases for table in (costs.first, costs.further)]
    tables += [costs.tail for costs, _ in task.phases]
    tables += [] if task.report is None else [task.report]
    small = all(max(map(max, table)) < LARGEST_COST for table in tables)
    return small and not any(costs.bursts for costs, _ in task.phases[1:])


@cache
def _shapes(size: int) -> tuple[Shape, ...]:
    """Return the ordered trees as the place of each node's parent, places counted in preorder."""

    def forests(count: int, parent: int, place: int) -> Iterator[tuple[int, ...]]:
        if not count:
            yield ()
        for first in range(1, count + 1):
            for inner in forests(first - 1, place, place + 1):
                for rest in forests(count - first, parent, place + first):
                    yield (parent, *inner, *rest)

    return tuple(forests(size - 1, 0, 1))


class _Forest:
    """All namings of a shape's places by the nodes of a task, a possible root at the first one."""

    def __init__(self, task: Task) -> None:
        import numpy as np

        self._task = task
        self.roots = sorted(set(task.roots))
        rows = [row for row in permutations(range(task.size)) if row[0] in self.roots]
        self._names: Times = np.array(rows, dtype=np.int64).reshape(-1, task.size).T.copy()
        self._count = len(rows)
        self._allowed = self._named(task.allowed)
        self._report = None if task.report is None else self._named(task.report)
        self._phases = [(self._costs(costs), weight) for costs, weight in task.phases]

    def _named(self, table: Any) -> Named:
        """Lay a table out by places: for each pair of them one value per naming."""
        import numpy as np

        values, names = np.array(table), self._names
        places = permutations(range(self._task.size), 2)
        return {(a, b): values[names[a], names[b]] for a, b in places}

    def _costs(self, costs: Broadcast) -> tuple[Named, Named, Named]:
        first = self._named(costs.first)
        further = self._named(costs.further) if costs.bursts else first
        return first, further, self._named(costs.tail)

    def tree(self, shape: Shape, at: int) -> Tree:
        """Return one naming of a shape as a tree."""
        names = self._names[:, at].tolist()
        kids: list[list[int]] = [[] for _ in names]
        for place, parent in enumerate(shape, 1):
            kids[names[parent]].append(names[place])
        return Tree(names[0], tuple(tuple(row) for row in kids))

    def times(self, shape: Shape) -> Times:
        """Return what the operation takes over a shape, NEVER where a naming is inadmissible."""
        import numpy as np

        (costs, weight), *later = self._phases
        have = self._arrivals(shape, *costs)
        total: Times = weight * np.max(have, axis=0)
        for (first, _, tail), often in later:
            total = total + often * self._height(shape, first, tail)
        if self._report is not None:
            total = total + self._told(shape, have, self._report)
        for place, parent in enumerate(shape, 1):
            total = np.where(self._allowed[parent, place], total, NEVER)
        return total

    def _arrivals(self, shape: Shape, first: Named, further: Named, tail: Named) -> list[Times]:
        import numpy as np

        have = [np.zeros(self._count, dtype=np.int64)]
        clock: dict[int, Times] = {}
        for place, parent in enumerate(shape, 1):
            if parent in clock:
                clock[parent] = clock[parent] + further[parent, place]
            else:
                clock[parent] = have[parent] + first[parent, place]
            have.append(clock[parent] + tail[parent, place])
        return have

    def _height(self, shape: Shape, first: Named, tail: Named) -> Times:
        """Return the height of the root, each row taken by falling tail + height."""
        import numpy as np

        nothing = np.zeros(self._count, dtype=np.int64)
        heights = [nothing] * self._task.size
        for node in reversed(range(self._task.size)):
            row = [place for place, parent in enumerate(shape, 1) if parent == node]
            if len(row) == 1:
                heights[node] = first[node, row[0]] + tail[node, row[0]] + heights[row[0]]
            elif row:
                behind = np.array([tail[node, child] + heights[child] for child in row])
                order = np.argsort(-behind, axis=0, kind="stable")
                sent = np.array([first[node, child] for child in row])
                sent = np.take_along_axis(sent, order, axis=0).cumsum(axis=0)
                heights[node] = (sent + np.take_along_axis(behind, order, axis=0)).max(axis=0)
        return heights[0]

    def _told(self, shape: Shape, have: Sequence[Times], report: Named) -> Times:
        """Return the report of the leaf that is informed last, of equals the smallest node's."""
        import numpy as np

        leaves = [place for place in range(self._task.size) if place not in shape]
        if leaves == [0]:
            return np.zeros(self._count, dtype=np.int64)
        size = self._task.size
        # one number that is largest for the latest leaf and, among equals, for the smallest node
        ranks = np.array([have[leaf] * size - self._names[leaf] for leaf in leaves])
        last = ranks.argmax(axis=0)
        told = np.array([report[leaf, 0] for leaf in leaves])
        found: Times = np.take_along_axis(told, last[None, :], axis=0)[0]
        return found

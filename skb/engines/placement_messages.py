"""A lower bound for a few tasks whose prices are tables by class: of each, and of each pair.

On a tree of the strongest pairs a pass of min-sum messages is exact (Bertele and Brioschi,
"Nonserial Dynamic Programming", 1972); what the other pairs cost is left out until one of the two
has its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Row = NDArray[Any]

# prices up to here are added in 64 bits; larger ones are divided first, which only lowers bounds
LARGEST = 2**55
NEVER = 2**58


class Tables:
    """Whole prices by class: `rows` of each task, `pairs` of two, the later one first.

    `left` are the classes that are still open to each task, in the order of its row.
    """

    def __init__(
        self, rows: Sequence[Row], pairs: Mapping[tuple[int, int], Row], parents: Sequence[int]
    ) -> None:
        import numpy

        self.np = numpy
        self.rows = list(rows)
        self.pairs = dict(pairs)
        self.parent = list(parents)
        self.left = [list(range(len(row))) for row in rows]
        self.at = [{group: group for group in groups} for groups in self.left]

    # ------------------------------------------------------------ bounds
    def reach(self, rows: Sequence[Row], depth: int) -> Row | None:
        """Return for each class of the task at `depth` what it and all behind it cost at least."""
        if depth >= len(rows):
            return None
        np = self.np
        total = list(rows)
        if any(not len(total[index]) for index in range(depth, len(total))):
            none: Row = np.full(len(total[depth]), NEVER, dtype=np.int64)
            return none
        rest = 0
        for index in range(len(rows) - 1, depth, -1):
            parent = self.parent[index]
            if parent < depth:
                rest += int(total[index].min())
                continue
            message = (total[index][:, None] + self.pairs[index, parent]).min(axis=0)
            total[parent] = np.minimum(total[parent] + message, NEVER)
        reach: Row = np.minimum(total[depth] + min(rest, NEVER), NEVER)
        return reach

    def after(self, depth: int, group: int, rows: Sequence[Row], full: Sequence[int]) -> list[Row]:
        """Return the rows once a task is in a class, which is full for those of `full`."""
        found, place = list(rows), self.at[depth][group]
        for index in range(depth + 1, len(rows)):
            pair = self.pairs.get((index, depth))
            if pair is not None:
                found[index] = self.np.minimum(found[index] + pair[:, place], NEVER)
            if index in full and group in self.at[index]:
                if pair is None:
                    found[index] = found[index].copy()
                found[index][self.at[index][group]] = NEVER
        return found

    # ------------------------------------------------------------ fewer classes
    def narrow(self, most: int) -> None:
        """Close the classes of each task with which all together cost `most` or more.

        Messages from the leaves and back to them tell what all cost at least with a task in a
        class.
        """
        np, count = self.np, len(self.rows)
        if any(not len(row) for row in self.rows):
            return
        up = list(self.rows)
        said = list(self.rows)
        for index in range(count - 1, -1, -1):
            parent = self.parent[index]
            if parent >= 0:
                said[index] = (up[index][:, None] + self.pairs[index, parent]).min(axis=0)
                up[parent] = np.minimum(up[parent] + said[index], NEVER)
        for index, parent in enumerate(self.parent):
            if parent >= 0:
                rest = np.where(up[parent] < NEVER, up[parent] - said[index], NEVER)
                down = (rest[None, :] + self.pairs[index, parent]).min(axis=1)
                up[index] = np.minimum(up[index] + down, NEVER)
        least = {i: int(up[i].min()) for i, parent in enumerate(self.parent) if parent < 0}
        top = list(range(count))
        for index, parent in enumerate(self.parent):
            top[index] = index if parent < 0 else top[parent]
        whole = sum(least.values())
        kept = [
            np.flatnonzero(up[index] < min(most - whole + least[top[index]], NEVER))
            for index in range(count)
        ]
        for index, keep in enumerate(kept):
            self.rows[index] = self.rows[index][keep]
            self.left[index] = [self.left[index][place] for place in keep.tolist()]
            self.at[index] = {group: place for place, group in enumerate(self.left[index])}
        for (a, b), table in self.pairs.items():
            self.pairs[a, b] = table[np.ix_(kept[a], kept[b])]

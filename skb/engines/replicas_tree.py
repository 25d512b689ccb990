"""Antichains of a tree: which parts hold one replica each, the cheapest choice, exactly.

A choice covers every leaf by itself or by one part around it; what it costs is a sum over its
parts, so the best one below a part is the part itself or the best ones below its children. Nodes
are numbered layer by layer from the root, the children of a node side by side. Prices that add up
without rounding give exact sums; infinity stands for a part that may not be chosen. Of equals, the
fewest parts that the sum allows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
INFINITE = float("inf")


@dataclass(frozen=True)
class Tree:
    """The parent of each node, -1 at the root, which is node 0; parents come before children."""

    parent: tuple[int, ...]

    @property
    def size(self) -> int:
        return len(self.parent)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        rows: list[list[int]] = [[] for _ in self.parent]
        for node, above in enumerate(self.parent[1:], 1):
            rows[above].append(node)
        return tuple(map(tuple, rows))

    @cached_property
    def depth(self) -> tuple[int, ...]:
        found = [0]
        for above in self.parent[1:]:
            found.append(found[above] + 1)
        return tuple(found)

    @cached_property
    def layers(self) -> tuple[tuple[int, int, NDArray[np.int64], NDArray[np.int64]], ...]:
        """From the deepest layer: first and last node + 1, their parents, where each begins."""
        depth = np.array(self.depth)
        above = np.array(self.parent)
        rows = []
        for level in range(max(self.depth), 0, -1):
            low, high = (int(at) for at in np.searchsorted(depth, [level, level + 1]))
            parents, begins = np.unique(above[low:high], return_index=True)
            rows.append((low, high, parents, begins))
        return tuple(rows)

    def below(self, node: int) -> tuple[int, ...]:
        """Return all nodes inside a node."""
        found = list(self.children[node])
        for at in found:
            found.extend(self.children[at])
        return tuple(found)

    def above(self, node: int) -> tuple[int, ...]:
        """Return the nodes around a node, the nearest first."""
        found = []
        while (node := self.parent[node]) >= 0:
            found.append(node)
        return tuple(found)


def cheapest(tree: Tree, prices: Floats) -> Floats:
    """Return the least sum below each node; prices by node, maybe with a column for each case."""
    best = prices.copy()
    for low, high, parents, begins in tree.layers:
        parts = np.add.reduceat(best[low:high], begins, axis=0)
        best[parents] = np.minimum(best[parents], parts)
    return best


def chosen(tree: Tree, prices: Floats, best: Floats) -> tuple[int, ...]:
    """Return the parts of the cheapest choice, of equals the outer one; none where none may be."""
    if not np.isfinite(best[0]):
        return ()
    found, stack = [], [0]
    while stack:
        node = stack.pop()
        if prices[node] <= best[node]:
            found.append(node)
        else:
            stack.extend(tree.children[node])
    return tuple(sorted(found))


# ---------------------------------------------------------------- with a number of parts
class Counted:
    """The cheapest choice of exactly k parts, for each k up to `most`.

    `caps` limits how many parts may be chosen at or below a node. Equal subtrees are solved once.
    """

    def __init__(
        self, tree: Tree, prices: Floats, most: int, caps: Mapping[int, int] | None = None
    ) -> None:
        self._tree, self._prices, self._most = tree, prices, most
        self._caps = dict(caps or {})
        self._kind: list[int] = [0] * tree.size
        self._prefixes: dict[int, list[Floats]] = {}
        self._best: dict[int, Floats] = {}
        known: dict[Any, int] = {}
        for node in range(tree.size - 1, -1, -1):
            inner = tuple(self._kind[child] for child in tree.children[node])
            key = (float(prices[node]), self._caps.get(node), inner)
            if key not in known:
                known[key] = len(known)
                self._solve(node, known[key])
            self._kind[node] = known[key]

    def _solve(self, node: int, kind: int) -> None:
        prefixes: list[Floats] = [np.array([0.0])]
        for child in self._tree.children[node]:
            prefixes.append(_joined(prefixes[-1], self._best[self._kind[child]], self._most))
        self._prefixes[kind] = prefixes
        parts = prefixes[-1]
        best = np.full(max(2, len(parts)), INFINITE)
        if self._tree.children[node]:
            best[: len(parts)] = parts
        best[0] = INFINITE
        if self._most >= 1:
            best[1] = min(best[1], float(self._prices[node]))
        if node in self._caps:
            best[self._caps[node] + 1 :] = INFINITE
        self._best[kind] = best[: self._most + 1]

    @property
    def values(self) -> Floats:
        """The least sum with exactly k parts, by k; infinity where there is none."""
        return self._best[self._kind[0]]

    def choice(self, count: int) -> tuple[int, ...]:
        """Return the parts of the cheapest choice of so many."""
        found, stack = [], [(0, count)]
        while stack:
            node, many = stack.pop()
            kind = self._kind[node]
            if many == 1 and self._prices[node] <= self._best[kind][1]:
                found.append(node)
                continue
            prefixes = self._prefixes[kind]
            for at in range(len(prefixes) - 2, -1, -1):
                child = self._tree.children[node][at]
                own, rest = self._best[self._kind[child]], prefixes[at]
                goal = prefixes[at + 1][many]
                take = next(
                    k
                    for k in range(1, len(own))
                    if 0 <= many - k < len(rest) and own[k] + rest[many - k] == goal
                )
                stack.append((child, take))
                many -= take
        return tuple(sorted(found))


def _joined(first: Floats, second: Floats, most: int) -> Floats:
    """Return the least sums of two groups of parts by their number together."""
    size = min(most, len(first) + len(second) - 2) + 1
    found = np.full(size, INFINITE)
    few, many = (first, second) if len(first) <= len(second) else (second, first)
    for k in range(len(few)):
        if np.isfinite(few[k]) and k < size:
            end = min(size - k, len(many))
            found[k : k + end] = np.minimum(found[k : k + end], few[k] + many[:end])
    return found


def forced(tree: Tree, wanted: Sequence[int]) -> NDArray[np.bool_]:
    """Return which nodes may still be chosen where some nodes must be."""
    may = np.ones(tree.size, dtype=bool)
    for node in wanted:
        for other in (*tree.above(node), *tree.below(node)):
            may[other] = False
    return may

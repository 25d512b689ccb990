"""Candidate groups: average linkage and profile distances on matrices with blanks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Merges:
    """A dendrogram of n leaves: row k merged the clusters `left[k]` and `right[k]` at `height[k]`.

    Clusters are named by their smallest leaf; heights never fall from one row to the next.
    """

    left: Labels
    right: Labels
    height: Matrix

    def partition(self, merges: int) -> Labels:
        """Return the label of each leaf after the first so many merges."""
        labels = np.arange(len(self.height) + 1)
        for low, high in zip(self.left[:merges], self.right[:merges], strict=True):
            labels[labels == high] = low
        return labels


@dataclass(frozen=True, slots=True)
class Branch:
    """A cluster of a dendrogram, and how much higher than its own last merge it was merged."""

    leaves: Labels
    persistence: float


def branches(merges: Merges) -> list[Branch]:
    """Return the clusters of two and more leaves that were merged further, smallest first."""
    leaves: dict[int, Labels] = {k: np.array([k]) for k in range(len(merges.height) + 1)}
    born: dict[int, float] = {}
    found: list[Branch] = []
    for low, high, height in zip(merges.left, merges.right, merges.height, strict=True):
        a, b = int(low), int(high)
        found += [Branch(leaves[c], float(height) - born[c]) for c in (a, b) if len(leaves[c]) > 1]
        leaves[a] = np.concatenate([leaves[a], leaves.pop(b)])
        born[a] = float(height)
    return sorted(found, key=lambda branch: len(branch.leaves))


def equal_groups(found: list[Branch], n: int) -> list[Labels]:
    """Return the partitions into branches of one size that hold most of n leaves.

    Nodes far from the others are slower inside too: no one height of the dendrogram cuts them all.
    """
    made = []
    for size in sorted({len(branch.leaves) for branch in found}):
        equal = [branch.leaves for branch in found if len(branch.leaves) == size]
        if 2 * size * len(equal) <= n or len(equal) < 2:
            continue
        labels = np.arange(n)
        for leaves in equal:
            labels[leaves] = leaves.min()
        made.append(labels)
    return made


def middle(values: Matrix) -> Matrix:
    """Return the median along the last axis without the blanks; all blank gives NaN."""
    ordered = np.sort(values, axis=-1)
    count = np.sum(~np.isnan(values), axis=-1)
    low = np.maximum(count - 1, 0) // 2
    high = np.minimum(count // 2, values.shape[-1] - 1)
    first = np.take_along_axis(ordered, low[..., None], axis=-1)[..., 0]
    second = np.take_along_axis(ordered, high[..., None], axis=-1)[..., 0]
    found: Matrix = (first + second) / 2
    return found


def linkage(distance: Matrix) -> Merges:
    """Merge leaves by average linkage, the mean over the measured pairs of two clusters.

    The next merge is found from the nearest neighbour kept for each cluster, so that n leaves cost
    about n² steps on vectors. Clusters without a measured pair between them merge last.
    """
    n = len(distance)
    known = ~np.isnan(distance)
    np.fill_diagonal(known, False)
    total = np.where(known, distance, 0.0)
    count = known.astype(float)
    alive = np.ones(n, dtype=bool)
    mean = np.where(known, distance, np.inf)
    rows = np.zeros((n - 1, 2), dtype=np.int64)
    heights = np.zeros(n - 1)
    nearest = mean.argmin(axis=1)
    for step in range(n - 1):
        ids = np.flatnonzero(alive)
        a = int(ids[mean[ids, nearest[ids]].argmin()])
        b = int(nearest[a])
        if not np.isfinite(mean[a, b]):
            a, b = int(ids[0]), int(ids[1])
        low, high = min(a, b), max(a, b)
        rows[step] = low, high
        heights[step] = mean[a, b]
        total[low] += total[high]
        count[low] += count[high]
        total[:, low], count[:, low] = total[low], count[low]
        alive[high] = False
        with np.errstate(invalid="ignore", divide="ignore"):
            row = np.where(alive & (count[low] > 0), total[low] / count[low], np.inf)
        row[low] = np.inf
        mean[low], mean[:, low] = row, row
        mean[high], mean[:, high] = np.inf, np.inf
        stale = alive & ((nearest == low) | (nearest == high))
        stale[low] = True
        for i in np.flatnonzero(stale):
            nearest[i] = mean[i].argmin()
        closer = alive & (row < mean[np.arange(n), nearest])
        nearest[closer] = low
    finite = heights[np.isfinite(heights)]
    top = float(finite.max()) if len(finite) else 0.0
    heights = np.maximum.accumulate(np.where(np.isfinite(heights), heights, top))
    return Merges(rows[:, 0], rows[:, 1], heights)


def profile_distance(values: Matrix) -> Matrix:
    """Return how differently each two units see all others: the mean absolute difference."""
    n = len(values)
    found = np.full((n, n), np.nan)
    for i in range(n):
        apart = np.abs(values - values[i])
        apart[:, i] = np.nan
        np.fill_diagonal(apart, np.nan)
        known = ~np.isnan(apart)
        count = known.sum(axis=1)
        total = np.where(known, apart, 0.0).sum(axis=1)
        found[i] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    np.fill_diagonal(found, np.nan)
    return found


def cuts(merges: Merges, most: int = 14) -> list[Labels]:
    """Return the partitions at the largest jumps between merges, absolute and relative."""
    heights = merges.height
    if len(heights) < 2:
        return []
    shifted = heights - heights[0]
    jump = np.diff(heights)
    # a jump counts by its size, and by its size against what was bridged before
    relative = jump / (shifted[:-1] + 0.02 * (shifted[-1] + 1e-9) + 1e-9)
    chosen = {int(k) for order in (jump, relative) for k in np.argsort(-order)[:most]}
    return [merges.partition(k + 1) for k in sorted(chosen) if jump[k] > 1e-9]


def pairs(values: Matrix) -> Labels | None:
    """Pair units whose mutual value stands out as the lowest of both rows; None where none does.

    Where an odd low value ties two pairs together, the pairing of the lowest sum is taken.
    """
    import networkx as nx

    n = len(values)
    if n < 4:
        return None
    filled = np.where(np.isnan(values), np.inf, values)
    np.fill_diagonal(filled, np.inf)
    ordered = np.sort(filled, axis=1)
    with np.errstate(invalid="ignore"):
        gap = ordered[:, 1] - ordered[:, 0]
    good = np.isfinite(gap)
    if good.sum() < n / 4:
        return None
    typical = float(np.median(gap[good & (gap >= np.median(gap[good]))]))
    first = np.sort(ordered[np.isfinite(ordered[:, 0]), 0])
    limit = float(np.median(first[: max(len(first) // 2, 2)])) + typical / 2
    edges = np.argwhere(np.triu(filled <= limit))
    if not len(edges) or len(edges) > 4 * n:
        return None
    graph = nx.Graph()
    for i, j in edges:
        graph.add_edge(int(i), int(j), weight=float(limit - filled[i, j]) + 1e-6)
    labels = np.arange(n)
    for i, j in nx.max_weight_matching(graph, maxcardinality=True):
        labels[max(i, j)] = min(i, j)
    return labels

"""Interchangeable PUs: those that can change places without any cost changing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from skb.engines.route_tree import Broadcast, Matrix, Same, array_of

FORBIDDEN = 1 << 60
"""Cost in picoseconds of a pair that may not be used: beyond real times, sums fit 63 bits."""


@dataclass(frozen=True, slots=True)
class Classes:
    """Nodes by class, and the least costs between a member of one class and one of another.

    `exact` says that all members of a class are interchangeable, so that nothing was lost. The
    entry of a class with itself is the cost between two of its members (forbidden where there is
    one).
    """

    members: tuple[tuple[int, ...], ...]
    costs: Broadcast
    exact: bool

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(nodes) for nodes in self.members)


def barred(costs: Broadcast, allowed: Sequence[Sequence[bool]]) -> Broadcast:
    """Return the costs with forbidden pairs (and the diagonal) priced beyond any real time."""
    return _barred(Same(costs), Same(allowed))


@lru_cache(maxsize=4)
def _barred(key: Same, may_send: Same) -> Broadcast:
    costs: Broadcast = key.it
    allowed: Sequence[Sequence[bool]] = may_send.it
    shut = [
        [v for v, may in enumerate(row) if not may] if row.count(False) > 1 else []
        for row in allowed
    ]

    def close(matrix: Matrix) -> Matrix:
        rows = []
        for u, row in enumerate(map(list, matrix)):
            row[u] = FORBIDDEN
            for v in shut[u]:
                row[v] = FORBIDDEN
            rows.append(tuple(row))
        return tuple(rows)

    first = close(costs.first)
    return Broadcast(first, close(costs.further) if costs.bursts else first, costs.tail)


def interchangeable(costs: Broadcast) -> tuple[tuple[int, ...], ...]:
    """Group nodes whose exchange leaves every cost as it is.

    Exchange of two nodes is conjugation by a transposition, so being interchangeable is transitive
    and comparing with one member of each class is enough. Sums of rows and columns with weights,
    the pair itself left out, say for all pairs at once which are worth comparing.
    """
    return _interchangeable(Same(costs))


@lru_cache(maxsize=4)
def _interchangeable(key: Same) -> tuple[tuple[int, ...], ...]:
    import numpy as np

    costs: Broadcast = key.it
    matrices = []
    for rows in (costs.first, costs.further, costs.tail)[:: 1 if costs.bursts else 2]:
        matrix = array_of(rows).copy()
        np.fill_diagonal(matrix, 0)
        matrices.append(matrix)
    size = costs.size
    weights = np.random.default_rng(1).integers(1, 1 << 63, size=size, dtype=np.uint64)
    alike = np.ones((size, size), dtype=bool)
    for matrix in matrices:
        alike &= matrix == matrix.T
        for side in (matrix.view(np.uint64), matrix.T.astype(np.uint64)):
            weighted = side * weights
            rest = weighted.sum(axis=1)[:, None] - weighted
            alike &= rest == rest.T
    classes: list[list[int]] = []
    first: list[int] = []
    for node in range(size):
        for at in alike[first, node].nonzero()[0].tolist():
            if all(_alike(matrix, first[at], node) for matrix in matrices):
                classes[at].append(node)
                break
        else:
            classes.append([node])
            first.append(node)
    return tuple(tuple(nodes) for nodes in classes)


def _alike(matrix: Any, one: int, two: int) -> bool:
    """Whether two nodes have the same costs to and from all others."""
    for side in (matrix, matrix.T):
        apart = side[one] != side[two]
        apart[[one, two]] = False
        if apart.any():
            return False
    return True


def merged(costs: Broadcast, groups: Sequence[Sequence[int]], exact: bool) -> Classes:
    """Return the classes of a partition with the least costs between them: a relaxation."""
    return _merged(Same(costs), Same(groups), exact)


@lru_cache(maxsize=8)
def _merged(key: Same, partition: Same, exact: bool) -> Classes:
    import numpy as np

    costs: Broadcast = key.it
    groups: Sequence[Sequence[int]] = partition.it
    order = np.array([node for nodes in groups for node in nodes])
    starts = np.cumsum([0, *(len(nodes) for nodes in groups[:-1])])

    def least(matrix: Matrix) -> Matrix:
        cost = array_of(matrix).copy()
        np.fill_diagonal(cost, FORBIDDEN)
        rows = np.minimum.reduceat(cost[np.ix_(order, order)], starts, axis=0)
        return tuple(map(tuple, np.minimum.reduceat(rows, starts, axis=1).tolist()))

    first = least(costs.first)
    further = least(costs.further) if costs.bursts else first
    # a send and what follows it are bounded one by one, so their sum is bounded too
    relaxed = Broadcast(first, further, least(costs.tail))
    return Classes(tuple(tuple(nodes) for nodes in groups), relaxed, exact)


def coarser(found: Classes) -> Classes:
    """Merge the two classes of which the least costs lose least, weighted by their sizes."""
    i, j = _least_loss(found)
    kept = [at for at in range(len(found.members)) if at not in (i, j)]

    def joined(matrix: Matrix) -> Matrix:
        rows = [[*(matrix[u][v] for v in kept), min(matrix[u][i], matrix[u][j])] for u in kept]
        last = [min(matrix[i][v], matrix[j][v]) for v in kept]
        inner = min(matrix[u][v] for u in (i, j) for v in (i, j))
        return (*map(tuple, rows), (*last, inner))

    first = joined(found.costs.first)
    further = joined(found.costs.further) if found.costs.bursts else first
    members = (
        *(found.members[at] for at in kept),
        tuple(sorted((*found.members[i], *found.members[j]))),
    )
    return Classes(members, Broadcast(first, further, joined(found.costs.tail)), False)


def _least_loss(found: Classes) -> tuple[int, int]:
    import numpy as np

    size = np.array(found.sizes, dtype=np.float64)
    count = len(size)
    lost = np.zeros((count, count))
    for matrix in (found.costs.first, found.costs.further, found.costs.tail):
        cost = np.array(matrix, dtype=np.float64)
        cost[cost >= FORBIDDEN] = np.nan
        for side in (cost, cost.T):
            apart = np.abs(side[:, None, :] - side[None, :, :]) * size
            both = np.einsum("iji->ij", apart), np.einsum("ijj->ij", apart)
            lost += np.nansum(apart, axis=2) - np.nan_to_num(both[0]) - np.nan_to_num(both[1])
        inner = np.diag(cost)
        inside = np.stack(np.broadcast_arrays(inner[:, None], inner[None, :], cost, cost.T))
        weight = np.stack(
            np.broadcast_arrays(size[:, None], size[None, :], size[None, :], size[:, None])
        )
        least = np.fmin.reduce(inside, axis=0)
        lost += np.nansum((inside - least) * weight, axis=0)
    lost *= np.minimum(size[:, None], size[None, :])
    lost[np.triu_indices(count)] = np.inf
    i, j = divmod(int(lost.argmin()), count)
    return i, j

"""Synthetic latency matrices: trees, meshes, rings, flat machines, and what measuring spoils."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skb.inference import Level

Matrix = NDArray[np.float64]
Partition = frozenset[tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Made:
    """A matrix and the partitions that it was made from, innermost first."""

    matrix: Matrix
    truth: tuple[Partition, ...]


def partition(labels: Sequence[int] | NDArray[np.int64]) -> Partition:
    """Return the groups of equal labels as sorted indices."""
    groups: dict[int, list[int]] = {}
    for at, label in enumerate(labels):
        groups.setdefault(int(label), []).append(at)
    return frozenset(tuple(group) for group in groups.values())


def found(level: Level) -> Partition:
    """Return the groups of an inferred level in the same form."""
    return frozenset(tuple(sorted(group)) for group in level.groups)


def tree(random: np.random.Generator, fan: Sequence[int], latency: Sequence[float]) -> Made:
    """Return a machine of nested groups, PUs in random order; `fan` counts from the inside."""
    size = int(np.prod(fan))
    order = random.permutation(size)
    matrix = np.full((size, size), float(latency[-1]))
    labels = [order // width for width in np.cumprod(fan)[:-1]]
    for label, value in reversed(list(zip(labels, latency, strict=False))):
        matrix[label[:, None] == label[None, :]] = value
    return Made(matrix, tuple(partition(label) for label in labels))


def mesh(
    random: np.random.Generator, width: int, height: int, step: float, around: bool = False
) -> Matrix:
    """Return a mesh, or with `around` a torus; height 1 makes a line or ring."""
    order = random.permutation(width * height)
    x, y = order % width, order // width
    across, along = np.abs(x[:, None] - x), np.abs(y[:, None] - y)
    if around:
        across = np.minimum(across, width - across)
        along = np.minimum(along, height - along)
    distance: Matrix = 30.0 + step * (across + along)
    return distance


def flat(size: int) -> Matrix:
    """Return a machine whose PUs are all equally far."""
    return np.full((size, size), 60.0)


def measured(
    random: np.random.Generator,
    matrix: Matrix,
    noise: float,
    strays: float = 0.0,
    blanks: float = 0.0,
    one_way: float = 0.0,
) -> Matrix:
    """Return the matrix with multiplicative noise, and shares of stray and blank pairs.

    `one_way` is noise that differs by direction. Strays are far too high, one in four too low.
    """
    size = len(matrix)
    upper = np.triu(np.exp(noise * random.standard_normal((size, size))), 1)
    result: Matrix = matrix * (upper + upper.T)
    rows, columns = np.triu_indices(size, 1)
    for share, factors in ((strays, (6.0, 3.0, 8.0, 0.3)), (blanks, (np.nan,))):
        for k in random.choice(len(rows), int(share * len(rows)), replace=False):
            factor = random.choice(factors)
            result[rows[k], columns[k]] *= factor
            result[columns[k], rows[k]] *= factor
    result *= np.exp(one_way * random.standard_normal((size, size)))
    np.fill_diagonal(result, np.nan)
    return result

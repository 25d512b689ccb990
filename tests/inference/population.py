"""Machines with the faults of real measurements, to count how often a confidence is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.inference.synthetic import Matrix, Partition, flat, measured, mesh, partition, tree

_MOST_PUS = 160


@dataclass(frozen=True, slots=True)
class Drawn:
    """A measured matrix, the partitions that are true of its machine, and what kind that is."""

    matrix: Matrix
    truth: frozenset[Partition]
    kind: str


def draw(random: np.random.Generator) -> Drawn:
    """Return a machine: seven in ten are trees, the others have no groups, or threads only."""
    noise = float(random.choice([0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.15]))
    kind = str(
        random.choice(
            ["tree", "mesh", "threads", "flat", "disorder"], p=[0.7, 0.12, 0.06, 0.07, 0.05]
        )
    )
    if kind == "tree":
        matrix, labels = _tree(random)
    elif kind == "disorder":
        matrix, labels = flat(int(random.choice([4, 6, 8, 16, 20, 32, 64]))), []
        noise = 0.3
    elif kind == "flat":
        matrix, labels = flat(int(random.choice([4, 6, 8, 12, 16, 32, 64, 100]))), []
    else:
        matrix, labels = _mesh(random, threads=kind == "threads")
        noise = min(noise, 0.05)
    truth = frozenset(partition(label) for label in labels)
    return Drawn(_spoiled(random, matrix, noise), truth, kind)


def _mesh(random: np.random.Generator, threads: bool) -> tuple[Matrix, list[NDArray[np.int64]]]:
    sizes = [(8, 8), (4, 4), (6, 5), (8, 1), (16, 1), (10, 8), (12, 1), (6, 1), (4, 2), (3, 3)]
    width, height = sizes[random.integers(len(sizes))]
    step = float(random.uniform(1, 20))
    cores = mesh(random, width, height, step, around=bool(random.integers(2)))
    if not threads:
        return cores, []
    matrix = np.repeat(np.repeat(cores, 2, axis=0), 2, axis=1)
    owner = np.arange(len(matrix)) // 2
    matrix[owner[:, None] == owner] = 9.0
    return matrix, [owner]


def _tree(random: np.random.Generator) -> tuple[Matrix, list[NDArray[np.int64]]]:
    """Return a tree of two to four levels with the odds of real machines, each in some of them."""
    fan, latency = _shape(random)
    made = tree(random, fan, latency)
    matrix = made.matrix
    labels = []
    for level in made.truth:
        label = np.zeros(len(matrix), dtype=np.int64)
        for at, group in enumerate(sorted(level)):
            label[list(group)] = at
        labels.append(label)
    if labels and random.random() < 0.3:
        matrix = _far_nodes(random, matrix, labels[-1])
    if labels and random.random() < 0.3:
        matrix = _uneven(random, matrix, labels)
    if random.random() < 0.3:
        # where a core stands on its die makes all of its values a little larger or smaller
        shift = random.uniform(0.005, 0.03) * random.standard_normal(len(matrix))
        inside = labels[0][:, None] == labels[0] if labels and fan[0] <= 4 else np.eye(len(matrix))
        matrix = matrix * np.where(inside, 1.0, np.exp(shift[:, None] + shift))
    if random.random() < 0.25:
        matrix, labels = _dropped(random, matrix, labels, by_core=fan[0] <= 2)
    return matrix, [label for label in labels if 1 < len(np.unique(label)) < len(label)]


def _shape(random: np.random.Generator) -> tuple[list[int], list[float]]:
    while True:
        threads = int(random.choice([1, 2, 2, 4]))
        levels = int(random.integers(2, 5)) - (threads > 1)
        fan = [threads] * (threads > 1) + [
            int(random.choice([2, 3, 4, 6, 8, 10])) for _ in range(levels)
        ]
        if len(fan) >= 2 and 4 <= np.prod(fan) <= _MOST_PUS:
            break
    latency = [float(random.uniform(5, 30))]
    for at in range(len(fan) - 1):
        low, high = (1.9, 4.0) if at == 0 and threads > 1 else (1.12, 3.0)
        latency.append(latency[-1] * float(random.uniform(low, high)))
    return fan, latency


def _far_nodes(random: np.random.Generator, matrix: Matrix, label: NDArray[np.int64]) -> Matrix:
    """Return outermost groups at unequal distances, as nodes with few links have."""
    groups = int(label.max()) + 1
    factor = np.exp(np.triu(random.uniform(0, 0.4, (groups, groups)), 1))
    factor = np.where(factor == 1, factor.T, factor)
    np.fill_diagonal(factor, 1.0)
    found: Matrix = matrix * factor[np.ix_(label, label)]
    return found


def _uneven(random: np.random.Generator, matrix: Matrix, labels: list[NDArray[np.int64]]) -> Matrix:
    """Return groups of one level, some of them slower inside and out, as nodes at a rim are."""
    label = labels[random.integers(len(labels))]
    slower = np.exp(random.uniform(0, 0.1, int(label.max()) + 1))[label]
    found: Matrix = matrix * np.maximum(slower[:, None], slower)
    return found


def _dropped(
    random: np.random.Generator, matrix: Matrix, labels: list[NDArray[np.int64]], by_core: bool
) -> tuple[Matrix, list[NDArray[np.int64]]]:
    """Return the machine without some cores, or second threads, that are switched off."""
    n = len(matrix)
    unit = labels[0] if labels and by_core else np.arange(n)
    gone = random.choice(int(unit.max()) + 1, int(0.12 * (unit.max() + 1)), replace=False)
    kept = ~np.isin(unit, gone)
    if kept.sum() < 4:
        return matrix, labels
    return matrix[np.ix_(kept, kept)], [
        np.unique(label[kept], return_inverse=True)[1] for label in labels
    ]


def _spoiled(random: np.random.Generator, matrix: Matrix, noise: float) -> Matrix:
    """Return what is measured: noise, strays, blanks, one-way noise, slow PUs, a coarse timer."""
    strays, blanks = (float(random.choice([0, 0, 0.002, 0.01, 0.02])) for _ in range(2))
    one_way = float(random.choice([0, 0, 0.03, 0.1]))
    found = measured(random, matrix, noise, strays, blanks, one_way)
    if random.random() < 0.1:
        pu = int(random.integers(len(found)))
        factor = float(random.uniform(1.3, 2.5))
        found[pu] *= factor
        found[:, pu] *= factor
    if random.random() < 0.15:
        step = float(np.nanmin(found)) * random.choice([0.25, 0.5])
        found = np.maximum(np.round(found / step), 1) * step
    return found

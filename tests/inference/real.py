"""The real matrices beside the checkout, read plainly, and ways to spell a stated structure."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from tests.inference.synthetic import Matrix, Partition, partition
from tests.machines import shared


def csv(name: str) -> Matrix:
    """Return a lower triangle of nanoseconds; the rest is NaN."""
    rows = shared(f"core-to-core/{name}.csv").read_text().splitlines()
    return np.array([[float(cell) if cell else np.nan for cell in row.split(",")] for row in rows])


def mct(name: str) -> Matrix:
    """Return the latency section of an MCTOP file, in cycles."""
    lines = shared(f"mctop/{name}.mct").read_text().splitlines()
    size = int(lines[0].split("#HWCs")[1].split()[0])
    matrix = np.full((size, size), np.nan)
    for line in lines[1 : 1 + size * size]:
        a, b, value = line.split()[:3]
        matrix[int(a), int(b)] = float(value)
    return matrix


def smelt(machine: str, series: str) -> Matrix:
    """Return send plus receive cost, in cycles."""
    index = json.loads(shared("smelt/machines.json").read_text())[machine]
    total = np.zeros((index["cores"], index["cores"]))
    for role in ("send", "receive"):
        for line in shared(f"smelt/{index['series'][series][role]}").read_text().splitlines():
            words = line.split()
            if len(words) >= 3 and words[0].isdigit() and words[0] != words[1]:
                total[int(words[0]), int(words[1])] += float(words[2])
    return total


def blocks(*sizes: int) -> Partition:
    """Return groups of neighbouring PUs."""
    return partition(np.repeat(np.arange(len(sizes)), sizes))


def halves(size: int, group: int) -> Partition:
    """Return groups of neighbouring cores where the second threads are numbered last."""
    return partition(np.concatenate([np.arange(size // 2) // group] * 2))


def classes(matrix: Matrix, limit: float) -> Partition:
    """Return who is within a latency of whom, for tables without noise."""
    close: NDArray[np.bool_] = ~(matrix > limit)
    np.fill_diagonal(close, True)
    return partition(close.argmax(axis=1))

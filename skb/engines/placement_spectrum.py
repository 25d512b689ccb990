"""A lower bound on the price of traffic from eigenvalues, for graphs too large for a proof.

Let L be the Laplacian of the traffic and let a placement give each pair of tasks the nearness
M(a,b) = K(part of a, part of b), where every part has c = K(p,p) and c - K(p,q) is what one message
from p to q costs at least. With w the rates, trace(L M) is the sum over ordered pairs of
w(a,b) (c - M(a,b)), so the price is at least trace(L M) / 2.

Proof of the bound. K is positive semidefinite and part p holds at most r(p) tasks, so M has the
eigenvalues of N^1/2 K N^1/2 with N <= diag(r), none negative, the i-th largest at most the i-th
largest `caps` of diag(r)^1/2 K diag(r)^1/2 (Weyl), and their sum is the trace n c. For a symmetric
A the trace of A M is at least the sum of the eigenvalues of A, rising, times those of M, falling
(von Neumann); by partial sums that is least where the caps are filled from the first on until the
trace is spent. This holds for A = L + S with any S whose entries off the diagonal are not positive:
trace(L M) = trace(A M) - trace(S M), where the diagonal of M is c and no entry is below `low`, so
trace(S M) <= c trace(S) + low (sum of the others). For K the identity and S = 0 it is the bound of
Donath and Hoffman, "Lower bounds for the partitioning of graphs" (1973); S is improved by
subgradients, as they do for the diagonal.

Eigenvalues are floats: the result is lowered by `MARGIN` of the largest sum that can arise, some
thousand times their error, before it is rounded down.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MARGIN = 1e-9
# eigenvalues cost about the cube of the number of tasks: so much of it may be spent on one kernel
WORK, MOST_ROUNDS, LEAST_ROUNDS = 1_000_000_000, 100, 1
# a step aims at this much above the best so far, and shrinks by this factor when it fails
AIM, SHRINK = 1.05, 0.93


@dataclass(frozen=True, slots=True)
class Kernel:
    """Nearness of tasks by where they are; see the module's docstring. `caps` are falling."""

    caps: tuple[float, ...]
    own: float = 1.0
    low: float = 0.0


def laplacian(tasks: int, traffic: Sequence[tuple[int, int, int]]) -> Floats:
    """Return the Laplacian of the tasks that talk to others, rates both ways added up."""
    talking = sorted({task for a, b, _rate in traffic if a != b for task in (a, b)})
    number = {task: index for index, task in enumerate(talking)}
    found = np.zeros((len(talking), len(talking)))
    for a, b, rate in traffic:
        if a != b:
            i, j = number[a], number[b]
            found[i, j] -= rate
            found[j, i] -= rate
            found[i, i] += rate
            found[j, j] += rate
    return found


def bounds(graph: Floats, kernels: Sequence[Kernel], deadline: float) -> list[float]:
    """Return what the traffic costs at least by each kernel; work is counted, the deadline is a
    fuse.
    """
    if not len(graph):
        return [0.0] * len(kernels)
    began = time.monotonic()
    climbs = [_Climb(graph, kernel) for kernel in kernels]
    start: Any = np.linalg.eigh(graph)
    for climb in climbs:
        climb.step(*start)
    last = time.monotonic() - began
    rounds = max(LEAST_ROUNDS, min(MOST_ROUNDS, WORK // len(graph) ** 3))
    for climb in climbs:
        for _ in range(rounds):
            began = time.monotonic()
            if climb.flat or began + last > deadline:
                break
            climb.step(*np.linalg.eigh(graph + climb.shift))
            last = time.monotonic() - began
    return [climb.best for climb in climbs]


class _Climb:
    """The best bound of one kernel so far, and the shift S to try next."""

    def __init__(self, graph: Floats, kernel: Kernel) -> None:
        count = len(graph)
        self.kernel = kernel
        self.fill = _filled(kernel, count)
        self.shift = np.zeros((count, count))
        self.best = 0.0
        self.flat = len(self.fill) < 2
        self._rate = 1.0
        self._weight = float(np.trace(graph))
        self._heaviest = float(np.max(np.diag(graph)))

    def step(self, values: Floats, vectors: Floats) -> None:
        """Judge the shift by the eigenvalues of the shifted graph, and choose the next one."""
        used = len(self.fill)
        near = (vectors[:, :used] * self.fill) @ vectors[:, :used].T
        value = self._value(values)
        if value > self.best:
            self.best = value
        else:
            self._rate *= SHRINK
        slope = near - self.kernel.low
        # an entry off the diagonal pulls where M is too small; it may not become positive
        slope = np.where((slope < 0) | (self.shift < 0), slope, 0.0)
        np.fill_diagonal(slope, np.diag(near) - self.kernel.own)
        size = float(np.sum(slope * slope))
        if size <= 1e-18 * self.kernel.own**2:
            self.flat = True
            return
        aim = self.best * AIM + 0.002 * self._weight * self.kernel.own
        shift = self.shift + self._rate * 2 * max(0.0, aim - value) / size * slope
        diagonal = np.diag(shift).copy()
        shift = np.minimum((shift + shift.T) / 2, 0.0)
        np.fill_diagonal(shift, diagonal)
        self.shift = shift

    def _value(self, values: Floats) -> float:
        """Return the bound for this shift, lowered by the margin for rounding."""
        used, kernel = len(self.fill), self.kernel
        diagonal = float(np.trace(self.shift))
        rest = float(np.sum(self.shift)) - diagonal
        value = float(values[:used] @ self.fill) - kernel.own * diagonal - kernel.low * rest
        largest = max(float(np.max(np.abs(values))), self._heaviest)
        moved = float(np.sum(np.abs(self.shift))) * max(kernel.own, abs(kernel.low))
        error = largest * float(np.sum(self.fill)) + self._weight * kernel.own + moved
        return (value - MARGIN * error) / 2


def _filled(kernel: Kernel, count: int) -> Floats:
    """Return the caps, from the first on, until the trace is spent."""
    left, found = count * kernel.own, []
    for cap in kernel.caps[:count]:
        found.append(min(cap, left))
        left -= found[-1]
        if left <= 0:
            break
    return np.array(found)

"""A lower bound on the price of traffic from eigenvalues, for graphs too large for a proof.

Let a placement give each pair of tasks the nearness M(a,b) = K(part of a, part of b), where every
part has c = K(p,p) and c - K(p,q) is what one message from p to q costs at least. With L the
Laplacian of the traffic, trace(L M) is the sum over ordered pairs of w(a,b) (c - M(a,b)), so the
price is at least trace(L M) / 2. An anchor is a node that is no task and whose part is known: a
wish to be near it is traffic to it.

What is known of M whatever the placement, with s the sizes of the tasks (an anchor's is its own):
(1) K is positive semidefinite and part p holds tasks of sizes up to r(p), so F M F with F^2 =
diag(s) has the eigenvalues of N^1/2 K N^1/2 with N <= diag(r): none is negative, the i-th largest
is at most the i-th largest `caps` of diag(r)^1/2 K diag(r)^1/2 (Weyl), and their sum is c sum(s).
(2) Its diagonal is c; each entry lies between `low` and `high`.
(3) sum over tasks b of s(b) M(a,b) <= `most`(a): no more than fits is near a.
(4) sum of all s(a) s(b) M(a,b) <= `total`.
(5) M(i,j) + M(k,i) - M(k,j) <= c + `slack`: latency obeys the triangle inequality, but for slack.

Proof of the bound. For any S, u >= 0, t >= 0, q >= 0 let A = L/2 + S + what u, t and q add for
(3), (4) and (5), so that trace(L M)/2 >= trace(A M) - c trace(S) - sum over a != b of
max(S low, S high) - u most - t total - sum(q) (c + slack). And trace(A M) = trace(F^-1 A F^-1
F M F) is at least the sum of the eigenvalues of F^-1 A F^-1, rising, times those of F M F, falling
(von Neumann); by partial sums that is least where the caps are filled from the first on until the
trace is spent. Any S, u, t, q will do: `placement_climb` looks for good ones. For K the identity,
s = 1 and a diagonal S alone it is the bound of Donath and Hoffman, "Lower bounds for the
partitioning of graphs" (1973); with (2) and (3) it is near that of Karisch and Rendl (1998).

Two kernels G (who shares a part) and M (the way between parts) of the same nodes are tied by
(6) M(a,b) <= c - ratio (1 - G(a,b)): who shares no part has some way at least. Its multipliers z
add z to the A of M and -ratio z to that of G, and cost sum(z) (c - ratio).

Eigenvalues are floats: the result is lowered by `MARGIN` of the largest sum that can arise, some
thousand times their error, before it is rounded down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MARGIN = 1e-9


@dataclass(frozen=True)
class Level:
    """One kernel with its traffic; see the module's docstring.

    `weights` are the sizes with 0 for anchors; `pivots` are the nodes k of (5).
    """

    graph: Floats
    own: float
    caps: Floats
    sizes: Floats
    weights: Floats
    most: Floats
    total: float
    low: Floats
    high: Floats
    pivots: tuple[int, ...] = ()
    slack: float = 0.0

    @cached_property
    def triples(self) -> Ints:
        """The (i, j, k) of (5): for each edge of the graph and each pivot k both ways round."""
        i, j = np.nonzero(np.triu(self.graph, 1) < 0)
        inner = ~(np.isin(i, self.pivots) | np.isin(j, self.pivots))
        i, j = i[inner], j[inner]
        ends = np.concatenate([np.stack([i, j], 1), np.stack([j, i], 1)])
        found = [np.column_stack([ends, np.full(len(ends), k)]) for k in self.pivots]
        return np.concatenate([np.zeros((0, 3), dtype=np.int64), *found])

    @cached_property
    def spots(self) -> Ints:
        """Where in a matrix row by row the triples' (i,j), then (k,i), then (k,j) are."""
        i, j, k = self.triples.T
        count = len(self.sizes)
        return np.concatenate([i * count + j, k * count + i, k * count + j])

    @cached_property
    def scale(self) -> Floats:
        """Square roots of products of sizes, by which entries of M become those of F M F."""
        root = np.sqrt(self.sizes)
        return np.outer(root, root)

    @cached_property
    def trace(self) -> float:
        return self.own * float(np.sum(self.sizes))

    @cached_property
    def fill(self) -> Floats:
        """The caps by rank, as many as there are nodes."""
        found = np.zeros(len(self.sizes))
        count = min(len(found), len(self.caps))
        found[:count] = self.caps[:count]
        return found

    @cached_property
    def spent(self) -> Floats:
        """The caps filled from the first on until the trace is spent."""
        before = np.concatenate([[0.0], np.cumsum(self.fill)[:-1]])
        found: Floats = np.clip(self.trace - before, 0.0, self.fill)
        return found

    @cached_property
    def possible(self) -> bool:
        """Whether the parts hold the tasks at all."""
        return float(np.sum(self.fill)) >= self.trace * (1 - 1e-12)


@dataclass(frozen=True, slots=True)
class System:
    """One level, or that of a step and that of the way, tied by (6) where there is a ratio."""

    levels: tuple[Level, ...]
    ratio: float = 0.0

    @property
    def rest(self) -> float:
        """What each entry of z costs."""
        return self.levels[-1].own - self.ratio


@dataclass(slots=True)
class Shift:
    """The multipliers S, u, t and q of a level; see the module's docstring."""

    entries: Floats
    rows: Floats
    total: float
    triples: Floats

    @staticmethod
    def zero(level: Level) -> Shift:
        count = len(level.sizes)
        return Shift(np.zeros((count, count)), np.zeros(count), 0.0, np.zeros(len(level.triples)))

    def copy(self) -> Shift:
        return Shift(self.entries.copy(), self.rows.copy(), self.total, self.triples.copy())

    def toward(self, other: Shift, share: float) -> None:
        """Go a share of the way to another: what is admissible is convex."""
        self.entries += share * (other.entries - self.entries)
        self.rows += share * (other.rows - self.rows)
        self.total += share * (other.total - self.total)
        self.triples += share * (other.triples - self.triples)


@dataclass(slots=True)
class Shifts:
    """The multipliers of a system: of each level, and z."""

    levels: list[Shift]
    link: Floats

    @staticmethod
    def zero(system: System) -> Shifts:
        count = len(system.levels[0].sizes)
        return Shifts([Shift.zero(level) for level in system.levels], np.zeros((count, count)))

    def copy(self) -> Shifts:
        return Shifts([shift.copy() for shift in self.levels], self.link.copy())

    def toward(self, other: Shifts, share: float) -> None:
        for mine, its in zip(self.levels, other.levels, strict=True):
            mine.toward(its, share)
        self.link += share * (other.link - self.link)


def shifted(system: System, shifts: Shifts) -> list[Floats]:
    """Return F^-1 A F^-1 for each level."""
    found = [_sum(level, shift) for level, shift in zip(system.levels, shifts.levels, strict=True)]
    if system.ratio:
        found[0] -= system.ratio * shifts.link
        found[1] += shifts.link
    for level, matrix in zip(system.levels, found, strict=True):
        matrix /= level.scale
    return found


def _sum(level: Level, shift: Shift) -> Floats:
    found: Floats = level.graph / 2 + shift.entries
    if shift.rows.any():
        part = np.outer(shift.rows, level.weights / 2)
        found += part
        found += part.T
    if shift.total:
        found += shift.total * np.outer(level.weights, level.weights)
    if len(level.triples):
        half = shift.triples / 2
        signed = np.concatenate([half, half, -half])
        counted = np.bincount(level.spots, signed, found.size).reshape(found.shape)
        found += counted
        found += counted.T
    return found


def value(system: System, shifts: Shifts) -> float:
    """Return what the traffic of a system costs at least, by these multipliers; never below 0."""
    matrices = shifted(system, shifts)
    found = 0.0
    for level, shift, matrix in zip(system.levels, shifts.levels, matrices, strict=True):
        if not level.possible:
            return 0.0
        found += level_value(level, shift, matrix)
    if system.ratio:
        amount = float(np.sum(shifts.link))
        found -= amount * system.rest + MARGIN * amount * (1 + system.ratio)
    return max(0.0, found)


def level_value(level: Level, shift: Shift, matrix: Floats) -> float:
    """Return what a level adds to the value, lowered for rounding."""
    values = np.linalg.eigvalsh(matrix)
    entries, own = shift.entries, level.own
    worst = np.maximum(entries * level.low, entries * level.high)
    np.fill_diagonal(worst, np.diag(entries) * own)
    rows = shift.rows * level.most
    ceilings = shift.total * level.total + float(np.sum(shift.triples)) * (own + level.slack)
    found = float(values @ level.spent) - float(np.sum(worst)) - float(np.sum(rows)) - ceilings
    # what is added up and multiplied on the way, each term at its largest
    reach = max(own, float(np.max(np.abs(level.low))))
    moved = float(np.sum(np.abs(entries))) + 6 * float(np.sum(shift.triples))
    weight = float(np.sum(level.weights))
    error = float(np.max(np.abs(values))) * float(np.sum(level.spent)) + moved * reach
    error += float(np.sum(np.abs(rows))) + abs(ceilings) + float(np.trace(level.graph)) * own
    error += (shift.total * weight + float(np.sum(shift.rows))) * weight * reach
    return found - MARGIN * error


def laplacian(nodes: int, pairs: Sequence[tuple[int, int, float]]) -> Floats:
    """Return the Laplacian of a graph, weights of equal pairs added up, loops left out."""
    found = np.zeros((nodes, nodes))
    for a, b, weight in pairs:
        if a != b:
            found[a, b] -= weight
            found[b, a] -= weight
            found[a, a] += weight
            found[b, b] += weight
    return found

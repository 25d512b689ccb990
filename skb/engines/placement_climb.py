"""Good multipliers for a bound (`placement_spectrum`): a saddle point of the relaxed placement.

The relaxation asks for the matrix M of least price that has all that is known of it; the
multipliers are those of (2) to (6). Both are improved in turn, M by a step that is projected on the
matrices with its spectrum, the multipliers by a step where M breaks what is known, as in Chambolle
and Pock, "A first-order primal-dual algorithm" (2011); each round goes further than it says, which
converges as well (Krasnoselskii and Mann). What each constraint's step may be follows from how many
share its entries (Pock and Chambolle, "Diagonal preconditioning", 2011). The matrices with its
spectrum are those whose eigenvalues are majorized by the caps; the nearest ones come from one
isotonic regression (Blondel and others, "Fast differentiable sorting and ranking", 2020).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from skb.engines.placement_spectrum import (
    Floats,
    Ints,
    Level,
    Shift,
    Shifts,
    System,
    shifted,
    value,
)

# steps of M times those of the multipliers, and the shares of rows, of the total and of the tie,
# which overlap with the entries: what is more than their sum allows is caught by `FALLEN`
SAFE, ROWS, WHOLE, LINK, TRIPLES = 0.5, 0.3, 0.3, 0.8, 2.0
# how far a round goes of its own way: below 2
BEYOND = 1.8
# a judgement below this share of the one before shows that the steps are too long
FALLEN = 0.5
# first steps for the multipliers, as shares of the mean weight over the first cap; and rounds after
# which they follow from how far both have come (Applegate and others, "PDLP", 2021)
PACE, REPACED = 12.0, (20, 40, 80, 160, 320)
TAMED, JUMP = 0.7, 20.0
# rounds between two judgements
JUDGED = 10
# a climb ends when so many rounds, or a share of those it may take, gain less than this share
PATIENCE, PATIENT, GAIN = 40, 0.1, 5e-4


def ignored(_worth: float) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Climb:
    """The best multipliers so far, and where the steps stand: M of each level, times sizes.

    Each level has a pace of its own, which is kept where there is no `origin` to measure from.
    `tell` hears of each better bound; `cut` says that the clock ended it.
    """

    system: System
    near: list[Floats]
    shifts: Shifts
    paces: list[float]
    origin: list[Floats] | None = None
    best: float = 0.0
    found: Shifts | None = None
    tell: Callable[[float], None] = ignored
    cut: bool = False
    rounds: int = 0

    def run(self, rounds: int, deadline: float) -> None:
        """Improve by so many rounds; the deadline is a fuse, before which the last round ends."""
        safe = SAFE
        step = _Step(self.system, self.paces, safe)
        patience = max(PATIENCE, round(rounds * PATIENT))
        last = slowest = 0.0
        worths: list[float] = []
        begin = self.near, self.shifts.copy()
        for number in range(1, rounds + 1):
            now = time.monotonic()
            moved = self.shifts.copy()
            near = step.take(self.near, moved)
            slowest = max(slowest, time.monotonic() - now)
            self.cut = time.monotonic() + 2 * slowest >= deadline
            if number % JUDGED == 0 or number == rounds or self.cut:
                worth = self.judge(moved)
                if worth < last * FALLEN:
                    safe /= 2
                    step = _Step(self.system, self.paces, safe)
                    self.near, self.shifts, last = begin[0], begin[1].copy(), 0.0
                    continue
                last = worth
                worths.append(worth)
                if self.cut or not _gaining(worths, patience // JUDGED):
                    break
            self.near = [
                old + BEYOND * (new - old) for old, new in zip(self.near, near, strict=True)
            ]
            self.shifts.toward(moved, BEYOND)
            self.rounds += 1
            if self.origin is not None and self.rounds in REPACED:
                self.paces = step.repaced(self.near, self.shifts, self.origin)
                step = _Step(self.system, self.paces, safe)

    def judge(self, shifts: Shifts) -> float:
        """Return the bound of these multipliers, which are kept where it is the best."""
        worth = value(self.system, shifts)
        if self.found is None or worth > self.best:
            self.best, self.found = worth, shifts.copy()
            self.tell(worth)
        return worth


def _gaining(worths: Sequence[float], recent: int) -> bool:
    """Whether the recent judgements of a run are better than those before."""
    before, now = worths[:-recent], worths[-recent:]
    return not before or max(now) > max(before) * (1 + GAIN)


def begun(system: System, tell: Callable[[float], None] = ignored) -> Climb:
    """Return a climb from what needs no search: all tasks equally near to each other."""
    near = []
    for level in system.levels:
        count = float(np.sum(level.weights))
        share = min(level.own, level.total / max(1e-300, count * count))
        root = np.sqrt(level.weights)
        near.append(share * np.outer(root, root) + np.diag(level.sizes) * (level.own - share))
    paces = [PACE] * len(near)
    climb = Climb(system, near, Shifts.zero(system), paces, origin=near, tell=tell)
    climb.judge(climb.shifts)
    return climb


class _Step:
    """One round: what a system and a pace make constant."""

    def __init__(self, system: System, paces: Sequence[float], safe: float) -> None:
        self.system = system
        self.steps = [
            _LevelStep(level, pace, safe) for level, pace in zip(system.levels, paces, strict=True)
        ]
        if system.ratio:
            one, other = (step.entry for step in self.steps)
            self.link = LINK * np.minimum(one / system.ratio**2, other)
            np.fill_diagonal(self.link, 0.0)

    def take(self, near: list[Floats], shifts: Shifts) -> list[Floats]:
        """Return the next M of each level (times sizes), and move the multipliers."""
        system = self.system
        found, ahead = [], []
        matrices = shifted(system, shifts)
        for step, old, matrix in zip(self.steps, near, matrices, strict=True):
            new = step.nearer(old, matrix)
            found.append(new)
            ahead.append((2 * new - old) / step.level.scale)
        for step, there, shift in zip(self.steps, ahead, shifts.levels, strict=True):
            step.move(shift, there)
        if system.ratio:
            excess = ahead[1] - system.ratio * ahead[0] - system.rest
            shifts.link = np.maximum(0.0, shifts.link + self.link * excess)
        return found

    def repaced(self, near: list[Floats], shifts: Shifts, origin: list[Floats]) -> list[float]:
        """Return the paces that balance how far M and the multipliers have come by now."""
        return [
            step.repaced(new - old, shift)
            for step, new, old, shift in zip(self.steps, near, origin, shifts.levels, strict=True)
        ]


class _LevelStep:
    """What a level and a pace make constant."""

    def __init__(self, level: Level, pace: float, safe: float) -> None:
        self.level = level
        self.pace = pace
        weight = float(np.mean(np.diag(level.graph) / level.sizes)) / 2
        pace = pace * max(1e-300, weight) / max(1e-300, float(level.fill[0]))
        self.unit = pace
        self.reach = safe / pace
        area = level.scale**2
        self.entry = pace * area
        self.low = self.entry * level.low
        self.high = self.entry * level.high
        norm = max(1e-300, float(np.sum(level.weights**2 / level.sizes)))
        self.row = ROWS * pace * level.sizes / norm
        self.whole = WHOLE * pace / norm**2
        ends = _ends(level)
        shared = np.zeros_like(area)
        for a, b in ends:
            np.add.at(shared, (a, b), 1.0)
        shared = (shared + shared.T) / area
        crowd = sum(shared[a, b] for a, b in ends)
        self.triple = TRIPLES * pace / np.maximum(1e-300, crowd) * 2

    def repaced(self, gone: Floats, shift: Shift) -> float:
        """Return the pace that balances both distances."""
        way = float(np.sum((shift.entries / self.level.scale) ** 2))
        way += float(np.sum(shift.rows**2 / np.maximum(1e-300, self.row))) * self.unit
        way += shift.total**2 / max(1e-300, self.whole) * self.unit
        way += float(np.sum(shift.triples**2 / np.maximum(1e-300, self.triple))) * self.unit
        ratio = np.sqrt(way) / max(1e-300, float(np.linalg.norm(gone))) / self.unit
        return float(self.pace * np.clip(TAMED * ratio, 1 / JUMP, JUMP))

    def nearer(self, near: Floats, matrix: Floats) -> Floats:
        """Return the next M (times sizes)."""
        values, vectors = np.linalg.eigh(near - self.reach * matrix)
        kept = majorized(values[::-1], self.level.spent)[::-1]
        used = kept > 1e-13 * self.level.trace
        root = vectors[:, used] * np.sqrt(kept[used])
        found: Floats = root @ root.T
        return found

    def move(self, shift: Shift, ahead: Floats) -> None:
        """Move the multipliers by what this M, a step ahead, breaks of what is known."""
        level = self.level
        moved = shift.entries + self.entry * ahead
        diagonal = np.diag(moved) - np.diag(self.entry) * level.own
        moved -= np.minimum(np.maximum(moved, self.low), self.high)
        np.fill_diagonal(moved, diagonal)
        shift.entries = moved
        sums = ahead @ level.weights
        shift.rows = np.maximum(0.0, shift.rows + self.row * (sums - level.most))
        excess = float(level.weights @ sums) - level.total
        shift.total = max(0.0, shift.total + self.whole * excess)
        if len(level.triples):
            (i, j), (k, _i), (_k, _j) = _ends(level)
            excess_of = ahead[i, j] + ahead[k, i] - ahead[k, j] - level.own - level.slack
            shift.triples = np.maximum(0.0, shift.triples + self.triple * excess_of)


def _ends(level: Level) -> tuple[tuple[Ints, Ints], ...]:
    """Return the entries that the triples of (5) read: (i,j), (k,i) and (k,j)."""
    i, j, k = level.triples.T
    return (i, j), (k, i), (k, j)


def majorized(values: Floats, caps: Floats) -> Floats:
    """Return the nearest values, all falling, of which no first ones together exceed those of the
    caps, and all together are as much.
    """
    sums: list[float] = []
    counts: list[int] = []
    for number in (values - caps).tolist():
        amount, count = number, 1
        while sums and sums[-1] * count <= amount * counts[-1]:
            amount += sums.pop()
            count += counts.pop()
        sums.append(amount)
        counts.append(count)
    found: Floats = values - np.repeat(np.array(sums) / np.array(counts), counts)
    return found

"""Contracted levels of a bound: nodes that are tasks which talk much, taken as lying in one part.

A large graph's multipliers (`placement_climb`) start from those of the contracted one. Its limits
on entries and rows are the means of those of its tasks, so multipliers that are shared out by sizes
cost the same, and what is lost are the eigenvectors inside the groups.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import inf

import numpy as np

from skb.engines.placement_climb import Climb, ignored
from skb.engines.placement_spectrum import (
    Floats,
    Ints,
    Level,
    Shift,
    Shifts,
    System,
    level_value,
    shifted,
)

# share of the pace that is left for the whole graph, which is near its end
SLOWER = 0.2


def clusters(
    graph: Floats, sizes: Floats, most: float, anchors: int, tie: float
) -> list[list[int]]:
    """Return groups of nodes that talk most for their size, each of a size of at most `most`.

    Joined is what talks to each other at least a share `tie` of what one of both says else; the
    last `anchors` nodes stay alone.
    """
    count = len(sizes) - anchors
    groups = [[node] for node in range(count)]
    weights = -graph[:count, :count].copy()
    np.fill_diagonal(weights, 0.0)
    size = sizes[:count].copy()
    degree = np.diag(graph)[:count].copy()
    while True:
        rows, columns = np.nonzero(np.triu(weights) > 0)
        both = size[rows] + size[columns]
        talk = weights[rows, columns]
        least = np.minimum(degree[rows], degree[columns]) - talk
        fits = (both <= most) & (talk >= tie * least)
        rows, columns, both = rows[fits], columns[fits], both[fits]
        worth = weights[rows, columns] / both
        taken = np.zeros(len(groups), dtype=bool)
        into = np.arange(len(groups))
        for pair in np.lexsort((columns, rows, -worth)):
            a, b = int(rows[pair]), int(columns[pair])
            if not (taken[a] or taken[b]):
                taken[a] = taken[b] = True
                into[b] = a
        if not taken.any():
            return [*groups, *([node] for node in range(count, len(sizes)))]
        kept = np.flatnonzero(into == np.arange(len(groups)))
        number = {int(old): new for new, old in enumerate(kept)}
        joined: list[list[int]] = [[] for _ in kept]
        membership = np.zeros((len(groups), len(kept)))
        for old, members in enumerate(groups):
            target = number[int(into[old])]
            joined[target] += members
            membership[old, target] = 1.0
        groups = joined
        weights = membership.T @ weights @ membership
        inner = np.diag(weights).copy()
        np.fill_diagonal(weights, 0.0)
        size = membership.T @ size
        degree = membership.T @ degree
        degree -= inner


def contracted(level: Level, groups: Sequence[Sequence[int]]) -> Level:
    """Return the level of the groups, whose tasks are taken as lying in one part."""
    member = np.zeros((len(level.sizes), len(groups)))
    for number, group in enumerate(groups):
        member[list(group), number] = 1.0
    part = member * level.sizes[:, None]
    part /= part.sum(axis=0)
    graph = member.T @ level.graph @ member
    return Level(
        graph=graph,
        own=level.own,
        caps=level.caps,
        sizes=member.T @ level.sizes,
        weights=member.T @ level.weights,
        most=part.T @ level.most,
        total=level.total,
        low=part.T @ level.low @ part,
        high=part.T @ level.high @ part,
        pivots=tuple(len(groups) - len(level.sizes) + pivot for pivot in level.pivots),
        slack=level.slack,
    )


def spread(
    climb: Climb,
    system: System,
    groups: Sequence[Sequence[int]],
    tell: Callable[[float], None] = ignored,
    fuse: float = inf,
) -> Climb:
    """Return the climb on a system from where it stands on the contracted one; after the fuse the
    way is a shorter one.
    """
    coarse, shifts = climb.system, climb.found or climb.shifts
    of = np.zeros(len(system.levels[0].sizes), dtype=np.int64)
    for number, group in enumerate(groups):
        of[list(group)] = number
    near, found = [], []
    part = np.ones(len(of))
    for small, level, shift, old in zip(
        coarse.levels, system.levels, shifts.levels, climb.near, strict=True
    ):
        part = level.sizes / small.sizes[of]
        found.append(_spread(small, level, shift, of))
        wide = (old / small.scale)[np.ix_(of, of)] * level.scale
        np.fill_diagonal(wide, level.own * level.sizes)
        near.append(wide)
    link = shifts.link[np.ix_(of, of)] * np.outer(part, part)
    link[of[:, None] == of[None, :]] = 0.0
    paces = [pace * SLOWER for pace in climb.paces]
    begin = Climb(system, near, Shifts(found, link), paces, tell=tell)
    begin.judge(begin.shifts)
    _raise(begin, coarse, shifts, of, fuse)
    begin.judge(begin.shifts)
    return begin


def _spread(small: Level, level: Level, shift: Shift, of: Ints) -> Shift:
    """Return the multipliers of a level from those of its contracted one; `of` numbers groups."""
    part = level.sizes / small.sizes[of]
    entries = shift.entries[np.ix_(of, of)] * np.outer(part, part)
    entries[of[:, None] == of[None, :]] = 0.0
    np.fill_diagonal(entries, np.diag(shift.entries)[of] * part)
    number_of = {(int(i), int(j), int(k)): n for n, (i, j, k) in enumerate(small.triples)}
    triples = np.zeros(len(level.triples))
    for number, (i, j, k) in enumerate(level.triples):
        a, b = int(of[i]), int(of[j])
        known = number_of.get((a, b, int(of[k])))
        if known is not None:
            triples[number] = shift.triples[known] * level.graph[i, j] / small.graph[a, b]
    return Shift(entries, shift.rows[of] * part, shift.total, triples)


def _raise(climb: Climb, coarse: System, shifts: Shifts, of: Ints, fuse: float) -> None:
    """Lift eigenvalues of which the contracted graph knows nothing to those of its own that count;
    it costs what the lift has on its diagonal, so each is kept only where it gains.
    """
    system = climb.system
    member = np.zeros((len(of), len(coarse.levels[0].sizes)))
    member[np.arange(len(of)), of] = 1.0
    ours = [
        np.asarray(np.linalg.eigvalsh(matrix), dtype=np.float64)
        for matrix in shifted(coarse, shifts)
    ]
    for number, (small, level) in enumerate(zip(coarse.levels, system.levels, strict=True)):
        _lift(
            climb, number, np.linalg.eigh(shifted(system, climb.shifts)[number]), ours[number][:1]
        )
        if time.monotonic() >= fuse:
            continue
        groups = member * np.sqrt(level.sizes)[:, None] / np.sqrt(small.sizes)
        # what is inside the groups alone: the rest is moved out of sight
        inner = shifted(system, climb.shifts)[number]
        inner -= groups @ (groups.T @ inner)
        inner -= (inner @ groups) @ groups.T
        inner += 2 * float(np.max(np.abs(ours[number]))) * groups @ groups.T
        last = int(np.count_nonzero(small.spent)) - 1
        floors = ours[number][sorted({last // 2, last})]
        _lift(climb, number, np.linalg.eigh((inner + inner.T) / 2), floors)


def _lift(climb: Climb, number: int, pairs: tuple[Floats, Floats], floors: Floats) -> None:
    """Lift what of these eigenvalues is below the floor that gains most."""
    values, vectors = pairs
    level, shift = climb.system.levels[number], climb.shifts.levels[number]
    few = values < np.max(floors)
    if not few.any():
        return
    values, vectors = values[few], vectors[:, few]

    def worth() -> float:
        return level_value(level, shift, shifted(climb.system, climb.shifts)[number])

    best, most = shift.entries, worth()
    entries = best
    for floor in floors:
        lift = (vectors * np.maximum(0.0, floor - values)) @ vectors.T
        shift.entries = entries + (lift + lift.T) / 2 * level.scale
        if (found := worth()) > most:
            best, most = shift.entries, found
    shift.entries = best

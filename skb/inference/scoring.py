"""How well a partition explains a matrix: margins, noise, and order that the partition misses.

All values are logarithms of latencies, so that multiplicative noise is the same everywhere and a
difference of 0.1 is about ten percent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skb.inference.clustering import Labels, Matrix

# timers and rounding blur equal latencies by about this much (4 per mille)
_FLOOR = 0.004
# jumps below this (logarithm) are within what position on a die makes of equal cores
LEAST_JUMP = 0.03
# order in a large matrix shows in so many of its rows as well
_SAMPLE = 160
# noise that is estimated from so many values beyond the fitted ones may be twice as large
_DOUBT = 4.0
# a level of fewer units, or with more outsiders that are as near as insiders, is none
LEAST_COVERAGE = 0.25
MOST_LEAKS = 0.1


@dataclass(frozen=True, slots=True)
class Score:
    """What speaks for a partition of n units, and what against it.

    `jump` is the median step from inside a group to its nearest other group (logarithm); `noise`
    the spread that has no order; `order` the spread within blocks that has one, as on a mesh.
    `worst` is the margin of the worst unit in standard errors (in a large level, one unit in 25 may
    be worse); `coverage` is the share of units in one of the `groups` of two or more,
    `smallest` and `largest` the sizes of these at either end, `regular` the share of the grouped
    units in groups of the commonest size, `evenness` the smallest jump of a group against the
    median one.
    `leaks` is the share of lone units that are as near to somebody as insiders are; `kinds` tells
    how differently lone units answer, in standard errors: two kinds of cores. `mixed` is the spread
    inside the most mixed group against the usual one: two groups tied together. `inverted` groups
    are farther apart inside than from everybody else.
    """

    jump: float
    noise: float
    order: float
    worst: float
    coverage: float
    evenness: float
    groups: int
    smallest: int
    largest: int
    regular: float
    leaks: float
    kinds: float
    mixed: float
    inverted: bool = False


def indicator(labels: Labels) -> Matrix:
    """Return 1 where the unit of the row is in the group of the column, else 0."""
    groups = np.unique(labels)
    found: Matrix = (labels[:, None] == groups[None, :]).astype(float)
    return found


def _means(values: Matrix, member: Matrix) -> tuple[Matrix, Matrix]:
    """Return mean and count of the measured values of each unit to each group."""
    known = ~np.isnan(values)
    count = known.astype(float) @ member
    total = np.where(known, values, 0.0) @ member
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, total / np.maximum(count, 1), np.nan), count


def block_means(values: Matrix, member: Matrix) -> Matrix:
    """Return the mean of the measured values between each two groups."""
    known = (~np.isnan(values)).astype(float)
    number = member.T @ known @ member
    total = member.T @ np.where(np.isnan(values), 0.0, values) @ member
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Matrix = np.where(number > 0, total / number, np.nan)
    return found


def _residuals(values: Matrix, member: Matrix) -> Matrix:
    """Return what the means of the blocks leave over, enlarged for the mean taken out of each.

    A block of one value says nothing about spread and is left blank.
    """
    block = block_means(values, member)
    number = member.T @ (~np.isnan(values)).astype(float) @ member
    with np.errstate(invalid="ignore", divide="ignore"):
        distinct = number - np.diag(np.diag(number)) / 2
        factor = np.where(distinct > 1, np.sqrt(distinct / (distinct - 1)), np.nan)
    own = member.argmax(axis=1)
    left: Matrix = (values - block[np.ix_(own, own)]) * factor[np.ix_(own, own)]
    return left


def _mixed(residuals: Matrix, own: Labels, size: Labels, least: float) -> float:
    """Return how much more the values inside the most mixed group differ than inside the others."""
    spreads = []
    for group in np.flatnonzero(size >= 3):
        inside = residuals[np.ix_(own == group, own == group)]
        known = np.abs(inside[~np.isnan(inside)])
        if len(known):
            spreads.append(float(known.mean()))
    if len(spreads) < 3:
        return 1.0
    return max(spreads) / max(float(np.median(spreads)), least)


def robust_spread(values: Matrix) -> float:
    """Return the standard deviation as the median absolute value tells it."""
    known = np.abs(values[~np.isnan(values)])
    return float(np.median(known)) * 1.4826 if len(known) else 0.0


def ordered_spread(residuals: Matrix) -> tuple[float, float]:
    """Split the spread of residuals into noise and order, as (noise, order) deviations.

    Independent noise of deviation s has eigenvalues up to 2 s sqrt(n) (Wigner's semicircle); what
    lies beyond is order that the partition does not explain, such as position on a mesh.
    """
    if len(residuals) > _SAMPLE:
        chosen = np.linspace(0, len(residuals) - 1, _SAMPLE).astype(int)
        residuals = residuals[np.ix_(chosen, chosen)]
    n = len(residuals)
    clean = np.where(np.isnan(residuals), 0.0, residuals)
    np.fill_diagonal(clean, 0.0)
    limit = 5 * max(robust_spread(residuals), _FLOOR / 2)
    clean = np.clip(clean, -limit, limit)
    total = float(np.sum(clean**2))
    pairs = max(int(np.sum(~np.isnan(residuals))), 1)
    if total == 0:
        return 0.0, 0.0
    squares = np.sort(np.linalg.eigvalsh(clean) ** 2)[::-1]
    # peel off eigenvalues until the rest fit the semicircle of their own variance
    rest = total
    for peeled, square in enumerate(squares[: n // 2]):
        variance = rest / max(n * (n - 1) - peeled * n, n)
        if square <= (2.0 * 1.12) ** 2 * variance * n:
            break
        rest -= float(square)
    return float(np.sqrt(max(rest, 0.0) / pairs)), float(np.sqrt(max(total - rest, 0.0) / pairs))


def score(values: Matrix, labels: Labels) -> Score | None:
    """Score a partition; None where nothing speaks for it, such as a group without outsiders."""
    member = indicator(labels)
    size = member.sum(axis=0)
    if len(size) < 2 or not (size >= 2).any():
        return None
    own = member.argmax(axis=1)
    grouped = np.flatnonzero(size[own] >= 2)
    means, count = _means(values, member)
    inside = means[np.arange(len(own)), own]
    others = means.copy()
    others[np.arange(len(own)), own] = np.nan
    usable = grouped[~np.isnan(inside[grouped]) & ~np.isnan(others[grouped]).all(axis=1)]
    if not len(usable):
        return None
    near = np.nanmin(others[usable], axis=1) - inside[usable]
    far = inside[usable] - np.nanmax(others[usable], axis=1)
    inverted = bool(np.median(far) > 0 and size[size >= 2].min() >= 3)
    margin = far if inverted else near
    chosen = np.where(np.isnan(others), -np.inf if inverted else np.inf, others)
    rival = (chosen.argmax(axis=1) if inverted else chosen.argmin(axis=1))[usable]
    jump = float(np.median(margin))
    leaks = _leaks(values, labels, own, jump, inverted)
    if jump <= LEAST_JUMP or leaks > MOST_LEAKS or len(usable) < LEAST_COVERAGE * len(own):
        return None
    return _judged(values, labels, usable, margin, rival, own, count, leaks, inverted)


def _judged(
    values: Matrix,
    labels: Labels,
    usable: Labels,
    margin: Matrix,
    rival: Labels,
    own: Labels,
    count: Matrix,
    leaks: float,
    inverted: bool,
) -> Score:
    residuals = _residuals(values, indicator(labels))
    noise, order = ordered_spread(residuals)
    noise = max(noise, _FLOOR)
    error = (
        noise
        * _few_values(values, labels)
        * np.sqrt(
            1 / np.maximum(count[usable, own[usable]], 1) + 1 / np.maximum(count[usable, rival], 1)
        )
    )
    strength = margin / np.sqrt(error**2 + order**2)
    groups = np.unique(own[usable])
    by_group = np.array([np.median(margin[own[usable] == g]) for g in groups])
    jump = float(np.median(margin))
    size = np.bincount(own)
    spare = 0 if len(usable) < 12 else max(1, len(usable) // 25)
    ranked = np.argsort(strength)
    return Score(
        jump=jump,
        noise=noise,
        order=order,
        worst=float(strength[ranked[spare]]),
        coverage=len(usable) / len(labels),
        evenness=float(by_group.min() / jump) if jump > 0 else 0.0,
        regular=float(np.bincount(size[own][usable]).max() / len(usable)),
        leaks=leaks,
        mixed=_mixed(residuals, own, size, max(noise, 0.2 * jump)),
        kinds=_kinds(values, size[own] >= 2, noise, order),
        groups=int((size >= 2).sum()),
        smallest=int(size[size >= 2].min()),
        largest=int(size.max()),
        inverted=inverted,
    )


def _leaks(values: Matrix, labels: Labels, own: Labels, jump: float, inverted: bool) -> float:
    """Return the share of units without a group that have an insider's value to another one."""
    size = np.bincount(own)
    single = np.flatnonzero(size[own] == 1)
    if not len(single) or inverted:
        return 0.0
    same = (labels[:, None] == labels[None, :]) & ~np.eye(len(labels), dtype=bool)
    limit = float(np.nanmedian(values[same])) + jump / 2
    with np.errstate(invalid="ignore"):
        close = (values[single] < limit).any(axis=1)
    return float(close.sum()) / len(labels)


def _kinds(values: Matrix, grouped: NDArray[np.bool_], noise: float, order: float) -> float:
    """Return how far apart the mean values among grouped and lone units are, in standard errors.

    What two lone units have between them is the very value for which they may stand alone.
    """
    lone = np.flatnonzero(~grouped)
    if len(lone) < 2:
        return 0.0
    own = np.flatnonzero(grouped)
    blocks = [values[np.ix_(a, b)] for a, b in ((own, own), (own, lone), (lone, lone))]
    known = [block[~np.isnan(block)] for block in blocks[: 2 + (len(lone) > 2)]]
    if any(len(k) == 0 for k in known):
        return 0.0
    centre = [float(np.median(k)) for k in known]
    error = noise * float(np.sqrt(2 * sum(1 / len(k) for k in known))) + order + 0.01
    return (max(centre) - min(centre)) / error


def _few_values(values: Matrix, labels: Labels) -> float:
    """Return the factor by which noise may be larger than a few values make it look."""
    groups = len(np.unique(labels))
    known = int(np.sum(~np.isnan(values[np.triu_indices(len(values), 1)])))
    return 1 + _DOUBT / max(known - groups * (groups + 1) / 2, 1)

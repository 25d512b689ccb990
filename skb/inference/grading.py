"""What lies between units that form no groups: nothing, a grade by position, or disorder."""

from __future__ import annotations

import numpy as np

from skb.inference.clustering import Matrix, profile_distance
from skb.inference.scoring import ordered_spread

# a spread below this (logarithm) is none
_FLAT = 0.02
# so many units show order in their eigenvalues; fewer are held against shuffles
_MANY = 24
_SHUFFLES = (99, 900)  # the second lot only where no shuffle of the first is as much alike
# so many units tell disorder from an order that is too weak, where few shuffles are less alike
_JUDGED = 12
_CHANCE = 0.9


def shape_of(between: Matrix) -> str:
    """Return "graded", "flat", "random", "unordered", or nothing where there are too few units.

    "random" values are as a shuffle of them would be; of "unordered" ones not even that is sure.
    """
    n = len(between)
    upper = between[np.triu_indices(n, 1)]
    known = upper[~np.isnan(upper)]
    if n < 4 or not len(known):
        return ""
    spread = float(np.std(known))
    if spread < _FLAT:
        return "flat"
    if n >= _MANY:
        noise, order = ordered_spread(between - float(np.median(known)))
        graded = order > _FLAT and order > noise
        # noise that has no order and is no more than timers make leaves the machine flat
        if graded or spread < 0.1:
            return "graded" if graded else "flat"
        return "random" if order < 0.5 * noise else "unordered"
    real, above = _agreement(between) if n > 4 else (0.0, 0.0)
    if real > 0.3 and above == 1.0:
        return "graded"
    if spread < 0.1 and n > 4:
        return "flat"
    return "random" if n >= _JUDGED and above < _CHANCE else "unordered"


def _agreement(between: Matrix) -> tuple[float, float]:
    """Tell how alike near units see the others, and the share of shuffles that it exceeds.

    It is the correlation of distance with profile distance, held against shuffles of the values.
    """
    n = len(between)
    rows, columns = np.triu_indices(n, 1)
    values = between[rows, columns]

    def agreement(upper: Matrix) -> float:
        square = np.full((n, n), np.nan)
        square[rows, columns] = square[columns, rows] = upper
        apart = profile_distance(square)[rows, columns]
        known = ~np.isnan(upper) & ~np.isnan(apart)
        if known.sum() < 6 or np.std(apart[known]) < 1e-9 or np.std(upper[known]) < 1e-9:
            return 0.0
        return float(np.corrcoef(upper[known], apart[known])[0, 1])

    random = np.random.default_rng(0)
    real = agreement(values)
    less: list[bool] = []
    for lot in _SHUFFLES:
        less += [agreement(random.permutation(values)) < real for _ in range(lot)]
        if not all(less):
            break
    return real, sum(less) / len(less)

"""Values that cannot be right: those that no PU alike confirms, on either side of the pair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skb.inference.clustering import Matrix, middle, profile_distance
from skb.inference.scoring import robust_spread

Mask = NDArray[np.bool_]

# fewer PUs have too few likes to judge a value by
_LEAST_PUS = 8
# three likes on each side: two PUs of a core with four threads outvote one from elsewhere
_LIKES = 3
_ENOUGH = 4
_FAR = 0.25
# more than this share far from their likes is how the machine is, not a fault
_MOST = 0.06


def without_strays(values: Matrix) -> tuple[Matrix, int]:
    """Return the matrix with stray values made blank, and how many pairs that are.

    A value is expected to be the median of what the PUs alike measured with the same partner. Far
    too low values are also what the threads of a core have among themselves: they stand where most
    PUs have one, and only a value that ties two such groups together is a stray.
    """
    n = len(values)
    if n < _LEAST_PUS:
        return values, 0
    expected, upper = _expected(values)
    apart = values - expected
    usual = robust_spread(apart[np.triu_indices(n, 1)])
    limit = max(_FAR, 5 * usual)
    with np.errstate(invalid="ignore"):
        high = values - upper > limit
        low = apart < -limit
    stray = high | _ties(low, apart)
    count = int(np.triu(stray, 1).sum())
    if count == 0 or count > max(1, _MOST * n * (n - 1) / 2):
        return values, 0
    return np.where(stray, np.nan, values), count


def _expected(values: Matrix) -> tuple[Matrix, Matrix]:
    """Return for each pair the median and the second largest over the three likes of either PU.

    Likes may be threads of the partner's own core, so that two of the values are lower by right;
    of fewer than four values the largest is taken.
    """
    n = len(values)
    profile = profile_distance(values)
    likes = np.argsort(np.where(np.isnan(profile), np.inf, profile), axis=1)[:, :_LIKES]
    seen = np.stack([values[likes[:, k]] for k in range(_LIKES)], axis=-1)
    own = np.arange(n)
    for k in range(_LIKES):
        seen[own, likes[:, k], k] = np.nan
    seen = np.concatenate([seen, seen.transpose(1, 0, 2)], axis=-1)
    known = np.where(np.isnan(seen), -np.inf, seen)
    ordered = np.sort(known, axis=-1)
    enough = np.isfinite(known).sum(axis=-1) >= _ENOUGH
    upper = np.where(enough, ordered[..., -2], ordered[..., -1])
    return middle(seen), np.where(np.isfinite(upper), upper, np.nan)


def _ties(low: Mask, apart: Matrix) -> Mask:
    """Return which of the low values are strays."""
    import networkx as nx

    if low.any(axis=1).sum() < 0.25 * len(low):
        return low
    common = low.astype(int) @ low.astype(int)
    alone = low & (common == 0)
    # what a PU has with its partner is the lowest of its values on most PUs
    lowest = np.where(low, apart, np.inf).min(axis=1)
    usual = float(np.median(lowest[np.isfinite(lowest)]))
    unusual = np.where(alone, np.abs(apart - usual), np.inf)
    graph = nx.Graph()
    for i, row in enumerate(unusual):
        # the two likeliest partners of each PU are enough to choose among
        for j in np.argsort(row)[:2]:
            if np.isfinite(row[j]):
                graph.add_edge(i, int(j), weight=-float(row[j]))
    stray: Mask = alone.copy()
    # as many PUs as can have one partner, and then those whose value is most usual
    for i, j in nx.max_weight_matching(graph, maxcardinality=True):
        stray[i, j] = stray[j, i] = False
    return stray

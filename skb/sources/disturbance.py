"""Which PUs and pairs of a measured table look disturbed: robust, without knowing the structure.

On a healthy machine all PUs see much the same distribution of costs, whatever the structure, and
PUs at the same places differ little. So a PU is compared with all others by the deciles of its
costs, as a sender and as a receiver. Being far alone is no fault: a corner of a mesh is far too. A
PU is reported only where its costs are both off and unstable (spread, or without one the
difference of the two directions), each beyond the usual limit of the modified z-score (3.5:
Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993); once one is, others that are beyond
2 in both, the usual five per cent, are named with it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skb.sources.pair_table import PairTable
from skb.wording import counted, spans

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

_LIMIT = 3.5
_NOTICED = 2.0
# a table that is smoother than this would make every difference an outlier
_LEAST_DEVIATION = 0.01
_LEAST_INSTABILITY = 0.1
_LEAST_PUS = 8
_DECILES = tuple(np.arange(0.1, 0.95, 0.1))
_MAD_TO_SIGMA = 1.4826
_PEERS = 3
_PROFILE = 128
_SUSPICIOUS_RATIO = 1.5
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Disturbed:
    """PUs (positions in the table) that look disturbed in one direction, and by how much."""

    strong: tuple[int, ...]
    weak: tuple[int, ...]
    ratio: float


def disturbed(values: Matrix, spread: Matrix) -> Disturbed | None:
    """Return the disturbed senders of a matrix (rows), None where there are none.

    `values[i, j]` is the cost from i to j, `spread` of the same shape, NaN where unknown.
    """
    if len(values) < _LEAST_PUS:
        return None
    with warnings.catch_warnings():
        # rows without any number give NaN, which compares as undisturbed
        warnings.simplefilter("ignore", RuntimeWarning)
        deciles = np.log(np.nanquantile(_positive(values), _DECILES, axis=1))
        shift = np.nanmedian(deciles - np.nanmedian(deciles, axis=1, keepdims=True), axis=0)
        off = _score(shift, _LEAST_DEVIATION)
        unstable = _score(_instability(values, spread), _LEAST_INSTABILITY)
    strong = (off > _LIMIT) & (unstable > _LIMIT)
    if not strong.any():
        return None
    weak = (off > _NOTICED) & (unstable > _NOTICED) & ~strong
    typical = float(np.nanmedian(shift))
    return Disturbed(
        tuple(np.flatnonzero(strong).tolist()),
        tuple(np.flatnonzero(weak).tolist()),
        float(np.exp(np.max(shift[strong]) - typical)),
    )


def _positive(values: Matrix) -> Matrix:
    return np.where(values > 0, values, np.nan)


def _instability(values: Matrix, spread: Matrix) -> Vector:
    """The median of relative spread by row in logarithms, else of the two directions' ratio."""
    cost = _positive(values)
    if np.isfinite(spread).sum() * 2 > np.isfinite(values).sum():
        share = spread / cost
        # a spread of 0 is one below the resolution of the clock
        least = max(float(np.nanmedian(share)) / 100, 1e-6)
        return np.asarray(np.nanmedian(np.log(np.maximum(share, least)), axis=1))
    return np.asarray(np.nanmedian(np.abs(np.log(cost / cost.T)), axis=1))


def _score(numbers: Vector, least: float) -> Vector:
    """Distance from the median in robust standard deviations (NaN compares as near)."""
    centre = np.nanmedian(numbers)
    scale = _MAD_TO_SIGMA * np.nanmedian(np.abs(numbers - centre))
    return np.asarray((numbers - centre) / max(float(scale), least))


def disturbed_notes(table: PairTable, what: str) -> tuple[str, ...]:
    """Say which PUs of a table look disturbed, as senders and as receivers."""
    values, spread = table.dense(table.values), table.dense(table.spread)
    if values is None or spread is None:
        return ()
    notes = []
    for side, found in (
        ("senders", disturbed(values, spread)),
        ("receivers", disturbed(values.T, spread.T)),
    ):
        if found is None:
            continue
        both = [table.pus[at] for at in (*found.strong, *found.weak)]
        grade = ""
        if found.weak:
            strong, weak = ([table.pus[at] for at in some] for some in (found.strong, found.weak))
            grade = f"; PUs {spans(strong)} strongly, {spans(weak)} less"
        notes.append(
            f"{table.by}: PUs {spans(both)} look disturbed as {side} ({what} up to "
            f"{found.ratio:.1f} times that of their peers, and unstable{grade}); measure them again"
        )
    return tuple(notes)


def suspicious_pairs(values: Matrix) -> list[tuple[int, int, float]]:
    """Return pairs that hardly a pair of like ends agrees with, the worst first.

    The peers of a PU are those whose costs to everybody else are most alike; a pair is compared
    with the pairs of either end's peers, and with the one that comes second nearest. Gives (from,
    to, what that one costs).
    """
    if len(values) < _LEAST_PUS or np.isfinite(values).sum() * 2 < values.size:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        cost = np.log(_positive(values))
        nearest = _nearest(cost)
        ratio = np.abs(cost - nearest)
        # siblings of a core have nobody at their distance: the cheapest partner is no fault
        least = np.nanmin(cost, axis=1)
        ratio[(cost <= least[:, None]) | (cost <= least[None, :])] = np.nan
        scale = _MAD_TO_SIGMA * float(np.nanmedian(ratio))
    limit = max(np.log(_SUSPICIOUS_RATIO), _LIMIT * scale)
    far = np.argwhere(np.nan_to_num(ratio) > limit)
    rows = [(int(i), int(j), float(np.exp(nearest[i, j]))) for i, j in far]
    return sorted(rows, key=lambda row: (-ratio[row[0], row[1]], row[0], row[1]))


def _nearest(cost: Matrix) -> Matrix:
    """What of the peers' pairs comes second nearest to each pair: one may agree by chance."""
    peers = _peers(cost).T
    others = np.concatenate([[cost[some, :] for some in peers], [cost[:, some] for some in peers]])
    gap = np.nan_to_num(np.abs(cost - others), nan=np.inf)
    second = np.argpartition(gap, 1, axis=0)[1:2]
    return np.asarray(np.take_along_axis(others, second, axis=0)[0])


def _peers(cost: Matrix) -> NDArray[np.int64]:
    """The most alike rows of each row: the mean difference of logarithms, each limited."""
    size = len(cost)
    profile = cost[:, :: max(1, size // _PROFILE)].astype(np.float32)
    known = np.isfinite(profile)
    found = np.empty((size, _PEERS), dtype=np.int64)
    for row in range(size):
        # one pair that is far off shall not make two rows strangers
        apart = np.minimum(np.abs(profile - profile[row]), np.log(_SUSPICIOUS_RATIO))
        both = known & known[row]
        total = np.where(both, apart, 0).sum(axis=1)
        mean = np.divide(total, both.sum(axis=1), out=np.full(size, np.inf), where=both.any(axis=1))
        mean[row] = np.inf
        found[row] = np.argsort(mean, kind="stable")[:_PEERS]
    return found


def suspicious_notes(table: PairTable) -> tuple[str, ...]:
    """Name a few pairs that are far off what their peers measure."""
    values = table.dense(table.values)
    found = [] if values is None else suspicious_pairs(values)
    if not found or values is None:
        return ()
    seen: dict[frozenset[int], str] = {}
    for i, j, expected in found:
        ends = frozenset((table.pus[i], table.pus[j]))
        low, high = sorted(ends)
        seen.setdefault(ends, f"{low} and {high} ({values[i, j]:g}, peers {expected:g})")
    named = list(seen.values())[:_NAMED]
    more = ", …" if len(seen) > len(named) else ""
    return (
        f"{table.by}: {counted(len(seen), 'pair')} of PUs far off what their peers measure: "
        f"{'; '.join(named)}{more}",
    )

"""From a raw matrix to one clean logarithm per pair: symmetry, blanks, disturbed PUs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skb.errors import RequestError
from skb.inference.cleaning import without_strays
from skb.inference.clustering import Matrix, middle

# values of the two directions that differ by more than this factor beyond what is usual in the
# matrix are a disturbed measurement, and disturbances only make a message slower
_DISAGREE = 0.35
_DISTURBED = 0.15
_MAX_PUS = 4096


@dataclass(frozen=True, slots=True)
class Prepared:
    """Logarithms, symmetric, NaN on the diagonal and where nothing is known.

    `slower` maps a PU to the factor by which all of its values were above those of its like; they
    were divided by it. `alone` are the PUs without any value.
    """

    values: Matrix
    slower: dict[int, float]
    alone: tuple[int, ...]
    notes: tuple[str, ...]


def prepare(latency: Matrix) -> Prepared:
    """Read a matrix of latencies, in any unit; zero, negative and infinite values are unknown.

    Raises `RequestError` where it is no square matrix or holds more than 4096 rows.
    """
    raw = np.array(latency, dtype=np.float64)
    if raw.ndim != 2 or raw.shape[0] != raw.shape[1]:
        raise RequestError(
            f"the latency matrix has the shape {raw.shape}", mend="give one row and column per PU"
        )
    if len(raw) > _MAX_PUS:
        raise RequestError(
            f"the latency matrix has {len(raw)} rows, the limit is {_MAX_PUS}",
            mend="leave PUs out, for example the second threads of all cores",
        )
    raw[~np.isfinite(raw) | (raw <= 0)] = np.nan
    np.fill_diagonal(raw, np.nan)
    with np.errstate(invalid="ignore"):
        logs = np.log(raw)
    values, notes = _symmetric(logs)
    alone = tuple(int(i) for i in np.flatnonzero(np.isnan(values).all(axis=1)))
    blank = int(np.isnan(values[np.triu_indices(len(values), 1)]).sum())
    if blank:
        notes.append(f"pairs that were not measured: {blank}")
    slower = _slower(values)
    for pu, factor in slower.items():
        values[pu] -= np.log(factor)
        values[:, pu] -= np.log(factor)
    values, strays = without_strays(values)
    if strays:
        notes.append(f"pairs far from what the PUs alike measured, left out: {strays}")
    return Prepared(values, slower, alone, tuple(notes))


def _symmetric(logs: Matrix) -> tuple[Matrix, list[str]]:
    """Return the geometric mean of both directions, or the one that was measured."""
    notes: list[str] = []
    both = ~np.isnan(logs) & ~np.isnan(logs.T)
    apart = np.where(both, logs - logs.T, 0.0)
    size = np.abs(apart[np.triu(both, 1)])
    usual = float(np.median(size)) if len(size) else 0.0
    wild = both & (np.abs(apart) > _DISAGREE + 4 * usual)
    mean = np.where(both, (logs + logs.T) / 2, np.where(np.isnan(logs), logs.T, logs))
    # a few wild ones are disturbed; many are how this machine is
    few = wild.sum() <= 0.1 * max(both.sum(), 1)
    if wild.any() and few:
        mean = np.where(wild, np.minimum(logs, logs.T), mean)
        count = int(wild.sum()) // 2
        notes.append(f"pairs that differ widely by direction, the lower value was taken: {count}")
    elif usual > 0.1:
        notes.append(
            f"the two directions of a pair differ by {np.expm1(usual):.0%}; their mean was taken"
        )
    found: Matrix = mean
    return found, notes


def _slower(values: Matrix) -> dict[int, float]:
    """Find the few PUs whose values are all above those of their like by one factor.

    Rows are compared quantile by quantile, so that unequal numbers of near and far PUs do not
    matter; a PU is disturbed only if no other is slow in the same way.
    """
    n = len(values)
    if n < 6:
        return {}
    steps = np.linspace(0.1, 0.9, 17)
    known = (~np.isnan(values)).sum(axis=1)
    rows = np.flatnonzero(known >= max(4, n // 2))
    if len(rows) < 6:
        return {}
    ordered = np.sort(values[rows], axis=1)
    place = np.clip(np.round(steps * (known[rows, None] - 1)).astype(int), 0, n - 1)
    table = np.take_along_axis(ordered, place, axis=1)
    shift = table - middle(table.T)[None, :]
    effect = np.median(shift, axis=1)
    spread = max(float(np.median(np.abs(effect))) * 1.4826, 0.01)
    even = np.quantile(np.abs(shift - effect[:, None]), 0.75, axis=1)
    odd = (effect > max(_DISTURBED, 6 * spread)) & (even < 0.5 * effect)
    if odd.sum() > max(1, n // 10):
        return {}
    return {int(rows[k]): float(np.exp(effect[k])) for k in np.flatnonzero(odd)}

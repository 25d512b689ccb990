"""The whole way: prepare a matrix, search its levels, name them, look at what is left over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skb.inference.clustering import Labels, Matrix
from skb.inference.confidence import calibrated
from skb.inference.grading import shape_of
from skb.inference.levels import LEAST, Found, contract, search
from skb.inference.naming import name_of, reason
from skb.inference.preparation import Prepared, prepare
from skb.inference.structure import Level, Structure

# fewer units show no order, whatever there is
_FEW = 6
# hardware without any order differs by less than this between the tenths at either end
_WIDE = 1.3


def infer(latency: Matrix, names: Sequence[int] | None = None) -> Structure:
    """Return the levels that an n x n latency matrix shows, with a confidence for each.

    Any unit; NaN, zero and negative values are unknown; the diagonal is ignored; the two directions
    of a pair may differ. `names` are the numbers of the PUs, for the notes. Raises `RequestError`
    where it is no square matrix.
    """
    ready = prepare(latency)
    names = range(len(ready.values)) if names is None else names
    members = np.array(
        [i for i in range(len(ready.values)) if i not in ready.alone], dtype=np.int64
    )
    values = ready.values[np.ix_(members, members)]
    found = [f for f in search(values) if f.confidence >= LEAST]
    levels: list[Level] = []
    for at in range(len(found)):
        cores = bool(levels) and levels[0].kind == "core"
        levels.append(_level(values, found, at, cores, members, ready.alone))
    outer = found[-1].labels if found else np.arange(len(values))
    between = contract(values, outer)
    shape = shape_of(between)
    notes = [*ready.notes, *_disturbed(ready, names), *_paired(values, found, members, names)]
    if said := _left_over(shape, between, bool(found)):
        notes.append(said)
    return Structure(
        tuple(levels), shape == "graded", tuple(notes), tuple(sorted(ready.slower)), ready.alone
    )


def _level(
    values: Matrix,
    found: list[Found],
    at: int,
    cores: bool,
    members: Labels,
    alone: tuple[int, ...],
) -> Level:
    labels = found[at].labels
    inner = found[at - 1].labels if at else np.arange(len(labels))
    inside = (labels[:, None] == labels[None, :]) & (inner[:, None] != inner[None, :])
    latency = float(np.exp(np.nanmedian(values[inside])))
    outside = float(np.exp(_nearest(values, labels)))
    kind, sure, because = name_of(found, at, outside / latency, cores)
    groups = [
        tuple(int(members[i]) for i in np.flatnonzero(labels == g)) for g in np.unique(labels)
    ]
    groups += [(pu,) for pu in alone]
    return Level(
        kind=kind,
        groups=tuple(sorted(groups)),
        latency=latency,
        outside=outside,
        confidence=round(calibrated(found[at].confidence), 3),
        name_confidence=sure,
        why=reason(found[at], outside / latency, because),
    )


def _nearest(values: Matrix, labels: Labels) -> float:
    """Return the median over the groups of two and more of the value to their nearest group."""
    between = contract(values, labels)
    rows = between[np.bincount(labels) >= 2]
    rows = rows[~np.isnan(rows).all(axis=1)]
    return float(np.median(np.nanmin(rows, axis=1))) if len(rows) else float("nan")


def _disturbed(ready: Prepared, names: Sequence[int]) -> list[str]:
    notes = [
        f"PU {names[pu]} answers {factor:.2f} times as slowly as its like: disturbed; "
        "the factor was taken out"
        for pu, factor in ready.slower.items()
    ]
    if ready.alone:
        alone = ", ".join(str(names[pu]) for pu in ready.alone)
        notes.append(f"nothing was measured with PU {alone}")
    return notes


def _paired(values: Matrix, found: list[Found], members: Labels, names: Sequence[int]) -> list[str]:
    """Say which pairs of the innermost level were made without a value of their own."""
    if not found:
        return []
    labels = found[0].labels
    pairs = set(found[0].completed)
    for group in np.flatnonzero(np.bincount(labels) == 2):
        a, b = np.flatnonzero(labels == group)
        if np.isnan(values[a, b]):
            pairs.add((int(a), int(b)))
    return [
        f"PUs {names[int(members[a])]} and {names[int(members[b])]} were paired because all others "
        "are: their own value is missing or far off"
        for a, b in sorted(pairs)
    ]


def _left_over(shape: str, between: Matrix, grouped: bool) -> str:
    """Say what lies above the outermost level."""
    what = "the outermost groups" if grouped else "the PUs"
    if shape == "graded":
        return f"graded: no clean groups, the distances between {what} follow position"
    if shape == "flat" and not grouped:
        return "flat: every PU is equally far from every other"
    if shape not in {"unordered", "random"}:
        return ""
    if len(between) < _FEW:
        return f"{what} are too few to tell whether the distances between them follow position"
    known = between[np.triu_indices(len(between), 1)]
    low, high = np.exp(np.nanquantile(known, (0.1, 0.9)))
    if shape == "random" and not grouped and high > _WIDE * low:
        return (
            f"values do not repeat any pattern, though they differ by {high / low - 1:.0%} (the "
            "tenth from below to the tenth from above): were the threads pinned to their PUs?"
        )
    return f"the values between {what} differ without any order that makes groups"

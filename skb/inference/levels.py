"""The search: from single PUs outwards, each accepted level becomes the unit of the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from skb.inference.clustering import (
    Branch,
    Labels,
    Matrix,
    Merges,
    branches,
    cuts,
    equal_groups,
    linkage,
    middle,
    pairs,
    profile_distance,
)
from skb.inference.confidence import KINDS, confidence
from skb.inference.scoring import LEAST_JUMP, Score, block_means, robust_spread, score

# below this a level is not reported
LEAST = 0.05
# a level must be as likely as not before it becomes the unit of the next one
_ACCEPT = 0.5
# a group that stands out by this share of the usual jump belongs to the level
_CLEAR = 0.4
# a level that leaves such a group out is not the whole level
_PARTIAL = 0.5
# of the levels of pairs in which some units stand alone or were paired without their own value,
# about so many are right
_COMPLETED = 0.88
# values that the medians of small blocks may take up in memory
_PADDED = 4_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """An accepted partition of the PUs with its score and confidence."""

    labels: Labels
    score: Score
    confidence: float
    completed: tuple[tuple[int, int], ...] = ()


def search(values: Matrix) -> list[Found]:
    """Return the levels that the logarithms of a latency matrix show, innermost first."""
    units = np.arange(len(values))
    found: list[Found] = []
    while True:
        matrix = contract(values, units)
        best = _innermost(matrix)
        if best is None:
            return found
        labels, spare = best.labels, best.completed
        found.append(
            Found(canonical(labels[units]), best.score, best.confidence, spare if not found else ())
        )
        units = canonical(labels[units])


def canonical(labels: Labels) -> Labels:
    """Number the groups by their first member."""
    _values, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def contract(values: Matrix, labels: Labels) -> Matrix:
    """Return the matrix between groups: means of the blocks, far values pulled in twice."""
    size = np.bincount(canonical(labels))
    if len(size) == len(labels):
        return values.copy()
    if size.max() <= 8 and (size.max() * len(size)) ** 2 <= _PADDED:
        return _medians(values, canonical(labels), size)
    member = (labels[:, None] == np.unique(labels)[None, :]).astype(float)
    own = member.argmax(axis=1)
    clipped = values
    for _round in range(2):
        block = block_means(clipped, member)
        around = block[np.ix_(own, own)]
        limit = 3 * max(robust_spread(clipped - around), 0.01)
        clipped = np.clip(values, around - limit, around + limit)
    block = block_means(clipped, member)
    np.fill_diagonal(block, np.nan)
    return block


def _medians(values: Matrix, labels: Labels, size: Labels) -> Matrix:
    """Return the medians of the blocks between small groups."""
    width = int(size.max())
    place = np.full((len(size), width), len(labels))
    for group in range(len(size)):
        place[group, : size[group]] = np.flatnonzero(labels == group)
    padded = np.pad(values, (0, 1), constant_values=np.nan)
    blocks = padded[place[:, None, :, None], place[None, :, None, :]]
    found = middle(blocks.reshape(len(size), len(size), width * width))
    np.fill_diagonal(found, np.nan)
    return found


def _innermost(matrix: Matrix) -> Found | None:
    """Return the finest partition of the units that is likely."""
    likely = [c for c in _judged(matrix) if c.confidence >= _ACCEPT]
    if not likely:
        return None
    chosen = _best(likely)
    while True:
        finer = [c for c in likely if _refines(c.labels, chosen.labels)]
        if not finer:
            return completed(matrix, chosen)
        chosen = _best(finer)


def _best(likely: list[Found]) -> Found:
    """Return the likeliest candidate, of these the one whose groups are most alike in size.

    Odd sizes among pairs are a pair that was torn or tied.
    """

    def rank(found: Found) -> tuple[float, float, float]:
        regular = found.score.regular
        torn = 1 - regular if found.score.smallest == 2 else 0.0
        return (round(found.confidence * (1 - torn), 2), round(regular, 2), found.score.worst)

    return max(likely, key=rank)


def _judged(matrix: Matrix) -> Iterator[Found]:
    if len(matrix) < 4:
        return
    tree = linkage(matrix)
    grown = branches(tree)
    seen: set[bytes] = set()
    for labels in _candidates(matrix, tree, grown):
        for version in (canonical(labels), moved(matrix, labels)):
            if version.tobytes() in seen:
                continue
            seen.add(version.tobytes())
            result = score(matrix, version)
            if result is not None:
                partial = left_out(grown, version, result.jump)
                yield Found(version, result, confidence(result) * (_PARTIAL if partial else 1.0))


def _candidates(matrix: Matrix, tree: Merges, grown: list[Branch]) -> Iterator[Labels]:
    """Cuts of the dendrograms by value and by profile, equal branches, and the best pairing."""
    paired = pairs(matrix)
    if paired is not None:
        yield paired
    yield from cuts(tree)
    alike = linkage(profile_distance(matrix))
    yield from cuts(alike)
    yield from equal_groups(grown, len(matrix))
    yield from equal_groups(branches(alike), len(matrix))


def left_out(grown: list[Branch], labels: Labels, jump: float) -> bool:
    """Tell whether units that stand alone form a group nearly as clear as those that were made.

    A larger group than those is one of an outer level, a smaller one may be neighbours on a ring.
    """
    size = np.bincount(labels)
    alone = size[labels] == 1
    smallest = size[size > 1].min()
    least = max(LEAST_JUMP, _CLEAR * jump)
    return any(
        smallest <= len(branch.leaves) <= size.max()
        and branch.persistence > least
        and bool(alone[branch.leaves].all())
        for branch in grown
    )


def moved(matrix: Matrix, labels: Labels) -> Labels:
    """Move each unit to the group that it is nearest to, until none moves or five rounds.

    Only groups of three and more attract; a lone unit joins one where it is as near as insiders.
    """
    labels = canonical(labels)
    known = ~np.isnan(matrix)
    filled = np.where(known, matrix, 0.0)
    for _round in range(5):
        size = np.bincount(labels)
        big = np.flatnonzero(size >= (3 if size.max() >= 4 else 2))
        if len(big) < 2 or size.max() < 3:
            return labels
        member = (labels[:, None] == big[None, :]).astype(float)
        count = known.astype(float) @ member
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(count > 0, filled @ member / np.maximum(count, 1), np.inf)
        best = mean.argmin(axis=1)
        nearest = big[best]
        close = np.take_along_axis(mean, best[:, None], axis=1)[:, 0]
        own = np.isin(labels, big)
        inside = np.median(close[own & (labels == nearest)]) if (labels == nearest).any() else 0.0
        outside = np.median(np.sort(mean, axis=1)[:, 1])
        joins = ~own & (close < (inside + outside) / 2)
        target = np.where(own | joins, nearest, labels)
        if (target == labels).all():
            return labels
        labels = canonical(target)
    return labels


def _refines(finer: Labels, coarser: Labels) -> bool:
    """Tell whether each group lies in one of the other's, and most groups are truly smaller."""
    size = np.bincount(finer)
    outer = np.bincount(coarser)
    if len(size) <= len(outer):
        return False
    for group in range(len(size)):
        if len(np.unique(coarser[finer == group])) > 1:
            return False
    first = np.array([int(np.flatnonzero(finer == g)[0]) for g in range(len(size))])
    grouped = size >= 2
    smaller = size[grouped] < outer[coarser[first[grouped]]]
    return bool(smaller.mean() > 0.5)


def completed(matrix: Matrix, found: Found) -> Found:
    """Pair the few leftover units whose own value is blank or far off, where all others pair.

    Two units are paired only where each is the other's single possible partner.
    """
    size = np.bincount(found.labels)
    single = np.flatnonzero(size[found.labels] == 1)
    few = 0 < len(single) <= 0.25 * len(matrix)
    if few and found.score.kinds < KINDS:
        found = replace(found, confidence=0.75 * found.confidence)
    if set(size[size > 1]) != {2} or not 2 <= len(single) <= 0.25 * len(matrix):
        return found
    profile = profile_distance(matrix)
    labels = found.labels.copy()
    usual = found.score.noise + found.score.order
    possible = {
        int(i): {
            int(j) for j in single if j != i and _unknown(matrix, profile, int(i), int(j), usual)
        }
        for i in single
    }
    made = []
    for i, partners in possible.items():
        if len(partners) == 1 and possible[j := next(iter(partners))] == {i} and i < j:
            labels[j] = labels[i]
            made.append((i, j))
    paired = {i for pair in made for i in pair}
    doubt = any(partners for i, partners in possible.items() if i not in paired)
    # who was paired no longer stands alone for no reason
    factor = 0.8 if doubt else 0.97 / 0.75 if made and len(paired) == len(single) else 1.0
    certain = min(_COMPLETED, found.confidence * factor)
    return Found(canonical(labels), found.score, certain, tuple(made))


def _unknown(matrix: Matrix, profile: Matrix, i: int, j: int, usual: float) -> bool:
    """Tell whether two units alike have a value that is blank, or far from those of their like."""
    nearest = np.partition(profile[i], 2)[:3]
    if not profile[i, j] <= 1.5 * float(nearest.max()) + 0.02:
        return False
    if np.isnan(matrix[i, j]):
        return True
    near = np.argsort(profile[j])[:4]
    around = [float(matrix[i, k]) for k in near if k not in (i, j) and not np.isnan(matrix[i, k])]
    if not around:
        return False
    return abs(float(matrix[i, j]) - float(np.median(around))) > max(0.25, 5 * usual)

"""What a level may be called, as far as numbers tell, and the sentence that says why."""

from __future__ import annotations

import numpy as np

from skb.inference.clustering import Labels
from skb.inference.levels import Found

_THREADS = {2, 4, 8}
# a pair of threads answers at least this much faster than the nearest other core; larger groups
# may be cores on one L2 cache and need a clearer jump
_PAIR_RATIO = 1.6
_LARGER_RATIO = 1.9
_CACHE_RATIO = 1.4
# so few cores may as well share an L2 cache
_MANY_CORES = 4
_PACKAGE_RATIO = 1.25
_MOST_PACKAGES = 16


def name_of(found: list[Found], at: int, ratio: float, cores: bool) -> tuple[str, float, str]:
    """Return kind, how sure that name is, and why; `cores` says that level 0 is named core.

    `ratio` is the latency to the nearest other group over that inside. Cores have equally many
    threads (2, 4 or 8). Cores that answer each other quickly do so through the last-level cache
    that they share, on a package or on a part of one. "group" is what numbers cannot tell.
    """
    labels = found[at].labels
    sizes = np.bincount(labels)
    grouped = set(sizes[sizes >= 2].tolist())
    if at == 0 and len(grouped) == 1 and grouped <= _THREADS:
        size = grouped.pop()
        # four or eight may be cores around one cache, unless a level lies between them and the rest
        inner = len(found) > 1 and not bool((sizes == 1).any())
        if ratio >= (_PAIR_RATIO if size == 2 else _LARGER_RATIO) and (size == 2 or inner):
            sure = 0.5 if size > 2 else 0.9 if ratio > 2 else 0.7
            return "core", sure, f"{size} PUs of a core answer this fast"
    first = 1 if cores else 0
    if at == first and ratio >= _CACHE_RATIO and _most_inner(found, at) > _MANY_CORES:
        return "l3", 0.7, "cores on one last-level cache answer this fast"
    outermost = at == len(found) - 1
    if at > first and outermost and ratio >= _PACKAGE_RATIO and len(sizes) <= _MOST_PACKAGES:
        return "package", 0.6, "the outermost of several levels: packages, or dies of one"
    return "group", 0.5, "numbers alone do not tell what these share"


def _most_inner(found: list[Found], at: int) -> int:
    """Return how many groups of the level within, or PUs, the largest group holds."""
    labels: Labels = found[at].labels
    inner = found[at - 1].labels if at else np.arange(len(labels))
    return max(len(np.unique(inner[labels == group])) for group in np.unique(labels))


def reason(found: Found, ratio: float, because: str) -> str:
    """Return the sentence that says what speaks for a level."""
    way = "farther" if ratio >= 1 else "nearer"
    return (
        f"{because}; the next group is {abs(ratio - 1):.0%} {way} than the members, and the worst "
        f"member {found.score.worst:.1f} standard errors from belonging there"
    )

"""Limits of `buffers` that follow from those given as flows are whole: extended cover inequalities.

Where options together exceed a limit one of them is left out; and of these and all that take no
less than the largest of them, at most as many less one are picked (Balas, Mathematical Programming
8, 1975). Which of these a mixture of answers breaks is sought greedily, and the relaxation prices
them like any limit: it comes nearer to whole answers where a few large uses fill a limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from skb.engines.buffers_bound import Bounded, bounded
from skb.engines.buffers_choice import Choice

if TYPE_CHECKING:
    from skb.engines.buffers_choice import Floats, Ints

TURNS, _ROUNDS, _MOST = 12, 60, 200
# by how much a mixture breaks a limit worth adding
_BROKEN = 0.02
Cover = tuple["Ints", int]


def tightened(
    problem: Choice, bound: Bounded, upper: float | None, turns: int = TURNS
) -> tuple[Choice, Bounded]:
    """Return the choice with limits that follow, and the bound with these.

    An answer keeps them where it keeps the others, so that options and answers are the same.
    """
    import numpy as np

    for _ in range(turns):
        if upper is not None and bound.relaxed.bound > upper - 1:
            break
        covers = list(_covers(problem, bound.mix))
        if not covers or len(problem.limit) - problem.real + len(covers) > _MOST:
            break
        problem = _with(problem, covers)
        start = np.append(bound.multipliers, np.zeros(len(covers)))
        bound = bounded(problem, upper, start, _ROUNDS, bound.mix)
    return problem, bound


def _owners(problem: Choice) -> Ints:
    """Return the option of each use."""
    import numpy as np

    return np.repeat(np.arange(len(problem.price)), np.diff(problem.use_of))


def _covers(problem: Choice, mix: Floats) -> Iterator[Cover]:
    """Yield options, and how many of them are picked at most, where the mixture has more."""
    import numpy as np

    owner = _owners(problem)
    seen = set()
    for resource in range(problem.real):
        own = (problem.resource == resource) & (problem.amount > 0)
        option, amount, limit = owner[own], problem.amount[own], int(problem.limit[resource])
        if int(amount.sum()) <= limit:
            continue
        part = mix[option]
        for rank in ((part - 1) / amount, part, part * amount):
            cover = _cover(amount, part, np.argsort(-rank, kind="stable"), limit)
            wide = np.flatnonzero(amount >= amount[cover].max())
            wide = np.union1d(wide, np.array(cover, dtype=np.int64))
            most = len(cover) - 1
            key = (resource, most, wide.tobytes())
            if part[wide].sum() > most + _BROKEN and key not in seen:
                seen.add(key)
                yield option[wide], most


def _cover(amount: Ints, part: Floats, order: Ints, limit: int) -> list[int]:
    """Return the first in an order that exceed a limit, without those that it takes not."""
    import numpy as np

    first = int(np.searchsorted(np.cumsum(amount[order]), limit, side="right")) + 1
    kept: list[int] = order[:first].tolist()
    size = int(amount[kept].sum())
    for one in sorted(kept, key=part.__getitem__):
        if size - int(amount[one]) > limit:
            kept.remove(one)
            size -= int(amount[one])
    return kept


def _with(problem: Choice, covers: list[Cover]) -> Choice:
    import numpy as np

    none, count = len(problem.limit), len(covers)
    resource = np.where(problem.resource == none, none + count, problem.resource)
    numbers = [np.full(len(cover[0]), none + at, np.int64) for at, cover in enumerate(covers)]
    owner = np.concatenate((_owners(problem), *(cover[0] for cover in covers)))
    order = np.argsort(owner, kind="stable")
    ones = np.ones(len(owner) - len(resource), np.int64)
    ends = np.cumsum(np.bincount(owner, minlength=len(problem.price)))
    return replace(
        problem,
        resource=np.concatenate((resource, *numbers))[order],
        amount=np.concatenate((problem.amount, ones))[order],
        limit=np.append(problem.limit, [most for _, most in covers]),
        step=np.append(problem.step, np.ones(count, np.int64)),
        use_of=np.append(0, ends),
        own=problem.real,
    )

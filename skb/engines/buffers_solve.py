"""The engine of `buffers`: bound, answer, and the proof where the states are few enough.

Work is counted (rounds, trades, states); the deadline is only a fuse. A choice that cannot be
satisfied is told apart from one whose answer was not found: see `buffers_clash`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

from skb.engines.buffers_bound import bounded
from skb.engines.buffers_choice import Choice
from skb.engines.buffers_clash import Families, clash
from skb.engines.buffers_cuts import tightened
from skb.engines.buffers_exact import BRANCHES, FEW, improve
from skb.engines.buffers_greedy import WORK, answered, total
from skb.engines.buffers_narrow import narrowed

if TYPE_CHECKING:
    from skb.engines.buffers_choice import Floats

# a further effort is made where the gap is above this share
NEAR = 5e-4
_FIRST, _LAST = 60, 200
_MORE_WORK = 20 * WORK
# where many groups stay far from the bound
_STEEPER = 3
_EFFORTS = (1, _STEEPER, _STEEPER**2)
# more groups or options than these are not gone through state by state
EXACT_GROUPS, EXACT_OPTIONS = 400, 20_000
_WIDER = 1.7


@dataclass(frozen=True, slots=True)
class Solved:
    """Options in the order of the pieces of the picked blocks (None: none found), a lower bound of
    the price, whether the answer is proven (or that there is none), and the last multipliers.
    """

    picked: list[int] | None
    value: int | None
    bound: int
    proven: bool
    multipliers: Floats


def quick(problem: Choice) -> Solved:
    """Return a bound and an answer, in some ten milliseconds for thousands of flows."""
    bound = bounded(problem, rounds=_FIRST)
    first = answered(problem, bound)
    value = None if first is None else total(problem, first)
    least = ceil(bound.relaxed.bound)
    return Solved(first, value, least, value is not None and value <= least, bound.multipliers)


def solve(problem: Choice, deadline: float, base: int = 0, families: Families = ()) -> Solved:
    """Return the best answer found, a bound, and the proof where it can be had.

    `base` is what every answer pays besides: an answer is near the bound as a share of all.
    `families` are limits of one kind, for `clash`.
    """
    found = quick(problem)
    if found.proven:
        return found
    if found.picked is None:
        if clash(problem, families) is not None:
            return replace(found, proven=True)
        # the rest of the time is for saying why
        deadline -= max(0.0, deadline - time.monotonic()) / 2
    exact = problem.groups <= EXACT_GROUPS and len(problem.price) <= EXACT_OPTIONS
    if not exact and found.value is not None and _near(found.value, found.bound, base):
        return found
    now, began, spent = found, time.monotonic(), 0.0
    for effort in _EFFORTS:
        # an effort is not interrupted, so the next one begins only where it will end in time
        if time.monotonic() + _STEEPER * spent > deadline:
            return now
        began = time.monotonic()
        bound = bounded(problem, now.value, now.multipliers, effort * _LAST)
        picked, value = now.picked, now.value
        better = answered(problem, bound, effort * _MORE_WORK)
        if better is not None and (value is None or total(problem, better) < value):
            picked, value = better, total(problem, better)
        least = max(now.bound, ceil(bound.relaxed.bound))
        now = Solved(picked, value, least, value is not None and value <= least, bound.multipliers)
        spent = time.monotonic() - began
        if exact or now.proven or (value is not None and _near(value, least, base)):
            break
    if not exact or now.proven:
        return now
    own = now.multipliers
    now = _proven(problem, now, deadline, FEW)
    if now.proven or time.monotonic() > deadline:
        return now
    tight, now = _tighter(problem, now)
    if not now.proven:
        now = _proven(tight, now, deadline, BRANCHES)
    if now.proven or (now.value is not None and _near(now.value, now.bound, base)):
        return now
    # as many branches again without the limits that follow, each of them quicker
    return _proven(problem, replace(now, multipliers=own), deadline, BRANCHES)


def _near(value: int, bound: int, base: int) -> bool:
    return value - bound <= NEAR * (value + base)


def _proven(problem: Choice, found: Solved, deadline: float, branches: int) -> Solved:
    """Look for the best answer in a room above the bound that grows until one is there."""
    least, value = found.bound, found.value
    span = max(1, _span(problem)) if value is None else value - least
    step = max(1.0, span / 16)
    while time.monotonic() < deadline:
        below = least + ceil(step)
        # without a known answer the widest room is all of it
        last = below >= value if value is not None else ceil(step) > span
        limit = value if last and value is not None else below
        proof = improve(narrowed(problem, found.multipliers, limit), limit, deadline, branches)
        if proof.picked is not None:
            best = proof.value
            bound = best if proof.done else least
            return Solved(proof.picked, best, bound, proof.done, found.multipliers)
        if not proof.done:
            break
        if last:
            bound = least if value is None else value
            return Solved(found.picked, value, bound, True, found.multipliers)
        least, step = below, step * _WIDER
    return Solved(found.picked, value, least, False, found.multipliers)


def _tighter(problem: Choice, found: Solved) -> tuple[Choice, Solved]:
    """Return the choice with limits that follow from its own, and the bound that they give."""
    upper = None if found.value is None else float(found.value)
    bound = bounded(problem, upper, found.multipliers, _LAST)
    tight, bound = tightened(problem, bound, upper)
    picked, value = found.picked, found.value
    least = max(found.bound, ceil(bound.relaxed.bound))
    proven = value is not None and value <= least
    return tight, Solved(picked, value, least, proven, bound.multipliers)


def _span(problem: Choice) -> int:
    """Return more than any two answers differ by."""
    import numpy as np

    rows = problem.option_of[:-1]
    most = np.maximum.reduceat(problem.price, rows) - np.minimum.reduceat(problem.price, rows)
    return int(most.sum()) + int(problem.price.max())

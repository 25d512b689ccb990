"""The engine of buffers against full enumeration; bounds, proofs and clashes of random choices."""

from __future__ import annotations

import time
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.benching.decisions_buffers import NEAR, bare
from skb.engines.buffers_bound import bounded
from skb.engines.buffers_choice import Choice, choice
from skb.engines.buffers_clash import clash
from skb.engines.buffers_cuts import tightened
from skb.engines.buffers_exact import improve
from skb.engines.buffers_narrow import narrowed
from skb.engines.buffers_solve import quick, solve

RESOURCES = 3
option = st.tuples(
    st.integers(0, 40),
    st.dictionaries(st.integers(0, RESOURCES - 1), st.integers(1, 9), max_size=2),
)
piece = st.lists(option, min_size=1, max_size=3)
block = st.lists(piece, min_size=1, max_size=2)
group = st.lists(block, min_size=1, max_size=2)
groups_ = st.lists(group, min_size=1, max_size=5)
limits_ = st.lists(st.integers(0, 25), min_size=RESOURCES, max_size=RESOURCES)


def far() -> float:
    """Return a deadline that no test meets."""
    return time.monotonic() + 60


def ways(group: Any) -> list[tuple[int, dict[int, int]]]:
    """Return price and uses of every way to serve a group."""
    found = []
    for block in group:
        for parts in product(*block):
            uses: dict[int, int] = {}
            for _, own in parts:
                for resource, amount in own.items():
                    uses[resource] = uses.get(resource, 0) + amount
            found.append((sum(price for price, _ in parts), uses))
    return found


def cheapest(groups: Any, limits: list[int]) -> int | None:
    """Return the least price by going through everything, None where nothing fits."""
    states: dict[tuple[int, ...], int] = {(0,) * len(limits): 0}
    for rows in map(ways, groups):
        after: dict[tuple[int, ...], int] = {}
        for state, price in states.items():
            for more, uses in rows:
                used = tuple(a + uses.get(r, 0) for r, a in enumerate(state))
                if all(a <= limit for a, limit in zip(used, limits, strict=True)):
                    after[used] = min(price + more, after.get(used, price + more))
        states = after
    return min(states.values(), default=None)


def fits(groups: Any, limits: list[int]) -> Any:
    """Drop what a limit refuses alone, as the caller of the engine does; None: a group is empty."""
    found = []
    for group in groups:
        blocks = []
        for block in group:
            pieces = [
                [one for one in piece if all(a <= limits[r] for r, a in one[1].items())]
                for piece in block
            ]
            if all(pieces):
                blocks.append(pieces)
        if not blocks:
            return None
        found.append(blocks)
    return found


def price(problem: Choice, picked: list[int], limits: list[int]) -> int:
    """Return the price of picked options; they keep the limits."""
    used = [0] * (len(limits) + 1)
    ends = problem.use_of.tolist()
    step = [*problem.step.tolist(), 1]
    for one in picked:
        for use in range(ends[one], ends[one + 1]):
            resource = int(problem.resource[use])
            used[resource] += int(problem.amount[use]) * step[resource]
    assert all(a <= limit for a, limit in zip(used, limits, strict=False))
    return int(sum(int(problem.price[one]) for one in picked))


@settings(max_examples=150, deadline=None)
@given(groups_, limits_)
def test_buffers_engine_finds_what_full_enumeration_finds(groups: Any, limits: list[int]) -> None:
    """The proven value is the least of all; where nothing fits none is found."""
    best = cheapest(groups, limits)
    kept = fits(groups, limits)
    if kept is None:
        assert best is None
        return
    problem = choice(kept, limits)
    found = solve(problem, far())
    if best is None:
        assert found.picked is None
        return
    assert found.proven
    assert found.picked is not None
    assert (found.value, found.bound) == (best, best)
    assert price(problem, found.picked, limits) == best


@settings(max_examples=100, deadline=None)
@given(groups_, limits_, st.lists(st.integers(0, 50), min_size=RESOURCES, max_size=RESOURCES))
def test_buffers_bound_never_exceeds_the_optimum(
    groups: Any, limits: list[int], start: list[int]
) -> None:
    """Whatever multipliers it begins with, the bound stays at or below the least price."""
    import numpy as np

    best, kept = cheapest(groups, limits), fits(groups, limits)
    if best is None or kept is None:
        return
    problem = choice(kept, limits)
    found = bounded(problem, start=np.array(start, dtype=np.float64), rounds=20)
    assert found.relaxed.bound <= best
    assert bounded(problem, float(best) + 50).relaxed.bound <= best


@settings(max_examples=100, deadline=None)
@given(groups_, limits_)
def test_buffers_narrowing_keeps_every_better_answer(groups: Any, limits: list[int]) -> None:
    """Below the optimum nothing is found, just above it the optimum is."""
    best, kept = cheapest(groups, limits), fits(groups, limits)
    if best is None or kept is None:
        return
    problem = choice(kept, limits)
    multipliers = bounded(problem).multipliers
    none = improve(narrowed(problem, multipliers, best), best, far())
    assert none.done
    assert none.picked is None
    again = improve(narrowed(problem, multipliers, best + 1), best + 1, far())
    assert again.done
    assert again.picked is not None
    assert price(problem, again.picked, limits) == best == again.value


@settings(max_examples=100, deadline=None)
@given(groups_, limits_)
def test_buffers_clash_is_told_only_where_nothing_fits(groups: Any, limits: list[int]) -> None:
    """The groups and limits of a certificate cannot go together, other limits left aside."""
    kept = fits(groups, limits)
    found = None if kept is None else clash(choice(kept, limits))
    if found is None:
        return
    some = [most if r in found.resources else 10**6 for r, most in enumerate(limits)]
    assert cheapest([kept[g] for g in found.groups], some) is None


@pytest.mark.parametrize("seed", range(3))
def test_buffers_series_of_64_flows_is_proven(seed: int) -> None:
    """64 flows on 8 nodes end with a proof."""
    options, limits = bare(64, 8, seed)
    problem = choice([[[row]] for row in options], limits)
    found = solve(problem, far())
    assert found.proven
    assert found.picked is not None
    assert price(problem, found.picked, limits) == found.value == found.bound


def test_buffers_series_of_2048_flows_is_near_its_bound() -> None:
    """2048 flows on 16 nodes come within 0.05 % of the bound at once."""
    options, limits = bare(2048, 16, 0)
    problem = choice([[[row]] for row in options], limits)
    found = quick(problem)
    assert found.picked is not None
    assert found.value is not None
    assert price(problem, found.picked, limits) == found.value
    assert found.value - found.bound <= NEAR * found.value


def test_buffers_engine_is_the_same_again() -> None:
    """Two runs pick the same options."""
    options, limits = bare(128, 8, 1)
    first, second = (solve(choice([[[r]] for r in options], limits), far()) for _ in range(2))
    assert (first.picked, first.bound) == (second.picked, second.bound)


@settings(max_examples=60, deadline=None)
@given(groups_, limits_, st.sampled_from((1, 4)))
def test_solve_branching_everywhere_is_exact(groups: Any, limits: list[int], states: int) -> None:
    """With few states and no first try, branches and the limits that follow prove the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skb.engines.buffers_exact.STATES", states)
        patch.setattr("skb.engines.buffers_exact.FEWER", states)
        patch.setattr("skb.engines.buffers_solve.FEW", -1)
        found = solve(choice(groups, limits), far())
    least = cheapest(groups, limits)
    if found.proven:
        assert found.value == least
    assert least is None or found.bound <= least
    assert found.value is None or (least is not None and found.value >= least)


def test_cover_limits_keep_every_answer() -> None:
    """Limits that follow are kept by all answers within the others, and raise the bound."""
    rows = [[(9, {0: 6 + number % 2}), (20 + 3 * number, {})] for number in range(4)]
    problem = choice([[[row]] for row in rows], [11])
    first = bounded(problem)
    tight, bound = tightened(problem, first, None)
    assert len(tight.limit) > tight.real == 1
    assert bound.relaxed.bound > first.relaxed.bound
    best = cheapest([[[row]] for row in rows], [11])
    assert best is not None
    assert bound.relaxed.bound <= best

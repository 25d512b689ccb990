"""Nested levels: trees that enter groups once and the bound by quotas, against exact programmes."""

from __future__ import annotations

from itertools import combinations
from random import Random

import numpy as np
import pytest

from skb.engines import route_quotas
from skb.engines.route_bounds import Bounds, by_quotas
from skb.engines.route_classes import barred, merged
from skb.engines.route_exact import Programme
from skb.engines.route_nest import Nest, Once, nested, trees
from skb.engines.route_quotas import Quotas, least_time, splits
from skb.engines.route_tree import Broadcast, Matrix, Task, admissible, top_down, value
from tests.engines.test_route_oracle import free, never

Groups = list[list[tuple[int, ...]]]
SHAPES = ((2, 2, 2), (2, 4), (4, 2), (3, 3), (8,), (2, 2))


def groups_of(fans: tuple[int, ...], left_out: int = 0) -> Groups:
    """All nodes alone, and the groups of each level; the last few nodes are missing."""
    size = int(np.prod(fans)) - left_out
    found: Groups = [[(node,) for node in range(size)]]
    step = 1
    for fan in fans[:-1]:
        step *= fan
        found.append([tuple(range(at, min(at + step, size))) for at in range(0, size, step)])
    return found


def drawn(nest: Nest, seed: int, noise: int, gaps: bool) -> Broadcast:
    """Costs that grow with the level, drawn once for each level, and up to so much noise."""
    draw = Random(seed)

    def matrix(low: int, high: int) -> Matrix:
        by_level = sorted(draw.randint(low, high) for _ in range(nest.depth))
        rows = range(nest.level.shape[0])
        return tuple(
            tuple(
                0 if u == v else by_level[int(nest.level[u, v])] + draw.randint(0, noise)
                for v in rows
            )
            for u in rows
        )

    first, tail = matrix(2, 40), matrix(0, 90)
    return Broadcast(first, matrix(2, 30) if gaps else first, tail)


def least(costs: Broadcast) -> int:
    """The optimum from the best root, by the programme over single nodes."""
    closed = barred(costs, free(costs).allowed)
    alone = merged(closed, [(node,) for node in range(costs.size)], True)
    return min(Programme(alone, costs.size, never).times)


def proven(nest: Nest, costs: Broadcast, best: int) -> list[int]:
    """What every choice of levels proves."""
    closed = barred(costs, free(costs).allowed)
    by_level = nest.costs(closed, np.min)
    inner = range(nest.depth - 1)
    chosen = [kept for count in range(nest.depth) for kept in combinations(inner, count)]
    return [Quotas(nest, by_level, levels, best, never).least for levels in chosen]


def cases(count: int) -> list[tuple[Nest, Broadcast]]:
    """Small machines: even and uneven groups, with and without noise, both models."""
    found = []
    for seed in range(count):
        fans = SHAPES[seed % len(SHAPES)]
        nest = nested(*sized(groups_of(fans, seed // 2 % 2)))
        found.append((nest, drawn(nest, seed, (0, 0, 6, 30)[seed % 4], seed % 3 == 0)))
    return found


def sized(groups: Groups) -> tuple[int, Groups]:
    return len(groups[0]), groups


def test_nested_keeps_levels_that_stand_within_one_another() -> None:
    """From inside outwards; a grouping across the others is left out."""
    groups = groups_of((2, 3, 2))
    across = [tuple(range(0, 12, 2)), tuple(range(1, 12, 2))]
    nest = nested(12, [*groups, across])
    assert [nest.largest(at) for at in range(nest.depth)] == [2, 6, 12]
    assert [int(nest.level[0, v]) for v in (0, 1, 2, 6)] == [-1, 0, 1, 2]


@pytest.mark.parametrize("fans", SHAPES)
def test_once_is_exact_where_every_group_is_one_node(fans: tuple[int, ...]) -> None:
    """Without levels the programme is the exact one over interchangeable nodes."""
    size = int(np.prod(fans))
    nest = nested(size, [])
    costs = drawn(nest, size, 0, True)
    by_level = nest.costs(costs, np.min)
    assert Once([size], by_level).end == least(costs)


@pytest.mark.parametrize("fans", SHAPES)
def test_once_lays_trees_that_take_no_longer_than_planned(fans: tuple[int, ...]) -> None:
    """On a symmetric machine the best plan is kept, and never ends before the optimum."""
    groups = groups_of(fans)
    nest = nested(*sized(groups))
    costs = drawn(nest, 7, 0, True)
    task = free(costs)
    found = trees(task, groups, never)
    if not found:
        assert task.size < 9
        return
    by_level = nest.costs(costs, np.median)
    whole = Once(fans, by_level)
    assert least(costs) <= value(task, found[0]) <= whole.end


def test_nest_trees_reach_everybody_on_uneven_machines() -> None:
    """Every tree holds every node once, whatever is missing, for both directions."""
    for left_out in range(5):
        groups = groups_of((2, 4, 3), left_out)
        nest = nested(*sized(groups))
        costs = drawn(nest, left_out, 9, left_out % 2 == 0)
        task = free(costs)
        both = Task(((costs, 1), (drawn(nest, 9, 9, False), 2)), task.allowed, (3, 5), 99)
        for tree in trees(both, groups, never):
            assert tree.root in (3, 5)
            assert admissible(both, tree)
            assert sorted(top_down(tree.root, tree.kids)) == list(range(task.size))


def test_the_quotas_never_exceed_the_optimum() -> None:
    """For every choice of levels, on even and uneven machines with all kinds of costs."""
    for nest, costs in cases(72):
        best = least(costs)
        assert max(proven(nest, costs, best)) <= best


def test_the_quotas_meet_the_optimum_without_levels() -> None:
    """Where all pairs cost the same and the grid cuts nothing off, the bound is the optimum."""
    nest = nested(9, [])
    costs = drawn(nest, 3, 0, True)
    best = least(costs)
    assert proven(nest, costs, best) == [best]


def test_a_quota_that_is_too_small_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted fault: groups that are taken for one node smaller prove too much somewhere."""
    whole = Nest.largest
    monkeypatch.setattr(Nest, "largest", lambda nest, level: max(1, whole(nest, level) - 1))
    over = 0
    for nest, costs in cases(72):
        best = least(costs)
        over += max(proven(nest, costs, best)) > best
    assert over


@pytest.mark.parametrize("small", [2, 3, 4])
def test_the_quotas_prove_the_same_from_small_tables(
    small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables that grow with the number of nodes are no others than whole ones."""
    for nest, costs in cases(36):
        best = least(costs)
        whole = proven(nest, costs, best)
        with monkeypatch.context() as patch:
            patch.setattr(route_quotas, "SMALL", small)
            assert proven(nest, costs, best) == whole


def test_splits_hand_out_each_quota_once() -> None:
    """What goes along and what is left of a level make up what was there, less the receiver."""
    found = splits([3, 9], 1)
    starts = [*found.starts.tolist(), len(found.along)]
    for state, begin, end in zip(found.states.tolist(), starts, starts[1:], strict=False):
        have = state // 3
        shares = [(int(a) // 3, int(b) // 3) for a, b in zip(found.along, found.left, strict=True)]
        assert all(along + left == have - 1 for along, left in shares[begin:end])
        assert len({along for along, _ in shares[begin:end]}) == have


def test_the_quotas_stay_close_on_large_symmetric_machines() -> None:
    """256 PUs: trees and bound lie within 15 percent, where one level alone is far off."""
    groups = groups_of((2, 8, 16))
    nest = nested(*sized(groups))
    by_level = ((2, 6, 40), (4, 10, 80), (8, 20, 160))
    first, further, tail = (
        tuple(tuple(0 if at < 0 else row[int(at)] for at in levels) for levels in nest.level)
        for row in by_level
    )
    costs = Broadcast(first, further, tail)
    task = free(costs)
    best = value(task, trees(task, groups, never)[0])
    bound = least_time(nest, costs, best, 1e8, never)
    assert 0.85 * best <= bound <= best
    assert 0 < least_time(nest, costs, best, 3e5, never) < bound


def test_the_quotas_are_looked_at_once() -> None:
    """A bound that was raised by quotas is not raised again, nor is a proven one."""
    groups = groups_of((2, 2, 3))
    nest = nested(*sized(groups))
    task = free(drawn(nest, 1, 0, True))
    bounds = Bounds.of(task)
    by_quotas(task, bounds, 10_000, groups, 1.0, never)
    first = bounds.total
    by_quotas(task, bounds, 1, groups, 1.0, never)
    assert first == bounds.total > 0
    assert bounds.methods == ["quotas of nested groups"]


def test_no_effort_lays_out_more_splits_than_memory_holds() -> None:
    """Three levels of 1024 nodes would take gigabytes; a level alone and small ones stay."""
    nest = nested(*sized(groups_of((4, 8, 8, 4))))
    kept = [levels for _, levels in route_quotas._choices(nest, 600)]
    assert {(), (0,), (1,), (2,), (0, 1)} <= set(kept)
    assert (0, 1, 2) not in kept
    for levels in kept:
        ways = route_quotas.counts([nest.largest(at) for at in levels])
        assert max(ways, default=0) <= route_quotas.MOST_SPLITS


@pytest.mark.parametrize("level", [0, 1, 2])
def test_splits_are_no_more_than_counted(level: int) -> None:
    """What keeps the memory in bounds is at least the number that is laid out."""
    for sizes in ([2, 4, 8], [3, 9, 9], [4, 32, 64]):
        assert len(splits(sizes, level).along) <= route_quotas.counts(sizes)[level]

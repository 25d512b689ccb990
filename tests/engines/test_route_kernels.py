"""The kernels of routes against oracles that try everything, and their two arms side by side."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from math import inf
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.engines import route_kernel
from skb.engines.compiling import compile_now
from skb.engines.route_arms import PLAIN, RouteArm, fastest
from skb.engines.route_bounds import Fuse
from skb.engines.route_classes import barred, interchangeable, merged
from skb.engines.route_exact import Programme
from skb.engines.route_nodes import NodePrices, step_near
from skb.engines.route_rows import ROOT, VALUE
from skb.engines.route_search import Ground, Search
from skb.engines.route_solve import solve
from skb.engines.route_subsets import Subsets
from skb.engines.route_tree import (
    Broadcast,
    Matrix,
    Task,
    Tree,
    admissible,
    arrivals,
    heights_of,
    ordered,
    value,
)
from skb.engines.route_walks import MOVES, Walks
from tests.engines.test_route_oracle import broadcasts, free, never, optimum

SLOW = settings(max_examples=20, deadline=None)


def drawn(size: int, seed: int, gaps: bool = False, report: bool = False) -> Task:
    """Random costs; two packages with cheap links inside."""
    draw = Random(seed)

    def matrix(low: int, high: int) -> Matrix:
        return tuple(
            tuple(
                0
                if u == v
                else draw.randint(low, high) * (1 if (u < size // 2) == (v < size // 2) else 3)
                for v in range(size)
            )
            for u in range(size)
        )

    first, tail = matrix(20, 30), matrix(60, 90)
    down = Broadcast(first, matrix(8, 15) if gaps else first, tail)
    task = free(down)
    if not report:
        return task
    phases = ((down, 1), (Broadcast(tail, tail, first), 2))
    return Task(phases, task.allowed, task.roots, 4, tail)


def halves(size: int) -> list[list[tuple[int, ...]]]:
    """Two groups, and each node alone."""
    half = size // 2
    return [[tuple(range(half)), tuple(range(half, size))], [(node,) for node in range(size)]]


def chain(size: int) -> Tree:
    return Tree(0, (*((node + 1,) for node in range(size - 1)), ()))


@SLOW
@given(broadcasts(high=6), st.integers(0, 20))
def test_sets_give_the_optimum_up_to_the_horizon(costs: Broadcast, cut: int) -> None:
    """As trying all trees finds it for every root, or one above the horizon; the tree takes it."""
    closed = barred(costs, free(costs).allowed)
    if costs.size > 5:
        # too large to try all orders of all trees: the other exact programme
        programme = Programme(merged(closed, [(v,) for v in range(costs.size)], True), 99, never)
        best = list(programme.times)
    else:
        best = [optimum(costs, root) for root in range(costs.size)]
    for horizon in (max(best), max(1, min(best) + cut - 10)):
        table = Subsets(closed, range(costs.size), horizon, PLAIN, never)
        assert table.done
        assert list(table.times) == [min(end, horizon + 1) for end in best]
        for root, end in enumerate(best):
            if end <= horizon:
                assert max(arrivals(costs, root, table.tree(root))) == end


def test_sets_stop_when_time_is_up() -> None:
    """A table that is not filled proves nothing."""
    table = Subsets(drawn(6, 0).phases[0][0], range(6), 500, PLAIN, lambda: True)
    assert not table.done
    assert set(table.times) == {0}


@SLOW
@given(broadcasts(high=5), st.integers(1, 7), st.integers(1, 4))
def test_prices_of_nodes_stay_below_the_optimum(costs: Broadcast, rounds: int, step: int) -> None:
    """For every grouping, on grids that are too coarse too."""
    closed = barred(costs, free(costs).allowed)
    size = costs.size
    best = [optimum(costs, root) for root in range(size)]
    half = [tuple(range(size // 2 + 1)), tuple(range(size // 2 + 1, size))]
    for part in ([(v,) for v in range(size)], [tuple(range(size))], [p for p in half if p]):
        prices = NodePrices(closed, part, max(best), step, PLAIN)
        prices.run(rounds, range(size), (0.3, 0.1), never)
        assert all(bound <= end for bound, end in zip(prices.times(), best, strict=True))


def test_prices_of_nodes_are_near_the_optimum() -> None:
    """On random costs of seven nodes they prove more than nine tenths."""
    costs = drawn(7, 3).phases[0][0]
    closed = barred(costs, free(costs).allowed)
    best = min(Programme(merged(closed, [(v,) for v in range(7)], True), 99, never).times)
    prices = NodePrices(closed, [(0, 1, 2), (3, 4, 5, 6)], best, 1, PLAIN)
    prices.run(60, range(7), (0.1, 0.02), never)
    assert 0.9 * best < min(prices.times()) <= best


def test_a_step_that_cuts_nothing_off_is_preferred() -> None:
    """Durations that are multiples of five need no finer grid; others get about what was asked."""
    even = tuple(tuple(0 if u == v else 5 * (2 + u + v) for v in range(4)) for u in range(4))
    closed = barred(Broadcast(even, even, even), free(Broadcast(even, even, even)).allowed)
    assert step_near(closed, 10_000, 5000) == 5
    odd = drawn(9, 1).phases[0][0]
    assert 100 <= step_near(barred(odd, free(odd).allowed), 100_000, 1000) <= 125


@pytest.mark.parametrize(("gaps", "report"), [(False, False), (True, False), (True, True)])
def test_heights_stay_right_over_a_walk(gaps: bool, report: bool) -> None:
    """After hundreds of moves: every height as recomputed, nothing left to undo, the value kept."""
    task = drawn(9, 5, gaps, report)
    walk = Search(Ground(task, PLAIN), chain(9) if report else ordered_star(task), 1)
    walk.run(900, 0.1, 0, never)
    now, size = walk.walk, task.size
    kids = [now.kids[node * size : node * size + now.degree[node]] for node in range(size)]
    root = now.parent.index(-1)
    for phase, (costs, _) in enumerate(task.phases):
        assert now.height[phase * size : (phase + 1) * size] == heights_of(costs, root, kids)
    assert all(len(row) <= task.fan_out for row in kids)
    tree = ordered(task.phases[0][0], root, kids)
    least = sum(weight * heights_of(costs, root, kids)[root] for costs, weight in task.phases)
    assert now.control[VALUE] >= least
    if not report:
        assert now.control[VALUE] == value(task, tree)
    assert walk.best_value == value(task, walk.best) <= value(task, tree)


def moved(walk: Search, kind: int, one: int, two: int) -> int:
    """Try one move of a kind, whatever it costs; return the value that it says."""
    tries = (route_kernel.try_hang, route_kernel.try_trade, route_kernel.try_swap)
    return tries[kind](walk.ground.costs, walk.walk, one, two, 1 << 60)


@pytest.mark.parametrize(("gaps", "report"), [(False, False), (True, False), (True, True)])
def test_a_move_costs_what_it_promised(gaps: bool, report: bool) -> None:
    """Each kind of move on random trees, neighbours too: the value said first is that of the tree.

    With a report the order of equal children may decide who reports; heights are compared then.
    """
    task, draw, done = drawn(8, 3, gaps, report), Random(4), [0, 0, 0]
    walk = Search(Ground(task, PLAIN), chain(8) if report else ordered_star(task), 1)
    now = walk.walk
    for _ in range(1500):
        kind = draw.randrange(3)
        found = moved(walk, kind, draw.randrange(8), draw.randrange(8))
        if found < 0:
            continue
        done[kind] += 1
        kids = [now.kids[node * 8 : node * 8 + now.degree[node]] for node in range(8)]
        root = now.parent.index(-1)
        assert root == now.control[ROOT]
        ends = [heights_of(costs, root, kids) for costs, _ in task.phases]
        assert now.height == [end for row in ends for end in row]
        if not report:
            assert found == value(task, ordered(task.phases[0][0], root, kids))
    assert min(done) > 50


def test_a_move_that_is_no_good_changes_nothing() -> None:
    """Below the limit of the best value nothing is kept, with a report to be undone too."""
    task, draw = drawn(8, 3, True, True), Random(4)
    walk = Search(Ground(task, PLAIN), chain(8), 1)
    walk.run(2000, 0.1, 0, never)
    now = walk.walk
    before = list(now.parent), sorted(now.height), now.control[ROOT]
    limit = now.control[VALUE] - 1
    for _ in range(600):
        kind, one, two = draw.randrange(3), draw.randrange(8), draw.randrange(8)
        tries = (route_kernel.try_hang, route_kernel.try_trade, route_kernel.try_swap)
        if tries[kind](walk.ground.costs, now, one, two, limit) >= 0:
            limit = -1
            before = list(now.parent), sorted(now.height), now.control[ROOT]
        assert (list(now.parent), sorted(now.height), now.control[ROOT]) == before


@pytest.mark.parametrize("seed", range(3))
def test_walks_keep_to_what_is_allowed(seed: int) -> None:
    """Barred sends and roots and a limit of children, over hundreds of kept moves."""
    draw, free_task = Random(seed), drawn(9, seed)
    allowed = tuple(
        tuple(u != v and (v == u + 1 or draw.random() < 0.6) for v in range(9)) for u in range(9)
    )
    task = Task(free_task.phases, allowed, (0, 3, 5), 3)
    walk = Search(Ground(task, PLAIN), chain(9), seed)
    for _ in range(40):
        walk.run(30, 0.5, 0, never)
        now = walk.walk
        kids = tuple(tuple(now.kids[v * 9 : v * 9 + now.degree[v]]) for v in range(9))
        assert admissible(task, Tree(now.control[ROOT], kids))
    assert walk.best_value < value(task, chain(9))


@pytest.mark.parametrize("arm", ["plain", "compiled"])
@pytest.mark.parametrize("effort", [0.01, 0.5, 6.0])
def test_walks_spend_the_moves_that_they_have(
    arm: str, effort: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more than the effort allows, at least nine tenths of it, and no more than one at first."""
    spent: list[int] = []

    def run(search: Search, moves: int, heat: float, goal: int, over: Callable[[], bool]) -> None:
        assert 0 < heat < 0.2
        spent.append(moves)

    monkeypatch.setattr(Search, "run", run)
    task = drawn(9, 1)
    walks = Walks(task, replace(PLAIN, name=arm), 0, effort)
    found = [(value(task, chain(9)), chain(9))]
    walks.improved(found, 0, never, 100)
    assert len(spent) == 1
    assert spent[0] <= 100
    walks.improved(found, 0, never)
    most = MOVES[arm] * effort / ((1 + 9 / 32) if arm == "plain" else 1)
    assert 0.8 * most < sum(spent) <= most
    assert max(spent) <= most / 4


def ordered_star(task: Task) -> Tree:
    kids = (tuple(range(1, task.size)), *(() for _ in range(task.size - 1)))
    return ordered(task.phases[0][0], 0, kids)


def test_a_walk_finds_the_optimum_of_small_groups() -> None:
    """From a chain, by some thousands of moves, of seven nodes."""
    for seed in range(3):
        costs = drawn(7, seed).phases[0][0]
        closed = barred(costs, free(costs).allowed)
        best = min(Programme(merged(closed, [(v,) for v in range(7)], True), 99, never).times)
        walk = Search(Ground(free(costs), PLAIN), chain(7), seed)
        walk.run(4000, 0.1, best, never)
        assert walk.best_value == best


def test_a_wrong_height_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that forgets to climb keeps trees of another value than it believes."""
    monkeypatch.setattr(route_kernel, "settle", lambda *_given: None)
    task = drawn(9, 5)
    walk = Search(Ground(task, PLAIN), ordered_star(task), 1)
    walk.run(300, 0.1, 0, never)
    now = walk.walk
    kids = [now.kids[node * 9 : node * 9 + now.degree[node]] for node in range(9)]
    assert now.height != heights_of(task.phases[0][0], now.parent.index(-1), kids)


@pytest.fixture(scope="module")
def compiled() -> RouteArm:
    """The compiled arm; skips where numba does not support this Python."""
    pytest.importorskip("numba", reason="numba is not installed")
    compile_now()
    return fastest(inf)


@pytest.mark.parametrize(("gaps", "report"), [(False, False), (True, True)])
def test_both_arms_take_the_same_moves(compiled: RouteArm, gaps: bool, report: bool) -> None:
    """Every word of the state is the same after hundreds of moves."""
    task = drawn(11, 2, gaps, report)
    walks = [Search(Ground(task, arm), chain(11), 7) for arm in (PLAIN, compiled)]
    for walk in walks:
        walk.run(700, 0.05, 0, never)
    one, other = (
        [list(map(int, part)) for part in walk.walk[:-1]] + [list(walk.walk.heat)] for walk in walks
    )
    # scratch is left out: what a row was when it was last looked at
    assert [one[i] for i in (0, 1, 2, 3, 4, 10, 11)] == [other[i] for i in (0, 1, 2, 3, 4, 10, 11)]
    assert walks[0].best == walks[1].best


def test_both_arms_fill_the_same_tables(compiled: RouteArm) -> None:
    """Times of all roots, of trees and of prices."""
    for gaps in (False, True):
        costs = drawn(7, 4, gaps).phases[0][0]
        closed = barred(costs, free(costs).allowed)
        tables = [Subsets(closed, range(7), 600, arm, never) for arm in (PLAIN, compiled)]
        assert tables[0].times == tables[1].times
        assert [t.tree(2) for t in tables[:1]] == [t.tree(2) for t in tables[1:]]
        prices = [
            NodePrices(closed, [(0, 1, 2), (3, 4, 5, 6)], 500, 5, a) for a in (PLAIN, compiled)
        ]
        for one in prices:
            one.run(6, range(7), (0.2, 0.1), never)
        assert prices[0].times() == prices[1].times()
        assert (prices[0].price == prices[1].price).all()


@pytest.mark.parametrize("gaps", [False, True])
def test_thirteen_unlike_nodes_are_proven(compiled: RouteArm, gaps: bool) -> None:
    """The whole way with a clock: the programme of sets proves what the search found."""
    assert compiled.compiled
    task = drawn(13, 9, gaps)
    parts = halves(13)
    found = solve(task, [], parts, seed=0, effort=1.0, spent=Fuse(time.monotonic() + 120))
    assert found is not None
    assert found.proven
    assert found.methods[-1] == "exact programme over sets"
    assert value(task, found.tree) == found.value


@pytest.mark.parametrize("report", [False, True])
def test_bounds_of_larger_groups_hold(compiled: RouteArm, report: bool) -> None:
    """Twenty-two nodes, several phases: bound below value, near it where there is one phase."""
    assert compiled.compiled
    task = drawn(22, 9, report=report)
    parts = halves(22)
    found = solve(task, [], parts, seed=0, effort=0.3, spent=Fuse(time.monotonic() + 120))
    assert found is not None
    assert found.bound <= found.value == value(task, found.tree)
    if not report:
        assert found.bound > 0.9 * found.value


@SLOW
@given(broadcasts(high=6))
def test_interchangeable_nodes_are_those_whose_exchange_changes_nothing(costs: Broadcast) -> None:
    """By exchanging any two in all matrices."""
    size = costs.size
    home = {v: at for at, nodes in enumerate(interchangeable(costs)) for v in nodes}
    for one in range(size):
        for two in range(one):
            name = [two if v == one else one if v == two else v for v in range(size)]
            same = all(
                matrix[name[u]][name[v]] == matrix[u][v]
                for matrix in (costs.first, costs.further, costs.tail)
                for u in range(size)
                for v in range(size)
                if u != v
            )
            assert same == (home[one] == home[two])


def test_part_of_a_fuse_ends_earlier() -> None:
    """A share of what is left, never beyond the whole."""
    whole = Fuse(time.monotonic() + 100)
    part = whole.part(0.5)
    assert time.monotonic() + 40 < part.deadline < whole.deadline
    assert Fuse(0.0)()
    assert not whole()

"""Trees against oracles that try everything: the exact programme, the bounds and the search."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product

import constraint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.engines.route_classes import FORBIDDEN, barred, coarser, interchangeable, merged
from skb.engines.route_exact import Programme
from skb.engines.route_prices import Prices, grouped
from skb.engines.route_solve import solve
from skb.engines.route_tree import (
    Broadcast,
    Matrix,
    Task,
    Tree,
    admissible,
    arrivals,
    heights_of,
    ordered,
    reversed_in_time,
    value,
)

SLOW = settings(max_examples=25, deadline=None)
FEW = settings(max_examples=12, deadline=None)


def never() -> bool:
    return False


@st.composite
def matrices(draw: st.DrawFn, size: int, least: int = 1) -> Matrix:
    cost = st.integers(least, 60)
    return tuple(tuple(0 if u == v else draw(cost) for v in range(size)) for u in range(size))


@st.composite
def broadcasts(draw: st.DrawFn, low: int = 2, high: int = 5) -> Broadcast:
    """Draw costs in either model, sometimes the same for all pairs of a kind."""
    size = draw(st.integers(low, high))
    first, tail = draw(matrices(size)), draw(matrices(size))
    if draw(st.booleans()):
        half = size // 2
        first, tail = _by_half(first, half), _by_half(tail, half)
    further = draw(st.just(first) | matrices(size))
    return Broadcast(first, further, tail)


def _by_half(matrix: Matrix, half: int) -> Matrix:
    size = range(len(matrix))
    return tuple(
        tuple(0 if u == v else (7, 31, 12)[(u < half) + (v < half)] for v in size) for u in size
    )


def free(costs: Broadcast, fan_out: int = 99) -> Task:
    size = range(costs.size)
    allowed = tuple(tuple(u != v for v in size) for u in size)
    return Task(((costs, 1),), allowed, tuple(size), fan_out)


def shapes(size: int, root: int) -> Iterator[list[list[int]]]:
    """Every tree from a root, written without the code under test."""
    others = [node for node in range(size) if node != root]
    for parents in product(range(size), repeat=size - 1):
        kids: list[list[int]] = [[] for _ in range(size)]
        for node, parent in zip(others, parents, strict=True):
            kids[parent].append(node)
        seen, stack = 0, [root]
        while stack:
            seen += 1
            stack.extend(kids[stack.pop()])
            if seen > size:
                break
        if seen == size and not any(node in kids[node] for node in others):
            yield kids


def simulated(costs: Broadcast, root: int, kids: list[list[int]]) -> int:
    """Completion of a broadcast in the given order, by docs/message-model.md."""
    done, stack = 0, [(root, 0)]
    while stack:
        node, now = stack.pop()
        done = max(done, now)
        for place, child in enumerate(kids[node]):
            now += costs.further[node][child] if place else costs.first[node][child]
            stack.append((child, now + costs.tail[node][child]))
    return done


def best_in_any_order(costs: Broadcast, root: int, kids: list[list[int]]) -> int:
    rows = product(*(list(permutations(row)) for row in kids))
    return min(simulated(costs, root, [list(row) for row in chosen]) for chosen in rows)


def optimum(costs: Broadcast, root: int, fan_out: int = 99) -> int:
    """Least completion from a root over all trees and all orders."""
    return min(
        (
            best_in_any_order(costs, root, kids)
            for kids in shapes(costs.size, root)
            if max(map(len, kids)) <= fan_out
        ),
        default=FORBIDDEN,
    )


@SLOW
@given(broadcasts(high=5), st.data())
def test_the_order_of_a_fixed_tree_is_the_best_one(costs: Broadcast, data: st.DataObject) -> None:
    """No permutation of any row beats the order by the rule, in both models."""
    trees = list(shapes(costs.size, 0))
    kids = data.draw(st.sampled_from(trees))
    tree = ordered(costs, 0, kids)
    assert max(arrivals(costs, 0, tree.kids)) == heights_of(costs, 0, kids)[0]
    assert heights_of(costs, 0, kids)[0] == best_in_any_order(costs, 0, kids)


@SLOW
@given(broadcasts(high=5), st.sampled_from([1, 2, 99]))
def test_the_exact_programme_finds_the_optimum(costs: Broadcast, fan_out: int) -> None:
    """From every root, over classes too, and its tree takes exactly that long."""
    task = free(costs, fan_out)
    closed = barred(costs, task.allowed)
    classes = merged(closed, interchangeable(closed), True)
    programme = Programme(classes, fan_out, never)
    for at, nodes in enumerate(classes.members):
        for root in nodes:
            assert programme.times[at] == optimum(costs, root, fan_out)
        tree = Tree(nodes[0], programme.tree(nodes[0]))
        assert admissible(task, tree)
        assert max(arrivals(costs, tree.root, tree.kids)) == programme.times[at]


@SLOW
@given(broadcasts(high=5), st.sampled_from([1, 2, 99]), st.integers(1, 8))
def test_no_bound_lies_above_the_optimum(costs: Broadcast, fan_out: int, rounds: int) -> None:
    """Neither merged classes nor prices of any grouping claim more than is true."""
    task = free(costs, fan_out)
    closed = barred(costs, task.allowed)
    best = [optimum(costs, root, fan_out) for root in range(costs.size)]
    classes = merged(closed, [(node,) for node in range(costs.size)], True)
    while len(classes.members) > 1:
        classes = coarser(classes)
        assert classes == merged(closed, classes.members, False)
        programme = Programme(classes, fan_out, never)
        prices = Prices(grouped(closed, classes.members), max(best), 400, fan_out)
        prices.run(rounds if prices.usable else 0, range(prices.count), never)
        for at, nodes in enumerate(classes.members):
            assert all(programme.times[at] <= best[node] for node in nodes)
        for time, nodes in zip(prices.times(max(best)), prices.groups.members, strict=True):
            assert all(time <= best[node] for node in nodes)


@FEW
@given(broadcasts(low=6, high=11), st.integers(0, 3))
def test_the_prices_never_exceed_the_exact_programme(costs: Broadcast, seed: int) -> None:
    """The same on groups that are too large to try all trees."""
    closed = barred(costs, free(costs).allowed)
    size = costs.size
    exact = Programme(merged(closed, [(v,) for v in range(size)], True), 99, never)
    parts = [[tuple(range(size))], [tuple(range(seed + 1)), tuple(range(seed + 1, size))]]
    for part in parts:
        prices = Prices(grouped(closed, part), max(exact.times), 1200, 99)
        prices.run(10 if prices.usable else 0, range(prices.count), never)
        for time, nodes in zip(prices.times(max(exact.times)), prices.groups.members, strict=True):
            assert all(time <= exact.times[node] for node in nodes)


@SLOW
@given(broadcasts(high=5))
def test_the_search_proves_small_groups(costs: Broadcast) -> None:
    """A free root and up to five nodes: the optimum, with the bound equal to it."""
    found = solve(free(costs), [], [], seed=0, effort=1.0, spent=never)
    assert found is not None
    assert found.proven
    assert found.value == min(optimum(costs, root) for root in range(costs.size))


def reduction_in_order_of_arrival(
    send: Matrix, receive: Matrix, root: int, kids: list[list[int]]
) -> int:
    """Completion of a reduction, by docs/message-model.md."""

    def done(node: int) -> int:
        now = 0
        for arrival, child in sorted((done(c) + send[c][node], c) for c in kids[node]):
            now = max(now, arrival) + receive[child][node]
        return now

    return done(root)


@SLOW
@given(st.integers(2, 5).flatmap(lambda n: st.tuples(matrices(n), matrices(n))))
def test_a_reduction_is_a_broadcast_backwards(pair: tuple[Matrix, Matrix]) -> None:
    """Over all trees: the same time, and the same optimum."""
    send, receive = pair
    size = len(send)
    nothing = tuple(tuple(0 for _ in range(size)) for _ in range(size))
    up = reversed_in_time(send, nothing, receive)
    best = []
    for kids in shapes(size, 0):
        expected = reduction_in_order_of_arrival(send, receive, 0, kids)
        assert heights_of(up, 0, kids)[0] == expected
        best.append(expected)
    task = Task(((up, 1),), free(up).allowed, (0,), 99, in_order=False)
    found = solve(task, [], [], seed=0, effort=1.0, spent=never)
    assert found is not None
    assert (found.value, found.bound) == (min(best), min(best))


def test_an_independent_solver_agrees_on_four_nodes() -> None:
    """python-constraint enumerates parents and places in the order; the optimum is the same."""
    first = ((0, 9, 14, 3), (8, 0, 2, 21), (5, 11, 0, 7), (4, 16, 6, 0))
    tail = ((0, 30, 12, 25), (17, 0, 40, 9), (22, 13, 0, 18), (28, 10, 19, 0))
    gap = ((0, 4, 20, 2), (3, 0, 9, 5), (9, 1, 0, 6), (2, 8, 3, 0))
    for further in (first, gap):
        costs = Broadcast(first, further, tail)
        problem = constraint.Problem()
        problem.addVariables(["p1", "p2", "p3"], range(4))
        problem.addVariables(["o1", "o2", "o3"], range(3))
        for node in (1, 2, 3):
            problem.addConstraint(lambda p, node=node: p != node, [f"p{node}"])
        problem.addConstraint(constraint.AllDifferentConstraint(), ["o1", "o2", "o3"])
        problem.addConstraint(_spans, ["p1", "p2", "p3"])
        best = min(simulated(costs, 0, _laid_out(found)) for found in problem.getSolutions())
        task = Task(((costs, 1),), free(costs).allowed, (0,), 99)
        found = solve(task, [], [], seed=0, effort=1.0, spent=never)
        assert found is not None
        assert found.value == best


def _spans(p1: int, p2: int, p3: int) -> bool:
    above = {1: p1, 2: p2, 3: p3}
    for node in above:
        seen = set()
        while node and node not in seen:
            seen.add(node)
            node = above[node]
        if node:
            return False
    return True


def _laid_out(found: dict[str, int]) -> list[list[int]]:
    kids: list[list[int]] = [[] for _ in range(4)]
    for node in sorted((1, 2, 3), key=lambda v: found[f"o{v}"]):
        kids[found[f"p{node}"]].append(node)
    return kids


@SLOW
@given(st.integers(2, 5).flatmap(lambda n: st.tuples(matrices(n), matrices(n), matrices(n))))
def test_a_barrier_is_proven_over_one_tree(triple: tuple[Matrix, Matrix, Matrix]) -> None:
    """The sum of both ways over a common tree, against all trees."""
    send, receive, gap = triple
    size = len(send)
    nothing = tuple(tuple(0 for _ in range(size)) for _ in range(size))
    down, up = Broadcast(send, gap, receive), reversed_in_time(send, nothing, receive)
    task = Task(((down, 1), (up, 1)), free(down).allowed, (0,), 99)
    found = solve(task, [], [], seed=0, effort=1.0, spent=never)
    assert found is not None
    best = min(
        heights_of(down, 0, kids)[0] + heights_of(up, 0, kids)[0] for kids in shapes(size, 0)
    )
    assert (found.value, found.bound) == (best, best)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_gives_the_same_tree(seed: int) -> None:
    """Work is counted and not timed, so a run can be repeated."""
    costs = Broadcast(
        *[
            tuple(
                tuple(0 if u == v else 5 + (u * a + v * b) % 47 for v in range(18))
                for u in range(18)
            )
            for a, b in ((7, 11), (3, 5), (13, 2))
        ]
    )
    task = free(costs)
    parts = [[tuple(range(9)), tuple(range(9, 18))]]
    runs = [solve(task, [], parts, seed=seed, effort=0.1, spent=never) for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0] is not None
    assert value(task, runs[0].tree) == runs[0].value >= runs[0].bound


def test_one_tree_is_grown_when_time_is_up() -> None:
    """Nothing to start from and no time left: an answer without much of a proof, not none."""
    size = range(12)
    first = tuple(tuple(0 if u == v else 5 + (7 * u + 3 * v) % 11 for v in size) for u in size)
    tail = tuple(tuple(0 if u == v else 20 + (5 * u + v) % 17 for v in size) for u in size)
    task = free(Broadcast(first, first, tail))
    found = solve(task, [], [], seed=0, effort=1.0, spent=lambda: True)
    assert found is not None
    assert admissible(task, found.tree)
    assert value(task, found.tree) == found.value >= found.bound

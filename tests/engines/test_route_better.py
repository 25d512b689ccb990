"""The look at every better tree, against all trees in all orders."""

from __future__ import annotations

from random import Random

import pytest

from skb.engines.compiling import compile_now
from skb.engines.route_arms import PLAIN, fastest
from skb.engines.route_better import LARGEST_HUNTED, every_better, shared_tree
from skb.engines.route_bounds import Bounds
from skb.engines.route_small import best_of_all
from skb.engines.route_tree import Broadcast, Matrix, Task, Tree, admissible, value


def task_of(size: int, seed: int, gaps: bool, report: bool, phases: int = 2) -> Task:
    """Random costs, zero ones among them; barred sends, roots and a limit of children at times."""
    draw = Random(seed)

    def matrix(low: int, high: int) -> Matrix:
        return tuple(
            tuple(0 if u == v else draw.randint(low, high) for v in range(size))
            for u in range(size)
        )

    first, tail, back = matrix(0, 9), matrix(0, 20), matrix(0, 12)
    down = Broadcast(first, matrix(0, 9) if gaps else first, tail)
    parts = ((down, draw.randint(1, 2)), (Broadcast(back, back, first), 1))[:phases]
    barred = draw.random() < 0.5
    allowed = tuple(
        tuple(u != v and not (barred and draw.random() < 0.2) for v in range(size))
        for u in range(size)
    )
    roots = tuple(sorted(draw.sample(range(size), draw.randint(1, size))))
    fan_out = draw.choice((2, size, size))
    return Task(parts, allowed, roots, fan_out, matrix(0, 30) if report else None)


@pytest.mark.parametrize(("gaps", "report"), [(False, False), (True, True), (False, True)])
def test_every_better_tree_is_looked_at(gaps: bool, report: bool) -> None:
    """From no tree at all, the optimum of all trees in all orders; no bound without one."""
    for seed in range(25):
        task = task_of(5, seed, gaps, report, 1 if report and seed % 2 else 2)
        oracle = best_of_all(task, lambda: False)
        bounds = Bounds.of(task)
        nothing = Tree(0, ((1, 2, 3, 4), (), (), (), ()))
        worth, tree = every_better(task, bounds, (1 << 40, nothing), PLAIN, 1e6, lambda: False)
        if oracle is None:
            assert worth == 1 << 40
            continue
        assert worth == oracle[1] == value(task, tree) == bounds.total
        assert admissible(task, tree)
        assert bounds.methods == ["every tree that could be better"]


def test_the_best_tree_is_only_confirmed() -> None:
    """Nothing is better than the optimum: the tree stays, and it is proven."""
    task = task_of(5, 3, True, True)
    oracle = best_of_all(task, lambda: False)
    assert oracle is not None
    bounds = Bounds.of(task)
    best = oracle[1], oracle[0]
    assert every_better(task, bounds, best, PLAIN, 1e6, lambda: False) == best
    assert bounds.total == oracle[1]


def test_a_look_that_is_cut_short_proves_nothing() -> None:
    """By steps and by the clock; what it found is kept."""
    task = task_of(7, 1, False, True)
    star = Tree(task.roots[0], tuple(() for _ in range(7)))
    for effort, spent in ((0.02, False), (1e6, True)):
        bounds = Bounds.of(task)
        before = bounds.total
        every_better(
            task, bounds, (1 << 40, star), PLAIN, effort, [lambda: False, lambda: True][spent]
        )
        assert bounds.total == before
        assert bounds.methods == []


def test_only_small_groups_with_a_shared_tree_are_looked_at() -> None:
    """One phase has better proofs; a reduction with bursts could be lower with one more child."""
    both = task_of(6, 1, False, False)
    assert shared_tree(both)
    assert not shared_tree(task_of(6, 1, False, False, 1))
    assert shared_tree(task_of(6, 1, False, True, 1))
    assert not shared_tree(task_of(LARGEST_HUNTED + 1, 1, False, False))
    down = task_of(6, 1, True, False).phases[0][0]
    assert not shared_tree(Task((*both.phases, (down, 1)), both.allowed, both.roots, 6))


def test_both_arms_look_at_the_same_trees() -> None:
    """The same tree, value and bound, plainly and compiled."""
    pytest.importorskip("numba", reason="numba is not installed")
    compile_now()
    compiled = fastest(float("inf"))
    for seed in range(4):
        task = task_of(7, seed, seed % 2 == 0, seed < 2)
        start = (1 << 40, Tree(0, tuple(() for _ in range(7))))
        found = []
        for arm in (PLAIN, compiled):
            bounds = Bounds.of(task)
            best = every_better(task, bounds, start, arm, 1e6, lambda: False)
            found.append((best, bounds.total))
        assert found[0] == found[1]

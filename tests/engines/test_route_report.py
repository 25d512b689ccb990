"""The last step of a search where the last leaf reports: rows in other orders, leaves elsewhere."""

from __future__ import annotations

import random

import pytest

from skb.engines import route_report
from skb.engines.route_report import SMALL, near_reporters
from skb.engines.route_tree import Broadcast, Matrix, Task, Tree, admissible, value

Table = list[list[int]]


def matrix(rows: Table) -> Matrix:
    return tuple(tuple(row) for row in rows)


def reporting(first: Table, tail: Table, report: Table, fan_out: int = 9) -> Task:
    size = range(len(first))
    costs = Broadcast(matrix(first), matrix(first), matrix(tail))
    allowed = tuple(tuple(u != v and (u, v) != (1, 2) for v in size) for u in size)
    return Task(((costs, 1),), allowed, (0,), fan_out, matrix(report))


def never() -> bool:
    return False


def test_a_row_that_ends_later_wins_where_its_last_leaf_is_near() -> None:
    """Node 2 takes longer to receive and far longer to report: it goes first, 1 comes last."""
    first = [[0, 10, 10], [10, 0, 10], [10, 10, 0]]
    tail = [[0, 5, 12], [9, 0, 9], [9, 9, 0]]
    report = [[0, 0, 0], [1, 0, 0], [100, 0, 0]]
    task = reporting(first, tail, report, fan_out=2)
    start = Tree(0, ((1, 2), (), ()))
    assert value(task, start) == 20 + 12 + 100
    [(worth, tree)] = near_reporters(task, [(132, start)], 1.0, never)
    assert (worth, tree.kids[0]) == (20 + 5 + 1, (2, 1))


@pytest.mark.parametrize("size", [5, 9, SMALL + 4])
def test_trees_stay_admissible_and_get_no_worse(size: int) -> None:
    """Barred pairs, the fan-out and the root are kept; the worth stated is the worth found."""
    for seed in range(6):
        dice = random.Random(seed)
        first, tail, report = (
            [[dice.randint(1, 50) for _ in range(size)] for _ in range(size)] for _ in range(3)
        )
        task = reporting(first, tail, report, fan_out=3)
        chain = Tree(0, tuple((v + 2,) if 0 < v < size - 2 else () for v in range(size)))
        start = Tree(0, ((1, 2), *chain.kids[1:]))
        assert admissible(task, start)
        begun = value(task, start)
        [(worth, tree)] = near_reporters(task, [(begun, start)], 1.0, never)
        assert admissible(task, tree)
        assert value(task, tree) == worth <= begun


def test_no_tree_is_built_when_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand nodes have thousands of trees: each is made only when it is priced."""
    size = SMALL + 20
    ones = [[1] * size for _ in range(size)]
    task = reporting(ones, ones, ones, fan_out=size)
    star = Tree(0, (tuple(range(1, size)), *(() for _ in range(size - 1))))
    made = []
    whole = route_report._without

    def counted(tree: Tree, node: int) -> list[tuple[int, ...]]:
        made.append(node)
        return whole(tree, node)

    monkeypatch.setattr(route_report, "_without", counted)
    row = value(task, star), star
    assert near_reporters(task, [row], 1.0, lambda: True) == [row]
    assert len(made) <= 1
    near_reporters(task, [row], 1.0, never)
    assert len(made) > 1

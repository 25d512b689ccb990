"""One tree for each phase: what the one tree for both proves of it where time is short."""

from __future__ import annotations

from dataclasses import replace

import pytest

from skb.engines import route_solve
from skb.engines.route_better import EVERY_BETTER
from skb.engines.route_solve import Solution, solve
from skb.engines.route_tree import Task, Tree
from skb.questions.route_phases import parts_of, per_phase
from tests.engines.test_route_better import task_of


def never() -> bool:
    return False


def best(task: Task) -> Solution | None:
    """Return the best tree, from any tree at all."""
    return solve(task, [], [], seed=0, effort=1.0, spent=never)


def least_of_two(task: Task) -> int:
    """Return the optimum over two trees with a common root, root by root."""
    found = []
    for root in task.roots:
        pair = [best(replace(part, roots=(root,))) for part in parts_of(task)]
        assert pair[0] is not None and pair[1] is not None
        assert pair[0].proven and pair[1].proven
        found.append(pair[0].value + pair[1].value)
    return min(found)


def test_the_phases_of_one_tree_bound_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no time left the bound is that of the phases, not the proof about one tree."""
    monkeypatch.setattr(route_solve, "LARGEST", 2)
    apart = 0
    for seed in range(12):
        drawn = task_of(5, seed, seed % 2 == 0, seed % 3 == 0)
        size = range(drawn.size)
        allowed = tuple(tuple(u != v for v in size) for u in size)
        task = replace(drawn, allowed=allowed, fan_out=drawn.size)
        one = best(task)
        assert one is not None and one.proven
        phased = per_phase(task, one, lambda *_: None, lambda: True)
        assert (phased.down, phased.up, phased.value) == (one.tree, one.tree, one.value)
        assert 0 < phased.bound <= least_of_two(task) <= one.bound
        assert phased.methods and EVERY_BETTER not in phased.methods
        apart += phased.bound < one.bound
    assert apart


def test_a_part_that_was_not_looked_at_keeps_its_bound() -> None:
    """Where only one part was decided, the other has what was known; nothing is none."""
    nodes = range(4)
    drawn = task_of(4, 5, False, False)
    allowed = tuple(tuple(u != v for v in nodes) for u in nodes)
    task = replace(drawn, allowed=allowed, roots=tuple(nodes), fan_out=4)
    tree = Tree(0, ((1, 2, 3), (), (), ()))
    one = Solution(tree, 99, 7, ("some",), (), ((3, 3, 3, 3), (4, 4, 4, 4)))
    down = Solution(tree, 9, 5, ("other",), (5, 5, 5, 5))

    def seek(part: Task, _starts: object) -> Solution | None:
        return down if part.in_order else None

    phased = per_phase(task, one, seek, never)
    assert (phased.bound, phased.methods) == (5 + 4, ("other", "some"))
    blank = per_phase(task, replace(one, apart=()), lambda *_: None, never)
    assert (blank.bound, blank.methods) == (0, ())

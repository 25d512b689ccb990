"""What binds a placement and what its tasks would cost elsewhere, also where there are many."""

from __future__ import annotations

from fractions import Fraction

import pytest

from skb.engines.placement_board import terms
from skb.engines.placement_search import descend
from skb.questions.placement_answer import board_of, decision_of
from skb.questions.placement_clash import instance_of
from skb.questions.placement_sensitivity import seats_of
from tests.bench.placement_requests import machine_of, request_of

BOARD = machine_of("m128")
RAW = request_of("m128", 100)


def test_hundred_tasks_have_alternatives_whose_prices_add_up() -> None:
    """Each alternative costs what it says more, recomputed whole; pairs sum to the term."""
    instance = instance_of(BOARD, RAW)
    board = board_of(instance)
    found = descend(board, 0, 5_000)
    assert found is not None
    decision = decision_of(instance, board, found[0], None)
    assert not any("left out" in text for text in decision.warnings)
    pairs = [row for row in decision.alternatives if "traffic" in row]
    total = sum(Fraction(row["price"]) for row in pairs)
    communication = next(cost.value for cost in decision.costs if cost.term == "communication")
    assert len(pairs) == len(instance.traffic) and total == Fraction(communication)
    moves = [row for row in decision.alternatives if "task" in row]
    assert len(moves) > 90
    for row in moves[:20]:
        place = {"pus": row["pus"], "numa_node": row["numa_node"]}
        answer = {"tasks": {**decision.answer["tasks"], row["task"]: place}}
        price = instance.ns(sum(terms(board, seats_of(instance, answer)).values()))
        assert decision.objective.value is not None
        assert price - decision.objective.value == pytest.approx(row["costs_more"])


def test_what_is_too_much_to_weigh_is_said() -> None:
    """Without time the alternatives are left out with a warning, and the pairs stay."""
    instance = instance_of(BOARD, RAW)
    board = board_of(instance)
    found = descend(board, 0, 5_000)
    assert found is not None
    decision = decision_of(instance, board, found[0], None, deadline=0.0)
    assert any("left out" in text for text in decision.warnings)
    assert {key for row in decision.alternatives for key in row} >= {"traffic", "price"}
    assert not any("task" in row for row in decision.alternatives)

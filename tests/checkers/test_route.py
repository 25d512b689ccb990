"""The judge of routes: it passes what is right and finds every mutation."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from skb.checkers.route import check
from skb.decision import Cost, Decision, Limits, Status
from skb.questions.route import decide
from tests.machines import bundled

BOARD = bundled("tyan-s4985")
REQUEST = {"root": 0, "members": [0, 1, 2, 3, 4, 5, 8, 9, 12], "forbid": [[4, 0]], "max_fan_out": 5}
RIGHT = decide(BOARD, REQUEST, Limits())
BARRIER = decide(BOARD, {**REQUEST, "operation": "barrier"}, Limits(conflicts=2000))

Change = Callable[[dict[str, Any]], None]


def _swap_order(answer: dict[str, Any]) -> None:
    row = max(answer["sends"], key=lambda row: len(row["to"]))["to"]
    row.reverse()


def _lose_member(answer: dict[str, Any]) -> None:
    _leaf_row(answer)["to"].pop()


def _leaf_row(answer: dict[str, Any]) -> dict[str, Any]:
    senders = {row["from"] for row in answer["sends"]}
    return next(row for row in answer["sends"] if row["to"][-1] not in senders)


def _double_member(answer: dict[str, Any]) -> None:
    answer["sends"][-1]["to"].append(answer["sends"][0]["to"][0])


def _stranger(answer: dict[str, Any]) -> None:
    answer["sends"][0]["to"].append(31)


def _sender_twice(answer: dict[str, Any]) -> None:
    answer["sends"].append({"from": answer["sends"][0]["from"], "to": []})


def _other_root(answer: dict[str, Any]) -> None:
    answer["root"] = answer["sends"][0]["to"][0]


def _late_arrival(answer: dict[str, Any]) -> None:
    answer["arrivals"]["3"] += 0.001


def _no_arrival(answer: dict[str, Any]) -> None:
    del answer["arrivals"]["3"]


def _short_path(answer: dict[str, Any]) -> None:
    answer["critical_path"] = answer["critical_path"][:1]


def _wild_path(answer: dict[str, Any]) -> None:
    answer["critical_path"] = [0, 12, 1]


def _too_good(answer: dict[str, Any]) -> None:
    answer["completion_ps"] -= 1


def _phase(answer: dict[str, Any]) -> None:
    answer["phases"]["broadcast"] -= 1


def _model(answer: dict[str, Any]) -> None:
    answer["model"] = "postal"


def _no_sends(answer: dict[str, Any]) -> None:
    del answer["sends"]


def test_right_answers_pass() -> None:
    """Also those of an operation with several phases."""
    assert check(BOARD, RIGHT) == []
    assert check(BOARD, BARRIER) == []


@pytest.mark.parametrize("decision", [RIGHT, BARRIER], ids=["broadcast", "barrier"])
@pytest.mark.parametrize(
    "change",
    [
        _swap_order,
        _lose_member,
        _double_member,
        _stranger,
        _sender_twice,
        _other_root,
        _late_arrival,
        _no_arrival,
        _short_path,
        _wild_path,
        _too_good,
        _phase,
        _model,
        _no_sends,
    ],
)
def test_a_mutated_answer_is_found(decision: Decision, change: Change) -> None:
    """Order, members, root, arrivals, path and price are each looked at."""
    answer = deepcopy(decision.answer)
    change(answer)
    assert answer != decision.answer
    assert check(BOARD, replace(decision, answer=answer))


VALUE = RIGHT.objective.value or 0.0


@pytest.mark.parametrize(
    "decision",
    [
        replace(RIGHT, objective=replace(RIGHT.objective, value=VALUE - 0.001)),
        replace(RIGHT, bound=VALUE + 0.001),
        replace(RIGHT, status=Status.OPTIMAL, bound=VALUE - 0.001),
        replace(RIGHT, costs=(*RIGHT.costs, Cost("extra", 1.0, "ns"))),
        replace(RIGHT, request={**REQUEST, "forbid": [[0, RIGHT.answer["sends"][0]["to"][0]]]}),
        replace(RIGHT, request={**REQUEST, "require": [[12, 0]]}),
        replace(RIGHT, request={**REQUEST, "max_fan_out": 1}),
        replace(RIGHT, request={**REQUEST, "members": [0, 1, 2]}),
        replace(RIGHT, request={**REQUEST, "root": 1}),
        replace(RIGHT, request={**REQUEST, "operation": "barrier"}),
        replace(RIGHT, status=Status.INFEASIBLE),
        replace(
            RIGHT,
            status=Status.INFEASIBLE,
            answer={},
            objective=replace(RIGHT.objective, value=None),
            reasons=(),
        ),
    ],
)
def test_a_mutated_decision_is_found(decision: Decision) -> None:
    """Value, bound, proof, costs and the request's constraints are each looked at."""
    assert check(BOARD, decision)

"""What an alternative to a placement costs: forced exactly, bounded honestly, or refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from skb.checkers.placement import check
from skb.decision import Decision, Limits
from skb.errors import LimitError, RequestError
from skb.knowledge import decide, explain_alternative
from skb.machine import Machine
from skb.questions.placement import QUESTION
from skb.questions.placement_whynot import force, nearby
from skb.questions.whynot import alternative
from tests.bench.placement_requests import machine_of, request_of
from tests.questions.placement_machines import machine

RAW: dict[str, Any] = {
    "task": [{"name": "rx", "near": {"package:0": 10}}, {"name": "tx"}, {"name": "z"}],
    "traffic": [{"from": "rx", "to": "tx", "messages_per_s": 5}],
}
BOARD = machine()


def _decision(board: Machine, raw: dict[str, Any]) -> dict[str, Any]:
    return decide("placement", board, raw, Limits(seconds=5)).to_json()


@pytest.mark.parametrize(
    ("clause", "difference"),
    [
        ({"task": "rx", "package": "1"}, 200.0 * 10),
        ({"task": "rx", "node": "1"}, 200.0 * 10),
        ({"task": "rx", "at": "l3:1"}, 200.0 * 10),
        ({"task": "rx", "apart": "tx", "within": "package"}, 5 * 175.0),
        ({"task": "rx", "with": "tx"}, 0.0),
    ],
)
def test_alternative_is_priced_exactly(clause: dict[str, str], difference: float) -> None:
    """Two proven optima: the wish of 10 messages over 200 ns, the pair over 200 ns, not 25."""
    told = explain_alternative(BOARD, _decision(BOARD, RAW), clause)
    assert (told["price"], told["exact"], told["difference"]) == ("exact", True, difference)
    assert told["low"] == told["high"] == difference and not told["better"]


def test_forbidden_alternative_names_the_constraint() -> None:
    """The task's own rule stands in the way, and is named beside what was forced."""
    raw = {**RAW, "task": [{**RAW["task"][0], "at": "package:0"}, *RAW["task"][1:]]}
    told = explain_alternative(BOARD, _decision(BOARD, raw), {"task": "rx", "pu": "3"})
    assert told["difference"] is None and told["status"] == "infeasible"
    assert {reason["id"] for reason in told["reasons"]} == {"task[0].at", "forced[0]"}


@pytest.mark.parametrize(
    ("clause", "text"),
    [
        ({"pu": "3"}, "no task"),
        ({"task": "rx"}, "no task and one place"),
        ({"task": "rx", "pu": "3", "numa": "1"}, "one place"),
        ({"task": "ry", "pu": "3"}, "no task 'ry'"),
        ({"task": "rx", "pu": "99"}, "no pu:99"),
        ({"task": "rx", "colour": "blue"}, "no colour:blue"),
        ({"task": "rx", "with": "rx"}, "one task"),
        ({"task": "rx", "with": "nobody"}, "no task 'nobody'"),
        ({"task": "rx", "with": "tx", "within": "street"}, "no level"),
        ({"task": "rx", "pu": "3", "within": "l3"}, "says nothing"),
    ],
)
def test_nonsense_is_refused_with_a_mend(clause: dict[str, str], text: str) -> None:
    """The error names what was typed and says what may be written."""
    with pytest.raises(RequestError, match=text) as caught:
        force(BOARD, RAW, clause)
    assert caught.value.place.startswith("not") and caught.value.mend


def test_quick_alternative_is_admissible_and_never_below_the_optimum() -> None:
    """What the neighbourhood finds passes the checker and bounds the exact price from above."""
    board, raw = machine_of("m32"), request_of("m32", 12)
    decision = _decision(board, raw)
    for clause in ({"task": "t1", "package": "3"}, {"task": "t2", "pu": "20"}):
        forced = force(board, raw, clause)
        quick = nearby(board, decision, forced)
        best = decide("placement", board, forced, Limits(seconds=5))
        assert quick is not None and check(board, replace(quick, request=forced)) == []
        assert best.status == "optimal" and best.objective.value is not None
        assert quick.objective.value is not None
        assert quick.objective.value >= best.objective.value
        place = quick.answer["tasks"][clause["task"]]["pus"][0]
        assert place in board.pus_of(":".join(list(clause.items())[1]))


def _told(base: dict[str, Any], other: Decision) -> dict[str, Any]:
    def answer(*_request: object) -> Decision:
        return other

    asked = replace(QUESTION, nearby=None)
    return alternative(asked, BOARD, base, {"task": "rx", "package": "1"}, Limits(), answer)


@pytest.mark.parametrize(
    ("base_bound", "other_bound", "price", "low", "high"),
    [
        (125.0, 2125.0, "exact", 2000.0, 2000.0),
        (125.0, 0.0, "at most", 0.0, 2000.0),
        (125.0, 1125.0, "between", 1000.0, 2000.0),
        (100.0, 2125.0, "between", 2000.0, 2025.0),
    ],
)
def test_unproven_alternative_is_bounded_on_the_right_side(
    base_bound: float, other_bound: float, price: str, low: float, high: float
) -> None:
    """The bounds hold for any optima between the bounds and the values of the two answers."""
    status = {True: "optimal", False: "feasible"}
    base = _decision(BOARD, RAW)
    assert base["objective"]["value"] == 125.0
    base |= {"status": status[base_bound == 125.0], "bound": base_bound}
    raw = force(BOARD, RAW, {"task": "rx", "package": "1"})
    other = decide("placement", BOARD, raw, Limits())
    proven = other.status if other_bound == 2125.0 else type(other.status)("feasible")
    told = _told(base, replace(other, status=proven, bound=other_bound))
    assert (told["price"], told["low"], told["high"]) == (price, low, high)


def test_alternative_is_answered_where_the_limit_comes_first() -> None:
    """The neighbourhood's placement is then the upper bound, and is told as one."""

    def late(*_request: object) -> Decision:
        raise LimitError("nothing was found in time")

    base = _decision(BOARD, RAW)
    told = alternative(QUESTION, BOARD, base, {"task": "rx", "package": "1"}, Limits(), late)
    assert told["price"] == "at most" and told["high"] == 2000.0
    assert told["answer"]["tasks"]["rx"]["pus"][0] in BOARD.pus_of("package:1")

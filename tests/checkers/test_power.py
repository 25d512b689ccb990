"""The judge of power: it passes what is right and finds every planted fault."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from skb.checkers.power import check
from skb.decision import Decision, Limits, Reason, Status
from skb.questions.power import QUESTION
from tests.machines import bundled

BOARD = bundled("tyan-s4985")
EPYC = bundled("epyc-7401-2p")
OFF = QUESTION.decide(BOARD, {"off": ["package:1", "package:7", "package:4", "core:4"]}, Limits())
SAVED = QUESTION.decide(
    BOARD,
    {"keep": {"pus": 8, "devices": ["eth0"], "max_latency_ns": 400}, "save": {"kind": "package"}},
    Limits(),
)
MOVED = QUESTION.decide(
    EPYC,
    {
        "off": ["group:0"],
        "current": {
            "a": {"pus": [0, 48], "numa_node": 0, "memory_mib": 30000},
            "b": {"pus": [6], "numa_node": 1, "memory_mib": 1},
        },
    },
    Limits(),
)
Change = Callable[[dict[str, Any]], None]


def _row(answer: dict[str, Any], part: str) -> dict[str, Any]:
    found: dict[str, Any] = next(r for r in answer["unreachable"] if r["part"] == part)
    return found


def _not_told(answer: dict[str, Any]) -> None:
    answer["unreachable"].remove(_row(answer, "device:eth0"))


def _too_much(answer: dict[str, Any]) -> None:
    answer["unreachable"].append({**_row(answer, "pu:0"), "part": "pu:8"})


def _dominator(answer: dict[str, Any]) -> None:
    _row(answer, "pu:0")["dominator"] = "package:1"


def _because(answer: dict[str, Any]) -> None:
    _row(answer, "pu:0")["because"] = ["package:4"]


def _not_needed(answer: dict[str, Any]) -> None:
    _row(answer, "pu:0")["because"] = ["package:1", "package:4", "package:7"]


def _way(answer: dict[str, Any]) -> None:
    _row(answer, "pu:4")["ways"][0].remove("package:1")


def _count(answer: dict[str, Any]) -> None:
    answer["lost"]["pus"] += 1


def _point(answer: dict[str, Any]) -> None:
    answer["single_points"][0]["lost"] += 1


def _no_point(answer: dict[str, Any]) -> None:
    del answer["single_points"][0]


def _order(answer: dict[str, Any]) -> None:
    answer["order"].reverse()


def _resume(answer: dict[str, Any]) -> None:
    answer["resume"]["steps"].reverse()


def _resumes_not(answer: dict[str, Any]) -> None:
    answer["resume"]["still_unreachable"] = [{"part": "package:1", "text": ""}]


@pytest.mark.parametrize(
    "change",
    [
        *(_not_told, _too_much, _dominator, _because, _not_needed, _way, _count, _point),
        *(_no_point, _order, _resume, _resumes_not),
    ],
)
def test_power_judge_finds_what_is_told_wrongly(change: Change) -> None:
    """What is lost, why, over which ways, and the orders are each walked anew."""
    assert check(BOARD, OFF) == []
    answer = deepcopy(OFF.answer)
    change(answer)
    assert check(BOARD, replace(OFF, answer=answer))


def _lost_pu(answer: dict[str, Any]) -> None:
    answer["kept"]["pus"][-1] = 12


def _few_pus(answer: dict[str, Any]) -> None:
    answer["kept"]["pus"].pop()


def _amount(answer: dict[str, Any]) -> None:
    answer["saving"]["amount"] += 1


def _still_on(answer: dict[str, Any]) -> None:
    answer["saving"]["parts"].append("package:0")


@pytest.mark.parametrize("change", [_lost_pu, _few_pus, _amount, _still_on])
def test_power_judge_finds_a_load_that_does_not_run(change: Change) -> None:
    """The load's PUs, and what is saved, are counted anew."""
    assert check(BOARD, SAVED) == []
    answer = deepcopy(SAVED.answer)
    change(answer)
    assert check(BOARD, replace(SAVED, answer=answer))


def test_power_judge_finds_a_saving_that_is_not_the_largest() -> None:
    """A package that nobody needs could go, too; and what is called proven has its bound."""
    raw = {"keep": {"pus": 12}, "save": {"kind": "group"}}
    right = QUESTION.decide(EPYC, raw, Limits())
    spare = QUESTION.decide(
        EPYC, {**raw, "off": ["group:7"], "save": {"kind": "group", "parts": 1}}, Limits()
    )
    short = replace(
        spare,
        request=raw,
        objective=replace(right.objective, value=7.0),
        bound=7.0,
        status=Status.OPTIMAL,
    )
    assert check(EPYC, right) == []
    assert any("could go, too" in text for text in check(EPYC, short))
    assert check(EPYC, replace(right, bound=0.0))


def test_power_judge_finds_a_latency_that_is_too_long() -> None:
    """The load's PUs have to be near each other over the ways that are left."""
    keep = {**SAVED.request["keep"], "max_latency_ns": 10}
    wrong = check(BOARD, replace(SAVED, request={**SAVED.request, "keep": keep}))
    assert any("ns from" in text for text in wrong)


def _steps(answer: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer["evacuation"]["steps"]
    return found


def _off_first(answer: dict[str, Any]) -> None:
    _steps(answer).insert(0, _steps(answer).pop())


def _onto_other(answer: dict[str, Any]) -> None:
    move = next(step for step in _steps(answer) if step["do"] == "move task")
    move["to"] = [6, 54]
    answer["evacuation"]["tasks"]["a"]["pus"] = [6, 54]


def _no_move(answer: dict[str, Any]) -> None:
    del _steps(answer)[1]


def _no_room(answer: dict[str, Any]) -> None:
    answer["evacuation"]["tasks"]["a"]["numa_node"] = 99
    _steps(answer)[0]["to"] = 99


@pytest.mark.parametrize("change", [_off_first, _onto_other, _no_move, _no_room])
def test_power_judge_takes_every_step_of_an_evacuation(change: Change) -> None:
    """Nobody is left behind, nobody shares a PU in between, and memory has room."""
    assert check(EPYC, MOVED) == []
    answer = deepcopy(MOVED.answer)
    change(answer)
    assert check(EPYC, replace(MOVED, answer=answer))


def test_power_judge_wants_the_users_own_wishes() -> None:
    """A refusal names wishes of the request, and they do clash."""
    right = QUESTION.decide(BOARD, {"off": ["package:0"], "never": ["eth0"]}, Limits())
    assert right.status is Status.INFEASIBLE
    assert check(BOARD, right) == []
    assert check(BOARD, replace(right, reasons=()))
    assert check(BOARD, replace(right, reasons=right.reasons[:1]))
    assert check(BOARD, replace(right, reasons=(Reason("never:package:5", "", ()),)))


def test_power_judge_wants_nothing_of_an_unknown() -> None:
    """An answer within no time says nothing."""
    assert check(BOARD, replace(OFF, status=Status.UNKNOWN))
    empty: Decision = replace(OFF, status=Status.UNKNOWN, answer={})
    assert check(BOARD, empty) == []

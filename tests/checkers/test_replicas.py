"""The judge of replicas: it passes what is right and finds every planted fault."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from skb.checkers.replicas import check
from skb.decision import Decision, Limits, Reason, Status
from skb.questions.replicas import decide
from tests.machines import bundled

BOARD = bundled("tyan-s4985")
ASKED = {
    "name": "x",
    "lines": 4,
    "read_rate": 1e6,
    "operations": [
        {"name": "map", "rate": 5000.0, "work_ns": 100.0},
        {"name": "retype", "rate": 50.0, "consistency": "two-phase", "refused": 0.1},
    ],
}
RIGHT = decide(BOARD, {"object": [ASKED]}, Limits(seconds=5))

Told = dict[str, Any]
Change = Callable[[Told], None]


def _lose(told: Told) -> None:
    told["domains"][0]["pus"].remove(0)


def _twice(told: Told) -> None:
    told["domains"].append(deepcopy(told["domains"][0]))


def _part(told: Told) -> None:
    told["domains"][0]["part"] = "package:5"


def _leader(told: Told) -> None:
    told["domains"][0]["leader"] = 1


def _foreign(told: Told) -> None:
    told["domains"][0]["leader"] = 31


def _inside(told: Told) -> None:
    told["domains"][0]["inside"] = "lock"


def _alone(told: Told) -> None:
    told["domains"][0]["inside"] = "alone"


def _reads(told: Told) -> None:
    told["domains"][0]["reads"] *= 0.99


def _messages(told: Told) -> None:
    told["domains"][0]["messages"] += 1e5


def _value(told: Told) -> None:
    told["value"] *= 0.999


def _coordinator(told: Told) -> None:
    told["coordinator"] = 2


def _protocol(told: Told) -> None:
    told["operations"]["retype"]["protocol"] = "single-phase-commit"


def _latency(told: Told) -> None:
    told["operations"]["map"]["latency_ns"]["worst"] *= 0.9


def _broadcast(told: Told) -> None:
    told["tree"]["broadcast_ns"] -= 1


def _sends(told: Told) -> None:
    told["tree"]["sends"][0]["to"].pop()


def _numa(told: Told) -> None:
    told["domains"][0]["numa_node"] = 99


def _missing(told: Told) -> None:
    del told["tree"]


def changed(change: Change) -> Decision:
    """Return the right decision with one fault in its answer."""
    answer = deepcopy(RIGHT.answer)
    change(answer["objects"]["x"])
    return replace(RIGHT, answer=answer)


def test_replicas_right_answer_passes() -> None:
    """What was decided has nothing wrong."""
    assert check(BOARD, RIGHT) == []


@pytest.mark.parametrize(
    "change",
    [
        *(_lose, _twice, _part, _leader, _foreign, _inside, _alone, _reads, _messages, _value),
        *(_coordinator, _protocol, _latency, _broadcast, _sends, _numa, _missing),
    ],
)
def test_replicas_planted_fault_is_found(change: Change) -> None:
    """Each fault is found."""
    assert check(BOARD, changed(change))


@pytest.mark.parametrize(
    "wishes",
    [
        {"max_replicas": 7},
        {"faults": 4},
        {"max_read_ns": 10.0},
        {"max_update_ns": 100.0},
        {"sharing": "lock"},
        {"level": "core"},
        {"domains": ["core:0"]},
        {"at": ["package:7"]},
        {"not_at": [0, 4, "package:0", "package:1", "package:2"]},
        {"memory_bytes": 10},
        {"lines": 5},
        {"members": ["package:0"]},
        {"read_rate": 2e6},
    ],
)
def test_replicas_answer_to_another_request_is_refused(wishes: dict[str, Any]) -> None:
    """An answer that does not keep to a limit of the request is refused."""
    request = {"object": [{**ASKED, **wishes}]}
    assert check(BOARD, replace(RIGHT, request=request))


def test_replicas_dearer_choice_is_not_optimal() -> None:
    """A sound answer that is not the cheapest is refused as optimal."""
    other = decide(BOARD, {"object": [{**ASKED, "level": "core"}]}, Limits(seconds=5))
    assert check(BOARD, replace(other, request={"object": [ASKED]}))


def test_replicas_false_refusal_is_found() -> None:
    """Where there is a choice, infeasible is wrong; and a refusal gives a reason."""
    refusal = replace(RIGHT, status=Status.INFEASIBLE, answer={}, reasons=(Reason("a", "b"),))
    assert check(BOARD, refusal)
    assert "no reason is given" in check(BOARD, replace(refusal, reasons=()))


@pytest.mark.parametrize("bound", [None, 1.0, 1e30])
def test_replicas_bound_must_prove_the_status(bound: float | None) -> None:
    """Optimal is what equals its bound."""
    assert check(BOARD, replace(RIGHT, bound=bound))

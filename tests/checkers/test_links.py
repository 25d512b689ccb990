"""The judge of links: it passes what is right and finds every planted fault."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from skb.checkers.links import check
from skb.decision import Decision, Limits, Reason, Status
from skb.questions.links import decide
from tests.machines import bundled
from tests.questions.interconnects import interconnect

BOARD = bundled("tyan-s4985")
TABLE = {"virtual_channels": 2, "failures": True}
RIGHT = decide(BOARD, TABLE, Limits())
WEIGHTED = {"traffic": [{"from": "pu:0", "to": "package:3", "weight": 2.5}], "minimal": False}

Change = Callable[[dict[str, Any]], None]


def _loop(answer: dict[str, Any]) -> None:
    answer["next_hop"]["package:0"]["package:3"] = "package:7"
    answer["next_hop"]["package:7"]["package:3"] = "package:0"


def _no_link(answer: dict[str, Any]) -> None:
    answer["next_hop"]["package:0"]["package:3"] = "package:3"


def _no_entry(answer: dict[str, Any]) -> None:
    del answer["next_hop"]["package:0"]["package:3"]


def _longer(answer: dict[str, Any]) -> None:
    answer["next_hop"]["package:0"]["package:2"] = "package:7"


def _one_channel(answer: dict[str, Any]) -> None:
    answer["channel"] = dict.fromkeys(answer["channel"], 0)


def _channel_too_many(answer: dict[str, Any]) -> None:
    answer["channel"]["package:0"] = 2


def _load(answer: dict[str, Any]) -> None:
    answer["load"]["package:0"]["package:1"] += 1


def _most(answer: dict[str, Any]) -> None:
    answer["max_load"] -= 1


def _mean(answer: dict[str, Any]) -> None:
    answer["mean_load"] += 0.001


def _fullest(answer: dict[str, Any]) -> None:
    answer["fullest"].pop()


def _hops(answer: dict[str, Any]) -> None:
    answer["hops"]["pairs"]["1"] += 1


def _node(answer: dict[str, Any]) -> None:
    answer["nodes"].pop()


def _price(answer: dict[str, Any]) -> None:
    del answer["proof"]["prices"][:]


def _proof(answer: dict[str, Any]) -> None:
    answer["proof"]["value"] += 1


def _queue(answer: dict[str, Any]) -> None:
    answer["queue_depth"]["package:0"]["package:1"] = 0


def _no_failure(answer: dict[str, Any]) -> None:
    answer["failures"].pop()


def _cut_off(answer: dict[str, Any]) -> None:
    answer["failures"][0] = {"link": answer["failures"][0]["link"], "status": "disconnects"}


def _failed_link(answer: dict[str, Any]) -> None:
    answer["failures"][0]["next_hop"] = answer["next_hop"]


def test_right_answers_pass() -> None:
    """Two channels, longer ways, weighted traffic, a link that is off, and a refusal."""
    assert check(BOARD, RIGHT) == []
    for request in (WEIGHTED, {"off": [["package:3", "package:4"]]}, {"virtual_channels": 1}):
        assert check(BOARD, decide(BOARD, request, Limits())) == []


@pytest.mark.parametrize(
    "change",
    [
        *(_loop, _no_link, _no_entry, _longer, _one_channel, _channel_too_many, _load, _most),
        *(_mean, _fullest, _hops, _node, _price, _proof, _queue, _no_failure, _cut_off),
        _failed_link,
    ],
)
def test_a_mutated_answer_is_found(change: Change) -> None:
    """Walks, channels, loads, hops, proof, queues and failures are each looked at."""
    answer = deepcopy(RIGHT.answer)
    change(answer)
    assert answer != RIGHT.answer
    assert check(BOARD, replace(RIGHT, answer=answer))


def test_waiting_in_a_circle_is_named() -> None:
    """All trees of the board on one channel: the links of a cycle stand in the words."""
    answer = deepcopy(RIGHT.answer)
    _one_channel(answer)
    [words] = check(BOARD, replace(RIGHT, answer=answer))
    assert words.startswith("on channel 0 these wait for each other: package:")


@pytest.mark.parametrize(
    "decision",
    [
        replace(RIGHT, objective=replace(RIGHT.objective, value=7)),
        replace(RIGHT, bound=9),
        replace(RIGHT, bound=7),
        replace(RIGHT, request={"virtual_channels": 1}),
        replace(RIGHT, request={"off": ["package:3"]}),
        replace(RIGHT, request={"traffic": WEIGHTED["traffic"]}),
        replace(RIGHT, status=Status.INFEASIBLE),
        replace(RIGHT, status=Status.INFEASIBLE, answer={}, reasons=()),
        replace(RIGHT, answer={}),
    ],
)
def test_a_mutated_decision_is_found(decision: Decision) -> None:
    """Value, bound, proof and the request's wishes are each looked at."""
    assert check(BOARD, decision)


@pytest.mark.parametrize(
    ("name", "channels"), [("ladder", 1), ("board", 2), ("board12", 1), ("ring6", 2)]
)
def test_a_false_refusal_is_found(name: str, channels: int) -> None:
    """Where a table exists the judge finds one itself."""
    machine = interconnect(name)
    refused = replace(
        RIGHT,
        status=Status.INFEASIBLE,
        answer={},
        request={"virtual_channels": channels},
        reasons=(Reason("cycle", "whatever"),),
    )
    assert check(machine, refused) == ["there is a table"]


def test_a_node_that_is_reached_is_not_unreachable() -> None:
    """A refusal for a broken network is looked at as well."""
    reasons = (Reason("unreachable", "no links lead there"),)
    refused = replace(RIGHT, status=Status.INFEASIBLE, answer={}, reasons=reasons)
    assert check(BOARD, refused) == ["every node is reached, the reason says otherwise"]

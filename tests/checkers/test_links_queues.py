"""The judge of queues: it passes what is right and finds every planted fault."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from skb.checkers.links import check
from skb.decision import Limits
from skb.questions.links import decide
from tests.machines import bundled
from tests.questions.interconnects import interconnect

BOARD = bundled("tyan-s4985")
RIGHT = decide(BOARD, {"packet_bytes": 80}, Limits())

Change = Callable[[dict[str, Any]], None]


def _trip(answer: dict[str, Any]) -> None:
    answer["queue_depth"]["package:0"]["package:1"] += 1


def _no_queue(answer: dict[str, Any]) -> None:
    del answer["queue_depth"]["package:0"]["package:1"]


def _fewer(answer: dict[str, Any]) -> None:
    """One packet less wherever most of the burst wait: each queue would overflow."""
    run = answer["backlog"]["burst"]
    for a, b in run["where"]:
        run["waiting"][a][b] = [max(0, count - 1) for count in run["waiting"][a][b]]
    run["most"] -= 1
    _again(answer)


def _more(answer: dict[str, Any]) -> None:
    run = answer["backlog"]["burst"]
    [a, b], *_others = run["where"]
    run["waiting"][a][b][0] = run["waiting"][a][b][1] = run["most"] = run["most"] + 1
    run["where"] = [[a, b]]
    _again(answer)


def _too_many(answer: dict[str, Any]) -> None:
    run = answer["backlog"]["steady"]
    run["waiting"]["package:0"]["package:1"] = [10**6, 0]
    run["most"], run["where"] = 10**6, [["package:0", "package:1"]]
    _again(answer)


def _again(answer: dict[str, Any]) -> None:
    """Let the depths be those of the packets, so that nothing but these is wrong."""
    told = answer["backlog"]
    for a, row in answer["backlog_depth"].items():
        for b in row:
            runs = zip(*(told[run]["waiting"][a][b] for run in ("burst", "steady")), strict=True)
            row[b] = [80 * max(counts) for counts in runs]


def _depth(answer: dict[str, Any]) -> None:
    answer["backlog_depth"]["package:0"]["package:1"][0] += 80


def _most(answer: dict[str, Any]) -> None:
    answer["backlog"]["steady"]["most"] += 1


def _where(answer: dict[str, Any]) -> None:
    answer["backlog"]["steady"]["where"].pop()


def _packets(answer: dict[str, Any]) -> None:
    answer["backlog"]["burst"]["packets"] += 56


def _rounds(answer: dict[str, Any]) -> None:
    answer["backlog"]["steady"]["packets"] += 1


def _bytes(answer: dict[str, Any]) -> None:
    answer["backlog"]["packet_bytes"] = 64


def _no_depth(answer: dict[str, Any]) -> None:
    del answer["backlog_depth"]


def _no_channel(answer: dict[str, Any]) -> None:
    answer["backlog"]["burst"]["waiting"]["package:0"]["package:1"].pop()


@pytest.mark.parametrize(
    "change",
    [
        *(_trip, _no_queue, _fewer, _more, _too_many, _depth, _most, _where, _packets, _rounds),
        *(_bytes, _no_depth, _no_channel),
    ],
)
def test_a_wrong_depth_is_found(change: Change) -> None:
    """Round trips and bursts are worked out anew, all else is added up."""
    assert check(BOARD, RIGHT) == []
    answer = deepcopy(RIGHT.answer)
    change(answer)
    assert answer != RIGHT.answer
    assert check(BOARD, replace(RIGHT, answer=answer))


def test_a_large_burst_is_held_against_what_can_be() -> None:
    """Of 64 nodes a burst is not played again, yet as many as begin at a link must wait there."""
    mesh = interconnect("mesh8x8")
    right = decide(mesh, {}, Limits())
    assert check(mesh, right) == []
    answer = deepcopy(right.answer)
    answer["backlog"]["burst"]["waiting"]["package:0"]["package:1"] = [3]
    [first, *_rest] = check(mesh, replace(right, answer=answer))
    assert first.startswith("3 packets of the burst cannot wait at package:0 -> package:1")

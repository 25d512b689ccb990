"""The judge of interrupts: it passes what is right and finds every planted fault."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from skb.checkers.interrupts import check
from skb.decision import Decision, Limits, Reason, Status
from skb.questions.interrupts import decide
from tests.machines import grown

NICS = """
[[device]]
name = "a"
kind = "network"
at = "package:0"
[[device]]
name = "b"
kind = "network"
at = "package:1"
"""
MACHINE = grown("package:2 numa:1 core:4 pu:2", extra=NICS)
ASKED: dict[str, Any] = {
    "device": [
        {"name": "a", "vectors": [20, 21, 22, 23, 24, 25]},
        {"name": "b", "vectors": [30, 31]},
    ],
    "exclude": [6, 7],
    "managed": [31],
    "current": {"affinity": {"20": "0", "21": "2", "31": "8"}},
    "ipi_groups": [["machine:0"]],
}
RIGHT = decide(MACHINE, ASKED, Limits())
PLAIN = decide(MACHINE, {"device": ASKED["device"], "exclude": [6, 7]}, Limits())
NEXT = decide(MACHINE, {**ASKED, "spill": "next-nearest"}, Limits())
Change = Callable[[dict[str, Any]], None]


def _put(place: int, pu: int, answer: dict[str, Any]) -> None:
    """Move a queue and tell everything else about it rightly."""
    row = answer["queues"][place]
    row["pu"], row["core"] = pu, f"core:{pu // 2}"


def _far(answer: dict[str, Any]) -> None:
    _put(0, 8, answer)


def _closed(answer: dict[str, Any]) -> None:
    _put(0, 6, answer)


def _nowhere(answer: dict[str, Any]) -> None:
    _put(0, 99, answer)


def _managed(answer: dict[str, Any]) -> None:
    _put(7, 10, answer)


def _thread(answer: dict[str, Any]) -> None:
    _put(5, answer["queues"][0]["pu"] + 1, answer)


def _swapped(answer: dict[str, Any]) -> None:
    rows = answer["queues"]
    rows[0]["pu"], rows[1]["pu"] = rows[1]["pu"], rows[0]["pu"]
    for row in rows[:2]:
        row["moves"] = True
    answer["moves"] += [{"device": "device:a", "queue": at} for at in (0, 1)]


def _missing(answer: dict[str, Any]) -> None:
    answer["queues"].pop(2)


def _twice(answer: dict[str, Any]) -> None:
    answer["queues"].append(deepcopy(answer["queues"][0]))


def _irq(answer: dict[str, Any]) -> None:
    answer["queues"][0]["irq"] = 99


def _latency(answer: dict[str, Any]) -> None:
    answer["queues"][0]["latency_ns"] -= 1


def _level(answer: dict[str, Any]) -> None:
    answer["queues"][0]["level"] = "machine"


def _was(answer: dict[str, Any]) -> None:
    answer["queues"][0]["was"] = [4]


def _load(answer: dict[str, Any]) -> None:
    answer["load"]["0"]["vectors"] += 1


def _most(answer: dict[str, Any]) -> None:
    answer["max_load"] -= 1


def _spill(answer: dict[str, Any]) -> None:
    answer["spill"].append({"device": "device:a", "queue": 0})


def _moves(answer: dict[str, Any]) -> None:
    answer["moves"].pop()


def _mask(answer: dict[str, Any]) -> None:
    answer["steering"]["device:a"]["xps"]["0"] = "0000"


def _words(answer: dict[str, Any]) -> None:
    answer["steering"]["device:a"]["xps"]["0"] = "0x1"


def _weights(answer: dict[str, Any]) -> None:
    rss = answer["steering"]["device:a"]["rss"]
    rss["equal"], rss["weights"] = False, [9, 1, 1, 1, 1, 1]


def _cluster(answer: dict[str, Any]) -> None:
    answer["ipi_groups"][0]["clusters"][0]["pus"].pop()


def _writes(answer: dict[str, Any]) -> None:
    answer["ipi_groups"][0]["writes"] += 1


FAULTS = [
    *(_far, _closed, _nowhere, _managed, _thread, _swapped, _missing, _twice, _irq, _latency),
    *(_level, _was, _load, _most, _spill, _moves, _mask, _words, _weights, _cluster, _writes),
]


def test_interrupts_checker_passes_right_answers() -> None:
    """What the question answers has no fault."""
    assert check(MACHINE, RIGHT) == []
    assert check(MACHINE, NEXT) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_interrupts_checker_finds_faults(fault: Change) -> None:
    """Each planted fault is told."""
    answer = deepcopy(RIGHT.answer)
    fault(answer)
    assert check(MACHINE, replace(RIGHT, answer=answer))


def _answered(pus: dict[int, int], right: Decision, **request: Any) -> Decision:
    """Return another decision with queues on other PUs, told rightly but for being the best."""
    asked = {**right.request, **request}
    rows = right.answer["queues"]
    required = [
        {"device": row["device"], "queue": row["queue"], "pu": pus.get(at, row["pu"])}
        for at, row in enumerate(rows)
        if not row["managed"]
    ]
    forced = decide(MACHINE, {**asked, "require": required}, Limits())
    answer = deepcopy(forced.answer)
    for row, old in zip(answer["queues"], rows, strict=True):
        row["given"] = False
        row["spilled"] = not old["managed"] and row["latency_ns"] > row["nearest_ns"]
    answer["spill"] = [row for row in answer["queues"] if row["spilled"]]
    return replace(forced, answer=answer, request=asked)


def test_interrupts_checker_finds_what_is_nearer() -> None:
    """A queue in the other package, all told rightly, is not the best answer."""
    wrong = check(MACHINE, _answered({0: 10}, PLAIN))
    assert any("nearer" in text for text in wrong)


def test_interrupts_checker_finds_what_is_more_even() -> None:
    """Three queues on a core where each could have two are not the best answer."""
    first = dict(enumerate([0, 0, 0, 2, 2, 4]))
    wrong = check(MACHINE, _answered(first, PLAIN))
    assert any("could give a queue" in text for text in wrong)


def test_interrupts_checker_finds_a_rule_that_is_broken() -> None:
    """Two queues on a core that takes one are against the rule."""
    first = dict(enumerate([0, 0, 2, 4, 10, 12]))
    wrong = check(MACHINE, _answered(first, NEXT))
    assert any("takes more than 1" in text for text in wrong)


def test_interrupts_checker_finds_a_wrong_refusal() -> None:
    """A refusal where all queues have room is found; one without reasons too."""
    asked = {"device": [{"name": "a", "queues": 4}], "spill": "refuse"}
    reason = Reason("queues:device:a", "no room")
    refusal = replace(RIGHT, status=Status.INFEASIBLE, answer={}, request=asked, reasons=(reason,))
    assert check(MACHINE, refusal) == ["not infeasible: all have room"]
    assert check(MACHINE, replace(refusal, reasons=()))
    asked["device"][0]["queues"] = 5  # type: ignore[index]
    assert check(MACHINE, replace(refusal, request=asked)) == []


def test_interrupts_checker_finds_wrong_sums() -> None:
    """Objective, bound, terms and alternatives are recomputed."""
    objective = replace(RIGHT.objective, value=1.0)
    assert check(MACHINE, replace(RIGHT, objective=objective))
    assert check(MACHINE, replace(RIGHT, bound=1e9))
    assert check(MACHINE, replace(RIGHT, costs=RIGHT.costs[1:]))
    dearer = [{**row, "costs_more": row["costs_more"] + 1} for row in RIGHT.alternatives]
    assert check(MACHINE, replace(RIGHT, alternatives=tuple(dearer)))

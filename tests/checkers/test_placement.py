"""The judge of placements finds every planted fault, and none in a right answer."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from skb.checkers.placement import check
from skb.decision import Cost, Decision, Limits, Objective, Status
from skb.questions.placement import decide
from tests.questions.placement_machines import machine

SMALL = machine(2, 3, 2, extra=(("isa", ("package:0", "x86_64")), ("isa", ("package:1", "arm64"))))
REQUEST: dict[str, Any] = {
    "task": [
        {"name": "rx", "at": "core:0", "memory_mib": 700},
        {"name": "tx", "isa": "x86_64", "near": {"numa:1": 2}, "memory_mib": 600},
        {"name": "wide", "cores": 2, "not_at": "core:0"},
        {"name": "lone", "exclusive": True},
        {"name": "half", "load": 0.5, "cache_mib": 1},
        {"name": "other", "load": 0.6, "bandwidth_mbps": 100},
    ],
    "traffic": [
        {"from": "rx", "to": "tx", "messages_per_s": 100},
        {"from": "tx", "to": "wide", "messages_per_s": 50},
        {"from": "half", "to": "other", "messages_per_s": 7},
    ],
    "apart": [{"tasks": ["rx", "lone"], "within": "package"}],
    "together": [{"tasks": ["rx", "tx"], "within": "package"}],
    "current": {"placement": {"lone": {"pus": [0]}}, "migration_cost": 40},
}
Tasks = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def right() -> Decision:
    return decide(SMALL, REQUEST, Limits())


def test_checker_accepts_the_right_answer(right: Decision) -> None:
    """No violation is reported where there is none."""
    assert right.status is Status.OPTIMAL
    assert check(SMALL, right) == []


def put(name: str, *pus: int) -> Callable[[Tasks], None]:
    """Return a fault that moves a task to other PUs."""

    def plant(tasks: Tasks) -> None:
        tasks[name]["pus"] = list(pus)

    return plant


def swap(first: str, second: str) -> Callable[[Tasks], None]:
    """Return a fault that exchanges two tasks."""

    def plant(tasks: Tasks) -> None:
        tasks[first], tasks[second] = tasks[second], tasks[first]

    return plant


def node(name: str, number: int | None) -> Callable[[Tasks], None]:
    """Return a fault that names another memory node."""

    def plant(tasks: Tasks) -> None:
        tasks[name]["numa_node"] = number

    return plant


def meet(tasks: Tasks) -> None:
    tasks["tx"]["pus"] = tasks["rx"]["pus"]


def lose(tasks: Tasks) -> None:
    del tasks["lone"]


def share_memory(tasks: Tasks) -> None:
    tasks["rx"]["numa_node"] = tasks["tx"]["numa_node"] = 0


FAULTS: list[tuple[str, Callable[[Tasks], None], str]] = [
    ("swapped tasks", swap("rx", "lone"), "rx"),
    ("a PU used twice", swap("tx", "half"), ""),
    ("the same PU for two", meet, "is loaded to 2"),
    ("a PU listed twice", put("wide", 1, 1, 7, 7), "twice"),
    ("a PU that is not there", put("tx", 77), "cannot be used"),
    ("no PU", put("tx"), "no PU"),
    ("too many PUs", put("tx", 1, 7), "2 PUs instead of 1"),
    ("half a core", put("wide", 1, 2, 7, 9), "not 2 whole cores"),
    ("a forbidden place", put("wide", 0, 6, 1, 7), "not_at forbids"),
    ("another instruction set", put("tx", 4), "arm64"),
    ("a shared exclusive core", put("half", 9), ""),
    ("apart but together", put("lone", 2), "share a package"),
    ("memory of nowhere", node("rx", 9), "numa:9 cannot be used"),
    ("no memory", node("half", None), "no memory node"),
    ("memory that is full", share_memory, "holds 1300 MiB"),
    ("memory that is far", node("wide", 1), ""),
    ("a missing task", lose, "lone"),
]


@pytest.mark.parametrize(("plant", "words"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_checker_finds_a_planted_fault(
    right: Decision, plant: Callable[[Tasks], None], words: str
) -> None:
    """Each fault in the answer is reported, in words that say which."""
    answer = copy.deepcopy(right.answer)
    plant(answer["tasks"])
    found = check(SMALL, replace(right, answer=answer))
    assert found and any(words in text for text in found), found


def test_checker_recomputes_the_price(right: Decision) -> None:
    """A wrong price, term, bound or claim of optimality is reported."""
    value = right.objective.value
    assert value is not None and right.bound is not None
    wrong = [
        replace(right, objective=Objective("communication", value * (1 + 1e-6), "ns/s")),
        replace(right, objective=Objective("communication", None, "ns/s")),
        replace(right, costs=(Cost("memory", 1.0, "ns/s"), *right.costs[1:])),
        replace(right, costs=right.costs[1:]),
        replace(right, costs=(*right.costs, Cost("luck", 0.0, "ns/s"))),
        replace(right, bound=value + 1),
        replace(right, bound=value - 1),
        replace(right, bound=None),
        replace(right, answer={}),
    ]
    assert all(check(SMALL, decision) for decision in wrong)


def test_checker_sees_that_another_first_pu_costs_more(right: Decision) -> None:
    """The order of the PUs matters: the first one speaks for the task."""
    answer = copy.deepcopy(right.answer)
    first, *others = answer["tasks"]["wide"]["pus"]
    answer["tasks"]["wide"]["pus"] = [*others, first]
    assert check(SMALL, replace(right, answer=answer)) == []  # same class of PUs: same price
    request = copy.deepcopy(REQUEST)
    request["forced"] = [{"task": "wide", "at": f"pu:{first}"}]
    assert check(SMALL, replace(right, answer=answer, request=request))


def test_checker_judges_impossible_requests_by_their_reasons() -> None:
    """A claim that nothing fits names items of the request and carries neither answer nor price."""
    none = decide(SMALL, {"task": [{"name": "a", "cores": 7}]}, Limits())
    assert none.status is Status.INFEASIBLE and check(SMALL, none) == []
    assert check(SMALL, replace(none, reasons=()))
    assert check(SMALL, replace(none, answer={"tasks": {}}))
    assert check(SMALL, replace(none, reasons=(replace(none.reasons[0], items=("task:b",)),)))
    assert check(SMALL, replace(none, reasons=(replace(none.reasons[0], text=""),)))
    unknown = replace(none, status=Status.UNKNOWN, reasons=())
    assert check(SMALL, unknown) == []
    assert check(SMALL, replace(unknown, answer={"tasks": {}}))

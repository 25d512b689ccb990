"""Placement: impossible requests, refusals with place and mend, amounts and rates without
rounding.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from skb.checkers.placement import check
from skb.decision import Decision, Limits, Status
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.placement import decide
from skb.relations import Fact
from tests.machines import bundled
from tests.questions.placement_machines import machine

PLAIN = machine(2, 2, 1)


def ask(small: Machine, **request: Any) -> Decision:
    decision = decide(small, request, Limits())
    assert check(small, decision) == []
    return decision


def message(rate: float, a: str = "a", b: str = "b") -> dict[str, Any]:
    return {"from": a, "to": b, "messages_per_s": rate}


def kept(pus: list[int], node: int | None = None) -> dict[str, Any]:
    """Return a current placement in which task a stays on these PUs."""
    return {"placement": {"a": {"pus": pus, "numa_node": node}}, "keep": ["a"]}


A, B, C = {"name": "a"}, {"name": "b"}, {"name": "c"}

IMPOSSIBLE: list[tuple[str, Machine, dict[str, Any], dict[str, str]]] = [
    (
        "one task too large",
        PLAIN,
        {"task": [{**A, "cores": 5}]},
        {"task[0].cores": "needs 5 cores; the machine has 4 usable cores"},
    ),
    (
        "one task too many",
        PLAIN,
        {"task": [{"name": f"t{i}", "cores": 1, "exclusive": True} for i in range(5)]},
        {
            f"task[{i}].cores": f"task t{i} needs 1 exclusive core; the machine has 4"
            for i in range(5)
        },
    ),
    (
        "no such instruction set",
        machine(extra=(("isa", ("machine:0", "x86_64")),)),
        {"task": [A, {**B, "isa": "riscv64"}]},
        {"task[1].isa": "task b needs isa riscv64; the machine has x86_64"},
    ),
    (
        "pinned and apart",
        PLAIN,
        {
            "task": [{**A, "at": "package:0"}, {**B, "at": "numa:0"}, C],
            "apart": [{"tasks": ["a", "b"], "within": "package"}],
        },
        {"task[0].at": "package:0", "task[1].at": "numa:0", "apart[0]": "share no package"},
    ),
    (
        "apart more than there are",
        PLAIN,
        {"task": [A, B, C], "apart": [{"tasks": ["a", "b", "c"], "within": "package"}]},
        {"apart[0]": "tasks a, b, c must share no package; the machine has 2"},
    ),
    (
        "too much memory",
        PLAIN,
        {"task": [{**A, "memory_mib": 1025}, B]},
        {"task[0].memory_mib": "needs 1025 MiB"},
    ),
    (
        "memory of a kind that is not there",
        PLAIN,
        {"task": [{**A, "memory_kind": "hbm"}]},
        {"task[0].memory_kind": "needs hbm memory; the machine has dram"},
    ),
    (
        "too much bandwidth",
        PLAIN,
        {"task": [{**A, "bandwidth_mbps": 30000}]},
        {"task[0].bandwidth_mbps": "30000 MB/s"},
    ),
    (
        "too much cache",
        PLAIN,
        {"task": [{**A, "cache_mib": 5}]},
        {"task[0].cache_mib": "at most 4 MiB"},
    ),
    (
        "an allowed set too small",
        PLAIN,
        {"task": [{**A, "pus": 2}], "allowed": [3]},
        {"task[0].pus": "needs 2 PUs", "allowed": "1 usable PU"},
    ),
]


@pytest.mark.parametrize(
    ("small", "request_", "reasons"), [c[1:] for c in IMPOSSIBLE], ids=[c[0] for c in IMPOSSIBLE]
)
def test_placement_names_exactly_the_rules_that_clash(
    small: Machine, request_: dict[str, Any], reasons: dict[str, str]
) -> None:
    """The reasons are the user's own rules, with the user's names and the machine's limits."""
    decision = ask(small, **request_)
    assert decision.status is Status.INFEASIBLE
    assert {reason.id for reason in decision.reasons} == set(reasons)
    for reason in decision.reasons:
        assert reasons[reason.id] in reason.text


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("unknown object", {"task": [A, {**B, "at": "numa:7"}]}, "task[1].at", "numa:0 to numa:1"),
    ("no object at all", {"task": [{**A, "near": "somewhere"}]}, "task[0].near", ""),
    ("same name", {"task": [A, A]}, "task[1]", "rename"),
    (
        "unknown sender",
        {"task": [A], "traffic": [message(1, "aa", "a")]},
        "traffic[0].from",
        "did you mean a?",
    ),
    (
        "negative rate",
        {"task": [A, B], "traffic": [message(-1)]},
        "traffic[0].messages_per_s",
        "0 or more",
    ),
    (
        "endless rate",
        {"task": [A, B], "traffic": [message(float("inf"))]},
        "traffic[0].messages_per_s",
        "",
    ),
    ("unknown PU", {"task": [A], "allowed": [0, 99]}, "allowed", "0 to 3"),
    ("unknown key", {"task": [{**A, "colour": "red"}]}, "placement request", ""),
    ("two sizes", {"task": [{**A, "pus": 1, "cores": 1}]}, "task[0]", "one of them"),
    ("no cores", {"task": [{**A, "cores": 0}]}, "task[0].cores", "1 or more"),
    ("load of nothing", {"task": [{**A, "load": 0}]}, "task[0].load", "0 < load"),
    ("too fine a load", {"task": [{**A, "load": 1e-9}]}, "task[0].load", "millionths"),
    ("no such device", {"task": [{**A, "per": "gpu"}]}, "task[0].per", ""),
    (
        "no such level",
        {"task": [A, B], "apart": [{"tasks": ["a", "b"], "within": "l2"}]},
        "apart[0].within",
        "",
    ),
    ("no task", {"task": []}, "task", "add a"),
    (
        "nobody together",
        {"task": [A], "together": [{"tasks": [], "within": "core"}]},
        "together[0].tasks",
        "two tasks",
    ),
    ("more PUs than are made", {"task": [{**A, "pus": 10**30}]}, "task[0].pus", "at most"),
    ("kept nowhere", {"task": [A], "current": kept([])}, "current.placement.a.pus", "each PU"),
    ("kept twice", {"task": [A], "current": kept([1, 1])}, "current.placement.a.pus", "once"),
    ("kept on more", {"task": [A], "current": kept([1, 2])}, "current.placement.a", "ask for 2"),
    (
        "kept on more cores",
        {"task": [{**A, "cores": 1}], "current": kept([1, 2])},
        "current.placement.a.pus",
        "ask for 2",
    ),
    (
        "kept at no node",
        {"task": [{**A, "memory_mib": 1}], "current": kept([1], 9)},
        "current.placement.a.numa_node",
        "numa:0",
    ),
    ("a word for a list", {"task": [A], "allowed": "0-3"}, "placement request $.allowed", "a list"),
    (
        "a word for a switch",
        {"task": [{**A, "exclusive": "yes"}]},
        "placement request $.task[0].exclusive",
        "true or false",
    ),
    ("unknown key of a task", {"task": [{**A, "core": 1}]}, "placement request $.task[0]", "cores"),
    (
        "unknown key of what runs",
        {"task": [A], "current": {"placement": {"a": {"pu": 1}}}},
        "placement request $.current.placement[...]",
        "keys are: pus, numa_node",
    ),
    (
        "another word for a level",
        {"task": [A], "apart": [{"tasks": ["a"], "within": "socket"}]},
        "placement request $.apart[0].within",
        "package",
    ),
]


@pytest.mark.parametrize(
    ("request_", "place", "mend"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_placement_refuses_a_bad_request_with_place_and_mend(
    request_: dict[str, Any], place: str, mend: str
) -> None:
    """A bad request is an error of the user that says where and what to do."""
    with pytest.raises(RequestError) as refused:
        decide(PLAIN, request_, Limits())
    assert refused.value.place.startswith(place)
    assert mend in refused.value.mend and refused.value.mend


def test_placement_takes_prices_whose_sum_has_more_than_31_bits() -> None:
    """Two prices of 31 bits fall on one choice; their sum is what the solver must hold."""
    pairs = {(0, 1): 1, (0, 2): 33.333, (1, 2): 7}
    extra = tuple(
        ("latency", (f"pu:{a}", f"pu:{b}", value))
        for (one, other), value in pairs.items()
        for a, b in ((one, other), (other, one))
    )
    small = machine(1, 3, 1, extra=extra)
    request = {"task": [{**A, "at": "pu:0"}, B], "traffic": [message(1e6), message(2.5, "b", "a")]}
    decision = ask(small, **request)
    assert decision.objective.value == 1_000_002.5
    assert decision.bound is not None and decision.bound <= 1_000_002.5
    far = ask(small, **request, forced=[{"task": "b", "at": "pu:2"}])
    assert far.objective.value == pytest.approx(33.333 * 1_000_002.5)


def test_placement_takes_a_node_of_unknown_size_as_enough() -> None:
    """Where one node states no size, the sum of the others is no limit."""
    facts = [
        Fact(fact.predicate, fact.args)
        for fact in PLAIN.facts
        if (fact.predicate, fact.args[0]) != ("memory_size", "numa:1")
    ]
    decision = ask(Machine("small", facts), task=[{**A, "memory_mib": 1500}])
    assert decision.status is Status.OPTIMAL
    assert decision.answer["tasks"]["a"]["numa_node"] == 1
    assert any("memory_size(numa:1)" in found.fact for found in decision.assumed)


THREE = [A, B, C]
RATE = ("memory_bandwidth", ("package:0", "numa:0", "access", 1000.5))
# name, machine, tasks, whether they fit
AMOUNTS: list[tuple[str, Machine, list[dict[str, Any]], bool]] = [
    (
        "memory below",
        machine(1, 2, 2, memory_mib=1000),
        [{**task, "memory_mib": 333.3} for task in THREE],
        True,
    ),
    (
        "memory above",
        machine(1, 2, 2, memory_mib=1000),
        [{**task, "memory_mib": 333.4} for task in THREE],
        False,
    ),
    (
        "memory to the byte",
        machine(1, 2, 2, memory_mib=1000),
        [{**A, "memory_mib": 999.5}, {**B, "memory_mib": 0.5}],
        True,
    ),
    (
        "bandwidth below",
        machine(1, 2, 1, extra=(RATE,)),
        [{**A, "bandwidth_mbps": 1049.1}],
        True,
    ),
    (
        "bandwidth above",
        machine(1, 2, 1, extra=(RATE,)),
        [{**A, "bandwidth_mbps": 1049.2}],
        False,
    ),
    (
        "cache below",
        machine(1, 2, 2),
        [{**task, "cache_mib": 1.33333} for task in THREE],
        True,
    ),
    (
        "cache above",
        machine(1, 2, 2),
        [{**task, "cache_mib": 1.33334} for task in THREE],
        False,
    ),
]


@pytest.mark.parametrize(
    ("small", "tasks", "fit"), [c[1:] for c in AMOUNTS], ids=[c[0] for c in AMOUNTS]
)
def test_placement_compares_amounts_without_rounding(
    small: Machine, tasks: list[dict[str, Any]], fit: bool
) -> None:
    """Fractions of a MiB add up to what fits or does not."""
    decision = ask(small, task=tasks)
    assert decision.status is (Status.OPTIMAL if fit else Status.INFEASIBLE)


def test_placement_never_answers_with_amounts_that_only_fit_when_rounded() -> None:
    """Amounts too fine for 31 bits: the rounded program fits, the answer must fit exactly."""
    small = machine(1, 2, 2, memory_mib=1000)
    below = [{**task, "memory_mib": 333.3333333333} for task in THREE]
    assert ask(small, task=below).status is Status.OPTIMAL
    above = [*below[:2], {**C, "memory_mib": 333.3333333335}]
    decision = ask(small, task=above)
    assert decision.status is Status.UNKNOWN
    assert decision.answer == {}


def test_checker_of_placement_compares_amounts_without_rounding() -> None:
    """An answer that exceeds a node by a fraction of a MiB is at fault, one below is not."""
    small = machine(1, 2, 2, memory_mib=1000)
    right = ask(small, task=[{**task, "memory_mib": 333.3} for task in THREE])
    wrong = {"task": [{**task, "memory_mib": 333.3334} for task in THREE]}
    assert any("MiB, more than" in text for text in check(small, replace(right, request=wrong)))


def test_placement_of_tasks_that_never_talk_needs_no_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Many equal tasks without traffic cost nothing wherever they go: proven without a solver."""

    def never(*_given: object) -> None:
        raise AssertionError("the solver was called")

    monkeypatch.setattr("skb.questions.placement.Proof", never)
    raw = {"task": [{"name": f"t{n}"} for n in range(12)]}
    board = bundled("tyan-s4985")
    found = decide(board, raw, Limits(seconds=10))
    assert (found.status, found.objective.value, found.bound) == (Status.OPTIMAL, 0.0, 0.0)
    assert check(board, found) == []

"""Placement against an enumeration of all alternatives that shares nothing with the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skb.checkers.placement import check, faults, price, tasks_of
from skb.decision import Limits, Status
from skb.machine import Machine
from skb.questions.placement import decide
from tests.questions.oracle_placement import cheapest, placements
from tests.questions.placement_machines import machine

Seat = dict[str, Any]


def seats(small: Machine, task: dict[str, Any]) -> Iterator[Seat]:
    """Yield every set of PUs of the right size with every first PU and every node."""
    usable = small.usable_pus
    if task.get("cores"):
        by_core: dict[str, list[int]] = {}
        for pu in small.pus:
            by_core.setdefault(small.core_of[pu], []).append(pu)
        sets = [
            tuple(sorted(pu for core in chosen for pu in by_core[core]))
            for chosen in combinations(sorted(by_core), task["cores"])
        ]
    else:
        sets = list(combinations(usable, task.get("pus") or 1))
    for pus in sets:
        for first in pus:
            for node in small.usable_numa:
                yield {"pus": [first, *(pu for pu in pus if pu != first)], "numa_node": node}


def oracle(small: Machine, request: dict[str, Any]) -> float | None:
    """Return the least price of a request by trying everything, None where nothing fits."""
    domains, fit = _domains(small, request)
    found = cheapest(
        domains,
        fit,
        lambda answer: not faults(small, request, answer),
        lambda answer: sum(price(small, request, answer).values()),
    )
    return None if found is None else found[0]


def feasible(small: Machine, request: dict[str, Any]) -> bool:
    """Whether anything at all is admissible."""
    domains, fit = _domains(small, request)
    return any(not faults(small, request, answer) for answer in placements(domains, fit))


Fit = Callable[[str, Seat, str, Seat], bool]


def _domains(small: Machine, request: dict[str, Any]) -> tuple[dict[str, list[Seat]], Fit]:
    tasks = tasks_of(small, request)
    alone = {
        name: {"task": [task], "allowed": request.get("allowed")} for name, task in tasks.items()
    }
    domains = {
        name: [s for s in seats(small, task) if not faults(small, alone[name], {name: s})]
        for name, task in tasks.items()
    }
    pairs: dict[tuple[str, str], dict[str, Any]] = {
        (a, b): {"task": [tasks[a], tasks[b]]} for a, b in combinations(tasks, 2)
    }

    known: dict[tuple[Any, ...], bool] = {}

    def fit(a: str, one: Seat, b: str, other: Seat) -> bool:
        key = (a, tuple(one["pus"]), one["numa_node"], b, tuple(other["pus"]), other["numa_node"])
        if key not in known:
            known[key] = not faults(small, pairs[a, b], {a: one, b: other})
        return known[key]

    return domains, fit


def tasks() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "pus": st.integers(1, 2),
            "memory_mib": st.sampled_from([300, 700, 1500]),
            "at": st.sampled_from(["package:0", "numa:1", "pu:1", ["pu:0", "core:1"]]),
            "not_at": st.sampled_from(["pu:0", "l3:1"]),
            "near": st.sampled_from(["pu:1", "numa:1", {"package:0": 2.5}]),
            "exclusive": st.booleans(),
            "load": st.sampled_from([1.0, 0.5, 0.25]),
        },
    )


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(1, 3))
    names = [f"t{index}" for index in range(count)]
    rows = [{"name": name, **draw(tasks())} for name in names]
    for row in rows:
        if draw(st.integers(0, 3)) == 0:
            row.pop("pus", None)
            row["cores"] = 1
    request: dict[str, Any] = {"task": rows}
    if count > 1:
        pair = st.tuples(st.sampled_from(names), st.sampled_from(names))
        request["traffic"] = [
            {"from": a, "to": b, "messages_per_s": rate}
            for a, b in draw(st.lists(pair, max_size=4))
            for rate in [draw(st.sampled_from([1, 2.5, 1000]))]
        ]
        for kind in ("together", "apart"):
            if draw(st.integers(0, 3)) == 0:
                level = draw(st.sampled_from(["core", "l3", "package", "numa"]))
                request[kind] = [{"tasks": names[:2], "within": level}]
    if draw(st.integers(0, 3)) == 0:
        request["current"] = {"placement": {"t0": {"pus": [1]}}, "migration_cost": 1500}
    if draw(st.integers(0, 5)) == 0:
        request["allowed"] = [0, 1, 2]
    return request


MACHINES = (
    machine(2, 2, 1),
    machine(
        1, 2, 2, extra=(("contains", ("package:0", "numa:1")), ("memory_size", ("numa:1", 2**31)))
    ),
    machine(2, 1, 2),
)


@settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(small=st.sampled_from(MACHINES), request=requests())
def test_placement_agrees_with_the_enumeration_of_all_alternatives(
    small: Machine, request: dict[str, Any]
) -> None:
    """Same optimum, same infeasibility, and each named reason is needed."""
    request = _possible(small, request)
    expected = oracle(small, request)
    decision = decide(small, request, Limits())
    assert check(small, decision) == []
    if expected is None:
        assert decision.status is Status.INFEASIBLE
        _judge_reasons(small, request, {reason.id for reason in decision.reasons})
    else:
        assert decision.status is Status.OPTIMAL
        assert decision.objective.value is not None
        assert abs(decision.objective.value - expected) <= 1e-9 * max(1.0, expected)


def _judge_reasons(small: Machine, request: dict[str, Any], rules: set[str]) -> None:
    if _judgeable(only(request, rules)):
        assert not feasible(small, only(request, rules))
    for rule in rules:
        if _judgeable(only(request, rules - {rule})):
            assert feasible(small, only(request, rules - {rule})), rule


def _judgeable(request: dict[str, Any]) -> bool:
    """Whether no weightless task meets an exclusive one: the judge does not let them share a
    core.
    """
    lone = any(task.get("exclusive") for task in request["task"])
    return not (lone and any(task.get("load") == 0 for task in request["task"]))


def _possible(small: Machine, request: dict[str, Any]) -> dict[str, Any]:
    """Drop places that the machine does not have: a bad request is another test."""

    def known(names: Any) -> bool:
        return all(small.has(name) for name in ([names] if isinstance(names, str) else names))

    rows = [
        {k: v for k, v in task.items() if k not in {"at", "not_at", "near"} or known(v)}
        for task in request["task"]
    ]
    return {**request, "task": rows}


def only(request: dict[str, Any], rules: set[str]) -> dict[str, Any]:
    """Return the request with these rules alone; a task whose need is lifted weighs nothing."""
    rows = []
    for index, task in enumerate(request["task"]):
        row: dict[str, Any] = {"name": task["name"], "load": 0}
        for key in ("pus", "cores"):
            if f"task[{index}].{key}" in rules:
                row = {k: task[k] for k in ("name", key, "load", "exclusive") if k in task}
        for key in ("at", "not_at", "memory_mib"):
            if f"task[{index}].{key}" in rules:
                row[key] = task[key]
        rows.append(row)
    kept: dict[str, Any] = {"task": rows}
    for kind in ("together", "apart"):
        groups = enumerate(request.get(kind, ()))
        kept[kind] = [group for i, group in groups if f"{kind}[{i}]" in rules]
    if "allowed" in rules:
        kept["allowed"] = request["allowed"]
    return kept

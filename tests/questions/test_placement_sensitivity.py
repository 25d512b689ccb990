"""Which change of a number flips a placement: asserted, and decided anew on both sides."""

from __future__ import annotations

from typing import Any

import pytest

from skb.decision import Limits
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.placement import decide
from skb.questions.placement_clash import instance_of
from skb.questions.placement_knobs import Knob, knobs
from skb.questions.placement_sensitivity import sensitivity
from skb.relations import Fact
from skb.resources import bundled_machines
from skb.sources import read_path
from tests.questions.placement_machines import machine

PULLED: dict[str, Any] = {
    "task": [
        {"name": "rx", "at": "package:0"},
        {"name": "worker", "near": {"package:0": 3, "package:1": 4}},
        {"name": "db", "at": "package:1"},
    ],
    "traffic": [
        {"from": "rx", "to": "worker", "messages_per_s": 30},
        {"from": "worker", "to": "db", "messages_per_s": 20},
    ],
}


def _price(board: Machine, raw: dict[str, Any], tasks: dict[str, Any]) -> float:
    """Return what a placement costs, by forcing each task to its first PU."""
    forced = [{"task": name, "at": f"pu:{row['pus'][0]}"} for name, row in tasks.items()]
    found = decide(board, {**raw, "forced": forced}, Limits())
    assert found.objective.value is not None
    return found.objective.value


def _best(board: Machine, raw: dict[str, Any]) -> float:
    found = decide(board, raw, Limits())
    assert found.status == "optimal" and found.objective.value is not None
    return found.objective.value


def _short(value: float) -> float:
    """Return four digits of a value: engines prove little about rates of many decimals."""
    return float(f"{value:.4g}")


def _sides(board: Machine, raw: dict[str, Any], knob: Knob, row: dict[str, Any], told: Any) -> None:
    """Assert that the choice holds just short of a flip, and that the named one wins beyond it."""
    other = {**told["answer"]["tasks"]}
    other |= {one["task"]: {"pus": one["pus"]} for one in row["then"]}
    margin = max(abs(row["change"]), abs(knob.value) * 0.01) * 0.01
    sign = 1 if row["flips_at"] >= knob.value and row["looked_up_to"] > knob.value else -1
    if abs(row["change"]) > margin:
        before, changed = knob.turned(_short(row["flips_at"] - sign * margin))
        mine = _price(before, changed, told["answer"]["tasks"])
        assert mine == pytest.approx(_best(before, changed), rel=1e-9), knob.name
    beyond, changed = knob.turned(_short(row["flips_at"] + sign * margin))
    mine = _price(beyond, changed, told["answer"]["tasks"])
    assert _price(beyond, changed, other) < mine, knob.name
    assert _best(beyond, changed) < mine, knob.name


def test_flips_are_exact_on_both_sides() -> None:
    """Every number of a small request: re-deciding short of and beyond the flip agrees."""
    board = machine()
    decision = decide(board, PULLED, Limits()).to_json()
    told = sensitivity(board, decision, 20, Limits(seconds=20))
    known = {k.name: k for k in knobs(board, decision, instance_of(board, PULLED))}
    flips = 0
    assert told["complete"] and told["numbers"]
    for row in told["numbers"]:
        for way in ("rises", "falls"):
            assert row[way]["exact"], row["name"]
            if row[way]["flips_at"] is not None:
                flips += 1
                _sides(board, PULLED, known[row["name"]], row[way], decision)
    assert flips >= 3
    change = [
        min(r[way]["relative"] for way in ("rises", "falls") if r[way]["relative"] is not None)
        for r in told["numbers"]
        if any(r[way]["relative"] is not None for way in ("rises", "falls"))
    ]
    assert change == sorted(change)


def test_flip_of_a_rate_is_where_the_sums_are_equal() -> None:
    """30 messages per second pull one way, 20 the other: with 30 the other way it is a draw."""
    board = machine(cores=3)
    raw = {**PULLED, "task": [{**row, "near": None} for row in PULLED["task"]]}
    raw["task"] = [{k: v for k, v in row.items() if v is not None} for row in raw["task"]]
    decision = decide(board, raw, Limits()).to_json()
    told = sensitivity(board, decision, 20, Limits(seconds=20))
    rows = {row["name"]: row for row in told["numbers"]}
    assert rows["traffic rx -> worker"]["falls"]["flips_at"] == pytest.approx(20)
    assert rows["traffic worker -> db"]["rises"]["flips_at"] == pytest.approx(30)
    assert rows["traffic worker -> db"]["falls"] == {
        **rows["traffic worker -> db"]["falls"],
        "flips_at": None,
        "exact": True,
    }


def test_asserted_fact_flips_the_decision_on_a_real_machine() -> None:
    """The fact itself, asserted beyond the flip, gives another placement; before it, the same."""
    board = Machine("t", read_path(bundled_machines()["tyan-s4985"]).facts)
    raw: dict[str, Any] = {
        "task": [
            {"name": "rx", "near": {"device:eth0": 1000}},
            {"name": "w", "cores": 2},
            {"name": "db", "at": "package:1"},
        ],
        "traffic": [
            {"from": "rx", "to": "w", "messages_per_s": 800},
            {"from": "w", "to": "db", "messages_per_s": 900},
        ],
    }
    decision = decide(board, raw, Limits()).to_json()
    told = sensitivity(board, decision, 20, Limits(seconds=20))
    name = "message_cost_within(package, cache_line, send)"
    flip = next(row for row in told["numbers"] if row["name"] == name)["rises"]
    assert flip["exact"] and flip["then"][0]["task"] == "w"
    for factor, same in ((0.99, True), (1.01, False)):
        fact = Fact(
            "message_cost_within", ("package", "cache_line", "send", flip["flips_at"] * factor)
        )
        changed = Machine("t", [f for f in board.facts if f.key != fact.key] + [fact])
        again = decide(changed, raw, Limits())
        assert (again.answer == decision["answer"]) is same


def test_assumed_numbers_are_marked() -> None:
    """What nobody stated can be turned too, and is said to deserve measuring."""
    board = machine(within={"core": 8.0, "machine": 200.0})
    decision = decide(board, PULLED, Limits()).to_json()
    assert any(entry["fact"].startswith("latency_within") for entry in decision["assumed"])
    told = sensitivity(board, decision, 20, Limits(seconds=10))
    assert any(row["assumed"] for row in told["numbers"])


def test_unproven_decision_has_no_exact_flips() -> None:
    """Where the choice is not proven, neither is where it flips."""
    board = machine()
    decision = decide(board, PULLED, Limits()).to_json() | {"status": "feasible"}
    told = sensitivity(board, decision, 20, Limits(seconds=10))
    assert told["numbers"]
    assert not any(row[way]["exact"] for row in told["numbers"] for way in ("rises", "falls"))


def test_impossible_request_has_no_flips() -> None:
    """A decision without a placement is refused."""
    board = machine()
    decision = decide(board, {"task": [{"name": "a", "cores": 99}]}, Limits()).to_json()
    with pytest.raises(RequestError, match="no choice"):
        sensitivity(board, decision, 5, Limits())

"""Why a placement is impossible: minimal clashes, further ones, and what to lift."""

from __future__ import annotations

import time
from typing import Any

import pytest

from skb.decision import Limits, Status
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.placement import decide
from skb.questions.placement_clash import Judge, instance_of, interchangeable
from skb.questions.placement_lift import without
from skb.questions.placement_reasons import further, mends
from tests.bench.placement_clashes import KINDS, bench_machine, clashing_request
from tests.questions.clash_requests import less, of_rules, possible
from tests.questions.placement_machines import machine

LARGE = bench_machine()
TWO: dict[str, Any] = {
    "task": [
        {"name": "a", "at": "package:0", "not_at": "l3:0"},
        {"name": "b", "cores": 9},
        {"name": "c", "at": "package:1"},
        {"name": "d", "at": "package:1", "memory_mib": 10},
    ],
    "apart": [{"tasks": ["c", "d"], "within": "package"}],
}


def _ids(decision: Any) -> set[str]:
    return {reason.id for reason in decision.reasons}


@pytest.mark.parametrize("kind", KINDS)
def test_clash_among_400_constraints_needs_each_member(kind: str) -> None:
    """The members clash by themselves, and re-deciding them without any one finds a placement."""
    raw = clashing_request(kind, seed=0)
    instance = instance_of(LARGE, raw)
    assert len(instance.rules) >= 390
    decision = decide(LARGE, raw, Limits())
    assert decision.status is Status.INFEASIBLE and not decision.warnings
    members = _ids(decision)
    assert not possible(LARGE, of_rules(LARGE, raw, members))
    for rule in sorted(members)[:6]:
        assert possible(LARGE, less(LARGE, raw, members, rule)), rule


@pytest.mark.parametrize("kind", ["chain", "memory"])
def test_only_clash_lifted_at_one_member_makes_the_request_possible(kind: str) -> None:
    """Where nothing else clashes, the whole request of 400 constraints can be placed then."""
    raw = clashing_request(kind, seed=1)
    rule = sorted(_ids(decide(LARGE, raw, Limits())))[0]
    found = decide(LARGE, without(LARGE, raw, [rule]), Limits(seconds=1.5))
    assert found.status in {Status.OPTIMAL, Status.FEASIBLE}


def test_clash_that_counting_cannot_see_is_found_by_the_rules() -> None:
    """Three tasks, each apart from the two others, on two packages: each pair alone is possible."""
    board = machine(packages=2, cores=8)
    pairs = [["a", "b"], ["b", "c"], ["c", "a"]]
    raw = {
        "task": [{"name": name} for name in "abcdef"],
        "apart": [{"tasks": pair, "within": "package"} for pair in pairs],
    }
    judge = Judge(instance_of(board, raw), Limits(), time.monotonic() + 20)
    assert judge.counted(tuple(judge.instance.rules)) is None
    found = judge.judge(tuple(judge.instance.rules))
    assert found.possible is False and found.exact
    assert set(found.rules) == {"apart[0]", "apart[1]", "apart[2]"}
    for rule in found.rules:
        assert possible(board, less(board, raw, found.rules, rule)), rule


def test_groups_that_fit_by_number_alone_are_counted_as_groups() -> None:
    """Three groups of five fit 16 PUs, but not two caches of eight."""
    board = machine(packages=2, cores=8)
    names = [[f"t{group}{task}" for task in range(5)] for group in range(3)]
    raw = {
        "task": [{"name": name} for group in names for name in group],
        "together": [{"tasks": group, "within": "l3"} for group in names],
    }
    decision = decide(board, raw, Limits())
    members = _ids(decision)
    assert decision.status is Status.INFEASIBLE and not decision.warnings
    assert {"together[0]", "together[1]", "together[2]"} < members
    assert not possible(board, of_rules(board, raw, members))
    for rule in members:
        assert possible(board, less(board, raw, members, rule)), rule


def test_wrong_suspicion_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counting suspects is judged by the rules, which find the true reason instead."""
    board = machine(cores=4)
    judge = Judge(instance_of(board, TWO), Limits(), time.monotonic() + 20)
    lie = judge.suspects.bit["task[2].at"] | judge.suspects.bit["task[3].memory_mib"]
    monkeypatch.setattr(type(judge.suspects), "smallest", lambda _self, active, *_how: lie & active)
    found = judge.judge(tuple(judge.instance.rules))
    assert found.possible is False and found.exact
    assert set(found.rules) in _expected()


def _expected() -> list[set[str]]:
    return [
        {"task[0].at", "task[0].not_at"},
        {"task[1].cores"},
        {"task[2].at", "task[3].at", "apart[0]"},
    ]


def test_next_reasons_are_all_clashes_and_no_other() -> None:
    """Each further set is another minimal clash; at the end it is proven that there is none."""
    board = machine(cores=4)
    decision = decide(board, TWO, Limits()).to_json()
    told = further(board, decision, 10, Limits())
    found = [{reason["id"] for reason in one["reasons"]} for one in told["sets"]]
    assert sorted(map(sorted, found)) == sorted(map(sorted, _expected()))
    assert told["complete"] and told["note"] == "there is no other"
    assert all(one["exact"] for one in told["sets"])
    two = further(board, decision, 2, Limits())
    assert len(two["sets"]) == 2 and not two["complete"]


def test_mend_lifts_the_fewest_constraints_and_is_priced() -> None:
    """Three clashes without a common member take three; the rest is placed at the price told."""
    board = machine(cores=4)
    decision = decide(board, TWO, Limits()).to_json()
    told = mends(board, decision, 4, Limits(seconds=8))
    assert told["smallest"] and len(told["mends"]) == 4
    for row in told["mends"]:
        lifted = {one["id"] for one in row["lift"]}
        assert len(lifted) == 3
        assert all(lifted & clash for clash in _expected())
        again = decide(board, row["request"], Limits())
        assert again.status is Status.OPTIMAL
        assert again.objective.value == row["objective"]["value"]
    assert any("leave out task b" in one["do"] for row in told["mends"] for one in row["lift"])


def test_single_mend_is_a_member_of_every_clash() -> None:
    """Where one rule is in all clashes, it alone is lifted."""
    board = machine()
    raw = {
        "task": [{"name": "a", "at": "package:0"}, {"name": "b"}, {"name": "c"}],
        "together": [{"tasks": ["a", "b"], "within": "package"}],
        "apart": [
            {"tasks": ["a", "b"], "within": "l3"},
            {"tasks": ["a", "b"], "within": "package"},
        ],
    }
    decision = decide(board, raw, Limits()).to_json()
    told = mends(board, decision, 5, Limits(seconds=5))
    assert [[one["id"] for one in row["lift"]] for row in told["mends"]] == [["together[0]"]]


def test_reasons_of_a_possible_request_are_refused() -> None:
    """There is no next reason where nothing clashes."""
    board = machine()
    decision = decide(board, {"task": [{"name": "a"}]}, Limits()).to_json()
    for ask in (further, mends):
        with pytest.raises(RequestError, match="nothing clashes"):
            ask(board, decision, 2, Limits())


def test_lifted_constraints_are_gone_from_the_request() -> None:
    """Each kind of rule is lifted as the user could have done it, also of one rank of several."""
    gpus = (("device_kind", ("device:g0", "gpu")), ("device_kind", ("device:g1", "gpu")))
    near = (("contains", ("package:0", "device:g0")), ("contains", ("package:1", "device:g1")))
    board: Machine = machine(extra=(*gpus, *near))
    raw = {
        "task": [{"name": "rank", "per": "gpu"}, {"name": "x", "pus": 2, "at": "pu:0"}],
        "traffic": [{"from": "rank0", "to": "x", "messages_per_s": 1}],
        "together": [{"tasks": ["rank0", "rank1"], "within": "machine"}],
        "allowed": [0, 1],
    }
    assert "allowed" not in without(board, raw, ["allowed"])
    assert without(board, raw, ["together[0]"])["together"] == []
    found = without(board, raw, ["task[0](rank1).per"])
    assert [row["name"] for row in found["task"]] == ["rank0", "rank1", "x"]
    assert "at" in found["task"][0] and "at" not in found["task"][1]
    found = without(board, raw, ["task[1].pus"])
    assert [row["name"] for row in found["task"]] == ["rank"] and found["traffic"] == []
    assert raw["allowed"] == [0, 1], "the request itself stays"


def test_too_many_equal_tasks_are_explained_by_one_of_them() -> None:
    """One stands for all that are alike, so that 1025 tasks for 1024 cores need no 1025 proofs."""
    board = machine(packages=4, cores=256)
    raw = {"task": [{"name": f"t{index}"} for index in range(1025)]}
    judge = Judge(instance_of(board, raw), Limits(), time.monotonic() + 30)
    found = judge.judge(tuple(judge.instance.rules))
    assert found.possible is False and found.exact
    assert len(found.rules) == 1025


def test_rules_are_alike_only_where_tasks_could_be_swapped() -> None:
    """Same keys and no rule that names them with others; each key is a rule of its own kind."""
    raw = {
        "task": [
            {"name": "a", "at": "package:0"},
            {"name": "b", "at": "package:0"},
            {"name": "c", "at": "package:0", "pus": 2},
            {"name": "d", "at": "package:0"},
            {"name": "e", "at": "package:0"},
        ],
        "together": [{"tasks": ["d", "e"], "within": "l3"}],
        "current": {"placement": {"e": {"pus": [0]}}, "keep": []},
    }
    names = interchangeable(instance_of(machine(), raw))
    assert names["task[0].at"] == names["task[1].at"] != names["task[0].pus"]
    assert names["task[2].at"] != names["task[0].at"]
    assert "task[3].at" not in names and "task[4].at" not in names
    assert "together[0]" not in names

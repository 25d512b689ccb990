"""What a simulation may say: every refusal names the key, and nothing is passed over."""

from __future__ import annotations

from typing import Any

import pytest

from skb.errors import RequestError
from skb.simulation import prepared, require, require_there, simulate
from skb.simulation_options import MOST_OPERATIONS, parameters_ps, read_options
from tests.machines import bundled, grown

BOARD = bundled("tyan-s4985")
SMALL: dict[str, Any] = {"route": "binary", "members": [0, 4, 8], "operations": 5}


def undecided(*_: Any) -> Any:
    """Stand for the decision of a route that no test here asks for."""
    raise AssertionError("nothing is to be decided")


def ran(**changed: Any) -> dict[str, Any]:
    """Run a small simulation."""
    return simulate(BOARD, {**SMALL, **changed}, undecided)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("work_ns", 1e30, "too long"),
        ("work_ns", -5.0, "work_ns is -5, which is negative"),
        ("timeout_ns", float("inf"), "timeout_ns is inf"),
        ("limit_s", -1.0, "negative"),
        ("seed", 10**40, "too large"),
        ("members", [], "nobody takes part"),
        ("channels", "tree", "nobody polls"),
        ("delay_ns", 5.0, "no message is delayed"),
        ("delay_per_million", 5, "no delay is given"),
        ("rate_per_s", 1e-30, "days"),
        ("clients", [0], "has no clients"),
        ("operations", MOST_OPERATIONS + 1, "too many"),
        ("operations", 0, "at least 1"),
        ("outstanding", 10**6, "outstanding"),
        ("model", "xyz", "xyz"),
        ("burst", 3, "open load"),
        ("trees", "one", "one tree both ways"),
        ("faults", [{"time_ns": 1, "pu": 0, "state": "asleep"}], "asleep"),
        ("faults", [{"time_ns": 1e30, "pu": 0, "state": "down"}], r"faults\[0\].time_ns"),
    ],
)
def test_impossible_option_is_refused_before_any_machine_is_asked(
    key: str, value: object, words: str
) -> None:
    """The error names the key in the user's own unit, not in picoseconds."""
    with pytest.raises(RequestError, match=words) as caught:
        require({**SMALL, key: value})
    assert "_ps" not in str(caught.value) and caught.value.place.startswith("simulation")


def test_wrong_word_is_answered_with_the_words_there_are() -> None:
    """A choice lists its words, an unknown key all keys, and a sweep's file says where to go."""
    with pytest.raises(RequestError, match="write auto or plain or compiled"):
        read_options({"engine": "gpu"})
    with pytest.raises(RequestError, match="keys are: protocol"):
        read_options({"engines": "plain"})
    with pytest.raises(RequestError, match="skb sweep"):
        read_options({"vary": {}})
    with pytest.raises(RequestError, match="a fault has time_ns"):
        read_options({"faults": [{"at": 5}]})


def test_parameters_are_given_once_and_by_the_user() -> None:
    """What the route says is no parameter, and a time has one value."""
    with pytest.raises(RequestError, match="no use for hold_ns"):
        parameters_ps(read_options({"parameters": {"hold_ns": 5}}))
    with pytest.raises(RequestError, match="twice"):
        parameters_ps(read_options({"work_ns": 5, "parameters": {"work_ns": 6}}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"members": [0, 99]},
        {"root": 99},
        {"protocol": "raft", "clients": [5]},
        {"faults": [{"time_ns": 1, "pu": 5, "state": "down"}]},
    ],
)
def test_pus_that_take_no_part_are_refused_before_a_job_is_queued(wrong: dict[str, Any]) -> None:
    """Members, clients and faults are of PUs that are there and take part."""
    with pytest.raises(RequestError, match="pu:"):
        require_there(BOARD, require({**SMALL, **wrong}))
    require_there(BOARD, require(SMALL))


def test_stored_decision_is_not_bent_to_other_members() -> None:
    """Who names a decision and other members is told, not answered about the decision's."""
    decision = {
        "id": "0123456789abcdef",
        "provenance": {"facts": BOARD.digest},
        "request": {},
        "answer": {
            "root": 0,
            "model": "logp",
            "completion_ps": 1,
            "sends": [{"from": 0, "to": [4]}, {"from": 4, "to": []}],
        },
    }
    asked = {"operations": 1, "protocol": "atomic-broadcast"}
    found = simulate(BOARD, {**asked, "members": [4, 0]}, undecided, decision=decision)
    assert found["root"] == 0 and set(found["occupancy"]) == {"0", "4"}
    for other in ({"members": [0, 8]}, {"root": 4}):
        with pytest.raises(RequestError, match="has other"):
            simulate(BOARD, {**asked, **other}, undecided, decision=decision)


def test_cost_is_what_keeps_pus_busy_in_cycles_of_their_clock() -> None:
    """One answer to the root: the sender is busy for its send, the root for its receive."""
    found = ran(protocol="reduction", members=[0, 4], operations=7)
    costs = prepared(BOARD, {**SMALL, "members": [0, 4]}, undecided).scenario.costs
    send, receive = costs.send(4, 0) / 1000, costs.receive(4, 0) / 1000
    cost = found["cost"]
    assert cost["all"] == pytest.approx(send + receive)
    busiest = (pytest.approx(max(send, receive)), 4 if send > receive else 0)
    assert (cost["busiest"], cost["busiest_pu"]) == busiest
    assert cost["all_cycles"] == pytest.approx(2.0 * cost["all"]), "the board runs at 2 GHz"
    assert cost["lines"] == 0


def test_cost_in_cycles_is_missing_where_no_clock_is_stated() -> None:
    """Nanoseconds are known all the same; where nothing ended there is no cost."""
    machine = grown("package:1 core:2 pu:1")
    result = simulate(machine, {"route": "binary"}, undecided)
    assert result["cost"]["all"] > 0 and result["cost"]["all_cycles"] is None
    lost = simulate(machine, {"route": "binary", "loss_per_million": 1_000_000}, undecided)
    assert lost["completed"] == 0 and lost["cost"] is None


def test_locks_cost_time_of_lines() -> None:
    """A lock keeps no PU busy, but lines, and the run says for how long."""
    cost = ran(protocol="shared-lock")["cost"]
    assert cost["lines"] > 0


def test_assumed_lists_clock_and_hit_where_nobody_stated_them() -> None:
    """Interrupts in cycles need a clock, and accesses to one's own line a hit."""
    bare = simulate(
        grown("package:1 core:2 pu:1"), {"route": "binary", "protocol": "ipi-shootdown"}, undecided
    )
    facts = " ".join(row["fact"] for row in bare["assumed"])
    assert "clock_mhz = 2000" in facts and "cache_latency(l1d) = 0 ns" in facts
    stated = ran(protocol="ipi-shootdown")
    facts = " ".join(row["fact"] for row in stated["assumed"])
    assert "clock_mhz" not in facts and "l1d" not in facts, "the board states both"


@pytest.mark.parametrize("protocol", ["raft", "multi-paxos", "one-paxos", "chain-replication"])
def test_long_timeouts_break_no_promise(protocol: str) -> None:
    """A run waits for heartbeats as rare as the user's before it says who never applied."""
    found = ran(protocol=protocol, timeout_ns=1e6)
    assert found["completed"] == 5 and found["violations"] == []

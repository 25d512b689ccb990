"""Whole runs: the contract of the result, loads, conflicts, faults, limits, repeatability."""

import hashlib
import json
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import ScenarioError
from simulator.faults import Fault
from simulator.protocols import PROTOCOLS
from simulator.scenario import Scenario, run
from simulator.trees import Tree
from tests.simulator.worlds import CHAIN, STAR, TWO_LEVELS, even_costs, random_costs, scenario

CONTRACT = {
    *("protocol", "machine", "route", "model", "operations", "completed", "unfinished"),
    *("latency", "phases", "throughput_per_s", "aborts", "violations", "occupancy", "link_load"),
    *("events", "events_per_s", "trace_digest", "seed", "ended", "ended_ns"),
    *("line_occupancy", "links", "messages", "engine"),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_run_keeps_every_promise_under_load(protocol: str) -> None:
    """Closed with several outstanding, every operation ends and no checker speaks."""
    result = run(scenario(protocol, operations=50, outstanding=7))
    assert result.completed == 50
    assert result.ended == "finished"
    assert result.violations == ()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_result_json_has_exactly_the_names_of_the_contract(protocol: str) -> None:
    """Others read these names; the text is valid JSON and knows no clock."""
    result = run(scenario(protocol, operations=3, machine="even", seed=9))
    document = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert set(document) == CONTRACT
    assert document["latency"]["count"] == 3
    assert document["latency"]["exact_ps"]["first"] == result.latency_ps[0]
    assert document["events_per_s"] is None
    assert list(document["occupancy"]) == [str(pu) for pu in range(7)]
    assert replace(result, events_per_s=5.0).to_json()["events_per_s"] == 5.0


@pytest.mark.parametrize(
    ("protocol", "phases"),
    [
        ("atomic-broadcast", ["broadcast", "acknowledged"]),
        ("single-phase-commit", ["delivered", "committed"]),
        ("two-phase-commit", ["prepared", "decided", "completed"]),
        ("barrier", ["reduced", "released"]),
        ("reduction", ["reduced"]),
    ],
)
def test_phases_carry_the_names_of_the_contract(protocol: str, phases: list[str]) -> None:
    """Phases of the first operation, in nanoseconds, none later than its end."""
    document = run(scenario(protocol)).to_json()["phases"]
    assert isinstance(document, dict)
    assert list(document) == phases
    assert all(phase["unit"] == "ns" and phase["value"] > 0 for phase in document.values())


def test_run_same_seed_same_digest_other_seed_other_digest() -> None:
    """A seed and a scenario replay a run; the seed decides who conflicts."""
    case = scenario("two-phase-commit", operations=40, conflict_per_mille=500, seed=3)
    assert run(case) == run(case)
    assert run(case).trace_digest != run(replace(case, seed=4)).trace_digest


def test_run_digest_is_the_same_in_every_process() -> None:
    """The digest is the SHA-256 of the rows, here worked out by hand."""
    star = run(scenario("atomic-broadcast", STAR))
    rows = [(0, 100, 0, 0, 0, 0), (90, 190, 1, 1, 0, 0), (110, 210, 2, 1, 0, 0)]
    rows += [(130, 290, 3, 1, 0, 0), (320, 420, 0, 2, 0, 3)]
    packed = b"".join(struct.pack("<6q", *row) for row in rows)
    assert star.trace_digest == hashlib.sha256(packed).hexdigest()


def test_conflicts_abort_and_stay_atomic() -> None:
    """With a rival at each operation one of the two aborts; without rivals nobody does."""
    case = scenario("two-phase-commit", operations=40, conflict_per_mille=1000)
    rivals = run(case)
    assert rivals.completed == 40
    assert 0 < rivals.aborts <= 20
    assert rivals.violations == ()
    assert run(replace(case, conflict_per_mille=0)).aborts == 0


def test_work_makes_the_shootdown_longer() -> None:
    """On a chain the last node's work is all that is not hidden."""
    plain, busy = (run(scenario("single-phase-commit", CHAIN, work_ps=work)) for work in (0, 500))
    assert busy.latency_ps[0] - plain.latency_ps[0] == 500


def test_open_load_latency_grows_with_the_rate() -> None:
    """Far apart operations do not see each other, close ones queue."""
    slow = run(scenario("atomic-broadcast", operations=50, interval_ps=5_000))
    fast = run(scenario("atomic-broadcast", operations=50, interval_ps=50))
    assert len(set(slow.latency_ps)) == 1
    assert fast.latency_ps[-1] > 2 * slow.latency_ps[-1]
    assert max(fast.occupancy.values()) > max(slow.occupancy.values())
    assert all(0 <= busy <= 1 for busy in fast.occupancy.values())


def test_overload_ends_the_run_and_says_so() -> None:
    """A rate beyond what the root can do fills the window; nothing is called a violation."""
    result = run(scenario("two-phase-commit", operations=5_000, interval_ps=1))
    assert result.ended == "overloaded"
    assert result.unfinished == 5_000 - result.completed > 0
    assert result.violations == ()


@pytest.mark.parametrize(
    ("limits", "reason"), [((100, None), "event limit"), ((50_000_000, 500), "horizon")]
)
def test_limits_end_the_run_and_say_so(limits: tuple[int, int | None], reason: str) -> None:
    """Neither limit makes a violation of what it cuts off."""
    events, horizon = limits
    case = scenario("barrier", operations=1_000, event_limit=events, horizon_ps=horizon)
    result = run(case)
    assert result.ended == reason
    assert result.unfinished > 0
    assert result.violations == ()


def test_progress_counts_up_to_all() -> None:
    """Called about a hundred times, last with everything done."""
    calls: list[tuple[int, int]] = []
    run(scenario("reduction", operations=1_000), lambda done, all_: calls.append((done, all_)))
    assert len(calls) == 100
    assert calls[-1] == (1_000, 1_000)


def test_crashed_participant_blocks_and_is_reported() -> None:
    """Without a timeout two-phase commit waits for ever; the run ends nevertheless."""
    case = scenario("two-phase-commit", operations=5, faults=(Fault(0, 5, "down"),))
    result = run(case)
    assert (result.ended, result.completed, result.unfinished) == ("stalled", 0, 5)
    assert result.violations == ()
    assert result.to_json()["latency"] == {
        "unit": "ns",
        "count": 0,
        "mean": None,
        "p50": None,
        "p99": None,
        "max": None,
        "exact_ps": {"first": None, "max": None},
    }


def test_timeout_aborts_and_goes_on_after_the_restart() -> None:
    """A participant that is down for the vote only hears the abort, and later ones commit."""
    faults = (Fault(0, 5, "down"), Fault(2_000, 5, "up"))
    case = scenario("two-phase-commit", operations=4, timeout_ps=5_000, faults=faults)
    result = run(case)
    assert (result.completed, result.aborts, result.ended) == (4, 1, "finished")
    assert result.violations == ()


def test_acknowledged_broadcast_that_missed_a_part_is_a_violation() -> None:
    """The last core's report proves nothing about others: delivery is broken, and said so."""
    tree = Tree(0, {0: (1, 2), 1: (3,), 2: (4,), 4: (5,)})
    result = run(scenario("atomic-broadcast", tree, faults=(Fault(0, 1, "down"),)))
    assert result.completed == 1
    assert result.violations == ("delivery: operation 0 is finished but never reached PUs [3]",)


SAFE = ["single-phase-commit", "two-phase-commit", "barrier", "reduction"]


@given(st.data())
def test_random_crashes_never_break_safety(data: st.DataObject) -> None:
    """Whatever falls and rises, runs end, and what they decided is right."""
    members = TWO_LEVELS.members
    faults: list[Fault] = []
    for pu in data.draw(st.sets(st.sampled_from(members), max_size=3)):
        times = sorted(data.draw(st.sets(st.integers(0, 6_000), max_size=4)))
        faults += [Fault(t, pu, "up" if i % 2 else "down") for i, t in enumerate(times)]
    protocol = data.draw(st.sampled_from(SAFE))
    case = Scenario(
        data.draw(random_costs(members)),
        TWO_LEVELS,
        "random",
        protocol,
        operations=data.draw(st.integers(1, 12)),
        outstanding=data.draw(st.integers(1, 4)),
        faults=tuple(sorted(faults, key=lambda fault: fault.time_ps)),
        seed=data.draw(st.integers(0, 99)),
        timeout_ps=data.draw(st.sampled_from([0, 3_000])) if protocol == SAFE[1] else 0,
        conflict_per_mille=500 if protocol == SAFE[1] else 0,
    )
    result = run(case)
    assert result.completed + result.unfinished == case.operations
    assert result.ended in ("finished", "stalled")
    assert result.violations == ()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"protocol": "paxos"}, "unknown protocol 'paxos'"),
        ({"protocol": "barrier", "model": "bsp"}, "unknown message model"),
        ({"protocol": "barrier", "operations": 0}, "operations must be at least 1"),
        ({"protocol": "barrier", "operations": 1.5}, "operations must be a whole number"),
        ({"protocol": "barrier", "outstanding": 10_000}, "outstanding must be from 1 to 512"),
        ({"protocol": "barrier", "interval_ps": 0}, "interval_ps must be at least 1"),
        ({"protocol": "barrier", "work_ps": 5}, "barrier has no use for work_ps"),
        ({"protocol": "reduction", "conflict_per_mille": 5}, "no use for conflict_per_mille"),
        ({"protocol": "two-phase-commit", "conflict_per_mille": 1001}, "from 0 to 1000"),
        ({"protocol": "barrier", "faults": (Fault(0, 77, "down"),)}, "PU 77"),
    ],
)
def test_scenario_refuses_what_makes_no_sense(settings: dict[str, object], words: str) -> None:
    """The error names the field and what would do."""
    with pytest.raises(ScenarioError, match=words):
        scenario(**settings)  # type: ignore[arg-type]


def test_scenario_refuses_a_tree_without_costs() -> None:
    """Every PU of the tree needs costs."""
    with pytest.raises(ScenarioError, match=r"without message costs: \[3\]"):
        Scenario(even_costs(3), CHAIN, "by hand", "barrier")


@pytest.mark.parametrize("name", ["raft", "multi-paxos", "one-paxos", "chain-replication"])
def test_run_with_rare_heartbeats_waits_for_them(name: str) -> None:
    """Timeouts of many rounds: followers hear of the last update before it is called missing."""
    case = scenario(name, STAR, operations=4, timeout_ps=1_000_000)
    result = run(case)
    assert result.completed == 4 and result.violations == ()
    assert result.elapsed_ps > 1_000_000 > result.worked_ps

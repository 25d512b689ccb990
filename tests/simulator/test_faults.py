"""Fault plans: order, contradictions, and what slowness and partitions do to a run."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import FaultPlanError
from simulator.faults import Fault, healed_ps, require_fault_plan, slow_spans
from simulator.scenario import run
from simulator.trees import Tree
from tests.simulator.worlds import STAR, scenario


def test_fault_plan_is_put_in_order() -> None:
    """Rows may be given in any order."""
    up, down = Fault(20, 1, "up"), Fault(10, 1, "down")
    assert require_fault_plan([up, down], [0, 1]) == (down, up)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ([Fault(1, 9, "down")], "PU 9"),
        ([Fault(-1, 1, "down")], "negative"),
        ([Fault(1, 1, "up")], "up already"),
        ([Fault(1, 1, "down"), Fault(2, 1, "down")], "down already"),
        ([Fault(1, 1, "asleep")], "a PU goes down, up, off, on, slow, cut, joined"),  # type: ignore[arg-type]
        ([Fault(1, 1, "slow")], "slow of PU 1 needs a value"),
        ([Fault(1, 1, "slow", -5)], "negative value"),
        ([Fault(1, 1, "slow", 1.5)], "whole number"),  # type: ignore[arg-type]
        ([Fault(1, 1, "slow", 1 << 62)], "too large"),
        ([Fault(1, 1, "cut")], "cut of PU 1 needs a value"),
        ([Fault(1, 1, "joined")], "not cut off"),
        ([Fault(1, 1, "cut", 1), Fault(2, 1, "joined"), Fault(3, 1, "joined")], "not cut off"),
        ([Fault(1, 1, "cut", 1), Fault(2, 1, "joined", 1)], "no use for a value"),
        ([Fault(1, 1, "down", 3)], "no use for a value"),
        ([Fault(1, 1, "off"), Fault(2, 1, "slow", 5)], "off at 2 ps: it cannot be slow"),
    ],
)
def test_fault_plan_refuses_contradictions(plan: list[Fault], words: str) -> None:
    """The error names the PU or the state."""
    with pytest.raises(FaultPlanError, match=words):
        require_fault_plan(plan, [0, 1])


def test_fault_plan_may_cut_off_who_is_down_and_change_sides() -> None:
    """A partition is of the network, not of the PU."""
    plan = [Fault(1, 1, "down"), Fault(2, 1, "cut", 1), Fault(3, 1, "cut", 2), Fault(4, 1, "up")]
    assert require_fault_plan([*plan, Fault(5, 1, "joined")], [0, 1])[-1].state == "joined"


def test_slow_spans_that_touch_are_one() -> None:
    """Overlapping and adjacent times of one PU are joined; a plan is over when the last one is."""
    plan = [
        Fault(50, 1, "slow", 10),
        Fault(10, 1, "slow", 20),
        Fault(30, 1, "slow", 5),
        Fault(12, 1, "slow", 3),
        Fault(0, 2, "slow", 99),
    ]
    assert slow_spans(plan, 1) == ((10, 35), (50, 60))
    assert healed_ps(plan) == 99
    assert healed_ps([]) == 0


def begins(pu: int, *faults: Fault, tree: Tree = STAR) -> list[int]:
    """Return when a PU begins what it does in a broadcast: 90, 110 and 130 for PUs 1 to 3."""
    rows = run(scenario("atomic-broadcast", tree, trace=True, faults=faults)).trace
    return [start for start, _, at, _, _, _ in rows if at == pu]


@pytest.mark.parametrize(
    ("time", "value", "begin"),
    [(0, 90, 90), (0, 91, 91), (90, 1, 91), (89, 500, 589), (91, 500, 90)],
)
def test_slow_receiver_begins_nothing_until_it_is_back(time: int, value: int, begin: int) -> None:
    """What it has begun ends as if nothing were; what comes meanwhile begins when it is back."""
    assert begins(1, Fault(time, 1, "slow", value)) == [begin]


def test_slow_receiver_serves_what_waited_in_order() -> None:
    """Two leaves answer while the root is away: one after the other from 500 on."""
    rows = run(
        scenario("reduction", Tree(0, {0: (1, 2)}), trace=True, faults=(Fault(10, 0, "slow", 490),))
    ).trace
    assert [row[:2] + row[5:] for row in rows if row[2] == 0 != row[5]] == [
        (500, 600, 1),
        (600, 700, 2),
    ]


def test_slow_receiver_that_crashes_loses_what_waits() -> None:
    """Back from a crash within the time, it still begins nothing until the time is over."""
    faults = (
        Fault(80, 1, "slow", 500),
        Fault(200, 1, "down"),
        Fault(300, 1, "up"),
    )
    assert begins(1, *faults) == []
    late = scenario("atomic-broadcast", STAR, operations=2, arrivals_ps=(0, 310), trace=True)
    rows = run(replace(late, faults=faults)).trace
    assert [row[0] for row in rows if row[2] == 1] == [580]


@pytest.mark.parametrize(
    ("faults", "reached"),
    [
        ((Fault(90, 1, "cut", 1),), {2, 3}),
        ((Fault(91, 1, "cut", 1),), {1, 2, 3}),
        ((Fault(0, 1, "cut", 1), Fault(90, 1, "joined")), {1, 2, 3}),
        ((Fault(0, 0, "cut", 2),), set()),
        ((Fault(0, 0, "cut", 2), Fault(0, 2, "cut", 2), Fault(0, 3, "cut", 1)), {2}),
        ((Fault(0, 1, "cut", 1), Fault(50, 0, "cut", 1)), {1}),
    ],
)
def test_partition_loses_what_arrives_from_another_side(
    faults: tuple[Fault, ...], reached: set[int]
) -> None:
    """The sides at the instant of the arrival decide (90, 110 and 130 at PUs 1, 2 and 3)."""
    result = run(scenario("atomic-broadcast", STAR, trace=True, faults=faults))
    assert {row[2] for row in result.trace if row[5] == 0 != row[2]} == reached
    # the report of PU 3 may be lost too
    assert result.lost >= 3 - len(reached)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 3), st.integers(1, 2000)), max_size=6),
    st.sampled_from(["atomic-broadcast", "barrier", "reduction", "two-phase-commit"]),
    st.sampled_from([0, 7]),
)
def test_slow_receivers_end_every_operation_a_little_later(
    rows: list[tuple[int, int, int]], name: str, poll_ps: int
) -> None:
    """Slowness loses nothing: everything ends, no promise breaks, nobody begins while away."""
    plan = tuple(Fault(time, pu, "slow", value) for time, pu, value in rows)
    result = run(
        scenario(name, STAR, operations=6, outstanding=3, trace=True, faults=plan, poll_ps=poll_ps)
    )
    assert result.completed == 6
    assert result.violations == ()
    for start, _, pu, _, _, _ in result.trace:
        assert not any(begin <= start < end for begin, end in slow_spans(plan, pu))

"""The suites about safety, on a few plans."""

from __future__ import annotations

from pathlib import Path

from simulator.protocols import PROTOCOLS
from skb.benching.simulator_safety import fault_rows, planted_rows, spaces

TWO = ("barrier", "reduction")


def test_fault_rows_say_what_was_survived_and_never_reached() -> None:
    """A row for each protocol and one for all; two plans reach no crash, and that is a miss."""
    rows = list(fault_rows(4, 1, names=TWO))
    assert [(row.case, row.value) for row in rows] == [
        ("barrier", 2),
        ("reduction", 2),
        ("all protocols", 4),
    ]
    assert all("never came across" in row.misses[0] for row in rows[:2])
    assert not any(row.faults for row in rows)
    assert rows[2].met


def test_fault_rows_do_not_depend_on_workers(tmp_path: Path) -> None:
    """One process or two find the same, and a clean hunt writes nothing."""
    alone, spread = (
        [(row.case, row.value, row.faults) for row in fault_rows(200, workers, tmp_path, 0, TWO)]
        for workers in (1, 2)
    )
    assert alone == spread
    assert list(tmp_path.iterdir()) == []


def test_planted_rows_count_the_plans_that_each_fault_needs() -> None:
    """Found within a few hundred plans; a limit that is too low is a missed target."""
    [row] = planted_rows(300, 1, ["barrier"])
    assert row.met
    assert row.value is not None
    assert 1 <= row.value <= 300
    [strict] = planted_rows(0, 1, ["reduction"])
    assert "not found" in strict.misses[0]


def test_spaces_are_those_of_the_promise() -> None:
    """Two-phase commit, Raft, Multi-Paxos and membership, three nodes each."""
    made = {name: instance() for name, instance in spaces().items()}
    protocols = {instance.protocol for instance in made.values()}
    wanted = ("two-phase-commit", "raft", "multi-paxos", "membership")
    assert protocols == {PROTOCOLS[name] for name in wanted}
    assert all(len(instance.tree.members) == 3 for instance in made.values())
    crashes = {name for name, instance in made.items() if instance.bounds.crashes}
    assert {"raft", "multi-paxos", "membership"} == {name.split(",")[0] for name in crashes}

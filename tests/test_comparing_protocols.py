"""Protocols side by side: the best route of each, and who is better from how many members on."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import PROTOCOLS, run
from skb.comparing_protocols import (
    CLASSIC,
    JOBS,
    SHARING,
    SHOOTDOWN,
    Versus,
    against,
    alternatives,
    counts,
    job_of,
)
from skb.errors import RequestError
from skb.knowledge import decide
from skb.simulation import prepared
from tests.machines import bundled

BOARD = bundled("tyan-s4985")
RAW = {"members": [0, 1, 4, 5], "root": 0, "operations": 6}


def test_alternatives_find_the_best_route_of_each_protocol() -> None:
    """No classic route is better than the one that is named, and all that do the job are there."""
    found, latencies = alternatives(BOARD, RAW, decide)
    rows = {row["protocol"]: row for row in found["rows"]}
    assert set(rows) == set(job_of("two-phase-commit")[1]) and "two-phase-commit" in rows
    row = rows["two-phase-commit"]
    for route in CLASSIC:
        asked = {**RAW, "protocol": "two-phase-commit", "route": route}
        each = run(prepared(BOARD, asked, decide).scenario).to_json()["latency"]
        assert isinstance(each, dict) and row["mean_ns"] <= each["mean"] + 1e-9
    means = [row["mean_ns"] for row in found["rows"] if "refused" not in row]
    assert means == sorted(means)
    assert f"two-phase-commit, {row['route']}" in latencies


def test_alternatives_count_messages_and_busy_time() -> None:
    """Two-phase commit among four: a request, and three rounds of three messages."""
    found, _ = alternatives(BOARD, {**RAW, "route": "sequential"}, decide)
    row = next(row for row in found["rows"] if row["protocol"] == "two-phase-commit")
    assert row["messages"] == 1 + 3 * 3
    assert row["busy_ns"] > row["mean_ns"] > 0
    assert row["survives"] == sorted(PROTOCOLS["two-phase-commit"].survives)


def test_alternatives_leave_out_what_a_protocol_has_no_use_for() -> None:
    """A conflict is of use to some of them only; the others run without."""
    more = {"conflict_per_mille": 500, "work_ns": 10.0, "rate_per_s": 1e6, "arrivals": "poisson"}
    found, _ = alternatives(BOARD, {**RAW, **more, "route": "binary"}, decide)
    assert not any("no use" in row.get("refused", "") for row in found["rows"])


def test_jobs_are_of_protocols_that_have_one_job() -> None:
    """Every protocol has others beside it, or is alone with what it does."""
    for name in PROTOCOLS:
        job, names = job_of(name)
        assert name in names and job
    assert {name for names in JOBS.values() for name in names} >= {*SHARING.ones, *SHARING.others}


@pytest.mark.parametrize("versus", [SHARING, SHOOTDOWN])
def test_against_names_the_crossover_that_its_rows_show(versus: Versus) -> None:
    """From that number of members on the best of the other side is better, and not just before."""
    found = against(BOARD, {"operations": 4, "members": list(range(8))}, decide, versus)
    sign = -1 if found["by"] == "throughput_per_s" else 1
    better: dict[int, bool] = {}
    for count in {row["members"] for row in found["rows"]}:
        best: list[float] = []
        for side in found["sides"].values():
            values: list[Any] = [
                sign * row[found["by"]]
                for row in found["rows"]
                if row["members"] == count and row["protocol"] in side and row[found["by"]]
            ]
            best.append(min(values))
        better[count] = best[1] < best[0]
    crossover = found["crossover"]
    if crossover is None:
        assert not better[max(better)]
    else:
        assert all(good for count, good in better.items() if count >= crossover)
        before = [count for count in better if count < crossover]
        assert not before or not better[max(before)]


def test_against_tries_powers_of_two_and_all_members() -> None:
    """So that a crossover is found within a factor of two."""
    assert counts(32) == [2, 4, 8, 16, 32]
    assert counts(6) == [2, 4, 6]
    assert counts(2) == [2] and counts(1) == [1]


def test_against_needs_both_sides() -> None:
    """A side whose protocols nobody knows is an error that says so."""
    unknown = Versus("sharing", "locks", "messages", ("nothing",), ("rpc-server",), "mean_ns", True)
    with pytest.raises(RequestError, match="one side"):
        against(BOARD, RAW, decide, unknown)

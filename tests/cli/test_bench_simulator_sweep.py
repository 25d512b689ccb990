"""The benchmark of sweeps: its runs, and that one and two workers give the same rows."""

from __future__ import annotations

import pytest

from skb.benching import simulator_sweep
from skb.benching.simulator_sweep import planned_runs, rows, swept


def test_sweep_benchmark_has_as_many_runs_as_it_says() -> None:
    """Ten thousand, each a run of its own."""
    planned = planned_runs(simulator_sweep.RUNS)
    assert len({run.key for run in planned.runs}) == simulator_sweep.RUNS == 10_000


def test_sweep_benchmark_rows_compare_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows: one worker, and two with the targets; no fault, and rows that are the same."""
    monkeypatch.setattr(simulator_sweep, "RUNS", 40)
    monkeypatch.setattr(simulator_sweep, "TURNS", 1)
    one, two = rows()
    assert (one.case, two.case) == ("40 runs, 1 worker", "40 runs, 2 workers")
    assert one.note == two.note
    assert "1.6 times one worker" in two.target
    assert "other rows than one worker" not in two.misses


def test_sweep_benchmark_does_its_runs_under_many_seeds() -> None:
    """Rows differ from seed to seed, or seeds would be of no use."""
    assert swept(planned_runs(8), 1).digest != swept(planned_runs(12), 1).digest

"""The engines that `skb bench simulator` compares: all see the same workload in the same way."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.playing import play
from simulator.protocols import PROTOCOLS
from simulator.scenario import setting_of
from skb.benching import simulator_c, simulator_engines, simulator_simpy
from skb.benching.simulator import SUITES, Size, rows
from skb.benching.simulator_arms import case_of, differing
from skb.benching.simulator_engines import Load, Measured, judged, plain
from skb.benching.simulator_workload import Workload, workload
from skb.errors import SkbError


def small(operations: int = 40) -> Workload:
    """Return four groups of three nodes, busy enough that messages wait for each other."""
    return workload(2, 3, operations, 1.5)


def test_workload_is_one_tree_over_links_that_exist() -> None:
    """Every node but the root has a parent, and every message a way from group to group."""
    work = small()
    assert [node for node in range(work.count) if work.parent[node] < 0] == [0]
    for (source, target), way in work.routes.items():
        near = source // work.cores == target // work.cores
        assert all((link >= work.remote) == near for link in way)
        assert len(way) == (1 if near else (source // 3 ^ target // 3).bit_count())
    assert list(work.arrivals) == sorted(work.arrivals)


def test_workload_depends_on_its_seed_alone() -> None:
    """The same numbers give the same arrivals, and more operations begin as fewer do."""
    assert workload(2, 3, 20, 1.0).arrivals == workload(2, 3, 50, 1.0).arrivals[:20]
    assert workload(2, 3, 20, 1.0, seed=2).arrivals != workload(2, 3, 20, 1.0).arrivals


@pytest.mark.skipif(not simulator_simpy.installed(), reason="SimPy is not installed")
def test_simpy_finds_the_latencies_of_the_plain_engine() -> None:
    """Whoever counts differently has another model, and its speed says nothing."""
    work = small()
    assert tuple(simulator_simpy.latencies(work)) == plain(work).took_ps


@pytest.mark.skipif(simulator_c.compiler() is None, reason="there is no C compiler")
def test_c_finds_the_latencies_of_the_plain_engine() -> None:
    """The engine in C is held to ours to the picosecond, and counts the workload's events."""
    work = small()
    ran = simulator_c.built()(work)
    assert tuple(ran.took_ps.tolist()) == plain(work).took_ps
    assert ran.events == work.events_per_operation * len(work.arrivals)


@pytest.mark.skipif(simulator_c.compiler() is None, reason="there is no C compiler")
def test_c_that_does_not_compile_is_refused(tmp_path: Path) -> None:
    """The compiler's own words are passed on."""
    source = tmp_path / "broken.c"
    source.write_text("int run(")
    with pytest.raises(SkbError, match="does not compile"):
        simulator_c.built(source)


def measured(million_per_s: float) -> Measured:
    """Return an engine of a speed."""
    return Measured((1,), 10_000_000, 10 / million_per_s)


def test_target_missed_is_told_and_met_is_not() -> None:
    """A row is met only with all targets: the own speed, SimPy's and C's."""
    load = Load("32 nodes", 3, 4, 0.5, 1, 1, 1)
    good = judged(load, measured(20), {"SimPy": measured(0.1), "C": measured(90)}, [])
    assert good.met
    slow = judged(load, measured(14), {"SimPy": measured(0.2), "C": measured(90)}, [])
    assert len(slow.misses) == 3
    assert not judged(load, measured(20), {}, ["SimPy finds other latencies"]).met


def test_arms_that_differ_are_told_by_name() -> None:
    """Whatever a run leaves behind is compared, but for the name of the engine."""
    protocol = PROTOCOLS["two-phase-commit"]
    case = case_of(protocol, 3)
    once, again = (play(setting_of(case, protocol), None) for _ in range(2))
    assert once.events > 10
    assert differing(once, replace(again, engine="other")) == []
    assert differing(once, replace(again, lost=7, digest="")) == ["lost", "digest"]


def test_fault_of_a_suite_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """What breaks is told where it broke, and the other suites go on."""

    def broken(_load: Load, _engine: Path | None) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(simulator_engines, "_rows_of", broken)
    (row,) = rows("engines", Size())
    assert row.faults == ("ZeroDivisionError: by zero",)


@pytest.mark.parametrize("name", SUITES)
def test_suite_has_its_module(name: str) -> None:
    """Every suite of the registry is there."""
    assert importlib.util.find_spec(f"skb.benching.{SUITES[name].module}") is not None

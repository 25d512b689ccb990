"""Export for Perfetto, checked by its structure."""

from __future__ import annotations

import io
import json
from typing import Any

from simulator.protocols import PROTOCOLS
from simulator.result import Result
from simulator.scenario import run
from simulator.trace import chrome_trace, kind_names, write_chrome_trace
from tests.simulator.worlds import STAR, TWO_LEVELS, even_costs, scenario

DOMAINS = ((0, 1), (2, 3))
Events = list[dict[str, Any]]


def events_of(result: Result, **settings: Any) -> Events:
    """Return the events of an exported run."""
    out = io.StringIO()
    write_chrome_trace(out, result.trace, kind_names(PROTOCOLS[result.protocol]), **settings)
    return list(json.loads(out.getvalue())["traceEvents"])


def of_phase(events: Events, phase: str) -> Events:
    """Return the events of a phase."""
    return [event for event in events if event["ph"] == phase]


def test_chrome_trace_has_a_track_per_pu_and_a_slice_per_row() -> None:
    """Processes are domains, times microseconds, names those of the handlers."""
    result = run(scenario("atomic-broadcast", STAR, trace=True))
    text = chrome_trace(result.trace, kind_names(PROTOCOLS["atomic-broadcast"]), DOMAINS)
    events = json.loads(text)["traceEvents"]
    names = [event for event in of_phase(events, "M") if event["name"] == "thread_name"]
    assert {event["tid"]: event["pid"] for event in names} == {0: 0, 1: 0, 2: 1, 3: 1}
    assert {event["args"]["name"] for event in names} == {f"PU {pu}" for pu in range(4)}
    processes = [event for event in of_phase(events, "M") if event["name"] == "process_name"]
    assert [event["pid"] for event in processes] == [0, 1]
    slices = of_phase(events, "X")
    assert len(slices) == len(result.trace) == result.events
    assert [event["name"] for event in slices] == ["start", *["deliver"] * 3, "report"]
    assert slices[1]["ts"] == 90 / 1e6
    assert slices[1]["dur"] == 100 / 1e6
    assert slices[-1]["args"] == {"operation": 0, "from": 3}


def test_chrome_trace_has_an_arrow_per_message() -> None:
    """Each begins in a slice of its sender and ends where the slice of its receiver begins."""
    result = run(scenario("two-phase-commit", TWO_LEVELS, trace=True, operations=2))
    events = events_of(result, costs=even_costs(7), came_ps=result.came_ps)
    begins, ends = of_phase(events, "s"), of_phase(events, "f")
    messages = [row for row in result.trace if row[5] != row[2]]
    assert len(begins) == len(ends) == len(messages)
    slices = of_phase(events, "X")
    by_begin = {(event["tid"], event["ts"]) for event in slices}
    for begin, end in zip(begins, ends, strict=True):
        assert begin["id"] == end["id"] and begin["name"] == end["name"]
        assert begin["ts"] < end["ts"] and (end["tid"], end["ts"]) in by_begin
        assert any(
            each["tid"] == begin["tid"]
            and each["ts"] <= begin["ts"] <= each["ts"] + each["dur"] + 1e-12
            for each in slices
        )
    assert len({event["id"] for event in begins}) == len(begins)


def test_chrome_trace_counts_the_operations_under_way() -> None:
    """From nothing up to what the load keeps under way, and back to nothing."""
    result = run(scenario("atomic-broadcast", TWO_LEVELS, trace=True, operations=9, outstanding=3))
    counts = [event["args"]["operations"] for event in of_phase(events_of(result), "C")]
    assert counts[-1] == 0 and max(counts) >= 3 and min(counts) >= 0
    times = [event["ts"] for event in of_phase(events_of(result), "C")]
    assert times == sorted(set(times))


def test_chrome_trace_of_a_window_has_the_rows_that_overlap_it() -> None:
    """And no arrow to rows that are outside."""
    result = run(scenario("two-phase-commit", TWO_LEVELS, trace=True, operations=5))
    first, last = 1_000, 3_000
    inside = [row for row in result.trace if row[1] >= first and row[0] <= last]
    assert 0 < len(inside) < len(result.trace)
    events = events_of(result, costs=even_costs(7), came_ps=result.came_ps, window=(first, last))
    assert len(of_phase(events, "X")) == len(inside)
    assert 0 < len(of_phase(events, "s")) == len(of_phase(events, "f")) <= len(inside)


def test_chrome_trace_is_limited() -> None:
    """The first rows are written, and how many is told."""
    result = run(scenario("two-phase-commit", TWO_LEVELS, trace=True, operations=5))
    out = io.StringIO()
    names = kind_names(PROTOCOLS["two-phase-commit"])
    assert write_chrome_trace(out, result.trace, names, limit=7) == 7
    assert len(of_phase(json.loads(out.getvalue())["traceEvents"], "X")) == 7
    assert json.loads(chrome_trace((), names))["traceEvents"] == []


def test_chrome_trace_gives_cache_lines_tracks_of_their_own() -> None:
    """Numbers below zero are no tracks: lines stand behind every PU, with a name."""
    result = run(scenario("shared-lock", STAR, trace=True, operations=4))
    names = [event for event in of_phase(events_of(result), "M") if "tid" in event]
    lines = {event["args"]["name"]: event["tid"] for event in names}
    assert "line 0" in lines and min(lines.values()) >= 0
    assert len(set(lines.values())) == len(lines)


def test_trace_is_empty_unless_asked_for() -> None:
    """The digest is there anyway."""
    result = run(scenario("atomic-broadcast", STAR))
    assert result.trace == ()
    assert len(result.trace_digest) == 64

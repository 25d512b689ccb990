"""Export for Perfetto."""

import json

from simulator.protocols import PROTOCOLS
from simulator.scenario import run
from simulator.trace import chrome_trace, kind_names
from tests.simulator.worlds import STAR, scenario


def test_chrome_trace_has_a_track_per_pu_and_a_slice_per_row() -> None:
    """Processes are NUMA nodes, times microseconds, names those of the handlers."""
    result = run(scenario("atomic-broadcast", STAR, trace=True))
    text = chrome_trace(result.trace, kind_names(PROTOCOLS["atomic-broadcast"]), ((0, 1), (2, 3)))
    events = json.loads(text)["traceEvents"]
    tracks = {event["tid"]: event["pid"] for event in events if event["ph"] == "M"}
    assert tracks == {0: 0, 1: 0, 2: 1, 3: 1}
    slices = [event for event in events if event["ph"] == "X"]
    assert len(slices) == len(result.trace) == result.events
    assert [event["name"] for event in slices] == ["start", *["deliver"] * 3, "report"]
    assert slices[1]["ts"] == 90 / 1e6
    assert slices[1]["dur"] == 100 / 1e6
    assert slices[-1]["args"] == {"operation": 0, "from": 3}


def test_trace_is_empty_unless_asked_for() -> None:
    """The digest is there anyway."""
    result = run(scenario("atomic-broadcast", STAR))
    assert result.trace == ()
    assert len(result.trace_digest) == 64

"""Drawings of simulations: what is in the numbers is in the picture, with its unit."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from simulator import Result, Scenario, run
from simulator.flights import flights
from simulator.protocols import require_protocol
from simulator.trace import kind_names
from skb.draw.simulation_axes import CHART_STYLE, LINES, Frame, Line, scale, tick_words
from skb.draw.simulation_latency import latency_svg
from skb.draw.simulation_load import load_svg
from skb.draw.simulation_space_time import space_time_svg
from skb.draw.simulation_timeline import MOST_PUS, timeline_svg
from skb.knowledge import decide
from skb.simulation import prepared
from tests.machines import bundled

SVG = "{http://www.w3.org/2000/svg}"
BAD = '"><script>alert(1)</script>&\x00]]>'


def parsed(text: str) -> Any:
    """Return the root of a drawing."""
    return etree.fromstring(text.encode())


def words(root: Any) -> set[str]:
    """Return all lines of text."""
    return {"".join(node.itertext()) for node in root.iter(f"{SVG}text")}


def ran(**settings: Any) -> tuple[Scenario, Result]:
    """Return a small traced run."""
    raw = {"members": [0, 1, 4, 5], "root": 0, "route": "numa-aware", **settings}
    scenario = replace(prepared(bundled("tyan-s4985"), raw, decide).scenario, trace=True)
    return scenario, run(scenario)


def test_timeline_has_a_track_per_pu_and_a_slice_per_row() -> None:
    """Widths are durations, colours kinds of message, and the axis has its unit."""
    scenario, result = ran(operations=3)
    names = kind_names(require_protocol(scenario.protocol))
    root = parsed(timeline_svg("t", result.trace, names, scenario.domains))
    slices = [
        group
        for group in root.iter(f"{SVG}g")
        if str(group.get("class")).startswith("busy") and group.findtext(f"{SVG}title")
    ]
    assert len(slices) == len(result.trace)
    told = words(root)
    assert {"PU 0", "PU 1", "PU 4", "PU 5", "time, ns", "prepare", "vote", "decide"} <= told
    longest = max(result.trace, key=lambda row: row[1] - row[0])
    widths = [float(group.find(f"{SVG}rect").get("width")) for group in slices]
    wide = slices[widths.index(max(widths))].findtext(f"{SVG}title")
    assert f"at PU {longest[2]}" in wide and names[longest[3]] in wide


def test_space_time_has_an_arrow_per_message_of_the_operation() -> None:
    """From the line of its source to that of its target, forward in time."""
    scenario, result = ran(operations=3)
    found = flights(result.trace, scenario.costs, result.came_ps)
    names = kind_names(require_protocol(scenario.protocol))
    drawn = space_time_svg("t", result.trace, found, names, scenario.domains, operations=(1,))
    arrows = [group for group in parsed(drawn).iter() if group.get("class") == "message"]
    mine = [flight for flight in found if flight.operation == 1]
    assert [(a.get("data-from"), a.get("data-to")) for a in arrows] == [
        (str(flight.source), str(flight.target)) for flight in mine
    ]
    for arrow in arrows:
        start, end = arrow.find(f"{SVG}path").get("d")[1:].split("L")
        assert float(start.split()[0]) <= float(end.split()[0])
    assert "time, ns" in words(parsed(drawn))


def test_latency_has_a_line_per_run_that_ends_at_its_slowest_operation() -> None:
    """The last step of each is at the top and at the largest latency."""
    runs = {"a": [1000, 3000, 2000], "b": [4000]}
    root = parsed(latency_svg("t", "s", runs))
    lines = {g.get("data-line"): g.find(f"{SVG}path").get("d") for g in root.iter(f"{SVG}g")}
    lines.pop(None, None)
    assert set(lines) == {"a", "b"}
    right = {name: float(way.split("H")[-1].split("V")[0]) for name, way in lines.items()}
    top = {name: float(way.split("V")[-1]) for name, way in lines.items()}
    assert right["a"] < right["b"] and top["a"] == top["b"]
    assert {"latency of an operation, ns", "operations that have ended, %"} <= words(root)


def test_load_has_a_panel_per_measure_and_units() -> None:
    """Lines by name in each panel; a measure that nothing has is left out."""
    rows = [{"n": n, "throughput_per_s": 1e6 * n, "mean_ns": 5.0 * n} for n in (1, 2, 4)]
    root = parsed(load_svg("t", "s", "operations at once", "n", {"x": rows, "y": rows[:1]}))
    lines = [group.get("data-line") for group in root.iter(f"{SVG}g") if group.get("data-line")]
    assert lines == ["x", "y", "x", "y"]
    told = words(root)
    assert {"throughput, operations per second", "mean latency, ns", "operations at once"} <= told
    assert not any("percentile" in each for each in told)


@pytest.mark.parametrize("text", [BAD, "", "x" * 5000])
def test_simulation_drawings_of_hostile_names_execute_nothing(text: str) -> None:
    """Titles, lines, kinds and axes are text, whatever they say."""
    rows = [(0, 5, 0, 0, 0, 0), (2, 9, 1, 1, 0, 0)]
    scenario, result = ran()
    found = flights(result.trace, scenario.costs)
    names = dict.fromkeys(range(9), text)
    load = [{text: 1.0, "throughput_per_s": 2.0}]
    for drawing in (
        timeline_svg(text, rows, names),
        space_time_svg(text, result.trace, found, names),
        latency_svg(text, text, {text: [5]}),
        load_svg(text, text, text, text, {text: load}),
    ):
        root = parsed(drawing)
        assert not list(root.iter(f"{SVG}script")) and not list(root.iter("script"))
        if text == BAD:
            assert any("<script>" in "".join(node.itertext()) for node in root.iter())


def test_simulation_drawings_of_nothing_are_drawings() -> None:
    """No rows, no operations that ended, no time that passed."""
    for drawing in (
        timeline_svg("t", (), {}),
        space_time_svg("t", (), (), {}),
        latency_svg("t", "s", {}),
        latency_svg("t", "s", {"a": [], "b": [0, 0]}),
        load_svg("t", "s", "x", "x", {}),
    ):
        assert parsed(drawing).tag == f"{SVG}svg"


def test_simulation_drawings_say_what_they_leave_out() -> None:
    """Of a thousand PUs some are drawn, and the drawing says how many."""
    rows = [(at, at + 1, at, 0, 0, at) for at in range(1000)]
    assert f"the first {MOST_PUS} of 1000 PUs" in timeline_svg("t", rows, {})
    many = [(at, at + 1, 0, 0, 0, 0) for at in range(9000)]
    assert "of 9000 slices" in timeline_svg("t", many, {})


def test_chart_lines_differ_in_more_than_colour() -> None:
    """Two lines of the first eight never share both dash and mark; both themes have all."""
    frame = Frame(scale([0, 1], 0, 10), scale([0, 1], 0, 10))
    looks = set()
    for place in range(2 * LINES):
        group = parsed(frame.line(Line("l", ((0, 0), (1, 1))), place))
        path, mark = group.find("path"), group[-1]
        hollow = "open" in mark.get("class")
        looks.add((path.get("stroke-dasharray"), mark.tag, path.get("class"), hollow))
    assert len(looks) == 2 * LINES
    assert len({look[:2] for look in looks}) >= 4
    light, dark = CHART_STYLE.rsplit("@media (prefers-color-scheme:dark)", 1)
    for place, part in itertools.product(range(LINES), (light, dark)):
        assert f".line{place}{{stroke:" in part
    assert "url(" not in CHART_STYLE and "var(" not in CHART_STYLE


@pytest.mark.parametrize(
    "values", [[0.0], [5.0], [1e-3, 1e9], [3.0, 3.0], [], [-4.0, 7.0], [float("inf"), 1.0]]
)
def test_chart_scales_have_ticks_inside(values: list[float]) -> None:
    """Any numbers give a scale from left to right whose ticks lie on it, each with its word."""
    for zero, tight in itertools.product((False, True), repeat=2):
        found = scale(values, 10.0, 110.0, zero=zero, tight=tight)
        ticks = found.ticks()
        assert found.least < found.most and ticks == sorted(ticks)
        assert all(9.9 <= found.at(tick) <= 110.1 for tick in ticks)
        assert len(set(tick_words(ticks))) == len(ticks)


def test_ticks_that_are_far_apart_have_letters_of_their_own() -> None:
    """A scale by ratio says 10 and 100, not 0.01k and 0.1k."""
    assert tick_words([10, 100, 1000, 10_000, 100_000]) == ["10", "100", "1000", "10k", "100k"]
    assert tick_words([0, 10_000, 20_000]) == ["0", "10k", "20k"]

"""Drawings are valid XML, say what they show, and execute nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from skb.draw import STYLE, decision_svg, machine_svg
from skb.draw.svg import element, text
from skb.draw.words import quantity, size_text, time_text
from skb.knowledge import machine_of
from skb.machine import Machine
from skb.sources import read_path
from tests.draw.machines import DEVICES, HOSTILE, everything, hostile
from tests.machines import bundled

SVG = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "g", "rect", "path", "polygon", "circle", "text", "title", "style"}


def _parsed(drawing: str) -> ElementTree.Element:
    root = ElementTree.fromstring(drawing)
    for node in root.iter():
        assert node.tag.removeprefix(SVG) in ALLOWED, node.tag
        for name, value in node.attrib.items():
            assert not name.startswith("on") and "href" not in name and name != "style", name
            assert name.startswith("data-") or "javascript" not in value
    return root


def _objects(root: ElementTree.Element) -> set[str]:
    return {node.attrib["data-object"] for node in root.iter() if "data-object" in node.attrib}


def route(machine: Machine, **more: Any) -> dict[str, Any]:
    """Return a route over the first PUs of a machine, as the route question answers."""
    a, b, c, d = machine.pus[:4]
    answer = {
        "root": a,
        "sends": [{"from": a, "to": [b, c]}, {"from": c, "to": [d]}],
        "arrivals": {str(a): 0.0, str(b): 100.0, str(c): 150.5, str(d): 300.25},
        "critical_path": [a, c, d],
        **more,
    }
    return {
        "question": "route",
        "status": "feasible",
        "gap": 0.05,
        "objective": {"name": "completion", "value": 300.25, "unit": "ns"},
        "answer": answer,
    }


@pytest.mark.parametrize("name", everything(), ids=lambda name: Path(name).name)
def test_drawing_of_every_machine_is_valid_and_complete(name: str) -> None:
    """Every PU and NUMA node of every machine carries its object in a well-formed drawing."""
    machine = machine_of(read_path(Path(name))) if name.endswith(".xml") else bundled(name)
    found = _objects(_parsed(machine_svg(machine)))
    assert {f"pu:{pu}" for pu in machine.pus} <= found
    assert {f"numa:{node}" for node in machine.numa} <= found


def test_drawing_tells_value_unit_and_source() -> None:
    """The tooltip of a cache has its size with unit and the source that states it."""
    root = _parsed(machine_svg(bundled("tyan-s4985")))
    titles = [node.findtext(f"{SVG}title") or "" for node in root.iter(f"{SVG}g")]
    l3 = next(title for title in titles if title.startswith("L3 0 "))
    assert "cache_size 2 MiB [datasheet: AMD Opteron 8350" in l3


def test_drawing_shows_the_links_between_packages() -> None:
    """The board's eleven links are eleven lines with kind and bandwidth."""
    root = _parsed(machine_svg(bundled("tyan-s4985")))
    links = [node for node in root.iter(f"{SVG}g") if "data-link" in node.attrib]
    assert len(links) == 11
    assert "hypertransport" in (links[0].findtext(f"{SVG}title") or "")
    assert "GiB/s" in (links[0].findtext(f"{SVG}title") or "")


def test_drawing_tells_memory_kinds_apart_in_words_and_class() -> None:
    """HBM is not only a colour."""
    path = next((n for n in everything() if "knl7250" in n), None)
    if path is None:
        pytest.skip("the descriptions beside the checkout are not here")
    drawing = machine_svg(machine_of(read_path(Path(path))))
    assert "NUMA 4 · HBM · " in drawing and 'class="strip memory hbm"' in drawing


def test_drawing_carries_both_themes_and_no_reference_outside() -> None:
    """One style sheet for light and dark; nothing is loaded from anywhere."""
    assert "prefers-color-scheme:dark" in STYLE
    assert "var(" not in STYLE and "url(" not in STYLE and "@import" not in STYLE
    drawing = machine_svg(bundled("odroid-n2")).replace("http://www.w3.org/2000/svg", "")
    assert "http" not in re.sub(r"<title>.*?</title>", "", drawing, flags=re.DOTALL)


def test_drawing_of_hostile_names_executes_nothing() -> None:
    """Whatever parts, devices, links, sources and titles are called, it stays text."""
    root = _parsed(machine_svg(hostile()))
    shown = "".join(root.itertext())
    assert "<script>alert(1)</script>" in shown
    assert {f"device:{name}" for name in DEVICES} <= _objects(root)


@pytest.mark.parametrize("text_", HOSTILE)
def test_drawing_of_hostile_decisions_executes_nothing(text_: str) -> None:
    """Questions, tasks, flows, reasons and numbers of a decision are others' words too."""
    shared = {"status": text_, "objective": {"name": text_, "value": 1.0, "unit": text_}}
    answers: dict[str, dict[str, Any]] = {
        "route": route(hostile())["answer"],
        "placement": {"tasks": {text_: {"pus": [0, text_, 99], "numa_node": text_}}},
        "buffers": {"flows": {text_: {"numa_node": 0, "near": text_}}},
        text_: {"tasks": text_},
    }
    for question, answer in answers.items():
        request = {"flow": [{"name": text_, "device": DEVICES[0], "consumer": text_}]}
        reasons = [{"id": text_, "text": text_, "items": [text_]}]
        for status in (text_, "infeasible"):
            decision = {**shared, "status": status, "question": question, "answer": answer}
            _parsed(decision_svg(hostile(), {**decision, "request": request, "reasons": reasons}))


@pytest.mark.parametrize(
    "answer",
    [
        {"sends": "no", "tasks": 3, "flows": []},
        {"sends": [{"from": 0, "to": [77, None]}], "arrivals": {"0": float("nan"), "77": "x"}},
        {"sends": [3, None, {}], "critical_path": [None], "root": "x"},
        None,
    ],
)
def test_drawing_of_a_broken_decision_is_the_machine(answer: Any) -> None:
    """What the machine does not have, and values of a wrong type, are left out."""
    for question in ("route", "placement", "buffers"):
        decision = {"question": question, "answer": answer, "reasons": 3, "objective": None}
        assert "pu:5" in _objects(_parsed(decision_svg(bundled("tyan-s4985"), decision)))


def test_route_is_drawn_in_send_order_with_arrivals_and_critical_path() -> None:
    """Each send is an arrow with its order and time; the critical path comes last, on top."""
    machine = bundled("tyan-s4985")
    root = _parsed(decision_svg(machine, route(machine)))
    hops = [node for node in root.iter(f"{SVG}g") if "data-from" in node.attrib]
    seen = [
        (h.attrib["data-from"], h.attrib["data-to"], h.attrib["data-order"], h.attrib["data-at"])
        for h in hops
    ]
    assert seen == [
        ("pu:0", "pu:1", "1", "100.000"),
        ("pu:0", "pu:2", "2", "150.500"),
        ("pu:2", "pu:3", "1", "300.250"),
    ]
    assert ["critical" in hop.attrib["class"] for hop in hops] == [False, True, True]
    words = {node.text for node in root.iter(f"{SVG}text")}
    assert {"root", "100 ns", "150 ns", "300 ns"} <= words
    assert any("best found, at most 5.0% too dear" in (word or "") for word in words)


def test_reduction_is_drawn_towards_the_root() -> None:
    """In a reduction the arrows lead from the children to their parent."""
    machine = bundled("tyan-s4985")
    root = _parsed(decision_svg(machine, route(machine, operation="reduce")))
    ends = {
        (n.attrib["data-from"], n.attrib["data-to"]) for n in root.iter() if "data-to" in n.attrib
    }
    assert ends == {("pu:1", "pu:0"), ("pu:2", "pu:0"), ("pu:3", "pu:2")}


def test_only_a_proven_answer_is_called_optimal() -> None:
    """`proven optimal` appears for status optimal and for no other."""
    machine = bundled("odroid-n2")
    for status in ("optimal", "feasible", "infeasible", "unknown"):
        drawing = decision_svg(machine, {**route(machine), "status": status})
        assert ("proven optimal" in drawing) == (status == "optimal")


def test_buffers_are_drawn_in_their_node_between_device_and_consumer() -> None:
    """rx leads device → buffer → consumer, tx the other way, and each says what it is near."""
    flows = [
        {"name": "in", "device": "eth0", "consumer": 70, "direction": "rx"},
        {"name": "out", "device": "eth0", "consumer": 70, "direction": "tx"},
    ]
    decision = {
        "question": "buffers",
        "request": {"flow": flows},
        "answer": {
            "flows": {
                "in": {"numa_node": 0, "near": "device"},
                "out": {"numa_node": 1, "near": "core"},
            }
        },
    }
    root = _parsed(decision_svg(bundled("epyc-7773x-2p"), decision))
    ends = [
        (node.attrib["data-flow"], node.attrib["data-from"], node.attrib["data-to"])
        for node in root.iter()
        if "data-flow" in node.attrib
    ]
    assert ends == [
        ("in", "device:eth0", "flow:in"),
        ("in", "flow:in", "pu:70"),
        ("out", "pu:70", "flow:out"),
        ("out", "flow:out", "device:eth0"),
    ]
    homes = {
        node.attrib["data-parent"]: _objects(node)
        for node in root.iter()
        if "data-parent" in node.attrib
    }
    assert homes == {"numa:0": {"flow:in"}, "numa:1": {"flow:out"}}


def test_tasks_are_drawn_on_their_pus() -> None:
    """A task colours its PUs, is written on them, and stands in the legend."""
    tasks = {"rx": {"pus": [0, 128], "numa_node": 0}, "tx": {"pus": [64], "numa_node": 1}}
    drawing = decision_svg(
        bundled("epyc-7773x-2p"), {"question": "placement", "answer": {"tasks": tasks}}
    )
    root = _parsed(drawing)
    coloured = {
        n.attrib["data-object"]
        for n in root.iter()
        if "task0" in n.attrib.get("class", "").split() and "data-object" in n.attrib
    }
    assert coloured == {"pu:0", "pu:128"}
    assert "rx: PU 0, 128, memory in NUMA 0" in drawing


def test_svg_writer_escapes_attributes_and_text() -> None:
    """Quotes, angle brackets and what XML cannot carry do not get through."""
    assert element("g", {"a": "\"'<>&"}) == '<g a="&quot;\'&lt;&gt;&amp;"/>'
    assert text("<\x00>") == "&lt;�&gt;"


def test_words_have_units() -> None:
    """Numbers are never shown bare."""
    assert size_text(96 * 2**20) == "96 MiB"
    assert (time_text(12.34), time_text(1765.2), time_text(25_000)) == (
        "12.3 ns",
        "1,765 ns",
        "25.0 µs",
    )
    assert (quantity(3868e6, "ns/s"), quantity(270, "ns/s")) == ("3,868 ms/s", "270 ns/s")

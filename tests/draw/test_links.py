"""Tables drawn over their machine: an arrow for each direction, with what it carries."""

from __future__ import annotations

from lxml import etree

from skb.decision import Limits
from skb.draw import decision_svg
from skb.knowledge import decide
from tests.machines import bundled

BOARD = bundled("tyan-s4985")
SVG = "{http://www.w3.org/2000/svg}"


def test_links_are_drawn_with_their_load() -> None:
    """22 arrows carry what the answer says; the fullest stand out, and more is thicker."""
    decision = decide("links", BOARD, {}, Limits()).to_json()
    root = etree.fromstring(decision_svg(BOARD, decision).encode())
    arrows = [group for group in root.iter(f"{SVG}g") if group.get("data-load")]
    drawn = {(a.get("data-from"), a.get("data-to")): float(a.get("data-load")) for a in arrows}
    load = decision["answer"]["load"]
    assert drawn == {(a, b): x for a, row in load.items() for b, x in row.items()}
    critical = {
        (a.get("data-from"), a.get("data-to")) for a in arrows if "critical" in a.get("class")
    }
    assert critical == {(a, b) for a, b in decision["answer"]["fullest"]}
    steps = {float(a.get("data-load")): a.get("class").split()[1] for a in arrows}
    assert [steps[x] for x in sorted(steps)] == sorted(steps.values())
    assert steps[8] == "weight4" and "280 bytes" in "".join(root.itertext())


def test_links_of_a_hostile_decision_do_not_break_the_drawing() -> None:
    """Parts that the machine does not have, and values of other types, are left out."""
    for load in (
        {"package:0": {"package:9": 1}},
        {"package:0": 3},
        {"package:0": {"package:1": "x"}},
    ):
        answer = {"load": load, "fullest": [1, ["package:0"]], "queue_depth": 7}
        svg = decision_svg(BOARD, {"question": "links", "status": "feasible", "answer": answer})
        root = etree.fromstring(svg.encode())
        assert not [group for group in root.iter(f"{SVG}g") if group.get("data-load")]

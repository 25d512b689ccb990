"""Power decisions drawn over their machine: what goes, what is lost, who moves."""

from __future__ import annotations

from lxml import etree

from skb.decision import Limits
from skb.draw import decision_svg
from skb.knowledge import decide
from tests.machines import bundled

BOARD = bundled("tyan-s4985")
SVG = "{http://www.w3.org/2000/svg}"


def test_power_is_drawn_with_what_goes_and_who_moves() -> None:
    """Lost parts are struck out, those that go have their turn, and tasks have arrows."""
    raw = {
        "off": ["package:1", "package:7", "link:package:3-package:5"],
        "current": {"a": {"pus": [4]}, "b": {"pus": [9]}},
    }
    decision = decide("power", BOARD, raw, Limits()).to_json()
    root = etree.fromstring(decision_svg(BOARD, decision).encode())
    classes = {
        group.get("data-object"): group.get("class").split()
        for group in root.iter(f"{SVG}g")
        if group.get("data-object")
    }
    lost = {row["part"] for row in decision["answer"]["unreachable"]}
    assert {name for name, words in classes.items() if "gone" in words} == lost & classes.keys()
    assert {name for name, words in classes.items() if "pick" in words} == {
        "package:1",
        "package:7",
    }
    moves = [group for group in root.iter(f"{SVG}g") if group.get("data-task")]
    assert [(group.get("data-task"), group.get("data-from")) for group in moves] == [("a", "pu:4")]
    links = [g.get("data-link") for g in root.iter(f"{SVG}g") if g.get("class") == "hop critical"]
    assert "link:package:3-package:5" in links
    said = "".join(root.itertext())
    assert "goes 1." in said and "is cut off by package:1 and package:7 together" in said


def test_power_of_a_hostile_decision_does_not_break_the_drawing() -> None:
    """Parts that the machine does not have, and values of other types, are left out."""
    answers = (
        {"order": 3, "unreachable": [1, {"part": "package:99", "text": 7}]},
        {"order": [{"part": "package:0"}], "kept": {"pus": "x"}, "evacuation": []},
        {"order": [], "evacuation": {"steps": [{"do": "move task", "from": [0], "to": ["y"]}]}},
    )
    for answer in answers:
        decision = {"question": "power", "answer": answer, "status": "optimal"}
        etree.fromstring(decision_svg(BOARD, decision).encode())

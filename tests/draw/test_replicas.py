"""The drawing of replicas: domains in colours, leaders, and the tree of messages."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from skb.decision import Limits
from skb.draw import decision_svg
from skb.questions.replicas import decide
from tests.machines import bundled

BOARD = bundled("tyan-s4985")
ASKED = {"name": "x", "lines": 4, "read_rate": 1e6, "update_rate": 5000.0}
TOLD = decide(BOARD, {"object": [ASKED, {**ASKED, "name": "y"}]}, Limits(seconds=5)).to_json()


def _classes(svg: str) -> dict[str, str]:
    return {
        node.get("data-object", ""): node.get("class", "")
        for node in ElementTree.fromstring(svg).iter()
        if node.get("data-object")
    }


def test_replicas_drawing_colours_domains_and_marks_the_coordinator() -> None:
    """PUs of one domain have one colour, neighbours another; the coordinator is the root."""
    classes = _classes(decision_svg(BOARD, TOLD))
    told = TOLD["answer"]["objects"]["x"]
    colours = [
        {
            word
            for pu in row["pus"]
            for word in classes[f"pu:{pu}"].split()
            if word.startswith("task")
        }
        for row in told["domains"]
    ]
    assert len(colours) == 8
    assert all(len(each) == 1 for each in colours)
    assert len({colour for each in colours for colour in each}) == 8
    assert "root" in classes[f"pu:{told['coordinator']}"].split()


def test_replicas_drawing_has_an_arrow_for_each_message() -> None:
    """Each send of the tree is an arrow between leaders."""
    root = ElementTree.fromstring(decision_svg(BOARD, TOLD))
    drawn = {(n.get("data-from"), n.get("data-to")) for n in root.iter() if n.get("data-from")}
    sends = TOLD["answer"]["objects"]["x"]["tree"]["sends"]
    assert drawn == {(f"pu:{row['from']}", f"pu:{to}") for row in sends for to in row["to"]}


@pytest.mark.parametrize(
    "answer",
    [
        {"objects": {"x": None}},
        {"objects": {"x<script>": {"domains": [{"pus": ["<", 99], "leader": {}}], "tree": []}}},
        {"objects": {"x": {"coordinator": "<b>", "tree": {"sends": [{"from": 0, "to": [1e9]}]}}}},
    ],
)
def test_replicas_drawing_trusts_nothing(answer: dict[str, Any]) -> None:
    """What does not fit the machine is left out, and text is escaped."""
    svg = decision_svg(BOARD, {**TOLD, "answer": answer})
    ElementTree.fromstring(svg)
    assert "<script>" not in svg

"""The address map: every register and window has its box, in the order of addresses."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from skb.benching.pci_trees import MIB, Device, machine_of_tree
from skb.decision import Limits
from skb.draw import decision_svg
from skb.knowledge import decide

SVG = "{http://www.w3.org/2000/svg}"
MACHINE = machine_of_tree(
    "map",
    (0, 1),
    [
        Device(0, ((MIB, "memory32"),)),
        Device(2, ((2 * MIB, "memory32"), (4096, "prefetchable32"))),
    ],
    64 * MIB,
)
REQUEST = {"hotplug": [{"bridge": "bridge:1", "memory": "1 MiB"}]}


def _boxes(root: Any) -> list[tuple[str, float, float]]:
    """Return the tooltip, the left edge and the width of every box that has a tooltip."""
    found = []
    for group in root.iter(f"{SVG}g"):
        title, box = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
        if title is not None and box is not None:
            found.append((title.text, float(box.get("x")), float(box.get("width"))))
    return found


def test_pci_map_shows_everything_in_order() -> None:
    """Registers, room and windows are drawn; what lies higher is further right."""
    decision = decide("pci", MACHINE, REQUEST, Limits()).to_json()
    boxes = _boxes(etree.fromstring(decision_svg(MACHINE, decision).encode()))
    answer = decision["answer"]
    rows = [*answer["registers"], *answer["windows"], *answer["room"]]
    assert len(boxes) == len(rows)
    left = {words.partition(" at ")[2]: x for words, x, _w in boxes if " bar " in words}
    bars = [(row["base"], left[hex(row["base"])]) for row in answer["registers"]]
    assert [x for _base, x in sorted(bars)] == sorted(x for _base, x in bars)
    assert all(width > 0 for _words, _x, width in boxes)


@pytest.mark.parametrize(
    "answer",
    [
        {"roots": 3},
        {"roots": [], "registers": [{"base": "x"}], "windows": [], "room": []},
        {"registers": [], "windows": [], "room": [], "roots": [{"bridge": 1}]},
    ],
)
def test_pci_map_of_a_hostile_decision_does_not_break(answer: dict[str, Any]) -> None:
    """What is no map is drawn as the machine alone."""
    assert decision_svg(MACHINE, {"question": "pci", "answer": answer}).startswith("<svg")

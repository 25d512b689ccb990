"""Interrupts drawn over their machine: PUs in the devices' colours, and who had to go further."""

from __future__ import annotations

from collections import Counter

from lxml import etree

from skb.decision import Limits
from skb.draw import decision_svg
from skb.questions.interrupts import decide
from tests.machines import grown

SVG = "{http://www.w3.org/2000/svg}"
MACHINE = grown(
    "package:2 numa:1 core:4 pu:1",
    extra='[[device]]\nname = "eth0"\nkind = "network"\nat = "package:0"\n',
)


def test_interrupts_are_drawn_with_their_queues() -> None:
    """An arrow for each PU tells its queues; those that go further than need be stand out."""
    asked = {"device": [{"name": "eth0", "queues": 6}], "spill": "next-nearest"}
    decision = decide(MACHINE, asked, Limits()).to_json()
    root = etree.fromstring(decision_svg(MACHINE, decision).encode())
    arrows = [group for group in root.iter(f"{SVG}g") if group.get("data-queues")]
    drawn = {a.get("data-to"): int(a.get("data-queues")) for a in arrows}
    assert drawn == Counter(f"pu:{row['pu']}" for row in decision["answer"]["queues"])
    far = {a.get("data-to") for a in arrows if "critical" in a.get("class")}
    assert far == {f"pu:{row['pu']}" for row in decision["answer"]["spill"]} and len(far) == 2
    assert "2 further than the nearest cores" in "".join(root.itertext())


def test_interrupts_of_a_hostile_decision_do_not_break_the_drawing() -> None:
    """Parts that the machine does not have, and values of other types, are left out."""
    for queues in (
        3,
        [7],
        [{"device": "device:<x>", "pu": 0}],
        [{"device": "device:eth0", "pu": {}}],
    ):
        answer = {"queues": queues}
        svg = decision_svg(
            MACHINE, {"question": "interrupts", "status": "feasible", "answer": answer}
        )
        assert not list(etree.fromstring(svg.encode()).iter("nothing")) and "<x>" not in svg

"""Forwarding tables for OpenSM and as DOT: every entry stands there, and what is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from skb.bindings import TABLE_TARGETS, bind
from skb.decision import Limits
from skb.errors import RequestError
from skb.knowledge import decide
from tests.machines import bundled

BOARD = bundled("tyan-s4985")


def decision(**request: Any) -> dict[str, Any]:
    """Return a links decision as it is stored."""
    return decide("links", BOARD, request, Limits()).to_json()


RIGHT = decision()
ENTRY = re.compile(r"^0x(\w{4}) (\d{3}) : \((\S+), SL (\d)\)$", re.MULTILINE)


def test_opensm_tables_forward_as_the_decision_does() -> None:
    """Ports count a node's neighbours in their order, LIDs the nodes; port 0 is the node itself."""
    made = bind(BOARD, RIGHT, "opensm")
    blocks = re.split(r"^Unicast lids \[0x0-0x8\] of switch Lid ", made.text, flags=re.MULTILINE)
    assert len(blocks) == 9
    nodes = [f"package:{number}" for number in range(8)]
    for at, (node, block) in enumerate(zip(nodes, blocks[1:], strict=True)):
        assert block.startswith(f"{at + 1} guid 0x{at + 1:016x} ({node}):\n")
        assert block.endswith("8 valid lids dumped\n")
        entries = ENTRY.findall(block)
        assert [int(lid, 16) for lid, *_rest in entries] == list(range(1, 9))
        for _lid, port, to, level in entries:
            assert int(level) == RIGHT["answer"]["channel"][to]
            if to == node:
                assert port == "000"
                continue
            neighbour = BOARD.links[node][int(port) - 1]
            assert neighbour == RIGHT["answer"]["next_hop"][node][to]
    assert len(made.tasks) == 8 and len(made.notes) == 2


def test_dot_has_every_link_and_table() -> None:
    """A line for each direction with its load; next hops and channel are attributes."""
    text = bind(BOARD, RIGHT, "dot").text
    assert len(re.findall(r'^  "package:\d" -> "package:\d" \[label=', text, re.MULTILINE)) == 22
    assert '"package:1" -> "package:2" [label="8" load=8 penwidth=4.00];' in text
    table = " ".join(
        f"{to}={over}" for to, over in RIGHT["answer"]["next_hop"]["package:0"].items()
    )
    assert f'"package:0" [channel={RIGHT["answer"]["channel"]["package:0"]}' in text
    assert f'next_hop="{table}"' in text and text.rstrip().endswith("}")


@pytest.mark.parametrize("target", TABLE_TARGETS)
def test_tables_say_what_they_do(target: str) -> None:
    """The heading names decision and machine, what the file does and what it needs."""
    made = bind(BOARD, RIGHT, target)
    assert made.decision == RIGHT["id"] and RIGHT["id"][:8] in made.text.splitlines()[0]
    assert made.does in made.text and made.target == target


def test_tables_that_are_not_there_are_refused() -> None:
    """No table, and no target of placements."""
    with pytest.raises(RequestError, match="has no table"):
        bind(BOARD, decision(virtual_channels=1), "opensm")
    with pytest.raises(RequestError, match="cannot bind to 'taskset'") as fault:
        bind(BOARD, RIGHT, "taskset")
    assert "targets of links are: opensm, dot" in fault.value.mend

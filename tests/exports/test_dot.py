"""Export to DOT: every part a node, every containment and link an edge, whatever its name."""

from __future__ import annotations

import re

import pytest

from skb.exports import export
from skb.machine import Machine
from skb.relations import Fact
from tests.exports.machines import BUNDLED, exported, odd

_ID = r'"((?:[^"\\]|\\.)*)"'
_ATTRIBUTES = rf"(?: \[((?:\w+={_ID} ?)*)\])?;"
_NODE = re.compile(rf"  {_ID}{_ATTRIBUTES}")
_EDGE = re.compile(rf"  {_ID} -> {_ID}{_ATTRIBUTES}")
_DEFAULT = re.compile(rf"  (graph|node|edge){_ATTRIBUTES}")


def parsed(text: str) -> tuple[set[str], set[tuple[str, str]], dict[tuple[str, str], str]]:
    """Read the statements; return nodes, containment, and links with their attributes."""
    lines = text.splitlines()
    assert re.fullmatch(rf"digraph {_ID} {{", lines[0]) and lines[-1] == "}"
    nodes: set[str] = set()
    inside: set[tuple[str, str]] = set()
    links: dict[tuple[str, str], str] = {}
    for line in lines[1:-1]:
        if edge := _EDGE.fullmatch(line):
            pair = (_plain(edge[1]), _plain(edge[2]))
            if edge[3]:
                assert pair not in links
                links[pair] = edge[3]
            else:
                inside.add(pair)
        elif node := _NODE.fullmatch(line):
            nodes.add(_plain(node[1]))
        else:
            assert _DEFAULT.fullmatch(line), line
    return nodes, inside, links


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


@pytest.mark.parametrize("name", BUNDLED)
def test_dot_has_every_part_every_containment_and_every_link(name: str) -> None:
    """The parts are the nodes, `contains` the thin edges, links the bold ones."""
    machine = exported(name)
    nodes, inside, links = parsed(export(machine, "dot").text)
    assert nodes == set(machine.objects)
    assert inside == {(str(f.args[0]), str(f.args[1])) for f in machine.facts_of("contains")}
    both = {pair for pair, words in links.items() if 'dir="both"' in words}
    drawn = set(links) | {(b, a) for a, b in both}
    assert drawn == {(str(f.args[0]), str(f.args[1])) for f in machine.facts_of("link")}


def test_dot_link_says_kind_and_bandwidth_once_for_both_ways() -> None:
    """Equal ways are one edge; ways of different bandwidth are two."""
    _, _, links = parsed(export(exported("tyan-s4985"), "dot").text)
    assert len(links) == 11
    words = links["package:0", "package:1"]
    assert r"hypertransport\n3814.7 MiB/s" in words and 'dir="both"' in words
    facts = [f for f in exported("tyan-s4985").facts if f.args[:2] != ("package:1", "package:0")]
    faster = [Fact("link", ("package:1", "package:0", "hypertransport")),
              Fact("link_bandwidth", ("package:1", "package:0", 9.0))]  # fmt: skip
    _, _, uneven = parsed(export(Machine("m", [*facts, *faster]), "dot").text)
    assert len(uneven) == 12
    assert 'dir="forward"' in uneven["package:1", "package:0"]


def test_dot_names_are_quoted_whatever_they_hold() -> None:
    """Backslashes and other marks in names break no statement; parts that are off are dashed."""
    name = r"device:a\b;{}[]-|#"
    machine = Machine('odd "name"', [*odd().facts, Fact("contains", ("machine:0", name))])
    text = export(machine, "dot").text
    nodes, inside, _ = parsed(text)
    assert name in nodes and ("machine:0", name) in inside
    line = next(line for line in text.splitlines() if line.startswith('  "core:1" ['))
    assert "dashed" in line

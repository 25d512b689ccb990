"""Forwarding tables from OpenSM's text, DOT and JSON: round trips, and what is refused."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.bindings import opensm, tables_dot
from skb.bindings.tables import tables_of
from skb.errors import DescriptionError, SkbError, TooLargeError
from skb.knowledge import machine_of
from skb.machine import Machine
from skb.merging import merge_into
from skb.relations import Fact
from skb.sources import link_tables, read
from skb.sources.link_tables import Resolved, facts_of, resolve
from tests.tables import Fabric, fabric

SEEDS = st.integers(0, 10**6)
WRITERS = {"opensm": opensm.write, "dot": tables_dot.write}


def decision(made: Fabric, channel: dict[str, int]) -> dict[str, Any]:
    """Return a fabric's tables as a decision holds them."""
    answer = {
        "nodes": list(made.links),
        "next_hop": made.next_hop,
        "channel": channel,
        "load": {a: dict.fromkeys(ends, 1) for a, ends in made.links.items()},
    }
    return {"id": "0123456789abcdef", "question": "links", "status": "optimal", "answer": answer}


def written(machine: Machine, told: dict[str, Any], to: str) -> str:
    """Return the tables as text of a target, or the decision as JSON."""
    return json.dumps(told) if to == "json" else WRITERS[to](tables_of(machine, told)).text


def resolved(machine: Machine, text: str, place: str = "file") -> Resolved:
    """Return what a text's tables are on a machine."""
    tables = read(text.encode(), place).tables
    assert tables is not None
    return resolve(machine, tables, place)


# ------------------------------------------------------------------ round trips
@settings(max_examples=40, deadline=None)
@given(SEEDS, SEEDS, st.sampled_from(["opensm", "dot", "json"]))
def test_link_tables_come_back_as_they_were(seed: int, other: int, to: str) -> None:
    """What is written is read back whole, and written again it is the same text."""
    made, draw = fabric(seed), random.Random(other)
    channel = {node: draw.randrange(3) for node in made.links}
    ports = [
        Fact("link_port", (a, port, b))
        for a, ends in made.links.items()
        for b, port in zip(ends, draw.sample(range(1, 255), len(ends)), strict=True)
        if draw.random() < 0.5
    ]
    machine = Machine("fabric", [*made.facts, *ports])
    text = written(machine, decision(made, channel), to)
    found = resolved(machine, text)
    assert found.next_hop == made.next_hop and found.channel == channel
    again = decision(Fabric(made.links, found.next_hop), found.channel)
    assert written(machine, again, to) == text
    if to != "opensm":
        alone = machine_of(read(text.encode(), "alone"), "alone")
        assert {a: set(ends) for a, ends in alone.links.items()} == {
            a: set(ends) for a, ends in made.links.items()
        }
        assert alone.ways.tables and not alone.ways.broken


def test_link_tables_of_opensm_are_those_of_the_ports() -> None:
    """Text as `ibroute` prints it: ports are those that link_port facts state, hosts have none."""
    machine = machine_of(
        read(
            b"graph { sw1 -- sw2 [port=3]; sw2 -- sw1 [port=4]; h1 -- sw1; h2 -- sw2;"
            b" sw1 -- h1 [port=1]; sw2 -- h2 [port=1] }",
            "net.dot",
        ),
        "net",
    )
    text = """\
Unicast lids [0x0-0x5] of switch Lid 1 guid 0x0000000000200000 (sw1):
  Lid  Out   Destination
       Port     Info
0x0001 000 : (Switch portguid 0x0000000000200000: 'sw1')
0x0002 001 : (Channel Adapter portguid 0x0000000000100001: 'h1')
0x0003 003 : (Switch portguid 0x0000000000200001: 'sw2')
0x0005 003 : (Channel Adapter portguid 0x0000000000100004: 'h2')
0x0006 003 : (path #2 out of 2: portguid 0x0000000000100004)
0x0007 002 : (Channel Adapter portguid 0x0000000000100009: 'nobody HCA-1')
5 valid lids dumped
Unicast lids [0x0-0x5] of switch DR path slid 0; dlid 0; 0,1 guid 0x0000000000200001 (sw2):
0x0001 004 : (Switch portguid 0x0000000000200000: 'sw1')
0x0002 004 : (Channel Adapter portguid 0x0000000000100001: 'h1')
0x0003 000 : (Switch portguid 0x0000000000200001: 'sw2')
0x0005 001 : (Channel Adapter portguid 0x0000000000100004: 'h2')
0x0009 255 : (Channel Adapter portguid 0x0000000000100004: 'h2')
"""
    found = resolved(machine, text)
    assert found.next_hop == {
        "device:h1": dict.fromkeys(("device:h2", "device:sw1", "device:sw2"), "device:sw1"),
        "device:h2": dict.fromkeys(("device:h1", "device:sw1", "device:sw2"), "device:sw2"),
        "device:sw1": {
            "device:h1": "device:h1",
            "device:h2": "device:sw2",
            "device:sw2": "device:sw2",
        },
        "device:sw2": {
            "device:h1": "device:sw1",
            "device:h2": "device:h2",
            "device:sw1": "device:sw1",
        },
    }
    assert found.strangers == ("nobody HCA-1",)


# ------------------------------------------------------------------ what is wrong
def line() -> Machine:
    """Three packages in a row."""
    links = [
        Fact("link", (f"package:{a}", f"package:{b}", "x"))
        for a, b in ((0, 1), (1, 0), (1, 2), (2, 1))
    ]
    parts = [Fact("contains", ("machine:0", f"package:{at}")) for at in range(3)]
    return Machine("line", [*parts, *links])


RIGHT = """\
Unicast lids [0x0-0x3] of switch Lid 1 guid 0x1 (package:0):
0x0001 000 : (package:0, SL 0)
0x0002 001 : (package:1, SL 0)
0x0003 001 : (package:2, SL 0)
Unicast lids [0x0-0x3] of switch Lid 2 guid 0x2 (package:1):
0x0001 001 : (package:0, SL 0)
0x0003 002 : (package:2, SL 0)
Unicast lids [0x0-0x3] of switch Lid 3 guid 0x3 (package:2):
0x0001 001 : (package:0, SL 0)
0x0002 001 : (package:1, SL 0)
"""


@pytest.mark.parametrize(
    ("old", "new", "place", "words", "mend"),
    [
        ("(package:2):", "(package:7):", ":8", "LID 3 is package:2, and here package:7", "own"),
        ("(package:2", "(package:7", ":8", "line has no package:7", "links join package:0"),
        ("0x0003 001", "0x0003 009", ":4", "package:0 has no port 9", "1 to package:1"),
        ("0x0003 002 : (package:2, SL 0)\n", "", ":5", "package:1 has no entry for package:2", ""),
        ("0x0003 002", "0x0003 001", ":4", "turns in a circle: package:0 -> package:1", "let one"),
        ("0x0003 002", "0x0003 255", ":5", "package:1 has no entry for package:2", "add it"),
        ("0x0003 002", "0x0003 256", ":7", "there is no port 256", "1 to 254"),
        ("0x0003 002", "zzz", ":7", "cannot read 'zzz", "0xLID PORT"),
        (
            "0x0003 001 : (package:2, SL 0)",
            "0x0003 001 : (package:2, SL 9)",
            ":7",
            "level 9",
            "one",
        ),
        ("SL 0", "SL 77", ":2", "the service level is 77", "0 to 63"),
        ("0x0003 001 : (package:2, SL 0)", "0x0009 001", ":4", "says what LID 9 is", "its name"),
        ("Lid 2 guid 0x2 (package:1)", "Lid 1 guid 0x1 (package:0)", ":5", "two tables", "line 1"),
        ("Lid 1 guid", "Lid one", ":1", "which switch's table", "Unicast lids"),
    ],
)
def test_link_tables_that_are_wrong_name_line_and_mend(
    old: str, new: str, place: str, words: str, mend: str
) -> None:
    """One clear error for each fault; nothing of the machine changes."""
    assert old in RIGHT
    description = None
    with pytest.raises(DescriptionError) as fault:
        description = read(RIGHT.replace(old, new).encode(), "f.lft")
        assert description.tables is not None
        facts_of(line(), description.tables, "f.lft")
    assert words in fault.value.message and mend in fault.value.mend
    assert fault.value.place == f"f.lft{place}"


def test_link_tables_twice_said_and_twice_meant() -> None:
    """An entry may be repeated, not changed; a part without a table has one link or a fault."""
    again = RIGHT.replace("0x0003 002", "0x0003 002 : (package:2, SL 0)\n0x0003 002")
    assert resolved(line(), again).next_hop == resolved(line(), RIGHT).next_hop
    other = RIGHT.replace("0x0003 002", "0x0003 001 : (package:2, SL 0)\n0x0003 002")
    with pytest.raises(DescriptionError, match="to package:0 and to package:2") as fault:
        resolved(line(), other)
    assert fault.value.place == "file:8"
    middle = RIGHT[: RIGHT.index("Unicast lids [0x0-0x3] of switch Lid 2")]
    tables = read(middle.encode(), "file").tables
    assert tables is not None and resolve(line(), tables, "file").next_hop["package:1"] == {}
    with pytest.raises(DescriptionError, match="package:1 has no table, and 2 links"):
        facts_of(line(), tables, "file")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"question": "links", "answer": {}, "status": "infeasible"}', "is infeasible: it has no"),
        ('{"question": "links", "answer": {"next_hop": 3}}', "Expected `object`"),
        ('{"question": "links", "answer": {"next_hop": {"a": {"b": "c"}}', "truncated"),
        ('{"question": "links"}', "missing required field `answer`"),
        ('{"question": "links", "answer": ' + "[" * 100_000, "Expected `object`"),
    ],
)
def test_link_tables_of_json_that_is_wrong(text: str, words: str) -> None:
    """The error names the path or the fault."""
    with pytest.raises(DescriptionError, match=words.replace("[", r"\[")) as fault:
        read(text.encode(), "d.json")
    assert fault.value.place.startswith("d.json") and fault.value.mend


def test_link_tables_of_other_networks_are_refused() -> None:
    """A decision's links must be the machine's."""
    made = fabric(5)
    text = written(made.machine, decision(made, dict.fromkeys(made.links, 0)), "json")
    fewer = Machine("fewer", [f for f in made.facts if f.predicate != "link"])
    with pytest.raises(DescriptionError) as fault:
        resolved(fewer, text)
    assert "no link leads" in fault.value.message


def test_link_tables_without_a_machine_are_no_machine() -> None:
    """Tables alone describe no machine: the mend says where they go."""
    with pytest.raises(DescriptionError, match="tables alone") as fault:
        machine_of(read(RIGHT.encode(), "f.lft"))
    assert "--merge" in fault.value.mend


@pytest.mark.parametrize(
    "text",
    [
        "Unicast lids [" * 100_000,
        "Unicast lids [0x0-0x8] of switch Lid 1 guid 0x1 (a):\n" + "0x0001 001\n" * 500_000,
        "Unicast lids [0x0] of switch DR path " + " guid 0x1 (" * 100_000,
        "Unicast lids [0x0] of switch DR path " + (" guid 0x1 (" * 80 + "\nUnicast lids [") * 3000,
        "Unicast lids [0x0] of switch Lid 1 guid 0x1 (a):\n# ports of a: " + "1=" * 1_000_000,
        "Unicast lids [0x0] of switch Lid 1 guid 0x1 (a):\n0x1 1 : Switch " + "'" * 200_000,
        "Unicast lids [0x0] of switch Lid 1 guid 0x1 (a):\n0x1 1" + " " * 200_000 + "x",
        "Unicast lids [\x00\x01\x02",
    ],
)
def test_link_tables_that_are_hostile_are_refused_at_once(text: str) -> None:
    """One error, soon: neither a traceback nor a long search."""
    begin = time.process_time()
    with pytest.raises(SkbError):
        description = read(text.encode(), "f.lft")
        assert description.tables is not None
        facts_of(line(), description.tables, "f.lft")
    assert time.process_time() - begin < 5


def test_link_tables_that_are_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is said before anything is resolved."""
    monkeypatch.setattr(link_tables, "ENTRIES_LIMIT", 5)
    with pytest.raises(TooLargeError, match="have 6 entries, the limit is 5"):
        resolved(line(), RIGHT)


# ------------------------------------------------------------------ in force
def test_link_tables_merged_take_the_place_of_others() -> None:
    """The facts say who said so; of the tables before nothing stays, of other parts all."""
    machine = Machine("line", [*line().facts, Fact("next_hop", ("package:9", "package:8", "pu:0"))])
    first = merge_into(machine, [read(RIGHT.encode(), "a.lft")], ["a.lft"])
    assert {f.by for f in first.facts if f.predicate == "next_hop"} == {"a.lft", ""}
    other = RIGHT.replace("SL 0", "SL 1")
    merged = Machine("line", first.facts)
    second = merge_into(merged, [read(other.encode(), "b.lft")], ["b.lft"])
    rows = [f for f in second.facts if f.predicate in {"next_hop", "virtual_channel"}]
    assert {f.by for f in rows} == {"b.lft", ""} and len(rows) == 6 + 3 + 1
    assert {f.args[1] for f in rows if f.predicate == "virtual_channel"} == {1}
    assert any("take the place" in note for note in second.notes)


def test_link_tables_of_json_without_links_are_of_the_machine_they_join() -> None:
    """A table alone is no network of its own; a channel for an unknown part is a fault."""
    told = decision(fabric(5), {"package:0": 1})
    machine = fabric(5).machine
    del told["answer"]["load"]
    found = read(json.dumps(told).encode(), "file")
    assert found.facts == () and found.tables is not None
    merged = merge_into(machine, [found], ["file"])
    assert sum(fact.predicate == "next_hop" for fact in merged.facts) == len(machine.links) * (
        len(machine.links) - 1
    )
    told["answer"]["channel"]["package:77"] = 1
    with pytest.raises(DescriptionError, match="has no package:77"):
        resolved(machine, json.dumps(told))

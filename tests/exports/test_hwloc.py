"""Export to hwloc XML v2: our reader finds the same facts, lstopo the same objects."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from lxml import etree

from skb.exports import export
from skb.machine import Machine
from skb.relations import Fact, Value
from tests.exports.machines import BUNDLED, REAL, again, exported, odd
from tests.machines import grown

LSTOPO = shutil.which("lstopo-no-graphics")
KINDS = {
    "pu": "PU",
    "core": "Core",
    "package": "Package",
    "numa": "NUMANode",
    "l1d": "L1Cache",
    "l1i": "L1iCache",
    "l2": "L2Cache",
    "l3": "L3Cache",
    "memcache": "MemCache",
    "pci": "PCIDev",
    "bridge": "Bridge",
    "device": "OSDev",
    "misc": "Misc",
}
# what hwloc v2 says by a word of the part
WORDS = {"Subtype", "MemoryTier", "Architecture", "ForcedEfficiency"}


def facts(machine: Machine) -> set[tuple[str, tuple[Value, ...]]]:
    """What holds, without who says so."""
    predicates = {fact.predicate for fact in machine.facts}
    return {(p, fact.args) for p in predicates for fact in machine.facts_of(p)}


@pytest.mark.parametrize("name", [*BUNDLED, *REAL])
def test_hwloc_export_reads_back_to_the_same_facts(name: str) -> None:
    """Nothing is lost but what the notes name, and nothing is new but words of kinds."""
    machine = exported(name)
    made = export(machine, "hwloc")
    before, after = facts(machine), facts(again(made.text))
    said = " ".join(made.notes)
    for predicate, args in before - after:
        if predicate == "contains" and f"{args[1]} moved from {args[0]} to" in said:
            continue
        if predicate == "device_kind" and f"{args[0]} is " in said:
            continue
        assert re.search(rf"\b{predicate} \(\d+\)|{predicate}\(|rounded", said), predicate
    rounded = {p for p, _ in after - before if p.startswith("memory_") and "rounded" in said}
    for predicate, args in after - before:
        moved = predicate == "contains" and f"to {args[0]}" in said and f"{args[1]} moved" in said
        known = predicate == "info" and args[1] in WORDS
        assert moved or known or predicate in rounded, (predicate, args)


@pytest.mark.parametrize("name", [n for n in REAL if n.endswith(".xml")])
def test_hwloc_real_file_of_any_version_loses_only_what_v2_lacks(name: str) -> None:
    """v1, v2 and v3 files of real machines keep everything; v2 has no place for bus localities."""
    machine = exported(name)
    lost = facts(machine) - facts(again(export(machine, "hwloc").text))
    assert {predicate for predicate, _ in lost} <= {"bus_locality"}


@pytest.mark.skipif(LSTOPO is None, reason="lstopo-no-graphics is not installed")
@pytest.mark.parametrize("name", [*BUNDLED, *REAL])
def test_hwloc_export_is_read_by_lstopo(name: str, tmp_path: Path) -> None:
    """The installed lstopo counts the same objects of every kind and complains about nothing."""
    machine = exported(name)
    path = tmp_path / "out.xml"
    path.write_text(export(machine, "hwloc").text)
    options = ["--disallowed", "--filter", "all:all", "--no-collapse", "--of", "xml"]
    done = subprocess.run(
        ["lstopo-no-graphics", "-i", str(path), *options],
        capture_output=True,
        text=True,
        check=True,
    )
    found = Counter(re.findall(r'<object type="(\w+)"', done.stdout))
    assert {kind: found[word] for kind, word in KINDS.items()} == {
        kind: machine.counts[kind] for kind in KINDS
    }
    assert "error" not in done.stderr.lower() and "out-of-order" not in done.stderr


def test_hwloc_export_of_an_odd_machine_says_what_it_cannot_hold() -> None:
    """Power, pair latencies, fractions and reasons are in the notes; odd texts stay XML."""
    made = export(odd(), "hwloc")
    said = " ".join(made.notes)
    for word in ("power (1)", "latency (3)", "others were rounded", "why a part is not allowed",
                 "a stronger source overrules"):  # fmt: skip
        assert word in said, word
    found = again(made.text)
    assert found.value("info", "package:0", "CPUModel") == 'a "quoted" \\ word\nand <tag> & more'
    assert found.value("info", "package:1", "CPUModel") == "Größe? µs ✓ %d"
    assert found.unusable("pu:3") and found.value("memory_size", "numa:0") == 2**62
    assert {str(f.args[1]) for f in found.facts_of("device_kind")} == {
        "network", "openfabrics", "other"}  # fmt: skip
    # a matrix between kinds, of which hwloc is told that the rest is unknown
    assert ("object_distance", ("Odd", "pu:0", "core:1", 7)) in facts(found)


def test_hwloc_sets_of_nodes_are_those_inside_and_around() -> None:
    """A core has the nodes of its package and of the machine, a package those inside it."""
    machine = grown("package:2 numa:1 core:2 pu:1", Fact("contains", ("machine:0", "numa:7")))
    top = etree.fromstring(export(machine, "hwloc").text.encode())
    sets = {
        (one.get("type"), one.get("cpuset")): one.get("nodeset")
        for one in top.iter("object")
        if one.get("cpuset")
    }
    assert sets["Machine", "0x0000000f"] == "0x00000083"
    assert sets["Package", "0x0000000c"] == "0x00000082"
    assert sets["Core", "0x00000008"] == "0x00000082"
    assert sets["NUMANode", "0x0000000f"] == "0x00000080"
    numbers = [one.get("gp_index") for one in top.iter("object")]
    assert len(set(numbers)) == len(numbers)


def test_hwloc_machine_without_memory_gets_the_node_that_hwloc_needs() -> None:
    """hwloc knows no machine without a NUMA node; the note says that it was added."""
    made = export(grown("core:2 pu:2"), "hwloc")
    assert "numa:0 of unknown size was added" in " ".join(made.notes)
    assert again(made.text).numa == (0,)


def test_hwloc_parts_are_ordered_by_their_pus() -> None:
    """hwloc orders siblings by their lowest PU; parts that change their index are named."""
    tree = [
        ("machine:0", "core:0"),
        ("core:0", "pu:1"),
        ("machine:0", "core:1"),
        ("core:1", "pu:0"),
    ]
    machine = Machine("m", [Fact("contains", pair) for pair in tree])
    made = export(machine, "hwloc")
    assert "core:1 as core:0" in " ".join(made.notes)
    assert again(made.text).pus_of("core:0") == {0}


def test_hwloc_parts_in_impossible_places_move_and_are_named() -> None:
    """I/O below memory, and functions without a bus number, move up with a note."""
    tree = [
        *(("machine:0", "core:0"), ("core:0", "pu:0"), ("machine:0", "numa:0")),
        *(("numa:0", "device:pmem0"), ("machine:0", "pci:odd"), ("pci:odd", "device:x")),
    ]
    made = export(Machine("m", [Fact("contains", pair) for pair in tree]), "hwloc")
    said = " ".join(made.notes)
    assert "device:pmem0 moved from numa:0 to machine:0" in said
    assert "pci:odd has no bus number" in said
    found = again(made.text)
    assert (found.parent("device:pmem0"), found.parent("device:x")) == ("machine:0", "machine:0")

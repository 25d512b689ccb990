"""Several descriptions of one machine: identity, renumbering, place, precedence, strangers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from skb.comparing import Same, compare
from skb.errors import DescriptionError
from skb.knowledge import machine_of
from skb.machine import Machine
from skb.merging import merge, merge_into, refresh
from skb.relations import Fact, relations
from skb.sources import read, read_path
from skb.sources.description import Description
from tests.machines import shared


def described(tree: str, *facts: Fact, name: str = "") -> Description:
    """Return a description grown from hwloc's synthetic notation, with more facts."""
    text = f'[machine]\nname = "{name}"\n[structure]\ntree = "{tree}"\n'
    found = read(text.encode(), f"{name or 'grown'}.toml")
    return Description(name, "test", (*found.facts, *facts))


def plain(*contains: tuple[str, str], facts: tuple[Fact, ...] = ()) -> Description:
    """Return a description with exactly this tree."""
    tree = [Fact("contains", pair, source="discovered") for pair in contains]
    return Description("", "test", (*tree, *facts), partial=True)


def flat(pus: int) -> list[tuple[str, str]]:
    """Return PUs that hang directly at the machine."""
    return [("machine:0", f"pu:{pu}") for pu in range(pus)]


def merged(*parts: Description, names: Sequence[str] = "abcdef") -> Machine:
    """Merge descriptions that are called a, b, c, …"""
    return machine_of(merge(parts, list(names[: len(parts)])), "m")


def renumbered(description: Description, seed: int) -> Description:
    """Return the same machine with other logical indexes of packages, caches and cores."""
    random_ = random.Random(seed)
    names = {str(a) for f in description.facts for a in f.args if ":" in str(a)}
    mapping: dict[str, str] = {}
    for kind in ("package", "die", "group", "core", "l1d", "l1i", "l2", "l3", "bridge"):
        mine = sorted(name for name in names if name.partition(":")[0] == kind)
        mapping |= dict(zip(mine, random_.sample(mine, len(mine)), strict=True))
    facts = []
    for fact in description.facts:
        kinds = [argument.type for argument in relations()[fact.predicate].args]
        args = [
            mapping.get(str(arg), arg) if kind == "object" else arg
            for kind, arg in zip(kinds, fact.args, strict=True)
        ]
        facts.append(replace(fact, args=tuple(args)))
    return Description(description.name, "test", tuple(facts), partial=True)


# ------------------------------------------------------------------ identity and place
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_merging_renumbered_descriptions_are_one_machine(seed: int) -> None:
    """Logical indexes do not matter: nothing is doubled and nothing disagrees."""
    kinds = tuple(Fact("core_kind", (f"core:{n}", f"kind {n}")) for n in range(8))
    one = described("package:2 numa:1 l3:2 core:2 pu:2", *kinds)
    both = merged(one, renumbered(one, seed))
    alone = machine_of(one, "one")
    assert both.counts == alone.counts
    assert both.conflicts() == ()
    assert compare(alone, both).same is Same.FACTS


def test_merging_facts_follow_their_renamed_parts() -> None:
    """What the second file calls core:0 is core:1 of the first, and so are its facts."""
    one = plain(("machine:0", "core:0"), ("machine:0", "core:1"),
                ("core:0", "pu:0"), ("core:1", "pu:1"))  # fmt: skip
    two = plain(("machine:0", "core:0"), ("machine:0", "core:1"), ("core:0", "pu:1"),
                ("core:1", "pu:0"),
                facts=(Fact("latency", ("core:0", "core:1", 40.0)),))  # fmt: skip
    machine = merged(one, two)
    assert machine.number("latency", "core:1", "core:0") == 40.0
    assert machine.fact("latency", "core:0", "core:1") is None


def test_merging_puts_new_caches_between_what_they_hold_and_what_holds_them() -> None:
    """Caches that only the second file has go between package and cores; numbers are fresh."""
    cores = described("package:2 core:2 pu:2")
    caches = plain(*(("machine:0", f"l3:{n}") for n in (0, 1)),
                   *((f"l3:{pu // 4}", f"pu:{pu}") for pu in range(8)),
                   facts=(Fact("cache_size", ("l3:1", 1024)),))  # fmt: skip
    machine = merged(cores, caches)
    assert machine.ancestors("pu:5") == ("core:2", "l3:1", "package:1", "machine:0")
    assert machine.number("cache_size", "l3:1") == 1024
    assert machine.conflicts() == ()


def test_merging_gives_new_parts_of_a_known_kind_fresh_numbers() -> None:
    """A second level of groups does not take the name of a group that is there."""
    inner = plain(("machine:0", "group:0"), ("group:0", "pu:0"), ("group:0", "pu:1"),
                  *flat(4)[2:])  # fmt: skip
    outer = plain(("machine:0", "group:0"), *(("group:0", f"pu:{pu}") for pu in range(4)))
    machine = merged(inner, outer)
    assert machine.ancestors("pu:0") == ("group:0", "group:1", "machine:0")
    assert machine.ancestors("pu:3") == ("group:1", "machine:0")


def test_merging_leaves_out_what_crosses_with_a_note() -> None:
    """A group that cuts through packages has no place in the tree."""
    two = plain(("machine:0", "group:0"), *(("group:0", f"pu:{pu}") for pu in (1, 2)),
                ("machine:0", "pu:0"), ("machine:0", "pu:3"),
                facts=(Fact("load", ("group:0", 5)),))  # fmt: skip
    found = merge([described("package:2 core:2 pu:1"), two], ["a", "b"])
    assert machine_of(found, "m").of_kind("group") == ()
    assert any(
        note.startswith("b: group:0 is left out: it crosses package:") for note in found.notes
    )
    assert "b: left out with their parts: 1 fact" in found.notes


def test_merging_a_coarser_parent_is_no_disagreement_and_the_finer_holds() -> None:
    """Memory that one file hangs at the machine is where the other says, whatever the order."""
    coarse = plain(*flat(2), ("machine:0", "numa:0"))
    fine = plain(("machine:0", "package:0"), ("package:0", "numa:0"),
                 ("package:0", "pu:0"), ("package:0", "pu:1"))  # fmt: skip
    for parts in ((coarse, fine), (fine, coarse)):
        machine = merged(*parts)
        assert machine.parent("numa:0") == machine.parent("pu:1") == "package:0"
        assert machine.conflicts() == ()


def test_merging_keeps_a_real_disagreement_about_place() -> None:
    """A PU in two cores is said in a note and stays visible as a conflict with both files."""
    one = described("core:2 pu:3")
    tree = [("machine:0", "core:0"), ("machine:0", "core:1")]
    tree += [(f"core:{0 if pu < 2 else 1}", f"pu:{pu}") for pu in range(6)]
    found = merge([one, plain(*tree)], ["a", "b"])
    ((holds, lost),) = machine_of(found, "m").conflicts()
    assert {holds.args, lost.args} == {("core:0", "pu:2"), ("core:1", "pu:2")}
    assert lost.by == "b" and holds.by != lost.by
    assert "b: disagrees about 1 parent: pu:2 is in core:1, not in core:0" in found.notes


def test_merging_asserted_places_hold_over_discovered_ones() -> None:
    """The stronger source decides where a node is, in the tree too."""
    trees = [[("machine:0", f"package:{n}") for n in (0, 1)] + [(f"package:{n}", f"pu:{n}")
             for n in (0, 1)] + [(f"package:{at}", "numa:0")] for at in (0, 1)]  # fmt: skip
    weak = plain(*trees[0])
    strong = Description("", "test", tuple(Fact("contains", pair) for pair in trees[1]))
    for parts in ((weak, strong), (strong, weak)):
        machine = merged(*parts)
        assert machine.parent("numa:0") == "package:1"
        assert len(machine.conflicts()) == 1


def test_merging_finds_bridges_and_devices_behind_other_numbers() -> None:
    """Bridges are the same by their buses or functions, devices by function and kind."""

    def board(bridge: str, device: str, buses: bool) -> Description:
        facts = [Fact("device_kind", (device, "network"))]
        facts += [Fact("bridge_buses", (bridge, 0, 1, 3))] if buses else []
        return plain(*flat(2), ("machine:0", bridge), (bridge, "pci:0000:02:00.0"),
                     ("pci:0000:02:00.0", device), facts=tuple(facts))  # fmt: skip

    machine = merged(board("bridge:0", "device:eth0", True), board("bridge:7", "device:lan", False))
    assert machine.counts["bridge"] == machine.counts["device"] == 1
    assert machine.parent("device:eth0") == "pci:0000:02:00.0"


def test_merging_hangs_functions_under_the_bridge_that_has_their_bus() -> None:
    """A list of functions without bridges finds its place in a board that has only bridges."""
    bridges = plain(*((("machine:0", f"package:{n}")) for n in (0, 1)), ("package:0", "pu:0"),
                    ("package:1", "pu:1"), ("package:1", "bridge:0"), ("bridge:0", "bridge:1"),
                    facts=(Fact("bridge_buses", ("bridge:0", 0, 128, 255)),
                           Fact("bridge_buses", ("bridge:1", 0, 130, 140))))  # fmt: skip
    functions = plain(*(("machine:0", f"pci:0000:{bus}:00.0") for bus in ("03", "81", "83")))
    machine = merged(functions, bridges)
    assert machine.parent("pci:0000:83:00.0") == "bridge:1"
    assert machine.package_around("pci:0000:81:00.0") == "package:1"
    assert machine.parent("pci:0000:03:00.0") == "machine:0"


def test_merging_a_function_never_goes_under_a_bridge_behind_it() -> None:
    """A bridge that lies between a function and its device has the function's bus, and stays."""
    one = plain(*flat(1), ("machine:0", "pci:0000:01:00.0"), ("pci:0000:01:00.0", "device:eth0"))
    two = plain(*flat(1), ("machine:0", "bridge:0"), ("bridge:0", "device:eth0"),
                facts=(Fact("bridge_buses", ("bridge:0", 0, 0, 2)),))  # fmt: skip
    machine = merged(one, two)
    assert machine.ancestors("device:eth0") == ("bridge:0", "pci:0000:01:00.0", "machine:0")


def test_merging_packages_without_pus_are_the_same_by_number() -> None:
    """A board file knows packages and links only: they are those of the other description."""
    board = plain(*(("machine:0", f"package:{n}") for n in range(4)),
                  facts=(Fact("link", ("package:0", "package:3", "HT")),))  # fmt: skip
    machine = merged(described("package:4 core:2 pu:1"), board)
    assert machine.counts["package"] == 4
    assert machine.hops("package:0", "package:3") == 1


def test_merging_pus_that_only_one_file_knows_are_added_and_told() -> None:
    """A mask with more PUs than the base shows adds them under the nearest common part."""
    more = plain(("machine:0", "group:0"), *(("group:0", f"pu:{pu}") for pu in range(6)))
    found = merge([described("package:1 core:4 pu:1"), more], ["a", "b"])
    assert machine_of(found, "m").pus == tuple(range(6))
    assert any("2 PUs that the others do not know: pu:4, pu:5" in note for note in found.notes)


NAMES = ("package:0", "package:1", "group:0", "group:1", "l3:0", "l3:1", "core:0", "core:1",
         "pu:0", "pu:1", "pu:2", "pu:3", "numa:0", "memcache:0", "bridge:0", "bridge:1",
         "pci:0000:01:00.0", "pci:0000:02:00.0", "device:eth0", "misc:0")  # fmt: skip


@st.composite
def trees(draw: st.DrawFn) -> Description:
    """Any tree at all, nested in the order of the names, with a few more facts."""
    placed = ["machine:0"]
    contains = []
    for name in NAMES:
        barred = ("pu:", "misc:", "core:") if name.startswith("core:") else ("pu:", "misc:")
        around = [at for at in placed if not at.startswith(barred)]
        if draw(st.booleans()) or name == "pu:0":
            contains.append((draw(st.sampled_from(around)), name))
            placed.append(name)
    loads = [Fact("load", (name, draw(st.integers(0, 2))), source="measured") for name in placed]
    if "bridge:0" in placed:
        loads.append(Fact("bridge_buses", ("bridge:0", 0, draw(st.integers(0, 2)), 2)))
    return plain(*contains, facts=tuple(loads))


@settings(max_examples=100, deadline=None)
@given(parts=st.lists(trees(), min_size=2, max_size=3))
def test_merging_any_trees_gives_a_tree_or_a_reason(parts: list[Description]) -> None:
    """Whatever is merged is one tree with every PU that anybody knows, or is refused."""
    try:
        machine = merged(*parts)
    except DescriptionError as fault:
        assert "another machine" in fault.message
        return
    known = {fact.args[1] for part in parts for fact in part.facts if fact.predicate == "contains"}
    assert {f"pu:{pu}" for pu in machine.pus} == {name for name in known if "pu:" in str(name)}
    assert {name for name in known if "pci:" in str(name)} <= set(machine.objects)


# ------------------------------------------------------------------ facts and provenance
def test_merging_keeps_both_values_with_their_sources() -> None:
    """Files that disagree are both there; the stronger holds, and equals are told apart by file."""
    tree = "core:1 pu:1"
    said = ((2000, "firmware"), (2100, "measured"), (1900, "measured"))
    says = [Fact("clock_mhz", ("core:0", mhz), source=source) for mhz, source in said]
    machine = merged(*(described(tree, fact) for fact in says))
    assert machine.number("clock_mhz", "core:0") == 2100
    assert {(lost.args[1], lost.source, lost.by) for _, lost in machine.conflicts()} == {
        (2000, "firmware", "a"),
        (1900, "measured", "c"),
    }


def test_merging_keeps_one_of_equal_statements_the_newer() -> None:
    """Two files that say the same by the same kind of source are one fact, of the newer date."""
    old, new = (Fact("load", ("pu:0", 5), source="measured", when=when)
                for when in ("2026-01-01", "2026-02-01"))  # fmt: skip
    machine = merged(described("pu:1", old), described("pu:1", new))
    (fact,) = machine.all("load")
    assert (fact.when, fact.by) == ("2026-02-01", "b")


def test_merging_files_of_one_name_stay_apart() -> None:
    """Two files called topo.xml in two folders may disagree without a contradiction."""
    parts = [described("pu:1", Fact("load", ("pu:0", n), source="measured", by="topo.xml"))
             for n in (5, 6)]  # fmt: skip
    machine = machine_of(merge(parts, ["x/topo.xml", "y/topo.xml"]), "m")
    assert {fact.by for fact in machine.all("load")} == {"topo.xml", "topo.xml (y/topo.xml)"}


def test_merging_a_newer_version_of_a_file_replaces_what_it_said() -> None:
    """The same file again changes its own facts, not those of others."""
    machine = merged(described("pu:1", Fact("load", ("pu:0", 5), source="measured", by="load.csv")))
    again = described("pu:1", Fact("load", ("pu:0", 9), source="measured", by="load.csv"))
    found = merge_into(machine, [again], ["load.csv"])
    assert [fact.args for fact in found.facts if fact.predicate == "load"] == [("pu:0", 9)]
    assert "load.csv: replaced what it said before: 1 fact" in found.notes


def test_merging_a_newer_version_of_a_file_moves_what_it_placed() -> None:
    """A PU that the file has in another core by now is there, without a dispute with itself."""
    pairs = [("machine:0", "core:0"), ("machine:0", "core:1")]
    files = [
        plain(*pairs, *((f"core:{at}", f"pu:{pu}") for pu, at in enumerate(places)))
        for places in ((0, 0, 0, 1, 1, 1), (0, 0, 1, 1, 1, 1))
    ]
    machine = merged(files[0], names=["topo.xml"])
    found = merge_into(machine, files[1:], ["topo.xml"])
    assert machine_of(found, "m").parent("pu:2") == "core:1"
    assert machine_of(found, "m").conflicts() == ()
    assert found.notes == ()


def test_merging_does_not_depend_on_the_order_of_the_files() -> None:
    """Whoever comes first: the same value holds, also against a third file."""
    parts = {by: described("pu:1", Fact("load", ("pu:0", load), source="measured", by=by))
             for by, load in (("a", 5), ("b", 6), ("z", 5))}  # fmt: skip
    held = set()
    for order in ("abz", "zab", "bza", "zba"):
        machine = merged(*(parts[by] for by in order), names=order)
        held.add((machine.value("load", "pu:0"), len(machine.conflicts())))
    assert held == {(5, 1)}


# ------------------------------------------------------------------ the wrong machine
@pytest.mark.parametrize(
    ("other", "words"),
    [
        (plain(("machine:0", "pu:8"), ("machine:0", "pu:9")), "none of the PUs of a"),
        (described("package:1 core:10 pu:1"), "1 package and 10 PUs, a has 4 packages and 8 PUs"),
        (described("package:4 core:2 pu:1", Fact("isa", ("machine:0", "riscv"))), "ISA riscv"),
        (plain(*(("machine:0", f"package:{n}") for n in (0, 1)),
               *((f"package:{n % 2}", f"core:{n}") for n in range(4)),
               *((f"core:{n % 4}", f"pu:{n}") for n in range(8))), "no package and of no core"),
    ],
)  # fmt: skip
def test_merging_refuses_another_machine(other: Description, words: str) -> None:
    """What clearly is another machine is refused with the reason and the file."""
    base = described("package:4 core:2 pu:1", Fact("isa", ("machine:0", "x86_64")))
    with pytest.raises(DescriptionError, match=words) as caught:
        merge([base, other], ["a", "other.xml"])
    assert caught.value.place == "other.xml"


def test_merging_accepts_a_view_of_a_part_of_the_machine() -> None:
    """A container that saw one package of four contradicts nothing."""
    part = plain(("machine:0", "package:0"), ("package:0", "core:0"), ("package:0", "core:1"),
                 ("core:0", "pu:4"), ("core:1", "pu:5"))  # fmt: skip
    machine = merged(described("package:4 core:2 pu:1"), part)
    assert machine.counts["package"] == 4 and machine.conflicts() == ()


def test_merging_needs_a_pu() -> None:
    """Parts of a machine without any processor are no machine."""
    with pytest.raises(DescriptionError, match="none of the descriptions has a PU"):
        merge([plain(("machine:0", "pci:0000:01:00.0"))], ["a"])


# ------------------------------------------------------------------ real files
@pytest.mark.parametrize(
    "files",
    [
        ("opteron865-8s.v1.xml", "opteron865-8s.v2.xml", "opteron865-8s.v3.xml"),
        ("epyc7401-corona.v1.xml", "epyc7401-corona.v2.xml"),
        ("dgx-gb10.sysfs.tar.bz2", "dgx-gb10.v3.xml"),
        ("knl7250-snc4-flat.v2-converted.xml", "knl7250-snc4-flat.v1.xml"),
    ],
)
def test_merging_real_files_of_one_machine_double_nothing(files: tuple[str, ...]) -> None:
    """Formats and versions of one machine have the same parts, and structure is never disputed."""
    paths: list[Path] = [shared(f"hwloc/{name}") for name in files]
    parts = [read_path(path) for path in paths]
    machine = machine_of(merge(parts, files), "m")
    again = machine_of(merge_into(machine, parts, files), "m")
    assert (again.facts, again.counts) == (machine.facts, machine.counts)
    alone = [machine_of(part, "part") for part in parts]
    for kind in ("pu", "core", "package", "numa", "l1d", "l2", "l3", "pci", "bridge"):
        assert machine.counts[kind] == max(one.counts[kind] for one in alone), kind
    assert not [lost for _holds, lost in machine.conflicts() if lost.predicate == "contains"]


def test_refresh_keeps_what_discovery_cannot_know() -> None:
    """Asserted and measured facts follow their parts; what is about a part that went is told."""
    old = Machine("h", [
        *(Fact("contains", pair, "discovered") for pair in (
            *(("machine:0", "core:0"), ("machine:0", "core:1")),
            *(("core:0", "pu:0"), ("core:1", "pu:1")),
        )),
        Fact("clock_mhz", ("core:1", 1000), "discovered"),
        Fact("power", ("core:1", "sleep"), "asserted"),
        Fact("load", ("pu:0", 7), "measured", by="probe"),
    ])  # fmt: skip
    left = plain(("machine:0", "core:0"), ("core:0", "pu:1"))
    found = refresh(old, left)
    machine = machine_of(found, "h")
    assert machine.value("power", "core:0") == "sleep"
    assert machine.value("clock_mhz", "core:0") is None
    assert machine.value("load", "pu:0") is None
    assert found.notes[-1] == "no longer said, because the parts are gone: load(pu:0, 7)"

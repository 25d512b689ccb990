"""hwloc XML: what real files have beside the tree, in small descriptions for each rule."""

from __future__ import annotations

import pytest

from skb.errors import TooLargeError
from skb.relations import check_set
from skb.sources import hwloc
from skb.sources.description import Description
from tests.sources.samples import args, parents


def describe(inside: str, after: str = "", version: str = "2.0", sets: str = "") -> Description:
    """A machine of two cores with two PUs each, with more inside, and behind it."""
    cores = "".join(
        f'<object type="Core" gp_index="{10 + core}" cpuset="{3 << 2 * core:#x}">'
        + "".join(
            f'<object type="PU" os_index="{pu}" gp_index="{20 + pu}"/>'
            for pu in (2 * core, 2 * core + 1)
        )
        + "</object>"
        for core in (0, 1)
    )
    node = '<object type="NUMANode" os_index="0" gp_index="5" local_memory="1024">'
    text = (
        f'<topology version="{version}"><object type="Machine" cpuset="0xf" {sets}>'
        f"{node}<page_type size='4096' count='7'/><page_type size='2097152'/></object>"
        f"{cores}{inside}</object>{after}</topology>"
    )
    description = hwloc.read(text.encode(), "small.xml")
    check_set(description.facts)
    return description


def test_hwloc_pages_of_a_node_are_counted() -> None:
    """Pages are counted by size; a size without a count has none set aside."""
    assert args(describe(""), "page_count") == {("numa:0", 4096, 7), ("numa:0", 2097152, 0)}


def test_hwloc_custom_memory_attributes_are_kept() -> None:
    """An attribute of any name, of any target, with an initiator by object or set, or none."""
    values = (
        '<memattr_value target_obj_type="NUMANode" target_obj_gp_index="5" value="30" '
        'initiator_cpuset="0x3"/>'
        '<memattr_value target_obj_type="NUMANode" target_obj_gp_index="5" value="40" '
        'initiator_obj_type="PU" initiator_obj_gp_index="22"/>'
        '<memattr_value target_obj_type="Core" target_obj_gp_index="11" value="50"/>'
    )
    description = describe("", f'<memattr name="wear" flags="5">{values}</memattr>')
    assert args(description, "memory_attribute") == {
        ("wear", "numa:0", "core:0", 30),
        ("wear", "numa:0", "pu:2", 40),
        ("wear", "core:1", "core:1", 50),
    }


def test_hwloc_contradicting_attribute_values_are_noted() -> None:
    """Of two values for one initiator and target the first holds, and a note says so."""
    values = "".join(
        '<memattr_value target_obj_type="NUMANode" target_obj_gp_index="5" '
        f'value="{value}" initiator_cpuset="{cpuset}"/>'
        for value, cpuset in ((7, "0x9"), (8, "0x5"))
    )
    description = describe("", f'<memattr name="Latency">{values}</memattr>')
    assert ("pu:0", "numa:0", "access", 7) in args(description, "memory_latency")
    assert ("pu:2", "numa:0", "access", 8) in args(description, "memory_latency")
    assert any("1 values of Latency contradict" in note for note in description.notes)


def test_hwloc_values_of_64_bits_are_unknown() -> None:
    """The largest number of 64 bits stands for nothing; the rest of the matrix is kept."""
    matrix = (
        '<distances2 type="Core" nbobjs="2" kind="9" name="Wires" indexing="gp">'
        "<indexes>10 11</indexes><u64values>1 18446744073709551615 3 4</u64values></distances2>"
    )
    description = describe("", matrix)
    assert {a[1:] for a in args(description, "object_distance")} == {
        ("core:0", "core:0", 1),
        ("core:1", "core:0", 3),
        ("core:1", "core:1", 4),
    }
    assert args(description, "matrix_meaning") == {("Wires", "bandwidth")}
    assert any("1 values of matrix Wires" in note for note in description.notes)


def test_hwloc_hops_of_old_files_are_hops() -> None:
    """2.x called the hops between GPUs a latency."""
    matrix = (
        '<distances2 type="Core" nbobjs="1" kind="5" name="XGMIHops" indexing="gp">'
        "<indexes>10</indexes><u64values>0</u64values></distances2>"
    )
    assert args(describe("", matrix), "matrix_meaning") == {("XGMIHops", "hops")}


def test_hwloc_kinds_that_split_a_core_are_stated_for_its_pus() -> None:
    """Where the PUs of a core differ there is no kind of the core, but their figures are kept."""
    kinds = "".join(
        f'<cpukind cpuset="{cpuset}" forced_efficiency="{rank}">'
        f'<info name="LinuxCapacity" value="{capacity}"/></cpukind>'
        for cpuset, rank, capacity in (("0x3", 0, 512), ("0x4", 1, 1024), ("0x8", 2, 2048))
    )
    description = describe("", kinds)
    assert args(description, "core_kind") == {("core:0", "efficiency")}
    assert args(description, "relative_capacity") == {
        ("core:0", 256),
        ("pu:2", 512),
        ("pu:3", 1024),
    }
    notes = " | ".join(description.notes)
    assert "core:1" in notes and "2048" in notes


@pytest.mark.parametrize(
    ("ranks", "names"),
    [
        ((0, 1), ("efficiency", "performance")),
        ((1, 1), ("kind0", "kind1")),
        ((-1, 5), ("kind0", "kind1")),
    ],
)
def test_hwloc_kinds_are_named_by_rank_or_number(
    ranks: tuple[int, int], names: tuple[str, str]
) -> None:
    """A rank names a kind; kinds without an order are only told apart, and a note says so."""
    kinds = "".join(
        f'<cpukind cpuset="{cpuset}" forced_efficiency="{rank}"/>'
        for cpuset, rank in zip(("0x3", "0xc"), ranks, strict=True)
    )
    description = describe("", kinds)
    assert args(description, "core_kind") == {("core:0", names[0]), ("core:1", names[1])}
    assert any("not in which order" in note for note in description.notes) == ("kind0" in names)


def test_hwloc_words_of_every_object_are_kept() -> None:
    """Bridges, groups, notes and caches keep their words; a group's number becomes a word."""
    description = describe(
        '<object type="Bridge" bridge_type="0-1" bridge_pci="0000:[00-01]" name="root">'
        '<info name="PCISlot" value="3"/></object>'
        '<object type="Misc" subtype="MemoryModule" name="DIMM 1">'
        '<info name="Size" value="8388608"/><info name="SerialNumber" value="77"/></object>'
        '<object type="Group" cpuset="0x0" kind="110"/>'
    )
    words = args(description, "info")
    assert {
        ("bridge:0", "PCISlot", "3"),
        ("bridge:0", "Name", "root"),
        ("misc:0", "Subtype", "MemoryModule"),
        ("misc:0", "Size", "8388608KiB"),
        ("group:0", "Subtype", "Book"),
    } <= words
    assert not any(a[2] == "77" for a in words)
    assert any("SerialNumber" in note for note in description.notes)


@pytest.mark.parametrize(
    ("name", "subtype", "kind", "info", "wanted"),
    [
        ("mem0", "CXLMem", 0, "CXLRAMSize", {"memory"}),
        ("mem1", "CXLMem", 0, "CXLPMEMSize", {"memory", "storage"}),
        ("dax0.0", "NVM", 0, "Size", {"memory", "storage"}),
        ("dax1.0", "SPM", 0, "Size", {"memory"}),
        ("pmem0", "NVM", 0, "Size", {"storage"}),
        ("bxi0", "BXI", 3, "BXIUUID", {"network"}),
        ("nvml0", "", 1, "GPUModel", {"gpu", "coprocessor"}),
        ("card0", "", 1, "GPUModel", {"gpu"}),
        ("cuda0", "CUDA", 5, "GPUModel", {"gpu", "coprocessor"}),
        ("ve0", "VectorEngine", 5, "Model", {"coprocessor"}),
    ],
)
def test_hwloc_device_types_of_v2_are_those_that_hwloc_3_gives(
    name: str, subtype: str, kind: int, info: str, wanted: set[str]
) -> None:
    """The single type of 2.x becomes what hwloc 3 makes of name, subtype and words."""
    device = (
        f'<object type="OSDev" name="{name}" subtype="{subtype}" osdev_type="{kind}">'
        f'<info name="{info}" value="5"/></object>'
    )
    kinds = {word for _, word in args(describe(device), "device_kind")}
    assert kinds == wanted


def test_hwloc_bus_localities_and_absent_parts() -> None:
    """Buses have a part that they are near, and the complete sets name what is not there."""
    description = describe(
        "",
        '<pci_locality domain="0x1" bus_min="0x0" bus_max="0xc" cpuset="0xc"/>',
        version="3.0",
        sets='complete_cpuset="0x1f" complete_nodeset="0x5"',
    )
    assert args(description, "bus_locality") == {("core:1", 1, 0, 12)}
    assert args(description, "offline") == {("pu", 4), ("numa", 2)}


def test_hwloc_memory_tiers_are_ranked() -> None:
    """v3 ranks tiers by their order, v2 by a word of the node."""
    tiers = '<memtier kinds="1" nodeset="0x2"/><memtier kinds="2" nodeset="0x1"/>'
    assert args(describe("", tiers, version="3.0"), "memory_tier") == {("numa:0", 1)}


def test_hwloc_pair_of_groups_of_version_1_is_one() -> None:
    """2.x wrote two groups with the same PUs into v1 to hold two memories; they are one."""
    text = (
        '<topology><object type="Machine" cpuset="0x3"><object type="Group" cpuset="0x1">'
        '<object type="NUMANode" os_index="0" cpuset="0x1" local_memory="1">'
        '<object type="Group" cpuset="0x1"><object type="PU" os_index="0" cpuset="0x1"/></object>'
        '</object><object type="NUMANode" os_index="1" cpuset="0x0" local_memory="2"/></object>'
        '<object type="PU" os_index="1" cpuset="0x2"/></object></topology>'
    )
    above = parents(hwloc.read(text.encode(), "pair.xml"))
    assert above["pu:0"] == above["numa:0"] == above["numa:1"] == "group:0"
    assert "group:1" not in above


def test_hwloc_group_without_pus_holds_a_node() -> None:
    """A node without PUs may stand in a group of its own."""
    node = (
        '<object type="Group" cpuset="0x0"><object type="NUMANode" os_index="16" cpuset="0x0"'
        ' local_memory="9"/></object>'
    )
    assert parents(describe(node))["numa:16"] == "group:0"


def test_hwloc_giant_matrix_is_left_out_with_a_note() -> None:
    """A matrix beyond the limit does not take the memory; the machine is still described."""
    count = 800
    matrix = (
        f'<distances2 type="PU" nbobjs="{count}" kind="5" indexing="os"><indexes>'
        f"{' '.join(map(str, range(count)))}</indexes></distances2>"
    )
    assert any("beyond the limit" in note for note in describe("", matrix).notes)


def test_hwloc_sets_that_fill_the_memory_are_refused() -> None:
    """Thousands of parts with high numbers would need gigabytes."""
    around = [f'<object type="{name}">' for name in ("Package", "Die", *["Group"] * 8, "Core")]
    parts = "".join(
        f'{"".join(around)}<object type="PU" os_index="{number}"/>{"</object>" * len(around)}'
        for number in range(32767, 29500, -1)
    )
    text = f'<topology version="2.0"><object type="Machine">{parts}</object></topology>'
    with pytest.raises(TooLargeError, match="the sets of PUs"):
        hwloc.read(text.encode(), "sets.xml")

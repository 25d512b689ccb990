"""hwloc XML: small descriptions for every rule, contradictions, and damaged files."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skb.errors import DescriptionError, SkbError
from skb.relations import check_set
from skb.sources import hwloc
from skb.sources.description import Description
from tests.sources.samples import args, of, parents

TWO_NODES = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE topology SYSTEM "hwloc2.dtd">
<topology version="2.0">
  <object type="Machine" os_index="0" cpuset="0x0000000f" complete_cpuset="0x0000003f"
          allowed_cpuset="0x00000007" allowed_nodeset="0x00000001" gp_index="1">
    <info name="HostName" value="tiny"/>
    <info name="Architecture" value="AMD64"/>
    <info name="DMIProductSerial" value="12345"/>
    <object type="Package" os_index="3" cpuset="0x00000003" gp_index="2">
      <info name="CPUModel" value="Imaginary"/>
      <object type="NUMANode" os_index="0" gp_index="3" cpuset="0x00000003" local_memory="1024"/>
      <object type="L3Cache" gp_index="4" cpuset="0x00000003" cache_size="4096" depth="3"
              cache_linesize="64" cache_associativity="-1" cache_type="0">
        <object type="Core" os_index="0" gp_index="5" cpuset="0x00000003">
          <object type="PU" os_index="0" gp_index="6" cpuset="0x00000001"/>
          <object type="PU" os_index="1" gp_index="7" cpuset="0x00000002"/>
        </object>
      </object>
      <object type="Bridge" gp_index="20" bridge_type="0-1" depth="0" bridge_pci="0000:[80-8f]">
        <object type="PCIDev" gp_index="21" pci_busid="10000:81:00.0"
                pci_type="0200 [15B3:1017] [15b3:0000] 00" pci_link_speed="15.753846">
          <object type="OSDev" gp_index="22" name="eth 0" osdev_type="2">
            <info name="Address" value="00:11:22:33:44:55"/>
          </object>
          <object type="OSDev" gp_index="23" name="eth 0" osdev_type="3"/>
        </object>
      </object>
    </object>
    <object type="Group" subtype="Die" cpuset="0x0000000c" gp_index="8">
      <object type="MemCache" gp_index="9" cpuset="0x0000000c" cache_size="65536" depth="1">
        <object type="NUMANode" os_index="7" gp_index="10" cpuset="0x0000000c" subtype="HBM"
                local_memory="2048"/>
      </object>
      <object type="Core" os_index="0" gp_index="11" cpuset="0x0000000c">
        <object type="PU" os_index="3" gp_index="12" cpuset="0x00000008"/>
        <object type="PU" os_index="2" gp_index="13" cpuset="0x00000004"/>
      </object>
    </object>
    <object type="Misc" gp_index="14" name="a note"/>
  </object>
  <distances2 type="NUMANode" nbobjs="2" kind="5" name="NUMALatency" indexing="os">
    <indexes length="4">7 0 </indexes>
    <u64values length="5">10 21 </u64values>
    <u64values length="5">31 10 </u64values>
  </distances2>
  <distances2hetero nbobjs="2" kind="24" name="Wires" indexing="gp">
    <indexes length="20">Core:5 OSDev:22 </indexes>
    <u64values length="20">1000000 5 6 1000000 </u64values>
  </distances2hetero>
  <memattr name="Bandwidth" flags="5">
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="10" value="900"
                   initiator_cpuset="0x0000000c"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="3" value="100"
                   initiator_cpuset="0x00000006"/>
  </memattr>
  <memattr name="ReadLatency" flags="6">
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="10" value="80"
                   initiator_obj_type="Core" initiator_obj_gp_index="11"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="3" value="0"
                   initiator_cpuset="0x00000003"/>
  </memattr>
  <memattr name="Prettiness" flags="1"/>
  <cpukind cpuset="0x0000000c" forced_efficiency="0">
    <info name="CoreType" value="IntelAtom"/>
    <info name="FrequencyBaseMHz" value="1800"/>
  </cpukind>
  <cpukind cpuset="0x00000003" forced_efficiency="1">
    <info name="CoreType" value="IntelCore"/>
    <info name="LinuxCapacity" value="1024"/>
  </cpukind>
  <novelty/>
</topology>
"""

SMALL_V1 = """<topology>
  <object type="Machine" os_index="0" cpuset="0x0000000f" online_cpuset="0x00000007">
    <object type="Socket" os_index="0" cpuset="0x0000000f">
      <distances nbobjs="2" relative_depth="1" latency_base="10.000000">
        <latency value="1.0"/><latency value="2.0"/><latency value="2.1"/><latency value="1.0"/>
      </distances>
      <object type="NUMANode" os_index="1" cpuset="0x00000003" local_memory="1000">
        <object type="Cache" cpuset="0x00000003" cache_size="512" depth="2" cache_linesize="64"
                cache_associativity="0" cache_type="0">
          <object type="PU" os_index="0" cpuset="0x00000001"/>
          <object type="PU" os_index="1" cpuset="0x00000002"/>
        </object>
      </object>
      <object type="NUMANode" os_index="0" cpuset="0x0000000c" local_memory="2000">
        <object type="PU" os_index="2" cpuset="0x00000004"/>
        <object type="PU" os_index="3" cpuset="0x00000008"/>
        <object type="Bridge" bridge_type="0-1" depth="0" bridge_pci="0000:[00-01]"/>
      </object>
    </object>
  </object>
</topology>
"""


def describe(text: str) -> Description:
    description = hwloc.read(text.encode(), "/somewhere/tiny.xml")
    check_set(description.facts)
    return description


@pytest.fixture(scope="module")
def tiny() -> Description:
    return describe(TWO_NODES)


@pytest.mark.parametrize(
    ("head", "known"),
    [
        (b'<?xml version="1.0"?>\n<!DOCTYPE topology SYSTEM "hwloc2.dtd">\n<topology>', True),
        (b'<topology version="3.0">', True),
        (b"\xef\xbb\xbf<!-- c --> <topology/>", True),
        (b'<system version="1"><cpu numaid="0"/>', False),
        (b"<topologies/>", False),
        (b'[machine]\nname = "<topology"', False),
        (b"", False),
    ],
)
def test_hwloc_is_recognised_by_content(head: bytes, known: bool) -> None:
    """The first element or the DOCTYPE decides, nothing else."""
    assert hwloc.recognises(head) is known


def test_hwloc_containment_is_that_of_the_file(tiny: Description) -> None:
    """Memory, I/O and notes hang where the file hangs them; numbers follow hwloc."""
    assert parents(tiny) == {
        "package:0": "machine:0",
        "numa:0": "package:0",
        "l3:0": "package:0",
        "core:0": "l3:0",
        "pu:0": "core:0",
        "pu:1": "core:0",
        "bridge:0": "package:0",
        "pci:10000:81:00.0": "bridge:0",
        "device:eth_0": "pci:10000:81:00.0",
        "device:eth_0#2": "pci:10000:81:00.0",
        "die:0": "machine:0",
        "memcache:0": "die:0",
        "numa:7": "memcache:0",
        "core:1": "die:0",
        "pu:2": "core:1",
        "pu:3": "core:1",
        "misc:0": "machine:0",
    }
    assert args(tiny, "os_index") == {("package:0", 3), ("core:0", 0), ("core:1", 0)}


def test_hwloc_sizes_kinds_and_words(tiny: Description) -> None:
    """Sizes keep -1 and skip unknown ways; the instruction set is normalised."""
    assert args(tiny, "cache_size") == {("l3:0", 4096), ("memcache:0", 65536)}
    assert args(tiny, "cache_ways") == {("l3:0", -1)}
    assert args(tiny, "memory_size") == {("numa:0", 1024), ("numa:7", 2048)}
    assert args(tiny, "memory_kind") == {("numa:7", "hbm")}
    assert args(tiny, "isa") == {("machine:0", "x86_64")}
    assert args(tiny, "core_kind") == {("core:0", "performance"), ("core:1", "efficiency")}
    assert args(tiny, "relative_capacity") == {("core:0", 1024)}
    assert args(tiny, "clock_mhz") == {("core:1", 1800)}


def test_hwloc_says_who_and_drops_what_identifies_one_specimen(tiny: Description) -> None:
    """Provenance is the file's name alone; serial and host names are no facts."""
    assert {fact.by for fact in tiny.facts} == {"tiny.xml"}
    assert tiny.name == "tiny"
    names = {fact.args[1] for fact in of(tiny, "info")}
    assert "CPUModel" in names and "Address" in names
    assert not names & {"DMIProductSerial", "HostName"}
    assert not any("12345" in fact.text for fact in tiny.facts)


def test_hwloc_devices(tiny: Description) -> None:
    """PCI numbers, link speed, buses and kinds of version 2."""
    assert args(tiny, "pci_id") == {("pci:10000:81:00.0", "0200", "15b3", "1017")}
    assert args(tiny, "pci_link_speed") == {("pci:10000:81:00.0", 15.753846)}
    assert args(tiny, "bridge_buses") == {("bridge:0", 0, 0x80, 0x8F)}
    assert args(tiny, "device_kind") == {
        ("device:eth_0", "network"),
        ("device:eth_0#2", "network"),
        ("device:eth_0#2", "openfabrics"),
    }


def test_hwloc_matrices(tiny: Description) -> None:
    """A SLIT keeps direction, a mixed matrix names its objects, the diagonal stays as written."""
    assert args(tiny, "numa_distance") == {
        ("numa:7", "numa:7", 10),
        ("numa:7", "numa:0", 21),
        ("numa:0", "numa:7", 31),
        ("numa:0", "numa:0", 10),
    }
    assert args(tiny, "object_distance") == {
        ("Wires", "core:0", "core:0", 1_000_000),
        ("Wires", "device:eth_0", "device:eth_0", 1_000_000),
        ("Wires", "core:0", "device:eth_0", 5),
        ("Wires", "device:eth_0", "core:0", 6),
    }


def test_hwloc_memory_attributes_name_the_outermost_part_or_each_pu(tiny: Description) -> None:
    """A set of PUs becomes the part that has them, else every PU; 0 is unknown."""
    assert args(tiny, "memory_bandwidth") == {
        ("die:0", "numa:7", "access", 900),
        ("pu:1", "numa:0", "access", 100),
        ("pu:2", "numa:0", "access", 100),
    }
    assert args(tiny, "memory_latency") == {("core:1", "numa:7", "read", 80)}


def test_hwloc_disallowed_and_absent(tiny: Description) -> None:
    """PUs and nodes outside the allowed sets are barred; those without objects are offline."""
    assert {a[0] for a in args(tiny, "disallowed")} == {"pu:3", "numa:7"}
    notes = " | ".join(tiny.notes)
    assert "2 PUs are offline or hidden" in notes and "novelty" in notes
    assert args(tiny, "offline") == {("pu", 4), ("pu", 5)}


def test_hwloc_v3_device_types_are_bits() -> None:
    """In v3 the types of a device add up; in v2 the same number is one type."""
    v3 = TWO_NODES.replace('version="2.0"', 'version="3.0"').replace(
        'osdev_type="2"', 'osdev_type="48"'
    )
    kinds = {kind for name, kind in args(describe(v3), "device_kind") if name == "device:eth_0"}
    assert kinds == {"network", "openfabrics"}


def test_hwloc_v3_tiers_tell_the_kind_of_memory() -> None:
    """A tier states the kind where the node itself does not."""
    text = TWO_NODES.replace("<novelty/>", '<memtier kinds="2" nodeset="0x00000081"/>')
    assert args(describe(text), "memory_kind") == {("numa:0", "dram"), ("numa:7", "hbm")}


def test_hwloc_v1_memory_stands_beside_the_cores() -> None:
    """NUMA nodes of v1 become memory children of the part with their PUs, else of a group."""
    description = describe(SMALL_V1)
    above = parents(description)
    assert above["numa:1"] == "l2:0" and above["pu:0"] == "l2:0" and above["l2:0"] == "package:0"
    assert above["numa:0"] == above["pu:2"] == above["bridge:0"] == "group:0"
    assert ("numa:0", "numa:1", 21) in args(description, "numa_distance")
    assert ("numa:1", "numa:0", 20) in args(description, "numa_distance")
    assert args(description, "disallowed") == {("pu:3", "offline in the exporting system")}


def test_hwloc_v1_machine_without_nodes_has_one() -> None:
    """A v1 machine with one memory has no NUMANode; it gets node 0 with the machine's memory."""
    text = (
        '<topology><object type="Machine" cpuset="0x1" local_memory="4096">'
        '<object type="PU" os_index="0" cpuset="0x1"/></object></topology>'
    )
    assert args(describe(text), "memory_size") == {("numa:0", 4096)}


def test_hwloc_v1_root_may_be_a_node() -> None:
    """A v1 root that is a NUMANode gets a machine around it."""
    text = (
        '<topology><object type="NUMANode" os_index="2" cpuset="0x1" local_memory="4096">'
        '<object type="PU" os_index="0" cpuset="0x1"/></object></topology>'
    )
    assert parents(describe(text)) == {"numa:2": "machine:0", "pu:0": "machine:0"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('os_index="3" gp_index="12"', 'os_index="2" gp_index="12"', "pu:2"),
        ('"PU" os_index="1" gp_index="7"', '"PU" gp_index="7"', "without a usable os_index"),
        (
            'gp_index="7" cpuset="0x00000002"',
            'gp_index="7" cpuset="0x00000008"',
            "pu:1: cpuset 3",
        ),
        (
            'type="Core" os_index="0" gp_index="11" cpuset="0x0000000c"',
            'type="Core" os_index="0" gp_index="11" cpuset="0x0000001c"',
            "core:1: cpuset 2-4 goes beyond",
        ),
        ('cache_size="4096"', 'cache_size="-4096"', "l3:0: cache_size is -4096"),
        ('local_memory="1024"', 'local_memory="1e3"', "numa:0: local_memory is '1e3'"),
        ("31 10 </u64values>", "31 </u64values>", "NUMALatency has 2 objects and 3 values"),
        ("7 0 </indexes>", "7 7 </indexes>", "names an object twice"),
        ('nbobjs="2" kind="5"', 'nbobjs="99999999" kind="5"', "NUMALatency"),
        ('pci_busid="10000:81:00.0"', 'pci_busid="81:00"', "'81:00'"),
        ('pci_link_speed="15.753846"', 'pci_link_speed="nan"', "pci_link_speed is 'nan'"),
        ("0000:[80-8f]", "0000:[8f-80]", "bridge:0: the buses end"),
        ('type="Misc"', 'type="Mist"', "'Mist'"),
        ('version="2.0"', 'version="4.0"', "'4.0' is not read"),
        ('initiator_cpuset="0x0000000c"', 'initiator_cpuset="0xzz"', "initiator_cpuset"),
        ('cpuset="0x0000000f" complete', 'cpuset="0xf...f" complete', "infinite"),
        ("</topology>", "", "ends before"),
    ],
)
def test_hwloc_contradiction_is_named(old: str, new: str, words: str) -> None:
    """A contradiction is refused with the object, the place and what to do."""
    assert old in TWO_NODES
    with pytest.raises(DescriptionError) as caught:
        describe(TWO_NODES.replace(old, new, 1))
    assert words in caught.value.message
    assert re.fullmatch(r"/somewhere/tiny\.xml(:\d+)?", caught.value.place)
    assert caught.value.mend


def test_hwloc_unknown_index_in_a_matrix_is_noted() -> None:
    """A matrix may name objects that are not described; the rest is kept."""
    description = describe(TWO_NODES.replace("7 0 </indexes>", "8 0 </indexes>"))
    assert args(description, "numa_distance") == {("numa:0", "numa:0", 10)}
    assert any("not described: 8" in note for note in description.notes)


def _mutations() -> st.SearchStrategy[bytes]:
    seed = TWO_NODES.encode()
    change = st.tuples(st.integers(0, len(seed) - 1), st.integers(0, 12), st.binary(max_size=6))

    def apply(changes: list[tuple[int, int, bytes]]) -> bytes:
        data = seed
        for start, length, new in changes:
            data = data[:start] + new + data[start + length :]
        return data

    return st.lists(change, min_size=1, max_size=4).map(apply)


def _digits() -> st.SearchStrategy[bytes]:
    """Changes inside attribute values only, so that the XML stays well formed."""
    seeds = st.sampled_from([TWO_NODES, SMALL_V1])
    words = st.sampled_from(
        ["-1", "0", "1", "2", "7", "0x1", "0xf", "PU", "Core", "Group", "x", ""]
    )

    def change(seed: str, number: int, word: str) -> bytes:
        values = list(re.finditer(r'"[^"]*"', seed))
        found = values[number % len(values)]
        return (seed[: found.start()] + f'"{word}"' + seed[found.end() :]).encode()

    return st.builds(change, seeds, st.integers(0, 400), words)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(_mutations(), _digits()))
def test_hwloc_damaged_file_is_described_or_refused(data: bytes) -> None:
    """Whatever the bytes, the answer is a description or an error for the user, never a crash."""
    try:
        check_set(hwloc.read(data, "mutant").facts)
    except SkbError as fault:
        assert fault.message

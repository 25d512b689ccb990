"""NCCL topology XML: real files counted by hand, small files for every element, and bad ones."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skb.errors import DescriptionError, SkbError, TooLargeError
from skb.knowledge import machine_of
from skb.sources import nccl, read, read_path
from skb.sources.description import Description
from tests.machines import shared
from tests.sources.samples import args, of, parents

GIGABYTES = 1e9 / 2**20


def system(*cpus: str, attributes: str = 'version="1"') -> bytes:
    return f"<system {attributes}>{''.join(cpus)}</system>".encode()


def cpu(inside: str = "", number: int = 0, affinity: str = "0000000f", more: str = "") -> str:
    return f'<cpu numaid="{number}" affinity="{affinity}" arch="x86_64" {more}>{inside}</cpu>'


def gpu(dev: int, inside: str = "", sm: int = 80, more: str = "") -> str:
    return (
        f'<pci busid="0000:0{dev + 1}:00.0" class="0x030200" vendor="0x10de" device="0x20b5" '
        f'link_speed="16.0 GT/s PCIe" link_width="16">'
        f'<gpu dev="{dev}" sm="{sm}" rank="{dev}" gdr="1" {more}>{inside}</gpu></pci>'
    )


def nvlink(target: str, count: int = 4, code: str = "0x030200", tag: str = "nvlink") -> str:
    return f'<{tag} target="{target}" count="{count}" tclass="{code}"/>'


def described(*cpus: str) -> Description:
    return read(system(*cpus), "node.xml")


def kinds(description: Description) -> Counter[str]:
    return Counter(name.partition(":")[0] for name in parents(description))


REAL = {
    # counted in the files: cpu elements, bits of the masks, and what is below them
    "ncv4-topo.xml": {"group": 4, "numa": 4, "pu": 96, "pci": 4, "device": 5},
    "ndv2-topo.xml": {"group": 2, "numa": 2, "pu": 40, "pci": 9, "device": 9},
    "ndv4-topo.xml": {"group": 4, "numa": 4, "pu": 96, "pci": 16, "bridge": 4, "device": 16},
}


@pytest.mark.parametrize("name", REAL)
def test_nccl_real_file_has_its_parts(name: str) -> None:
    """Every NUMA node, PU, switch, GPU and adapter of a real file is there, and no more."""
    description = read_path(shared(f"nccl/{name}"))
    assert description.format == "NCCL topology XML"
    assert kinds(description) == REAL[name]
    assert args(description, "isa") == {("machine:0", "x86_64")}
    assert machine_of(description, "m").counts["core"] == 0


def test_nccl_localities_of_a_real_node() -> None:
    """A GPU behind an invented switch is near the PUs of its NUMA node, at 16 lanes of PCIe 4."""
    description = read_path(shared("nccl/ndv4-topo.xml"))
    machine = machine_of(description, "ndv4")
    rows = {str(row["pci"]): row for row in machine.devices()}
    assert rows["000d:00:00.0"]["pus"] == list(range(48, 72))
    assert rows["000d:00:00.0"]["numa"] == [2]
    # 16 GT/s, 128b/130b, 16 lanes: 16 * 128 / 130 / 8 * 16
    assert rows["000d:00:00.0"]["link_gbytes_per_s"] == pytest.approx(31.507692)
    assert Counter(str(row["kinds"]) for row in rows.values()) == {
        "['gpu']": 8,
        "['network', 'openfabrics']": 8,
    }
    assert any("ffff:ff:01.0 (bridge:0)" in note for note in description.notes)


def test_nccl_faults_of_a_real_file_are_reported() -> None:
    """A GPU that names itself as the end of its links, empty speeds and a NIC on no bus."""
    description = read_path(shared("nccl/ncv4-topo.xml"))
    told = "\n".join(description.notes)
    assert not of(description, "link")
    assert told.count("a link to itself") == 4
    assert "4 of 4 PCI functions have no link speed" in told
    assert "nobody knows what they are near: device:eth0" in told
    assert ("device:eth0", 100000) in args(description, "device_speed")
    assert ("pci:0001:00:00.0", "0302", "10de", "20b5") in args(description, "pci_id")


def test_nccl_nvlinks_have_count_and_bandwidth() -> None:
    """Four links of an A100 carry 4 x 20 GB/s, each GPU stating its own direction."""
    found = described(
        cpu(gpu(0, nvlink("0000:02:00.0")) + gpu(1, nvlink("0000:01:00.0", 2), sm=70))
    )
    pair = ("device:nvml0", "device:nvml1")
    assert args(found, "link") == {(*pair, "NVLink"), (*pair[::-1], "NVLink")}
    assert args(found, "link_count") == {(*pair, 4), (*pair[::-1], 2)}
    widths = {fact.args[:2]: fact for fact in of(found, "link_bandwidth")}
    assert widths[pair].args[2] == pytest.approx(4 * 20 * GIGABYTES, rel=1e-6)
    assert widths[pair[::-1]].args[2] == pytest.approx(2 * 20 * GIGABYTES, rel=1e-6)
    assert {fact.source for fact in widths.values()} == {"datasheet"}


@pytest.mark.parametrize(
    ("sm", "gigabytes"), [(60, 18), (70, 20), (80, 20), (86, 12), (90, 20.6), (100, 40.1)]
)
def test_nccl_nvlink_bandwidth_by_generation(sm: int, gigabytes: float) -> None:
    """The figures of NCCL's topo.h for one link of each generation."""
    found = described(cpu(gpu(0, nvlink("0000:02:00.0", 1), sm=sm) + gpu(1)))
    (fact,) = of(found, "link_bandwidth")
    assert fact.args[2] == pytest.approx(gigabytes * GIGABYTES, rel=1e-6)
    assert any("without their reverse: device:nvml0 -> device:nvml1" in n for n in found.notes)


def test_nccl_links_of_unknown_bandwidth_have_none() -> None:
    """XGMI and GPUs of a generation that NCCL has no figure for: a link, no number, a note."""
    amd = gpu(0, nvlink("0000:02:00.0", 1, tag="xgmi"), more='gcn="gfx942"') + gpu(
        1, more='gcn="gfx942"'
    )
    found = described(cpu(amd))
    assert args(found, "link") == {("device:rsmi0", "device:rsmi1", "XGMI")}
    assert args(found, "programmable") == {
        ("device:rsmi0", "gfx942"),
        ("device:rsmi1", "gfx942"),
    }
    assert not of(found, "link_bandwidth")
    assert any("1 links have no bandwidth" in note for note in found.notes)


def test_nccl_hidden_switch_stands_for_all_links() -> None:
    """A switch that a virtual machine does not see is one device, linked both ways."""
    hidden = nvlink("fffffff:ffff:ff", 12, "0x068000")
    found = described(cpu(gpu(0, hidden) + gpu(1, hidden)))
    assert {pair[:2] for pair in args(found, "link")} == {
        (a, b)
        for one in ("device:nvml0", "device:nvml1")
        for a, b in ((one, "device:nvswitch"), ("device:nvswitch", one))
    }
    (fact,) = (f for f in of(found, "contains") if f.args[1] == "device:nvswitch")
    assert fact.source == "default"


def test_nccl_seen_switch_and_processor_are_ends_of_links() -> None:
    """A switch of the file is itself the end; a processor is the group next to the GPU."""
    seen = '<pci busid="0000:0a:00.0" class="0x068000" link_speed="" link_width="0"/>'
    found = described(
        cpu(
            gpu(0, nvlink("0000:0a:00.0", 6, "0x068000") + nvlink("0004:04:00.0", 3, "0x068001"))
            + seen
        )
    )
    assert args(found, "link_count") == {
        ("device:nvml0", "pci:0000:0a:00.0", 6),
        ("pci:0000:0a:00.0", "device:nvml0", 6),
        ("device:nvml0", "group:0", 3),
        ("group:0", "device:nvml0", 3),
    }


def test_nccl_c2c_has_the_stated_bandwidth() -> None:
    """Two chip-to-chip links of 44712 MB/s, as the driver says, each way."""
    found = described(cpu(gpu(0, '<c2c bw="44712" count="2"/>', sm=90)))
    facts = of(found, "link_bandwidth")
    assert {fact.args[:2] for fact in facts} == {
        ("device:nvml0", "group:0"),
        ("group:0", "device:nvml0"),
    }
    assert {fact.source for fact in facts} == {"discovered"}
    assert facts[0].args[2] == pytest.approx(2 * 44712e6 / 2**20, rel=1e-6)


def test_nccl_switch_ports_that_talk_are_linked() -> None:
    """`pcilink` joins two switches; a target that is not there is left out by name."""
    inner = '<pci busid="0000:0{}:01.0" class="0x060400" link_speed="" link_width="">{}</pci>'
    found = described(
        cpu(
            inner.format(1, '<pcilink target="0000:02:01.0"/><pcilink target="0000:09:01.0"/>')
            + inner.format(2, "")
        )
    )
    assert args(found, "link") == {("bridge:0", "bridge:1", "PCIe")}
    assert any("left out: bridge:0 -> 0000:09:01.0" in note for note in found.notes)


def test_nccl_network_devices_keep_name_speed_and_kind() -> None:
    """An InfiniBand adapter is a fabric, an interface is not; speed -1 is unknown."""
    nic = (
        '<pci busid="0000:05:00.0" class="0x020700" link_speed="8 GT/s" link_width="8"><nic>'
        '<net name="mlx5_0" dev="0" speed="200000" port="1" guid="0x1234" gdr="1"/>'
        '<gin name="mlx5_0" dev="0"/></nic></pci>'
        '<nic><net name="eth0" dev="1" speed="-1"/></nic>'
    )
    found = described(cpu(nic))
    assert args(found, "device_speed") == {("device:mlx5_0", 200000)}
    assert args(found, "device_kind") == {
        ("device:mlx5_0", "network"),
        ("device:mlx5_0", "openfabrics"),
        ("device:eth0", "network"),
    }
    assert parents(found)["device:mlx5_0"] == "pci:0000:05:00.0"
    assert not any("1234" in str(fact.args) for fact in found.facts), "a GUID is private"


def test_nccl_processor_of_no_node_keeps_its_pus() -> None:
    """numaid -1 is no node; without PUs either, its devices hang at the machine by default."""
    found = described(cpu(gpu(0), number=-1), cpu(gpu(1), number=-1, affinity=""))
    above = parents(found)
    assert above["pci:0000:01:00.0"] == "group:0"
    assert above["pci:0000:02:00.0"] == "machine:0"
    assert not [name for name in above if name.startswith("numa:")]
    assert sum("numaid -1" in note or "neither NUMA node" in note for note in found.notes) == 2


def test_nccl_node_without_pus_is_a_node() -> None:
    """Memory of its own, such as a GPU's: a node at the machine, and a note."""
    found = described(cpu(), cpu(number=1, affinity="00000000"))
    assert parents(found)["numa:1"] == "machine:0"
    assert any("numa:1 has no affinity" in note for note in found.notes)


def test_nccl_elements_without_a_relation_are_counted() -> None:
    """What NCCL itself ignores is left out with a note."""
    found = described(cpu("<tpu/><tpu/>"))
    assert any("2 tpu in cpu" in note for note in found.notes)


def test_nccl_version_2_is_that_of_rccl() -> None:
    """AMD's dump of version 2 names the GPU's processor; XGMI links join its GPUs."""

    def gpu(number: int, other: int, gcn: str) -> str:
        link = f'<xgmi target="0000:0{other}:00.0" count="1" tclass="0x120000"/>'
        inner = f'<gpu dev="{number}" sm="228" gcn="{gcn}" rank="0" gdr="1">{link}</gpu>'
        words = 'class="0x120000" vendor="0x1002" device="0x74a0" link_speed="32.0 GT/s PCIe"'
        return f'<pci busid="0000:0{number}:00.0" {words} link_width="16">{inner}</pci>'

    inside = gpu(1, 2, "gfx942") + gpu(2, 1, "942")
    found = nccl.read(system(cpu(inside), attributes='version="2"'), "rccl.xml")
    told = {fact.args for fact in found.facts}
    assert ("device:rsmi1", "gfx942") in told and ("device:rsmi2", "gfx942") in told
    assert ("device:rsmi1", "device:rsmi2", "XGMI") in told
    speeds = [fact.args[1] for fact in found.facts if fact.predicate == "pci_link_speed"]
    # 32 GT/s of 16 lanes, 128 of 130 bits, 8 bits a byte
    assert speeds == pytest.approx([32 * 16 * 128 / 130 / 8] * 2, abs=1e-5)


TWICE = '<pci busid="0000:01:00.0" class="0x0302" link_speed="" link_width=""/>'
BAD = [
    (system(cpu(), attributes='version="3"'), "version '3' is not read"),
    (system(attributes='version="1"'), "no cpu element"),
    (system(cpu(), cpu(affinity="f0")), "NUMA node 0 is described twice"),
    (system(cpu(), cpu(number=1)), "PUs 0-3 are in the affinity of NUMA node 1 and of 0"),
    (system(cpu(affinity="xyz")), "not a 32-bit hexadecimal word"),
    (system(cpu(affinity="0xf...f")), "beyond number 8191"),
    (system(cpu(affinity=",".join(["1"] * 300))), "beyond number 8191"),
    (system(cpu(number=-7)), "numaid -7"),
    (system(cpu(TWICE + TWICE)), "0000:01:00.0 is described twice"),
    (system(cpu('<pci busid="zz" class="0x0302"/>')), "busid is 'zz'"),
    (system(cpu('<pci busid="0000:01:20.0" class="0x0302"/>')), "busid is"),
    (system(cpu('<pci busid="0000:01:00.0" class="gpu"/>')), "class is 'gpu'"),
    (system(cpu('<pci busid="0000:01:00.0" link_width="x"/>')), "link_width is 'x'"),
    (
        system(cpu(more='host_hash="0x1"'), cpu(number=1, affinity="f0", more='host_hash="0x2"')),
        "describes 2 hosts",
    ),
    (system(cpu())[:-9], "before its first element is closed"),
]


@pytest.mark.parametrize(("data", "expected"), BAD, ids=[words for _data, words in BAD])
def test_nccl_bad_file_is_one_clear_error(data: bytes, expected: str) -> None:
    """Each fault is named with file and line."""
    with pytest.raises(DescriptionError) as caught:
        read(data, "node.xml")
    assert expected in str(caught.value)
    assert caught.value.place.startswith("node.xml:")
    assert caught.value.mend


def test_nccl_limits_hold() -> None:
    """More elements than any machine has are refused, as are entities."""
    many = "".join(f'<pci busid="{n:04x}:00:00.0" class="0x0302"/>' for n in range(20_001))
    with pytest.raises(TooLargeError, match="the limit is 20000"):
        read(system(cpu(many)), "node.xml")
    bomb = b'<!DOCTYPE system [<!ENTITY a "b">]>' + system(cpu())
    assert not nccl.recognises(bomb)


@pytest.mark.parametrize(
    "text", ["", "<topology/>", "<systems><cpu/></systems>", "<system/>", "a <system><cpu/>"]
)
def test_nccl_recognises_only_its_own(text: str) -> None:
    """Another first element, or a system that says nothing, is left to others."""
    assert not nccl.recognises(text.encode())


def test_nccl_recogniser_passes_a_head_once() -> None:
    """A head full of comments takes no exponential time."""
    assert not nccl.recognises(b"<!---->" * 9000 + b"x")
    assert nccl.recognises(b"\xef\xbb\xbf<?xml version='1.0'?><!-- a --><system version='1'>")


@given(st.binary(max_size=60), st.integers(0, 400))
def test_nccl_mutated_file_never_ends_in_a_traceback(noise: bytes, at: int) -> None:
    """Any change gives facts or one of our errors."""
    text = system(cpu(gpu(0, nvlink("0000:02:00.0")) + gpu(1)))
    try:
        description = nccl.read(text[:at] + noise + text[at + len(noise) :], "node.xml")
        machine_of(description, "m")
    except SkbError:
        pass

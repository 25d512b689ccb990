"""Export to NCCL topology XML: what NCCL files say returns, and every device keeps its place."""

from __future__ import annotations

import pytest
from lxml import etree

from skb.exports import export
from skb.exports.nccl_functions import link_attributes
from skb.knowledge import machine_of
from skb.machine import Machine
from skb.relations import Fact
from skb.sources import read_path
from tests.exports.machines import BUNDLED, REAL, again, exported, odd
from tests.machines import grown, shared

NCCL = ("ncv4-topo.xml", "ndv2-topo.xml", "ndv4-topo.xml")


@pytest.mark.parametrize("name", NCCL)
def test_nccl_real_file_returns_with_every_fact(name: str) -> None:
    """Nodes, masks, functions, switches, speeds, GPUs and links are the same again."""
    machine = machine_of(read_path(shared(f"nccl/{name}")), name)
    found = again(export(machine, "nccl").text)
    assert {(f.predicate, f.args) for f in found.facts} == {
        (f.predicate, f.args) for f in machine.facts
    }


@pytest.mark.parametrize("name", [*BUNDLED, *REAL])
def test_nccl_functions_stay_near_their_node(name: str) -> None:
    """Every function of the file is below the node of the machine, every mask holds its PUs."""
    machine = exported(name)
    found = again(export(machine, "nccl").text)
    assert found.pus == machine.pus
    for pu in machine.pus:
        assert found.numa_of_pu[pu] == machine.numa_of_pu[pu][:1]
    for function in found.of_kind("pci"):
        nodes = {machine.numa_of_pu[pu][:1] for pu in machine.pus_of(function)}
        if len(nodes) == 1:
            assert {found.numa_of(function)[:1]} == nodes, function
    wanted = {"gpu", "network"}
    devices = [str(f.args[0]) for f in machine.facts_of("device_kind") if f.args[1] in wanted]
    functions = {machine.parent(device) for device in devices}
    assert {f for f in functions if f and f.startswith("pci:")} <= set(found.of_kind("pci"))


def test_nccl_attributes_are_those_that_nccl_asks_for() -> None:
    """Bus ids, classes, rates and widths are words of NCCL's own tables."""
    top = etree.fromstring(export(exported("ex235a"), "nccl").text.encode())
    assert top.tag == "system" and top.get("version") == "1"
    for cpu in top:
        assert {"numaid", "affinity", "arch"} <= set(cpu.attrib)
        assert cpu.get("arch") == "x86_64"
    masks = [int(cpu.get("affinity").replace(",", ""), 16) for cpu in top]
    assert sum(masks) == 2**128 - 1
    gpus = [pci for pci in top.iter("pci") if pci.get("class") == "0x030200"]
    assert sorted(pci[0].get("dev") for pci in gpus) == [str(n) for n in range(8)]
    assert {(pci.get("link_speed"), pci.get("link_width")) for pci in gpus} == {("16 GT/s", "16")}


@pytest.mark.parametrize(
    ("gbytes_per_s", "rate", "width"),
    [
        (31.508, "16 GT/s", "16"),
        (15.754, "8 GT/s", "16"),
        (3.938, "8 GT/s", "4"),
        (8.0, "5 GT/s", "16"),
        (0.25, "2.5 GT/s", "1"),
        (63.015, "32 GT/s", "16"),
        (7.0, "", ""),
        (None, "", ""),
        (0.0, "", ""),
    ],
)
def test_nccl_rate_and_width_multiply_to_the_bandwidth(
    gbytes_per_s: float | None, rate: str, width: str
) -> None:
    """PCIe's own rates and encodings; what none of them gives stays empty."""
    assert link_attributes(gbytes_per_s) == {"link_speed": rate, "link_width": width}


def test_nccl_gpu_links_and_processors_are_written() -> None:
    """Links between GPUs, to a switch and to the processor have targets, counts and classes."""
    tree = [("package:0", "pci:0000:01:00.0"), ("pci:0000:01:00.0", "device:nvml0"),
            ("package:1", "pci:0000:02:00.0"), ("pci:0000:02:00.0", "device:nvml1"),
            ("machine:0", "device:nvswitch")]  # fmt: skip
    gpus = ("device:nvml0", "device:nvml1")
    facts = [
        *(Fact("contains", pair) for pair in tree),
        *(Fact("device_kind", (gpu, "gpu")) for gpu in gpus),
        *(Fact("programmable", (gpu, "sm_90")) for gpu in gpus),
        Fact("link", (*gpus, "NVLink")),
        Fact("link_count", (*gpus, 4)),
        Fact("link", ("device:nvml0", "device:nvswitch", "NVLink")),
        Fact("link", ("device:nvml1", "package:1", "C2C")),
        Fact("link_bandwidth", ("device:nvml1", "package:1", 2000.0)),
        Fact("link_count", ("device:nvml1", "package:1", 2)),
    ]
    machine = grown("package:2 numa:1 core:2 pu:1", *facts)
    top = etree.fromstring(export(machine, "nccl").text.encode())
    first, second = top.iter("gpu")
    assert dict(first.attrib) == {"dev": "0", "sm": "90"}
    assert [dict(link.attrib) for link in first] == [
        {"target": "0000:02:00.0", "count": "4", "tclass": "0x030200"},
        {"target": "fffffff:ffff:ff", "count": "1", "tclass": "0x068000"},
    ]
    # 2000 MiB/s in two links, in MB/s of one
    assert [(link.tag, dict(link.attrib)) for link in second] == [
        ("c2c", {"bw": "1049", "count": "2"})
    ]


def test_nccl_says_what_has_no_place() -> None:
    """Devices on no bus, odd speeds and everything inside a node are named."""
    said = " ".join(export(odd(), "nccl").notes)
    assert "inside a NUMA node" in said
    more = [
        Fact("contains", ("machine:0", "pci:0000:90:00.0")),
        Fact("pci_id", ("pci:0000:90:00.0", "0302", "10de", "1db6")),
    ]
    spread = Machine("m", [*odd().facts, *more])
    made = export(spread, "nccl")
    assert "local to several NUMA nodes" in " ".join(made.notes)
    assert "1 PCI links have no speed" in " ".join(made.notes)
    assert 'numaid="-1"' in made.text

"""Linux sysfs: groups, limits, memory, interrupts and devices; and this host against lstopo."""

from __future__ import annotations

from pathlib import Path

import pytest

from skb.errors import TooLargeError
from skb.sources import sysfs
from tests.sources import lstopo
from tests.sources.linux import CPU, LINK, NODE, describe, machine, node, pci
from tests.sources.samples import args, of, parents


def test_sysfs_clusters_books_and_drawers_are_groups() -> None:
    """Groups of cores and of packages have a subtype, where no other part is the same."""
    files = machine(8, 1, 4)
    for number in range(8):
        base = f"{CPU}/cpu{number}/topology"
        files |= {
            f"{base}/cluster_cpus": f"{3 << number // 2 * 2:x}",
            f"{base}/book_siblings": f"{15 << number // 4 * 4:x}",
            f"{base}/drawer_siblings": "ff",
        }
    description = describe(files)
    words = {a[2] for a in args(description, "info") if a[1] == "Subtype"}
    groups = {name for name in parents(description) if name.startswith("group:")}
    assert words == {"Cluster", "Drawer"} and len(groups) == 5


def test_sysfs_captured_control_group_bars_pus_and_nodes() -> None:
    """The cpuset that was captured with the tree holds, in version 1, 2 and as cpuset of old."""
    files = machine(4) | node(0, "0-1", 1, "10 20") | node(1, "2-3", 1, "20 10")
    two = {
        "proc/self/cgroup": "0::/user/me",
        "sys/fs/cgroup/user/cpuset.cpus.effective": "0-1",
        "sys/fs/cgroup/user/cpuset.mems.effective": "0",
    }
    one = {
        "proc/self/cgroup": "5:cpuset:/me",
        "sys/fs/cgroup/cpuset/me/cpuset.cpus": "0-1",
        "sys/fs/cgroup/cpuset/me/cpuset.mems": "0",
    }
    old = {"proc/self/cgroup": "5:cpuset:/", "dev/cpuset/cpus": "0-1", "dev/cpuset/mems": "0"}
    for group in (two, one, old):
        barred = {name for name, _ in args(describe(files | group), "disallowed")}
        assert barred == {"pu:2", "pu:3", "numa:1"}


def test_sysfs_huge_pages_and_memory_tiers() -> None:
    """Huge pages are counted by node and size; a lower tier number of Linux is faster memory."""
    tiers = "sys/devices/virtual/memory_tiering"
    files = machine(4) | node(0, "0-3", 1, "10 20") | node(1, "", 1, "20 10")
    files |= {f"{NODE}/node0/hugepages/hugepages-2048kB/nr_hugepages": "12"}
    files |= {f"{tiers}/memory_tier4/nodelist": "0", f"{tiers}/memory_tier22/nodelist": "1"}
    description = describe(files)
    assert args(description, "page_count") == {("numa:0", 2 * 1024**2, 12)}
    assert args(description, "memory_tier") == {("numa:0", 0), ("numa:1", 1)}


def test_sysfs_tiers_and_hbm_by_the_firmwares_figures() -> None:
    """Where Linux ranks nothing, kind and bandwidth tell tiers; twice as fast is HBM, a bit not."""
    files = machine(4) | node(0, "0-3", 1, "10 20") | node(1, "", 1, "20 10")
    for number in (0, 1):
        files |= {f"{NODE}/node{number}/access1/initiators/node0": f"{LINK}../../../node0"}
    figures = f"{NODE}/node{{}}/access1/initiators/read_bandwidth"
    for fast, kinds in ((301, {("numa:0", "dram"), ("numa:1", "hbm")}), (200, set())):
        described = describe(files | {figures.format(0): "150", figures.format(1): str(fast)})
        assert args(described, "memory_kind") == kinds
        assert args(described, "memory_tier") == {("numa:0", 1), ("numa:1", 0)}
        tiers = [fact for fact in described.facts if fact.predicate.startswith("memory_tier")]
        assert {fact.source for fact in tiers} == {"firmware"}
    alike = describe(files | {figures.format(0): "150", figures.format(1): "140"})
    assert not args(alike, "memory_tier") and not any("tier" in note for note in alike.notes)


def test_sysfs_both_access_classes_and_initiators_without_pus() -> None:
    """access1 counts PUs only; access0 adds a best initiator that has none, such as a GPU."""
    files = machine(4) | node(0, "0-3", 1, "10 20") | node(1, "", 1, "20 10")
    for access, initiator, figure in (("access0", 1, 900), ("access1", 0, 100)):
        base = f"{NODE}/node1/{access}/initiators"
        files |= {f"{base}/node{initiator}": f"{LINK}../../../node{initiator}"}
        files |= {f"{base}/{word}_bandwidth": str(figure) for word in ("read", "write")}
    assert {a for a in args(describe(files), "memory_bandwidth") if a[2] == "access"} == {
        ("package:0", "numa:1", "access", 100),
        ("numa:1", "numa:1", "access", 900),
    }


def test_sysfs_interrupts_go_where_the_kernel_says() -> None:
    """An interrupt has PUs and the driver's name; one that may go anywhere has no PU."""
    files = machine(4) | pci("pci0000:00/0000:00:02.0", "0x020000")
    files |= {f"sys/devices/pci0000:00/0000:00:02.0/msi_irqs/{irq}": "msix" for irq in (30, 31)}
    files |= {
        "proc/irq/30/effective_affinity_list": "2",
        "proc/irq/31/smp_affinity": "f",
        "sys/kernel/irq/30/actions": "eth0-rx-0",
    }
    description = describe(files)
    assert args(description, "interrupt_pu") == {(30, "pu:2")}
    assert args(description, "interrupt_name") == {(30, "eth0-rx-0")}


def test_sysfs_memory_on_cxl_dma_engines_and_render_nodes() -> None:
    """CXL memory is storage where it persists; a GPU knows its render node."""
    card = "pci0000:00/0000:00:02.0"
    files = machine() | pci(card, "0x050200")
    memory = f"sys/devices/{card}/mem0"
    files |= {
        "sys/bus/cxl/devices/mem0": f"{LINK}../../../devices/{card}/mem0",
        f"{memory}/ram/size": "0x10000000",
        f"{memory}/pmem/size": "0x10000000",
        "sys/class/dma/dma0chan0": f"{LINK}../../devices/{card}/dma/dma0chan0",
        f"sys/devices/{card}/dma/dma0chan0/in_use": "0",
        "sys/class/drm/card0": f"{LINK}../../devices/{card}/drm/card0",
        f"sys/devices/{card}/drm/card0/device": f"{LINK}../..",
        f"sys/devices/{card}/drm/renderD128/dev": "226:128",
    }
    description = describe(files)
    kinds = args(description, "device_kind")
    assert {("device:mem0", "storage"), ("device:mem0", "memory")} <= kinds
    assert ("device:dma0chan0", "dma") in kinds and ("device:card0", "gpu") in kinds
    words = args(description, "info")
    assert ("device:mem0", "CXLRAMSize", "262144KiB") in words
    assert ("device:card0", "RenderNode", "renderD128") in words


def test_sysfs_this_host_is_what_lstopo_sees() -> None:
    """Parts, what holds them, sizes, PCI numbers, names of devices: at least those of lstopo."""
    there = lstopo.this_host()
    here = sysfs.discover()
    kinds, wanted = lstopo.by_kind(here), lstopo.by_kind(there)
    inside = ("package", "die", "numa", "l3", "l2", "l1d", "l1i", "core", "pu")
    assert {kind: kinds[kind] for kind in inside} == {kind: wanted[kind] for kind in inside}
    assert all(kinds[kind] >= count for kind, count in wanted.items() if kind != "group")
    for predicate in ("contains", "pci_id", "device_kind", "memory_size", "cache_size"):
        found, needed = args(here, predicate), args(there, predicate)
        # lstopo leaves out bridges that lead to nothing, which shifts the numbers of the others
        assert {one for one in needed if not _names_bridge(one)} <= found, predicate


def _names_bridge(values: tuple[object, ...]) -> bool:
    return any(str(value).startswith(("bridge:", "group:")) for value in values)


def test_sysfs_load_is_measured_for_every_pu() -> None:
    """Load is a measured percentage of each PU, only where it is asked for."""
    if not Path("/proc/stat").exists():
        pytest.skip("this system says nothing about load")
    facts = of(sysfs.discover(load=True), "load")
    assert {fact.source for fact in facts} <= {"measured"} and all(fact.when for fact in facts)
    assert all(0 <= int(fact.args[1]) <= 100 for fact in facts)
    assert not of(sysfs.discover(), "load")


def test_sysfs_more_than_linux_can_have_is_refused() -> None:
    """A forged tree of too many CPUs ends with an error, not with time and memory."""
    files = {f"{CPU}/online": "0-8999"}
    files |= {f"{CPU}/cpu{number}/uevent": "" for number in range(9000)}
    with pytest.raises(TooLargeError, match="9000 CPUs"):
        describe(files)

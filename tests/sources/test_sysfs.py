"""Linux sysfs: real captured trees against lstopo, made-up ones for every rule, and this host."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skb.errors import SkbError
from skb.relations import check_set
from skb.sources import hwloc, sysfs
from skb.sources.bitmap import to_list
from tests.sources import samples
from tests.sources.linux import CPU, LINK, NODE, describe, machine, node, pci
from tests.sources.samples import args, of, parents


@pytest.mark.parametrize("name", samples.ARCHIVES)
def test_sysfs_real_archive_gives_what_lstopo_counts(name: str) -> None:
    """Counts, numbers, memory, devices and localities are those of lstopo on the same tree."""
    data = samples.sample(name)
    assert sysfs.recognises(data[:65536])
    description = sysfs.read(data, name)
    check_set(description.facts)
    entry = samples.manifest()[name]
    samples.check_counts(description, entry["expected"])
    samples.check_device_kinds(description, entry["expected"])
    samples.check_localities(description, entry.get("os_device_locality", {}))
    groups = Counter(child.partition(":")[0] for child in parents(description))["group"]
    assert groups == entry["expected"]["groups_in_file"]


@pytest.mark.parametrize("name", samples.ARCHIVES)
def test_sysfs_real_distances_have_the_values_of_lstopo(name: str) -> None:
    """The SLIT is complete and is the firmware's claim."""
    facts = of(sysfs.read(samples.sample(name), name), "numa_distance")
    assert {fact.source for fact in facts} == {"firmware"}
    values = [float(fact.args[2]) for fact in facts]
    for wanted in samples.manifest()[name]["expected"].get("distances", []):
        assert (len(values), sum(values)) == (wanted["n"] ** 2, wanted["sum"])


def test_sysfs_and_xml_of_one_machine_agree() -> None:
    """lstopo's XML of the QEMU machine has the same tree, caches, distances, HMAT and tiers."""
    here = sysfs.read(samples.sample("hmat-memtiers-qemu.sysfs.tar.bz2"), "q")
    there = hwloc.read(samples.sample("hmat-memtiers-qemu.v3.xml"), "q")
    for predicate in (
        *("contains", "cache_size", "cache_line", "cache_ways", "memory_size", "numa_distance"),
        *("memory_bandwidth", "memory_latency", "device_kind", "isa", "memory_kind", "memory_tier"),
    ):
        assert args(here, predicate) == args(there, predicate), predicate
    assert here.name == there.name == "efi"


def test_sysfs_kinds_of_the_spark() -> None:
    """Turbo bins differ, but the part number tells two kinds of cores, as lstopo does."""
    name = "dgx-gb10.sysfs.tar.bz2"
    description = sysfs.read(samples.sample(name), name)
    kinds = {"efficiency": 0, "performance": 0}
    above = parents(description)
    by_core = {above[pu]: int(pu[3:]) for pu in above if pu.startswith("pu:")}
    for core, kind in args(description, "core_kind"):
        kinds[str(kind)] |= 1 << by_core[str(core)]
    wanted = samples.manifest()[name]["expected"]["cpukinds_pus"]
    assert [to_list(kinds["efficiency"]), to_list(kinds["performance"])] == list(wanted)


def test_sysfs_nests_as_lstopo() -> None:
    """Packages hold caches, caches cores, cores PUs; memory hangs below its package."""
    files = machine(8) | node(0, "0-3", 1000, "10 21") | node(1, "4-7", 2000, "21 10")
    description = describe(files)
    above = parents(description)
    assert above["package:1"] == "machine:0"
    assert above["numa:1"] == above["l2:2"] == "package:1"
    assert above["pu:5"] == "core:2" and above["core:2"] == "l2:2"
    assert args(description, "memory_size") == {("numa:0", 1024000), ("numa:1", 2048000)}
    assert ("numa:0", "numa:1", 21) in args(description, "numa_distance")
    assert ("l2:0", 512 * 1024) in args(description, "cache_size")
    assert {fact.by for fact in description.facts} == {"tiny.tar"}


def test_sysfs_node_within_a_package_gets_a_group() -> None:
    """A node that covers a part of a package, and no other object does, hangs below a group."""
    files = machine(8, 2, 8) | node(0, "0-3", 1, "10 11") | node(1, "4-7", 1, "11 10")
    above = parents(describe(files))
    assert above["numa:1"] == above["l2:3"] == "group:1"
    assert above["numa:0"] == "group:0" and above["group:0"] == "package:0"


def test_sysfs_die_only_where_a_package_has_several() -> None:
    """A die that is the whole package is no object."""
    files = machine(8, 2, 8)
    one = {f"{CPU}/cpu{n}/topology/die_cpus": "ff" for n in range(8)}
    two = {f"{CPU}/cpu{n}/topology/die_cpus": "0f" if n < 4 else "f0" for n in range(8)}
    assert not any(name.startswith("die") for name in parents(describe(files | one)))
    above = parents(describe(files | two))
    assert above["die:1"] == "package:0" and above["l2:3"] == "die:1"


def test_sysfs_node_without_pus_is_near_its_initiators() -> None:
    """A node without PUs hangs with the node that the HMAT names, else with the nearest."""
    files = machine(8) | node(0, "0-3", 1, "10 20 17 30") | node(1, "4-7", 1, "20 10 28 15")
    files |= node(2, "", 1, "17 28 10 40") | node(3, "", 1, "30 15 40 10")
    files |= {
        f"{NODE}/node2/access0/initiators/node1": f"{LINK}../../node1",
        f"{NODE}/node2/access0/initiators/read_bandwidth": "700",
        f"{NODE}/node2/access0/initiators/write_bandwidth": "500",
        f"{NODE}/node2/access0/initiators/read_latency": "90",
        f"{NODE}/node2/access0/initiators/write_latency": "90",
    }
    description = describe(files)
    above = parents(description)
    assert above["numa:2"] == "package:1" and above["numa:3"] == "package:1"
    assert args(description, "memory_bandwidth") == {
        ("package:1", "numa:2", "read", 700),
        ("package:1", "numa:2", "write", 500),
    }
    assert ("package:1", "numa:2", "access", 90) in args(description, "memory_latency")


def test_sysfs_memory_side_cache_is_above_its_node() -> None:
    """A memory-side cache stands between the part and the node."""
    cache = f"{NODE}/node0/memory_side_cache/index1"
    files = machine() | node(0, "0-3", 1) | {f"{cache}/size": "65536", f"{cache}/line_size": "64"}
    description = describe(files)
    assert parents(description)["numa:0"] == "memcache:0"
    assert ("memcache:0", 65536) in args(description, "cache_size")


def test_sysfs_bare_guest_is_described() -> None:
    """Without topology, caches and nodes there are still PUs, cores and one memory."""
    files = {f"{CPU}/cpu0/uevent": "", f"{CPU}/cpu1/uevent": "", "proc/meminfo": "MemTotal: 64 kB"}
    description = describe(files)
    above = parents(description)
    assert set(above) == {"core:0", "core:1", "pu:0", "pu:1", "numa:0"}
    assert args(description, "memory_size") == {("numa:0", 65536)}


def test_sysfs_cpuinfo_alone_is_enough(tmp_path: Path) -> None:
    """A sandbox that shows /proc/cpuinfo only still has its PUs."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor : 0\nflags : lm\n\nprocessor : 1\n")
    description = sysfs.discover(tmp_path)
    assert {"pu:0", "pu:1"} <= set(parents(description))
    assert args(description, "isa") == {("machine:0", "x86_64")}


def test_sysfs_offline_and_isolated_cpus_are_facts() -> None:
    """A CPU that is offline has no topology and is no object; isolated ones are named."""
    files = machine(4) | {
        f"{CPU}/online": "0-1,3",
        f"{CPU}/isolated": "1,2",
        f"{CPU}/nohz_full": "3",
    }
    description = describe(files)
    assert "pu:2" not in parents(description) and "pu:3" in parents(description)
    assert args(description, "offline") == {("pu", 2)}
    assert args(description, "isolated") == {("pu:1", "scheduler"), ("pu:3", "tick")}
    assert any("1 PUs are offline" in note and note.endswith("2") for note in description.notes)


def test_sysfs_crossing_sets_are_left_out_with_a_note() -> None:
    """A guest may claim a cache across half of two packages; the rest is kept."""
    files = machine(8)
    for number in range(8):
        base = f"{CPU}/cpu{number}/cache/index3"
        files |= {f"{base}/level": "3", f"{base}/type": "Unified", f"{base}/shared_cpu_map": "3c"}
    description = describe(files)
    assert not any(name.startswith("l3") for name in parents(description))
    assert any("l3" in note and "cross" in note for note in description.notes)


def test_sysfs_pci_tree_devices_and_interrupts() -> None:
    """Host bridge, bridge, function and device hang in a chain where the CPUs are local."""
    root = "pci0000:80/0000:80:01.0"
    nic = f"{root}/0000:81:00.0"
    files = machine(8) | node(0, "0-3", 1, "10 20") | node(1, "4-7", 1, "20 10")
    files |= pci(root, "0x060400", local_cpus="f0", numa_node="1")
    files |= {
        f"sys/devices/{root}/secondary_bus_number": "129",
        f"sys/devices/{root}/subordinate_bus_number": "130",
    }
    files |= pci(
        nic,
        "0x020000",
        numa_node="1",
        current_link_speed="16.0 GT/s PCIe",
        current_link_width="16",
        resource="0xf000 0xf0ff 0x40101\n0x10000 0x1ffff 0x140204\n0x0 0x0 0x0",
    )
    net = f"sys/devices/{nic}/net/eth0"
    files |= {f"sys/devices/{nic}/msi_irqs/{irq}": "msix" for irq in (40, 41)}
    files |= {f"{net}/queues/rx-{n}/rps_cpus": "0" for n in range(4)}
    files |= {f"{net}/queues/tx-0/xps_cpus": "0", f"{net}/speed": "100000"}
    files |= {"sys/class/net/eth0": f"{LINK}../../devices/{nic}/net/eth0"}
    files |= {"sys/class/net/lo": f"{LINK}../../devices/virtual/net/lo"}
    files |= {"sys/devices/virtual/net/lo/speed": "10"}
    description = describe(files)
    above = parents(description)
    assert above["device:eth0"] == "pci:0000:81:00.0"
    assert above["pci:0000:81:00.0"] == "bridge:1"
    assert above["bridge:1"] == "bridge:0" and above["bridge:0"] == "package:1"
    assert "device:lo" not in above
    assert ("bridge:1", 0, 129, 130) in args(description, "bridge_buses")
    assert ("bridge:0", 0, 128, 130) in args(description, "bridge_buses")
    assert ("pci:0000:81:00.0", "0200", "15b3", "1017") in args(description, "pci_id")
    assert args(description, "pci_link_speed") == {("pci:0000:81:00.0", 31.507692)}
    assert {irq for _, irq in args(description, "interrupt")} == {40, 41}
    assert args(description, "device_queues") == {
        ("device:eth0", "rx", 4),
        ("device:eth0", "tx", 1),
    }
    assert args(description, "device_speed") == {("device:eth0", 100000)}
    assert args(description, "pci_bar") == {
        ("pci:0000:81:00.0", 0, 256, "io"),
        ("pci:0000:81:00.0", 1, 65536, "memory64"),
    }


def test_sysfs_disks() -> None:
    """Whole disks are devices, partitions are not; an NVMe disk hangs at its controller."""
    disk = "pci0000:00/0000:00:02.0"
    files = machine() | pci(disk, "0x010802")
    subsystem = "sys/devices/virtual/nvme-subsystem/nvme-subsys0"
    files |= {
        f"{subsystem}/nvme0n1/size": "1000",
        f"{subsystem}/nvme0n1/nvme0n1p1/partition": "1",
        f"{subsystem}/nvme0": f"{LINK}../../../{disk}/nvme/nvme0",
        f"sys/devices/{disk}/nvme/nvme0/model": "disk",
        "sys/class/block/nvme0n1": f"{LINK}../../../{subsystem}/nvme0n1",
        "sys/class/block/nvme0n1p1": f"{LINK}../../../{subsystem}/nvme0n1/nvme0n1p1",
        "sys/class/block/loop0": f"{LINK}../../devices/virtual/block/loop0",
        "sys/devices/virtual/block/loop0/size": "0",
    }
    above = parents(describe(files))
    assert above["device:nvme0n1"] == "pci:0000:00:02.0"
    assert not {"device:nvme0n1p1", "device:loop0"} & set(above)


def test_sysfs_hybrid_kinds_and_clock() -> None:
    """Intel's hybrid machines list their PUs per kind; base clocks differ per core."""
    files = machine(4)
    files |= {"sys/devices/cpu_core/cpus": "0-1", "sys/devices/cpu_atom/cpus": "2-3"}
    files |= {
        f"{CPU}/cpu{n}/cpufreq/base_frequency": "2400000" if n < 2 else "1800000" for n in range(4)
    }
    description = describe(files)
    assert args(description, "core_kind") == {("core:0", "performance"), ("core:1", "efficiency")}
    assert args(description, "clock_mhz") == {("core:0", 2400), ("core:1", 1800)}


_WORDS = st.sampled_from(
    ["", "-1", "0", "0-3", "0-99999999", "ffffffff,ffffffff", "x", "9" * 30, "0x0"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 1000), _WORDS), min_size=1, max_size=6))
def test_sysfs_odd_values_are_described_or_refused(changes: list[tuple[int, str]]) -> None:
    """Kernel files with odd values, as guests have them, never end in a crash."""
    files = machine(4) | node(0, "0-1", 100, "10 20") | node(1, "2-3", 100, "20 10")
    files |= pci("pci0000:00/0000:00:02.0", "0x010802", numa_node="1", local_cpus="f")
    paths = sorted(files)
    for number, word in changes:
        files[paths[number % len(paths)]] = word
    try:
        describe(files)
    except SkbError as fault:
        assert fault.message


def test_sysfs_this_host_is_discovered() -> None:
    """PUs, cores, packages and nodes of this machine are those of lscpu."""
    lscpu = shutil.which("lscpu")
    if lscpu is None:
        pytest.skip("lscpu is not there")
    run = subprocess.run([lscpu, "-p=CPU,CORE,SOCKET,NODE"], capture_output=True, text=True)
    rows = [line.split(",") for line in run.stdout.splitlines() if not line.startswith("#")]
    description = sysfs.discover()
    check_set(description.facts)
    kinds = Counter(name.partition(":")[0] for name in parents(description))
    above = parents(description)
    assert {name for name in above if name.startswith("pu:")} == {f"pu:{row[0]}" for row in rows}
    assert kinds["core"] == len({row[1] for row in rows})
    assert kinds["package"] == len({row[2] for row in rows if row[2]})
    assert kinds["numa"] >= len({row[3] for row in rows})
    size = sum(int(fact.args[1]) for fact in of(description, "memory_size"))
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    # in a guest with a balloon the nodes may not add up; then the description says so
    assert any("/proc/meminfo" in note for note in description.notes) == (
        abs(size - whole) > whole / 20
    )
    assert args(description, "isa") == {("machine:0", os.uname().machine)}


def test_sysfs_this_host_bars_what_the_process_may_not_use() -> None:
    """The affinity mask of the process is part of a live description."""
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("one PU only")
    try:
        os.sched_setaffinity(0, {min(allowed)})
        barred = {name for name, _ in args(sysfs.discover(), "disallowed")}
    finally:
        os.sched_setaffinity(0, allowed)
    assert {f"pu:{number}" for number in allowed - {min(allowed)}} <= barred
    assert f"pu:{min(allowed)}" not in barred

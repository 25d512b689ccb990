"""hwloc XML: real machine files of versions 1, 2 and 3 against what lstopo says about them."""

from __future__ import annotations

import time

import pytest

from skb.relations import check_set
from skb.sources import hwloc
from tests.sources import samples
from tests.sources.samples import args, of


@pytest.mark.parametrize("name", samples.XML)
def test_hwloc_real_file_gives_what_lstopo_counts(name: str) -> None:
    """Counts, numbers, memory, allowed PUs, device kinds and localities are those of lstopo."""
    data = samples.sample(name)
    description = hwloc.read(data, name)
    check_set(description.facts)
    entry = samples.manifest()[name]
    samples.check_counts(description, entry["expected"])
    samples.check_device_kinds(description, entry["expected"])
    samples.check_localities(description, entry.get("os_device_locality", {}))


@pytest.mark.parametrize("name", samples.XML)
def test_hwloc_real_matrices_have_the_values_of_lstopo(name: str) -> None:
    """The NUMA matrix has size, extremes and sum that lstopo prints; it is the firmware's claim."""
    description = hwloc.read(samples.sample(name), name)
    wanted = [
        one
        for one in samples.manifest()[name]["expected"].get("distances", [])
        if one["type"] == "NUMANode" and one["min"] == 10
    ]
    facts = of(description, "numa_distance")
    values = [float(fact.args[2]) for fact in facts]
    assert {fact.source for fact in facts} <= {"firmware"}
    found = [(len(values), min(values), max(values), sum(values))] if values else []
    assert found == [(one["n"] ** 2, one["min"], one["max"], one["sum"]) for one in wanted]


@pytest.mark.parametrize("name", [name for name in samples.XML if ".v1." not in name])
def test_hwloc_every_real_matrix_is_kept(name: str) -> None:
    """Matrices of v2 and v3 between other parts keep sum and asymmetry.

    hwloc itself drops most matrices of version 1, so there is nothing to compare with.
    """
    description = hwloc.read(samples.sample(name), name)
    matrices: dict[object, dict[tuple[object, object], float]] = {}
    for fact in of(description, "object_distance"):
        matrix, source, target, value = fact.args
        matrices.setdefault(matrix, {})[source, target] = float(value)
    found = sorted(
        (sum(cells.values()), sum(value != cells[b, a] for (a, b), value in cells.items()))
        for cells in matrices.values()
    )
    wanted = sorted(
        (one["sum"], one["asymmetric_cells"])
        for one in samples.manifest()[name]["expected"].get("distances", [])
        if one["name"] != "NUMALatency"
    )
    assert found == wanted


def test_hwloc_opteron_indexes_matrices_out_of_document_order() -> None:
    """A value belongs to the objects that the indexes name, in their order, row by row."""
    description = hwloc.read(samples.sample("opteron865-8s.v3.xml"), "o")
    packages = {a[1:] for a in args(description, "object_distance") if a[0] == "PackageLatency"}
    # the indexes begin 16 4 40 77 …, and gp_index 4, 16, 28, 40 are packages 0, 1, 2, 3
    assert {
        ("package:1", "package:0", 20),
        ("package:1", "package:3", 40),
        ("package:1", "package:2", 80),
    } <= packages
    pus = {a[1:] for a in args(description, "object_distance") if a[0] == "PULatency"}
    assert {("pu:3", "pu:1", 345600), ("pu:1", "pu:3", 2300)} <= pus
    assert any("covers 4 of 16 pu" in note for note in description.notes)


def test_hwloc_same_machine_in_three_versions_has_the_same_tree() -> None:
    """v1, v2 and v3 of one machine give one structure, distances and sizes."""
    one, two, three = (
        hwloc.read(samples.sample(f"opteron865-8s.v{n}.xml"), "o") for n in (1, 2, 3)
    )
    for predicate in ("contains", "numa_distance", "memory_size", "cache_size", "os_index", "isa"):
        assert args(one, predicate) == args(two, predicate) == args(three, predicate)


def test_hwloc_memory_attributes_of_the_qemu_machine() -> None:
    """HMAT values come with initiator, target and unit, as the firmware's claim."""
    description = hwloc.read(samples.sample("hmat-memtiers-qemu.v3.xml"), "q")
    facts = of(description, "memory_bandwidth")
    assert {fact.source for fact in facts} == {"firmware"}
    for access in ("access", "read", "write"):
        values = [float(fact.args[3]) for fact in facts if fact.args[2] == access]
        assert (len(values), sum(values)) == (7, 22300)
    assert ("group:2", "numa:2", "read", 10000) in args(description, "memory_bandwidth")
    kinds = {str(name): kind for name, kind in args(description, "memory_kind")}
    assert kinds["numa:4"] == "hbm" and kinds["numa:9"] == "pmem" and kinds["numa:0"] == "dram"


def test_hwloc_big_file_is_read_quickly() -> None:
    """The largest real file takes well under a second."""
    data = samples.sample("uv-24s384t.v3.xml")
    start = time.perf_counter()
    hwloc.read(data, "uv")
    assert time.perf_counter() - start < 0.8

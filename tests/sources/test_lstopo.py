"""hwloc XML of versions 1 and 2 against the installed lstopo, object for object by kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from skb.sources import hwloc
from tests.machines import shared
from tests.sources import lstopo, samples

OLD = tuple(name for name in samples.XML if ".v3." not in name)
SYNTHETIC = {
    "packages": "pack:2 numa:2 l3:1 core:4 pu:2",
    "memories": "pack:2 [numa(memory=9GB)] [numa(memory=1GB)] core:2 pu:2",
    "groups": "group:3 pack:2 numa:1 l2:3 core:1 pu:2",
    "scattered": "numa:4 l3:2 core:2 pu:2(indexes=2*16:16*1)",
}


@pytest.mark.parametrize("name", OLD)
def test_lstopo_counts_the_same_objects_in_real_files(name: str) -> None:
    """Every kind has as many objects as lstopo finds in the file, groups and I/O included."""
    path = shared(f"hwloc/{name}")
    assert lstopo.by_kind(hwloc.read(path.read_bytes(), name)) == lstopo.counts(path)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", SYNTHETIC)
def test_lstopo_and_we_read_what_lstopo_writes(name: str, version: int, tmp_path: Path) -> None:
    """Machines that lstopo makes up, exported in both old formats, are read alike."""
    path = tmp_path / f"{name}.xml"
    flags = ("--export-xml-flags", "1") if version == 1 else ()
    lstopo.run("-i", SYNTHETIC[name], *flags, str(path))
    found, wanted = lstopo.by_kind(hwloc.read(path.read_bytes(), name)), lstopo.counts(path)
    if version == 1:
        # lstopo may put a group around a cache to hold its memory; we hang that on the cache
        del found["group"], wanted["group"]
    assert found == wanted

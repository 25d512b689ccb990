"""What the export tests export: bundled machines, real files, and one with every oddity."""

from __future__ import annotations

from functools import cache

from skb.knowledge import machine_of
from skb.machine import Machine
from skb.relations import Fact
from skb.resources import bundled_machines
from skb.sources import read, read_path
from tests.machines import bundled, grown, shared
from tests.sources.samples import ARCHIVES, XML

BUNDLED = tuple(sorted(bundled_machines()))
REAL = (*XML, *ARCHIVES)
PARTS = """
[[device]]
name = "eth0"
kind = ["network", "openfabrics"]
at = "package:0"
pci = "0000:81:00.0"
link_gbytes_per_s = 15.754
[[device]]
name = "loose"
kind = "other"
at = "machine:0"
"""


@cache
def exported(name: str) -> Machine:
    """Return a bundled machine, or a real one beside the checkout; skips where it is missing."""
    if name in BUNDLED:
        return bundled(name)
    return machine_of(read_path(shared(f"hwloc/{name}")), name)


@cache
def odd() -> Machine:
    """A machine with measured facts, two opinions, odd texts, and values that few formats hold."""
    facts = (
        Fact("latency", ("pu:0", "pu:1", 95.25), "measured", "probe", "2024-05-01", 1000, 0.5),
        Fact("latency", ("pu:1", "pu:0", 97.0), "measured", "probe", "2024-05-01", 1000, 0.0),
        Fact("latency", ("pu:0", "pu:2", 120), "measured", "probe", "2024-05-02"),
        Fact("clock_mhz", ("machine:0", 2000), "datasheet", "book one", "2009"),
        Fact("clock_mhz", ("machine:0", 2100.5), "datasheet", "book two"),
        Fact(
            "info", ("package:0", "CPUModel", 'a "quoted" \\ word\nand <tag> & more'), "discovered"
        ),
        Fact("info", ("package:1", "CPUModel", "Größe\x01 µs ✓ %d"), "discovered", "file.xml"),
        Fact("memory_size", ("numa:0", 2**62), "firmware"),
        Fact("memory_bandwidth", ("package:0", "numa:0", "read", 1000.5), "measured", "", "2020"),
        Fact("power", ("core:1", "off")),
        Fact("disallowed", ("pu:3", "cgroup")),
        Fact("memory_kind", ("numa:1", "cxl")),
        Fact("numa_distance", ("numa:0", "numa:1", 21), "firmware"),
        Fact("numa_distance", ("numa:1", "numa:0", 21), "firmware"),
        Fact("object_distance", ("Odd", "pu:0", "core:1", 7), "discovered"),
    )
    return grown("package:2 numa:1 l3:1 core:2 pu:1", *facts, extra=PARTS)


def again(text: str) -> Machine:
    """Read an export back."""
    return machine_of(read(text.encode(), "again"), "again")

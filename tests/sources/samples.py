"""Where the real machine files are, and what real lstopo says about them."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from skb.relations import Fact
from skb.sources import bitmap
from skb.sources.description import Description

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "hwloc"
COUNTS = {
    "pus": "pu",
    "cores": "core",
    "packages": "package",
    "dies": "die",
    "numa_nodes": "numa",
    "l3": "l3",
    "l2": "l2",
    "l1d": "l1d",
    "l1i": "l1i",
    "memcaches": "memcache",
    "bridges": "bridge",
    "pci_devices": "pci",
    "os_devices": "device",
    "misc": "misc",
}
KINDS_V3 = {"coproc": "coprocessor"}
XML = (
    "dgx-gb10.v3.xml",
    "epyc7401-corona.v1.xml",
    "epyc7401-corona.v2.xml",
    "hmat-memtiers-qemu.v3.xml",
    "knl7250-snc4-flat.v1.xml",
    "knl7250-snc4-flat.v2-converted.xml",
    "opteron865-8s.v1.xml",
    "opteron865-8s.v2.xml",
    "opteron865-8s.v3.xml",
    "tioga-ex235a.v2.xml",
    "uv-24s384t.v3.xml",
    "x3950m2-96c.v3.xml",
)
ARCHIVES = (
    "dgx-gb10.sysfs.tar.bz2",
    "hmat-memtiers-qemu.sysfs.tar.bz2",
    "opteron865-8s.sysfs.tar.bz2",
)


def sample(name: str) -> bytes:
    """A real machine file; skips the test where the shared data is not there."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path.read_bytes()


@cache
def manifest() -> Any:
    return json.loads((FOLDER / "manifest.json").read_text())["files"]


def of(description: Description, predicate: str) -> list[Fact]:
    return [fact for fact in description.facts if fact.predicate == predicate]


def args(description: Description, predicate: str) -> set[tuple[object, ...]]:
    return {fact.args for fact in of(description, predicate)}


def parents(description: Description) -> dict[str, str]:
    return {str(fact.args[1]): str(fact.args[0]) for fact in of(description, "contains")}


def check_counts(description: Description, expected: Any) -> None:
    """Every kind has as many objects as lstopo counts, with the same numbers and memory."""
    above = parents(description)
    kinds = Counter(name.partition(":")[0] for name in above)
    assert {key: kinds[kind] for key, kind in COUNTS.items()} == {
        key: expected[key] for key in COUNTS
    }
    for kind, key in (("pu", "pu_os_index"), ("numa", "numa_os_index")):
        numbers = sum(
            1 << int(name[len(kind) + 1 :]) for name in above if name.startswith(f"{kind}:")
        )
        assert bitmap.to_list(numbers) == expected[key]
    assert (
        sum(int(fact.args[1]) for fact in of(description, "memory_size"))
        == (expected["memory_bytes"])
    )
    barred = sum(1 for fact in of(description, "disallowed") if str(fact.args[0]).startswith("pu"))
    assert kinds["pu"] - barred == expected["allowed_pus"]


def check_device_kinds(description: Description, expected: Any) -> None:
    """Devices are of the kinds that hwloc 3 gives them."""
    by_device: dict[object, set[str]] = {}
    for fact in of(description, "device_kind"):
        by_device.setdefault(fact.args[0], set()).add(str(fact.args[1]))
    wanted = {
        frozenset(KINDS_V3.get(word, word) for word in words.split("+")): count
        for words, count in expected.get("os_device_kinds_v3", {}).items()
    }
    assert Counter(frozenset(kinds) for kinds in by_device.values()) == wanted


def check_localities(description: Description, expected: Any) -> None:
    """Every device is near the PUs and nodes, and behind the PCI link, that lstopo shows."""
    above = parents(description)
    below: dict[str, set[str]] = {}
    for name in above:
        step = name
        while step in above:
            step = above[step]
            below.setdefault(step, set()).add(name)
    speeds = {fact.args[0]: fact.args[1] for fact in of(description, "pci_link_speed")}
    for name, wanted in expected.items():
        chain = [f"device:{name}"]
        while chain[-1] in above:
            chain.append(above[chain[-1]])
        near = next(step for step in chain if step.split(":")[0] not in {"device", "pci", "bridge"})
        pus = sum(1 << int(one[3:]) for one in below[near] if one.startswith("pu:"))
        assert bitmap.to_list(pus) == wanted["pus"], name
        function = next((step for step in chain if step.startswith("pci:")), None)
        assert function == (f"pci:{wanted['pci']}" if "pci" in wanted else None), name
        if "pci" in wanted:
            assert round(float(speeds.get(function or "", 0)), 3) == wanted["link_GBps"], name
        assert bitmap.to_list(_nodes(above, below, chain, pus)) == wanted["numa"], name


def _nodes(above: dict[str, str], below: dict[str, set[str]], chain: list[str], pus: int) -> int:
    """The nodes whose PUs meet those of the device: memory below its part, or beside the way up."""
    found = 0
    for node in (name for name in above if name.startswith("numa:")):
        holder = above[node]
        while holder.startswith("memcache:"):
            holder = above[holder]
        local = sum(1 << int(one[3:]) for one in below[holder] if one.startswith("pu:"))
        if local & pus:
            found |= 1 << int(node[5:])
    return found

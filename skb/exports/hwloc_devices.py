"""Bridges, PCI functions and devices as hwloc XML v2 describes them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from skb.exports.hwloc_plan import Plan
from skb.machine import Machine, kind_of

# hwloc_obj_osdev_type_e of hwloc 2
_TYPES = {
    frozenset({"storage"}): 0,
    frozenset({"gpu"}): 1,
    frozenset({"network"}): 2,
    frozenset({"network", "openfabrics"}): 3,
    frozenset({"openfabrics"}): 3,
    frozenset({"dma"}): 4,
    frozenset({"coprocessor"}): 5,
    frozenset({"gpu", "coprocessor"}): 5,
    frozenset({"memory"}): 6,
    frozenset({"storage", "memory"}): 0,
}
# by what back-end a device of several kinds is known to hwloc 2
_BACKENDS = ("CUDA", "LevelZero", "OpenCL", "RSMI", "NVML")
_SINGLE = re.compile(r"(rsmi|nvml)\d")


def pci_attributes(
    machine: Machine, name: str, infos: Mapping[str, str], plan: Plan
) -> dict[str, str]:
    """Return the attributes of a PCI function or a bridge; a bridge without a bus id is the
    host's.
    """
    found: dict[str, str] = {}
    bus = name.partition(":")[2] if kind_of(name) == "pci" else infos.get("PCIBusID", "")
    if kind_of(name) == "bridge":
        above = sum(kind_of(around) == "bridge" for around in machine.ancestors(name))
        found |= {"bridge_type": "1-1" if bus else "0-1", "depth": str(above)}
        buses = machine.fact("bridge_buses", name)
        if buses is not None:
            domain, first, last = (int(value) for value in buses.args[1:])
            found["bridge_pci"] = f"{domain:04x}:[{first:02x}-{last:02x}]"
    if bus:
        found["pci_busid"] = bus
        if len(bus.partition(":")[0]) > 4:
            plan.notes.append(f"{name} has a domain beyond 16 bits, which many hwlocs ignore")
    identity = machine.fact("pci_id", name)
    if identity is not None:
        code, vendor, device = (str(value) for value in identity.args[1:])
        subsystem = infos.get("PCISubsystem", "0000:0000")
        found["pci_type"] = f"{code} [{vendor}:{device}] [{subsystem}] 00"
    speed = machine.number("pci_link_speed", name)
    if speed is not None:
        found["pci_link_speed"] = f"{speed:.6f}"
    return found


def device_attributes(
    machine: Machine, name: str, infos: Mapping[str, str], plan: Plan
) -> dict[str, str]:
    """Return name and type of a device; hwloc 2 has one type for each."""
    text = name.partition(":")[2]
    base, mark, number = text.rpartition("#")
    repeated = mark and number.isdigit() and machine.has(f"device:{base}")
    found = {"name": base if repeated else text}
    kinds = frozenset(
        str(fact.args[1]) for fact in machine.facts_of("device_kind") if fact.args[0] == name
    )
    code = _TYPES.get(kinds - {"other"} or kinds)
    if kinds == frozenset({"gpu", "coprocessor"}) and _is_single(found["name"], infos):
        code = 1
    if kinds == frozenset({"memory"}) and _was_block(found["name"], infos):
        code = 0
    if code is None and kinds - {"other"}:
        first = min(kinds - {"other"})
        code = _TYPES[frozenset({first})]
        plan.notes.append(f"{name} is {', '.join(sorted(kinds))}; hwloc 2 is told {first}")
    elif code == 5 and "gpu" in kinds and not _computes(infos):
        plan.notes.append(f"{name} is gpu and coprocessor; hwloc 2 is told coprocessor")
    if code is not None:
        found["osdev_type"] = str(code)
    return found


def _is_single(name: str, infos: Mapping[str, str]) -> bool:
    """Tell whether hwloc 2 calls this back-end's devices GPUs although they compute."""
    backend = infos.get("Subtype") or infos.get("Backend", "")
    return backend in {"RSMI", "NVML"} or bool(_SINGLE.match(name))


def _computes(infos: Mapping[str, str]) -> bool:
    return (infos.get("Subtype") or infos.get("Backend", "")) in _BACKENDS


def _was_block(name: str, infos: Mapping[str, str]) -> bool:
    """Tell whether hwloc 2 calls this memory a block device."""
    return name.startswith("dax") or infos.get("Subtype") in {"SPM", "CXLMem"}

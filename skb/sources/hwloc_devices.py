"""Facts about PCI bridges and functions and the devices of the operating system, from hwloc XML."""

from __future__ import annotations

import re
from collections.abc import Sequence

from skb.errors import DescriptionError
from skb.sources.hwloc_facts import Collector
from skb.sources.hwloc_objects import Part, Tree, bus_id, read_bitmap, whole_number
from skb.sources.xml_limits import Node

# class [vendor:device] [subvendor:subdevice] revision, and in v3 the programming interface
_PCI_TYPE = re.compile(
    r"([0-9a-f]{4}) \[([0-9a-f]{4}):([0-9a-f]{4})\](?: \[([0-9a-f]{4}:[0-9a-f]{4})\])?", re.I
)
_BUSES = re.compile(r"([0-9a-f]{1,8}):\[([0-9a-f]{2})-([0-9a-f]{2})\]", re.I)
# hwloc_obj_osdev_type_e of hwloc 1 and 2
_TYPES_V2 = {
    0: ("storage",),
    1: ("gpu",),
    2: ("network",),
    3: ("network", "openfabrics"),
    4: ("dma",),
    5: ("coprocessor",),
    6: ("memory",),
}
# bits of hwloc_obj_osdev_types_t of hwloc 3
_TYPES_V3 = {
    1: "storage",
    2: "memory",
    4: "gpu",
    8: "coprocessor",
    16: "network",
    32: "openfabrics",
    64: "dma",
}
# names of devices of these back-ends before 2.6 gave them a subtype
_COMPUTING = re.compile(r"(rsmi|nvml)\d")


def state_devices(tree: Tree, out: Collector, major: int) -> None:
    """State PCI numbers, link speeds, bus ranges and device kinds; `major` is the XML version."""
    for part in tree.parts.values():
        if part.kind == "bridge":
            _state_bridge(part, out)
        elif part.kind == "pci":
            _state_pci(part, out)
        elif part.kind == "device":
            for kind in _device_kinds(part, major):
                out.say("device_kind", part.id, kind)


def _state_bridge(part: Part, out: Collector) -> None:
    # bridge_type is upstream-downstream, 0 being the host and 1 PCI
    if part.text("bridge_type").startswith("1") or part.text("pci_busid"):
        out.say("info", part.id, "PCIBusID", bus_id(part))
        _state_pci(part, out)
    text = part.text("bridge_pci")
    if not text:
        return
    match = _BUSES.fullmatch(text)
    if match is None:
        raise DescriptionError(
            f"{part.id}: bridge_pci is {text[:40]!r}",
            place=part.place,
            mend="write domain:[first-last], such as 0000:[d0-d1]",
        )
    domain, first, last = (int(number, 16) for number in match.groups())
    if last < first:
        raise DescriptionError(
            f"{part.id}: the buses end before they begin ({text})",
            place=part.place,
            mend="write the lower bus first",
        )
    out.say("bridge_buses", part.id, domain, first, last)


def _state_pci(part: Part, out: Collector) -> None:
    text = part.text("pci_type")
    if match := _PCI_TYPE.match(text):
        code, vendor, device, subsystem = (word.lower() for word in match.groups(""))
        out.say("pci_id", part.id, code, vendor, device)
        if subsystem.strip("0:"):
            out.say("info", part.id, "PCISubsystem", subsystem)
    elif text:
        out.notes.append(f"{part.id}: pci_type {text[:40]!r} is not understood")
    if speed := _link_speed(part):
        out.say("pci_link_speed", part.id, speed)


def state_bus_localities(tree: Tree, out: Collector, nodes: Sequence[Node]) -> None:
    """State which part PCI buses are near, from the `pci_locality` elements of v3."""
    with_cpuset = tree.with_cpuset()
    said: set[tuple[int, int, int]] = set()
    for node in nodes:
        place = f"{tree.place}:{node.line}"
        words = [node.attributes.get(name, "") for name in ("domain", "bus_min", "bus_max")]
        domain, first, last = (whole_number(word, "pci_locality", place) for word in words)
        cpuset = read_bitmap(node.attributes.get("cpuset", "0x0"), "pci_locality", place)
        near = with_cpuset.get(cpuset & tree.root.cpuset)
        if min(domain, first) < 0 or last < first:
            raise DescriptionError(
                f"pci_locality has the buses {first} to {last} of domain {domain}",
                place=place,
                mend="write the lower bus first",
            )
        if near is None or (domain, first, last) in said:
            out.notes.append(f"pci_locality at line {node.line} names no part of its own")
            continue
        said.add((domain, first, last))
        out.say("bus_locality", near.id, domain, first, last)


def _link_speed(part: Part) -> float:
    """GB/s in one direction; 0 where it is unknown, as hwloc writes it."""
    text = part.text("pci_link_speed") or "0"
    # some exporters wrote the decimal comma of their locale
    if not re.fullmatch(r"\d{1,9}([.,]\d{1,9})?", text):
        raise DescriptionError(
            f"{part.id}: pci_link_speed is {text[:40]!r}, not a speed in GB/s",
            place=part.place,
            mend="write a decimal number, 0 where it is unknown",
        )
    return float(text.replace(",", "."))


def _device_kinds(part: Part, major: int) -> tuple[str, ...]:
    value = part.integer("osdev_type")
    if value is None:
        return ("other",)
    if major >= 3:
        return tuple(kind for bit, kind in _TYPES_V3.items() if value & bit) or ("other",)
    return _kinds_v2(value, part)


def _kinds_v2(value: int, part: Part) -> tuple[str, ...]:
    """What hwloc 3 makes of the single type of hwloc 1 and 2 (`hwloc__xml_import_object`)."""
    infos = part.infos
    subtype = part.text("subtype") or infos.get("CoProcType", "") or infos.get("Type", "")
    subtype = subtype or infos.get("Backend", "")
    name = part.text("name")
    if value == 0 and (name.startswith("dax") or subtype == "SPM"):
        return ("storage", "memory") if subtype == "NVM" else ("memory",)
    if value == 0 and subtype == "CXLMem":
        return ("storage", "memory") if "CXLPMEMSize" in infos else ("memory",)
    if value == 1 and (_COMPUTING.match(name) or subtype in {"RSMI", "NVML"}):
        return ("gpu", "coprocessor")
    if value == 3 and subtype == "BXI":
        return ("network",)
    opencl_gpu = subtype == "OpenCL" and infos.get("OpenCLDeviceType", "GPU") == "GPU"
    if value == 5 and (subtype in {"CUDA", "LevelZero"} or opencl_gpu):
        return ("gpu", "coprocessor")
    return _TYPES_V2.get(value, ("other",))

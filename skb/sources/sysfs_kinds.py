"""Kinds, capacity, clock and instruction set of cores, and words about the machine, from Linux."""

from __future__ import annotations

import re

from skb.sources import bitmap
from skb.sources.hwloc_facts import Collector, normal_isa
from skb.sources.hwloc_kinds import CoreKind, kind_names, note_names, scaled_capacities
from skb.sources.sysfs_cpus import CPU, Nest, Place
from skb.sources.sysfs_tree import FileTree, read_list, read_number

_KIND_FILES = (
    ("cpu_core", "performance"),
    ("cpu_atom", "efficiency"),
    ("cpu_lowpower", "low-power"),
)
_MODEL_CLOCK = re.compile(r"@ (\d{1,2}\.\d{1,3})GHz")
_CPU_INFOS = {
    "model name": "CPUModel",
    "vendor_id": "CPUVendor",
    "cpu family": "CPUFamilyNumber",
    "model": "CPUModelNumber",
    "stepping": "CPUStepping",
    "CPU implementer": "CPUImplementer",
    "CPU architecture": "CPUArchitecture",
    "CPU variant": "CPUVariant",
    "CPU revision": "CPURevision",
    "cpu": "CPUModel",
}
_DMI = {
    "sys_vendor": "DMISysVendor",
    "product_name": "DMIProductName",
    "product_version": "DMIProductVersion",
    "board_vendor": "DMIBoardVendor",
    "board_name": "DMIBoardName",
    "board_version": "DMIBoardVersion",
    "bios_vendor": "DMIBIOSVendor",
    "bios_version": "DMIBIOSVersion",
    "bios_date": "DMIBIOSDate",
}
_COMPILERS = re.compile(r"\((x86_64|aarch64|powerpc64le|riscv64|s390x|loongarch64)-")
# bits 4 to 15 of MIDR_EL1 are the part number (Arm ARM, D19.2.110); the implementer is above
_MIDR_PART, _MIDR_IMPLEMENTER = 0xFFF0, 0xFF000000


def read_cpuinfo(tree: FileTree) -> dict[int, dict[str, str]]:
    """`/proc/cpuinfo` by PU; words before the first `processor` line are left out."""
    entries: dict[int, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in (tree.read("proc/cpuinfo") or "").splitlines():
        key, colon, value = (word.strip() for word in line.partition(":"))
        if key == "processor" and value.isascii() and value.isdigit() and len(value) < 8:
            current = entries.setdefault(int(value), {})
        elif colon:
            current[key] = value
    return entries


def state_packages(nest: Nest, cpuinfo: dict[int, dict[str, str]], out: Collector) -> None:
    """State model and vendor of every package, from the first of its PUs."""
    for place in nest.places:
        if place.kind == "package":
            first = cpuinfo.get(next(bitmap.members(place.cpuset)), {})
            infos = {name: first[key] for key, name in _CPU_INFOS.items() if first.get(key)}
            out.infos(place.id, infos)


def read_dmi(tree: FileTree) -> dict[str, str]:
    """The firmware's words about vendor, product and board; no serial numbers."""
    infos: dict[str, str] = {}
    for base in ("sys/class/dmi/id", "sys/devices/virtual/dmi/id"):
        for file, name in _DMI.items():
            if name not in infos and (text := tree.read(f"{base}/{file}")):
                infos[name] = text[:200]
    return infos


def captured_isa(tree: FileTree, cpuinfo: dict[int, dict[str, str]], uname: str) -> str:
    """The instruction set of a captured tree; an empty text where nothing tells it."""
    if uname:
        return normal_isa(uname)
    if match := _COMPILERS.search(tree.read("proc/version") or ""):
        return normal_isa(match[1])
    first = next(iter(cpuinfo.values()), {})
    if "flags" in first:
        return "x86_64" if "lm" in first["flags"].split() else "x86"
    if first.get("CPU architecture", "").startswith(("8", "9", "AArch64")):
        return "aarch64"
    return "riscv64" if first.get("isa", "").startswith("rv64") else ""


def state_kinds(
    tree: FileTree, nest: Nest, cpuinfo: dict[int, dict[str, str]], out: Collector
) -> None:
    """State kind and relative capacity (of 1024) of every core where cores differ."""
    cores = [place for place in nest.places if place.kind == "core"]
    capacity = {core.id: _core_capacity(tree, core) for core in cores}
    scaled = scaled_capacities(list(capacity.values()), out)
    for name, value in zip(capacity, scaled, strict=True):
        if value >= 1:
            out.say("relative_capacity", name, value)
    kinds = _kinds(tree, cores, capacity, cpuinfo)
    note_names([word for _, word in kinds], out)
    for core in cores:
        # a guest's sets may overlap; a core is of one kind
        if kind := next((word for cpuset, word in kinds if core.cpuset & cpuset), ""):
            out.say("core_kind", core.id, kind)


def _core_capacity(tree: FileTree, core: Place) -> int:
    return max(
        read_number(tree, f"{CPU}/cpu{n}/cpu_capacity") or 0 for n in bitmap.members(core.cpuset)
    )


def _kinds(
    tree: FileTree,
    cores: list[Place],
    capacity: dict[str, int],
    cpuinfo: dict[int, dict[str, str]],
) -> list[tuple[int, str]]:
    """Sets of PUs with the name of their kind; empty where all cores are of one kind."""
    named = [(read_list(tree, f"sys/devices/{file}/cpus"), kind) for file, kind in _KIND_FILES]
    stated = [(cpuset, kind) for cpuset, kind in named if cpuset]
    if stated:
        return stated if len(stated) > 1 else []
    # turbo bins differ between cores of one kind, so the part number decides where there is one
    by_part: dict[str, list[Place]] = {}
    for core in cores:
        by_part.setdefault(_part(tree, core, cpuinfo) or str(capacity[core.id]), []).append(core)
    kinds = [
        CoreKind(
            sum(core.cpuset for core in group),
            round(sum(capacity[core.id] for core in group) / len(group)),
            {},
        )
        for group in by_part.values()
    ]
    names = kind_names(kinds)
    return [(kind.cpuset, name) for kind, name in zip(kinds, names, strict=True) if name]


def _part(tree: FileTree, core: Place, cpuinfo: dict[int, dict[str, str]]) -> str:
    number = next(bitmap.members(core.cpuset))
    midr = read_number(tree, f"{CPU}/cpu{number}/regs/identification/midr_el1")
    if midr is not None:
        return hex(midr & (_MIDR_PART | _MIDR_IMPLEMENTER))
    return cpuinfo.get(number, {}).get("CPU part", "")


def state_clock(
    tree: FileTree, nest: Nest, cpuinfo: dict[int, dict[str, str]], out: Collector
) -> None:
    """State the nominal clock in MHz: of the machine where all cores share it, else of each."""
    clocks = {
        core.id: _clock(tree, next(bitmap.members(core.cpuset)), cpuinfo)
        for core in nest.places
        if core.kind == "core"
    }
    known = {clock for clock in clocks.values() if clock}
    if len(known) == 1 and all(clocks.values()):
        out.say("clock_mhz", nest.root.id, known.pop())
        return
    for name, clock in clocks.items():
        if clock:
            out.say("clock_mhz", name, clock)


def _clock(tree: FileTree, number: int, cpuinfo: dict[int, dict[str, str]]) -> int:
    """Base frequency, else the firmware's nominal one, else the model's, else the present one."""
    base = read_number(tree, f"{CPU}/cpu{number}/cpufreq/base_frequency")
    if base and base > 1000:
        return base // 1000
    nominal = read_number(tree, f"{CPU}/cpu{number}/acpi_cppc/nominal_freq")
    if nominal and nominal > 0:
        return nominal
    words = cpuinfo.get(number, {})
    if match := _MODEL_CLOCK.search(words.get("model name", "")):
        return round(float(match[1]) * 1000)
    match = re.fullmatch(r"(\d{1,6})(\.\d{1,6})?", words.get("cpu MHz", ""))
    return round(float(match[0])) if match else 0

"""Facts about single objects of the hwloc model: containment, sizes, infos, and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from skb.relations import Fact, Source, Value
from skb.sources import bitmap
from skb.sources.hwloc_objects import CACHE_KINDS, Part, Tree, read_bitmap

_INFO_KINDS = frozenset({"machine", "package", "numa", "device", "pci"})
# identifies one specimen, person or session rather than the kind of machine
_PRIVATE = re.compile(
    r"serial|uuid|guid|assettag|hostname|processname|linuxcgroup|gid\d*$|lid$|hiveid|boot", re.I
)
TEXT_LIMIT = 4096
_SUBTYPE_KINDS = {
    "CXL": "cxl",
    "GPUMEMORY": "gpu",
    "GPU": "gpu",
    "MCDRAM": "hbm",
    "HBM": "hbm",
    "NVM": "pmem",
    "SPM": "special",
    "DRAM": "dram",
}
_ISAS = {
    "amd64": "x86_64",
    "x86-64": "x86_64",
    "x64": "x86_64",
    "i386": "x86",
    "i486": "x86",
    "i586": "x86",
    "i686": "x86",
    "arm64": "aarch64",
    "armv8l": "aarch64",
    "powerpc64le": "ppc64le",
    "powerpc64": "ppc64",
}


class Collector:
    """Collects facts of one description with their provenance, and notes for its reader."""

    def __init__(self, by: str) -> None:
        self.by = by
        self.facts: list[Fact] = []
        self.notes: list[str] = []

    def say(self, predicate: str, *args: Value) -> None:
        """The operating system has found this."""
        self.facts.append(Fact(predicate, args, Source.DISCOVERED.value, self.by))

    def claim(self, predicate: str, *args: Value) -> None:
        """The firmware claims this: ACPI SLIT and HMAT tables."""
        self.facts.append(Fact(predicate, args, Source.FIRMWARE.value, self.by))

    def infos(self, name: str, infos: Mapping[str, str]) -> None:
        """Keep words about an object, but none that identifies one specimen or person."""
        for key, value in infos.items():
            if value and not _PRIVATE.search(key):
                self.say("info", name, key[:TEXT_LIMIT], value[:TEXT_LIMIT])


def normal_isa(text: str) -> str:
    """The usual name of an instruction set: x86_64, aarch64, ppc64le, riscv64, …"""
    word = text.strip().lower()
    return _ISAS.get(word, word)


def memory_kind(text: str) -> str:
    """The kind of memory that a subtype, tier or DAX type states, or an empty text."""
    words = re.split(r"[^A-Z0-9]+", text.upper())
    for word, kind in _SUBTYPE_KINDS.items():
        if any(part.startswith(word) for part in words):
            return kind
    return ""


def state_objects(tree: Tree, out: Collector) -> None:
    """State containment, numbers, sizes and infos of every object but devices' own facts."""
    for part in tree.parts.values():
        if part.parent is not None:
            out.say("contains", part.parent.id, part.id)
        if part.normal and part.kind not in {"pu", "machine"}:
            _state_os_index(part, out)
        if part.kind in CACHE_KINDS:
            _state_cache(part, out)
        elif "cache_size" in part.node.attributes:
            out.notes.append(f"{part.id} is no cache; its cache_size was left out")
        if part.kind == "numa":
            _state_memory(part, out)
        if part.kind in _INFO_KINDS:
            out.infos(part.id, part.infos)
            if (subtype := part.text("subtype")) and "Subtype" not in part.infos:
                out.infos(part.id, {"Subtype": subtype})
        elif part.kind == "misc" and (name := part.text("name")):
            out.infos(part.id, {"Name": name})


def _state_os_index(part: Part, out: Collector) -> None:
    index = part.node.attributes.get("os_index")
    # hwloc writes an unknown number as -1 or as that in 32 bits
    if index and index not in {"-1", "4294967295"}:
        number = part.integer("os_index")
        if number is not None:
            out.say("os_index", part.id, number)


def _state_cache(part: Part, out: Collector) -> None:
    if size := part.integer("cache_size"):
        out.say("cache_size", part.id, size)
    if line := part.integer("cache_linesize"):
        out.say("cache_line", part.id, line)
    if ways := part.integer("cache_associativity", least=-1):
        out.say("cache_ways", part.id, ways)


def _state_memory(part: Part, out: Collector) -> None:
    size = part.integer("local_memory")
    if size is not None:
        out.say("memory_size", part.id, size)
    stated = (part.text("subtype"), part.infos.get("Type", ""), part.infos.get("DAXType", ""))
    if kind := next((kind for text in stated if (kind := memory_kind(text))), ""):
        out.say("memory_kind", part.id, kind)


def state_allowed(tree: Tree, out: Collector) -> None:
    """State which PUs and NUMA nodes the exporting process was not allowed to use."""
    root = tree.root
    sets = (("pu", "allowed_cpuset"), ("numa", "allowed_nodeset"))
    for kind, attribute in sets:
        text = root.text(attribute)
        if not text:
            continue
        allowed = read_bitmap(text, f"{root.id}: {attribute}", root.place)
        _disallow(tree, out, kind, allowed, "not allowed by the exporting process")
    if text := root.text("online_cpuset"):
        online = read_bitmap(text, f"{root.id}: online_cpuset", root.place)
        _disallow(tree, out, "pu", online, "offline in the exporting system")
    if text := root.text("complete_cpuset"):
        complete = read_bitmap(text, f"{root.id}: complete_cpuset", root.place)
        absent = complete & ~root.cpuset
        if absent > 0:
            out.notes.append(
                f"{absent.bit_count()} PUs are offline or unknown and no objects: "
                f"{bitmap.to_list(absent)[:200]}"
            )


def _disallow(tree: Tree, out: Collector, kind: str, allowed: int, reason: str) -> None:
    said = {fact.args[0] for fact in out.facts if fact.predicate == "disallowed"}
    for part in tree.of_kind(kind):
        number = int(part.id.partition(":")[2])
        if not allowed >> number & 1 and part.id not in said:
            out.say("disallowed", part.id, reason)

"""Facts about single objects of the hwloc model: containment, sizes, infos, and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from skb.relations import Fact, Source, Value
from skb.sources import bitmap
from skb.sources.hwloc_objects import CACHE_KINDS, TEXT_LIMIT, Part, Tree, read_bitmap, whole_number

# what v1 calls a subtype
_SUBTYPE_INFOS = ("Type", "CoProcType")
# identifies one specimen, person or session rather than the kind of machine
_PRIVATE = re.compile(
    r"serial|uuid|guid|assettag|hostname|processname|linuxcgroup|gid\d*$|lid$|hiveid|boot", re.I
)
_NOTES_LIMIT = 100
# what a group stands for, where hwloc says it by number alone (`private.h`); the others are hwloc's
# own: to hold memory or devices
_GROUP_KINDS = {
    "100": "SubNUMACluster",
    "102": "Module",
    "103": "Tile",
    "110": "Book",
    "120": "ComputeUnit",
    "121": "Complex",
    "200": "ProcessorGroup",
    "220": "ProcessorGroup",
    "222": "Cluster",
    "900": "Distance",
}
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
        self._private: set[str] = set()

    def say(self, predicate: str, *args: Value) -> None:
        """The operating system has found this."""
        self.facts.append(Fact(predicate, args, Source.DISCOVERED.value, self.by))

    def claim(self, predicate: str, *args: Value) -> None:
        """The firmware claims this: ACPI SLIT and HMAT tables."""
        self.facts.append(Fact(predicate, args, Source.FIRMWARE.value, self.by))

    def infos(self, name: str, infos: Mapping[str, str]) -> None:
        """Keep words about an object, but none that identifies one specimen or person."""
        for key, value in infos.items():
            if value and _is_private(key):
                self._private.add(key[:40])
            elif value:
                self.say("info", name, key[:TEXT_LIMIT], value[:TEXT_LIMIT])

    def all_notes(self) -> tuple[str, ...]:
        """The notes, not endlessly many, and which words about one specimen were left out."""
        notes = self.notes[:_NOTES_LIMIT]
        if more := len(self.notes) - len(notes):
            notes.append(f"{more} further notes were left out")
        if self._private:
            names = ", ".join(sorted(self._private))[:400]
            notes.append(f"words about one specimen, person or session were left out: {names}")
        return tuple(notes)


@lru_cache(maxsize=4096)
def _is_private(key: str) -> bool:
    return _PRIVATE.search(key[:TEXT_LIMIT]) is not None


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


def state_objects(tree: Tree, out: Collector, major: int) -> None:
    """State containment, numbers, sizes and infos of every object but devices' own facts.

    `major` is the version of the XML.
    """
    private = 0
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
        _state_words(part, out, major)
        private += sum(1 for child in part.node.children if child.tag == "userdata")
    if private:
        out.notes.append(f"{private} userdata elements of some program were left out")


def _state_words(part: Part, out: Collector, major: int) -> None:
    """State every word that the file has about an object; a device's name is its identifier."""
    infos = dict(part.infos)
    subtype = part.text("subtype")
    # 2.11 and older wrote the type of a device's subtype as an info of its own
    for name in _SUBTYPE_INFOS:
        if part.kind != "numa" and name in infos:
            subtype = subtype or infos.pop(name)
    if part.kind == "group":
        named = part.text("type") if part.text("type") in {"Tile", "Module", "Cluster"} else ""
        subtype = subtype or named or _GROUP_KINDS.get(part.text("kind"), "")
    if subtype:
        infos.setdefault("Subtype", subtype)
    if part.kind != "device" and (name := part.text("name").strip()):
        infos.setdefault("Name", name)
    if major < 3 and (part.kind == "device" or subtype == "MemoryModule"):
        infos = {key: _with_unit(key, value) for key, value in infos.items()}
    if infos:
        out.infos(part.id, infos)


def _with_unit(name: str, value: str) -> str:
    """A size with the unit that v3 writes behind it."""
    bare = "Size" in name and name != "SectorSize" and value.isascii() and value.isdigit()
    return f"{value}KiB" if bare else value


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
    pages: dict[int, int] = {}
    for child in part.node.children:
        if child.tag == "page_type":
            page = whole_number(child.attributes.get("size", "0"), "page_type: size", part.place)
            count = whole_number(child.attributes.get("count", "0"), "page_type: count", part.place)
            pages[page] = pages.get(page, 0) + count
    for page, count in pages.items():
        if page > 0 and count >= 0:
            out.say("page_count", part.id, page, count)


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
    nodes = sum(1 << int(part.id[5:]) for part in tree.of_kind("numa"))
    for kind, present in (("pu", root.cpuset), ("numa", nodes)):
        name = "complete_cpuset" if kind == "pu" else "complete_nodeset"
        if text := root.text(name):
            complete = read_bitmap(text, f"{root.id}: {name}", root.place)
            state_absent(kind, complete & ~present, out)


def state_absent(kind: str, absent: int, out: Collector) -> None:
    """State PUs or NUMA nodes that the system has, but that are no objects."""
    if absent > 0:
        what = "PUs" if kind == "pu" else "NUMA nodes"
        out.notes.append(
            f"{absent.bit_count()} {what} are offline or hidden and no objects: "
            f"{bitmap.to_list(absent)[:200]}"
        )
    for number in bitmap.members(absent) if absent > 0 else ():
        out.say("offline", kind, number)


def _disallow(tree: Tree, out: Collector, kind: str, allowed: int, reason: str) -> None:
    said = {fact.args[0] for fact in out.facts if fact.predicate == "disallowed"}
    for part in tree.of_kind(kind):
        number = int(part.id.partition(":")[2])
        if not allowed >> number & 1 and part.id not in said:
            out.say("disallowed", part.id, reason)

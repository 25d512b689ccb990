"""Kinds of cores (`cpukind`) and tiers of memory (`memtier`) of hwloc XML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from skb.errors import TooLargeError
from skb.relations import Value
from skb.sources import bitmap
from skb.sources.hwloc_facts import Collector
from skb.sources.hwloc_objects import Part, Tree, read_bitmap, read_infos, whole_number
from skb.sources.xml_limits import Node

_CORE_TYPES = {"IntelAtom": "efficiency", "IntelCore": "performance"}
_RANKS = {2: ("efficiency", "performance"), 3: ("efficiency", "middle", "performance")}
# enum hwloc_memory_tier_type_e in hwloc's memattrs.c; the first that is set decides
_TIERS = ((32, "cxl"), (4, "gpu"), (1, "hbm"), (16, "pmem"), (8, "special"), (2, "dram"))
_CAPACITY_UNIT = 1024
# hwloc tells apart a handful of kinds and tiers
_KINDS_LIMIT = 64
# infos of a kind that become facts of their own, or that say nothing about a core
_OWN_FACTS = frozenset({"CoreType", "LinuxCapacity", "FrequencyBaseMHz"})


@dataclass(frozen=True, slots=True)
class CoreKind:
    """Some PUs of one kind: efficiency orders the kinds, None where it is unknown."""

    cpuset: int
    efficiency: int | None
    infos: dict[str, str]


def kind_names(kinds: Sequence[CoreKind]) -> tuple[str, ...]:
    """Name each kind: as its type says, else by the rank of its efficiency, else by its number."""
    typed = tuple(kind.infos.get("CoreType", "") for kind in kinds)
    if len(kinds) < 2:
        return ("",) * len(kinds)
    if all(typed) and len(set(typed)) == len(typed):
        return tuple(_CORE_TYPES.get(word, word.lower()) for word in typed)
    known = [kind.efficiency for kind in kinds if kind.efficiency is not None]
    ranked = sorted(set(known))
    if len(known) < len(kinds) or len(ranked) < 2:
        return tuple(f"kind{number}" for number in range(len(kinds)))
    words = _RANKS.get(len(ranked)) or tuple(f"rank{number}" for number in range(len(ranked)))
    return tuple(words[ranked.index(efficiency)] for efficiency in known)


def note_names(names: Sequence[str], out: Collector) -> None:
    """Note names of kinds that say less than they seem to."""
    if "kind0" in names:
        out.notes.append(f"{len(names)} kinds of cores are described, but not in which order")
    elif "rank0" in names:
        out.notes.append("kinds of cores are named by rank, rank0 being the least powerful")


def state_core_kinds(tree: Tree, out: Collector, nodes: Sequence[Node]) -> None:
    """State the kind, relative capacity (of 1024), clock in MHz and infos of every core."""
    _refuse_many(nodes, tree.place)
    kinds = [_read_kind(node, tree.place) for node in nodes]
    names = kind_names(kinds)
    note_names(names, out)
    capacities = scaled_capacities(
        [_number(kind.infos.get("LinuxCapacity", "")) for kind in kinds], out
    )
    said: set[tuple[str, str]] = set()
    mixed: set[str] = set()
    for kind, name, capacity in zip(kinds, names, capacities, strict=True):
        clock = _number(kind.infos.get("FrequencyBaseMHz", ""))
        facts: tuple[tuple[str, Value], ...] = (
            ("core_kind", name),
            ("relative_capacity", capacity),
            ("clock_mhz", clock),
        )
        other = {key: value for key, value in kind.infos.items() if key not in _OWN_FACTS}
        for part in _parts_of(tree, kind.cpuset):
            core = part.parent is not None and part.parent.kind == "core"
            if core and part.kind == "pu" and part.parent is not None:
                mixed.add(part.parent.id)
            for predicate, value in facts:
                apart = predicate == "core_kind" and part.kind == "pu" and core
                if value and not apart and (predicate, part.id) not in said:
                    said.add((predicate, part.id))
                    out.say(predicate, part.id, value)
            if ("", part.id) not in said:
                said.add(("", part.id))
                out.infos(part.id, other)
    if mixed:
        out.notes.append(
            f"PUs of one core differ in kind; no kind: {', '.join(sorted(mixed))}"[:400]
        )


def _refuse_many(nodes: Sequence[Node], place: str) -> None:
    if len(nodes) > _KINDS_LIMIT:
        raise TooLargeError(
            f"more than {_KINDS_LIMIT} elements {nodes[0].tag}",
            place=f"{place}:{nodes[0].line}",
            mend="describe one machine per file",
        )


def _parts_of(tree: Tree, cpuset: int) -> Iterator[Part]:
    """The cores within a set of PUs, and its PUs whose core is not, or that have none."""
    covered = 0
    for core in tree.of_kind("core"):
        if core.cpuset and core.cpuset & ~cpuset == 0:
            covered |= core.cpuset
            yield core
    for pu in tree.of_kind("pu"):
        if pu.cpuset & cpuset & ~covered:
            yield pu


def scaled_capacities(capacities: Sequence[int], out: Collector) -> list[int]:
    """Capacities of which the largest is 1024 at most; 0 is unknown."""
    most = max(capacities, default=0)
    if most <= _CAPACITY_UNIT:
        return list(capacities)
    out.notes.append(f"capacities of up to {most} were scaled down to {_CAPACITY_UNIT}")
    return [max(one * _CAPACITY_UNIT // most, 1) if one else 0 for one in capacities]


def _read_kind(node: Node, place: str) -> CoreKind:
    where = f"{place}:{node.line}"
    cpuset = read_bitmap(node.attributes.get("cpuset", "0x0"), "cpukind: cpuset", where)
    infos = read_infos(node.children)
    text = node.attributes.get("forced_efficiency", "")
    if text and text != "-1":
        infos["ForcedEfficiency"] = text
    efficiency = whole_number(text, "cpukind: forced_efficiency", where) if text else -1
    if efficiency < 0:
        # not forced: what hwloc itself ranks by, capacity before clock
        known = ("LinuxCapacity", "FrequencyBaseMHz", "FrequencyMaxMHz")
        efficiency = next((n for key in known if (n := _number(infos.get(key, "")))), -1)
    return CoreKind(cpuset, efficiency if efficiency >= 0 else None, infos)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def state_memory_tiers(tree: Tree, out: Collector, nodes: Sequence[Node]) -> None:
    """State the tier of each node, and its kind of memory where its own words did not.

    hwloc ranks tiers by bandwidth; v2 has the rank as a word of the node, v3 as an order of
    `memtier` elements.
    """
    _refuse_many(nodes, tree.place)
    tiers: dict[str, int] = {}
    for part in tree.of_kind("numa"):
        rank = part.infos.get("MemoryTier", "")
        if rank.isascii() and rank.isdigit() and len(rank) < 6:
            tiers[part.id] = int(rank)
    said = {fact.args[0] for fact in out.facts if fact.predicate == "memory_kind"}
    for tier, node in enumerate(nodes):
        where = f"{tree.place}:{node.line}"
        bits = whole_number(node.attributes.get("kinds", "0"), "memtier: kinds", where)
        nodeset = read_bitmap(node.attributes.get("nodeset", "0x0"), "memtier: nodeset", where)
        kind = next((word for bit, word in _TIERS if bits & bit), "")
        for number in bitmap.members(nodeset) if nodeset > 0 else ():
            name = f"numa:{number}"
            if name not in tree.parts:
                continue
            tiers.setdefault(name, tier)
            if kind and name not in said:
                said.add(name)
                out.say("memory_kind", name, kind)
    for name, tier in tiers.items():
        out.say("memory_tier", name, tier)

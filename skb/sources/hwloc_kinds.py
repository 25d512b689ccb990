"""Kinds of cores (`cpukind`) and tiers of memory (`memtier`) of hwloc XML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skb.sources import bitmap
from skb.sources.hwloc_facts import Collector
from skb.sources.hwloc_objects import Tree, read_bitmap, read_infos, whole_number
from skb.sources.xml_limits import Node

_CORE_TYPES = {"IntelAtom": "efficiency", "IntelCore": "performance"}
_RANKS = {2: ("efficiency", "performance"), 3: ("efficiency", "middle", "performance")}
# enum hwloc_memory_tier_type_e in hwloc's memattrs.c; the first that is set decides
_TIERS = ((32, "cxl"), (4, "gpu"), (1, "hbm"), (16, "pmem"), (8, "special"), (2, "dram"))
# infos of a kind that become facts of their own, or that say nothing about a core
_OWN_FACTS = frozenset({"CoreType", "LinuxCapacity", "FrequencyBaseMHz"})


@dataclass(frozen=True, slots=True)
class CoreKind:
    """Some PUs of one kind: efficiency orders the kinds, None where it is unknown."""

    cpuset: int
    efficiency: int | None
    infos: dict[str, str]


def kind_names(kinds: Sequence[CoreKind]) -> tuple[str, ...]:
    """Name each kind: as its type says, else by rank; empty texts where nothing is known."""
    typed = tuple(kind.infos.get("CoreType", "") for kind in kinds)
    if len(kinds) < 2:
        return ("",) * len(kinds)
    if all(typed) and len(set(typed)) == len(typed):
        return tuple(_CORE_TYPES.get(word, word.lower()) for word in typed)
    ranked = sorted({kind.efficiency for kind in kinds if kind.efficiency is not None})
    if len(ranked) < len(kinds) or len(kinds) not in _RANKS:
        return ("",) * len(kinds)
    return tuple(
        _RANKS[len(kinds)][ranked.index(kind.efficiency)]
        for kind in kinds
        if kind.efficiency is not None
    )


def state_core_kinds(tree: Tree, out: Collector, nodes: Sequence[Node]) -> None:
    """State the kind, relative capacity (of 1024), clock in MHz and infos of every core."""
    kinds = [_read_kind(node, tree.place) for node in nodes]
    names = kind_names(kinds)
    if len(kinds) > 1 and not all(names):
        out.notes.append(f"{len(kinds)} kinds of cores are described, but not in which order")
    for kind, name in zip(kinds, names, strict=True):
        capacity = _number(kind.infos.get("LinuxCapacity", ""))
        clock = _number(kind.infos.get("FrequencyBaseMHz", ""))
        other = {key: value for key, value in kind.infos.items() if key not in _OWN_FACTS}
        for core in tree.of_kind("core"):
            if not core.cpuset & kind.cpuset:
                continue
            if name:
                out.say("core_kind", core.id, name)
            if 1 <= capacity <= 1024:
                out.say("relative_capacity", core.id, capacity)
            if clock:
                out.say("clock_mhz", core.id, clock)
            out.infos(core.id, other)


def _read_kind(node: Node, place: str) -> CoreKind:
    where = f"{place}:{node.line}"
    cpuset = read_bitmap(node.attributes.get("cpuset", "0x0"), "cpukind: cpuset", where)
    infos = read_infos(node.children)
    text = node.attributes.get("forced_efficiency", "")
    efficiency = whole_number(text, "cpukind: forced_efficiency", where) if text else -1
    if efficiency < 0:
        # not forced: what hwloc itself ranks by, capacity before clock
        known = ("LinuxCapacity", "FrequencyBaseMHz", "FrequencyMaxMHz")
        efficiency = next((n for key in known if (n := _number(infos.get(key, "")))), -1)
    return CoreKind(cpuset, efficiency if efficiency >= 0 else None, infos)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def state_memory_tiers(tree: Tree, out: Collector, nodes: Sequence[Node]) -> None:
    """State the kind of memory of each node of a v3 `memtier`, where its own words did not."""
    said = {fact.args[0] for fact in out.facts if fact.predicate == "memory_kind"}
    for node in nodes:
        where = f"{tree.place}:{node.line}"
        bits = whole_number(node.attributes.get("kinds", "0"), "memtier: kinds", where)
        nodeset = read_bitmap(node.attributes.get("nodeset", "0x0"), "memtier: nodeset", where)
        kind = next((word for bit, word in _TIERS if bits & bit), "")
        for number in bitmap.members(nodeset) if nodeset > 0 and kind else ():
            name = f"numa:{number}"
            if name in tree.parts and name not in said:
                said.add(name)
                out.say("memory_kind", name, kind)

"""What goes where in an hwloc file: parents, order, sets of PUs and nodes, and numbers of objects.

hwloc keeps four kinds of children: normal ones (which have PUs), memory, input/output and notes.
A part that stands where hwloc allows none moves to the nearest place, and a note says so.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cached_property

from skb.exports.bits import bits_of, lowest
from skb.machine import IO_KINDS, MEMORY_KINDS, ROOT, Machine, index_of, kind_of, natural_order

TYPES = {
    "machine": "Machine",
    "package": "Package",
    "die": "Die",
    "group": "Group",
    "numa": "NUMANode",
    "memcache": "MemCache",
    "l5": "L5Cache",
    "l4": "L4Cache",
    "l3": "L3Cache",
    "l3i": "L3iCache",
    "l2": "L2Cache",
    "l2i": "L2iCache",
    "l1d": "L1Cache",
    "l1i": "L1iCache",
    "core": "Core",
    "pu": "PU",
    "bridge": "Bridge",
    "pci": "PCIDev",
    "device": "OSDev",
    "misc": "Misc",
}
# depth, and what it holds: 0 unified, 1 data, 2 instructions
CACHES = {
    "memcache": (1, 0),
    "l5": (5, 0),
    "l4": (4, 0),
    "l3": (3, 0),
    "l3i": (3, 2),
    "l2": (2, 0),
    "l2i": (2, 2),
    "l1d": (1, 1),
    "l1i": (1, 2),
}
_BUSID = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_NUMBERED_BY_OS = frozenset({"pu", "numa"})
ADDED_NODE = "numa:0"


def side(name: str) -> str:
    """Return which kind of child a part is to hwloc."""
    kind = kind_of(name)
    if kind in MEMORY_KINDS:
        return "memory"
    if kind in IO_KINDS:
        return "io"
    return "misc" if kind == "misc" else "normal"


class Plan:
    """The tree as hwloc wants it; `notes` grows with what had to give way."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.notes: list[str] = []
        self._below: dict[str, list[str]] = defaultdict(list)
        for name in machine.objects:
            if name != ROOT and self._can_stand(name):
                self._below[self._home(name)].append(name)
        if not machine.numa:
            self._below[ROOT].append(ADDED_NODE)
            self.notes.append(f"hwloc needs a NUMA node: {ADDED_NODE} of unknown size was added")
        self.gp_index: dict[str, int] = {}
        empty = [name for name, bits in self.cpusets.items() if side(name) == "normal" and not bits]
        if empty:
            self.notes.append(f"hwloc drops parts without PUs: {', '.join(empty)[:200]}")
        self._number(ROOT)
        self._note_new_names()

    def _can_stand(self, name: str) -> bool:
        if kind_of(name) != "pci" or _BUSID.fullmatch(name.partition(":")[2]):
            return True
        self.notes.append(f"{name} has no bus number that hwloc could read; what it holds moved up")
        return False

    def _home(self, name: str) -> str:
        """Return the nearest part around a part below which hwloc allows it."""
        machine = self.machine
        for around in machine.ancestors(name):
            if self._allowed(around, name):
                if around != machine.parent(name) and self._stands(str(machine.parent(name))):
                    self.notes.append(f"{name} moved from {machine.parent(name)} to {around}")
                return around
        return ROOT

    def _allowed(self, around: str, name: str) -> bool:
        outer, inner = kind_of(around), side(name)
        if inner == "misc":
            return self._stands(around)
        if inner == "memory":
            return side(around) == "normal" or outer == "memcache"
        if inner == "io":
            return side(around) == "normal" or (outer in {"bridge", "pci"} and self._stands(around))
        return side(around) == "normal"

    def _stands(self, name: str) -> bool:
        return kind_of(name) != "pci" or bool(_BUSID.fullmatch(name.partition(":")[2]))

    def children(self, name: str) -> list[str]:
        """Return the children in hwloc's order: memory, those with PUs, devices, notes."""
        return self._ordered.get(name, [])

    @cached_property
    def _ordered(self) -> dict[str, list[str]]:
        return {name: sorted(below, key=self._order) for name, below in self._below.items()}

    def _order(self, name: str) -> tuple[int, int, int, tuple[tuple[int, int, str], ...]]:
        """Sort key: normal children by their lowest PU as hwloc does, those without PUs last."""
        which = ("memory", "normal", "io", "misc").index(side(name))
        first = lowest(self.cpusets[name]) if side(name) == "normal" else 0
        bridge = 0 if kind_of(name) in {"bridge", "memcache"} else 1
        return (which, first if first >= 0 else 1 << 62, bridge, natural_order(name))

    def _number(self, name: str) -> None:
        self.gp_index[name] = len(self.gp_index) + 1
        for child in self.children(name):
            self._number(child)

    def os_index(self, name: str) -> int | None:
        if kind_of(name) in _NUMBERED_BY_OS:
            return index_of(name)
        if name == ROOT:
            return 0
        value = self.machine.value("os_index", name)
        return None if value is None else int(value)

    def _note_new_names(self) -> None:
        """Note parts whose logical index will be another, because hwloc orders by PU numbers."""
        counts: dict[str, int] = defaultdict(int)
        renamed = []
        for name in self.gp_index:
            kind = kind_of(name)
            if kind in _NUMBERED_BY_OS or kind in {"pci", "device"}:
                continue
            if name != f"{kind}:{counts[kind]}":
                renamed.append(f"{name} as {kind}:{counts[kind]}")
            counts[kind] += 1
        if renamed:
            self.notes.append(
                f"hwloc numbers parts by the order of their PUs; {len(renamed)} parts read back "
                f"under another name: {', '.join(renamed[:5])}{', …' if renamed[5:] else ''}"
            )

    # ------------------------------------------------------------ sets
    @cached_property
    def cpusets(self) -> dict[str, int]:
        """PUs of each normal part and, for memory, of the part that it hangs at."""
        found: dict[str, int] = defaultdict(int)
        for name in self.machine.objects:
            if side(name) == "normal":
                found[name] |= 0
        for pu in self.machine.of_kind("pu"):
            for name in (pu, *self.machine.ancestors(pu)):
                found[name] |= 1 << index_of(pu)
        for name in (*self.machine.of_kind("memcache"), *self.machine.of_kind("numa")):
            found[name] = found[self.machine.anchor(name)]
        if not self.machine.numa:
            found[ADDED_NODE] = found[ROOT]
        return dict(found)

    @cached_property
    def nodesets(self) -> dict[str, int]:
        """NUMA nodes of each part: those inside it and those at the parts around it."""
        own: dict[str, int] = {}
        found: dict[str, int] = {}
        self._inside(ROOT, own)
        self._inherit(ROOT, 0, own, found)
        return found

    def _inside(self, name: str, own: dict[str, int]) -> int:
        inside = 1 << index_of(name) if kind_of(name) == "numa" else 0
        for child in self._below.get(name, ()):
            inside |= self._inside(child, own)
        own[name] = inside
        return inside

    def _inherit(self, name: str, around: int, own: dict[str, int], found: dict[str, int]) -> None:
        found[name] = own[name] | (around if side(name) == "normal" else 0)
        below = self._below.get(name, ())
        here = around
        for child in below:
            here |= own[child] if side(child) == "memory" else 0
        for child in below:
            self._inherit(child, here, own, found)

    def offline(self, kind: str) -> int:
        """Return the PUs or NUMA nodes that the system has, but that are no objects."""
        facts = self.machine.facts_of("offline")
        return bits_of(int(fact.args[1]) for fact in facts if fact.args[0] == kind)

    @cached_property
    def outermost(self) -> dict[int, str]:
        """The outermost part of each set of PUs: what hwloc takes a set for."""
        found: dict[int, str] = {}
        for name in self.gp_index:
            if side(name) == "normal":
                found.setdefault(self.cpusets[name], name)
        return found

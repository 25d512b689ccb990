"""hwloc XML v2, which every lstopo since 2.0 reads: the object tree, matrices, attributes, kinds.

Format: hwloc's `topology-xml.c` and `hwloc2.dtd`. What nobody stated gets hwloc's own word for
unknown (a size of 0, an absent attribute); what hwloc cannot say is told in the notes.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from skb.exports.bits import bits_of, hwloc_set
from skb.exports.hwloc_devices import device_attributes, pci_attributes
from skb.exports.hwloc_plan import CACHES, TYPES, Plan
from skb.exports.hwloc_tables import add_core_kinds, add_matrices, add_memory_attributes
from skb.machine import ROOT, Machine, kind_of

MEDIA_TYPE = "application/xml"
SUFFIX = ".xml"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE topology SYSTEM "hwloc2.dtd">\n'
_CONTROL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SUBTYPES = {
    "dram": "DRAM",
    "hbm": "HBM",
    "cxl": "CXL-DRAM",
    "pmem": "NVM",
    "gpu": "GPUMemory",
    "special": "SPM",
}
# infos that are attributes of their object
_ATTRIBUTES = frozenset({"Subtype", "PCIBusID", "PCISubsystem"})
_SAID = frozenset(
    (
        *("contains", "os_index", "info", "isa", "core_kind", "relative_capacity", "clock_mhz"),
        *("cache_size", "cache_line", "cache_ways", "memory_size", "memory_kind", "memory_tier"),
        *("memory_latency", "memory_bandwidth", "memory_attribute", "page_count", "offline"),
        *("numa_distance", "object_distance", "matrix_meaning", "pci_id", "pci_link_speed"),
        *("bridge_buses", "device_kind", "disallowed"),
    )
)


def write(machine: Machine) -> tuple[str, tuple[str, ...]]:
    """Write the topology, and say what hwloc has no words for."""
    from lxml import etree

    plan = Plan(machine)
    writer = _Writer(machine, plan)
    top = etree.Element("topology", version="2.0")
    writer.add(top, ROOT)
    add_matrices(top, machine, plan)
    add_memory_attributes(top, machine, plan)
    add_core_kinds(top, machine, plan)
    writer.note_unsaid()
    text = etree.tostring(top, pretty_print=True, encoding="unicode")
    return _HEAD + text, tuple(dict.fromkeys(plan.notes))


class _Writer:
    """Writes the objects in the order of the plan."""

    def __init__(self, machine: Machine, plan: Plan) -> None:
        self.machine = machine
        self.plan = plan
        self.infos: dict[str, dict[str, str]] = {}
        for fact in machine.facts_of("info"):
            self.infos.setdefault(str(fact.args[0]), {})[str(fact.args[1])] = str(fact.args[2])
        self.pages: dict[str, list[tuple[int, int]]] = {}
        for fact in machine.facts_of("page_count"):
            row = (int(fact.args[1]), int(fact.args[2]))
            self.pages.setdefault(str(fact.args[0]), []).append(row)

    def add(self, parent: Any, name: str) -> None:
        """Add an object and all below it."""
        from lxml import etree

        attributes, infos = self._described(name)
        element = etree.SubElement(parent, "object", attributes)
        for size, count in sorted(self.pages.get(name, ())):
            etree.SubElement(element, "page_type", size=str(size), count=str(count))
        for key, value in infos.items():
            etree.SubElement(element, "info", name=_clean(key), value=_clean(value))
        for child in self.plan.children(name):
            self.add(element, child)

    def _described(self, name: str) -> tuple[dict[str, str], dict[str, str]]:
        """Return the attributes of an object, in hwloc's order, and its infos."""
        machine, kind = self.machine, kind_of(name)
        infos = dict(self.infos.get(name, {}))
        found = {"type": TYPES[kind]}
        index = self.plan.os_index(name)
        if index is not None:
            found["os_index"] = str(index)
        found |= self._sets(name)
        found["gp_index"] = str(self.plan.gp_index[name])
        if kind == "misc" and "Name" in infos:
            found["name"] = _clean(infos.pop("Name"))
        if kind == "numa":
            self._say_memory(name, infos)
        if name == ROOT and "Architecture" not in infos:
            isa = machine.value("isa", ROOT)
            infos |= {"Architecture": str(isa)} if isa is not None else {}
        if kind in CACHES:
            found |= self._cache(name, kind)
        elif kind == "numa":
            size = machine.value("memory_size", name)
            found |= {} if size is None else {"local_memory": str(size)}
        elif kind in {"bridge", "pci"}:
            found |= pci_attributes(machine, name, infos, self.plan)
        elif kind == "device":
            found |= device_attributes(machine, name, infos, self.plan)
        if "Subtype" in infos:
            found["subtype"] = _clean(infos["Subtype"])
        if kind in {"core", "pu"}:
            # said of the kind of core
            infos.pop("ForcedEfficiency", None)
        return found, {key: value for key, value in infos.items() if key not in _ATTRIBUTES}

    def _sets(self, name: str) -> dict[str, str]:
        plan = self.plan
        if name not in plan.cpusets:
            return {}
        cpuset, nodeset = plan.cpusets[name], plan.nodesets[name]
        found = {"cpuset": hwloc_set(cpuset), "complete_cpuset": hwloc_set(cpuset)}
        if name == ROOT:
            found["complete_cpuset"] = hwloc_set(cpuset | plan.offline("pu"))
            found["allowed_cpuset"] = hwloc_set(cpuset & ~self._disallowed("pu"))
        found |= {"nodeset": hwloc_set(nodeset), "complete_nodeset": hwloc_set(nodeset)}
        if name == ROOT:
            found["complete_nodeset"] = hwloc_set(nodeset | plan.offline("numa"))
            found["allowed_nodeset"] = hwloc_set(nodeset & ~self._disallowed("numa"))
        return found

    def _disallowed(self, kind: str) -> int:
        parts = [str(fact.args[0]) for fact in self.machine.facts_of("disallowed")]
        return bits_of(int(part.partition(":")[2]) for part in parts if kind_of(part) == kind)

    def _cache(self, name: str, kind: str) -> dict[str, str]:
        """Return size, depth, line and ways; hwloc's word for unknown is 0."""
        numbers = [
            int(self.machine.value(predicate, name) or 0)
            for predicate in ("cache_size", "cache_line", "cache_ways")
        ]
        depth, content = CACHES[kind]
        return {
            "cache_size": str(numbers[0]),
            "depth": str(depth),
            "cache_linesize": str(numbers[1]),
            "cache_associativity": str(numbers[2]),
            "cache_type": str(content),
        }

    def _say_memory(self, name: str, infos: dict[str, str]) -> None:
        """Add the words by which hwloc v2 tells kinds and tiers of memory."""
        kind = self.machine.value("memory_kind", name)
        if kind is not None and not {"Subtype", "Type", "DAXType"} & infos.keys():
            infos["Subtype"] = _SUBTYPES[str(kind)]
        tier = self.machine.value("memory_tier", name)
        if tier is not None:
            infos.setdefault("MemoryTier", str(tier))

    def note_unsaid(self) -> None:
        """Note the facts that have no place in the format."""
        machine, notes = self.machine, self.plan.notes
        counts = Counter(fact.predicate for fact in machine.facts)
        left = {name: count for name, count in counts.items() if name not in _SAID}
        if left:
            words = ", ".join(f"{name} ({count})" for name, count in left.items())
            notes.append(f"hwloc XML has no words for these facts, left out: {words}")
        if len(machine.facts_of("isa")) > (machine.value("isa", ROOT) is not None):
            notes.append("hwloc knows one instruction set for the whole machine; others left out")
        if any(self._why(fact.args[1]) for fact in machine.facts_of("disallowed")):
            notes.append("hwloc does not say why a part is not allowed")
        if machine.conflicts():
            notes.append("facts that a stronger source overrules are left out")

    @staticmethod
    def _why(reason: object) -> bool:
        return reason != "not allowed by the exporting process"


def _clean(text: str) -> str:
    """Return a text without the characters that XML cannot hold."""
    return _CONTROL.sub("?", text)

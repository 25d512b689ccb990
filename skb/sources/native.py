"""The native description: TOML that a person writes in ten minutes (docs/design.md).

`[machine]` name, title, clock_mhz, isa and `[machine.sources]`; `[structure] tree` in hwloc's
synthetic notation; `[[part]]` for irregular machines; `[[cache]]`, `[[memory]]`, `[[link]]`,
`[[device]]`, `[[latency]]`, `[[bandwidth]]`, `[[message]]`; and `[facts.SOURCE]` for anything else,
which is also what an export writes. Every entry names its source: a key of `[machine.sources]` or
one of the source words.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from skb.errors import DescriptionError, FactError
from skb.relations import PRECEDENCE, Fact, Value, relations
from skb.sources.description import Description
from skb.sources.native_document import (
    Cache,
    Device,
    Document,
    Entry,
    Head,
    Latency,
    Link,
    Memory,
    Message,
    Part,
    Row,
)
from skb.sources.native_structure import Structure
from skb.sources.toml_limits import parse

FORMAT = "native"
_MARK = re.compile(rb"^[ \t]*\[{1,2}[ \t]*(machine|structure|facts)\b", re.MULTILINE)
_MIB = 1024 * 1024


def recognises(head: bytes) -> bool:
    """Native TOML has a `[machine]`, `[structure]` or `[facts…]` table."""
    return _MARK.search(head) is not None


def read(data: bytes, place: str) -> Description:
    """Read a native description; raises `DescriptionError` with line or path of the fault."""
    try:
        document = msgspec.convert(parse(data, place), Document)
    except msgspec.ValidationError as fault:
        text, _, path = str(fault).partition(" - at ")
        where = path.strip("`").removeprefix("$").removeprefix(".") or "top level"
        raise DescriptionError(
            text, place=f"{place}: {where}", mend="see the native format in the README"
        ) from fault
    facts = _Writer(document, place).facts()
    head = document.machine
    # parts without a tree of PUs are what is written out of a machine that was read in part
    partial = document.structure is None and any(fact.predicate == "contains" for fact in facts)
    return Description(
        head.name, FORMAT, facts, title=head.title, notes=tuple(head.notes), partial=partial
    )


class _Writer:
    """Turns a document into facts."""

    def __init__(self, document: Document, place: str) -> None:
        self.document = document
        self.place = place
        self.found: list[Fact] = []
        self.functions: dict[str, str] = {}
        self.stated: set[tuple[str, str, Value]] = set()

    def facts(self) -> tuple[Fact, ...]:
        document = self.document
        self._structure()
        for number, cache in enumerate(document.cache):
            self._cache(cache, f"cache[{number}]")
        for number, memory in enumerate(document.memory):
            self._memory(memory, f"memory[{number}]")
        for link in document.link:
            self._link(link)
        for device in document.device:
            self._device(device)
        for number, latency in enumerate(document.latency):
            self._latency(latency, f"latency[{number}]")
        for entry in document.bandwidth:
            self._add(entry, "memory_bandwidth", entry.from_, entry.to, entry.access, entry.mib_s)
        for number, message in enumerate(document.message):
            self._message(message, f"message[{number}]")
        self._plain()
        return tuple(self.found)

    def _fault(self, at: str, text: str, mend: str) -> DescriptionError:
        return DescriptionError(text, place=f"{self.place}: {at}", mend=mend)

    def _add(self, entry: Entry | Head, predicate: str, *args: Value, **extra: Any) -> None:
        source, by, when = self._source(entry.source)
        self.found.append(Fact(predicate, args, source, by, when, **extra))

    def _source(self, name: str) -> tuple[str, str, str]:
        known = self.document.machine.sources
        if name in known:
            source = known[name]
            if source.kind not in PRECEDENCE:
                raise self._fault(
                    f"machine.sources.{name}",
                    f"unknown kind {source.kind!r}",
                    f"one of {', '.join(PRECEDENCE)}",
                )
            return source.kind, source.text, source.when
        if name in PRECEDENCE:
            return name, "", ""
        raise self._fault(
            "source",
            f"unknown source {name!r}",
            f"add [machine.sources.{name}] or use one of {', '.join(PRECEDENCE)}",
        )

    def _structure(self) -> None:
        document, head = self.document, self.document.machine
        structure = Structure(self.place)
        if document.structure is not None:
            tree = document.structure
            structure.grow("machine:0", tree.tree, tree.pu_order, "structure.tree")
            self._contain(tree, structure)
        for number, part in enumerate(document.part):
            self._part(part, structure, f"part[{number}]")
        if head.clock_mhz is not None:
            self._add(head, "clock_mhz", "machine:0", head.clock_mhz)
        if head.isa:
            self._add(head, "isa", "machine:0", head.isa)
        self.structure = structure

    def _contain(self, entry: Entry, structure: Structure) -> list[str]:
        fresh = structure.take()
        for parent, child in fresh:
            self._add(entry, "contains", parent, child)
        return [child for _parent, child in fresh]

    def _part(self, part: Part, structure: Structure, at: str) -> None:
        if bool(part.id) == bool(part.tree):
            raise self._fault(at, "give either id or tree", 'tree = "l2:1 core:4 pu:1"')
        if part.id:
            structure.add(part.parent, part.id, at)
        else:
            structure.grow(part.parent, part.tree, "depth-first", f"{at}.tree")
        grown = self._contain(part, structure)
        for name in grown:
            if name.startswith("core:"):
                self._attributes(part, name)
        if part.id and not part.id.startswith("core:"):
            self._attributes(part, part.id)
        if part.os_index is not None:
            self._add(part, "os_index", part.id, part.os_index)

    def _attributes(self, part: Part, name: str) -> None:
        if part.core_kind and name.startswith("core:"):
            self._add(part, "core_kind", name, part.core_kind)
        if part.isa:
            self._add(part, "isa", name, part.isa)
        if part.capacity is not None:
            self._add(part, "relative_capacity", name, part.capacity)
        if part.clock_mhz is not None:
            self._add(part, "clock_mhz", name, part.clock_mhz)

    def _cache(self, cache: Cache, at: str) -> None:
        objects = cache.objects or self.structure.of_kind(cache.level.lower())
        if not objects:
            raise self._fault(at, f"the structure has no {cache.level}", "add it to the tree")
        size = _size(cache.size_bytes, kib=cache.size_kib, mib=cache.size_mib)
        for name in objects:
            for predicate, value in (
                ("cache_size", size),
                ("cache_line", cache.line_bytes),
                ("cache_ways", cache.ways),
            ):
                if value is not None:
                    self._add(cache, predicate, name, value)

    def _memory(self, memory: Memory, at: str) -> None:
        every = self.structure.of_kind("numa")
        if memory.numa is not None:
            wanted = memory.numa if isinstance(memory.numa, list) else [memory.numa]
            nodes = [f"numa:{node}" for node in wanted]
        else:
            nodes = every
        if missing := [node for node in nodes if node not in every]:
            raise self._fault(at, f"the structure has no {missing[0]}", "add it to the tree")
        size = _size(memory.size_bytes, mib=memory.size_mib, gib=memory.size_gib)
        for node in nodes:
            if size is not None:
                self._add(memory, "memory_size", node, size)
            if memory.kind:
                self._add(memory, "memory_kind", node, memory.kind)

    def _link(self, link: Link) -> None:
        ends = [(link.from_, link.to)]
        if not link.one_way:
            ends.append((link.to, link.from_))
        for a, b in ends:
            self._add(link, "link", a, b, link.kind)
            if link.mib_s is not None:
                self._add(link, "link_bandwidth", a, b, link.mib_s)
            latency = self._ns(link.latency_ns, link.cycles, "link")
            if latency is not None:
                self._add(link, "link_latency", a, b, latency)
            if link.width_bits is not None:
                self._add(link, "link_width", a, b, link.width_bits)

    def _device(self, device: Device) -> None:
        name = f"device:{device.name}"
        at = self._function(device) if device.pci else device.at
        self._add(device, "contains", at, name)
        for kind in [device.kind] if isinstance(device.kind, str) else device.kind:
            self._add(device, "device_kind", name, kind)
        if device.speed_mbps is not None:
            self._add(device, "device_speed", name, device.speed_mbps)
        for direction, queues in device.queues.items():
            self._add(device, "device_queues", name, direction, queues)
        if device.isa:
            self._add(device, "programmable", name, device.isa)

    def _function(self, device: Device) -> str:
        """Return the PCI function of a device, which others may share, as ib0 and mlx5_0 do."""
        pci = f"pci:{device.pci}"
        if self.functions.setdefault(pci, device.at) != device.at:
            raise self._fault(
                f"device {device.name}",
                f"{pci} is at {device.at}, but also at {self.functions[pci]}",
                "give devices of one function the same place",
            )
        self._once(device, "contains", device.at, pci)
        if device.link_gbytes_per_s is not None:
            self._once(device, "pci_link_speed", pci, device.link_gbytes_per_s)
        return pci

    def _once(self, entry: Entry, predicate: str, name: str, value: Value) -> None:
        """Add a fact that several entries state alike."""
        if (predicate, name, value) not in self.stated:
            self.stated.add((predicate, name, value))
            self._add(entry, predicate, name, value)

    def _ns(self, latency_ns: float | None, cycles: float | None, at: str) -> float | None:
        if cycles is None:
            return latency_ns
        if latency_ns is not None:
            raise self._fault(at, "both nanoseconds and cycles are given", "give one of them")
        clock = self.document.machine.clock_mhz
        if clock is None:
            raise self._fault(at, "cycles without machine.clock_mhz", "state the clock")
        if not clock > 0:
            raise self._fault("machine.clock_mhz", f"a clock of {clock:g} MHz", "state the clock")
        return cycles * 1000 / clock

    def _latency(self, entry: Latency, at: str) -> None:
        value = self._ns(entry.latency_ns, entry.cycles, at)
        if value is None:
            raise self._fault(at, "no latency is given", "add latency_ns or cycles")
        ways = [bool(entry.within), entry.hops is not None, bool(entry.cache), bool(entry.from_)]
        if sum(ways) != 1:
            raise self._fault(
                at,
                "it is not clear between what",
                "give one of within, hops, cache, or from and to",
            )
        if entry.within:
            self._add(entry, "latency_within", entry.within, value)
        elif entry.hops is not None:
            self._add(entry, "latency_hops", entry.hops, value)
        elif entry.cache:
            self._add(entry, "cache_latency", entry.cache, value)
        elif entry.from_.startswith("device:") or entry.from_.startswith("pci:"):
            self._add(entry, "dma_latency", entry.from_, entry.to, value)
        elif entry.to.startswith("numa:"):
            self._add(entry, "memory_latency", entry.from_, entry.to, entry.access, value)
        else:
            self._add(entry, "latency", entry.from_, entry.to, value)

    def _message(self, entry: Message, at: str) -> None:
        given = False
        pair = entry.from_ != ""
        if pair + bool(entry.within) + (entry.hops is not None) != 1:
            raise self._fault(
                at, "it is not clear between what", "give one of within, hops, or from and to"
            )
        for role in ("send", "receive", "propagation", "gap", "round_trip"):
            value = self._ns(
                getattr(entry, f"{role}_ns"), getattr(entry, f"{role}_cycles"), f"{at}.{role}"
            )
            if value is None:
                continue
            given = True
            tail = (entry.transport, role, value)
            extra = {"samples": entry.samples}
            if entry.within:
                self._add(entry, "message_cost_within", entry.within, *tail, **extra)
            elif entry.hops is not None:
                self._add(entry, "message_cost_hops", entry.hops, *tail, **extra)
            else:
                ends = (_pu(entry.from_), _pu(entry.to))
                self._add(entry, "message_cost", *ends, *tail, **extra)
        if not given:
            raise self._fault(at, "no cost is given", "add send_cycles, receive_cycles, …")

    def _plain(self) -> None:
        for source, predicates in self.document.facts.items():
            kind, by, when = self._source(source)
            for predicate, rows in predicates.items():
                if predicate not in relations():
                    raise FactError(
                        f"unknown predicate {predicate!r}",
                        place=f"{self.place}: facts.{source}",
                        mend="`skb facts --relations` lists the known ones",
                    )
                for row in rows:
                    if isinstance(row, Row):
                        extra = (row.samples, row.spread)
                        self.found.append(Fact(predicate, tuple(row.args), kind, by, when, *extra))
                    else:
                        self.found.append(Fact(predicate, tuple(row), kind, by, when))


def _pu(end: str | int) -> str:
    return f"pu:{end}" if isinstance(end, int) else end


def _size(
    plain: int | None, *, kib: int | None = None, mib: int | None = None, gib: int | None = None
) -> int | None:
    for value, unit in ((plain, 1), (kib, 1024), (mib, _MIB), (gib, 1024 * _MIB)):
        if value is not None:
            return value * unit
    return None

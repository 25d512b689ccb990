"""Addresses that are taken, interrupt wiring, links and message costs out of a Barrelfish file.

Predicates: `usr/acpi/acpi.c`, `acpi_allocators.c` and `usr/skb/measurement/rtt_data.c` of
Barrelfish; `ht_link` and `rootcomplex_addr` are written by hand from a data sheet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from skb.arguments import INTEGER_LIMIT
from skb.relations import Fact, Source
from skb.sources.barrelfish_book import Book, listed
from skb.sources.barrelfish_cpus import Threads
from skb.sources.barrelfish_pci import Tree
from skb.sources.barrelfish_terms import Compound, Term, Text
from skb.sources.hwloc_facts import Collector

_END = re.compile(r"(cpu|mem)(\d{1,6})")
# address space that is free for PCI, and regions whose numbers are no addresses
# a PIC has 16 inputs; an interrupt link of ACPI chooses among few
_CHOICES, _ROUTES = 256, 50_000
_FREE, _MODULES = frozenset({"phyaddr", "empty"}), frozenset({"multiboot_module", "module"})


def state_reserved(book: Book, out: Collector) -> None:
    """State the physical addresses that are taken."""
    known: dict[tuple[int, int, str], bool] = {}
    for row in book.rows("fixed_memory", "ii"):
        low, high = row.values
        if high <= low:
            book.fault("memory ranges of an impossible size were left out", row.text)
        else:
            known.setdefault((low, high - low, "fixed_memory"), True)
    types: dict[int, str] = {}
    for row in book.rows("mem_region_type", "iw"):
        book.settle(types, row.values[0], row.values[1], row.text)
    skipped: dict[str, int] = {}
    for row in book.rows("memory_region", "iiiit"):
        base, bits, size, number, _data = row.values
        what = types.get(number, f"type {number}")
        if what in _FREE | _MODULES:
            skipped[what] = skipped.get(what, 0) + 1
            continue
        if number not in types:
            book.fault(
                "memory regions of a type that no mem_region_type names count as taken", row.text
            )
        if not size or base + size >= INTEGER_LIMIT:
            means = f" although its {bits} bits mean {1 << bits} bytes" if bits < 63 else ""
            book.fault("memory regions of size 0 were left out", row.text + means)
            continue
        if bits and (bits > 62 or size != 1 << bits):
            book.fault("memory regions whose size is not that of their bits; size holds", row.text)
        known.setdefault((base, size, what[:100]), True)
    for base, size, what in known:
        out.claim("reserved_range", "machine:0", base, size, what)
    if skipped:
        told = ", ".join(f"{count} of {what}" for what, count in sorted(skipped.items()))
        out.notes.append(
            f"memory regions that are free address space or no addresses were left out: {told}"
        )


def state_interrupts(book: Book, tree: Tree, out: Collector) -> None:
    """State I/O APICs, overrides, and where the pins of every function of a slot lead."""
    apics: dict[int, tuple[int, int]] = {}
    for row in book.rows("ioapic", "iii"):
        number, base, first = row.values
        if book.settle(apics, number, (base, first), row.text):
            out.claim("ioapic", number, base, first)
    overrides: dict[int, tuple[int, int]] = {}
    for row in book.rows("interrupt_override", "iiii"):
        _bus, irq, gsi, flags = row.values
        if book.settle(overrides, irq, (gsi, flags), row.text):
            out.claim("interrupt_override", irq, gsi, flags)
    choices: dict[str, dict[int, bool]] = {}
    for row in book.rows("pir", "wi"):
        known = choices.setdefault(row.values[0], {})
        if len(known) < _CHOICES or row.values[1] in known:
            known[row.values[1]] = True
        else:
            book.fault(f"interrupts beyond {_CHOICES} choices of one link were left out", row.text)
    _state_routes(book, tree, choices, out)


def _state_routes(
    book: Book, tree: Tree, choices: Mapping[str, Mapping[int, bool]], out: Collector
) -> None:
    empty = []
    said: dict[tuple[str, int, int], bool] = {}
    for row in book.rows("prt", "ait"):
        address, pin, target = row.values
        gsis = _targets(target, choices)
        if pin > 3 or not gsis:
            book.fault("interrupt routes with no pin or no known target were left out", row.text)
            continue
        found = [tree.functions[at] for at in address.functions if at in tree.functions]
        if not found:
            empty.append(f"{address.bus}:{address.slot} pin {pin}")
        routes = {(function.id, pin, gsi): True for function in found for gsi in gsis}
        if len(said) + len(routes) > _ROUTES:
            book.fault(f"interrupt routes beyond {_ROUTES} were left out", row.text)
        else:
            said |= routes
    for function_id, pin, gsi in said:
        out.claim("interrupt_route", function_id, pin, gsi)
    if empty:
        out.notes.append(
            f"interrupt routes of slots in which the file has no function: {listed(empty)}"
        )


def _targets(target: Term, choices: Mapping[str, Mapping[int, bool]]) -> list[int]:
    """Global interrupts behind `gsi(number)`, or behind `pir(name)` by the `pir` facts."""
    if not isinstance(target, Compound) or len(target.args) != 1:
        return []
    inside = target.args[0]
    if target.functor == "gsi" and isinstance(inside, int) and 0 <= inside < INTEGER_LIMIT:
        return [inside]
    if target.functor == "pir":
        name = inside.value if isinstance(inside, Text) else str(inside)
        return list(choices.get(name, {}))
    return []


class Links:
    """Links between packages, memory and root complexes, as `ht_link` gives them."""

    def __init__(self, book: Book, packages: Mapping[int, str], tree: Tree) -> None:
        self.book = book
        self.packages = dict(packages)
        self.tree = tree
        self.pairs: list[tuple[str, str]] = []
        self.memory: dict[int, str] = {}
        self.roots: dict[int, str] = {}
        self.invented: list[int] = []
        self._near: dict[int, set[str]] = {}
        for row in book.rows("ht_link", "ww"):
            ends = [self._end(word) for word in row.values]
            if not all(ends) or ends[0] == ends[1]:
                book.fault("links to a part that no other fact knows were left out", row.text)
            else:
                self.pairs.append((ends[0], ends[1]))
        self._locate()

    def _end(self, word: str) -> str:
        if word in self.tree.names:
            return self.tree.roots[self.tree.names[word]].id
        match = _END.fullmatch(word)
        if match is None:
            return ""
        number = int(match[2])
        if match[1] == "mem":
            return f"numa:{number}"
        if number not in self.packages:
            if self.packages and not self.invented:
                return ""
            self.packages[number] = f"package:{number}"
            self.invented.append(number)
        return self.packages[number]

    def _locate(self) -> None:
        """A root complex or memory is at the one package that it is linked to."""
        beside: dict[str, dict[str, bool]] = {}
        for pair in self.pairs:
            for one, other in (pair, pair[::-1]):
                if other.startswith("package:") and not one.startswith("package:"):
                    beside.setdefault(one, {})[other] = True
        for name, near in beside.items():
            if len(near) == 1:
                holder = next(iter(near))
                number = int(name.partition(":")[2])
                (self.roots if name.startswith("bridge:") else self.memory)[number] = holder

    def state(self, numa: list[int], out: Collector) -> None:
        """State the links, and name those between packages that lack their reverse."""
        for number in self.invented:
            out.say("contains", "machine:0", self.packages[number])
        if self.invented:
            out.notes.append(
                f"packages that only links name have no PUs: {listed(map(str, self.invented), 40)}"
            )
        for number, holder in self.memory.items():
            if number not in numa:
                memory = Fact(
                    "contains", (holder, f"numa:{number}"), Source.DATASHEET.value, out.by
                )
                out.facts.append(memory)
        stated = set(self.pairs)
        known = {f"numa:{number}" for number in (*numa, *self.memory)}
        for first, second in self.pairs:
            if any(end.startswith("numa:") and end not in known for end in (first, second)):
                self.book.fault(
                    "links to a part that no other fact knows were left out", f"{first} -> {second}"
                )
                continue
            args = (first, second, "hypertransport")
            out.facts.append(Fact("link", args, Source.DATASHEET.value, out.by))
        lone = [
            f"{first} -> {second}"
            for first, second in self.pairs
            if (second, first) not in stated
            and first.startswith("package:")
            and second.startswith("package:")
        ]
        if lone:
            out.notes.append(
                f"links that lack their reverse were taken as stated, in one direction: "
                f"{listed(lone, 40)}"
            )


def state_messages(
    book: Book, threads: Threads, clock_mhz: float | None, assumed_mhz: float, out: Collector
) -> None:
    """State the measured round trips; the file has cycles and no clock."""
    clock = clock_mhz or assumed_mhz
    known: dict[tuple[int, int], tuple[int, int]] = {}
    for row in book.rows("message_rtt", "iiiiii"):
        first, second, mean, variance, least, most = row.values
        ends = threads.of_core(first), threads.of_core(second)
        if ends[0] is None or ends[1] is None or ends[0] is ends[1]:
            book.fault("round trips of cores that no other fact knows were left out", row.text)
            continue
        if not mean:
            book.fault("round trips of 0 cycles are taken as not measured", row.text)
            continue
        if not least <= mean <= most:
            book.fault("round trips whose mean is outside their extremes were kept", row.text)
        if not book.settle(known, (first, second), (mean, variance), row.text):
            continue
        pair = (f"pu:{ends[0].number}", f"pu:{ends[1].number}")
        args = (*pair, "cache_line", "round_trip", mean * 1000 / clock)
        spread = variance**0.5 * 1000 / clock
        out.facts.append(Fact("message_cost", args, Source.MEASURED.value, out.by, spread=spread))
    if not known:
        return
    source = Source.DEFAULT if clock_mhz is None else Source.ASSERTED
    out.facts.append(Fact("clock_mhz", ("machine:0", float(clock)), source.value, "--clock-mhz"))
    if clock_mhz is None:
        out.notes.append(
            f"message_rtt is in cycles and the file states no clock: {assumed_mhz:g} MHz is "
            "assumed, so that nanoseconds read as cycles (--clock-mhz states one)"
        )

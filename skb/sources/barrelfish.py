"""Fact files of Barrelfish's system knowledge base: Prolog facts as ECLiPSe keeps them.

Recognised by the predicates, read by `barrelfish_terms`. Barrelfish never declared its predicates,
and its producers changed their arity and meaning over the years; so every fact that is left out,
contradicted or assumed is noted by name. A file may hold PCI alone: it is read as a part of a
machine, to be merged with the rest.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from skb.errors import DescriptionError
from skb.sources.barrelfish_book import Book
from skb.sources.barrelfish_cpus import (
    Thread,
    read_threads,
    state_models,
    state_threads,
    thread_places,
)
from skb.sources.barrelfish_memory import (
    cache_places,
    domain_places,
    read_domains,
    state_domains,
)
from skb.sources.barrelfish_pci import Tree, state_registers
from skb.sources.barrelfish_platform import (
    Links,
    state_interrupts,
    state_messages,
    state_reserved,
)
from skb.sources.barrelfish_terms import read_clauses
from skb.sources.description import Description, TableOptions
from skb.sources.hwloc_facts import Collector
from skb.sources.sysfs_cpus import Nest, Place, nest

FORMAT = "Barrelfish facts"
DEFAULT_CLOCK_MHZ = 1000.0
_NAMES = (
    *("apic", "apic_nmi", "corename", "cpu", "cpu_thread", "cpu_affinity", "memory_affinity"),
    *("node_distance", "cache", "cpu_cache", "cpu_family", "tlb", "associativity_encoding"),
    *("maxstdcpuid", "nr_running_cores", "message_rtt", "ht_link", "rootcomplex_addr"),
    *("rootbridge", "rootbridge_address_window", "bridge", "device", "bar", "ioapic"),
    *("interrupt_override", "prt", "pir", "hpet", "memory_region", "mem_region_type"),
    *("fixed_memory", "dmar", "dmar_drhd", "pci_discovery_done"),
)
# what may stand before the first clause; possessive, so that a head is passed once
_BLANK = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s++|%[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)*+")
_CLAUSE = re.compile(rb"(?::-|\?-)|[a-z]\w*+(?:[({]|\s*+\.(?:\s|%|\Z))")
_KNOWN = re.compile(
    rb"(?:\A|[\n.]|\*/)[ \t]*+(?:" + b"|".join(name.encode() for name in _NAMES) + rb")[(.]"
)


def recognises(head: bytes) -> bool:
    """Whether the text begins with a Prolog clause and has a known predicate as a fact."""
    blank = _BLANK.match(head)
    begin = blank.end() if blank else 0
    return _CLAUSE.match(head, begin) is not None and _KNOWN.search(head[begin:]) is not None


def read(data: bytes, place: str, options: TableOptions | None = None) -> Description:
    """Read a fact file; `options.clock_mhz` turns its cycles into time.

    Raises `DescriptionError` with line and column where it is no Prolog, `TooLargeError` where it
    exceeds the limits of `barrelfish_terms`.
    """
    clock = _clock(options, place)
    clauses = read_clauses(_decode(data, place), place)
    out = Collector(PurePath(place).name or place)
    book = Book(clauses, out)
    threads = read_threads(book, place)
    domains = read_domains(book, threads)
    places = [*thread_places(threads), *cache_places(book, threads)]
    online = 0
    for thread in threads.by_apic.values():
        online |= 1 << thread.number
    found = nest([*places, *domain_places(domains, places, online)], online)
    out.notes += found.notes
    _state_tree(found, out)
    state_threads(book, threads, out)
    state_domains(book, domains, found, out)
    tree = Tree(book, out)
    packages = {p.os_index: p.id for p in found.places if p.kind == "package"}
    links = Links(book, {k: v for k, v in packages.items() if k is not None}, tree)
    state_models(book, threads, lambda thread: _package_of(thread, packages), out)
    links.state(domains.numbers, out)
    tree.state(links.roots)
    tree.state_windows()
    state_registers(book, tree, out)
    state_interrupts(book, tree, out)
    state_reserved(book, out)
    state_messages(book, threads, clock, DEFAULT_CLOCK_MHZ, out)
    if not out.facts:
        raise DescriptionError(
            "no fact of the file describes a part of a machine",
            place=place,
            mend="give the facts themselves, not a program that reads them",
        )
    book.close()
    if not threads.by_apic:
        out.notes.append(
            "the file names no PU: it is a part of a machine, to be merged with a description "
            "that has them"
        )
    return Description("", FORMAT, tuple(out.facts), notes=tuple(out.notes), partial=True)


def _clock(options: TableOptions | None, place: str) -> float | None:
    if options is not None and options.unit == "ns":
        raise DescriptionError(
            "Barrelfish measures in cycles", place=place, mend="leave out --unit; give --clock-mhz"
        )
    return None if options is None else options.clock_mhz


def _decode(data: bytes, place: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        raise DescriptionError(
            f"byte {data[fault.start]:#04x} is no UTF-8 text",
            place=f"{place}:{line}",
            mend="convert the file to UTF-8",
        ) from fault


def _state_tree(found: Nest, out: Collector) -> None:
    """State the parts of the processor side, with their numbers and caches."""
    waiting = [found.root]
    while waiting:
        place = waiting.pop()
        for child in place.children:
            out.say("contains", place.id, child.id)
            _state_place(child, out)
            waiting.append(child)


def _state_place(place: Place, out: Collector) -> None:
    if place.kind in {"package", "core"} and place.os_index is not None:
        out.say("os_index", place.id, place.os_index)
    for predicate, value in (
        ("cache_size", place.size),
        ("cache_line", place.line),
        ("cache_ways", place.ways),
    ):
        if value:
            out.say(predicate, place.id, value)


def _package_of(thread: Thread, packages: dict[int | None, str]) -> str:
    return packages.get(thread.package, "machine:0") if thread.package is not None else "machine:0"

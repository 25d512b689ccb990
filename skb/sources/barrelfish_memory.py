"""NUMA nodes and caches out of a Barrelfish file: ACPI's SRAT and SLIT, and the CPUID leaves.

`cpu_affinity(apic, eid, domain)`, `memory_affinity(base, size, domain)`, `node_distance(from, to,
distance)`; `cache(name, core, level, type, size, ways code, line, lines per tag)` of older files
and `cpu_cache(core, name, level, type, size, ways, line, sharing, inclusive)` of newer ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from skb.arguments import INTEGER_LIMIT
from skb.relations import Fact, Source
from skb.sources.barrelfish_book import Book, listed
from skb.sources.barrelfish_cpus import Label, Thread, Threads, core_label, package_label
from skb.sources.bitmap import NUMBER_LIMIT
from skb.sources.hwloc_facts import Collector
from skb.sources.sysfs_cpus import Nest, Place

_WAYS = {"direct": 1, "full": -1, "disabled": 0, "reserved": 0}
_NO_NODE = "numbers that no NUMA node has were left out"
_TYPES = frozenset({"data", "instruction", "unified"})


@dataclass(slots=True)
class Domains:
    """NUMA nodes by number: their PUs, and the bytes of memory where they are stated."""

    cpusets: dict[int, int] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)

    @property
    def numbers(self) -> list[int]:
        return sorted({*self.cpusets, *self.sizes})


def read_domains(book: Book, threads: Threads) -> Domains:
    """Read the nodes; each PU belongs to one."""
    domains = Domains()
    settled: dict[int, int] = {}
    unknown = []
    for row in book.rows("cpu_affinity", "iii"):
        apic, _eid, number = row.values
        thread = threads.by_apic.get(apic)
        if thread is None:
            unknown.append(str(apic))
        elif number >= NUMBER_LIMIT:
            book.fault(_NO_NODE, row.text)
        elif book.settle(settled, apic, number, row.text):
            domains.cpusets[number] = domains.cpusets.get(number, 0) | 1 << thread.number
    if unknown:
        book.fault(
            "cpu_affinity facts about processors that no other fact knows were left out",
            f"APIC IDs {listed(unknown, 20)}",
        )
    _read_sizes(book, domains)
    return domains


def _read_sizes(book: Book, domains: Domains) -> None:
    ranges = []
    for row in book.rows("memory_affinity", "iii"):
        base, size, number = row.values
        if number >= NUMBER_LIMIT:
            book.fault(_NO_NODE, row.text)
        elif not size or base + size >= INTEGER_LIMIT:
            book.fault("memory ranges of an impossible size were left out", row.text)
        else:
            ranges.append((base, base + size, number, row.text))
    end, before = 0, ""
    for base, high, number, text in sorted(ranges):
        if base < end:
            book.fault("memory ranges that overlap count in full", f"{text} and {before}")
        end, before = (high, text) if high > end else (end, before)
        domains.sizes[number] = domains.sizes.get(number, 0) + high - base


def domain_places(domains: Domains, places: list[Place], online: int) -> list[Place]:
    """Groups for the nodes whose PUs are no other part."""
    sets = {place.cpuset for place in places if place.kind not in {"pu", "core"}} | {online}
    return [
        Place("group", cpuset)
        for cpuset in dict.fromkeys(domains.cpusets.values())
        if cpuset not in sets
    ]


def state_domains(book: Book, domains: Domains, nest: Nest, out: Collector) -> None:
    """State the nodes where their PUs are, their sizes and their distances."""
    lost = []
    holders: dict[int, Place] = {nest.root.cpuset: nest.root}
    for place in nest.places:
        if place.kind != "pu" and holders.get(place.cpuset, nest.root) is nest.root:
            holders[place.cpuset] = place
    for number in domains.numbers:
        name = f"numa:{number}"
        cpuset = domains.cpusets.get(number, 0)
        if cpuset:
            # a node whose PUs are no part of the tree crosses others: it is near all of them
            out.claim("contains", holders.get(cpuset, nest.root).id, name)
        else:
            out.facts.append(Fact("contains", ("machine:0", name), Source.DEFAULT.value, out.by))
            lost.append(name)
        if number in domains.sizes:
            out.claim("memory_size", name, domains.sizes[number])
    if lost:
        out.notes.append(f"no PU is said to be near {listed(lost)}, which hangs at the machine")
    known: dict[tuple[int, int], int] = {}
    for row in book.rows("node_distance", "iii"):
        first, second, distance = row.values
        if first not in domains.numbers or second not in domains.numbers:
            book.fault("distances of NUMA nodes that no other fact knows were left out", row.text)
        elif book.settle(known, (first, second), distance, row.text):
            if first == second and distance != 10:
                book.fault("distances of a node to itself that are not 10 were kept", row.text)
            out.claim("numa_distance", f"numa:{first}", f"numa:{second}", distance)
    uneven = [(a, b) for (a, b), d in known.items() if a < b and known.get((b, a), d) != d]
    for first, second in uneven:
        book.fault("distances that differ by direction were kept", f"{first} and {second}")


@dataclass(frozen=True, slots=True)
class CacheRow:
    """What one PU says about one of its caches; `shared` is None where that is not told."""

    thread: Thread
    level: int
    type: str
    size: int
    ways: int
    line: int
    shared: int | None
    text: str


def read_caches(book: Book, threads: Threads) -> Iterator[CacheRow]:
    """Yield the caches that are there, of the PUs that are there."""
    codes = _ways_codes(book)
    absent: dict[str, int] = {}
    strangers: dict[str, None] = {}
    unknown_codes: dict[str, None] = {}
    for row in book.rows("cache", "wiiwiiii"):
        name, number, level, kind, size, code, line, _lines = row.values
        thread = threads.of_core(number)
        if thread is None:
            strangers.setdefault(str(number))
        elif not size:
            absent[name] = absent.get(name, 0) + 1
        else:
            ways = codes.get((level, code))
            if ways is None:
                unknown_codes.setdefault(f"{code} of level {level}")
            yield CacheRow(thread, level, kind, size, ways or 0, line, None, row.text)
    for row in book.rows("cpu_cache", "iwiwiiiii"):
        number, name, level, kind, size, ways, line, shared, _inclusive = row.values
        thread = threads.of_core(number)
        if thread is None:
            strangers.setdefault(str(number))
        elif not size:
            absent[name] = absent.get(name, 0) + 1
        else:
            yield CacheRow(thread, level, kind, size, ways, line, shared, row.text)
    if strangers:
        book.fault(
            "caches of cores that no apic, cpu_thread, corename or cpu fact knows were left out",
            f"cores {listed(strangers, 40)}",
        )
    for name, count in absent.items():
        book.fault("caches of size 0 are not there", f"{name} ({count} facts)")
    if unknown_codes:
        book.fault(
            "codes of associativity that no associativity_encoding explains were left out",
            listed(unknown_codes),
        )


def _ways_codes(book: Book) -> dict[tuple[int, int], int]:
    """Ways by level and code; -1 is fully associative, 0 none. Several vendors explain nothing."""
    found: dict[tuple[str, int, int], int] = {}
    vendors = set()
    for row in book.rows("associativity_encoding", "wiit"):
        vendor, level, code, meaning = row.values
        ways = meaning if isinstance(meaning, int) else _WAYS.get(str(meaning))
        if ways is None or not -1 <= ways < 1 << 20:
            book.fault("associativities that are no number were left out", row.text)
        elif book.settle(found, (vendor, level, code), ways, row.text):
            vendors.add(vendor)
    if len(vendors) > 1:
        return {}
    return {(level, code): ways for (_vendor, level, code), ways in found.items()}


def cache_places(book: Book, threads: Threads) -> list[Place]:
    """Caches as places to nest, with the sharing that is stated or assumed."""
    rows: dict[tuple[str, int], CacheRow] = {}
    for row in read_caches(book, threads):
        kind = _kind(row)
        if not kind:
            book.fault("caches of a level or type that no machine has were left out", row.text)
            continue
        other = rows.setdefault((kind, row.thread.number), row)
        if (other.size, other.ways, other.line) != (row.size, row.ways, row.line):
            book.fault("facts that contradict an earlier one were left out", row.text)
    found: dict[tuple[str, int], tuple[Place, CacheRow]] = {}
    assumed: dict[str, str] = {}
    sharing = _Sharing(threads)
    for (kind, _number), row in rows.items():
        cpuset, how = sharing.of(row)
        if how:
            assumed.setdefault(f"l{row.level}", how)
        if not cpuset:
            continue
        place = Place(kind, cpuset, None, row.size, row.line, row.ways)
        same, first = found.setdefault((kind, cpuset), (place, row))
        if (same.size, same.line, same.ways) != (place.size, place.line, place.ways):
            book.fault(
                "caches that their PUs describe differently are as the first says",
                f"{row.text} against {first.text}",
            )
    if assumed:
        told = ", ".join(f"{level} {how}" for level, how in sorted(assumed.items()))
        book.out.notes.append(f"the file does not say which cores share a cache; assumed: {told}")
    return [place for place, _row in found.values()]


def _kind(row: CacheRow) -> str:
    """hwloc's kind of a cache; data and instructions of level 2 and above are one cache."""
    if row.type not in _TYPES or not 1 <= row.level <= 5:
        return ""
    if row.level == 1:
        return "l1i" if row.type == "instruction" else "l1d"
    return f"l{row.level}"


class _Sharing:
    """Finds the PUs that share a cache; the sets are made once for each way to share."""

    def __init__(self, threads: Threads) -> None:
        self.threads = threads
        self._sets: dict[object, dict[object, int]] = {}

    def of(self, row: CacheRow) -> tuple[int, str]:
        """Return the PUs, and what was assumed about them; no PUs where nothing tells."""
        one = row.thread
        if row.shared:
            # CPUID gives the largest number of IDs that share: APIC IDs that agree above those bits
            bits = min((row.shared - 1).bit_length(), 63)
            return self._set(bits, lambda t: (t.package, t.apic >> bits), one), ""
        if row.level <= 2:
            if one.core is None:
                return 1 << one.number, "each PU its own"
            return self._set("core", core_label, one), "each core its own"
        if one.package is None:
            return 0, "left out, because no package is known"
        return self._set("package", package_label, one), "one for each package"

    def _set(self, way: object, label: Label, one: Thread) -> int:
        if way not in self._sets:
            self._sets[way] = self.threads.groups(label)
        return self._sets[way].get(label(one), 0)

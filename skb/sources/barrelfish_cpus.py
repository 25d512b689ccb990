"""PUs, cores, packages, NUMA nodes and caches out of a Barrelfish file.

A processor thread is known by its APIC ID. Older files also call that the core's number; newer ones
(those with `cpu_family/5`, `cpu_cache/9` or `vendor/2`) count cores as Barrelfish does, and
`corename(core, isa, apic(id))` tells which is which. The number of a PU is Barrelfish's core number
where `corename` gives every PU one, else its place in the order of the APIC IDs. Predicates:
`usr/acpi/acpi.c`, `usr/kaluga/start_cpu.c`, `usr/skb/measurement/cpuid.c` of Barrelfish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from skb.errors import TooLargeError
from skb.sources.barrelfish_book import Book, listed
from skb.sources.hwloc_facts import Collector, normal_isa
from skb.sources.sysfs_cpus import Place

PU_LIMIT = 8192
_NEWER = (("cpu_family", 5), ("cpu_cache", 9), ("vendor", 2))


@dataclass(slots=True)
class Thread:
    """One PU: its APIC ID, its number, and where `cpu_thread` puts it."""

    apic: int
    number: int = -1
    package: int | None = None
    core: int | None = None
    isa: str = ""


Label: TypeAlias = Callable[[Thread], tuple[object, ...] | None]


@dataclass(slots=True)
class Threads:
    """Every PU by APIC ID, and how the file's core numbers are turned into APIC IDs."""

    by_apic: dict[int, Thread] = field(default_factory=dict)
    apic_of_core: dict[int, int] = field(default_factory=dict)
    by_core: bool = False

    def of_core(self, number: int) -> Thread | None:
        """The PU that a fact of the processor's own registers means by a number."""
        apic = self.apic_of_core.get(number, -1) if self.by_core else number
        return self.by_apic.get(apic)

    def groups(self, label: Label) -> dict[object, int]:
        """Sets of PUs with one label; PUs without a label are in none."""
        found: dict[object, int] = {}
        for thread in self.by_apic.values():
            key = label(thread)
            if key is not None:
                found[key] = found.get(key, 0) | 1 << thread.number
        return found


def read_threads(book: Book, place: str) -> Threads:
    """Read which PUs there are.

    Raises `TooLargeError` where there are more than `PU_LIMIT`.
    """
    threads = Threads()
    enabled, disabled = _read_apics(book)
    isas = _read_names(book, threads)
    rows = list(book.rows("cpu_thread", "iiii"))
    stated = [row.values[0] for row in rows]
    threads.by_core = _counts_cores(book, threads, stated, enabled)
    kept: dict[int, tuple[int, int, int]] = {}
    for row in rows:
        number, *where = row.values
        apic = threads.apic_of_core.get(number, number) if threads.by_core else number
        if apic in disabled:
            book.fault(
                "facts about a processor that its apic fact disables were left out", row.text
            )
        else:
            book.settle(kept, apic, (where[0], where[1], where[2]), row.text)
    known = dict.fromkeys([*enabled, *kept, *isas])
    counted = [row.values[0] for row in book.rows("cpu", "ii")]
    if not known:
        known = dict.fromkeys(
            counted or [row.values[0] for row in book.rows("cpu_affinity", "iii")]
        )
    for apic in isas:
        if apic in disabled:
            book.fault(
                "cores whose processor its apic fact disables were left out", f"apic({apic})"
            )
    found = sorted(apic for apic in known if apic not in disabled)
    if len(found) > PU_LIMIT:
        raise TooLargeError(
            f"the file describes {len(found)} PUs, the limit is {PU_LIMIT}",
            place=place,
            mend="describe one machine per file",
        )
    if enabled and (strangers := [apic for apic in kept if apic not in enabled]):
        book.fault(
            "cpu_thread and apic facts disagree about which processors there are; both were kept",
            f"APIC IDs only in cpu_thread {listed(map(str, strangers))}",
        )
    for apic in found:
        package, core = kept[apic][:2] if apic in kept else (None, None)
        threads.by_apic[apic] = Thread(apic, -1, package, core, isas.get(apic, ""))
    _check_twins(book, kept)
    _number(book, threads)
    strangers = [number for number in counted if threads.of_core(number) is None]
    if strangers:
        book.fault(
            "cpu facts about cores that no apic, cpu_thread or corename fact knows were left out",
            listed(map(str, strangers), 20),
        )
    return threads


def _read_apics(book: Book) -> tuple[dict[int, int], set[int]]:
    """APIC IDs of the enabled processors, and of the disabled ones."""
    known: dict[int, tuple[int, int]] = {}
    for row in book.rows("apic", "iii"):
        processor, apic, enabled = row.values
        book.settle(known, apic, (processor, min(enabled, 1)), row.text)
    enabled = {apic: processor for apic, (processor, on) in known.items() if on}
    return enabled, set(known) - set(enabled)


def _read_names(book: Book, threads: Threads) -> dict[int, str]:
    """Instruction set by APIC ID, from `corename`."""
    isas: dict[int, str] = {}
    cores: dict[int, int] = {}
    for row in book.rows("corename", "iwn"):
        core, isa, apic = row.values
        if core >= PU_LIMIT:
            book.fault("core numbers beyond any machine were left out", row.text)
        elif book.settle(cores, core, apic, row.text) and book.settle(isas, apic, isa, row.text):
            threads.apic_of_core[core] = apic
    return {apic: normal_isa(isa)[:60] for apic, isa in isas.items()}


def _counts_cores(
    book: Book, threads: Threads, stated: Iterable[int], enabled: dict[int, int]
) -> bool:
    """Whether facts out of the processor's registers count cores rather than APIC IDs."""
    cores = threads.apic_of_core
    if not cores:
        return False
    numbers = set(stated)
    apics = set(cores.values()) | set(enabled)
    if any(book.has(*newer) for newer in _NEWER):
        return True
    return bool(numbers) and not numbers <= apics and numbers <= set(cores)


def _check_twins(book: Book, kept: dict[int, tuple[int, int, int]]) -> None:
    places: dict[tuple[int, int, int], int] = {}
    for apic, where in kept.items():
        other = places.setdefault(where, apic)
        if other != apic:
            book.fault(
                "two processors that are said to be the same thread of one core were both kept",
                f"APIC IDs {other} and {apic}",
            )


def _number(book: Book, threads: Threads) -> None:
    core_of = {apic: core for core, apic in threads.apic_of_core.items()}
    ordered = sorted(threads.by_apic)
    named = all(apic in core_of for apic in ordered)
    for rank, apic in enumerate(ordered):
        threads.by_apic[apic].number = core_of[apic] if named else rank
    if core_of and not named:
        book.fault(
            "PUs are numbered in the order of their APIC IDs, because corename leaves some out",
            f"APIC IDs {listed(str(apic) for apic in ordered if apic not in core_of)}",
        )


def thread_places(threads: Threads) -> list[Place]:
    """Packages, cores and PUs as places to nest."""
    places = []
    for key, cpuset in threads.groups(package_label).items():
        assert isinstance(key, tuple)
        places.append(Place("package", cpuset, key[0]))
    for key, cpuset in threads.groups(core_label).items():
        assert isinstance(key, tuple)
        places.append(Place("core", cpuset, key[1]))
    places += [Place("pu", 1 << thread.number) for thread in threads.by_apic.values()]
    return places


def package_label(thread: Thread) -> tuple[int] | None:
    return None if thread.package is None else (thread.package,)


def core_label(thread: Thread) -> tuple[int, int] | None:
    if thread.package is None or thread.core is None:
        return None
    return thread.package, thread.core


def state_threads(book: Book, threads: Threads, out: Collector) -> None:
    """State the APIC ID of every PU and the instruction set, and note what is not known."""
    for thread in threads.by_apic.values():
        out.say("apic_id", f"pu:{thread.number}", thread.apic)
    other = next((t for t in threads.by_apic.values() if t.number != t.apic), None)
    if other is not None and not threads.apic_of_core:
        out.notes.append(
            "the file has APIC IDs, and no numbers of an operating system: PUs are numbered in "
            f"the order of their APIC IDs; APIC ID {other.apic} is pu:{other.number}"
        )
    isas = {thread.isa for thread in threads.by_apic.values()}
    if len(isas) == 1 and (isa := next(iter(isas))):
        out.say("isa", "machine:0", isa)
    elif len(isas) > 1:
        for thread in threads.by_apic.values():
            if thread.isa:
                out.say("isa", f"pu:{thread.number}", thread.isa)
    lone = [t.number for t in threads.by_apic.values() if t.package is None]
    if lone:
        out.notes.append(
            f"no cpu_thread fact says in which package and core {len(lone)} of "
            f"{len(threads.by_apic)} PUs are: {listed(map(str, lone), 12)}"
        )
    for row in book.rows("nr_running_cores", "i"):
        if threads.by_apic and row.values[0] != len(threads.by_apic):
            book.fault(f"the file names {len(threads.by_apic)} PUs, but counts otherwise", row.text)


def state_models(
    book: Book, threads: Threads, part_of: Callable[[Thread], str], out: Collector
) -> None:
    """State vendor, family, model and stepping, once for each package."""
    said: dict[tuple[str, str], str] = {}
    for name, shape, words in (
        ("vendor", "iw", ("CPUVendor",)),
        ("cpu_family", "iwiii", ("CPUVendor", "CPUFamilyNumber", "CPUModelNumber", "CPUStepping")),
    ):
        for row in book.rows(name, shape):
            thread = threads.of_core(row.values[0])
            if thread is None:
                book.fault("facts about cores that no other fact knows were left out", row.text)
                continue
            part = part_of(thread)
            for word, value in zip(words, row.values[1:], strict=True):
                if (part, word) not in said:
                    out.say("info", part, word, str(value)[:200])
                book.settle(said, (part, word), str(value), row.text)

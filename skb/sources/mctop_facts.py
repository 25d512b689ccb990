"""Facts out of the sections of an MCTOP file: structure, memory, caches, power."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from skb.errors import DescriptionError
from skb.relations import Fact, Source, Value
from skb.sources.mctop_structure import Group, Groups
from skb.sources.mctop_text import Line, MctopFile, cells

# the file's GB are 10^9 bytes (`mem_bw_estimate` in mctop's `src/mctop.c`)
_MIB_PER_GB = 1e9 / 2**20
_KIB = 1024
# `mctop_cache_level_t`: level 0 is the first instruction cache
_CACHES = ("l1i", "l1d", "l2", "l3", "l4")
_BANDWIDTH = re.compile(r"Mem_bw(1?)(?:-(READ|WRITE))?")
_POWER = re.compile(r"Power_(?:so[ck]+e?t_(\d{1,6})|total_\d{1,6})_(\w+)")
_CONDITIONS = {
    "idle": "idle",
    "1stcore": "first_core",
    "2ndcore": "second_core",
    "2ndhwc": "second_context",
    "allcor": "all_cores",
    "allhwc": "all_contexts",
}
_DOMAINS = ("cores", "rest", "package", "dram", "total")


class Collected:
    """Facts and notes of one file; `scale` is nanoseconds per cycle, `read` the sections used."""

    def __init__(self, by: str, scale: float) -> None:
        self.by = by
        self.scale = scale
        self.facts: list[Fact] = []
        self.notes: list[str] = []
        self.read: set[str] = set()

    def add(
        self, predicate: str, *args: Value, source: Source = Source.MEASURED, by: str = ""
    ) -> None:
        self.facts.append(Fact(predicate, args, source.value, by or self.by))


def state_tree(file: MctopFile, groups: Groups, out: Collected) -> None:
    """State containment: what the table shows, else PUs under the machine."""
    out.notes += groups.notes
    if file.smt is None:
        out.notes.append("the header does not say whether there is SMT: no cores are read")
    parent = dict.fromkeys(range(file.contexts), "machine:0")
    if groups.nodes:
        number = 0
        for level in groups.outer[::-1]:
            number = _nest(level, "group", number, parent, out)
        _nest(groups.nodes, "package", 0, parent, out)
        for package, node in enumerate(groups.numbers):
            out.add("contains", f"package:{package}", f"numa:{node}")
        for level in groups.inner[::-1]:
            number = _nest(level, "group", number, parent, out)
        _nest(groups.cores, "core", 0, parent, out)
        out.notes.append("packages, nodes and cores are inferred from the latencies of the table")
    for context in range(file.contexts):
        out.add("contains", parent[context], f"pu:{context}")


def _nest(
    level: tuple[Group, ...], kind: str, number: int, parent: dict[int, str], out: Collected
) -> int:
    for index, group in enumerate(level, number):
        out.add("contains", parent[group[0]], f"{kind}:{index}")
        parent.update(dict.fromkeys(group, f"{kind}:{index}"))
    return number + len(level)


def state_memory(
    file: MctopFile,
    latency: NDArray[np.float64],
    groups: Groups,
    place: str,
    out: Collected,
) -> None:
    """State memory latency by PU and package, bandwidth by package and by core."""
    out.read.add("Mem_latencies")
    titles = [title for title in file.sections if _BANDWIDTH.fullmatch(title)]
    out.read.update(titles)
    if not groups.nodes:
        if titles or np.isfinite(latency).any():
            out.notes.append("memory latency and bandwidth are left out: the nodes are not known")
        return
    for context, node in np.argwhere(np.isfinite(latency)).tolist():
        value = float(latency[context, node]) * out.scale
        out.add("memory_latency", f"pu:{context}", f"numa:{node}", "access", value)
    _package_latency(latency, groups, out)
    for title in titles:
        _bandwidth(title, file, groups, place, out)


def _package_latency(latency: NDArray[np.float64], groups: Groups, out: Collected) -> None:
    """Where mctop measured some contexts of a socket only, their median holds for the socket."""
    for package, group in enumerate(groups.nodes):
        rows = latency[list(group)]
        known = np.isfinite(rows)
        for node in range(latency.shape[1]):
            if known[:, node].any() and not known[:, node].all():
                value = float(np.median(rows[known[:, node], node])) * out.scale
                out.add("memory_latency", f"package:{package}", f"numa:{node}", "access", value)


def _bandwidth(title: str, file: MctopFile, groups: Groups, place: str, out: Collected) -> None:
    match = _BANDWIDTH.fullmatch(title)
    assert match is not None
    access = (match[2] or "access").lower()
    sizes = (file.nodes, file.nodes)
    found: dict[tuple[int, int], float] = {}
    for line, socket, node, value in cells(file.sections[title], sizes, place):
        if found.setdefault((socket, node), value) != value:
            raise DescriptionError(
                f"#{title} states {socket} to {node} twice",
                place=f"{place}:{line.number}",
                mend="leave one of them out",
            )
    for (socket, node), value in found.items():
        if not value:
            continue
        package = f"package:{socket}"
        initiators = _one_each(socket, groups) if match[1] else [package]
        for initiator in initiators:
            args = (initiator, f"numa:{node}", access, value * _MIB_PER_GB)
            out.add("memory_bandwidth", *args)
    if unknown := file.nodes**2 - sum(value > 0 for value in found.values()):
        out.notes.append(f"#{title}: {unknown} of {file.nodes**2} numbers are 0 or missing")
    if match[1] and access != "write":
        out.notes.append(
            f"#{title} was measured on one core of each package, not named: it is stated for each "
            "of its cores"
        )


def _one_each(socket: int, groups: Groups) -> list[str]:
    """Return the cores of a package, or its PUs where no cores are known."""
    inside = frozenset(groups.nodes[socket])
    if groups.cores:
        return [f"core:{k}" for k, group in enumerate(groups.cores) if group[0] in inside]
    return [f"pu:{context}" for context in groups.nodes[socket]]


def state_caches(file: MctopFile, place: str, out: Collected) -> None:
    """State latency and size of the cache levels: the system's size and the measured one."""
    out.read.add("Cache_levels")
    for line in file.sections.get("Cache_levels", ()):
        level, latency, stated, measured = _cache(line, place)
        if level >= len(_CACHES):
            out.notes.append(f"line {line.number}: cache level {level} is not known and left out")
            continue
        name = _CACHES[level]
        if stated:
            out.add("cache_level_size", name, stated * _KIB, source=Source.DISCOVERED)
        if name == "l1i":
            # mctop defines neither estimate nor latency of the instruction cache
            continue
        if measured:
            out.add("cache_level_size", name, measured * _KIB)
        if latency:
            out.add("cache_latency", name, latency * out.scale)


def _cache(line: Line, place: str) -> tuple[int, int, int, int]:
    words = line.words
    named = ["Cache_level", "Latency", "SizeOS", "SizeEst"]
    if words[::2] != named or not all(w.isascii() and w.isdigit() for w in words[1::2]):
        raise _broken(line, "a cache level", place)
    if len(words) != 8 or any(len(word) > 12 for word in words[1::2]):
        raise _broken(line, "a cache level", place)
    level, latency, stated, measured = (int(word) for word in words[1::2])
    return level, latency, stated, measured


def state_power(file: MctopFile, groups: Groups, place: str, out: Collected) -> None:
    """State RAPL power by package and in total; of single cores and contexts what they add."""
    out.read.add("Power_measurements")
    dropped = 0
    for line in file.sections.get("Power_measurements", ()):
        words = line.words
        match = _POWER.fullmatch(words[0])
        condition = _CONDITIONS.get(match[2]) if match else None
        if match is None or condition is None or len(words) != 1 + len(_DOMAINS):
            raise _broken(line, "a power measurement", place)
        part = "machine:0" if match[1] is None else f"package:{int(match[1])}"
        if match[1] is not None and int(match[1]) >= len(groups.nodes):
            dropped += 1
            continue
        for domain, word in zip(_DOMAINS, words[1:], strict=True):
            out.add("power_draw", part, condition, domain, _watts(line, word, place))
    if dropped:
        out.notes.append(f"{dropped} power measurements of packages that are not known left out")


def _watts(line: Line, word: str, place: str) -> float:
    try:
        value = float(word)
    except ValueError as fault:
        raise _broken(line, "a power measurement", place) from fault
    if not abs(value) < 1e9:
        raise _broken(line, "a power measurement", place)
    return value


def _broken(line: Line, what: str, place: str) -> DescriptionError:
    return DescriptionError(
        f"{line.text[:60]!r} is no {what}",
        place=f"{place}:{line.number}",
        mend="give the file as mctop wrote it",
    )

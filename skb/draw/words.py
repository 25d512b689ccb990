"""How quantities and parts are written in drawings: short words with their unit."""

from __future__ import annotations

from skb.machine import Machine, index_of, kind_of
from skb.relations import Fact, relations

MEMORY_WORDS = {
    "dram": "DRAM",
    "hbm": "HBM",
    "cxl": "CXL",
    "pmem": "PMem",
    "gpu": "GPU memory",
    "special": "special memory",
}
KIND_WORDS = {
    "package": "Package",
    "die": "Die",
    "group": "Group",
    "core": "Core",
    "pu": "PU",
    "numa": "NUMA",
    "memcache": "Memory cache",
    "bridge": "Bridge",
    "l1d": "L1d",
    "l1i": "L1i",
}
_BINARY = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
LONGEST_NAME = 24


def size_text(size_bytes: float) -> str:
    """Return a byte count with the largest binary unit that keeps it at 1 or more."""
    step = 0
    while size_bytes >= 1024 and step < len(_BINARY) - 1:
        size_bytes /= 1024
        step += 1
    return f"{size_bytes:.4g} {_BINARY[step]}"


def time_text(duration_ns: float) -> str:
    """Return a duration in ns below ten microseconds, else in µs."""
    if duration_ns >= 10_000:
        return f"{duration_ns / 1000:,.1f} µs"
    return f"{duration_ns:,.0f} ns" if duration_ns >= 100 else f"{duration_ns:.3g} ns"


def quantity(value: float, unit: str) -> str:
    """Return a number with its unit, whole from a thousand on; large times per second in ms/s."""
    if unit == "ns/s" and abs(value) >= 1e6:
        value, unit = value / 1e6, "ms/s"
    return f"{value:,.0f} {unit}" if abs(value) >= 1000 else f"{value:.4g} {unit}"


def line_rate(mbps: float) -> str:
    """Return a line rate given in Mb/s."""
    return f"{mbps / 1000:.4g} Gb/s" if mbps >= 1000 else f"{mbps:.4g} Mb/s"


def bandwidth_text(mib_s: float) -> str:
    """Return a bandwidth given in MiB/s."""
    return f"{mib_s / 1024:.3g} GiB/s" if mib_s >= 1024 else f"{mib_s:.4g} MiB/s"


def short(name: str, longest: int = LONGEST_NAME) -> str:
    """Cut a name in its middle, where names of one family differ least."""
    if len(name) <= longest:
        return name
    tail = (longest - 1) // 2
    return f"{name[: longest - 1 - tail]}…{name[-tail:]}"


def object_words(name: str) -> str:
    """Return how a part is called in a drawing: `package:3` is `Package 3`."""
    kind, _, index = name.partition(":")
    if kind in {"pci", "device", "misc"}:
        return index
    return f"{KIND_WORDS.get(kind, kind.upper())} {index}"


def memory_kind(machine: Machine, node: str) -> str:
    return str(machine.value("memory_kind", node) or "dram")


def memory_words(machine: Machine, node: str) -> str:
    """Return number, kind and size of a NUMA node; a kind that nobody stated is left out."""
    stated = machine.value("memory_kind", node)
    size = machine.number("memory_size", node)
    words = [f"NUMA {index_of(node)}"]
    if stated is not None:
        words.append(MEMORY_WORDS.get(str(stated), str(stated)))
    if size is not None:
        words.append(size_text(size))
    return " · ".join(words)


def cache_words(machine: Machine, cache: str, numbered: bool = False) -> str:
    kind = kind_of(cache)
    word = KIND_WORDS.get(kind, kind.upper())
    size = machine.number("cache_size", cache)
    label = f"{word} {index_of(cache)}" if numbered else word
    return f"{label}{' ·' if numbered else ''} {size_text(size)}" if size else label


def fact_words(fact: Fact) -> str:
    """Return a fact as one line for a tooltip: statement, unit, source and who says it."""
    relation = relations()[fact.predicate]
    unit = f" {relation.unit}" if relation.unit else ""
    last = fact.args[-1]
    if relation.unit == "bytes" and isinstance(last, int):
        value, unit = size_text(last), ""
    else:
        value = str(last)
    middle = ", ".join(str(argument) for argument in fact.args[1:-1])
    by = f": {short(fact.by, 70)}" if fact.by else ""
    return f"{fact.predicate}{f' ({middle})' if middle else ''} {value}{unit} [{fact.source}{by}]"

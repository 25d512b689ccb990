"""MCTOP descriptions (`.mct`): measured latencies of contexts, caches, memory and power.

The number of a pair is the time that one context needs for a compare-and-swap on a cache line that
the other holds modified, measured in lock step: one transfer of the line, seen by its receiver
(`crawl` in mctop's `src/mctop.c`). So it is a one-way latency, of a line rather than of a message.
Only the lower context of a pair is timed; the other direction repeats it. Every value is the median
of its cluster. Memory latency is the time of a dependent load, bandwidth is in 10^9 bytes per
second (`mem_bw_estimate`), of all cores of a socket or of one (unnamed) core of it. Sockets are
numbered by their first context, nodes by the operating system. All times are cycles, and the file
states no clock.
"""

from __future__ import annotations

import re
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from skb.errors import DescriptionError
from skb.relations import Source
from skb.sources.description import Description, TableOptions
from skb.sources.mctop_facts import Collected, state_caches, state_memory, state_power, state_tree
from skb.sources.mctop_structure import find_groups
from skb.sources.mctop_text import PAIRS, MctopFile, cells, split
from skb.sources.pair_table import PairTable, check_options, check_size
from skb.sources.table_text import decode
from skb.wording import counted

FORMAT = "MCTOP"
DEFAULT_CLOCK_MHZ = 1000.0
_HEAD = re.compile(rb"^#\S*[ \t]+#HWCs[ \t]+\d", re.MULTILINE)
_NAME = re.compile(r"[^\w.-]+")
# a header that promises far more contexts than the table has would cost memory for nothing
_SURELY_SMALL, _LEAST_SHARE = 256, 16


def recognises(head: bytes) -> bool:
    """The header states the number of hardware contexts."""
    return _HEAD.search(head) is not None


def read(data: bytes, place: str, options: TableOptions | None = None) -> Description:
    """Read an MCTOP file; without a clock, cycles are written as nanoseconds and a note says so.

    Raises `DescriptionError` with the line of the fault.
    """
    options = options or TableOptions()
    check_options(options)
    if options.unit == "ns":
        raise DescriptionError(
            "MCTOP files are in cycles", place=place, mend="leave out --unit; give --clock-mhz"
        )
    if options.structure:
        raise DescriptionError(
            "MCTOP files state their structure", place=place, mend="leave out --structure"
        )
    file = split(decode(data, place), place)
    check_size(file.contexts, 0, place)
    clock = options.clock_mhz or DEFAULT_CLOCK_MHZ
    out = Collected(PurePath(place).name or place, 1000 / clock)
    out.notes += file.notes
    source = Source.DEFAULT if options.clock_mhz is None else Source.ASSERTED
    by = "--clock-mhz" if options.clock_mhz else "no clock in the file"
    out.add("clock_mhz", "machine:0", clock, source=source, by=by)
    if options.clock_mhz is None:
        out.notes.append(
            "the file is in cycles and states no clock: 1000 MHz is assumed, so that nanoseconds "
            "read as cycles (--clock-mhz states one)"
        )
    latency = _pairs(file, place, out)
    memory = _memory_latencies(file, place, out)
    nearest = {
        row: int(np.argmin(values))
        for row, values in enumerate(memory)
        if np.isfinite(values).all()
    }
    groups = find_groups(latency, file.nodes, file.smt, nearest)
    state_tree(file, groups, out)
    state_memory(file, memory, groups, place, out)
    state_caches(file, place, out)
    state_power(file, groups, place, out)
    _note_unknown(file, out)
    name = _NAME.sub("-", file.host).strip("-")
    return Description(name, FORMAT, tuple(out.facts), notes=tuple(out.notes))


def _pairs(file: MctopFile, place: str, out: Collected) -> NDArray[np.float64]:
    """State the latencies of all pairs; return them in cycles, NaN where there is none."""
    size = file.contexts
    found: dict[int, float] = {}
    for line, row, column, value in cells(file.sections[PAIRS], (size, size), place):
        known = found.get(row * size + column)
        if known is not None and known != value:
            raise DescriptionError(
                f"the latency of {row} and {column} is stated twice, {known:g} and {value:g}",
                place=f"{place}:{line.number}",
                mend="leave one of them out",
            )
        found[row * size + column] = value
    if size > _SURELY_SMALL and size * size > _LEAST_SHARE * len(found):
        raise DescriptionError(
            f"the header states {size} contexts, but only {len(found)} of {size * size} pairs "
            "are in the table",
            place=place,
            mend="give the whole file",
        )
    matrix = np.full((size, size), np.nan)
    matrix.flat[list(found)] = list(found.values())
    np.fill_diagonal(matrix, np.nan)
    at, to = np.nonzero(np.isfinite(matrix))
    nothing, none = np.full(len(at), np.nan), np.zeros(len(at), dtype=np.int64)
    every = tuple(range(size))
    table = PairTable(place, every, at, to, matrix[at, to], nothing, none).without_zeros()
    matrix[matrix == 0] = np.nan
    check_size(size, len(table.values), place)
    out.facts += table.facts("latency", (), out.scale)
    out.notes += [*table.notes, *table.missing_note()]
    uneven = int((np.nan_to_num(matrix) != np.nan_to_num(matrix.T)).sum()) // 2
    if uneven:
        out.notes.append(f"{counted(uneven, 'pair')} whose directions differ; both are kept")
    return matrix


def _memory_latencies(file: MctopFile, place: str, out: Collected) -> NDArray[np.float64]:
    """Return memory latency in cycles by context and node, NaN where it is unknown."""
    matrix = np.full((file.contexts, file.nodes), np.nan)
    lines = file.sections.get("Mem_latencies")
    if lines is None:
        return matrix
    for _line, row, column, value in cells(lines, matrix.shape, place):
        matrix[row, column] = value or np.nan
    if unknown := int(np.isnan(matrix).sum()):
        out.notes.append(
            f"{unknown} of {matrix.size} memory latencies are 0 or missing: unknown, not zero"
        )
    return matrix


def _note_unknown(file: MctopFile, out: Collected) -> None:
    known = {PAIRS, *out.read}
    for title in file.sections:
        if title not in known and " of line " not in title:
            out.notes.append(f"the section #{title[:40]} is not known and left out")

"""The table that core-to-core-latency shows while it measures: rows of `mean±deviation` in ns.

The tool prints it on the standard error, with colours, a header row of PU numbers and words around
it (its `run_bench`); a row ends before its diagonal, or leaves the diagonal blank where both
directions were measured. The deviation is that of the mean.
"""

from __future__ import annotations

import re
from itertools import pairwise, takewhile

import numpy as np

from skb.errors import DescriptionError
from skb.sources.pair_table import PairTable, check_size
from skb.sources.table_text import PU_LIMIT, decode

_COLOUR = re.compile(r"\x1b\[[0-9;]{0,20}m")
_HEADER = re.compile(r"\s*\d{1,6}(?:\s+\d{1,6})+\s*")
_ROW = re.compile(r"\s*(\d{1,6})((?:\s+\d{1,12}±\d{1,6})*)\s*")
_CELL = re.compile(r"(\d+)±(\d+)")
_SAMPLES = re.compile(r"num samples:?\s+(\d{1,9})", re.I)


def recognises(lines: list[str]) -> bool:
    """Tell whether some line is a header that a row of the table follows, with a mean in it."""
    clean = [_COLOUR.sub("", line) for line in lines]
    at = _header(clean)
    below = takewhile(_ROW.fullmatch, clean[at + 1 :] if at is not None else ())
    return any("±" in line for line in below)


def _header(lines: list[str]) -> int | None:
    for at, (line, after) in enumerate(pairwise(lines)):
        if _HEADER.fullmatch(line) and (row := _ROW.fullmatch(after)) and row[1] == line.split()[0]:
            return at
    return None


def parse(data: bytes, place: str) -> PairTable:
    """Read the pairs, their deviation and number of samples; a row may end early.

    Raises `DescriptionError` with the line where rows do not follow the header.
    """
    text = decode(data, place)
    lines = [_COLOUR.sub("", line) for line in text.splitlines()]
    at = _header(lines)
    if at is None:
        raise DescriptionError("no table is here", place=place, mend="keep its header row")
    pus = tuple(map(int, lines[at].split()))
    check_size(len(pus), len(pus) * (len(pus) - 1), place)
    if len(set(pus)) < len(pus) or max(pus) >= PU_LIMIT:
        raise DescriptionError(
            "a PU is named twice, or beyond all numbers",
            place=f"{place}:{at + 1}",
            mend=f"name each PU once, below {PU_LIMIT}",
        )
    found: list[tuple[int, int, float, float]] = []
    rows = list(takewhile(lambda line: _ROW.fullmatch(line), lines[at + 1 :]))
    for index, line in enumerate(rows):
        found += _row(line, index, pus, f"{place}:{at + 2 + index}")
    columns = np.array(found, dtype=np.float64).reshape(-1, 4).T
    samples = _SAMPLES.search(text)
    count = int(samples[1]) if samples else 0
    by = place.rpartition("/")[2]
    half = not (columns[1] > columns[0]).any()
    said = [f"{by}: the table as printed is rounded; the tool's --csv has all digits"]
    if half:
        columns = np.hstack((columns, columns[[1, 0, 2, 3]]))
        said.append(f"{by}: one triangle is printed, it holds for both directions")
    at_rows, to = columns[0].astype(np.int64), columns[1].astype(np.int64)
    counts = np.full(len(to), count, dtype=np.int64)
    return PairTable(place, pus, at_rows, to, columns[2], columns[3], counts, tuple(said))


def _row(
    line: str, index: int, pus: tuple[int, ...], where: str
) -> list[tuple[int, int, float, float]]:
    match = _ROW.fullmatch(line)
    if match is None or index >= len(pus) or int(match[1]) != pus[index]:
        raise DescriptionError(
            f"the row of PU {pus[index] if index < len(pus) else '(none)'} was to come here",
            place=where,
            mend="keep rows in the order of the header",
        )
    cells = _CELL.findall(match[2])
    if index < len(cells) != len(pus) - 1:
        raise DescriptionError(
            f"the row has {len(cells)} numbers",
            place=where,
            mend=f"print {index} numbers, or {len(pus) - 1} where both directions were measured",
        )
    columns = [column for column in range(len(pus)) if column != index]
    return [
        (index, column, float(mean), float(deviation))
        for column, (mean, deviation) in zip(columns, cells, strict=False)
    ]

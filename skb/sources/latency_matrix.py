"""Latency matrices as text: row i, column j is the one-way latency from PU i to PU j.

As core-to-core-latency prints them (a compare-and-swap ping-pong, half the round trip, lower
triangle, commas; its table of means and deviations too, `skb.sources.matrix_print`), and as other
tools do: any triangle or both, with or without labels, separated by commas, semicolons, tabs or
blanks. An empty cell was not measured, which is neither zero nor an error. One triangle alone holds
for both directions; of two triangles each direction is kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from skb.errors import DescriptionError
from skb.sources import matrix_print
from skb.sources.description import Description, TableOptions
from skb.sources.latency_description import describe_latency
from skb.sources.matrix_layout import Layout, arrange, is_square_table, looks_like_matrix
from skb.sources.pair_table import PairTable, check_size
from skb.sources.table_text import PU_LIMIT, UNMEASURED, Row, decode, is_number, peek, rows_of
from skb.wording import counted

FORMAT = "latency matrix"
_LABEL = re.compile(r"\D*(\d{1,9})")
_NAMED = 3
_SMALL = 3


def recognises(head: bytes) -> bool:
    """Rows of numbers and empty cells, about as many as columns; two words a row are no matrix."""
    lines = peek(head)
    if lines is None:
        return False
    if matrix_print.recognises(lines):
        return True
    whole = len(head) < 65536
    try:
        rows = rows_of(lines if whole else lines[:-1], "")
    except DescriptionError:
        return False
    if not looks_like_matrix(rows):
        return False
    return len(rows) > _SMALL or is_square_table(lines)


def read(data: bytes, place: str, options: TableOptions | None = None) -> Description:
    """Read a matrix in nanoseconds, or as the options say.

    Raises `DescriptionError` with line and column of the fault.
    """
    advice = "one-way latencies between PUs, from the PU of the row to that of the column"
    return describe_latency(parse(data, place), options or TableOptions(), FORMAT, advice)


def parse(data: bytes, place: str) -> PairTable:
    """Read the pairs of a matrix, in its own unit."""
    if matrix_print.recognises(peek(data[:65536]) or []):
        return matrix_print.parse(data, place)
    rows = rows_of(decode(data, place).splitlines(), place)
    widest = max((len(row.cells) for row in rows), default=0)
    check_size(max(widest, len(rows)) - 1, 0, place)
    layout = arrange(rows, place)
    size = len(layout.rows)
    check_size(size, size * (size - 1), place)
    values = np.array([_values(row, place) for row in layout.rows]).reshape(size, size)
    by = place.rpartition("/")[2]
    pus, notes = _numbers(layout, by)
    if layout.cut:
        notes.append(f"{by}: the empty last column is taken for the end of each row, not for a PU")
    notes += _clear(values, layout.rows, by)
    lower, upper = np.tril(values, -1), np.triu(values, 1)
    if not np.isfinite(values).any():
        raise DescriptionError(
            "no latency is given", place=place, mend="print the latency of at least one pair"
        )
    if not _says(upper) or not _says(lower):
        values = np.where(np.isfinite(values), values, values.T)
        notes.append(f"{by}: one triangle is printed, it holds for both directions")
    else:
        notes += _directions(values, by)
    at, to = np.nonzero(np.isfinite(values))
    nothing = np.full(len(at), np.nan)
    none = np.zeros(len(at), dtype=np.int64)
    return PairTable(place, pus, at, to, values[at, to], nothing, none, tuple(notes))


def _says(triangle: NDArray[np.float64]) -> bool:
    return bool((np.nan_to_num(triangle) > 0).any())


def _values(row: Row, place: str) -> list[float]:
    found = []
    for column, cell in enumerate(row.cells, 1):
        if cell.lower() in UNMEASURED:
            found.append(float("nan"))
            continue
        value = float(cell) if is_number(cell) else -1.0
        if not 0 <= value < 1e15:
            raise DescriptionError(
                f"column {column}: {cell[:40]!r} is no latency",
                place=f"{place}:{row.line}",
                mend="write a number with a decimal point; leave empty what was not measured",
            )
        found.append(value)
    return found


def _numbers(layout: Layout, by: str) -> tuple[tuple[int, ...], list[str]]:
    """Return the OS index of each PU: what its label says, else its place."""
    size = len(layout.rows)
    plain = tuple(range(size))
    if not layout.labels:
        return plain, []
    found = [_LABEL.fullmatch(label) for label in layout.labels]
    numbers = [int(match[1]) for match in found if match]
    if len(set(numbers)) == size and max(numbers) < PU_LIMIT and numbers == sorted(numbers):
        pus = tuple(numbers)
        return pus, [] if pus == plain else [f"{by}: PUs are numbered as its labels say"]
    return plain, [
        f"{by}: labels such as {layout.labels[0][:40]!r} are no PU numbers; PUs count from 0"
    ]


def _clear(values: NDArray[np.float64], rows: Sequence[Row], by: str) -> list[str]:
    """Empty the diagonal and what is 0, and say so."""
    notes = []
    own = np.diagonal(values)
    if (np.nan_to_num(own) > 0).any():
        notes.append(f"{by}: its diagonal (a PU to itself) is left out")
    np.fill_diagonal(values, np.nan)
    zeros = np.argwhere(values == 0)
    if not len(zeros):
        return notes
    values[values == 0] = np.nan
    half = len(values) * (len(values) - 1) // 2
    one_side = len(set(np.sign(zeros[:, 0] - zeros[:, 1]).tolist())) == 1
    if len(zeros) == half and one_side:
        notes.append(f"{by}: one triangle is all 0, read as not printed")
        return notes
    named = [f"line {rows[i].line} column {j + 1}" for i, j in zeros[:_NAMED]]
    more = ", …" if len(zeros) > _NAMED else ""
    notes.append(
        f"{by}: {counted(len(zeros), 'cell')} of 0 off the diagonal left out as not measured "
        f"({', '.join(named)}{more})"
    )
    return notes


def _directions(values: NDArray[np.float64], by: str) -> list[str]:
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.nan_to_num(np.abs(values - values.T) / np.fmin(values, values.T))
    if not apart.any():
        return []
    i, j = np.unravel_index(int(np.argmax(apart)), apart.shape)
    share = f"{apart[i, j]:.0%}" if apart[i, j] < 100 else "more than 100 times"
    return [
        f"{by}: the directions of a pair differ by up to {share} "
        f"({values[i, j]:g} and {values[j, i]:g}); both are kept"
    ]

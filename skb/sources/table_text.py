"""Text tables as strangers write them: their lines, their separators, and what they look like."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from skb.errors import DescriptionError, TooLargeError

PU_LIMIT = 4096
# ordered pairs of one table: twice 384 cores are 589,056
PAIR_LIMIT = 600_000
LINE_LIMIT = 1_200_000
CELL_LIMIT = 2_000_000
# characters in one line: more than the cells of any row need
ROW_LIMIT = 262_144
UNMEASURED = frozenset({"", "nan", "na", "n/a", "-", "--", "none", "null"})
_LONGEST_NUMBER = 100
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: its number in the file, counted from 1, and its cells without blanks."""

    line: int
    cells: tuple[str, ...]


def utf8(data: bytes, place: str, noun: str) -> str:
    """Return the text of a file; raises `DescriptionError` where it is none."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise DescriptionError(
            f"byte {fault.start} is no text", place=place, mend=f"write the {noun} in UTF-8"
        ) from fault


def decode(data: bytes, place: str) -> str:
    """Return the text of a table; raises `DescriptionError` where it is none or too long."""
    text = utf8(data, place, "table")
    if text.count("\n") > LINE_LIMIT:
        raise TooLargeError(
            f"the table has more than {LINE_LIMIT} lines",
            place=place,
            mend=f"describe at most {PAIR_LIMIT} ordered pairs of PUs",
        )
    if max(map(len, text.split("\n"))) > ROW_LIMIT:
        raise TooLargeError(
            f"a line has more than {ROW_LIMIT} characters",
            place=place,
            mend=f"a row has at most {PU_LIMIT} cells",
        )
    return text


def peek(head: bytes) -> list[str] | None:
    """Return the whole lines of a file's beginning, None where it is no plain text."""
    text = head.decode("utf-8-sig", errors="replace")
    if "\x00" in text or "�" in text[:-4] or text.lstrip().startswith(("<", "{", "[")):
        return None
    return text.splitlines()


def is_number(cell: str) -> bool:
    # a number of thousands of digits measures nothing, and backtracking over them takes seconds
    return len(cell) <= _LONGEST_NUMBER and _NUMBER.fullmatch(cell) is not None


def is_measure(cell: str) -> bool:
    """Tell whether a cell holds a number or says that nothing was measured."""
    return cell.lower() in UNMEASURED or is_number(cell)


def delimiter_of(lines: Iterable[str]) -> str | None:
    """Return what separates the cells: comma, semicolon or tab, or None for blanks."""
    seen = [line for line in lines if line.strip() and not line.lstrip().startswith("#")][:50]
    for mark in (",", ";", "\t"):
        if sum(mark in line for line in seen) * 2 > len(seen):
            return mark
    return None


def rows_of(lines: list[str], place: str) -> list[Row]:
    """Split lines into rows; empty lines and comments (`#`) are left out.

    Raises `TooLargeError` where there are too many cells, `DescriptionError` for broken quotes.
    """
    mark = delimiter_of(lines)
    found: list[Row] = []
    count = 0
    for number, cells in _split(lines, mark, place):
        count += len(cells)
        if count > CELL_LIMIT:
            raise TooLargeError(
                f"the table has more than {CELL_LIMIT} cells",
                place=f"{place}:{number}",
                mend=f"describe at most {PAIR_LIMIT} ordered pairs of PUs",
            )
        found.append(Row(number, cells))
    return found


def _split(lines: list[str], mark: str | None, place: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    for number, line in enumerate(lines, 1):
        # a line of tabs alone is a row without measurements, not an empty line
        if not line.strip(" \r" if mark == "\t" else None) or line.lstrip().startswith("#"):
            continue
        if mark is None:
            yield number, tuple(line.split())
        elif '"' not in line:
            yield number, tuple(map(str.strip, line.split(mark)))
        else:
            try:
                cells = next(csv.reader([line], delimiter=mark, strict=True))
            except csv.Error as fault:
                raise DescriptionError(
                    str(fault), place=f"{place}:{number}", mend="mend the quotes"
                ) from fault
            yield number, tuple(map(str.strip, cells))


def near_miss(data: bytes) -> str:
    """Say what a file that no reader takes looks like, where it looks like a table."""
    lines = peek(data[:65536])
    if lines is None:
        return ""
    try:
        rows = rows_of(lines[:1000], "")
    except DescriptionError:
        return ""
    widths = {len(row.cells) for row in rows}
    if len(rows) < 2 or len(widths) != 1 or widths == {1}:
        return ""
    cells = [cell for row in rows[1:] for cell in row.cells[1:]]
    if not any(map(is_number, cells)):
        return ""
    more = "at least " if len(lines) > 1000 or len(data) > 65536 else ""
    if not more and len(rows) in widths:
        for row in rows:
            for column, cell in enumerate(row.cells, 1):
                if cell and not is_measure(cell):
                    return (
                        f"; it is a table of {len(rows)} rows and as many columns, as a latency "
                        f"matrix has, but line {row.line}, column {column} holds {cell[:30]!r}"
                    )
    return (
        f"; it is a table of {more}{len(rows)} rows and {widths.pop()} columns: a latency matrix "
        "has as many rows as columns, a pair list sender, receiver and cost in each line"
    )

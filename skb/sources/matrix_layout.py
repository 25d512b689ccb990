"""How a printed matrix lies on the page: labels, triangles, and the square that they stand for.

Rows may have a header row, an index column, both or neither; a triangle may be padded with empty
cells or end where it ends, with or without the diagonal; each row may end in a separator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from skb.errors import DescriptionError
from skb.sources.table_text import UNMEASURED, Row, is_measure, is_number, rows_of


@dataclass(frozen=True, slots=True)
class Layout:
    """A square of cells by row and column, and the labels of both where they are printed.

    `cut` is true where an empty last column was taken for the end of the rows.
    """

    rows: tuple[Row, ...]
    labels: tuple[str, ...] = ()
    cut: bool = False


def arrange(rows: Sequence[Row], place: str) -> Layout:
    """Find the square that the rows stand for; raises `DescriptionError` with line and mend."""
    if not rows:
        raise DescriptionError("the matrix is empty", place=place, mend="print one row for each PU")
    widths = [len(row.cells) for row in rows]
    if len(set(widths)) == 1:
        return _regular(rows, place)
    wide = widths[1:]
    if len(set(wide)) == 1 and widths[0] == wide[0] - 1 == len(rows) - 1:
        return _named(rows[0].cells, [row.cells[0] for row in rows[1:]], _cut(rows[1:], 1), place)
    step = widths[1] - widths[0]
    if abs(step) == 1 and all(b - a == step for a, b in pairwise(widths)):
        return _staircase(rows, step, place)
    usual = Counter(widths).most_common(1)[0][0]
    odd = next(row for row in rows if len(row.cells) != usual)
    raise DescriptionError(
        f"the row has {len(odd.cells)} columns, the others {usual}",
        place=f"{place}:{odd.line}",
        mend="print the same number of columns in each row, empty where nothing was measured",
    )


def _regular(rows: Sequence[Row], place: str) -> Layout:
    height, width = len(rows), len(rows[0].cells)
    first, side = rows[0].cells, [row.cells[0] for row in rows]
    open_end = not any(row.cells[-1] for row in rows)
    if height == width:
        word = bool(first[0]) and not is_measure(first[0])
        free = word or first[0].lower() in UNMEASURED
        if height > 2 and free and _are_labels(first[1:], word) and _are_labels(side[1:], word):
            return _named(first[1:], side[1:], _cut(rows[1:], 1), place)
        if height > 2 and open_end and _are_labels(first[:-1]):
            return Layout(_cut(rows[1:], 0, 1), first[:-1], cut=True)
        return Layout(tuple(rows))
    if height == width + 1 and width > 1 and _are_labels(first):
        return Layout(tuple(rows[1:]), first)
    if width == height + 1 and height > 1 and _are_labels(side):
        return Layout(_cut(rows, 1), tuple(side))
    # one column too many, or two where the first one is an index
    beyond = width - height - _are_labels(side)
    if open_end and width > 2 and beyond == 1:
        return replace(_regular(_cut(rows, 0, 1), place), cut=True)
    raise DescriptionError(
        f"the table has {height} rows and {width} columns",
        place=place,
        mend="a latency matrix has one row and one column for each PU",
    )


def _named(top: Sequence[str], side: Sequence[str], rows: tuple[Row, ...], place: str) -> Layout:
    if list(top) != list(side):
        at = next(k for k, (a, b) in enumerate(zip(top, side, strict=True)) if a != b)
        raise DescriptionError(
            f"the row is named {side[at][:40]!r}, its column {top[at][:40]!r}",
            place=f"{place}:{rows[at].line}",
            mend="name rows and columns alike, in one order",
        )
    return Layout(rows, tuple(top))


def _staircase(rows: Sequence[Row], step: int, place: str) -> Layout:
    """Fill a triangle whose rows end where it ends; the diagonal is there if it is empty or 0."""
    height = len(rows)
    labels: tuple[str, ...] = ()
    if step > 0 and height > 2 and _are_labels(side := [row.cells[0] for row in rows]):
        labels, rows = tuple(side), _cut(rows, 1)
    sizes = [len(row.cells) for row in rows]
    least = min(sizes)
    if least > 1 or (least == 0 and not labels):
        raise DescriptionError(
            f"the rows have {sizes[0]} to {sizes[-1]} columns",
            place=f"{place}:{rows[0].line}",
            mend="print the same number of columns in each row, empty where nothing was measured",
        )
    ends = [row.cells[-1 if step > 0 else 0] for row in rows if row.cells]
    diagonal = least == 1 and all(is_nothing(cell) for cell in ends)
    size = height if diagonal or least == 0 else height + 1
    if step > 0:
        filled = [Row(r.line, (*r.cells, *("",) * (size - len(r.cells)))) for r in rows]
        blank = Row(rows[0].line, ("",) * size)
        return Layout((*[blank] * (size - height), *filled), labels)
    filled = [Row(r.line, (*("",) * (size - len(r.cells)), *r.cells)) for r in rows]
    return Layout((*filled, *[Row(rows[-1].line, ("",) * size)] * (size - height)))


def _cut(rows: Sequence[Row], left: int, right: int = 0) -> tuple[Row, ...]:
    return tuple(Row(row.line, row.cells[left : len(row.cells) - right]) for row in rows)


def _are_labels(cells: Sequence[str], any_numbers: bool = False) -> bool:
    """Tell whether cells name PUs: words, or numbers that count up from 0 or 1."""
    if not all(cells) or len(set(cells)) < len(cells):
        return False
    if not any(is_measure(cell) for cell in cells):
        return True
    if not all(cell.isascii() and cell.isdigit() and len(cell) < 10 for cell in cells):
        return False
    numbers = [int(cell) for cell in cells]
    begin = numbers[0]
    return any_numbers or (begin in {0, 1} and numbers == [*range(begin, begin + len(cells))])


def is_nothing(cell: str) -> bool:
    """Tell whether a cell says 0 or that nothing was measured."""
    return cell.lower() in UNMEASURED or (is_number(cell) and float(cell) == 0)


def is_square_table(lines: list[str]) -> bool:
    """Tell whether lines are a whole matrix: a diagonal of nothing, or the same mirrored."""
    try:
        cells = [row.cells for row in arrange(rows_of(lines, ""), "").rows]
    except DescriptionError:
        return False
    size = len(cells)
    if size < 2 or any(len(row) != size for row in cells):
        return False
    if all(is_nothing(cells[k][k]) for k in range(size)):
        return True
    return size > 2 and all(cells[i][j] == cells[j][i] for i in range(size) for j in range(i))


def looks_like_matrix(rows: Sequence[Row]) -> bool:
    """Tell whether the first rows of a table are those of a matrix, maybe with faults in it."""
    if len(rows) < 2:
        return False
    widths = Counter(len(row.cells) for row in rows)
    width, often = widths.most_common(1)[0]
    grows = len(widths) == len(rows) > 2
    if not grows and (width < 2 or often < 0.8 * (len(rows) - 1) or len(rows) > width + 2):
        return False
    words = sum(bool(row.cells) and not is_measure(row.cells[0]) for row in rows[1:])
    named = words * 2 > len(rows)
    cells = [cell for row in rows[1:] for cell in row.cells[named:]]
    if not any(map(is_number, cells)):
        cells += rows[0].cells
    right = sum(map(is_measure, cells))
    return any(map(is_number, cells)) and right >= 0.9 * len(cells)

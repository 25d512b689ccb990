"""Packing: boxes side by side in grids of the best shape, strips above them, chips beside them.

All coordinates are in drawing units (1 unit = 1 pixel at scale 1).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from skb.machine import kind_of

CHARACTER = 0.58
TEXT, SMALL = 11.0, 10.0
GAP = 6.0
STRIP_GAP = 2.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle for one part; children lie inside it and do not overlap.

    `role` is frame, strip, tile, chip or fold; `header` the height kept for the label at the top;
    `hides` the parts that a fold or a collapsed frame stands for.
    """

    name: str
    role: str
    w: float
    h: float
    label: str = ""
    note: str = ""
    variant: str = ""
    header: float = 0.0
    x: float = 0.0
    y: float = 0.0
    children: tuple[Box, ...] = ()
    hides: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return kind_of(self.name)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.x + self.w / 2, self.y + self.h / 2)

    def walk(self) -> Iterator[Box]:
        """Yield this box and all boxes inside it, outer ones first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def placed(self, x: float, y: float) -> Box:
        """Return the box with absolute coordinates, children given relative to their parent."""
        inner = tuple(child.placed(x + child.x, y + child.y) for child in self.children)
        return replace(self, x=x, y=y, children=inner)


def text_width(words: str, size: float = TEXT) -> float:
    return math.ceil(len(words) * size * CHARACTER) + 10.0


def _sizes(cells: Sequence[Box], columns: int) -> tuple[list[float], list[float]]:
    """Return the widths of the columns and the heights of the rows of a grid."""
    widths = [max(cell.w for cell in cells[c::columns]) for c in range(min(columns, len(cells)))]
    heights = [
        max(cell.h for cell in cells[start : start + columns])
        for start in range(0, len(cells), columns)
    ]
    return widths, heights


def best_columns(cells: Sequence[Box], target: float, gap: float) -> int:
    """Return the number of columns whose grid is nearest to the target aspect ratio and full."""
    best, best_score = 1, math.inf
    for columns in range(1, min(len(cells), 64) + 1):
        widths, heights = _sizes(cells, columns)
        width = sum(widths) + gap * (len(widths) - 1)
        height = sum(heights) + gap * (len(heights) - 1)
        free = len(widths) * len(heights) - len(cells)
        score = math.log(width / height / target) ** 2 + 4.0 * free / len(cells)
        if score < best_score - 1e-9:
            best, best_score = columns, score
    return best


def packed(cells: Sequence[Box], target: float, gap: float) -> tuple[list[Box], float, float]:
    """Place cells in rows of equal columns; return them with the grid's width and height."""
    if not cells:
        return [], 0.0, 0.0
    columns = best_columns(cells, target, gap)
    widths, heights = _sizes(cells, columns)
    placed = []
    for place, cell in enumerate(cells):
        row, column = divmod(place, columns)
        x = sum(widths[:column]) + gap * column
        y = sum(heights[:row]) + gap * row
        placed.append(replace(_stretched(cell, widths[column], heights[row]), x=x, y=y))
    width = sum(widths) + gap * (len(widths) - 1)
    return placed, width, sum(heights) + gap * (len(heights) - 1)


def assembled(
    frame: Box,
    strips: Sequence[Sequence[Box]],
    grid: tuple[list[Box], float, float],
    chips: Sequence[Box],
    pad: float,
    chips_first: bool,
) -> Box:
    """Stack header, strips, grid and chips, and return the frame around them.

    `chips_first` puts the devices beside the memory, where buffers are drawn.
    """
    cells, grid_w, grid_h = grid
    strips_w = max(
        (sum(s.w for s in row) + STRIP_GAP * (len(row) - 1) for row in strips), default=0
    )
    header_w = max(
        text_width(frame.label, 13.0), text_width(frame.note, TEXT) if frame.note else 0.0
    )
    chip_w = max((chip.w for chip in chips), default=0.0)
    inner_w = max(grid_w, strips_w, chip_w, header_w - pad if frame.header else 0.0)
    y = frame.header + pad / 2 if frame.header else pad
    placed: list[Box] = []
    beside, beside_h = _chip_rows(chips, inner_w)
    if chips and chips_first:
        placed += [replace(chip, x=pad + chip.x, y=y + chip.y) for chip in beside]
        y += beside_h + GAP
    for row in strips:
        placed += _stretched_row([replace(strip, y=y) for strip in row], pad, inner_w)
        y += max(strip.h for strip in row) + STRIP_GAP
    y += STRIP_GAP if strips and cells else 0.0
    shift = pad + (0.0 if frame.kind == "machine" else (inner_w - grid_w) / 2)
    placed += [replace(cell, x=shift + cell.x, y=y + cell.y) for cell in cells]
    y += grid_h
    if chips and not chips_first:
        y += GAP if placed else 0.0
        placed += [replace(chip, x=pad + chip.x, y=y + chip.y) for chip in beside]
        y += beside_h
    return replace(frame, w=inner_w + 2 * pad, h=y + pad, children=tuple(placed))


def _stretched_row(strips: Sequence[Box], x: float, width: float) -> list[Box]:
    """Return the strips of one row, side by side, widened to fill it."""
    free = (width - sum(s.w for s in strips) - STRIP_GAP * (len(strips) - 1)) / len(strips)
    placed = []
    for strip in strips:
        placed.append(replace(strip, x=x, w=strip.w + free))
        x += strip.w + free + STRIP_GAP
    return placed


def _chip_rows(chips: Sequence[Box], width: float) -> tuple[list[Box], float]:
    """Place chips of one width in as many columns as fit; return them with their height."""
    if not chips:
        return [], 0.0
    wide = max(chip.w for chip in chips)
    columns = max(1, int((width + 4.0) // (wide + 4.0)))
    wide = min((width - 4.0 * (columns - 1)) / columns, wide * 1.6)
    placed = [
        replace(c, w=wide, x=(i % columns) * (wide + 4.0), y=(i // columns) * (c.h + 4.0))
        for i, c in enumerate(chips)
    ]
    return placed, math.ceil(len(chips) / columns) * (chips[0].h + 4.0) - 4.0


def _stretched(box: Box, w: float, h: float) -> Box:
    """Return a frame grown to its slot: strips widen, the rest stays in the middle."""
    free = w - box.w
    if box.role != "frame" or (free < 0.01 and h - box.h < 0.01):
        return box
    rows: dict[float, list[Box]] = {}
    for child in box.children:
        if child.role == "strip":
            rows.setdefault(child.y, []).append(child)
    placed: list[Box] = []
    for child in box.children:
        if child.role == "strip":
            row = rows.pop(child.y, [])
            width = sum(s.w for s in row) + STRIP_GAP * (len(row) - 1) + free
            placed += _stretched_row(row, row[0].x, width) if row else []
        else:
            placed.append(replace(child, x=child.x + (0.0 if child.role == "chip" else free / 2)))
    return replace(box, w=w, h=h, children=tuple(placed))

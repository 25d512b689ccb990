"""The address map of a pci decision: windows of host bridges, what lies in them, and what is free.

Widths grow with the logarithm of the bytes, so that a page is seen beside a window of gigabytes;
windows of bridges are stacked by how deep they are nested.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log2
from typing import Annotated

import msgspec

from skb.draw.style import STYLE
from skb.draw.svg import document, element, label, rectangle, tooltip
from skb.draw.words import short, size_text

Address = Annotated[int, msgspec.Meta(ge=0)]
WIDTH, MARGIN, ROW, GAP = 1000.0, 16.0, 34.0, 46.0
LETTER = 6.2  # width of a letter of the small text
LEAST, MOST_WIDTH = 4.0, 6000.0
PAGE = 4096
MOST = 400
"""Stretches that are drawn at the most; what lies behind them is told as one."""
_SWATCHES = (
    ("package", "window of a host bridge"),
    ("strip cache", "window of a bridge"),
    ("tile", "register"),
    ("strip hbm", "prefetchable register"),
    ("strip cxl", "pinned register"),
    ("group", "room for hot-plug"),
)


class Row(msgspec.Struct):
    """What has a place on the map."""

    space: str
    base: Address
    size: Address
    bridge: str = ""
    pci: str = ""
    bar: int = 0
    was: int | None = None
    pinned: bool = False

    @property
    def end(self) -> int:
        return self.base + self.size

    @property
    def io(self) -> bool:
        return self.space == "io"


class Root(msgspec.Struct):
    """A window of a host bridge."""

    bridge: str
    spaces: list[str]
    base: Address
    size: Address
    used: Address
    padding: int


class Answer(msgspec.Struct):
    """The part of an answer that is drawn."""

    registers: list[Row]
    windows: list[Row]
    room: list[Row]
    roots: list[Root]


@dataclass(frozen=True, slots=True)
class Piece:
    """Something on the map: begin and end, how deep, its css class, lines and its tooltip."""

    low: int
    high: int
    depth: int
    css: str
    words: tuple[str, ...]
    more: str


def draw(told: object, title: str, lines: Sequence[str]) -> str | None:
    """Return the map of an answer with lines of the legend below it, each an SVG element at its
    origin; None where the answer has no map.
    """
    try:
        answer = msgspec.convert(told, Answer)
    except msgspec.ValidationError:
        return None
    body: list[str] = []
    top, width = MARGIN + 14, WIDTH
    for root in answer.roots:
        if root.used:
            part, height, wide = _root(root, answer)
            body.append(element("g", {"transform": f"translate({MARGIN} {top:.1f})"}, *part))
            top += height + GAP
            width = max(width, wide + 2 * MARGIN)
    rows = [_legend(), *lines]
    for row in rows:
        body.append(element("g", {"transform": f"translate({MARGIN} {top:.1f})"}, row))
        top += 20
    return document(width, top + MARGIN, title, "skb over", STYLE, *body)


def _legend() -> str:
    parts, x = [], 0.0
    for css, words in _SWATCHES:
        parts.append(element("g", {"class": css}, rectangle(x, -10, 13, 13, 2)))
        parts.append(label(x + 18, 0.5, words, ""))
        x += 34 + len(words) * 6.4
    return element("g", {}, *parts)


def _root(root: Root, answer: Answer) -> tuple[list[str], float, float]:
    """Return what is drawn for a window of a host bridge, its height and its width."""
    io = "io" in root.spaces
    base, used = root.base, root.used
    pieces = [
        piece
        for piece in _pieces(answer, io)
        if base <= piece.low < base + used and piece.high <= base + used
    ]
    edges = sorted({base, base + used, *(edge for p in pieces for edge in (p.low, p.high))})
    hidden = len(edges) - 1 > MOST
    if hidden:
        edges = [*edges[:MOST], edges[-1]]
        pieces = [piece for piece in pieces if piece.high <= edges[-2]]
    at = _places(edges, pieces)
    deepest = max((piece.depth for piece in pieces), default=0)
    height = ROW * (deepest + 1) + 12
    wide = at[base + used]
    words = (
        f"{root.bridge} at {base:#x}: {size_text(used)} of {size_text(root.size)} taken,"
        f" {size_text(root.padding)} of them empty"
    )
    parts = [label(0, -6, words, "heading")]
    parts.append(element("g", {"class": "package"}, rectangle(0, 0, wide, height)))
    parts += [_box(piece, at, deepest) for piece in sorted(pieces, key=lambda p: p.depth)]
    if hidden:
        parts.append(label(wide, height + 14, "… and more", "note", "end"))
    parts.append(label(0, height + 14, f"{base:#x}", "note"))
    parts.append(label(wide, height + 14, f"{base + used:#x}", "note", "end"))
    return parts, height, wide


def _places(edges: Sequence[int], pieces: Sequence[Piece]) -> dict[int, float]:
    """Return where each address lies; names fit in what is drawn, as far as there is room."""
    widths = [LEAST + 7 * log2(1 + (high - low) / PAGE) for low, high in pairwise(edges)]
    at = {edge: n for n, edge in enumerate(edges)}
    for piece in pieces:
        first, last = at[piece.low], at[piece.high]
        if last == first + 1:
            widths[first] = max(widths[first], max(map(len, piece.words)) * LETTER + 10)
    total = sum(widths)
    scale = max(1.0, (WIDTH - 2 * MARGIN) / total)
    if total > MOST_WIDTH:
        scale = MOST_WIDTH / total
    places, x = {edges[0]: 0.0}, 0.0
    for edge, width in zip(edges[1:], widths, strict=True):
        x += width * scale
        places[edge] = x
    return places


def _box(piece: Piece, at: Mapping[int, float], deepest: int) -> str:
    x, end = at[piece.low] + 1, at[piece.high] - 1
    y = 6 + ROW * piece.depth
    # a register reaches down to the last row, a window only holds what is below it
    height = ROW * (deepest - piece.depth + 1) - 4
    room = int((end - x - 6) / LETTER)
    words = [
        label(x + 4, y + 12 + 12 * at_line, short(line, room), "small")
        for at_line, line in enumerate(piece.words)
        if room > 3
    ]
    box = rectangle(x, y, max(end - x, 1.0), height, 2)
    return element("g", {"class": piece.css}, box, *words, tooltip(piece.more))


def _pieces(answer: Answer, io: bool) -> Iterator[Piece]:
    windows = [row for row in answer.windows if row.io == io]
    for row in windows:
        low, high = row.base, row.end
        words = f"{row.bridge} {row.space}"
        more = f"{words}: {size_text(row.size)} at {low:#x}"
        outer = _holding(windows, low, high) - 1
        twins = windows.index(row)
        # of two windows with the same addresses the outer one is the one that was stated first
        same = [n for n, w in enumerate(windows) if (w.base, w.size) == (low, row.size)]
        yield Piece(
            low, high, outer - len(same) + 1 + same.index(twins), "strip cache", (words,), more
        )
    for row in answer.registers:
        if row.io == io:
            low, high = row.base, row.end
            name = row.pci.removeprefix("pci:").removeprefix("0000:")
            lines = (f"{name} bar {row.bar}", size_text(row.size))
            css = "strip hbm" if row.space == "prefetchable" else "tile"
            css = "strip cxl" if row.pinned else css
            was = "" if row.was in (None, low) else f", was at {row.was:#x}"
            depth = _holding(windows, low, high)
            yield Piece(low, high, depth, css, lines, f"{', '.join(lines)} at {low:#x}{was}")
    for row in answer.room:
        if row.io == io:
            low, high = row.base, row.end
            lines = ("room", size_text(row.size))
            more = f"room of {lines[1]} behind {row.bridge} at {low:#x}"
            yield Piece(low, high, _holding(windows, low, high), "group", lines, more)


def _holding(windows: Sequence[Row], low: int, high: int) -> int:
    """Return how many windows hold a stretch of addresses."""
    return sum(row.base <= low and high <= row.end for row in windows)

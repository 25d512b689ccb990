"""Charts of simulations: a frame with two axes, lines that colour-blind readers tell apart.

A line has a colour of Okabe and Ito, a dash pattern, a mark of its own shape, and a row in the
legend; no meaning hangs on colour alone. The rules of `skb.draw.style` hold here too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from skb.draw.style import STYLE
from skb.draw.svg import Point, clean, document, element, label, number, rectangle, tooltip
from skb.draw.words import short

LINES = 8
TICKS = 6
FAR_APART = 100.0  # from this ratio on each number of an axis has a letter of its own
LOGARITHMIC = 30.0  # above this ratio of largest to smallest, steps of ten are easier to read
CHARACTER = 6.4  # width of one at 11 pixels, roughly

_LINES_LIGHT = (
    *("#0072b2", "#d55e00", "#009e73", "#b0528c"),
    *("#8a6500", "#2b8fc4", "#16202b", "#7a828a"),
)
_LINES_DARK = (
    *("#62b1f5", "#ff8a3d", "#2fcf9f", "#e79cc6"),
    *("#e6b04a", "#8fd3f7", "#e8eef4", "#9aa5b0"),
)
DASHES = ("", "7 3", "2 3", "9 3 2 3", "", "7 3", "2 3", "9 3 2 3")


def _rules(lines: Sequence[str], grid: str, ink: str, paper: str) -> str:
    rules = (
        f".skb .open{{fill:{paper}}}"
        f".skb .grid{{stroke:{grid};stroke-width:1}}.skb .axis{{stroke:{ink};stroke-width:1.2}}"
        ".skb .curve{fill:none;stroke-width:2}.skb .mark{stroke-width:1.4}"
        f".skb .busy>rect{{stroke:{ink};stroke-width:.5}}.skb .way{{fill:none;stroke-width:1.5}}"
    )
    for at, colour in enumerate(lines):
        rules += f".skb .line{at}{{stroke:{colour}}}.skb .fill{at}{{fill:{colour};stroke:{colour}}}"
    return rules


_DARK = _rules(_LINES_DARK, "#2a3540", "#8494a4", "#10161d")
CHART_STYLE = (
    STYLE
    + _rules(_LINES_LIGHT, "#e1e7ed", "#5d6b79", "#ffffff")
    + f"@media (prefers-color-scheme:dark){{{_DARK}}}"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: its name and its points, ascending in x; `steps` are drawn level."""

    name: str
    points: tuple[Point, ...]
    steps: bool = False
    marks: bool = True


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers from `least` to `most` on pixels from `begin` to `end`, even or by ratio."""

    least: float
    most: float
    begin: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Return the pixel of a number."""
        if self.logarithmic:
            share = math.log(value / self.least) / math.log(self.most / self.least)
        else:
            share = (value - self.least) / (self.most - self.least)
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> list[float]:
        """Return round numbers along the scale."""
        if self.logarithmic:
            return _ratios(self.least, self.most)
        step = _step((self.most - self.least) / TICKS)
        first = math.ceil(self.least / step - 1e-9)
        count = math.floor(self.most / step + 1e-9) - first + 1
        return [(first + at) * step for at in range(count)]


def scale(
    values: Iterable[float],
    begin: float,
    end: float,
    *,
    zero: bool = False,
    tight: bool = False,
    ratio: float = LOGARITHMIC,
) -> Scale:
    """Return a scale for finite numbers: from 0 where asked or natural, by ratio where far apart.

    A scale from 0 is never by ratio, nor is one of numbers that are not all positive. A tight one
    ends with the largest number, another with the next round one.
    """
    found = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    least, most = min(found), max(found)
    if not zero and least > 0 and most / least >= ratio:
        return Scale(least, most, begin, end, logarithmic=True)
    least = min(0.0, least) if zero or least < 0.4 * most else least
    if most <= least:
        most, least = (least + 1.0, least) if least == 0 else (least * 1.05, least * 0.95)
    if tight:
        return Scale(least, most, begin, end)
    step = _step((most - least) / TICKS)
    most = math.ceil(most / step - 1e-9) * step
    return Scale(math.floor(least / step + 1e-9) * step, most, begin, end)


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * each for each in (1, 2, 5, 10) if power * each >= rough * (1 - 1e-9))


def _ratios(least: float, most: float) -> list[float]:
    """Return ticks of a scale by ratio: powers of ten, with 2 and 5 where they are few."""
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    few = len(powers) <= 4
    steps = (1, 2, 5) if few else (1,)
    every = [each * 10.0**power for power in powers for each in steps]
    return [tick for tick in every if least * (1 - 1e-9) <= tick <= most * (1 + 1e-9)]


def tick_words(ticks: Sequence[float]) -> list[str]:
    """Write the numbers of an axis, large ones with a letter as SI has it: k, M, G."""
    largest = max(map(abs, ticks), default=0.0)
    least = min((abs(tick) for tick in ticks if tick), default=0.0)
    if least and largest >= FAR_APART * least:
        return [word for tick in ticks for word in tick_words([tick])]
    for size, divisor, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if largest >= size:
            return [f"{tick / divisor:g}{letter if tick else ''}" for tick in ticks]
    return [f"{tick:.6g}" for tick in ticks]


def time_axis(across: Scale, top: float, bottom: float) -> str:
    """Return the axis below tracks in ns, and its grid."""
    parts = []
    for tick, words in zip(across.ticks(), tick_words(across.ticks()), strict=True):
        x = across.at(tick)
        parts.append(_path(f"M{x:.1f} {bottom:.1f}V{top:.1f}", "grid"))
        parts.append(label(x, bottom + 15, words, "small", "middle"))
    middle = (across.begin + across.end) / 2
    return "".join(parts) + label(middle, bottom + 33, "time, ns", "sub", "middle")


@dataclass(frozen=True, slots=True)
class Frame:
    """The rectangle in which lines are drawn, its scales, and ticks at other places than round."""

    x: Scale
    y: Scale
    at_x: tuple[float, ...] = ()

    def drawn(self, across: str, up: str) -> str:
        """Return grid, axes, ticks and what the axes mean, units included."""
        left, right, bottom, top = self.x.begin, self.x.end, self.y.begin, self.y.end
        parts = []
        for tick, words in zip(self.y.ticks(), tick_words(self.y.ticks()), strict=True):
            y = self.y.at(tick)
            parts.append(_path(f"M{left:.1f} {y:.1f}H{right:.1f}", "grid"))
            parts.append(label(left - 6, y + 3.5, words, "small", "end"))
        ticks = self.at_x or self.x.ticks()
        for tick, words in zip(ticks, tick_words(ticks), strict=True):
            x = self.x.at(tick)
            parts.append(_path(f"M{x:.1f} {bottom:.1f}V{top:.1f}", "grid"))
            parts.append(label(x, bottom + 15, words, "small", "middle"))
        corner = f"M{left:.1f} {top:.1f}V{bottom:.1f}H{right:.1f}"
        parts.append(_path(corner, "axis curve"))
        parts.append(label((left + right) / 2, bottom + 32, across, "sub", "middle"))
        parts.append(label(left - 44, top - 10, up, "sub"))
        return "".join(parts)

    def line(self, line: Line, place: int) -> str:
        """Return one line in the look of its place."""
        look = place % LINES
        points = [(self.x.at(x), self.y.at(y)) for x, y in line.points]
        if not points:
            return ""
        way = f"M{number(points[0][0])} {number(points[0][1])}"
        for x, y in points[1:]:
            way += f"H{number(x)}V{number(y)}" if line.steps else f"L{number(x)} {number(y)}"
        drawn = element(
            "path", {"class": f"curve line{look}", "d": way, "stroke-dasharray": DASHES[look]}
        )
        marks = points if line.marks else []
        return element(
            "g",
            {"data-line": line.name},
            tooltip(line.name),
            drawn,
            *(mark(x, y, place) for x, y in marks),
        )


def _path(way: str, css: str) -> str:
    return element("path", {"class": css, "d": way})


def mark(x: float, y: float, place: int, size: float = 3.6) -> str:
    """Return the mark of a place: circle, square, triangle or diamond, hollow from the ninth on."""
    hollow, look = (place // LINES) % 2, place % LINES
    css: dict[str, str | float] = {
        "class": f"mark line{look} open" if hollow else f"mark fill{look}"
    }
    if look % 4 == 0:
        return element("circle", {**css, "cx": x, "cy": y, "r": size})
    shapes: dict[int, list[Point]] = {
        1: [(-1, -1), (1, -1), (1, 1), (-1, 1)],
        2: [(0, -1.2), (1.1, 0.9), (-1.1, 0.9)],
        3: [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
    }
    corners = [(x + size * dx, y + size * dy) for dx, dy in shapes[look % 4]]
    points = " ".join(f"{number(a)},{number(b)}" for a, b in corners)
    return element("polygon", {**css, "points": points})


def legend(names: Sequence[str], x: float, y: float, width: float) -> tuple[str, float]:
    """Return the rows of a legend that is so wide, and its height."""
    parts, at, row = [], x, y
    for place, name in enumerate(names):
        words = short(clean(name), 48)
        wide = 40 + CHARACTER * len(words)
        if at > x and at + wide > x + width:
            at, row = x, row + 18
        look = place % LINES
        sample = element(
            "path",
            {
                "class": f"curve line{look}",
                "d": f"M{number(at)} {number(row)}h24",
                "stroke-dasharray": DASHES[look],
            },
        )
        parts += [sample, mark(at + 12, row, place), label(at + 29, row + 3.8, words, "")]
        at += wide
    return "".join(parts), row - y + 18


def chart(title: str, sub: str, width: float, height: float, *inner: str) -> str:
    """Return a whole drawing with its title and a line below it."""
    head = [
        label(16, 26, short(clean(title), 110), "name"),
        label(16, 44, short(clean(sub), 150), "sub"),
    ]
    return document(width, height, title, "skb", CHART_STYLE, *head, *inner)


def slice_box(x: float, y: float, w: float, h: float, look: int, words: str, name: str = "") -> str:
    """Return a filled box in a fill colour of `skb.draw.style`: a tooltip, a name if it fits."""
    box = rectangle(x, y, max(w, 0.6), h, 0.0)
    fits = name if len(name) * CHARACTER < w else ""
    inner = label(x + w / 2, y + h - 3.5, fits, "small", "middle") if fits else ""
    return element("g", {"class": f"busy task{look % LINES}"}, tooltip(words), box, inner)

"""A time line per PU: when each was busy, and with which kind of message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skb.draw.simulation_axes import (
    CHARACTER,
    LINES,
    chart,
    scale,
    slice_box,
    time_axis,
)
from skb.draw.svg import clean, element, label, number
from skb.draw.words import short

WIDTH, LEFT, RIGHT, ROW = 1040.0, 74.0, 24.0, 18.0
MOST_PUS, MOST_SLICES = 64, 4000
PS_PER_NS = 1000
OTHERS = "others"

Row = tuple[int, int, int, int, int, int]
"""(start, end in picoseconds, PU or cache line, kind, operation, source)."""


def timeline_svg(
    title: str,
    rows: Sequence[Row],
    names: Mapping[int, str],
    domains: Sequence[Sequence[int]] = (),
) -> str:
    """Draw the first rows of a run, a track per PU in the order of the domains; axis in ns.

    What is left out, because it is too much for a drawing, is said.
    """
    shown, pus, note = selected(rows, domains)
    looks = kind_looks(shown, names)
    key, tall = kinds_legend(looks, 16.0, 64.0, WIDTH - 32)
    top = 78.0 + tall
    bottom = top + ROW * len(pus)
    times = [time / PS_PER_NS for begin, end, *_ in shown for time in (begin, end)]
    across = scale(times, LEFT, WIDTH - RIGHT, tight=True)
    parts = [key, time_axis(across, top, bottom)]
    for at, pu in enumerate(pus):
        parts.append(label(LEFT - 8, top + ROW * at + 12.5, track_name(pu), "small", "end"))
        line = f"M{LEFT:.1f} {top + ROW * (at + 1):.1f}H{WIDTH - RIGHT:.1f}"
        parts.append(element("path", {"class": "grid", "d": line}))
    place = {pu: at for at, pu in enumerate(pus)}
    for begin, end, pu, kind, operation, source in shown:
        name = names.get(kind, f"kind {kind}")
        words = f"{name}, operation {operation}, from {track_name(source)}, at {track_name(pu)}: "
        words += f"{number(begin / PS_PER_NS)} to {number(end / PS_PER_NS)} ns"
        x, wide = across.at(begin / PS_PER_NS), across.at(end / PS_PER_NS)
        y = top + ROW * place[pu] + 2
        look = looks[name if name in looks else OTHERS]
        parts.append(slice_box(x, y, wide - x, ROW - 4, look, words, name))
    return chart(title, f"what each PU is busy with{note}", WIDTH, bottom + 46, *parts)


def selected(
    rows: Sequence[Row], domains: Sequence[Sequence[int]]
) -> tuple[list[Row], list[int], str]:
    """Return the rows that are drawn, their PUs in the order of the domains, and what is not."""
    known = {row[2] for row in rows}
    ordered = [pu for domain in domains for pu in domain if pu in known]
    ordered += sorted(known - set(ordered), key=lambda pu: (pu < 0, abs(pu)))
    pus = ordered[:MOST_PUS]
    kept = set(pus)
    inside = sorted(row for row in rows if row[2] in kept)
    shown = inside[:MOST_SLICES]
    left_out = []
    if len(pus) < len(ordered):
        left_out.append(f"the first {len(pus)} of {len(ordered)} PUs")
    if len(shown) < len(inside):
        left_out.append(f"the first {len(shown)} of {len(inside)} slices")
    return shown, pus, f"; {', '.join(left_out)}" if left_out else ""


def track_name(pu: int) -> str:
    """Return how a node is called: cache lines are numbered from -1 down."""
    return f"PU {pu}" if pu >= 0 else f"line {-pu - 1}"


def kind_looks(rows: Sequence[Row], names: Mapping[int, str]) -> dict[str, int]:
    """Give each kind of message that occurs a look; what comes after the seventh shares one."""
    found: dict[str, int] = {}
    for _, _, _, kind, _, _ in rows:
        name = names.get(kind, f"kind {kind}")
        if name not in found and len(found) < LINES - 1:
            found[name] = len(found)
        elif name not in found:
            found[OTHERS] = LINES - 1
    return found


def kinds_legend(looks: Mapping[str, int], x: float, y: float, width: float) -> tuple[str, float]:
    """Return a legend of filled boxes, and its height."""
    parts, at, row = [], x, y
    for name, look in looks.items():
        words = short(clean(name), 40)
        wide = 34 + CHARACTER * len(words)
        if at > x and at + wide > x + width:
            at, row = x, row + 18
        parts += [slice_box(at, row - 6, 13, 12, look, ""), label(at + 18, row + 4, words, "")]
        at += wide
    return "".join(parts), row - y + 14

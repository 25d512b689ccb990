"""Throughput and latency against a number that was varied: two charts over the same axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skb.draw.simulation_axes import Frame, Line, chart, legend, scale

WIDTH = 820.0
LEFT, RIGHT, PANEL, BETWEEN = 78.0, 24.0, 190.0, 58.0
FAR, MOST_PLACES = 7.0, 12

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def load_svg(title: str, sub: str, across: str, along: str, rows: Rows) -> str:
    """Draw rows with `throughput_per_s`, `mean_ns` and maybe `p99_ns`, a line for each name.

    `along` is the key of the number that was varied and `across` says what it is.
    """
    key, tall = legend(list(rows), 16.0, 66.0, WIDTH - 32)
    panels = [
        ("throughput, operations per second", "throughput_per_s"),
        ("mean latency, ns", "mean_ns"),
        ("99th percentile of latency, ns", "p99_ns"),
    ]
    shown = [panel for panel in panels if _has(rows, panel[1])]
    parts, top = [key], 94.0 + tall
    for words, name in shown:
        parts.append(_panel(rows, along, name, (across, words), top))
        top += PANEL + BETWEEN + 12
    return chart(title, sub, WIDTH, top, *parts)


def _has(rows: Rows, name: str) -> bool:
    return any(row.get(name) is not None for line in rows.values() for row in line)


def _panel(rows: Rows, along: str, name: str, words: tuple[str, str], top: float) -> str:
    lines = [
        Line(
            each,
            tuple(
                (float(row[along]), float(row[name])) for row in line if row.get(name) is not None
            ),
        )
        for each, line in rows.items()
    ]
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    places = tuple(sorted(set(xs)))
    frame = Frame(
        scale(xs, LEFT, WIDTH - RIGHT - 8, tight=True, ratio=FAR),
        scale(ys, top + PANEL, top),
        places if 0 < len(places) <= MOST_PLACES else (),
    )
    drawn = [frame.line(line, at) for at, line in enumerate(lines)]
    return frame.drawn(*words) + "".join(drawn)

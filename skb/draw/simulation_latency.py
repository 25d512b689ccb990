"""Latency of simulated operations: which share of them ends within which time, a line per run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skb.draw.simulation_axes import Frame, Line, chart, legend, scale

WIDTH, HEIGHT = 820.0, 486.0
LEFT, RIGHT, TOP, BOTTOM = 70.0, 24.0, 112.0, 60.0
MOST_POINTS = 400
PS_PER_NS = 1000


def latency_svg(title: str, sub: str, runs: Mapping[str, Sequence[int]]) -> str:
    """Draw the distribution of latencies in picoseconds, by name of the run; axes in ns and %."""
    lines = [_line(name, sorted(latencies)) for name, latencies in runs.items()]
    key, tall = legend([line.name for line in lines], LEFT, 66.0, WIDTH - LEFT - RIGHT)
    top = TOP + tall - 18
    xs = [x for line in lines for x, _ in line.points]
    across = scale(xs, LEFT, WIDTH - RIGHT, tight=True)
    bottom = HEIGHT - BOTTOM + tall - 18
    up = scale((0.0, 100.0), bottom, top, zero=True)
    frame = Frame(across, up)
    parts = [frame.drawn("latency of an operation, ns", "operations that have ended, %"), key]
    parts += [frame.line(line, at) for at, line in enumerate(lines)]
    return chart(title, sub, WIDTH, HEIGHT + tall - 18, *parts)


def _line(name: str, ordered: Sequence[int]) -> Line:
    """Return the steps of a distribution, at most so many."""
    count = len(ordered)
    if not count:
        return Line(name, ())
    stride = max(1, count // MOST_POINTS)
    picked = [*range(stride - 1, count - 1, stride), count - 1]
    points = [(ordered[0] / PS_PER_NS, 0.0)]
    points += [(ordered[at] / PS_PER_NS, 100.0 * (at + 1) / count) for at in picked]
    return Line(name, tuple(points), steps=True, marks=count <= 8)

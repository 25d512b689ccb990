"""A space-time diagram: a line per PU, an arrow per message from when it was sent to its receipt.

The diagram of L. Lamport, "Time, clocks, and the ordering of events in a distributed system",
Communications of the ACM 21(7), 1978, with time to the right. Drawn from a run of a protocol, it
is that protocol's message diagram.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulator.flights import Flight
from skb.draw.simulation_axes import (
    DASHES,
    LINES,
    Scale,
    chart,
    legend,
    scale,
    slice_box,
    time_axis,
)
from skb.draw.simulation_timeline import OTHERS, PS_PER_NS, Row, kind_looks, selected, track_name
from skb.draw.svg import Point, arrow_head, element, label, number, tooltip

WIDTH, LEFT, RIGHT, TRACK = 1040.0, 74.0, 24.0, 52.0
BUSY = 9.0
MOST_ARROWS = 600


def space_time_svg(
    title: str,
    rows: Sequence[Row],
    flights: Sequence[Flight],
    names: Mapping[int, str],
    domains: Sequence[Sequence[int]] = (),
    operations: Sequence[int] = (),
) -> str:
    """Draw the messages of some operations (all where none is named); axis in ns.

    A box on the line of a PU is the time for which it is busy with a message.
    """
    wanted = set(operations)
    mine = [row for row in rows if not wanted or row[4] in wanted]
    shown, pus, note = selected(mine, domains)
    arrows = [
        flight
        for flight in flights
        if flight.source in pus and flight.target in pus
        and (not wanted or flight.operation in wanted)
    ]  # fmt: skip
    if len(arrows) > MOST_ARROWS:
        note += f"; the first {MOST_ARROWS} of {len(arrows)} messages"
    arrows = arrows[:MOST_ARROWS]
    looks = kind_looks([rows[arrow.row] for arrow in arrows], names)
    key, tall = legend(list(looks), 16.0, 66.0, WIDTH - 32)
    top = 84.0 + tall
    times = [time / PS_PER_NS for begin, end, *_ in shown for time in (begin, end)]
    times += [arrow.sent_ps / PS_PER_NS for arrow in arrows]
    across = scale(times, LEFT + 8, WIDTH - RIGHT - 8, tight=True)
    line = {pu: top + TRACK * (at + 0.5) for at, pu in enumerate(pus)}
    parts = [key, _ground(across, line, top), *_boxes(shown, names, across, line)]
    parts += [_arrow(each, rows[each.row], names, looks, across, line) for each in arrows]
    told = "one arrow per message, boxes where a PU is busy"
    return chart(title, f"{told}{note}", WIDTH, top + TRACK * len(pus) + 44, *parts)


def _ground(across: Scale, line: Mapping[int, float], top: float) -> str:
    """Return the axis, its grid, and a named line per PU."""
    bottom = top + TRACK * len(line)
    parts = [time_axis(across, top, bottom)]
    for pu, y in line.items():
        parts.append(label(LEFT - 8, y + 4, track_name(pu), "", "end"))
        way = f"M{LEFT:.1f} {y:.1f}H{WIDTH - RIGHT:.1f}"
        parts.append(element("path", {"class": "axis", "d": way}))
    return "".join(parts)


def _boxes(
    rows: Sequence[Row], names: Mapping[int, str], across: Scale, line: Mapping[int, float]
) -> list[str]:
    found = []
    for begin, end, pu, kind, operation, _ in rows:
        x, wide = across.at(begin / PS_PER_NS), across.at(end / PS_PER_NS)
        words = f"{names.get(kind, f'kind {kind}')}, operation {operation}, {track_name(pu)}: "
        words += f"{number(begin / PS_PER_NS)} to {number(end / PS_PER_NS)} ns"
        found.append(slice_box(x, line[pu] - BUSY / 2, wide - x, BUSY, LINES - 1, words))
    return found


def _arrow(
    flight: Flight,
    row: Row,
    names: Mapping[int, str],
    looks: Mapping[str, int],
    across: Scale,
    line: Mapping[int, float],
) -> str:
    """Return the arrow of a message, at the edges of the boxes that it joins."""
    name = names.get(row[3], f"kind {row[3]}")
    look = looks[name if name in looks else OTHERS]
    down = 1 if line[flight.target] > line[flight.source] else -1
    start: Point = (
        across.at(flight.sent_ps / PS_PER_NS),
        line[flight.source] + down * BUSY / 2,
    )
    tip: Point = (
        across.at(flight.heard_ps / PS_PER_NS),
        line[flight.target] - down * BUSY / 2,
    )
    words = f"{name}, operation {flight.operation}: {track_name(flight.source)} "
    words += f"{number(flight.sent_ps / PS_PER_NS)} ns → {track_name(flight.target)} "
    words += f"{number(flight.heard_ps / PS_PER_NS)} ns"
    way = f"M{start[0]:.1f} {start[1]:.1f}L{tip[0]:.1f} {tip[1]:.1f}"
    drawn = element(
        "path", {"class": f"way line{look}", "d": way, "stroke-dasharray": DASHES[look]}
    )
    head = arrow_head(tip, start, 7.0).replace('class="head"', f'class="fill{look}"')
    ends = {"data-from": str(flight.source), "data-to": str(flight.target), "data-kind": name}
    return element("g", {"class": "message", **ends}, tooltip(words), drawn, head)

"""Arrows between the edges of boxes."""

from __future__ import annotations

import math
from collections.abc import Mapping

from skb.draw.packing import Box
from skb.draw.svg import Point, arrow_head, curve, element, label, tooltip

LARGEST_BEND = 44.0
DENSE_SENDS = 100

Attributes = Mapping[str, str | float]


def between(a: Box, b: Box, bend: float) -> tuple[str, Point, Point]:
    """Return path, control point and tip of an arrow between the edges of two boxes."""
    length = math.dist(a.centre, b.centre)
    _path, control = curve(a.centre, b.centre, min(bend, LARGEST_BEND / max(length, 1.0)))
    start, tip = centre_edge(a, control), centre_edge(b, control)
    points = [f"{value:.1f}" for value in (*start, *control, *tip)]
    return "M{} {}Q{} {} {} {}".format(*points), control, tip


def centre_edge(box: Box, toward: Point) -> Point:
    """Return where the ray from the centre of a box to a point leaves the box."""
    (cx, cy), (dx, dy) = box.centre, (toward[0] - box.centre[0], toward[1] - box.centre[1])
    reach = max(abs(dx) / (box.w / 2), abs(dy) / (box.h / 2))
    return (cx, cy) if reach <= 1 else (cx + dx / reach, cy + dy / reach)


def on_curve(start: Point, control: Point, end: Point, t: float) -> Point:
    """Return the point of a quadratic curve at a share of its way."""
    near, middle, far = (1 - t) ** 2, 2 * t * (1 - t), t**2
    return (
        near * start[0] + middle * control[0] + far * end[0],
        near * start[1] + middle * control[1] + far * end[1],
    )


def hop(a: Box, b: Box, bend: float, attributes: Attributes, words: str, head: float = 9.0) -> str:
    """Return an arrow with a halo and a tooltip; `attributes` are more than from where to where."""
    path, control, tip = between(a, b, bend)
    return element(
        "g",
        {"class": "hop", **attributes, "data-from": a.name, "data-to": b.name},
        tooltip(words),
        element("path", {"class": "halo", "d": path}),
        element("path", {"class": "send", "d": path}),
        arrow_head(tip, control, head),
    )


def numbered(a: Box, b: Box, order: int, total: int, attributes: Attributes, words: str) -> str:
    """Return the arrow of one send of `total`: slim where they are dense, else with its number in
    the order of its sender, if that is not 0.
    """
    path, control, tip = between(a, b, 0.14)
    dense = total > DENSE_SENDS
    inner = [tooltip(words)]
    if not dense:
        inner.append(element("path", {"class": "halo", "d": path}))
    inner += [
        element("path", {"class": "send", "d": path}),
        arrow_head(tip, control, 5.0 if dense else 8.0),
    ]
    if order and not dense:
        start = centre_edge(a, control)
        along = 0.62 if math.dist(start, tip) > 60 else 0.5
        x, y = on_curve(start, control, tip, along)
        inner.append(element("circle", {"class": "badge", "cx": x, "cy": y, "r": 6.5}))
        inner.append(label(x, y + 3.2, str(order), "count"))
    ends = {"data-from": a.name, "data-to": b.name}
    return element("g", {"class": "hop", **attributes, **ends}, *inner)

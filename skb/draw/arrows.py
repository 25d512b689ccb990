"""Arrows between the edges of boxes."""

from __future__ import annotations

import math

from skb.draw.packing import Box
from skb.draw.svg import Point, curve

LARGEST_BEND = 44.0


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

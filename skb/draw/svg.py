"""Writing SVG: elements with escaped attributes and text, never from raw strings."""

from __future__ import annotations

import math
import re
from xml.sax.saxutils import escape, quoteattr

# What XML 1.0 cannot carry at all, escaped or not.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """Replace what XML cannot carry by the replacement character."""
    return _FORBIDDEN.sub("�", text)


def number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if value else "0"


def element(tag: str, attributes: dict[str, str | float], *inner: str) -> str:
    """Return an element; `inner` is made of elements and of text that went through `text`."""
    words = "".join(
        f" {name}={quoteattr(clean(value) if isinstance(value, str) else number(value))}"
        for name, value in attributes.items()
        if value != ""
    )
    return f"<{tag}{words}>{''.join(inner)}</{tag}>" if inner else f"<{tag}{words}/>"


def text(words: str) -> str:
    """Return text as element content."""
    return escape(clean(words))


def label(x: float, y: float, words: str, css: str, anchor: str = "") -> str:
    """Return one line of text at its baseline."""
    attributes: dict[str, str | float] = {"class": css, "x": x, "y": y, "text-anchor": anchor}
    return element("text", attributes, text(words))


def rectangle(x: float, y: float, w: float, h: float, radius: float = 3.0, css: str = "") -> str:
    return element("rect", {"class": css, "x": x, "y": y, "width": w, "height": h, "rx": radius})


def tooltip(words: str) -> str:
    return element("title", {}, text(words)) if words else ""


def document(w: float, h: float, title: str, css: str, style: str, *inner: str) -> str:
    """Return a whole SVG document with its style sheet inside."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class={quoteattr(css)} role="img"'
        f' viewBox="0 0 {number(w)} {number(h)}" width="{number(w)}" height="{number(h)}">'
    )
    return f"{head}{tooltip(title)}<style>{escape(style)}</style>{''.join(inner)}</svg>"


Point = tuple[float, float]


def curve(start: Point, end: Point, bend: float) -> tuple[str, Point]:
    """Return a path that bends off the straight line by a share of its length, and its control."""
    (x1, y1), (x2, y2) = start, end
    control = ((x1 + x2) / 2 + bend * (y2 - y1), (y1 + y2) / 2 - bend * (x2 - x1))
    points = (number(value) for value in (*start, *control, *end))
    return "M{} {}Q{} {} {} {}".format(*points), control


def arrow_head(tip: Point, control: Point, length: float) -> str:
    """Return the triangle at the end of a curve."""
    angle = math.atan2(tip[1] - control[1], tip[0] - control[0])
    sides = [
        (tip[0] - length * math.cos(angle + turn), tip[1] - length * math.sin(angle + turn))
        for turn in (-0.42, 0.42)
    ]
    points = " ".join(f"{number(x)},{number(y)}" for x, y in (tip, *sides))
    return element("polygon", {"class": "head", "points": points})

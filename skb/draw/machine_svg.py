"""A machine as SVG: nested boxes, interconnect links between them, and tooltips with provenance."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

from skb.draw.boxes import BUDGET, LINK_GAP, index, layout
from skb.draw.packing import Box
from skb.draw.style import STYLE
from skb.draw.svg import curve, document, element, label, number, rectangle, tooltip
from skb.draw.words import bandwidth_text, fact_words, object_words, short
from skb.machine import ROOT, Machine
from skb.relations import Fact

TOOLTIP_FACTS = 14


def machine_svg(machine: Machine, *, focus: str = ROOT, budget: int = BUDGET) -> str:
    """Return the machine, or the part `focus` of it, as one self-contained SVG document.

    Every box carries `data-object`; equal siblings fold above `budget` boxes.
    """
    box = layout(machine, focus=focus, budget=budget)
    title = f"{machine.name}: {machine.title}" if machine.title else machine.name
    return document(box.w, box.h, title, "skb", STYLE, *scene(machine, box))


def scene(
    machine: Machine,
    box: Box,
    classes: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
    arrows: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Return boxes, links, arrows, and above them what the arrows lead to.

    `classes` adds CSS classes to parts, `notes` a second line; PUs with notes, and buffers, rise.
    """
    draw = _Boxes(machine, classes or {}, notes or {})
    frame = draw.frame(box)
    return (frame, _links(machine, box), *arrows, *draw.raised)


class _Boxes:
    """Draws boxes; the facts of every part are gathered once."""

    def __init__(
        self, machine: Machine, classes: Mapping[str, str], notes: Mapping[str, str]
    ) -> None:
        self.machine = machine
        self.classes = classes
        self.notes = notes
        self.raised: list[str] = []
        self.facts: dict[str, list[Fact]] = defaultdict(list)
        for fact in machine.facts:
            if fact.predicate not in {"contains", "latency", "message_cost", "link"}:
                self.facts[str(fact.args[0])].append(fact)

    def frame(self, box: Box) -> str:
        css = " ".join(w for w in (box.role, box.variant, self.classes.get(box.name, "")) if w)
        attributes: dict[str, str | float] = {"class": css, "data-object": box.name}
        if box.hides:
            attributes["data-hides"] = " ".join(box.hides[:400])
        rect = rectangle(box.x, box.y, box.w, box.h, 2.0 if box.role == "strip" else 4.0)
        inner = [self.child(child, box) for child in box.children]
        note = self.notes.get(box.name, "") if box.h > 26 else ""
        if note:
            inner.append(label(box.x + box.w / 2, box.y + box.h - 5, note, "at"))
        return element("g", attributes, tooltip(self.words(box)), rect, *_words(box), *inner)

    def child(self, box: Box, parent: Box) -> str:
        """Return a box inside another, or keep it for the layer above the arrows."""
        noted = box.role == "tile" and box.name in self.notes
        if box.role != "buffer" and not noted:
            return self.frame(box)
        self.raised.append(element("g", {"data-parent": parent.name}, self.frame(box)))
        return ""

    def words(self, box: Box) -> str:
        if box.role == "fold":
            return f"{box.label}: {object_words(box.name)} {box.note}, equal to the one before"
        if box.role == "buffer":
            return f"buffer {box.name.partition(':')[2]}"
        rows = [f"{object_words(box.name)}   ({box.name})"]
        if reason := self.machine.unusable(box.name):
            rows.append(reason)
        for name in (box.name, *box.hides):
            facts = self.facts.get(name, [])
            prefix = "" if name == box.name else f"{name}: "
            rows += [prefix + fact_words(fact) for fact in facts]
        more = len(rows) - TOOLTIP_FACTS
        return "\n".join(rows[:TOOLTIP_FACTS] + ([f"… {more} more facts"] if more > 0 else []))


def _words(box: Box) -> Iterable[str]:
    """Return label and note of a box at the place that its role gives them."""
    middle = box.x + box.w / 2
    if box.variant == "machine":
        yield label(box.x + 16, box.y + 26, box.label, "name")
        yield label(box.x + 16, box.y + 45, box.note, "sub")
    elif box.role == "frame" and box.header:
        css = "small" if box.variant == "core" else "heading"
        yield label(
            box.x + (5 if box.variant == "core" else 9), box.y + box.header - 3, box.label, css
        )
    elif box.role in {"chip", "fold"}:
        yield label(middle, box.y + box.h / 2 - 3, box.label, "", "middle")
        yield label(middle, box.y + box.h / 2 + 10, box.note, "note", "middle")
    elif box.label:
        upper = box.header or (box.h if box.h < 26 else 18.0)
        css = "small" if box.h < 18 else ""
        yield label(middle, box.y + upper / 2 + 3.8, box.label, css, "middle")


# -------------------------------------------------------------------- links
def _links(machine: Machine, box: Box) -> str:
    """Return the interconnect: one line per linked pair, straight between neighbours."""
    at = {
        name: found
        for name, found in index(box).items()
        if name in machine.links and found.name == name
    }
    pairs = {
        (min(a, b, key=_order), max(a, b, key=_order))
        for a, ends in machine.links.items()
        for b in ends
        if a in at and b in at and a != b
    }
    ordered = sorted(pairs, key=lambda pair: (_order(pair[0]), _order(pair[1])))
    lines = [_link(machine, at[a], at[b]) for a, b in ordered]
    return element("g", {"class": "links"}, *lines) if lines else ""


def _order(name: str) -> tuple[str, int, str]:
    kind, _, rest = name.partition(":")
    return (kind, int(rest) if rest.isdigit() else -1, rest)


def _link(machine: Machine, a: Box, b: Box) -> str:
    (x1, y1), (x2, y2) = _facing(a, b)
    near = math.dist((x1, y1), (x2, y2)) < 2 * LINK_GAP
    css = "link" if near else "link far"
    if near:
        path = f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}"
    else:
        path = curve((x1, y1), (x2, y2), 0.12)[0]
    words = tooltip("\n".join((*_way(machine, a.name, b.name), *_way(machine, b.name, a.name))))
    halo = element("path", {"class": "halo", "d": path}) if not near else ""
    return element(
        "g",
        {"data-link": f"{a.name} {b.name}"},
        words,
        halo,
        element("path", {"class": css, "d": path}),
    )


def _way(machine: Machine, a: str, b: str) -> Iterable[str]:
    fact = machine.fact("link", a, b)
    if fact is None:
        return
    words = [f"{object_words(a)} → {object_words(b)}: {short(str(fact.args[2]), 40)}"]
    if bandwidth := machine.number("link_bandwidth", a, b):
        words.append(bandwidth_text(bandwidth))
    if width := machine.number("link_width", a, b):
        words.append(f"{width:g} bits")
    if latency := machine.number("link_latency", a, b):
        words.append(f"{latency:g} ns")
    yield f"{', '.join(words)} [{fact.source}: {short(fact.by, 70)}]"


def _facing(a: Box, b: Box) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the points where the line between two boxes leaves the first and enters the second.

    Neighbours in a row or column are joined at the middle of their common side.
    """
    x = _overlap(a.x, a.w, b.x, b.w)
    y = _overlap(a.y, a.h, b.y, b.h)
    if y is not None:
        left, right = (a, b) if a.x < b.x else (b, a)
        ends = ((left.x + left.w, y), (right.x, y))
        return ends if left is a else (ends[1], ends[0])
    if x is not None:
        upper, lower = (a, b) if a.y < b.y else (b, a)
        ends = ((x, upper.y + upper.h), (x, lower.y))
        return ends if upper is a else (ends[1], ends[0])
    return _corner(a, b), _corner(b, a)


def _overlap(a: float, a_size: float, b: float, b_size: float) -> float | None:
    low, high = max(a, b), min(a + a_size, b + b_size)
    return (low + high) / 2 if high > low else None


def _corner(a: Box, b: Box) -> tuple[float, float]:
    """Return the corner of a box that is nearest to another box which is diagonal to it."""
    x = a.x + a.w - 3 if b.x > a.x else a.x + 3
    y = a.y + a.h if b.y > a.y else a.y
    return x, y

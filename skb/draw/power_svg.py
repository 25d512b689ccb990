"""Parts that go over their machine: what is lost, what a load keeps, who moves, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skb.draw.arrows import between, hop
from skb.draw.boxes import index, layout
from skb.draw.decision_svg import Overlay
from skb.draw.packing import Box
from skb.draw.svg import arrow_head, element, label, rectangle, text, tooltip
from skb.draw.words import short
from skb.machine import Machine

Json = Mapping[str, Any]
MOST_LINES = 10
LINK = "link:"


def overlay(machine: Machine, answer: Json) -> Overlay:
    """Return what a power decision adds to the drawing of its machine."""
    lost = [str(_mapping(row).get("part")) for row in _list(answer.get("unreachable"))]
    lost = [name for name in lost if machine.has(name)]
    order = [str(_mapping(row).get("part")) for row in _list(answer.get("order"))]
    moves = list(map(_mapping, _list(_mapping(answer.get("evacuation")).get("steps"))))
    kept = _pus(machine, _list(_mapping(answer.get("kept")).get("pus")))
    seats = [
        pu
        for row in moves
        for pu in _pus(machine, [*_list(row.get("from")), *_list(row.get("to"))])
    ]
    parts = frozenset((*kept, *seats, *(name for name in order if machine.has(name))))
    over = Overlay(layout(machine, keep=parts))
    boxes = index(over.box)
    over.classes.update(dict.fromkeys(lost, "gone"))
    over.classes.update(dict.fromkeys(kept, "member task2"))
    for at, name in enumerate(order, 1):
        if machine.has(name):
            over.classes[name] = "gone pick"
            over.notes[name] = f"goes {at}."
        over.arrows.extend(_broken(machine, boxes, name))
    for row in moves:
        over.arrows.extend(_move(machine, boxes, row))
    over.legend.append(_key(bool(kept), bool(over.arrows)))
    lines = [_told(row) for row in map(_mapping, _list(answer.get("unreachable")))]
    telling = [line for line in lines if line]
    over.legend.extend(_line(words) for words in telling[:MOST_LINES])
    if len(telling) > MOST_LINES:
        over.legend.append(_line(f"… {len(telling) - MOST_LINES} more ways are lost"))
    return over


def _told(row: Json) -> str:
    """Return the sentence of a device, memory node or package that is lost with another part."""
    name = str(row.get("part"))
    if name.partition(":")[0] not in {"device", "numa", "package", "service"}:
        return ""
    if name in _list(row.get("because")):
        return ""
    return short(str(row.get("text", "")), 110)


def _broken(machine: Machine, boxes: Mapping[str, Box], name: str) -> list[str]:
    if not name.startswith(LINK):
        return []
    for a, ends in machine.links.items():
        for b in ends:
            if name == f"{LINK}{a}-{b}" and a in boxes and b in boxes:
                path, _control, _tip = between(boxes[a], boxes[b], 0.1)
                words = tooltip(f"{name} goes")
                line = element("path", {"class": "send", "d": path, "stroke-dasharray": "3 4"})
                return [element("g", {"class": "hop critical", "data-link": name}, words, line)]
    return []


def _move(machine: Machine, boxes: Mapping[str, Box], row: Json) -> list[str]:
    before, to = _list(row.get("from")), _list(row.get("to"))
    if not before or not to:
        return []
    a, b = boxes.get(_pu(machine, before[0])), boxes.get(_pu(machine, to[0]))
    if a is None or b is None or a.name == b.name:
        return []
    task = str(row.get("task", ""))
    words = f"step {row.get('step')}: task {task} moves from {a.name} to {b.name}"
    return [hop(a, b, 0.12, {"data-task": task}, words)]


def _key(kept: bool, arrows: bool) -> str:
    ring = element("path", {"class": "send", "d": "M1 1H13V13H1Z", "stroke-dasharray": "2 2"})
    found = [element("g", {"class": "hop critical"}, ring), label(18, 10.5, "goes", "")]
    parts = [("gone", "lost with it")]
    parts += [("task2", "the load runs here")] if kept else []
    x = 60.0
    for css, words in parts:
        square = rectangle(x, 0, 13, 13, 2)
        found.append(element("g", {"class": css}, square) + label(x + 18, 10.5, words, ""))
        x += 34 + len(words) * 6.6
    if arrows:
        line = element("path", {"class": "send", "d": f"M{x:.0f} 6L{x + 22:.0f} 6"})
        found.append(element("g", {"class": "hop"}, line, arrow_head((x + 26, 6), (x, 6), 8)))
        found.append(label(x + 33, 10.5, "a task moves", ""))
    return "".join(found)


def _line(words: str) -> str:
    return element("text", {"x": 0.0, "y": 10.0}, text(words))


# -------------------------------------------------------------------- values that others wrote
def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _pus(machine: Machine, values: list[Any]) -> list[str]:
    return [pu for value in values if (pu := _pu(machine, value))]


def _pu(machine: Machine, value: Any) -> str:
    name = f"pu:{value}"
    return name if machine.has(name) else ""

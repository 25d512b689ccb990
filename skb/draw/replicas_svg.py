"""Replicas over their machine: domains in colours, leaders, and the tree of messages between them.

The first object is drawn; each object has a line of the legend.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from skb.draw.arrows import numbered
from skb.draw.boxes import index, layout
from skb.draw.decision_svg import Overlay
from skb.draw.style import TASK_COLOURS
from skb.draw.svg import arrow_head, element, label, rectangle, text
from skb.draw.words import short
from skb.machine import Machine

Json = Mapping[str, Any]
MOST_LINES = 12


def overlay(machine: Machine, answer: Json) -> Overlay:
    """Return what a replicas decision adds to the drawing of its machine."""
    objects = {str(name): _mapping(told) for name, told in _mapping(answer.get("objects")).items()}
    first = next(iter(objects.values()), {})
    rows = [_mapping(row) for row in _list(first.get("domains"))]
    users = {pu for row in rows for key in _list(row.get("pus")) if (pu := _pu(machine, key))}
    over = Overlay(layout(machine, keep=frozenset(users), tall=True))
    for at, row in enumerate(rows):
        for key in _list(row.get("pus")):
            if pu := _pu(machine, key):
                over.classes[pu] = f"member task{at % TASK_COLOURS}"
        if leader := _pu(machine, row.get("leader")):
            over.notes[leader] = "leads"
    if seat := _pu(machine, first.get("coordinator")):
        over.classes[seat] = f"{over.classes.get(seat, 'member')} root"
        over.notes[seat] = "coord."
    sends = list(_sends(machine, _mapping(first.get("tree"))))
    boxes = index(over.box)
    for u, v, order in sends:
        if u in boxes and v in boxes:
            a, b = boxes[u], boxes[v]
            words = f"{u} → {v}: send {order} of {u}"
            over.arrows.append(numbered(a, b, order, len(sends), {}, words))
    lines = [_line(machine, name, told) for name, told in objects.items()]
    over.legend.extend(lines[:MOST_LINES])
    if len(lines) > MOST_LINES:
        over.legend.append(_words(f"… {len(lines) - MOST_LINES} more objects"))
    over.legend.append(_key(bool(sends)))
    return over


def _sends(machine: Machine, tree: Json) -> Iterator[tuple[str, str, int]]:
    for row in _list(tree.get("sends")):
        sender = _pu(machine, _mapping(row).get("from"))
        for order, to in enumerate(_list(_mapping(row).get("to")), 1):
            receiver = _pu(machine, to)
            if sender and receiver:
                yield sender, receiver, order


def _line(machine: Machine, name: str, told: Json) -> str:
    rows = [_mapping(row) for row in _list(told.get("domains"))]
    inside = sorted({str(row.get("inside")) for row in rows})
    protocols = sorted(
        {str(_mapping(row).get("protocol")) for row in _mapping(told.get("operations")).values()}
    )
    words = f"{short(name, 40)}: {len(rows)} replica{'s' * (len(rows) != 1)}"
    if len(rows) > 1:
        words += f", one per {short(str(told.get('granularity', '')), 30)}"
    words += f"; inside {short(', '.join(inside), 40)}; {short(', '.join(protocols), 60)}"
    seat = _pu(machine, told.get("coordinator"))
    return _words(f"{words}; coordinator PU {seat[3:]}" if seat else words)


def _words(words: str) -> str:
    return element("text", {"x": 0.0, "y": 10.0}, text(words))


def _key(sends: bool) -> str:
    square = element("g", {"class": "member task0"}, rectangle(0, 0, 13, 13, 2))
    words = "one colour: the PUs that share one replica"
    found = square + label(18, 10.5, words, "")
    if sends:
        x = 40 + len(words) * 6.6
        path = element("path", {"class": "send", "d": f"M{x:.0f} 6L{x + 22:.0f} 6"})
        arrow = element("g", {"class": "hop"}, path, arrow_head((x + 26, 6), (x, 6), 8))
        found += arrow + label(x + 33, 10.5, "messages between leaders (number = order)", "")
    return found


# -------------------------------------------------------------------- values that others wrote
def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _pu(machine: Machine, value: Any) -> str:
    """Return the name of a PU given by number, or nothing where there is none."""
    name = f"pu:{value}"
    return name if machine.has(name) else ""

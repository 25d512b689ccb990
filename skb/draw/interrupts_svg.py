"""Interrupts over their machine: PUs in the colours of the devices whose queues they take.

Arrows lead from a device to its PUs where these are few, and to all that are further than they need
to be. Takes the answer as JSON and trusts none of it, as `skb.draw.decision_svg` does.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from skb.draw.arrows import between
from skb.draw.boxes import index, layout
from skb.draw.packing import Box
from skb.draw.style import TASK_COLOURS
from skb.draw.svg import arrow_head, element, label, rectangle, tooltip
from skb.draw.words import short
from skb.machine import Machine
from skb.wording import counted

Json = Mapping[str, Any]
MOST_ARROWS = 48
MOST_LINES = 12


def drawn(
    machine: Machine, answer: Json
) -> tuple[Box, dict[str, str], dict[str, str], list[str], list[str]]:
    """Return boxes, classes and notes of parts, arrows and legend lines of a decision."""
    rows = list(_rows(machine, answer))
    box = layout(machine, keep=frozenset(pu for _device, pu, _far in rows), tall=True)
    boxes = index(box)
    devices = list(dict.fromkeys(device for device, _pu, _far in rows))
    colour = {device: f"task{at % TASK_COLOURS}" for at, device in enumerate(devices)}
    classes: dict[str, str] = {}
    on: dict[str, Counter[str]] = defaultdict(Counter)
    for device, pu, _far in rows:
        classes.setdefault(pu, f"member {colour[device]}")
        on[pu][device] += 1
    notes = {}
    for pu, count in on.items():
        name = next(iter(count)).partition(":")[2]
        total = sum(count.values())
        notes[pu] = short(name, 8) if total == 1 else counted(total, "irq")
    for device in devices:
        if device in boxes:
            classes[device] = f"pick {colour[device]}"
    pairs = Counter(rows)
    few = len(pairs) <= MOST_ARROWS
    arrows = [
        _arrow(boxes[device], boxes[pu], count, far)
        for (device, pu, far), count in sorted(pairs.items(), key=lambda row: row[0][2])
        if (few or far) and device in boxes and pu in boxes
    ]
    legend = [_line(colour[device], device, rows) for device in devices[:MOST_LINES]]
    if len(devices) > MOST_LINES:
        legend.append(label(0, 10.5, f"… {len(devices) - MOST_LINES} more devices", ""))
    return box, classes, notes, arrows[: 4 * MOST_ARROWS], legend


def _rows(machine: Machine, answer: Json) -> Iterator[tuple[str, str, bool]]:
    """Yield device, PU and whether that is further than its nearest, of what there is."""
    queues = answer.get("queues")
    for row in queues if isinstance(queues, list | tuple) else ():
        if not isinstance(row, Mapping):
            continue
        device, pu = str(row.get("device")), f"pu:{row.get('pu')}"
        if machine.has(pu) and machine.has(device):
            yield device, pu, row.get("spilled") is True


def _arrow(device: Box, pu: Box, count: int, far: bool) -> str:
    path, control, tip = between(device, pu, 0.08)
    words = f"{device.name} → {pu.name}: {counted(count, 'queue')}"
    return element(
        "g",
        {
            "class": "hop critical" if far else "hop weight0",
            "data-from": device.name,
            "data-to": pu.name,
            "data-queues": str(count),
        },
        tooltip(f"{words}, further than its nearest core" if far else words),
        element("path", {"class": "send", "d": path}),
        arrow_head(tip, control, 6.0),
    )


def _line(css: str, device: str, rows: list[tuple[str, str, bool]]) -> str:
    mine = [row for row in rows if row[0] == device]
    pus = len({pu for _device, pu, _far in mine})
    words = f"{short(device.partition(':')[2], 40)}: {counted(len(mine), 'queue')} on"
    words += f" {counted(pus, 'PU')}"
    if far := sum(row[2] for row in mine):
        words += f", {far} further than the nearest cores"
    square = element("g", {"class": css}, rectangle(0, 0, 13, 13, 2))
    return square + label(18, 10.5, words, "")

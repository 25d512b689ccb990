"""A decision over its machine: a route in send order, tasks on PUs, buffers in memory nodes.

Takes the decision as JSON (docs/design.md) and trusts none of it: parts that the machine does not
have are left out, and text is escaped.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from skb.draw.arrows import DENSE_SENDS, between, centre_edge, hop, numbered, on_curve
from skb.draw.boxes import index, layout
from skb.draw.interrupts_svg import drawn as interrupts
from skb.draw.machine_svg import scene
from skb.draw.packing import Box
from skb.draw.style import HEAT_STEPS, STYLE, TASK_COLOURS, WEIGHTS
from skb.draw.svg import (
    arrow_head,
    document,
    element,
    label,
    rectangle,
    text,
    tooltip,
)
from skb.draw.words import quantity, short, size_text, time_text
from skb.machine import Machine

Json = Mapping[str, Any]
LINE = 20.0
LEGEND_WIDTH = 620.0


@dataclass(frozen=True, slots=True)
class Overlay:
    """What a decision adds to the machine: classes and notes of parts, arrows, and legend lines."""

    box: Box
    classes: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    arrows: list[str] = field(default_factory=list)
    legend: list[str] = field(default_factory=list)
    css: str = "arrows"


def decision_svg(machine: Machine, decision: Json) -> str:
    """Return the decision drawn over the machine as one self-contained SVG document."""
    if decision.get("question") == "pci" and decision.get("answer"):
        # addresses are no parts of the machine: they have a map of their own
        from skb.draw import pci_svg

        lines = [_headline(decision), *_reasons(decision)]
        if drawn := pci_svg.draw(decision["answer"], f"pci on {machine.name}", lines):
            return drawn
    over = _overlay(machine, decision)
    lines = [_headline(decision), *over.legend, *_reasons(decision)]
    top = over.box.h
    legend = [
        element("g", {"transform": f"translate(16 {top + LINE * (at + 0.7):.1f})"}, line)
        for at, line in enumerate(lines)
    ]
    title = f"{decision.get('question', '')} on {machine.name}"
    arrows = (element("g", {"class": over.css}, *over.arrows),) if over.arrows else ()
    return document(
        max(over.box.w, LEGEND_WIDTH),
        top + LINE * (len(lines) + 1),
        title,
        "skb over",
        STYLE,
        *scene(machine, over.box, over.classes, over.notes, arrows),
        element("g", {"class": "legend"}, *legend),
    )


def _overlay(machine: Machine, decision: Json) -> Overlay:
    answer = _mapping(decision.get("answer"))
    if decision.get("question") == "route" and answer.get("sends"):
        return _route(machine, answer)
    if decision.get("question") == "placement" and answer.get("tasks"):
        return _placement(machine, answer)
    if decision.get("question") == "buffers" and answer.get("flows"):
        return _buffers(machine, answer, _mapping(decision.get("request")))
    if decision.get("question") == "links" and answer.get("load"):
        return _links(machine, answer)
    if decision.get("question") == "interrupts" and answer.get("queues"):
        return Overlay(*interrupts(machine, answer))
    if decision.get("question") == "replicas" and answer.get("objects"):
        # it makes an overlay of this module
        from skb.draw.replicas_svg import overlay

        return overlay(machine, answer)
    if decision.get("question") == "power" and answer.get("order") is not None:
        from skb.draw import power_svg

        return power_svg.overlay(machine, answer)
    return Overlay(layout(machine))


# -------------------------------------------------------------------- legend
def _line(words: str, css: str = "", x: float = 0.0) -> str:
    return element("text", {"class": css, "x": x, "y": 10.0}, text(words))


def _headline(decision: Json) -> str:
    objective = _mapping(decision.get("objective"))
    words = [str(decision.get("question", "decision"))]
    value = _float(objective.get("value"))
    if value is not None:
        unit = str(objective.get("unit", ""))
        amount = time_text(value) if unit == "ns" else quantity(value, unit)
        words.append(f"{objective.get('name', 'value')} {amount}")
    words.append(_status_words(decision))
    return _line(" · ".join(short(word, 80) for word in words), "strong")


def _status_words(decision: Json) -> str:
    status = str(decision.get("status", ""))
    if status == "optimal":
        return "proven optimal"
    gap = _float(decision.get("gap"))
    if status == "feasible":
        return "best found, no bound" if gap is None else f"best found, at most {gap:.1%} too dear"
    return status


def _reasons(decision: Json) -> Iterator[str]:
    if decision.get("status") == "infeasible":
        for reason in _list(decision.get("reasons"))[:6]:
            yield _line("• " + short(str(_mapping(reason).get("text", "")), 150))


def _swatch(css: str, words: str, x: float) -> tuple[str, float]:
    """Return a coloured square with its meaning, and where the next may begin."""
    square = element("g", {"class": css}, rectangle(x, 0, 13, 13, 2))
    return square + label(x + 18, 10.5, words, ""), x + 30 + len(words) * 6.6


# -------------------------------------------------------------------- route
def _route(machine: Machine, answer: Json) -> Overlay:
    sends = [
        (u, v, order)
        for row in _list(answer.get("sends"))
        for u in [_pu(machine, _mapping(row).get("from"))]
        for order, to in enumerate(_list(_mapping(row).get("to")), 1)
        for v in [_pu(machine, to)]
        if u and v
    ]
    root = _pu(machine, answer.get("root"))
    arrivals = {
        pu: at
        for key, value in _mapping(answer.get("arrivals")).items()
        if (pu := _pu(machine, key)) and (at := _float(value)) is not None
    }
    critical = [pu for key in _list(answer.get("critical_path")) if (pu := _pu(machine, key))]
    members = {root, *(v for _u, v, _o in sends), *(u for u, _v, _o in sends)} - {""}
    over = Overlay(
        layout(machine, keep=frozenset(members), tall=True),
        css="arrows dense" if len(sends) > DENSE_SENDS else "arrows",
    )
    boxes = index(over.box)
    last = max(arrivals.values(), default=0.0)
    for pu in sorted(members):
        when = arrivals.get(pu, 0.0)
        step = min(HEAT_STEPS - 1, int(HEAT_STEPS * when / last)) if last else 0
        marks = ("root" if pu == root else "", "pick" if pu in critical else "")
        over.classes[pu] = " ".join(w for w in ("member", f"heat{step}", *marks) if w)
        over.notes[pu] = "root" if pu == root and not when else time_text(when)
    steps = set(pairwise(critical))
    steps |= {(v, u) for u, v in steps}
    # the critical path last, so that it lies on top
    upwards = answer.get("operation") == "reduce"
    for u, v, order in sorted(sends, key=lambda send: send[:2] in steps):
        ends = (boxes[v], boxes[u]) if upwards else (boxes[u], boxes[v])
        number = 0 if upwards else order
        over.arrows.append(_send(*ends, number, arrivals.get(v), (u, v) in steps, len(sends)))
    over.legend.append(_route_legend(last, bool(critical)))
    return over


def _send(a: Box, b: Box, order: int, when: float | None, critical: bool, total: int) -> str:
    words = f"{_title(a)} → {_title(b)}"
    words += f": send {order} of {_title(a)}, arrives at" if order else ": sent at"
    attributes: dict[str, str | float] = {
        "class": "hop critical" if critical else "hop",
        "data-order": str(order),
        "data-at": "" if when is None else f"{when:.3f}",
    }
    words = f"{words} {when:,.3f} ns" if when is not None else words
    return numbered(a, b, order, total, attributes, words)


def _title(box: Box) -> str:
    return box.name.replace("pu:", "PU ")


def _route_legend(last: float, critical: bool) -> str:
    words = "time: early"
    parts = [label(0, 10.5, words, "")]
    x = 8 + len(words) * 6.4
    for step in range(HEAT_STEPS):
        parts.append(element("g", {"class": f"heat{step}"}, rectangle(x, 0, 18, 13, 1)))
        x += 19
    parts.append(label(x + 6, 10.5, f"late ({time_text(last)})", ""))
    x += 130
    parts.append(_sample(x, "hop", "send (number = order at the sender)"))
    if critical:
        parts.append(_sample(x + 260, "hop critical", "critical path"))
    return "".join(parts)


def _sample(x: float, css: str, words: str) -> str:
    path = element("path", {"class": "send", "d": f"M{x:.0f} 6L{x + 22:.0f} 6"})
    head = arrow_head((x + 26, 6), (x, 6), 8)
    return element("g", {"class": css}, path, head, label(x + 33, 10.5, words, ""))


# -------------------------------------------------------------------- placement
def _placement(machine: Machine, answer: Json) -> Overlay:
    tasks = {str(name): _mapping(place) for name, place in _mapping(answer["tasks"]).items()}
    pus = {
        name: [pu for key in _list(place.get("pus")) if (pu := _pu(machine, key))]
        for name, place in tasks.items()
    }
    keep = frozenset(pu for several in pus.values() for pu in several)
    over = Overlay(layout(machine, keep=keep, tall=True))
    on: dict[str, list[str]] = defaultdict(list)
    for at, (name, several) in enumerate(pus.items()):
        for pu in several:
            over.classes.setdefault(pu, f"member task{at % TASK_COLOURS}")
            on[pu].append(name)
        over.legend.append(_task_line(name, tasks[name], several, at))
    for pu, names in on.items():
        over.notes[pu] = short(names[0], 8) if len(names) == 1 else f"{len(names)} tasks"
    if len(over.legend) > 16:
        del over.legend[16:]
        over.legend.append(_line(f"… {len(pus) - 16} more tasks"))
    return over


def _task_line(name: str, place: Json, pus: list[str], at: int) -> str:
    numbers = ", ".join(pu[3:] for pu in pus[:24]) + (" …" if len(pus) > 24 else "")
    node = place.get("numa_node")
    memory = "" if node is None else f", memory in NUMA {short(str(node))}"
    words = f"{short(name, 40)}: PU {numbers}{memory}"
    return _swatch(f"task{at % TASK_COLOURS}", words, 0)[0]


# -------------------------------------------------------------------- buffers
def _buffers(machine: Machine, answer: Json, request: Json) -> Overlay:
    asked = {str(_mapping(row).get("name")): _mapping(row) for row in _list(request.get("flow"))}
    flows = {str(name): _mapping(flow) for name, flow in _mapping(answer["flows"]).items()}
    rings = [
        (name, words, _mapping(ring))
        for name, flow in flows.items()
        for words, ring in [
            (name, flow),
            *((f"{name} · {kind}", row) for kind, row in _mapping(flow.get("rings")).items()),
        ]
    ]
    guests: dict[str, list[str]] = defaultdict(list)
    for _, words, ring in rings:
        guests[f"numa:{ring.get('numa_node')}"].append(words)
    keep = {pu for name in flows if (pu := _pu(machine, _consumer(asked, flows, name)))}
    over = Overlay(layout(machine, keep=frozenset(keep), guests=guests))
    at = index(over.box)
    for name, words, ring in rings:
        flow, wish = flows[name], asked.get(name, {})
        device = at.get(_device(wish.get("device") or flow.get("device")))
        reader = _consumer(asked, flows, name)
        consumer = at.get(_pu(machine, reader)) or at.get(str(reader))
        buffer = at.get(f"flow:{words}")
        if buffer is None and str(ring.get("place")) != str(reader):
            continue
        near = flow.get("near") if words == name else _near(machine, device, consumer, ring)
        if buffer is not None:
            over.classes[buffer.name] = f"near-{near}" if near in {"device", "core"} else ""
        # of what lies in the consumer itself, a GPU, the way has no stop
        way = [device, buffer, consumer]
        if str(wish.get("direction", "rx")) in {"tx", "write"}:
            way.reverse()
        over.arrows.extend(_flow(words, [box for box in way if box is not None]))
        for box, css in ((device, "pick"), (consumer, "pick member")):
            if box is not None:
                over.classes[box.name] = css
    x = 0.0
    line = ""
    for css, words in (
        ("buffer near-device", "buffer near its device"),
        ("buffer near-core", "buffer near its consumer"),
        ("buffer", "buffer elsewhere"),
    ):
        part, x = _swatch(css, words, x)
        line += part
    over.legend.append(line)
    return over


def _near(machine: Machine, device: Box | None, consumer: Box | None, ring: Json) -> str:
    """Return where a ring beside the payload lies, in the words of a flow."""
    for box, word in ((device, "device"), (consumer, "core")):
        if box is not None and ring.get("numa_node") in machine.numa_of(box.name):
            return word
    return "other"


def _consumer(asked: Json, flows: Json, name: str) -> Any:
    return flows[name].get("consumer_pu", _mapping(asked.get(name)).get("consumer"))


def _device(name: Any) -> str:
    return str(name) if str(name).startswith(("device:", "pci:")) else f"device:{name}"


def _flow(name: str, way: list[Box]) -> Iterator[str]:
    for a, b in pairwise(way):
        yield hop(a, b, 0.08, {"data-flow": name}, f"{name}: {a.name} → {b.name}")


# -------------------------------------------------------------------- links
def _links(machine: Machine, answer: Json) -> Overlay:
    over = Overlay(layout(machine))
    boxes = index(over.box)
    loads = {
        (boxes[str(a)], boxes[str(b)]): load
        for a, row in _mapping(answer["load"]).items()
        for b, value in _mapping(row).items()
        if str(a) in boxes and str(b) in boxes and (load := _float(value)) is not None
    }
    most = max(loads.values(), default=0.0)
    depth = _mapping(answer.get("queue_depth"))
    fullest = [tuple(_list(link)) for link in _list(answer.get("fullest"))]
    for (a, b), load in sorted(loads.items(), key=lambda row: row[1]):
        queue = _float(_mapping(depth.get(a.name)).get(b.name))
        over.arrows.append(_loaded(a, b, load / most if most else 0.0, load, queue, fullest))
    sample = _sample(0, "hop", "what a link carries in this direction (thicker = more)")
    over.legend.append(sample + _sample(390, "hop critical", "the fullest links"))
    return over


def _loaded(
    a: Box, b: Box, share: float, load: float, queue: float | None, fullest: list[Any]
) -> str:
    path, control, tip = between(a, b, 0.1)
    full = (a.name, b.name) in fullest
    step = max(0, min(WEIGHTS - 1, int((WEIGHTS - 1) * share)))
    words = f"{a.name} → {b.name} carries {load:g}"
    if queue is not None:
        words += f", queue of a channel {size_text(queue)}"
    x, y = on_curve(centre_edge(a, control), control, tip, 0.36)
    return element(
        "g",
        {
            "class": f"hop weight{step}{' critical' if full else ''}",
            "data-from": a.name,
            "data-to": b.name,
            "data-load": f"{load:g}",
        },
        tooltip(words),
        element("path", {"class": "send", "d": path}),
        arrow_head(tip, control, 8.0),
        element("circle", {"class": "badge", "cx": x, "cy": y, "r": 7.5}),
        label(x, y + 3.2, short(f"{load:g}", 5), "count"),
    )


# -------------------------------------------------------------------- values that others wrote
def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _float(value: Any) -> float | None:
    """Return a finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _pu(machine: Machine, value: Any) -> str:
    """Return the name of a PU given by number or digits, or nothing where there is none."""
    name = f"pu:{value}"
    return name if machine.has(name) else ""

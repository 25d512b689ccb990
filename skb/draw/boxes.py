"""Nested boxes: the containment tree of a machine packed into grids, in the manner of lstopo.

A chain of parts with the same PUs (an L2, its L1, its core) is one *frame* with a *strip* for every
further part. Memory nodes are strips of the part to which they are local, devices *chips* at its
lower side. Big machines leave out the caches that belong to one core, and fold equal siblings above
`BUDGET` boxes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from skb.draw.packing import GAP, SMALL, Box, assembled, best_columns, packed, text_width
from skb.draw.words import (
    cache_words,
    line_rate,
    memory_kind,
    memory_words,
    object_words,
    short,
    size_text,
)
from skb.machine import CPU_KINDS, IO_KINDS, MEMORY_KINDS, ROOT, Machine, kind_of

BUDGET = 3000
FULL_CORES = 48
LINK_GAP = 36.0
GUESTS_WIDTH = 230.0
_CACHES = frozenset({"l5", "l4", "l3", "l3i", "l2", "l2i", "l1d", "l1i"})
_PADDING = {"machine": 16.0, "package": 8.0, "group": 6.0, "die": 6.0, "core": 3.0}
_HEADER = {"machine": 46.0, "package": 20.0, "group": 16.0, "die": 16.0, "core": 14.0}
_FRAMES = ("machine", "package", "die", "core", "group")
_TARGET = {"machine": 1.7, "package": 1.1, "core": 3.0}


@dataclass(frozen=True, slots=True)
class Style:
    """How much is drawn: `compact` leaves out private caches, `tall` gives PUs a second line.

    `fold_depth` counts levels from the machine below which equal siblings fold (0: nowhere);
    `keep` are parts that a fold must not hide; `guests` are names of buffers by the memory node
    in which they are drawn.
    """

    compact: bool = False
    tall: bool = False
    fold_depth: int = 0
    keep: frozenset[str] = field(default_factory=frozenset)
    guests: Mapping[str, Sequence[str]] = field(default_factory=dict)


def layout(
    machine: Machine,
    *,
    focus: str = ROOT,
    keep: frozenset[str] = frozenset(),
    tall: bool = False,
    guests: Mapping[str, Sequence[str]] | None = None,
    budget: int = BUDGET,
) -> Box:
    """Pack a machine, or the part `focus` of it, into nested boxes.

    `keep` are parts that must not be folded away; `tall` leaves room for a second line in each PU;
    `guests` are names of buffers by the memory node in which they lie, drawn as boxes inside it.
    Raises `NotFoundError` where there is no such part.
    """
    start = machine.anchor(machine.require(focus))
    if kind_of(start) == "pu":
        start = machine.core_of[int(start[3:])]
    cores = sum(1 for name in machine.of_kind("core") if _inside(machine, name, start))
    pus = len(machine.pus_of(start))
    style = Style(
        max(cores, pus // 2) > FULL_CORES, tall and pus <= 8 * FULL_CORES, 0, keep, guests or {}
    )
    box = _packed(machine, start, style)
    for depth in range(_depth(machine, start), 0, -1):
        if sum(1 for _ in box.walk()) <= budget:
            break
        box = _packed(machine, start, replace(style, fold_depth=depth))
    return box


def _packed(machine: Machine, start: str, style: Style) -> Box:
    return _frame(machine, start, style, 1).placed(0.0, 0.0)


def _inside(machine: Machine, name: str, part: str) -> bool:
    return name == part or part in machine.ancestors(name)


def _depth(machine: Machine, start: str) -> int:
    pus = sorted(machine.pus_of(start))
    return max((len(machine.ancestors(f"pu:{pu}")) for pu in pus), default=1)


def index(box: Box) -> dict[str, Box]:
    """Return the box of every part, also of those hidden in a fold or a collapsed frame."""
    found: dict[str, Box] = {}
    for inner in box.walk():
        if inner.role != "fold":
            found[inner.name] = inner
    for inner in box.walk():
        for name in inner.hides:
            found.setdefault(name, inner)
    return found


# -------------------------------------------------------------------- frames
def _chain(machine: Machine, start: str) -> list[str]:
    """Return the part and the only children below it that have the same PUs."""
    chain = [start]
    while chain[-1] != ROOT:
        inner = [name for name in machine.children(chain[-1]) if kind_of(name) in CPU_KINDS]
        if len(inner) != 1 or kind_of(inner[0]) == "pu":
            break
        chain.append(inner[0])
    return chain


def _frame(machine: Machine, start: str, style: Style, depth: int) -> Box:
    chain = _chain(machine, start)
    title = next((n for kind in _FRAMES for n in chain if kind_of(n) == kind), chain[0])
    kind = kind_of(title)
    strips, hidden = _strips(machine, chain, title, style)
    inner = [n for n in machine.children(chain[-1]) if kind_of(n) in CPU_KINDS]
    cells = [_cell(machine, name, style, depth + 1) for name in inner]
    if style.fold_depth and depth >= style.fold_depth:
        cells = _folded(machine, cells, style)
    cells = _ordered(machine, cells)
    chips = _chips(machine, chain)
    tile = kind == "core" and style.compact
    header = 0.0 if tile else _HEADER.get(kind, 0.0)
    label, note = ("", "") if tile else _title(machine, title, style)
    pad = 2.0 if tile else _PADDING.get(kind, 4.0)
    gap = 1.0 if tile else _gap(machine, kind, style)
    variant = "core tight" if tile else kind
    frame = Box(title, "frame", 0, 0, label, note, variant, header, hides=tuple(hidden))
    grid = packed(cells, _TARGET.get(kind, 1.4), gap)
    return assembled(frame, strips, grid, chips, pad, bool(style.guests))


def _cell(machine: Machine, name: str, style: Style, depth: int) -> Box:
    if kind_of(name) != "pu":
        return _frame(machine, name, style, depth)
    number = name.partition(":")[2]
    label = number if style.compact else f"PU {number}"
    longest = str(machine.pus[-1]) if style.compact else f"PU {machine.pus[-1]}"
    width = max(26.0 if style.compact else 44.0, text_width(longest, SMALL))
    height = 17.0 if style.compact else 20.0
    if style.tall:
        width, height = max(width, 58.0), height + 13.0
    variant = "gone" if machine.unusable(name) else ""
    return Box(name, "tile", width, height, label, variant=variant)


def _gap(machine: Machine, kind: str, style: Style) -> float:
    if kind == "machine":
        return LINK_GAP if machine.links else 14.0
    return 3.0 if style.compact and kind in _CACHES else GAP


def _title(machine: Machine, name: str, style: Style) -> tuple[str, str]:
    """Return label and second line of a frame's header."""
    kind = kind_of(name)
    if kind == "machine":
        return short(machine.name, 60), _totals(machine, style)
    if kind in _CACHES:
        return "", ""
    words = object_words(name)
    core_kind = machine.value("core_kind", name)
    if kind == "core" and core_kind:
        words += f" · {short(str(core_kind), 12)}"
    return words, ""


def _totals(machine: Machine, style: Style) -> str:
    counts = machine.counts
    words = [
        f"{counts[kind]} {word if counts[kind] != 1 else word.rstrip('s')}"
        for kind, word in (
            ("package", "packages"),
            ("numa", "NUMA nodes"),
            ("core", "cores"),
            ("pu", "PUs"),
        )
        if counts[kind]
    ]
    if machine.memory_bytes:
        words.append(f"{size_text(machine.memory_bytes)} memory")
    if style.compact and (private := _private_caches(machine)):
        words.append(f"each core: {private}")
    return " · ".join(words)


def _private_caches(machine: Machine) -> str:
    """Return the caches of every core in words where all cores have the same, else nothing."""
    found = set()
    for core in machine.of_kind("core"):
        chain = [
            at
            for at in (*machine.ancestors(core),)
            if kind_of(at) in _CACHES and len(machine.pus_of(at)) == len(machine.pus_of(core))
        ]
        found.add(", ".join(cache_words(machine, at) for at in reversed(chain)))
    return found.pop() if len(found) == 1 else ""


# -------------------------------------------------------------------- strips and chips
def _strips(
    machine: Machine, chain: Sequence[str], title: str, style: Style
) -> tuple[list[list[Box]], list[str]]:
    """Return rows of strips for memory and caches, and the parts that are not drawn."""
    rows: list[list[Box]] = [
        [_memory(machine, node, style)] for at in chain for node in _memory_nodes(machine, at)
    ]
    hidden: list[str] = []
    for at in chain:
        kind = kind_of(at)
        if at == title and kind not in _CACHES:
            continue
        if style.compact and kind_of(title) == "core":
            hidden.append(at)
        elif kind not in _CACHES:
            rows.append([Box(at, "strip", text_width(object_words(at)), 15.0, object_words(at))])
        else:
            shared = kind_of(title) != "core"
            label = cache_words(machine, at, numbered=shared)
            strip = Box(at, "strip", text_width(label, SMALL), 15.0, label, variant="cache")
            rows.append([strip])
    return rows, hidden


def _memory_nodes(machine: Machine, at: str) -> Iterator[str]:
    for child in machine.children(at):
        if kind_of(child) in MEMORY_KINDS:
            yield child
            yield from _memory_nodes(machine, child)


def _memory(machine: Machine, node: str, style: Style) -> Box:
    if kind_of(node) == "memcache":
        label = cache_words(machine, node)
        return Box(node, "strip", text_width(label), 16.0, label, variant="cache")
    label = memory_words(machine, node)
    variant = "gone" if machine.unusable(node) else f"memory {memory_kind(machine, node)}"
    guests = _guests(style.guests.get(node, ()))
    width = max([text_width(label), *(guest.x + guest.w + 5.0 for guest in guests)])
    height = max([20.0, *(guest.y + guest.h + 3.0 for guest in guests)])
    return Box(node, "strip", width, height, label, "", variant, 20.0, children=guests)


def _guests(names: Sequence[str]) -> tuple[Box, ...]:
    """Return boxes for the buffers in a memory node, in rows below its label."""
    placed: list[Box] = []
    x, y = 5.0, 21.0
    for name in names:
        width = text_width(short(name)) + 8.0
        if placed and x + width > GUESTS_WIDTH:
            x, y = 5.0, y + 22.0
        placed.append(Box(f"flow:{name}", "buffer", width, 18.0, short(name), x=x, y=y))
        x += width + 14.0
    return tuple(placed)


def _chips(machine: Machine, chain: Sequence[str]) -> list[Box]:
    """Return one chip for each PCI function or device that is local to the chain's parts, their
    memory nodes included.
    """
    found: list[tuple[str, list[str]]] = []
    for at in (part for link in chain for part in (link, *_memory_nodes(machine, link))):
        for child in machine.children(at):
            if kind_of(child) in IO_KINDS:
                found += _functions(machine, child, [])
    shown = [_chip(machine, name, via) for name, via in found if _has_device(machine, name)]
    plain = [name for name, _via in found if not _has_device(machine, name)]
    via = [bridge for name, bridges in found if name in plain for bridge in bridges]
    if plain:
        label = f"{len(plain)} more PCI" if len(plain) > 1 else "PCI"
        note = object_words(plain[0])
        width = max(text_width(label), text_width(note, SMALL))
        hides = tuple(dict.fromkeys([*plain[1:], *via]))
        shown.append(Box(plain[0], "chip", width, 32.0, label, note, "plain", hides=hides))
    return shown


def _functions(machine: Machine, name: str, via: list[str]) -> list[tuple[str, list[str]]]:
    """Return the leaves of an I/O tree, each with the bridges above it."""
    if kind_of(name) != "bridge":
        return [(name, via)]
    inner = [child for child in machine.children(name) if kind_of(child) in IO_KINDS]
    rows = [row for child in inner for row in _functions(machine, child, [*via, name])]
    return rows or [(name, via)]


def _has_device(machine: Machine, name: str) -> bool:
    return kind_of(name) == "device" or bool(_devices(machine, name))


def _devices(machine: Machine, name: str) -> list[str]:
    return [child for child in machine.children(name) if kind_of(child) == "device"]


def _chip(machine: Machine, name: str, via: list[str]) -> Box:
    """A device with its kind, line rate and PCI address."""
    devices = [name] if kind_of(name) == "device" else _devices(machine, name)
    label = short(", ".join(object_words(device) for device in devices), 22)
    kinds = [str(f.args[1]) for f in machine.facts_of("device_kind") if f.args[0] in devices]
    kind = next((k for k in ("gpu", "network", "openfabrics", "storage") if k in kinds), "other")
    words = [{"openfabrics": "InfiniBand", "gpu": "GPU"}.get(kind, kind)]
    speed = next((s for d in devices if (s := machine.number("device_speed", d))), None)
    link = machine.number("pci_link_speed", name)
    if speed:
        words.append(line_rate(speed))
    elif link:
        words.append(f"{link:.3g} GB/s")
    note = " · ".join(words)
    hides = tuple(dict.fromkeys([*([name] if name != devices[0] else []), *devices[1:], *via]))
    width = max(text_width(label), text_width(note, SMALL))
    return Box(devices[0], "chip", width, 32.0, label, note, kind, hides=hides)


# -------------------------------------------------------------------- folding and order
def _shape(box: Box) -> tuple[object, ...]:
    """What makes two boxes look alike: everything but the numbers of the parts."""
    inner = tuple(_shape(child) for child in box.children)
    return (box.kind, box.role, box.variant, box.label.partition(" · ")[2], box.note, inner)


def _folded(machine: Machine, cells: list[Box], style: Style) -> list[Box]:
    """Replace runs of equal siblings by the first of them and a box that says how many follow."""
    rows: list[Box] = []
    at = 0
    while at < len(cells):
        run = at + 1
        while run < len(cells) and _shape(cells[run]) == _shape(cells[at]):
            run += 1
        equal, at = cells[at:run], run
        if len(equal) < 3 or any(_must_stay(machine, box, style) for box in equal[1:]):
            rows += equal
            continue
        hides = tuple(n for box in equal[1:] for inner in box.walk() for n in _names(inner))
        label, note = f"× {len(equal)}", f"to {object_words(equal[-1].name)}"
        width = max(text_width(label), text_width(note, SMALL), min(equal[0].w, 60.0))
        rows.append(equal[0])
        rows.append(
            Box(equal[1].name, "fold", width, max(equal[0].h, 30.0), label, note, hides=hides)
        )
    return rows


def _names(box: Box) -> tuple[str, ...]:
    return (box.name, *box.hides)


def _must_stay(machine: Machine, box: Box, style: Style) -> bool:
    return any(name in style.keep for inner in box.walk() for name in _names(inner))


def _ordered(machine: Machine, cells: list[Box]) -> list[Box]:
    """Return linked parts in rows that run back and forth where that makes the links shorter."""
    ends = [(a, b) for a, others in machine.links.items() for b in others]
    names = [box.name for box in cells]
    if not any(a in names and b in names for a, b in ends) or len(cells) < 4:
        return cells
    columns = best_columns(cells, _TARGET["machine"], LINK_GAP)

    def length(order: Sequence[Box]) -> float:
        at = {box.name: divmod(place, columns) for place, box in enumerate(order)}
        return sum(math.dist(at[a], at[b]) ** 2 for a, b in ends if a in at and b in at)

    winding: list[Box] = []
    for start in range(0, len(cells), columns):
        row = cells[start : start + columns]
        winding += row[::-1] if (start // columns) % 2 and len(row) == columns else row
    return min((cells, winding), key=length)

"""Judge of pci: walks the tree anew and tests every address, window, pin and range.

Shares no code with engine or question. Where nothing is said to fit, a plain greedy order tries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from skb.checkers.pci_facts import FOUR_GIB, Asked, Range, plain, read_asked, size_of, takes
from skb.decision import Decision
from skb.machine import Machine

Row = Mapping[str, Any]


def check(machine: Machine, decision: Decision) -> list[str]:
    """Return what is wrong with a decision, in words; empty where all is well."""
    try:
        asked = read_asked(machine, decision.request)
        if decision.status in ("infeasible", "unknown"):
            wrong = ["there is an answer although there is none"] if decision.answer else []
            if not decision.reasons:
                wrong.append("no reason is given")
            if decision.status == "infeasible" and _fits(asked):
                wrong.append("a greedy order fits although nothing should")
            return wrong
        return _check_answer(asked, decision)
    except (KeyError, TypeError, AttributeError, ValueError, StopIteration) as fault:
        return [f"the answer lacks {fault!r}"]


def _check_answer(asked: Asked, decision: Decision) -> list[str]:
    answer = decision.answer
    wrong = _check_registers(asked, answer["registers"])
    wrong += _check_windows(asked, answer)
    wrong += _check_room(asked, answer)
    if wrong:
        return wrong
    wrong += _check_apart(asked, answer)
    return wrong + _check_value(asked, decision)


# ------------------------------------------------------------------ registers
def _check_registers(asked: Asked, rows: Sequence[Row]) -> list[str]:
    wrong = []
    keys = [(row["pci"], row["bar"]) for row in rows]
    expected = set(asked.expected())
    if len(set(keys)) != len(keys):
        wrong.append("a register has two addresses")
    wrong += [f"{pci} bar {bar} has no address" for pci, bar in sorted(expected - set(keys))]
    wrong += [f"{pci} bar {bar} was not asked" for pci, bar in sorted(set(keys) - expected)]
    if wrong:
        return wrong
    pins, windows = asked.pins(), asked.windows()
    reserved = {memory: asked.reserved(memory) for memory in (True, False)}
    for row, key in zip(rows, keys, strict=True):
        size, kind = asked.bars[key]
        base, name = row["base"], f"{row['pci']} bar {row['bar']}"
        end = base + size
        if row["size"] != size or row["space"] != plain(kind):
            wrong.append(f"{name} has {size} bytes of {plain(kind)}, not what the answer says")
        if base % size:
            wrong.append(f"{name} is not at a multiple of its size")
        if (kind.endswith("32") or kind == "io") and end > FOUR_GIB:
            wrong.append(f"{name} has 32 bits and ends above 4 GiB")
        host = asked.bridges_above(row["pci"])[-1]
        if not any(
            at == host and takes(space, plain(kind)) and low <= base and end <= high
            for at, space, low, high in windows
        ):
            wrong.append(f"{name} is outside the windows of {host}")
        if any(low < end and base < high for low, high in reserved[kind != "io"]):
            wrong.append(f"{name} lies where addresses are reserved")
        if key in pins and pins[key] != base:
            wrong.append(f"{name} is not where it is pinned")
        if row["was"] != asked.present.get(key):
            wrong.append(f"{name} was elsewhere than the answer says")
    return wrong


# ------------------------------------------------------------------ windows
def _check_windows(asked: Asked, answer: Row) -> list[str]:
    """A window for every bridge and space that has something below, and what it must hold."""
    wrong = []
    held: dict[tuple[str, str], list[Range]] = {}
    low: set[tuple[str, str]] = set()
    for row in answer["registers"]:
        kind = asked.bars[row["pci"], row["bar"]][1]
        space = asked.space_behind(row["pci"], kind)
        for bridge in asked.bridges_above(row["pci"])[:-1]:
            held.setdefault((bridge, space), []).append((row["base"], row["base"] + row["size"]))
            if kind.endswith("32"):
                low.add((bridge, space))
    for row in answer["room"]:
        for bridge in [row["bridge"], *asked.bridges_above(row["bridge"])]:
            if asked.bridges_above(bridge):
                place = (row["base"], row["base"] + row["size"])
                held.setdefault((bridge, row["space"]), []).append(place)
    found = {(row["bridge"], row["space"]): row for row in answer["windows"]}
    windows = asked.windows()
    reserved = {memory: asked.reserved(memory) for memory in (True, False)}
    if len(found) != len(answer["windows"]) or set(found) != set(held):
        wrong.append("not exactly the bridges with something below have a window")
        return wrong
    for (bridge, space), row in found.items():
        base, end = row["base"], row["base"] + row["size"]
        name, grain = f"the {space} window of {bridge}", asked.grain(space)
        if base % grain or end % grain:
            wrong.append(f"{name} is not at multiples of {grain}")
        if any(a < base or b > end for a, b in held[bridge, space]):
            wrong.append(f"{name} does not cover all below")
        if (space != "prefetchable" or (bridge, space) in low) and end > FOUR_GIB:
            wrong.append(f"{name} ends above 4 GiB")
        above = asked.bridges_above(bridge)
        for outer in above[:-1]:
            around = found[outer, space]
            if base < around["base"] or end > around["base"] + around["size"]:
                wrong.append(f"{name} is not inside that of {outer}")
        if not any(
            host == above[-1] and takes(own, space) and a <= base and end <= b
            for host, own, a, b in windows
        ):
            wrong.append(f"{name} is outside the windows of {above[-1]}")
        if any(a < end and base < b for a, b in reserved[space != "io"]):
            wrong.append(f"{name} covers reserved addresses")
    return wrong


def _check_room(asked: Asked, answer: Row) -> list[str]:
    wrong = []
    wanted: dict[tuple[str, str], int] = {}
    windows = asked.windows()
    reserved = {memory: asked.reserved(memory) for memory in (True, False)}
    for row in asked.request.get("hotplug", []):
        bridge = asked.named(row["bridge"], True)
        for space in ("memory", "prefetchable", "io"):
            size = size_of(row.get(space, 0))
            host = [bridge, *asked.bridges_above(bridge)][-1]
            if size and host in {at for at, _space, _a, _b in windows}:
                wanted[bridge, space] = wanted.get((bridge, space), 0) + size
    given: dict[tuple[str, str], int] = {}
    for row in answer["room"]:
        key = (row["bridge"], row["space"])
        given[key] = given.get(key, 0) + row["size"]
        if row["size"] < 1 or row["base"] % row["size"]:
            wrong.append(f"room behind {row['bridge']} is not at a multiple of its size")
        host = [row["bridge"], *asked.bridges_above(row["bridge"])][-1]
        end = row["base"] + row["size"]
        if not any(
            at == host and takes(space, row["space"]) and a <= row["base"] and end <= b
            for at, space, a, b in windows
        ):
            wrong.append(f"room behind {row['bridge']} is outside the windows of {host}")
        if any(a < end and row["base"] < b for a, b in reserved[row["space"] != "io"]):
            wrong.append(f"room behind {row['bridge']} lies where addresses are reserved")
    if set(given) != set(wanted) or any(given[key] < size for key, size in wanted.items()):
        wrong.append("the room is not what was asked for")
    return wrong


def _check_apart(asked: Asked, answer: Row) -> list[str]:
    """Nothing overlaps, except a bridge's window and what is below it in the same space."""
    wrong = []
    for memory in (True, False):
        rows = sorted(_spans(asked, answer, memory), key=lambda row: (row[0], -row[1], row[5]))
        open_: list[tuple[int, int, str, tuple[str, str]]] = []
        for low, high, name, own, above, _depth in rows:
            open_ = [each for each in open_ if each[1] > low]
            for _low, end, other, window in open_:
                if window not in above or high > end:
                    wrong.append(f"{name} overlaps {other}")
            open_.append((low, high, name, own))
    return wrong


Span = tuple[int, int, str, tuple[str, str], set[tuple[str, str]], int]
DEEP = 1 << 30


def _spans(asked: Asked, answer: Row, memory: bool) -> Iterator[Span]:
    """Begin, end, name, window that it is, windows that it may lie in, and depth."""
    for row in answer["registers"]:
        if (row["space"] != "io") == memory:
            kind = asked.bars[row["pci"], row["bar"]][1]
            space = asked.space_behind(row["pci"], kind)
            above = {(bridge, space) for bridge in asked.bridges_above(row["pci"])}
            name = f"{row['pci']} bar {row['bar']}"
            yield row["base"], row["base"] + row["size"], name, ("", ""), above, DEEP
    for kind, rows in (("room", answer["room"]), ("window", answer["windows"])):
        for row in rows:
            if (row["space"] != "io") == memory:
                bridges = asked.bridges_above(row["bridge"])
                bridges += [row["bridge"]] if kind == "room" else []
                own = (row["bridge"], row["space"]) if kind == "window" else ("", "")
                above = {(bridge, row["space"]) for bridge in bridges}
                depth = len(bridges) if kind == "window" else DEEP
                name = f"the {row['space']} {kind} of {row['bridge']}"
                yield row["base"], row["base"] + row["size"], name, own, above, depth


# ------------------------------------------------------------------ value
def _check_value(asked: Asked, decision: Decision) -> list[str]:
    answer, wrong = decision.answer, []
    total = whole = 0
    spaces: list[tuple[tuple[bool, str], Row]] = [
        ((row["space"] != "io", _host(asked, row)), row)
        for row in (*answer["registers"], *answer["room"], *answer["windows"])
    ]
    for root in answer["roots"]:
        memory = ("io" not in root["spaces"], root["bridge"])
        low, high = root["base"], root["base"] + root["size"]
        inside = [row for kind, row in spaces if kind == memory and low <= row["base"] < high]
        used = max((row["base"] + row["size"] for row in inside), default=low) - low
        held = sum(
            row["size"]
            for kind, row in spaces[: -len(answer["windows"]) or None]
            if kind == memory and low <= row["base"] < high
        )
        if (root["used"], root["held"], root["padding"]) != (used, held, used - held):
            wrong.append(f"of {root['bridge']} at {low:#x} {used} bytes are taken, {held} held")
        total += used
        whole += held
    moved = sum(row["was"] is not None and row["was"] != row["base"] for row in answer["registers"])
    if moved != answer["moved"]:
        wrong.append(f"{moved} registers move, not {answer['moved']}")
    value, bound = decision.objective.value, decision.bound
    if value != (moved if decision.request.get("keep_current") else total):
        wrong.append(f"the value is {total}, not {value}")
    if bound is None or value is None or bound > value:
        wrong.append("the bound is above the value")
    elif not decision.request.get("keep_current") and bound < whole:
        wrong.append("the bound is below the sum of all registers")
    if decision.status == "optimal" and value != bound:
        wrong.append("it is said to be optimal without a bound that says so")
    return wrong


def _host(asked: Asked, row: Row) -> str:
    """The host bridge that something is behind."""
    part = str(row.get("pci") or row["bridge"])
    return [part, *asked.bridges_above(part)][-1]


# ------------------------------------------------------------------ nothing fits
def _fits(asked: Asked) -> bool:
    """Try one greedy order where no pins, ranges or room are in the way."""
    windows = asked.windows()
    hosts = {host for host, _space, _low, _high in windows}
    if asked.pins() or asked.request.get("hotplug") or len(hosts) != 1 or len(windows) != 1:
        return False
    (host, space, low, high) = windows[0]
    if asked.reserved(space != "io"):
        return False
    keys = list(asked.expected())
    shapes = []
    for own in ("memory", "prefetchable", "io"):
        shapes += _shapes(asked, host, own, keys, True)
    end = low
    for align, size in sorted(shapes, reverse=True):
        end = -(-end // align) * align + size
    return end <= min(high, FOUR_GIB)


def _shapes(
    asked: Asked, bridge: str, space: str, keys: Sequence[tuple[str, int]], host: bool
) -> list[tuple[int, int]]:
    """Alignment and bytes of what hangs under a bridge."""
    found = []
    for pci, index in keys:
        size, kind = asked.bars[pci, index]
        own = plain(kind) if host else asked.space_behind(pci, kind)
        if asked.parent[pci] == bridge and own == space:
            found.append((size, size))
    for child, above in asked.parent.items():
        if above != bridge or not child.startswith("bridge:"):
            continue
        inside = sorted(_shapes(asked, child, space, keys, False), reverse=True)
        end = 0
        for align, size in inside:
            end = -(-end // align) * align + size
        if inside:
            grain = asked.grain(space)
            found.append((max(grain, inside[0][0]), -(-end // grain) * grain))
    return found

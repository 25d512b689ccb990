"""Why nothing fits: bytes that are missing, and a minimal set of what clashes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from skb.decision import Reason
from skb.engines.pci_lower import impossible
from skb.engines.pci_packing import Outcome
from skb.questions.pci_constraints import pin_reason, taken_reason, window_reason
from skb.questions.pci_instance import Group, Instance, Room, Taken, amount, window_words
from skb.wording import counted, listed

Key = tuple[str, int]
Clash = Taken | Room | Key
Member = TypeVar("Member")
MOST_TRIES = 400
SHOWN = 12


def clash(
    asked: Instance, group: Group, outcome: Outcome, steps: int, deadline: float
) -> tuple[list[Reason], bool]:
    """Return what is missing and what clashes, and whether that set is proven to be minimal."""
    registers = {(r.pci, r.index): r for r in asked.asked(group)}
    pins = {key: base for key, (base, _why) in asked.pins.items() if key in registers}
    taken = asked.taken_in(group)
    below = {group.host, *asked.tree.below(group.host)}
    rooms = [room for room in asked.rooms if room.bridge in below]
    whole = True

    def holds(kept: Sequence[tuple[str, object]]) -> bool:
        """Whether these are still impossible together."""
        nonlocal whole
        own = {member for _kind, member in kept}
        problem = asked.problem(
            group,
            {key: base for key, base in pins.items() if ("pin", key) in kept},
            [(each.low, each.high) for each in taken if each in own],
            [room for room in rooms if room in own],
            frozenset(key for key in registers if ("bar", key) not in kept),
        )
        found = impossible(problem, steps, deadline)
        whole = whole and found is not None
        return bool(found)

    members: list[tuple[str, object]] = [("taken", each) for each in taken]
    members += [("pin", key) for key in pins]
    members += [("room", room) for room in rooms]
    # the largest stay as reasons: the smallest are tried first
    members += [("bar", key) for key in sorted(registers, key=lambda k: registers[k].size)]
    core, exact = _minimal(members, holds, deadline)
    # two places that clash do so in a window of any size
    placed = sum(kind in ("taken", "pin") for kind, _member in core)
    reasons = [] if placed > 1 and not outcome.short else _short(asked, group, outcome)
    for kind, member in core:
        if kind == "taken" and isinstance(member, Taken):
            reasons.append(taken_reason(member))
        elif kind == "room" and isinstance(member, Room):
            text = f"{amount(member.size)} of {member.space} room is kept behind {member.bridge}"
            reasons.append(Reason(member.id, text, (member.bridge,)))
        elif kind == "pin" and isinstance(member, tuple):
            base, why = asked.pins[member]
            reasons.append(pin_reason(registers[member], base, why))
    bars = [registers[m] for kind, m in core if kind == "bar" and isinstance(m, tuple)]
    if bars:
        bars.sort(key=lambda register: (-register.size, register.pci, register.index))
        total = amount(sum(register.size for register in bars))
        names = [f"{r.name} ({amount(r.size)})" for r in bars]
        text = f"{counted(len(bars), 'register')} of {total} in all: {listed(names, SHOWN)}"
        reasons.append(Reason("registers", text, tuple(dict.fromkeys(r.pci for r in bars))))
    return reasons, exact and whole


def _short(asked: Instance, group: Group, outcome: Outcome) -> list[Reason]:
    """Return the windows that are too small, with the bytes that are missing."""
    reasons = []
    lost = [
        thing
        for thing in asked.problem(group, {}, []).things
        if not any(root.takes(thing) for root in group.roots)
    ]
    if lost:
        names = listed([thing.name for thing in lost], SHOWN)
        where = " below 4 GiB" if any(thing.low for thing in lost) else ""
        text = f"{group.host} has no window{where} that takes {lost[0].space}: {names}"
        return [Reason(f"window:{group.host}", text, (group.host,))]
    for at, root in enumerate(group.roots):
        missing = outcome.short.get(at)
        if missing:
            text = (
                f"{window_words(root)} has {amount(root.end - root.base)}: at least"
                f" {missing} bytes ({amount(missing)}) are missing"
            )
            reasons.append(Reason(f"window:{root.name}:{root.base:#x}", text, (root.name,)))
        elif at in outcome.short or len(group.roots) == 1:
            reasons.append(window_reason(root))
    return reasons or [window_reason(root) for root in group.roots]


def _minimal(
    members: Sequence[Member], holds: Callable[[Sequence[Member]], bool], deadline: float
) -> tuple[list[Member], bool]:
    """Take members out, many at once and then one by one, as long as they still clash."""
    core = list(members)
    tries = 0
    size = max(1, len(core) // 2)
    while True:
        at = 0
        while at < len(core):
            if tries >= MOST_TRIES or time.monotonic() > deadline:
                return core, False
            tries += 1
            fewer = core[:at] + core[at + size :]
            if holds(fewer):
                core = fewer
            else:
                at += size
        if size == 1:
            return core, True
        size = max(1, size // 2)

"""Registers that keep the addresses they have: as many as fit together."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence

from skb.engines.pci_solve import solve
from skb.engines.pci_tree import LOW, Range
from skb.questions.pci_instance import Group, Instance
from skb.questions.pci_tree_facts import Register

Key = tuple[str, int]


def kept(
    asked: Instance,
    group: Group,
    pins: Mapping[Key, int],
    taken: Sequence[Range],
    steps: int,
    deadline: float,
) -> tuple[dict[Key, int], int]:
    """Return present addresses that can be kept beside the pins, where all of them, then halves,
    then singles are tried, and how many registers must move in any case.

    Of intervals those that are taken by their ends are the most that lie apart.
    """
    possible, moving = _possible(asked, group, pins, taken)
    # where two overlap the larger stays; else whichever leaves room for the most
    large = sorted(possible, key=lambda key: (possible[key][1] - possible[key][0], key))
    early = sorted(possible, key=lambda key: possible[key])
    best: dict[Key, int] = {}
    choices = [_apart(possible, order) for order in (large, early)]
    moving += len(possible) - len(choices[1])
    until = time.monotonic() + max(deadline - time.monotonic(), 0.0) / 2
    for may in choices:
        stay = _staying(asked, group, pins, taken, may, steps, until)
        if len(stay) > len(best):
            best = stay
        if len(best) == len(choices[1]):
            break
    return best, moving


def _staying(
    asked: Instance,
    group: Group,
    pins: Mapping[Key, int],
    taken: Sequence[Range],
    may: Mapping[Key, int],
    steps: int,
    deadline: float,
) -> dict[Key, int]:
    """Return those of some addresses with which everything fits."""
    stay: dict[Key, int] = {}

    def fits(more: Sequence[Key]) -> bool:
        if time.monotonic() > deadline:
            return False
        held = {**pins, **stay, **{key: may[key] for key in more}}
        problem = asked.problem(group, held, taken)
        return solve(problem, steps, deadline, quick=True).laid is not None

    def add(keys: Sequence[Key]) -> None:
        if not keys:
            return
        if fits(keys):
            stay.update((key, may[key]) for key in keys)
        elif len(keys) > 1:
            half = len(keys) // 2
            add(keys[:half])
            add(keys[half:])

    add(list(may))
    return stay


def _apart(possible: Mapping[Key, Range], order: Sequence[Key]) -> dict[Key, int]:
    """Return addresses that do not overlap, taken in an order; `possible` has end and base."""
    found: dict[Key, int] = {}
    lows: list[Range] = []
    for key in order:
        end, base = possible[key]
        at = bisect_left(lows, (base, end))
        before = lows[at - 1][1] if at else 0
        if before <= base and (at == len(lows) or lows[at][0] >= end):
            lows.insert(at, (base, end))
            found[key] = base
    return found


def _possible(
    asked: Instance, group: Group, pins: Mapping[Key, int], taken: Sequence[Range]
) -> tuple[dict[Key, Range], int]:
    """Return end and base of present addresses that are possible, and how many others there are."""
    registers: dict[Key, Register] = {(r.pci, r.index): r for r in asked.asked(group)}
    used = [*taken]
    used += [(base, base + registers[key].size) for key, base in pins.items() if key in registers]
    free = sum(key not in pins and r.base is not None for key, r in registers.items())
    pinned = sum(r.base not in (None, pins[key]) for key, r in registers.items() if key in pins)
    possible: dict[Key, Range] = {}
    for key, register in registers.items():
        base = register.base
        if key in pins or base is None:
            continue
        end = base + register.size
        inside = any(
            register.space in root.spaces and root.base <= base and end <= root.end
            for root in group.roots
        )
        high = register.low and end > LOW
        if inside and not high and not any(low < end and base < top for low, top in used):
            possible[key] = (end, base)
    return possible, pinned + free - len(possible)

"""Parts of a window's contents, layouts of them, and the steps that a search may take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skb.engines.pci_tree import Bar, Window

if TYPE_CHECKING:
    from skb.engines.pci_contents import Contents

Steps = list[tuple[int, int, "Layout | None"]]
# a part that may come next: which, where it begins and ends, and its inner layout
Option = tuple[int, int, int, "Layout | None"]
# how many of each part are left, a field of bits for each
Counts = int
FIELD = 16
# from which counts a state was reached, with which part, its start and its inner layout
Step = tuple[Counts, int, int, "Layout | None"]
# how a state of a beam was reached: part, start, inner layout and the way before
Way = tuple[int, int, "Layout | None", "Way | None"]
# where all would end without more empty addresses, alignments that are left, counts, bytes, way
State = tuple[int, int, Counts, int, Way | None, int]
# for each effort the states that are visited exactly in one window, and the width of its beam
EFFORTS = ((1, 1), (60, 3), (1_500, 8), (60_000, 16))
QUICK, BEAM, SEARCH, WHOLE = range(4)
# kinds of things that a beam considers next: of the largest alignments, and of the smallest
AHEAD, LAST = 64, 32
CLOCK_EVERY = 128
# things side by side up to which a beam that is late is ended in haste
HASTY = 300
# of so many of the largest alignments it is reckoned what blocks that are left take
LEVELS = 4


class Spent(Exception):
    """The steps or the time of a search are used up."""


class Budget:
    """Steps that may be taken, and a deadline as a fuse."""

    def __init__(self, steps: int, deadline: float) -> None:
        self.steps = steps
        self.deadline = deadline

    def take(self, count: int = 1) -> None:
        before = self.steps // CLOCK_EVERY
        self.steps -= count
        if self.steps < 0:
            raise Spent
        if self.steps // CLOCK_EVERY != before and time.monotonic() > self.deadline:
            self.steps = -1
            raise Spent


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things lie: part, start and inner layout of each, and whether no end is earlier.

    Numbers are relative to the address from which it was laid.
    """

    start: int
    end: int
    steps: tuple[tuple[int, int, Layout | None], ...]
    exact: bool


@dataclass(slots=True)
class Part:
    """Things that are alike: single registers, packs of small ones, or windows."""

    size: int
    align: int
    low: bool
    things: list[tuple[Bar, ...] | Window]
    inner: Contents | None = None
    space: str = ""


def pack_small(
    small: Sequence[Bar],
    grain: int,
    root: bool,
    low: bool,
    space: str,
    parts: dict[object, Part],
) -> None:
    """Fill grains with small registers, the largest first, which leaves nothing between them."""
    packs: list[list[Bar]] = []
    held = grain
    for bar in small:
        if held >= grain:
            packs.append([])
            held = 0
        packs[-1].append(bar)
        held += bar.size
    for pack in packs:
        size, align = sum(bar.size for bar in pack), pack[0].size
        if size == grain or not root:
            size = align = grain
        part = parts.setdefault((size, align, low, space), Part(size, align, low, [], None, space))
        part.things.append(tuple(pack))


def registers_alone(parts: Sequence[Part], offset: int) -> Layout:
    """Lay registers alone: blocks of one size lie in aligned blocks of the next, so that the
    end is right where the blocks of each size and above fit between the ends of the stretch.
    """
    end, held = offset, 0
    for part in parts:
        held += part.size * len(part.things)
        end = max(end, -(-offset // part.size) * part.size + held)
    free = [(offset, end)]
    steps: list[tuple[int, int, Layout | None]] = []
    for which, part in enumerate(parts):
        for _ in part.things:
            # the highest block that is free, so that the window begins as late as it can
            at = max(
                range(len(free)),
                key=lambda n: (
                    -1
                    if free[n][1] // part.size * part.size - part.size < free[n][0]
                    else free[n][1]
                ),
            )
            low, high = free[at]
            start = high // part.size * part.size - part.size
            rest = ((low, start), (start + part.size, high))
            free[at : at + 1] = [each for each in rest if each[0] < each[1]]
            steps.append((which, start - offset, None))
    steps.sort(key=lambda step: step[1])
    return Layout(steps[0][1], end - offset, tuple(steps), True)


def layout_of(steps: Steps, end: int, exact: bool) -> Layout:
    """Return a layout of steps in their order, relative to the address that it begins from."""
    return Layout(steps[0][1] if steps else 0, end, tuple(steps), exact)

"""Registers, bridge windows and stretches of addresses: what the packing of PCI space is about.

All numbers are bytes, exact at any size. Registers are powers of two, each at a multiple of its
size; a bridge window begins and ends at a multiple of its grain.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

Range = tuple[int, int]
LOW = 1 << 32
"""Registers of 32 bits, and windows of bridges without 64-bit addresses, end here at the latest."""

OPEN = 1 << 200
"""Behind every address."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A register; `low` ends below 4 GiB, `base` is where it must lie, None where it is free."""

    name: str
    size: int
    space: str
    low: bool
    base: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """What one bridge forwards of one space: registers and windows of the bridges below it.

    `hollow`: also a bridge that nothing of this space is behind.
    """

    name: str
    space: str
    grain: int
    bars: tuple[Bar, ...]
    windows: tuple[Window, ...]
    always_low: bool
    hollow: bool = False

    @property
    def low(self) -> bool:
        return (
            self.always_low
            or any(bar.low for bar in self.bars)
            or any(window.low for window in self.windows)
        )

    @property
    def pinned(self) -> bool:
        """Whether something in it must lie at an address."""
        return any(bar.base is not None for bar in self.bars) or any(
            window.pinned for window in self.windows
        )

    def every_bar(self) -> Iterator[Bar]:
        """Every register in it and below."""
        yield from self.bars
        for window in self.windows:
            yield from window.every_bar()

    def least(self) -> int:
        """Return the bytes that it has at the least."""
        inside = sum(bar.size for bar in self.bars) + sum(each.least() for each in self.windows)
        return up(inside, self.grain)


@dataclass(frozen=True, slots=True)
class Root:
    """One window of a host bridge: `spaces` are what may lie in it."""

    name: str
    spaces: frozenset[str]
    base: int
    end: int

    def takes(self, thing: Bar | Window) -> bool:
        return thing.space in self.spaces and (not thing.low or self.base < LOW)


@dataclass(slots=True)
class Laid:
    """Where everything lies: `bars` by name the base, `windows` by name base and end."""

    bars: dict[str, int] = field(default_factory=dict)
    windows: dict[str, Range] = field(default_factory=dict)

    def add(self, other: Laid) -> None:
        self.bars.update(other.bars)
        self.windows.update(other.windows)


def up(address: int, align: int) -> int:
    """Return the next multiple of a power of two."""
    return -(-address // align) * align


class Line:
    """Addresses from `base` to `end`, some of them taken; `endless` goes on for ever.

    Nothing lies across one of the `walls`. `by_space` are lines for things of one space, where not
    all may lie in the same places.
    """

    def __init__(
        self,
        base: int,
        end: int,
        taken: Iterable[Range] = (),
        endless: bool = False,
        walls: Iterable[int] = (),
    ) -> None:
        self.base = base
        self.end = OPEN if endless else end
        self.low = OPEN if endless else min(end, LOW)
        end = self.end
        merged: list[Range] = []
        held = [(low, high) for low, high in taken if low < high]
        for low, high in sorted([*held, *((wall, wall) for wall in walls)]):
            if high <= base or low >= end:
                continue
            if merged and low <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        self.by_space: dict[str, Line] = {}
        self.taken: Sequence[Range] = merged
        self._ends = [high for _low, high in merged]

    def behind(self, low: int, high: int) -> int:
        """Return the end of what is taken first between two addresses, 0 where all is free."""
        at = bisect_right(self._ends, low)
        if at < len(self.taken) and self.taken[at][0] < high:
            return self.taken[at][1]
        return 0

    def fit(self, address: int, size: int, align: int, end: int) -> int:
        """Return the first free place from an address on, -1 where there is none before `end`."""
        start = -(-address // align) * align
        while start + size <= end:
            blocked = self.behind(start, start + size)
            if not blocked:
                return start
            start = -(-blocked // align) * align
        return -1

    @property
    def free(self) -> list[Range]:
        """The free stretches in their order."""
        found, at = [], self.base
        for low, high in self.taken:
            if low > at:
                found.append((at, low))
            at = max(at, high)
        if at < self.end:
            found.append((at, self.end))
        return found

"""What is packed below one host bridge, and the packing of one stretch of addresses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from skb.engines.pci_contents import Contents
from skb.engines.pci_parts import BEAM, EFFORTS, WHOLE, Budget, Layout, Spent
from skb.engines.pci_tree import LOW, OPEN, Bar, Laid, Line, Range, Root, Window

Thing = Bar | Window
FEW = 40  # things side by side up to which a search is soon done


@dataclass(frozen=True, slots=True)
class Problem:
    """What lies below one host bridge: its windows, what must lie in them, and what is taken."""

    roots: tuple[Root, ...]
    bars: tuple[Bar, ...]
    windows: tuple[Window, ...]
    taken: tuple[Range, ...]
    grain: int

    @property
    def things(self) -> tuple[Thing, ...]:
        return (*self.bars, *self.windows)

    def every_bar(self) -> Iterator[Bar]:
        yield from self.bars
        for window in self.windows:
            yield from window.every_bar()


@dataclass(slots=True)
class Outcome:
    """An answer of the engine: `laid` is None where none was found.

    `fits` is False only where it is proven that nothing fits; then `short` are bytes by window of
    the host bridge that are missing at the least. `used` are bytes by window, `bound` their sum at
    the least.
    """

    laid: Laid | None = None
    fits: bool | None = None
    used: dict[int, int] = field(default_factory=dict)
    bound: int = 0
    short: dict[int, int] = field(default_factory=dict)
    method: str = ""

    @property
    def value(self) -> int:
        return sum(self.used.values())

    @property
    def open(self) -> bool:
        """Whether it is not known yet if anything fits."""
        return self.laid is None and self.fits is None

    @property
    def proven(self) -> bool:
        return self.laid is not None and self.value == self.bound


def least_of(thing: Thing) -> int:
    return thing.size if isinstance(thing, Bar) else thing.least()


def place_of(bar: Bar) -> Range:
    assert bar.base is not None
    return bar.base, bar.base + bar.size


def contents_of(
    root: Root,
    bars: Sequence[Bar],
    windows: Sequence[Window],
    taken: Sequence[Range],
    grain: int,
) -> Contents:
    """Small registers are packed where nothing taken begins or ends inside a grain."""
    edges = [
        edge for low, high in taken if low < root.end and high > root.base for edge in (low, high)
    ]
    packed = not any(edge % grain for edge in (root.base, root.end, *edges))
    return Contents(bars, windows, grain, packed, True, high=root.end > LOW)


def first_fit(contents: Contents, address: int, line: Line | None) -> Layout | None:
    """Return a layout at once: by alignment, each in the first hole that is large enough."""
    line = Line(address, OPEN) if line is None else line
    taken = list(line.taken)
    steps: list[tuple[int, int, Layout | None]] = []
    last = address
    for which, part in enumerate(contents.parts):
        inner = None if part.inner is None else first_fit(part.inner, 0, None)
        size = part.size if inner is None else inner.end
        for _ in part.things:
            now = Line(line.base, line.end, taken)
            start = now.fit(address, size, part.align, line.low if part.low else line.end)
            if start < 0:
                return None
            taken.append((start, start + size))
            last = max(last, start + size)
            steps.append((which, start - address, inner))
    steps.sort(key=lambda step: step[1])
    return Layout(steps[0][1] if steps else 0, last - address, tuple(steps), False)


def spread(contents: Contents, address: int, layout: Layout, laid: Laid) -> None:
    """Write down where each thing lies by its name."""
    left = [list(part.things) for part in contents.parts]
    for which, offset, inner in layout.steps:
        thing = left[which].pop(0)
        start = address + offset
        if isinstance(thing, Window):
            own = Contents(thing.bars, thing.windows, thing.grain, True, False)
            if inner is None:
                inner = Layout(0, own.least, ((0, 0, None),), True)
            laid.windows[thing.name] = (start, start + inner.end - inner.start)
            spread(own, start - inner.start, inner, laid)
        else:
            for bar in thing:
                laid.bars[bar.name] = start
                start += bar.size


def pack(
    own: Contents,
    root: Root,
    line: Line,
    effort: int,
    budget: Budget,
    least: int,
    most: int = OPEN,
) -> tuple[Layout | None, bool]:
    """Return a layout in a window that ends before `most`, None where none was found, and whether
    that is proven; `least` is what a layout takes at the least.
    """
    if not own.parts:
        return Layout(0, 0, (), True), True
    states, width = EFFORTS[effort]
    found = None
    # few things with an answer already: a better beam, then nothing but the whole search
    few = most < OPEN and sum(own.counts) <= FEW
    if effort < WHOLE or not few:
        try:
            found = own.beam(root.base, line, effort, width, budget)
        except Spent:
            found = first_fit(own, root.base, line) if effort <= BEAM else None
    if found is not None and found.end <= least:
        return found, True
    if effort <= BEAM or (few and effort < WHOLE):
        return found, False
    if found is not None:
        most = min(most, root.base + found.end)
    try:
        mine = Budget(states, budget.deadline)
        better, sure = own.search(root.base, line, effort, mine, budget, most)
    except Spent:
        return found, False
    return better or found, sure

"""Windows with pinned registers: each lies around its pins and grows into what is free beside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from skb.engines.pci_contents import Contents
from skb.engines.pci_packing import Problem, pack, place_of, spread
from skb.engines.pci_parts import SEARCH, Budget, Spent
from skb.engines.pci_tree import Bar, Laid, Line, Range, Root, Window, up

CHOICES = 10  # ways in which windows with pins are grown
GROWN = 24  # addresses below a pinned window from which its contents are tried


def settlements(problem: Problem, pins: Sequence[Bar], budget: Budget) -> Iterator[Laid]:
    """Yield places of all windows with pins: grown upwards, downwards, and in between."""
    pinned = [window for window in problem.windows if window.pinned]
    bars = {bar.name: bar.base for bar in pins if bar.base is not None}
    seen = []
    for choice in range(CHOICES):
        laid = Laid(dict(bars))
        try:
            whole = all(
                _settle(window, problem, pins, laid, choice, budget) is not None
                for window in pinned
            )
        except Spent:
            continue
        if whole and laid.windows not in seen:
            seen.append(laid.windows)
            yield laid
        if not pinned:
            return


def _settle(
    window: Window, problem: Problem, pins: Sequence[Bar], laid: Laid, choice: int, budget: Budget
) -> Range | None:
    """Place a window around its pins, None where that is not found; write it down in `laid`."""
    own = {bar.name for bar in window.every_bar()}
    fixed = [place_of(bar) for bar in window.bars if bar.base is not None]
    for inner in window.windows:
        if inner.pinned:
            placed = _settle(inner, problem, pins, laid, choice, budget)
            if placed is None:
                return None
            fixed.append(placed)
    below = {window.name, *(each.name for each in _every_window(window))}
    foreign = [
        *problem.taken,
        *(place_of(bar) for bar in pins if bar.name not in own),
        *(place for name, place in laid.windows.items() if name not in below),
    ]
    grain = window.grain
    low = min(low for low, _high in fixed) // grain * grain
    high = up(max(high for _low, high in fixed), grain)
    around = None
    for root in problem.roots:
        if root.takes(window):
            line = Line(root.base, root.end, foreign)
            limit = line.low if window.low else line.end
            free = [(up(a, grain), min(b, limit) // grain * grain) for a, b in line.free]
            around = next(((a, b) for a, b in free if a <= low and high <= b), around)
    if around is None:
        return None
    bars = [bar for bar in window.bars if bar.base is None]
    windows = [each for each in window.windows if not each.pinned]
    place = _grown(window, bars, windows, fixed, (low, high), around, laid, choice, budget)
    if place is not None:
        laid.windows[window.name] = place
    return place


def _every_window(window: Window) -> Iterator[Window]:
    for inner in window.windows:
        yield inner
        yield from _every_window(inner)


def _grown(
    window: Window,
    bars: Sequence[Bar],
    windows: Sequence[Window],
    fixed: Sequence[Range],
    hull: Range,
    around: Range,
    laid: Laid,
    choice: int,
    budget: Budget,
) -> Range | None:
    """Lay what is free of a pinned window around its pins; return the window."""
    low, high = hull
    if not bars and not windows:
        return hull
    packed = not any(edge % window.grain for place in fixed for edge in place)
    contents = Contents(bars, windows, window.grain, packed, False)
    need = up(contents.least, window.grain)
    # from below it where there is room, a little more each time; then upwards
    step = max(window.grain, need // 8 // window.grain * window.grain)
    starts = [low - n * step for n in range(1, GROWN + 1)]
    align = contents.align
    starts += [(low - need) // align * align, low // align * align]
    starts = sorted({at for at in starts if around[0] <= at < low}, reverse=True)
    down = choice == 1
    tried = [*starts, low] if down else [low, *starts]
    if choice > 1:
        first = min((choice - 1) * max(1, len(starts) // CHOICES), len(starts))
        tried = [*starts[first:], low, *starts[:first]]
    for start in tried:
        line = Line(start, around[1], fixed)
        found, _sure = pack(
            contents, Root("", frozenset(), start, around[1]), line, SEARCH, budget, need
        )
        if found is None:
            continue
        end = max(up(start + found.end, window.grain), high)
        if down and start < low and end > high:
            continue
        spread(contents, start, found, laid)
        first = min(start + found.start // window.grain * window.grain, low)
        return first, end
    return None

"""Contents of PCI windows: the least end against every order, for every start."""

from __future__ import annotations

import random
import time
from itertools import pairwise, permutations

import pytest

from skb.engines.pci_contents import Contents
from skb.engines.pci_packing import first_fit, spread
from skb.engines.pci_parts import BEAM, EFFORTS, WHOLE, Budget
from skb.engines.pci_tree import Bar, Laid, Line, Window

GRAIN = 16


def _budget() -> Budget:
    return Budget(10**6, time.monotonic() + 60)


def _bar(name: str, size: int) -> Bar:
    return Bar(name, size, "memory", False)


def _tree(draw: random.Random, depth: int, name: str) -> Window:
    bars = [
        _bar(f"{name}.{at}", GRAIN * draw.choice((1, 1, 2, 4, 8)))
        for at in range(draw.randint(1, 3))
    ]
    inner = [
        _tree(draw, depth - 1, f"{name}/{at}") for at in range(draw.randint(0, 2) if depth else 0)
    ]
    return Window(name, "memory", GRAIN, tuple(bars), tuple(inner), False)


def _least_end(window: Window, start: int) -> int:
    """Lay the things of a window in every order, each as early as it can be."""
    best = 1 << 60
    things: list[Bar | Window] = [*window.bars, *window.windows]
    for order in permutations(things):
        at = start
        for thing in order:
            if isinstance(thing, Bar):
                at = -(-at // thing.size) * thing.size + thing.size
            else:
                at = _least_end(thing, at)
        best = min(best, at)
    return best


@pytest.mark.parametrize("seed", range(40))
def test_contents_end_where_the_best_order_does(seed: int) -> None:
    """The exact search from any start equals the best of all orders, and so does the layout."""
    draw = random.Random(seed)
    window = _tree(draw, 2, "w")
    contents = Contents(window.bars, window.windows, GRAIN, True, False)
    start = GRAIN * draw.randrange(16)
    found, sure = contents.search(start, None, WHOLE, _budget(), _budget())
    assert sure and found is not None
    assert start + found.end == _least_end(window, start)
    laid = Laid()
    spread(contents, start, found, laid)
    bars = {bar.name: bar.size for bar in window.every_bar()}
    assert set(laid.bars) == set(bars)
    assert max(base + bars[name] for name, base in laid.bars.items()) <= start + found.end
    assert all(base % bars[name] == 0 for name, base in laid.bars.items())


@pytest.mark.parametrize("seed", range(30))
def test_contents_of_registers_alone_follow_the_formula(seed: int) -> None:
    """The closed form of the least end equals the search, which does not use it at the root."""
    draw = random.Random(seed)
    bars = [_bar(str(at), GRAIN << draw.randrange(5)) for at in range(draw.randint(1, 6))]
    contents = Contents(bars, (), GRAIN, True, False)
    start = GRAIN * draw.randrange(64)
    closed = contents.laid_from(start, 0, _budget())
    found, _sure = contents.search(start, None, WHOLE, _budget(), _budget())
    assert found is not None
    assert closed.end == found.end
    assert all(offset >= 0 for _which, offset, _inner in closed.steps)
    ends = sorted((offset, contents.parts[which].size) for which, offset, _inner in closed.steps)
    assert all(a + size <= b for (a, size), (b, _s) in pairwise(ends))


@pytest.mark.parametrize("seed", range(20))
def test_contents_beam_and_first_fit_are_never_better(seed: int) -> None:
    """Heuristics give layouts around what is taken that end no earlier than the exact one."""
    draw = random.Random(seed)
    window = _tree(draw, 2, "w")
    contents = Contents(window.bars, window.windows, GRAIN, True, True)
    taken = [(GRAIN * at, GRAIN * (at + 1)) for at in range(200) if draw.random() < 0.03]
    line = Line(0, 1 << 20, taken)
    found, sure = contents.search(0, line, WHOLE, _budget(), _budget())
    assert sure and found is not None
    beam = contents.beam(0, line, BEAM, EFFORTS[BEAM][1], _budget())
    quick = first_fit(contents, 0, line)
    assert beam is not None and quick is not None
    assert found.end <= beam.end
    assert found.end <= quick.end
    for layout in (found, beam, quick):
        laid = Laid()
        spread(contents, 0, layout, laid)
        for low, high in laid.windows.values():
            assert not line.behind(low, high)

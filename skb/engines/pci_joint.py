"""All windows of a host bridge as one line of addresses: whether anything fits several of them."""

from __future__ import annotations

from collections.abc import Sequence

from skb.engines.pci_contents import Contents
from skb.engines.pci_packing import Problem, spread
from skb.engines.pci_parts import BEAM, EFFORTS, WHOLE, Budget, Spent
from skb.engines.pci_tree import LOW, Bar, Laid, Line, Range, Window


def joint(
    problem: Problem,
    bars: Sequence[Bar],
    windows: Sequence[Window],
    taken: Sequence[Range],
    budget: Budget,
) -> tuple[Laid | None, bool]:
    """Return a layout over all windows, None where none was found, and whether that is sure.

    Things of a space may not lie in the windows that do not take them, nor between windows.
    """
    base = min(root.base for root in problem.roots)
    end = max(root.end for root in problem.roots)
    edges = [edge for low, high in taken if low < end and high > base for edge in (low, high)]
    edges += [edge for root in problem.roots for edge in (root.base, root.end)]
    packed = not any(edge % problem.grain for edge in edges)
    contents = Contents(bars, windows, problem.grain, packed, True, split=True, high=end > LOW)
    line = Line(base, end)
    for space in {*(bar.space for bar in bars), *(window.space for window in windows)}:
        closed, walls = _closed(problem, space, base, end)
        line.by_space[space] = Line(base, end, [*taken, *closed], walls=walls)
    laid = Laid()
    if not contents.parts:
        return laid, True
    try:
        found = contents.beam(base, line, BEAM, EFFORTS[BEAM][1], budget)
        sure = False
        if found is None:
            own = Budget(EFFORTS[WHOLE][0], budget.deadline)
            found, sure = contents.search(base, line, WHOLE, own, budget)
    except Spent:
        return None, False
    if found is None:
        return None, sure
    spread(contents, base, found, laid)
    return laid, True


def _closed(problem: Problem, space: str, base: int, end: int) -> tuple[list[Range], list[int]]:
    """Return the stretches where no window takes things of a space, and where two windows meet."""
    closed, at = [], base
    walls = [root.base for root in problem.roots]
    for root in sorted(problem.roots, key=lambda root: root.base):
        if space in root.spaces:
            if root.base > at:
                closed.append((at, root.base))
            at = max(at, root.end)
    return [*closed, (at, end)], walls

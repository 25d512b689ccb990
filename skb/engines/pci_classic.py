"""The classic greedy orders of firmware and kernels, for comparison: they move every pin.

The tree is walked in postorder and everything goes to the next address that is aligned for it and
not taken; a bridge's window begins and ends at a multiple of its grain. The orders are those that
A. Schüpbach et al. compared (ASPLOS 2011): as the slots come, or what is behind a bridge sorted by
its largest or smallest register or by the sum of all. They also keep off the address before and
the one behind what is taken. `descending, first fit` lays out each bridge
apart, sorted by alignment, and fills the holes that are left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from skb.engines.pci_packing import Problem, Thing
from skb.engines.pci_tree import OPEN, Bar, Line, Range, Root, Window, up

Shape = tuple[int, int]  # bytes and alignment
# a bridge with nothing behind it counts as nine pages in their orders
HOLLOW = 9 * 4096
MANY = 500  # things that are laid around what is taken; more of them ignore it
FIRST_FIT = "descending, first fit"


def inside_of(window: Window) -> list[Thing]:
    """Return what lies in a window, bridges first."""
    return [*window.windows, *window.bars]


def _largest(thing: Thing) -> int:
    return thing.size if isinstance(thing, Bar) else max(bar.size for bar in thing.every_bar())


def _smallest(thing: Thing) -> int:
    if isinstance(thing, Bar):
        return thing.size
    inside = [_smallest(each) for each in inside_of(thing)]
    return min([*inside, HOLLOW] if thing.hollow else inside)


def _sum(thing: Thing) -> int:
    return thing.size if isinstance(thing, Bar) else sum(bar.size for bar in thing.every_bar())


ORDERS: Mapping[str, Callable[[Thing], int]] = {
    "postorder": lambda _thing: 0,
    "sorted": lambda thing: -_largest(thing),
    "sorted by sum": lambda thing: -_sum(thing),
    "ascending": _smallest,
    "ascending by sum": _sum,
}


def classic(problem: Problem, taken: Sequence[Range]) -> dict[str, dict[int, int]]:
    """Return by order the bytes of each window, by its number, up to the end of the last thing."""
    touched = [(max(low - 1, 0), high + 1) for low, high in taken]
    found: dict[str, dict[int, int]] = {name: {} for name in (*ORDERS, FIRST_FIT)}
    for at, root in enumerate(problem.roots):
        things: list[Thing] = [*problem.windows, *problem.bars]
        own = [thing for thing in things if _first(problem.roots, thing) == at]
        if not own:
            continue
        line = Line(root.base, root.end, touched, endless=True)
        for name, key in ORDERS.items():
            end = root.base
            for thing in sorted(own, key=key):
                end = _after(thing, end, line, key)
            found[name][at] = end - root.base
        found[FIRST_FIT][at] = _around(own, line)
    return found


def _first(roots: Sequence[Root], thing: Thing) -> int:
    return next((at for at, root in enumerate(roots) if root.takes(thing)), -1)


def _after(thing: Thing, at: int, line: Line, key: Callable[[Thing], int]) -> int:
    """Return where a thing ends that is laid from an address on."""
    if isinstance(thing, Bar):
        return line.fit(at, thing.size, thing.size, OPEN) + thing.size
    at = up(at, thing.grain)
    for each in sorted(inside_of(thing), key=key):
        at = _after(each, at, line, key)
    return up(at, thing.grain)


def _shape(thing: Thing) -> Shape:
    if isinstance(thing, Bar):
        return thing.size, thing.size
    inside = [_shape(each) for each in inside_of(thing)]
    return up(_filled(inside, 0), thing.grain), max(thing.grain, *(align for _s, align in inside))


def _around(things: Sequence[Thing], line: Line) -> int:
    """Return the bytes from the line's base to the end of the last, around what is taken."""
    shapes = sorted(map(_shape, things), key=lambda shape: (-shape[1], -shape[0]))
    if not line.taken or len(shapes) > MANY:
        return _filled(shapes, line.base)
    taken = list(line.taken)
    end = line.base
    for size, align in shapes:
        start = Line(line.base, OPEN, taken).fit(line.base, size, align, OPEN)
        taken.append((start, start + size))
        end = max(end, start + size)
    return end - line.base


def _filled(shapes: Sequence[Shape], base: int) -> int:
    """Return the bytes from a base to the end of the last, holes filled."""
    end = base
    holes: list[tuple[int, int]] = []
    for size, align in sorted(shapes, key=lambda shape: (-shape[1], -shape[0])):
        filled = next((hole for hole in holes if up(hole[0], align) + size <= hole[1]), None)
        if filled is not None:
            start = up(filled[0], align)
            at = holes.index(filled)
            parts = ((filled[0], start), (start + size, filled[1]))
            holes[at : at + 1] = [hole for hole in parts if hole[0] < hole[1]]
            continue
        start = up(end, align)
        if start > end:
            holes.append((end, start))
        end = start + size
    return end - base

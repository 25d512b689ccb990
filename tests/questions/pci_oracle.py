"""An oracle for small PCI trees: python-constraint places registers, windows follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from constraint import BacktrackingSolver, Problem

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Small:
    """A register of whole MiB: the bridge that it is behind, and whether it is prefetchable."""

    bridge: int
    size: int
    prefetchable: bool


def fits(
    parents: Sequence[int],
    bars: Sequence[Small],
    slots: int,
    taken: Sequence[int] = (),
    pins: Mapping[int, int] | None = None,
) -> bool:
    """Tell whether registers fit so many slots of 1 MiB, none of which is taken.

    `pins` are the slots at which registers must begin. Slot 0 is aligned for everything. Windows
    are the hulls of what is behind a bridge, by space.
    """
    problem = Problem(BacktrackingSolver())
    for at, bar in enumerate(bars):
        places = [
            start
            for start in range(0, slots - bar.size + 1, bar.size)
            if not any(start <= slot < start + bar.size for slot in taken)
            and (pins or {}).get(at, start) == start
        ]
        if not places:
            return False
        problem.addVariable(at, places)
    for a in range(len(bars)):
        for b in range(a):
            sizes = bars[a].size, bars[b].size
            problem.addConstraint(
                lambda x, y, sizes=sizes: x + sizes[0] <= y or y + sizes[1] <= x, (a, b)
            )
    for bridge in range(1, len(parents) + 1):
        for kind in (False, True):
            inside = [
                at
                for at, bar in enumerate(bars)
                if bar.prefetchable == kind and bridge in _above(parents, bar.bridge)
            ]
            outside = [at for at in range(len(bars)) if at not in inside]
            if inside:
                _keep_out(problem, bars, inside, outside, taken)
    return problem.getSolution() is not None


def _above(parents: Sequence[int], bridge: int) -> set[int]:
    found = set()
    while bridge:
        found.add(bridge)
        bridge = parents[bridge - 1]
    return found


def _keep_out(
    problem: Problem,
    bars: Sequence[Small],
    inside: Sequence[int],
    outside: Sequence[int],
    taken: Sequence[int],
) -> None:
    """The window around what is inside holds nothing else and nothing taken."""

    def empty(*starts: int) -> bool:
        own = starts[: len(inside)]
        low = min(own)
        high = max(start + bars[at].size for at, start in zip(inside, own, strict=True))
        if any(low <= slot < high for slot in taken):
            return False
        others = zip(outside, starts[len(inside) :], strict=True)
        return all(start + bars[at].size <= low or high <= start for at, start in others)

    problem.addConstraint(empty, [*inside, *outside])

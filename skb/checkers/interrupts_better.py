"""Whether queues could sit nearer, or more evenly at the same distance: a search for cycles.

A queue that moves leaves room for another, which moves, and so on. Where no such chain, closed or
ending at a PU with room, shortens the sum of distances, no other answer does (the residual graph of
a cheapest flow has no negative cycle). Bellman and Ford's iteration finds one, or prices of the
seats under which every move costs; moves that cost nothing then tell whether loads can be levelled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

TOLERANCE = 1e-9
_MOST_SEATS = 1200


@dataclass(frozen=True, slots=True)
class Seen:
    """Free queues as (device, seat, load), the picoseconds from devices to seats, the room that is
    left on seats, their cores and the load of these, and whether the largest load is proven.
    """

    queues: Sequence[tuple[str, str, Fraction]]
    prices: Mapping[str, Mapping[str, int]]
    room: Mapping[str, int]
    core: Mapping[str, str]
    loads: Mapping[str, Fraction]
    levelled: bool


def better(seen: Seen) -> list[str]:
    """Return what shows that an answer is not the best."""
    import numpy

    used = {seat for _device, seat, _load in seen.queues}
    open_ = {seat for row in seen.prices.values() for seat in row}
    seats = sorted(used | {seat for seat in open_ if seen.room.get(seat, 0) > 0})
    if not seats or len(seats) > _MOST_SEATS:
        return []
    place = {seat: at for at, seat in enumerate(seats)}
    size = len(seats) + 1
    cost = numpy.full((size, size), numpy.inf)
    for device, seat, load in set(seen.queues):
        row = seen.prices[device]
        if seat not in row:
            continue  # a PU that has no other like it for this device
        for other, price in row.items():
            if other in place and other != seat:
                step = float(load) * (price - row[seat])
                pair = place[seat], place[other]
                cost[pair] = min(cost[pair], step)
    for seat, at in place.items():
        cost[-1, at] = 0.0
        if seen.room.get(seat, 0) > 0:
            cost[at, -1] = 0.0
    scale = max(1.0, float(numpy.abs(cost[numpy.isfinite(cost)]).max()))
    height = _heights(cost, scale * TOLERANCE, numpy)
    if height is None:
        return ["queues could sit nearer: a chain of moves shortens the sum of distances"]
    return _uneven(seen, seats, cost, height, scale) if seen.levelled else []


def _heights(cost: NDArray[float64], slack: float, numpy: Any) -> NDArray[float64] | None:
    """Return a height for each seat under which no move goes down, None where a cycle does."""
    height: NDArray[float64] = numpy.zeros(len(cost))
    for _round in range(len(cost) + 1):
        lower = numpy.minimum(height, (height[:, None] + cost).min(axis=0))
        if not (lower < height - slack).any():
            return height
        height = lower
    return None


def _uneven(
    seen: Seen,
    seats: Sequence[str],
    cost: NDArray[float64],
    height: NDArray[float64],
    scale: float,
) -> list[str]:
    """Follow moves that cost nothing from a fullest core to one with two queues less."""
    import numpy

    if len({load for _device, _seat, load in seen.queues}) != 1 or not seen.loads:
        return []
    (unit,) = {load for _device, _seat, load in seen.queues}
    most = max(seen.loads.values())
    held = Counter(seat for _device, seat, _load in seen.queues)
    tight = cost + height[:, None] - height[None, :] <= scale * TOLERANCE * len(cost)
    tight &= numpy.isfinite(cost)
    for start, seat in enumerate(seats):
        if not held[seat] or seen.loads.get(seen.core[seat], Fraction(0)) != most:
            continue
        found, waiting = {start}, [start]
        while waiting:
            here = waiting.pop()
            for there in map(int, numpy.flatnonzero(tight[here, :-1])):
                if there not in found:
                    found.add(there)
                    waiting.append(there)
        for there in found:
            load = seen.loads.get(seen.core[seats[there]], Fraction(0))
            roomy = seen.room.get(seats[there], 0) > 0
            back = bool(tight[there, -1]) and bool(tight[-1, start])
            if roomy and back and load + unit < most:
                return [f"{seen.core[seat]} could give a queue to {seen.core[seats[there]]}"]
        break
    return []

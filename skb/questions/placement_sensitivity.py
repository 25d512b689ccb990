"""The smallest change of one number that makes another placement better.

The price of a placement is linear in a latency or a rate, so the least price over all placements
is concave in it: where the decided placement is the cheapest at two values it is so between them.
The first value at which it is not is found from outside, as by Newton: where the cheapest
placement there and the decided one cost the same, decide again, until nothing is cheaper there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from math import inf
from typing import Any

from skb.decision import Limits, Status
from skb.engines.placement_board import Board, Seat, Seats, terms
from skb.errors import LimitError, RequestError
from skb.machine import Machine
from skb.questions.placement import decide
from skb.questions.placement_answer import board_of
from skb.questions.placement_clash import instance_of
from skb.questions.placement_instance import Instance
from skb.questions.placement_knobs import Knob, World, knobs
from skb.questions.question import Raw

# a number is turned down to 0 and up to so many times itself
RANGE = 10.0
FROM_NOTHING = 100.0  # where it is 0
WAYS = (1, -1)
# prices that differ by less than this share of theirs are the same: latencies are whole picoseconds
SAME = 1e-6
# decisions for one flip, and seconds for each
STEPS, SECONDS = 12, 2.0
# share of the time in which known placements are compared before any is decided anew
COMPARING = 0.5


@dataclass(slots=True)
class _Flip:
    """Where another placement becomes cheaper, None where none does within the range.

    `exact` says that this is proven, else the change may be smaller (or there may be one).
    """

    at: float | None
    seats: Seats | None = None
    exact: bool = False

    def change(self, knob: Knob) -> float:
        """Return the relative change, infinite without one."""
        if self.at is None:
            return inf
        return abs(self.at - knob.value) / (knob.value or 1.0)


class _Turned:
    """Prices of placements and the cheapest one, as a number of the question takes other values."""

    def __init__(self, knob: Knob, base: Instance, limits: Limits, deadline: float) -> None:
        self.knob = knob
        self.base = base
        self.limits = limits
        self.deadline = deadline
        self.weight = 0.0
        self._worlds: dict[float, tuple[World, Instance, Board]] = {}

    def _at(self, value: float) -> tuple[World, Instance, Board]:
        if value not in self._worlds:
            if time.monotonic() >= self.deadline:
                raise TimeoutError
            world = self.knob.turned(value)
            same = world[0] is self.base.machine
            instance = instance_of(*world, self.base.ground if same else None)
            self._worlds[value] = (world, instance, board_of(instance))
        return self._worlds[value]

    def price(self, seats: Seats, value: float) -> float:
        _world, instance, board = self._at(value)
        return instance.ns(sum(terms(board, seats).values()))

    def line(self, seats: Seats, other: float) -> tuple[float, float]:
        """Return the price at the knob's own value, and how it grows towards another value."""
        own = self.price(seats, self.knob.value)
        return own, (self.price(seats, other) - own) / (other - self.knob.value)

    def cheapest(self, value: float) -> tuple[Seats, float] | None:
        """Return the cheapest placement at a value and its price, None where it is not proven."""
        (machine, raw), instance, _board = self._at(value)
        left = min(SECONDS, self.deadline - time.monotonic())
        if left <= 0:
            return None
        try:
            found = decide(machine, raw, replace(self.limits, seconds=left, begun=None))
        except (LimitError, RequestError):
            # a rate with many decimals may be too fine for the engines
            return None
        if found.status != Status.OPTIMAL or found.objective.value is None:
            return None
        return seats_of(instance, found.answer), found.objective.value


def seats_of(instance: Instance, answer: Raw) -> Seats:
    """Return the placement of an answer."""
    rows = [answer["tasks"][wanted.name] for wanted in instance.tasks]
    return tuple(Seat(row["pus"][0], tuple(sorted(row["pus"])), row["numa_node"]) for row in rows)


def sensitivity(machine: Machine, decision: Raw, most: int, limits: Limits) -> dict[str, Any]:
    """Return for up to `most` numbers by how much each may change before the choice flips.

    The smallest relative change comes first. A flip is `exact` where it is proven; else it comes
    from the placements that are known, and a smaller change may do. Raises `RequestError` where
    the decision has no placement.
    """
    if not decision["answer"]:
        text = (
            f"decision {decision['id']} is {decision['status']}: it has no choice that could flip"
        )
        raise RequestError(text, mend="ask for a placement that is possible")
    deadline = time.monotonic() + limits.seconds
    instance = instance_of(machine, decision["request"])
    mine = seats_of(instance, decision["answer"])
    others = tuple(_others(instance, mine, decision["alternatives"]))
    compared = time.monotonic() + limits.seconds * COMPARING
    value = decision["objective"]["value"]
    rows: list[tuple[_Turned, dict[int, _Flip]]] = []
    complete = True
    for knob in knobs(machine, decision, instance):
        turned = _Turned(knob, instance, limits, compared)
        try:
            if abs(turned.price(mine, knob.value) - value) > SAME * value:
                # stating it alone would change other numbers, which were derived with it
                continue
            turned.weight = abs(turned.price(mine, _end(knob, 1)) - value)
            if any(_matters(turned, seats) for seats in (mine, *others)):
                rows.append((turned, {way: _known(turned, mine, others, way) for way in WAYS}))
        except TimeoutError:
            complete = False
            break
        turned.deadline = deadline
    rows.sort(key=_least)
    if decision["status"] == "optimal":
        for turned, flips in rows[:most]:
            for way in WAYS:
                flips[way] = _proven(turned, mine, flips[way], way)
        rows.sort(key=_least)
    told = [_told(turned.knob, flips, instance, mine) for turned, flips in rows[:most]]
    return {"numbers": told, "left_out": len(rows) - len(told), "complete": complete}


def _least(row: tuple[_Turned, dict[int, _Flip]]) -> tuple[float, float]:
    """Order by the smallest relative change, then by what the number weighs in the price."""
    turned, flips = row
    return min(flip.change(turned.knob) for flip in flips.values()), -turned.weight


def _end(knob: Knob, way: int) -> float:
    return 0.0 if way < 0 else knob.value * RANGE or FROM_NOTHING


def _others(instance: Instance, mine: Seats, alternatives: Sequence[Raw]) -> Iterator[Seats]:
    """Yield the placements that the decision knows beside its own: each moves one task."""
    number = {wanted.name: index for index, wanted in enumerate(instance.tasks)}
    for row in alternatives:
        if "task" in row and "pus" in row:
            seat = Seat(row["pus"][0], tuple(sorted(row["pus"])), row["numa_node"])
            index = number[row["task"]]
            yield (*mine[:index], seat, *mine[index + 1 :])


def _matters(turned: _Turned, seats: Seats) -> bool:
    own = turned.price(seats, turned.knob.value)
    return abs(own - turned.price(seats, _end(turned.knob, 1))) > SAME * own


def _known(turned: _Turned, mine: Seats, others: Sequence[Seats], way: int) -> _Flip:
    """Return the first value at which a known placement becomes cheaper."""
    best = _Flip(None)
    end = _end(turned.knob, way)
    for seats in others if end != turned.knob.value else ():
        found = _Flip(_crossing(turned, mine, seats, end), seats)
        if found.change(turned.knob) < best.change(turned.knob):
            best = found
    return best


def _crossing(turned: _Turned, mine: Seats, other: Seats, end: float) -> float | None:
    """Return where another placement begins to be cheaper, None where it is not before `end`."""
    way = 1 if end > turned.knob.value else -1
    own, slope = turned.line(mine, end)
    price, steep = turned.line(other, end)
    closing = (slope - steep) * way
    if closing <= SAME * max(abs(slope), abs(steep)):
        return None
    distance = max(0.0, price - own) / closing
    if distance > abs(end - turned.knob.value):
        return None
    return _short_of(turned.knob.value + way * distance, way)


def _short_of(value: float, way: int) -> float:
    """Return six digits of a value, on the near side of it: engines count in millionths at the
    finest.
    """
    # what sums of floats miss by is not meant
    at = Decimal(f"{value:.10g}")
    finest = Decimal(1).scaleb(at.adjusted() - 5)
    return float(at.quantize(finest, rounding=ROUND_FLOOR if way > 0 else ROUND_CEILING))


def _proven(turned: _Turned, mine: Seats, known: _Flip, way: int) -> _Flip:
    """Return the first value at which any placement becomes cheaper, as far as it can be proven."""
    end = at = _end(turned.knob, way)
    if end == turned.knob.value:
        return _Flip(None, exact=True)
    better: Seats | None = None
    try:
        for _step in range(STEPS):
            found = turned.cheapest(at)
            if found is None:
                return known
            here = turned.price(mine, at)
            if here - found[1] <= SAME * here:
                exact = _straight(turned, mine, at)
                return (
                    _Flip(None, exact=exact)
                    if better is None
                    else _named(_Flip(at, better, exact), known, turned.knob)
                )
            crossing = _crossing(turned, mine, found[0], at)
            if crossing is None or crossing == at:
                return known
            at, better = crossing, found[0]
    except TimeoutError:
        return known
    return known


def _named(found: _Flip, known: _Flip, knob: Knob) -> _Flip:
    """Return a flip with the known placement where it is as good there: it moves one task."""
    if abs(known.change(knob) - found.change(knob)) <= SAME * max(1.0, found.change(knob)) * 10:
        return replace(found, seats=known.seats)
    return found


def _straight(turned: _Turned, seats: Seats, at: float) -> bool:
    """Whether the price is linear as far as that."""
    middle = (turned.knob.value + at) / 2
    mean = (turned.price(seats, turned.knob.value) + turned.price(seats, at)) / 2
    return abs(turned.price(seats, middle) - mean) <= SAME * mean


def _told(knob: Knob, flips: dict[int, _Flip], instance: Instance, mine: Seats) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": knob.name,
        "kind": knob.kind,
        "value": knob.value,
        "unit": knob.unit,
        "assumed": knob.because,
    }
    for way, key in ((1, "rises"), (-1, "falls")):
        flip = flips[way]
        row[key] = {
            "flips_at": flip.at,
            "change": None if flip.at is None else flip.at - knob.value,
            "relative": None if flip.at is None else flip.change(knob),
            "exact": flip.exact,
            "looked_up_to": _end(knob, way),
            "then": [] if flip.seats is None else _moves(instance, mine, flip.seats),
        }
    return row


def _moves(instance: Instance, mine: Seats, other: Seats) -> list[dict[str, Any]]:
    rows = zip(instance.tasks, mine, other, strict=True)
    return [
        {
            "task": wanted.name,
            **new.placed(),
            "instead_of": old.listed,
        }
        for wanted, old, new in rows
        if old != new
    ]

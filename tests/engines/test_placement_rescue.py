"""Seats for a few tasks against all ways to seat them."""

from __future__ import annotations

import math
import random
from itertools import permutations

import pytest

from skb.engines.placement_board import Seat
from skb.engines.placement_guests import Guest, inserted, price_of
from skb.engines.placement_rescue import rescued
from skb.engines.placement_seating import Seating
from skb.questions.placement_resident import Resident
from tests.questions.placement_machines import machine

RING = tuple(
    ("link", (f"package:{a}", f"package:{(a + step) % 5}", "ring"))
    for a in range(5)
    for step in (1, 4)
)
HOPS = tuple(("latency_hops", (hops, 100.0 + 70 * hops)) for hops in (1, 2))


def _crowd(draw: random.Random) -> tuple[Seating, list[Guest]]:
    """Return a ring of five packages of two cores with a few tasks, and four that seek a seat."""
    ring = machine(5, 2, 1, extra=(*RING, *HOPS))
    resident = Resident(ring)
    names: list[str] = []
    for number in range(7):
        name = f"t{number}"
        talk = [
            {"from": name, "to": other, "messages_per_s": draw.randint(1, 9)}
            for other in names
            if draw.random() < 0.6
        ]
        at = {"not_at": draw.choice(["pu:3", "package:2"])} if draw.random() < 0.3 else {}
        assert resident.arrive({"name": name, **at}, talk).pus
        names.append(name)
    seating = resident.seating
    guests = [
        Guest(name, seating.needs[name], resident.rows.peers(name, resident.needs.scale))
        for name in draw.sample(names, 4)
    ]
    for guest in guests:
        seating.stand(guest.name)
    return seating, guests


def _cheapest(seating: Seating, guests: list[Guest]) -> int:
    """Return the least price of all ways to seat the guests, by trying each."""
    taken = {pu for seat in seating.seats.values() for pu in seat.pus}
    free = [pu for pu in seating.grid.class_of if pu not in taken]
    found = []
    for pus in permutations(free, len(guests)):
        pairs = list(zip(guests, pus, strict=True))
        if all(g.need.allowed is None or pu in g.need.allowed for g, pu in pairs):
            seats = {g.name: Seat(pu, (pu,), seating.grid.nearest[pu]) for g, pu in pairs}
            found.append(price_of(seating, guests, seats))
    return min(found)


@pytest.mark.parametrize("seed", range(10))
def test_rescue_is_the_cheapest_of_all_ways(seed: int) -> None:
    """With and without a start, complete searches give the least price; insertion is no better."""
    seating, guests = _crowd(random.Random(seed))
    least = _cheapest(seating, guests)
    start = inserted(seating, guests)
    assert start is not None and price_of(seating, guests, start) >= least
    for first in (start, None):
        found = rescued(seating, guests, first, 10**6, math.inf)
        assert found.seats is not None and found.complete
        assert found.price == found.bound == least
        assert price_of(seating, guests, found.seats) == least


@pytest.mark.parametrize("most", [0, 1, 5, 20])
def test_rescue_that_is_cut_short_has_a_true_bound(most: int) -> None:
    """Less work gives a bound below the optimum and a price above it, never a false proof."""
    for seed in range(4):
        seating, guests = _crowd(random.Random(seed))
        least = _cheapest(seating, guests)
        found = rescued(seating, guests, inserted(seating, guests), most, math.inf)
        assert found.bound <= least <= found.price
        assert not found.complete or found.price == least


def test_rescue_leaves_the_seating_as_it_was() -> None:
    """Whoever is sought a seat for does not sit afterwards, and nothing is taken."""
    seating, guests = _crowd(random.Random(3))
    seats, room = dict(seating.seats), list(seating.room)
    rescued(seating, guests, inserted(seating, guests), 10**6, math.inf)
    rescued(seating, guests, None, 7, math.inf)
    assert seating.seats == seats and seating.room == room

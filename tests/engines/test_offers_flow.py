"""Seats by the cheapest flow: the optimum of full enumeration, at any size of number."""

from __future__ import annotations

import random
from itertools import combinations, product

import pytest

from skb.engines.offers_flow import cheapest

Prices = dict[tuple[str, str], int]


def total(used: dict[str, list[str]], prices: Prices) -> int:
    return sum(prices[client, service] for client, names in used.items() for service in names)


def least(takes: dict[str, int], seats: dict[str, int | None], prices: Prices) -> int | None:
    """Return the least price of all assignments, None where there is none."""
    options = [
        [
            [(client, name) for name in names]
            for names in combinations(sorted(seats), count)
            if all((client, name) in prices for name in names)
        ]
        for client, count in takes.items()
    ]
    found = []
    for chosen in product(*options):
        pairs = [pair for own in chosen for pair in own]
        load = [name for _, name in pairs]
        rooms = {name: len(takes) if limit is None else limit for name, limit in seats.items()}
        if all(load.count(name) <= room for name, room in rooms.items()):
            found.append(sum(prices[pair] for pair in pairs))
    return min(found, default=None)


@pytest.mark.parametrize("seed", range(30))
def test_offers_flow_is_the_least_of_all_assignments(seed: int) -> None:
    """Small random instances, with prices beyond 64 bits among them."""
    rng = random.Random(seed)
    seats: dict[str, int | None] = {f"s{n}": rng.choice([0, 1, 1, 2, None]) for n in range(4)}
    takes = {f"c{n}": rng.choice([0, 1, 1, 2]) for n in range(4)}
    prices = {
        (client, name): rng.randrange(20) * 10 ** rng.choice([0, 25])
        for client in takes
        for name in seats
        if rng.random() < 0.8
    }
    used = cheapest(takes, seats, prices)
    best = least(takes, seats, prices)
    assert (None if used is None else total(used, prices)) == best
    if used is not None:
        assert {client: len(names) for client, names in used.items()} == takes


def test_offers_flow_says_that_seats_do_not_suffice() -> None:
    """Forty clients and thirty-nine seats: refused at once, where counting would take for ever."""
    takes = {f"c{n}": 1 for n in range(40)}
    seats: dict[str, int | None] = {f"s{n}": 1 for n in range(39)}
    assert cheapest(takes, seats, dict.fromkeys(product(takes, seats), 1)) is None

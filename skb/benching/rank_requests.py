"""Parallel programs of one rank for each core of a machine, as their users start them: a torus with
periodic neighbours, clusters of uneven size, and a random graph in which each rank has four
partners.

A rank is a task of one whole core, so that threads of a core stay together.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

Rates = dict[tuple[int, int], int]
DEGREE = 4
CLUSTER = (2, 9)  # least and most ranks
LEAST_PERIOD = 3  # of a torus: two neighbours in a ring of two are one


def rank_request(pattern: str, ranks: int, seed: int) -> dict[str, Any]:
    """Return the request of a program of so many ranks; the same for the same seed."""
    rates = PATTERNS[pattern](ranks, random.Random(f"{pattern} {ranks} {seed}"))
    return {
        "task": [{"name": f"r{rank}", "cores": 1} for rank in range(ranks)],
        "traffic": [
            {"from": f"r{a}", "to": f"r{b}", "messages_per_s": rate}
            for (a, b), rate in sorted(rates.items())
        ],
    }


def torus(ranks: int, chance: random.Random) -> Rates:
    """Return the most square torus; the rates along its two directions are drawn apart."""
    rows = max(n for n in range(1, int(ranks**0.5) + 1) if ranks % n == 0)
    columns = ranks // rows
    down, across = chance.randint(1, 9) * 100, chance.randint(1, 9) * 100
    rates: Rates = {}
    for rank in range(ranks):
        row, column = divmod(rank, columns)
        if columns >= LEAST_PERIOD:
            _add(rates, rank, row * columns + (column + 1) % columns, across)
        if rows >= LEAST_PERIOD:
            _add(rates, rank, (row + 1) % rows * columns + column, down)
    return rates


def clusters(ranks: int, chance: random.Random) -> Rates:
    """Return clusters in which all speak with all, and sparse messages between them."""
    order = chance.sample(range(ranks), ranks)
    rates: Rates = {}
    for members in _parted(order, chance):
        for at, rank in enumerate(members):
            for other in members[:at]:
                _add(rates, rank, other, chance.randint(50, 500))
    for _ in range(ranks):
        first, second = chance.sample(range(ranks), 2)
        _add(rates, first, second, chance.randint(1, 50))
    return rates


def degree4(ranks: int, chance: random.Random) -> Rates:
    """Return a random graph in which every rank has four partners, with rates drawn for each."""
    while True:
        ends = [rank for rank in range(ranks) for _ in range(DEGREE)]
        chance.shuffle(ends)
        pairs = {(min(a, b), max(a, b)) for a, b in zip(ends[::2], ends[1::2], strict=True)}
        if len(pairs) == len(ends) // 2 and all(a != b for a, b in pairs):
            return {pair: chance.randint(1, 10) * 100 for pair in sorted(pairs)}


def _parted(order: list[int], chance: random.Random) -> Iterator[list[int]]:
    while order:
        size = chance.randint(*CLUSTER)
        yield order[:size]
        order = order[size:]


def _add(rates: Rates, first: int, second: int, rate: int) -> None:
    pair = min(first, second), max(first, second)
    rates[pair] = rates.get(pair, 0) + rate


PATTERNS: dict[str, Callable[[int, random.Random], Rates]] = {
    "torus": torus,
    "clusters": clusters,
    "degree4": degree4,
}

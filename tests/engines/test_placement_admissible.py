"""What a search may give back, against the checker, which shares no code with it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from skb.checkers.placement import faults
from skb.engines.placement_admissible import admissible
from skb.engines.placement_board import Board, Seat
from skb.engines.placement_search import descend
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.placement_answer import board_of
from skb.questions.placement_clash import instance_of
from tests.questions.placement_small import drawn, wished

SEEDS = 120


def _asked(chance: random.Random) -> tuple[Machine, dict[str, Any], Board, list[str]]:
    while True:
        small = drawn(chance)
        machine, request = small.machine(), wished(small, chance)
        try:
            instance = instance_of(machine, request)
        except RequestError:
            continue
        return machine, request, board_of(instance), [one.name for one in instance.tasks]


def _disturbed(board: Board, seats: list[Seat], chance: random.Random) -> list[Seat]:
    """Return the seats with one that is drawn, or that of another task."""
    task = chance.randrange(len(seats))
    pus = tuple(sorted(chance.sample(board.pus, min(len(board.pus), len(seats[task].pus)))))
    other = chance.choice(seats) if chance.random() < 0.3 else Seat(pus[0], pus, None)
    nodes = board.jobs[task].nodes
    node = chance.choice(nodes) if nodes else board.nearest[other.first]
    seats[task] = Seat(other.first, other.pus, node)
    return seats


@pytest.mark.parametrize("part", range(3))
def test_search_and_checker_agree_on_what_is_admissible(part: int) -> None:
    """Placements that a search found, and those with a seat or two drawn anew."""
    chance = random.Random(part)
    told = []
    for seed in range(SEEDS):
        machine, request, board, names = _asked(chance)
        found = descend(board, seed, 400)
        if found is None:
            continue
        seats = list(found[0])
        for _ in range(chance.choice([0, 1, 1, 2])):
            seats = _disturbed(board, seats, chance)
        answer = {
            name: {
                "pus": [seat.first, *(pu for pu in seat.pus if pu != seat.first)],
                "numa_node": seat.node,
            }
            for name, seat in zip(names, seats, strict=True)
        }
        wrong = faults(machine, request, answer)
        assert admissible(board, seats) == (not wrong), (request, answer, wrong)
        told.append(not wrong)
    assert min(told.count(True), told.count(False)) > SEEDS // 8

"""Annealing on classes of PUs: admissible, repeatable, and good at sizes beyond any proof."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import pytest

from skb.checkers.placement import check
from skb.engines.placement_classes import annealed
from skb.engines.placement_search import Board, Seats, search, terms
from skb.machine import Machine
from skb.questions.placement_answer import board_of, decision_of
from skb.questions.placement_instance import Instance
from skb.questions.placement_request import Request, expand, resolved
from skb.questions.question import read_request
from tests.bench.placement_requests import machine_of, request_of
from tests.questions.placement_machines import machine


def instance_of(small: Machine, request: dict[str, Any]) -> Instance:
    asked = resolved(small, read_request(request, Request, "placement"))
    return Instance(small, asked, expand(small, asked))


def price(board: Board, seats: Seats | None) -> int:
    assert seats is not None
    return sum(terms(board, seats).values())


@pytest.mark.parametrize("case", ["m32/28", "m128/100", "m256/150"])
def test_annealing_gives_admissible_placements_and_repeats_them(case: str) -> None:
    """Isa, caches, exclusive cores, wishes and tasks apart, judged by the checker."""
    name, _, tasks = case.partition("/")
    small, request = machine_of(name), request_of(name, int(tasks))
    instance = instance_of(small, request)
    board = board_of(instance)
    seats = annealed(board, 1, 5_000, inf)
    assert seats == annealed(board, 1, 5_000, inf)
    decision = replace(decision_of(instance, board, seats, 0, 0.0), request=request)
    assert check(small, decision) == []


def test_annealing_finds_more_than_ruin_and_recreate_at_a_hundred_tasks() -> None:
    """On chiplets the contraction keeps services together, which single insertions do not."""
    board = board_of(instance_of(machine_of("m128"), request_of("m128", 100)))
    found = search(board, 0, 40_000)
    assert found is not None
    assert price(board, annealed(board, 0, 10_000, inf)) < found[1]


def test_annealing_leaves_what_is_not_simple_to_the_others() -> None:
    """Shared PUs, several PUs, moves and tasks together are not for it; nor is too little room."""
    small = machine(2, 2, 2)
    for request in (
        {"task": [{"name": "a", "load": 0.5}]},
        {"task": [{"name": "a", "pus": 2}]},
        {"task": [{"name": "a"}], "current": {"placement": {"a": {"pus": [0]}}}},
        {
            "task": [{"name": "a"}, {"name": "b"}],
            "together": [{"tasks": ["a", "b"], "within": "l3"}],
        },
        {"task": [{"name": f"t{i}"} for i in range(9)]},
        {"task": [{"name": "a", "cache_mib": 5}]},
    ):
        assert annealed(board_of(instance_of(small, request)), 0, 1_000, inf) is None


def test_annealing_reaches_the_optimum_of_a_small_case() -> None:
    """Five tasks are too many for four cores; on six, both pairs of talkers are near."""
    request = {
        "task": [{"name": name} for name in "abcd"] + [{"name": "e", "exclusive": True}],
        "traffic": [
            {"from": "a", "to": "b", "messages_per_s": 10},
            {"from": "d", "to": "c", "messages_per_s": 10},
        ],
    }
    small = machine(2, 2, 1)
    assert annealed(board_of(instance_of(small, request)), 0, 1_000, inf) is None
    board = board_of(instance_of(machine(2, 3, 1), request))
    # both pairs are in one L3 each: 2 x 10 messages of 25 ns
    assert price(board, annealed(board, 0, 1_000, inf)) == 2 * 10 * 25_000

"""Annealing on classes of PUs: admissible, repeatable, and good at sizes beyond any proof."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf
from typing import Any

import pytest

from skb.checkers.placement import check
from skb.engines.compiling import PLAIN
from skb.engines.placement_board import Board, Seats, terms
from skb.engines.placement_classes import abstracts, annealed
from skb.engines.placement_search import search
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


def admissible(small: Machine, request: dict[str, Any], seed: int = 1) -> Seats:
    """Return what annealing finds, after the checker judged it and its price."""
    instance = instance_of(small, request)
    board = board_of(instance)
    seats = annealed(board, seed, 20_000, inf, quick=True, arm=PLAIN)
    assert seats is not None
    assert seats == annealed(board, seed, 20_000, inf, quick=True, arm=PLAIN)
    decision = replace(decision_of(instance, board, seats, 0, 0.0), request=request)
    assert check(small, decision) == []
    return seats


@pytest.mark.parametrize("case", ["m32/28", "m128/100", "m256/150"])
def test_annealing_gives_admissible_placements_and_repeats_them(case: str) -> None:
    """Isa, caches, exclusive cores, wishes and tasks apart, judged by the checker."""
    name, _, tasks = case.partition("/")
    admissible(machine_of(name), request_of(name, int(tasks)))


def test_annealing_finds_more_than_ruin_and_recreate_at_a_hundred_tasks() -> None:
    """On chiplets the contraction keeps services together, which single insertions do not."""
    board = board_of(instance_of(machine_of("m128"), request_of("m128", 100)))
    found = search(board, 0, 40_000)
    assert found is not None
    seats = annealed(board, 0, 20_000, inf, quick=True, arm=PLAIN)
    assert price(board, seats) < found[1]


@pytest.mark.parametrize(
    "request_",
    [
        {"task": [{"name": f"t{i}", "load": 0.5} for i in range(16)]},
        {"task": [{"name": "a", "load": 0.3}, {"name": "b", "exclusive": True, "load": 0.5}]},
        {"task": [{"name": "a", "pus": 3}, {"name": "b", "pus": 2}, {"name": "c", "pus": 1}]},
        {"task": [{"name": "a", "cores": 2}, {"name": "b", "pus": 3}, {"name": "c"}]},
        {"task": [{"name": "a", "cores": 1, "load": 0.5}, {"name": "b", "load": 0.5}]},
        {
            "task": [{"name": name} for name in "abc"],
            "current": {"placement": {"a": {"pus": [0]}, "b": {"pus": [7]}}},
        },
        {
            "task": [{"name": name} for name in "abcdefg"],
            "together": [
                {"tasks": ["a", "b"], "within": "l3"},
                {"tasks": ["b", "c"], "within": "package"},
            ],
            "apart": [{"tasks": ["a", "d"], "within": "l3"}],
        },
        {"task": [{"name": f"t{i}", "memory_mib": 300} for i in range(6)]},
    ],
    ids=["shares", "share", "pus", "cores", "half cores", "moves", "together", "memory"],
)
def test_annealing_seats_what_is_not_simple(request_: dict[str, Any]) -> None:
    """Shared PUs, several PUs, whole cores, moves, tasks together, memory."""
    names = [task["name"] for task in request_["task"]]
    talk = [{"from": a, "to": b, "messages_per_s": 7} for a, b in pairwise(names)]
    admissible(machine(2, 2, 2), {**request_, "traffic": talk})


def test_annealing_leaves_those_where_they_are_who_gain_too_little() -> None:
    """A move that costs more than it saves is not made, a cheaper one is."""
    request: dict[str, Any] = {
        "task": [{"name": "a"}, {"name": "b"}],
        "traffic": [{"from": "a", "to": "b", "messages_per_s": 1}],
        "current": {"placement": {"a": {"pus": [0]}, "b": {"pus": [7]}}},
    }
    far = {seat.pus for seat in admissible(machine(2, 2, 2), request)}
    assert far != {(0,), (7,)}
    request["current"]["migration_cost"] = 10**6
    assert {seat.pus for seat in admissible(machine(2, 2, 2), request)} == {(0,), (7,)}


def test_memory_nodes_of_unknown_size_have_room_for_all() -> None:
    """As for the rules and the checker; a node of known size fills up."""
    request = {"task": [{"name": f"t{i}", "memory_mib": 300} for i in range(7)]}
    board = board_of(instance_of(machine(2, 2, 2), request))
    assert annealed(board, 0, 1_000, inf, quick=True, arm=PLAIN) is None
    assert search(board, 0, 5_000) is None
    unknown = replace(board, supply={"memory": {}, "bandwidth": {}})
    assert annealed(unknown, 0, 1_000, inf, quick=True, arm=PLAIN) is not None
    assert search(unknown, 0, 5_000) is not None


def test_annealing_says_where_it_can_place_nothing() -> None:
    """Too many tasks, a task that no class holds, and too little cache are for the others."""
    small = machine(2, 2, 2)
    for request in (
        {"task": [{"name": f"t{i}"} for i in range(9)]},
        {"task": [{"name": "a", "pus": 5}]},
        {"task": [{"name": "a", "cache_mib": 5}]},
        {"task": [{"name": f"t{i}", "load": 0.6} for i in range(9)]},
    ):
        board = board_of(instance_of(small, request))
        assert annealed(board, 0, 1_000, inf, quick=True, arm=PLAIN) is None


def test_steps_on_pus_are_left_out_only_where_classes_tell_all() -> None:
    """Two PUs of a core, several PUs of a task, or nodes that fill up are seen by the PUs alone."""
    one = {"task": [{"name": "a"}, {"name": "b"}]}
    wide = {"task": [{"name": "a", "pus": 2}]}
    assert not abstracts(board_of(instance_of(machine(2, 2, 1), one)))
    assert abstracts(board_of(instance_of(machine(2, 2, 2), one)))
    assert abstracts(board_of(instance_of(machine(2, 2, 1), wide)))


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
    assert annealed(board_of(instance_of(small, request)), 0, 1_000, inf, arm=PLAIN) is None
    board = board_of(instance_of(machine(2, 3, 1), request))
    # both pairs are in one L3 each: 2 x 10 messages of 25 ns
    assert price(board, annealed(board, 0, 1_000, inf, True, PLAIN)) == 2 * 10 * 25_000

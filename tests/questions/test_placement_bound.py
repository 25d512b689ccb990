"""The bound that holds at every size: against proven optima, and where nothing is proven."""

from __future__ import annotations

import time
from math import inf
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skb.checkers.placement import check
from skb.decision import Limits, Status
from skb.machine import Machine
from skb.questions.placement import decide
from skb.questions.placement_answer import board_of
from skb.questions.placement_bound import Bounds, Parts
from skb.questions.placement_instance import Instance
from skb.questions.placement_request import Request, expand, resolved
from skb.questions.question import read_request
from tests.bench.placement_requests import machine_of, request_of
from tests.machines import bundled
from tests.questions.placement_machines import machine
from tests.questions.test_placement_oracle import MACHINES, requests


def bound(small: Machine, request: dict[str, Any]) -> float:
    """Return the bound of a request in ns/s, worked out in this process."""
    asked = resolved(small, read_request(request, Request, "placement"))
    instance = Instance(small, asked, expand(small, asked))
    parts = Parts(instance, board_of(instance))
    together = parts.base() + parts.bounding(inf).run()
    return instance.ns(max(parts.base(alone=True), together))


def measured(seed: int) -> Machine:
    """Return a machine whose latencies are stated pair by pair, each direction by itself."""
    chance = Random(seed)
    return machine(
        2,
        2,
        2,
        extra=tuple(
            ("latency", (f"pu:{a}", f"pu:{b}", float(chance.choice([3, 20, 25, 90]))))
            for a in range(8)
            for b in range(8)
            if a != b
        ),
    )


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(small=st.sampled_from([*MACHINES, measured(1), measured(2)]), request=requests())
def test_bound_is_never_above_a_proven_optimum(small: Machine, request: dict[str, Any]) -> None:
    """Loads, exclusive tasks, whole cores, wishes, memory and groups, on small machines."""
    named = ("at", "not_at", "near")
    rows = [{k: v for k, v in row.items() if k not in named} for row in request["task"]]
    wish = [{**row, "near": "package:0"} if i == 0 else row for i, row in enumerate(rows)]
    asked = {**request, "task": wish}
    decision = decide(small, asked, Limits())
    if decision.status is Status.OPTIMAL:
        assert decision.objective.value is not None
        assert bound(small, asked) <= decision.objective.value * (1 + 1e-12)


def test_bound_is_never_above_a_proven_optimum_of_random_services() -> None:
    """Requests of a dozen tasks that clingo proves, on a grid of packages and on chiplets."""
    for name in ("m32", "m128"):
        small = machine_of(name)
        for seed in range(2):
            request = request_of(name, 12, seed)
            decision = decide(small, request, Limits())
            assert decision.status is Status.OPTIMAL and decision.objective.value is not None
            assert 0 < bound(small, request) <= decision.objective.value


def test_placement_beyond_any_proof_has_a_bound_and_is_repeated() -> None:
    """Too many tasks for a proof still end with a gap; the same seed gives the same answer."""
    full = machine(2, 8, 2)
    chance = Random(3)
    request = {
        "task": [{"name": f"t{i}"} for i in range(30)],
        "traffic": [
            {"from": f"t{a}", "to": f"t{b}", "messages_per_s": chance.randint(1, 9)}
            for a, b in (chance.sample(range(30), 2) for _ in range(60))
        ],
    }
    found = [decide(full, request, Limits(conflicts=200, seconds=20)) for _ in range(2)]
    assert found[0].id == found[1].id
    assert found[0].status is Status.FEASIBLE and check(full, found[0]) == []
    assert found[0].bound is not None and found[0].bound > 0
    assert found[0].gap is not None and 0 < found[0].gap < 0.9


@pytest.mark.parametrize(
    "task",
    [{"pus": 130}, {"pus": 100, "at": "package:1"}, {"cores": 64}, {"cores": 5, "memory_mib": 9}],
)
def test_placement_bound_proves_one_wide_task(task: dict[str, Any]) -> None:
    """What a task pays by itself from its cheapest first PU is all that a lone task pays."""
    found = decide(bundled("epyc-7773x-2p"), {"task": [{"name": "app", **task}]}, Limits())
    assert found.status is Status.OPTIMAL


def test_placement_bound_that_the_clock_cuts_says_so() -> None:
    """Only what work ended is repeated; what the clock cuts is still a bound."""
    grid = machine_of("m32")
    asked = resolved(grid, read_request(request_of("m32", 12, 0), Request, "placement"))
    instance = Instance(grid, asked, expand(grid, asked))
    board = board_of(instance)
    now = time.monotonic()
    with (
        Bounds(instance, board, now, 10.0) as late,
        Bounds(instance, board, now + 60, 10.0) as whole,
    ):
        assert late.result() <= whole.result()
        assert late.cut and not whole.cut
        assert whole.meets(whole.result()) and not whole.meets(whole.result() + 1)

"""Placement on odd machines against two oracles; `python -m tests.bench.oracle` tries 2,000."""

from __future__ import annotations

from collections import Counter

import pytest

from skb.costs import Costs
from tests.bench.oracle import instance, judged

SAMPLE = 36
FEATURES = {
    *("pus", "cores", "exclusive", "load", "near", "at", "not_at", "isa", "kind", "per"),
    *("memory_mib", "memory_kind", "cache_mib", "bandwidth_mbps"),
}


@pytest.mark.parametrize("part", range(3))
def test_placement_agrees_with_brute_force_and_with_python_constraint(part: int) -> None:
    """Same least price, or all three say that there is none; and the checker accepts it."""
    for seed in range(part * SAMPLE // 3, (part + 1) * SAMPLE // 3):
        status, faults = judged(seed)
        assert faults == [], seed
        assert status in {"optimal", "infeasible"}, seed


def test_placement_oracles_see_everything_that_a_request_may_hold() -> None:
    """Among the 2,000 seeds every key of a task and of a request is drawn, and odd machines too."""
    seen: Counter[str] = Counter()
    for seed in range(150):
        small, request = instance(seed)
        seen.update(key for key in request if request[key])
        seen.update(key for task in request["task"] for key in task)
        seen.update(name for name, _args in small.rows)
        seen["uneven"] += len({size for _name, size in small.cache.values()}) > 1
        seen["two nodes"] += len(small.nodes) > 1
        seen["one way"] += any(small.latency[a, b] != small.latency[b, a] for a, b in small.latency)
    wanted = {*FEATURES, "traffic", "together", "apart", "current", "allowed", "power", "presence",
              "link", "latency", "disallowed", "uneven", "two nodes", "one way"}  # fmt: skip
    assert {key for key in wanted if seen[key] == 0} == set()


def test_placement_oracles_tables_are_what_the_facts_say() -> None:
    """The tables that the oracles read and the facts that the product reads are one machine."""
    for seed in range(0, 60, 3):
        small, _request = instance(seed)
        machine = small.machine()
        assert list(machine.pus) == small.pus
        assert set(machine.usable_pus) == small.usable
        costs = Costs(machine)
        for (a, b), ps in small.latency.items():
            assert costs.latency_ps(a, b) == ps, (seed, a, b)
        for (pu, node), ps in small.memory.items():
            assert costs.memory_ps(pu, node) == ps, (seed, pu, node)
        assert costs.assumed == ()

"""Routes while costs vary: the 95 percent point, and the choice by it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from skb.decision import Decision, Limits, Status
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions import question
from skb.relations import Fact
from tests.machines import bundled, grown

ROUTE = question("route")
QUICK = Limits(conflicts=1500)
OPERATIONS = ("broadcast", "broadcast-ack", "reduce", "barrier", "two-phase-commit")


def decide(machine: Machine, limits: Limits = QUICK, **request: Any) -> Decision:
    decision = ROUTE.decide(machine, request, limits)
    assert ROUTE.check(machine, decision) == []
    return decision


def varying(
    count: int, costs: Mapping[tuple[int, int], float], spread: Mapping[tuple[int, int], float]
) -> Machine:
    """A machine whose sends take 10 ns and whose receives are given, with their spread."""
    facts = []
    for u in range(count):
        for v in range(count):
            if u != v:
                pair = (f"pu:{u}", f"pu:{v}", "cache_line")
                facts.append(Fact("message_cost", (*pair, "send", 10), "measured"))
                take = (*pair, "receive", costs[u, v])
                facts.append(Fact("message_cost", take, "measured", spread=spread.get((u, v))))
    return grown(f"package:1 numa:1 core:{count} pu:1", *facts)


PAIRS = [(u, v) for u in range(3) for v in range(3) if u != v]
DEAR = dict.fromkeys(PAIRS, 300.0)
RISKY = varying(3, {**DEAR, (0, 2): 100, (0, 1): 40, (1, 2): 65}, {(0, 2): 90})
EVEN = varying(
    6,
    {(u, v): 40 + 7 * (u + 2 * v) for u in range(6) for v in range(6)},
    {(u, v): 5 + u + v for u in range(6) for v in range(6)},
)


def test_one_message_varies_as_its_spread_says() -> None:
    """A spread is half the 5 to 95 percent range, so the 95 percent point lies one spread above."""
    varied = decide(RISKY, root=0, members=[0, 2]).answer["varied"]
    assert varied["median_ps"] == pytest.approx(110_000, rel=0.05)
    assert varied["p95_ps"] == pytest.approx(200_000, rel=0.05)
    assert varied["costs_with_spread"] == 1
    assert varied["costs"] == 3


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("model", ["postal", "logp"])
def test_every_operation_is_sampled_as_the_judge_does(operation: str, model: str) -> None:
    """Sample by sample the same clock; the middle lies near what the operation takes at rest."""
    decision = decide(EVEN, operation=operation, model=model)
    varied = decision.answer["varied"]
    assert varied["p95_ps"] > varied["median_ps"]
    assert varied["median_ps"] == pytest.approx(decision.answer["completion_ps"], rel=0.1)
    wrong = deepcopy(decision.answer)
    wrong["varied"]["p95_ps"] += 1
    assert ROUTE.check(EVEN, replace(decision, answer=wrong))


def test_a_risky_message_is_left_out_where_robust_is_asked() -> None:
    """The chain takes 125 ns always, the star 110 ns and often far more."""
    free = decide(RISKY, root=0)
    sturdy = decide(RISKY, root=0, robust=True)
    assert (free.objective.name, free.objective.value) == ("completion", 110)
    assert free.answer["varied"]["p95_ps"] > 150_000
    assert [row["to"] for row in sturdy.answer["sends"]] == [[1], [2]]
    assert (sturdy.objective.name, sturdy.objective.value) == ("completion_p95", 125)
    assert sturdy.status == Status.FEASIBLE
    assert sturdy.bound is None
    assert any(row.id == "robust" for row in sturdy.reasons)
    assert all(row["value"] >= 125 for row in sturdy.alternatives)


def test_without_a_spread_the_decision_says_so() -> None:
    """Nothing is sampled, and the completion stays the objective."""
    plain = decide(bundled("tyan-s4985"), members=[0, 1, 4])
    asked = decide(bundled("tyan-s4985"), members=[0, 1, 4], robust=True)
    assert "varied" not in plain.answer
    assert not plain.warnings
    assert "no cost of these messages carries a spread" in asked.warnings[0]
    assert asked.objective == plain.objective


def test_draws_depend_on_the_seed_alone() -> None:
    """The same seed gives the same point, another one a near one."""
    one, two, other = (
        decide(EVEN, replace(QUICK, seed=seed), root=0, robust=True).answer["varied"]["p95_ps"]
        for seed in (1, 1, 2)
    )
    assert one == two != other
    assert other == pytest.approx(one, rel=0.05)


@pytest.mark.parametrize("more", [{"objective": "occupancy"}, {"trees": "per-phase"}])
def test_robust_goes_with_completion_over_one_tree(more: dict[str, Any]) -> None:
    """With the place and the mend."""
    with pytest.raises(RequestError, match="robust is decided") as caught:
        ROUTE.decide(EVEN, {"robust": True, "operation": "barrier", **more}, QUICK)
    assert "$.robust" in caught.value.place
    assert caught.value.mend


def test_each_tree_of_two_phases_varies() -> None:
    """Both trees are sampled, and the judge agrees."""
    decision = decide(EVEN, operation="barrier", trees="per-phase")
    assert decision.answer["varied"]["p95_ps"] > decision.answer["varied"]["median_ps"]

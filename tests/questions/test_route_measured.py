"""Routes on measured pair tables: near the best trees known."""

from __future__ import annotations

from functools import cache

import pytest

from skb.benching.pair_tables import subjects
from skb.checkers.route import check
from skb.decision import Limits, Status
from skb.knowledge import KnowledgeBase
from skb.machine import Machine
from skb.questions.route import decide
from skb.resources import measured_tables


@cache
def measured(name: str) -> Machine:
    """A machine with the measured send and receive cost of every ordered pair, in cycles."""
    (one,) = subjects([str(measured_tables() / name)], KnowledgeBase.open().machine)
    return one.machine


@pytest.mark.parametrize(
    ("name", "known", "slack", "gap"),
    [
        ("brie", 319.05, 0.0001, 0.0),
        ("tomme", 323.73, 0.01, 0.03),
        ("intel_xeon_e5_v2_2x10", 1301.21, 0.015, 0.025),
        ("ziger", 2541.1, 0.01, 0.015),
        ("gruyere", 2376.6, 0.052, 0.06),
        ("appenzeller", 2412.9, 0.04, 0.08),
    ],
)
def test_the_tree_is_near_the_best_known(name: str, known: float, slack: float, gap: float) -> None:
    """Free root, postal model; cycles from the study of nine machines, our default limits."""
    machine = measured(name)
    decision = decide(machine, {"model": "postal"}, Limits())
    assert check(machine, decision) == []
    assert decision.objective.value is not None
    assert decision.objective.value <= known * (1 + slack)
    assert decision.gap is not None
    assert decision.gap <= gap
    assert (decision.status == Status.OPTIMAL) == (decision.gap == 0)


@pytest.mark.parametrize(
    "name", ["gruyere", "appenzeller", "ziger", "tomme", "intel_xeon_e5_v2_2x10"]
)
def test_derived_gaps_lead_to_a_shape_that_was_measured_good(name: str) -> None:
    """From core 0, where sequential was measured worst of the plain trees: no star, no dearer.

    The measured trees are predicted from the same pair costs; the bad tree is no candidate.
    """
    machine = measured(name)
    decision = decide(machine, {"root": 0, "operation": "broadcast-ack"}, Limits(seconds=1.5))
    assert check(machine, decision) == []
    widest = max(len(row["to"]) for row in decision.answer["sends"])
    assert widest <= len(machine.usable_pus) // 2
    predicted = {row["name"]: row["value"] for row in decision.alternatives}
    assert {"cluster", "binary", "sequential", "mst", "adaptive"} <= set(predicted)
    assert all((decision.objective.value or 0) <= value for value in predicted.values())
    assert predicted["sequential"] == max(predicted[key] for key in ("cluster", "sequential"))

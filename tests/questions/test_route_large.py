"""Routes over hundreds of PUs: an answer within the limit, with a bound that says something."""

from __future__ import annotations

import pytest

from skb.checkers.route import check
from skb.decision import Limits
from skb.questions.route import decide
from tests.machines import bundled, grown


@pytest.mark.parametrize(
    ("tree", "least"),
    [
        ("package:4 core:8 pu:8", 0.75),
        ("package:8 numa:2 l3:2 core:16 pu:2", 0.75),
        ("package:128 core:1 pu:1", 1.0),
    ],
)
def test_large_symmetric_machines_get_a_tree_and_a_bound(tree: str, least: float) -> None:
    """However little time there is, trees and bound of nested levels are near one another."""
    machine = grown(tree)
    decision = decide(machine, {}, Limits(seconds=1.0))
    assert decision.objective.value is not None
    assert decision.bound is not None
    assert decision.bound >= least * decision.objective.value
    assert check(machine, decision) == []


def test_a_mesh_of_a_thousand_cores_is_far_better_than_the_classic_trees() -> None:
    """What is compared is worse by a third and more, and the bound is no triviality."""
    machine = bundled("mesh-1024")
    decision = decide(machine, {"root": 0}, Limits(seconds=3.0))
    assert decision.objective.value is not None
    assert all(row["value"] > 1.3 * decision.objective.value for row in decision.alternatives)
    assert (decision.bound or 0) > 0.5 * decision.objective.value
    assert check(machine, decision) == []

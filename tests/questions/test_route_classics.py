"""No classic tree from any root is ever better than the decided one, however short the limit."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import pytest

from simulator import TREES, MessageCosts, Tree, build_tree, timing
from skb.decision import Limits
from skb.questions.route import decide
from tests.random_costs import random_machine

FORMS: Mapping[str, Callable[[Tree, MessageCosts, str], int]] = {
    "broadcast": timing.broadcast,
    "broadcast-ack": timing.acknowledged,
    "reduce": timing.reduction,
    "barrier": timing.barrier,
    "two-phase-commit": timing.two_phase_commit,
}


@pytest.mark.parametrize("limit_s", [0.05, 0.2])
@pytest.mark.parametrize("operation", FORMS)
def test_no_classic_tree_is_better_than_the_decided_one(operation: str, limit_s: float) -> None:
    """Trees and prices by the simulator, which shares nothing with the question.

    With a free root the classic trees are tried from every root.
    """
    for seed in range(5):
        dice = random.Random(f"{operation} {limit_s} {seed}")
        machine, costs, domains = random_machine(dice)
        model = dice.choice(("postal", "logp"))
        root = dice.choice((None, dice.choice(costs.members)))
        trees = dice.choice(("one", "per-phase"))
        asked = {"operation": operation, "model": model, "root": root, "trees": trees}
        decision = decide(machine, asked, Limits(seconds=limit_s))
        value = decision.answer["completion_ps"]
        assert all(row["completion_ns"] * 1000 >= value for row in decision.alternatives)
        for at in costs.members if root is None else [root]:
            for name in TREES:
                tree = build_tree(name, costs, costs.members, at, domains)
                assert FORMS[operation](tree, costs, model) >= value, (seed, name, at, asked)

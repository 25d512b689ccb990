"""The engine and the closed forms agree to the picosecond on an idle machine."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import timing
from simulator.costs import MODELS, MessageCosts
from simulator.result import Result
from simulator.scenario import Scenario, run
from simulator.trees import Tree
from tests.simulator.worlds import random_costs, random_trees


def one(data: st.DataObject, protocol: str, **settings: Any) -> tuple[Scenario, Result]:
    """Run one operation of a protocol on a random machine, tree and model."""
    tree = data.draw(random_trees())
    costs = data.draw(random_costs(tree.members))
    model = data.draw(st.sampled_from(MODELS))
    scenario = Scenario(costs, tree, "random", protocol, model=model, **settings)
    result = run(scenario)
    assert result.completed == 1
    assert result.violations == ()
    return scenario, result


@given(st.data())
def test_atomic_broadcast_takes_the_time_of_the_formula(data: st.DataObject) -> None:
    """Both the last delivery and the acknowledgement."""
    s, result = one(data, "atomic-broadcast")
    assert result.phases_ps == {
        "broadcast": timing.broadcast(s.tree, s.costs, s.model),
        "acknowledged": timing.acknowledged(s.tree, s.costs, s.model),
    }
    assert result.latency_ps == (timing.acknowledged(s.tree, s.costs, s.model),)


@given(st.data())
def test_reduction_takes_the_time_of_the_formula(data: st.DataObject) -> None:
    """From the contributions to the sum at the root."""
    s, result = one(data, "reduction")
    assert result.latency_ps == (timing.reduction(s.tree, s.costs, s.model),)


@given(st.data())
def test_barrier_is_reduction_and_broadcast(data: st.DataObject) -> None:
    """The last member leaves at the sum of both forms."""
    s, result = one(data, "barrier")
    assert result.phases_ps["reduced"] == timing.reduction(s.tree, s.costs, s.model)
    assert result.latency_ps == (timing.barrier(s.tree, s.costs, s.model),)


@given(st.data(), st.integers(0, 500))
def test_two_phase_commit_takes_the_time_of_the_formula(data: st.DataObject, work: int) -> None:
    """The votes wait until the last one is prepared; making ready is added once."""
    s, result = one(data, "two-phase-commit", work_ps=work)
    assert result.latency_ps == (timing.two_phase_commit(s.tree, s.costs, s.model) + work,)


@given(st.data())
def test_protocols_over_two_trees_take_the_time_of_the_formula(data: st.DataObject) -> None:
    """What goes up has a tree of its own, with the same root; several operations in a row."""
    tree = data.draw(random_trees())
    others = data.draw(st.permutations([pu for pu in tree.members if pu != tree.root]))
    up = _hung(data, [tree.root, *others])
    costs = data.draw(random_costs(tree.members))
    model = data.draw(st.sampled_from(MODELS))
    forms = {
        "atomic-broadcast": timing.acknowledged(tree, costs, model),
        "reduction": timing.reduction(up, costs, model),
        "barrier": timing.barrier(tree, costs, model, up),
        "two-phase-commit": timing.two_phase_commit(tree, costs, model, up),
    }
    for protocol, form in forms.items():
        result = run(Scenario(costs, tree, "two", protocol, 3, 1, 10**6, model=model, up_tree=up))
        assert result.violations == ()
        assert result.latency_ps == (form, form, form), protocol


@pytest.mark.parametrize("protocol", ["single-phase-commit", "two-phase-commit"])
@given(data=st.data())
def test_answers_that_overtake_over_a_second_tree_are_kept(
    protocol: str, data: st.DataObject
) -> None:
    """Where phases overlap, an answer may come before the question; every operation still ends."""
    tree = data.draw(random_trees())
    others = data.draw(st.permutations([pu for pu in tree.members if pu != tree.root]))
    up = _hung(data, [tree.root, *others])
    costs = data.draw(random_costs(tree.members))
    overlap = protocol == "two-phase-commit"
    result = run(Scenario(costs, tree, "two", protocol, 5, 2, up_tree=up, overlap=overlap))
    assert (result.completed, result.violations) == (5, ())


def _hung(data: st.DataObject, pus: Sequence[int]) -> Tree:
    """Hang each PU below one that stands before it."""
    children: dict[int, tuple[int, ...]] = {}
    for at in range(1, len(pus)):
        parent = pus[data.draw(st.integers(0, at - 1))]
        children[parent] = (*children.get(parent, ()), pus[at])
    return Tree(pus[0], children)


@given(st.data())
def test_overlapping_two_phase_commit_is_bounded_by_the_formula(data: st.DataObject) -> None:
    """Prepare is an exact broadcast, the outcome too; votes overlap with the prepare between."""
    s, result = one(data, "two-phase-commit", overlap=True)
    last = timing.last_core(s.tree, s.costs, s.model)
    request = 0 if last == s.tree.root else s.costs.one_way(last, s.tree.root)
    broadcast = timing.broadcast(s.tree, s.costs, s.model)
    phases = result.phases_ps
    assert phases["decided"] + broadcast == phases["completed"]
    assert phases["prepared"] >= request
    assert phases["decided"] >= phases["prepared"]
    assert result.latency_ps[0] == phases["completed"]
    assert result.latency_ps[0] <= timing.two_phase_commit(s.tree, s.costs, s.model)


@given(st.data())
def test_single_phase_commit_is_bounded_by_broadcast_and_reduction(data: st.DataObject) -> None:
    """Acknowledgements flow as a reduction does, from no later than the last delivery."""
    s, result = one(data, "single-phase-commit")
    broadcast = timing.broadcast(s.tree, s.costs, s.model)
    assert broadcast <= result.latency_ps[0]
    assert result.latency_ps[0] <= broadcast + timing.reduction(s.tree, s.costs, s.model)


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
def test_later_operations_on_an_idle_machine_take_the_same_time(
    model: str, data: st.DataObject
) -> None:
    """Spaced far apart, every operation is the first."""
    tree = data.draw(random_trees())
    costs = data.draw(random_costs(tree.members))
    result = run(
        Scenario(
            costs,
            tree,
            "random",
            "atomic-broadcast",
            operations=4,
            interval_ps=10**6,
            model=model,
        )
    )
    assert set(result.latency_ps) == {timing.acknowledged(tree, costs, model)}


def test_two_phase_commit_votes_anew_where_messages_take_no_time() -> None:
    """A vote is no further send of the burst that asked for votes, also at the same instant."""
    pairs = [(u, v) for u in range(3) for v in range(3) if u != v]
    free = dict.fromkeys(pairs, 0)
    costs = MessageCosts((0, 1, 2), free, free, None, {**free, (1, 0): 100})
    down = Tree(0, {0: (1,), 1: (2,), 2: ()})
    up = Tree(0, {0: (1, 2), 1: (), 2: ()})
    result = run(Scenario(costs, down, "random", "two-phase-commit", model="logp", up_tree=up))
    assert result.latency_ps == (timing.two_phase_commit(down, costs, "logp", up),) == (0,)

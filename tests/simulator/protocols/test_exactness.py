"""The engine and the closed forms agree to the picosecond on an idle machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import timing
from simulator.costs import MODELS
from simulator.result import Result
from simulator.scenario import Scenario, run
from tests.simulator.worlds import random_costs, random_trees


def one(data: st.DataObject, protocol: str) -> tuple[Scenario, Result]:
    """Run one operation of a protocol on a random machine, tree and model."""
    tree = data.draw(random_trees())
    costs = data.draw(random_costs(tree.members))
    model = data.draw(st.sampled_from(MODELS))
    scenario = Scenario(costs, tree, "random", protocol, model=model)
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


@given(st.data())
def test_two_phase_commit_is_bounded_by_the_formula(data: st.DataObject) -> None:
    """Prepare is an exact broadcast, the outcome too; votes overlap with the prepare between."""
    s, result = one(data, "two-phase-commit")
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

"""From a decided route to the simulator: the promise is kept to the picosecond."""

from __future__ import annotations

import random
from typing import Any

import pytest

from skb.benching.routing_judge import PROTOCOLS, closed
from skb.checkers.route import check
from skb.decision import Limits
from skb.errors import RequestError
from skb.knowledge import decide, simulate
from skb.machine import Machine
from skb.relations import Fact
from tests.machines import bundled, grown
from tests.random_costs import random_machine

MACHINES = {
    "board": (bundled("tyan-s4985"), list(range(0, 32, 3))),
    "big.LITTLE": (bundled("odroid-n2"), None),
    "threads": (grown("package:2 l3:2 core:2 pu:2"), None),
}


@pytest.mark.parametrize("model", ["logp", "postal"])
@pytest.mark.parametrize(
    "protocol", ["atomic-broadcast", "barrier", "reduction", "two-phase-commit"]
)
@pytest.mark.parametrize("name", MACHINES)
def test_simulation_takes_as_long_as_the_decision_promised(
    name: str, protocol: str, model: str
) -> None:
    """On an idle machine the simulated completion is the predicted one."""
    machine, members = MACHINES[name]
    options = {"protocol": protocol, "model": model, "members": members, "limit_s": 1.5}
    result = simulate(machine, options)
    assert result["latency"]["exact_ps"]["max"] == round(result["predicted"]["value"] * 1000)
    assert result["violations"] == []


@pytest.mark.parametrize("model", ["logp", "postal"])
def test_simulation_of_a_broadcast_decision_arrives_when_it_said(model: str) -> None:
    """The broadcast phase over all 32 cores of the board ends at the decided completion."""
    board = bundled("tyan-s4985")
    decision = decide("route", board, {"root": 0, "model": model}).to_json()
    options = {"protocol": "atomic-broadcast"}
    result = simulate(board, options, decision)
    assert result["phases"]["broadcast"]["value"] == decision["objective"]["value"]
    assert result["model"] == model


@pytest.mark.parametrize("model", ["logp", "postal"])
@pytest.mark.parametrize("name", MACHINES)
def test_simulation_of_a_barrier_over_two_trees_keeps_the_promise(name: str, model: str) -> None:
    """Gathering over one tree and releasing over another, to the picosecond."""
    machine, members = MACHINES[name]
    asked = {"operation": "barrier", "trees": "per-phase", "members": members, "model": model}
    decision = decide("route", machine, asked, Limits(seconds=1.5)).to_json()
    assert "reduction_sends" in decision["answer"]
    result = simulate(machine, {"protocol": "barrier"}, decision)
    assert result["latency"]["exact_ps"]["max"] == decision["answer"]["completion_ps"]
    assert result["violations"] == []


@pytest.mark.parametrize("model", ["logp", "postal"])
@pytest.mark.parametrize(
    "operation", ["broadcast", "broadcast-ack", "reduce", "barrier", "two-phase-commit"]
)
@pytest.mark.parametrize("trees", ["one", "per-phase"])
def test_closed_forms_give_the_decided_completion(operation: str, model: str, trees: str) -> None:
    """Every operation in both models over one tree or two, to the picosecond."""
    asked = {"operation": operation, "trees": trees, "model": model, "members": [0, 1, 2, 5, 9, 13]}
    board = bundled("tyan-s4985")
    decision = decide("route", board, asked, Limits(conflicts=1000)).to_json()
    assert closed(board, decision) == decision["answer"]["completion_ps"]


def test_simulation_asks_for_a_tree_each_way() -> None:
    """With `trees` the route is decided so; two-phase commit keeps the promise, later ones too."""
    options = {"trees": "per-phase", "members": [0, 1, 4, 8, 12], "operations": 3}
    result = simulate(bundled("tyan-s4985"), options)
    one = simulate(bundled("tyan-s4985"), {**options, "trees": "one"})
    exact = round(result["predicted"]["value"] * 1000)
    assert result["latency"]["exact_ps"] == {"first": exact, "max": exact}
    assert result["predicted"]["value"] <= one["predicted"]["value"]


@pytest.mark.parametrize("name", MACHINES)
def test_simulation_of_two_phase_commit_may_overlap(name: str) -> None:
    """Participants who vote as soon as they can are never later than the sum of the phases."""
    machine, members = MACHINES[name]
    options = {"protocol": "two-phase-commit", "members": members, "overlap": True, "limit_s": 1.5}
    result = simulate(machine, options)
    assert result["latency"]["max"] <= result["predicted"]["value"]
    with pytest.raises(RequestError, match="no use for overlap"):
        simulate(machine, {**options, "protocol": "barrier"})


@pytest.mark.parametrize("model", ["logp", "postal"])
@pytest.mark.parametrize("trees", ["one", "per-phase"])
@pytest.mark.parametrize("operation", PROTOCOLS)
def test_checker_evaluator_and_simulator_price_random_machines_alike(
    operation: str, trees: str, model: str
) -> None:
    """The completion that is decided is checked, evaluated and simulated to the picosecond."""
    for seed in range(4):
        machine, costs, _ = random_machine(random.Random(f"{operation} {trees} {model} {seed}"))
        asked = {"operation": operation, "trees": trees, "model": model}
        decided = decide("route", machine, asked, Limits(seconds=0.5, conflicts=2000))
        assert check(machine, decided) == []
        decision = decided.to_json()
        assert closed(machine, decision, costs) == decision["answer"]["completion_ps"]
        result = simulate(machine, {"protocol": PROTOCOLS[operation]}, decision)
        took = result["latency"]["exact_ps"]["max"]
        if operation == "broadcast":
            took = round(result["phases"]["broadcast"]["value"] * 1000)
        assert took == decision["answer"]["completion_ps"]
        assert result["violations"] == []


def test_simulation_refuses_a_decision_about_other_facts() -> None:
    """A route is not simulated on a machine that has changed since, or on another one."""
    board = bundled("tyan-s4985")
    decision = decide("route", board, {"root": 0, "members": [0, 4]}, Limits()).to_json()
    changed = Machine(board.name, [*board.facts, Fact("load", ("pu:0", 5))])
    for other in (changed, bundled("odroid-n2")):
        with pytest.raises(RequestError, match="about other facts"):
            simulate(other, {"protocol": "barrier"}, decision)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"protocol": "gossip"}, "gossip"),
    ({"route": "binary", "trees": "per-phase"}, "one tree both ways"),
    ({"trees": "many"}, "trees"),
    ({"route": "star-shaped"}, "star-shaped"),
    ({"operations": 0}, "operations"),
    ({"operations": "many"}, "operations"),
    ({"root": 99, "route": "binary"}, "no pu:99"),
    ({"protocl": "barrier"}, "protocl"),
    ({"faults": [{"time_ns": 5, "pu": 0}]}, "state"),
]


@pytest.mark.parametrize(("options", "words"), BAD)
def test_simulation_refuses_bad_options(options: dict[str, Any], words: str) -> None:
    """Each is one clear error."""
    with pytest.raises(RequestError, match=words):
        simulate(bundled("odroid-n2"), options)

"""From a decided route to the simulator: the promise is kept to the picosecond."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulator import Tree, timing
from skb.costs import Costs
from skb.decision import Limits
from skb.errors import RequestError
from skb.knowledge import decide, simulate
from skb.machine import Machine
from skb.relations import Fact
from skb.simulation import message_costs
from tests.machines import bundled, grown

MACHINES = {
    "board": (bundled("tyan-s4985"), list(range(0, 32, 3))),
    "big.LITTLE": (bundled("odroid-n2"), None),
    "threads": (grown("package:2 l3:2 core:2 pu:2"), None),
}


@pytest.mark.parametrize("model", ["logp", "postal"])
@pytest.mark.parametrize("protocol", ["atomic-broadcast", "barrier", "reduction"])
@pytest.mark.parametrize("name", MACHINES)
def test_simulation_takes_as_long_as_the_decision_promised(
    name: str, protocol: str, model: str
) -> None:
    """On an idle machine the simulated completion is the predicted one."""
    machine, members = MACHINES[name]
    options = {"protocol": protocol, "model": model, "members": members}
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
    with pytest.raises(RequestError, match="one tree both ways"):
        simulate(machine, {"protocol": "two-phase-commit"}, decision)


def evaluated(decision: dict[str, Any], machine: Machine) -> int:
    """Completion by the simulator's closed forms, which know nothing of the engines."""
    answer = decision["answer"]
    costs = message_costs(Costs(machine), tuple(sorted(map(int, answer["arrivals"]))))
    rows = [answer["sends"], answer.get("reduction_sends", answer["sends"])]
    down, up = (Tree(answer["root"], {s["from"]: tuple(s["to"]) for s in row}) for row in rows)
    model = answer["model"]
    forms: dict[str, Callable[[], int]] = {
        "broadcast": lambda: timing.broadcast(down, costs, model),
        "broadcast-ack": lambda: timing.acknowledged(down, costs, model),
        "reduce": lambda: timing.reduction(up, costs, model),
        "barrier": lambda: timing.barrier(down, costs, model, up),
        "two-phase-commit": lambda: timing.two_phase_commit(down, costs, model, up),
    }
    return forms[answer["operation"]]()


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
    assert evaluated(decision, board) == decision["answer"]["completion_ps"]


@pytest.mark.parametrize("name", MACHINES)
def test_simulation_of_two_phase_commit_overlaps(name: str) -> None:
    """Participants vote as soon as they can: never later than the sum of the phases."""
    machine, members = MACHINES[name]
    result = simulate(machine, {"protocol": "two-phase-commit", "members": members})
    assert result["latency"]["max"] <= result["predicted"]["value"]


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

"""From a decided route to the simulator: the promise is kept to the picosecond."""

from __future__ import annotations

from typing import Any

import pytest

from skb.decision import Limits
from skb.errors import RequestError
from skb.knowledge import decide, simulate
from skb.machine import Machine
from skb.relations import Fact
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

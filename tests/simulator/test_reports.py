"""Failures as plain values: nothing is lost on the way, and they run again bit for bit."""

import json
from dataclasses import replace

import pytest

from simulator.errors import ScenarioError, SimulatorError
from simulator.planted import planted
from simulator.protocols import PROTOCOLS
from simulator.reports import plain, protocol_hash, report, rerun, scenario_of
from simulator.swarm import Failure, hunt, plan
from simulator.trees import Tree
from tests.simulator.worlds import scenario


def failure(name: str) -> tuple[Failure, str]:
    """Return what random plans find in the first planted fault of a protocol, and its class."""
    fault = planted()[name][0]
    return hunt(fault.protocol, range(200)).failures[0], fault.protocol.__name__


def written(name: str) -> dict[str, object]:
    """Return the report of a failure, through JSON and back."""
    found, class_name = failure(name)
    protocol = next(
        fault.protocol for fault in planted()[name] if fault.protocol.__name__ == class_name
    )
    raw = report(found.scenario, protocol, found.violations, "1.2.3")
    kept: dict[str, object] = json.loads(json.dumps(raw))
    return kept


@pytest.mark.parametrize("name", ["two-phase-commit", "barrier", "shared-lock"])
def test_report_runs_again_bit_for_bit(name: str) -> None:
    """The same trace and the same sentences."""
    raw = written(name)
    again = rerun(raw)
    assert again.played.digest == raw["trace_digest"] != ""
    assert list(again.violations) == raw["violations"] != []
    assert again.protocol.__name__ == raw["planted"]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_scenario_survives_json(name: str) -> None:
    """Every field of random scenarios comes back."""
    for seed in range(5):
        case = plan(PROTOCOLS[name], seed)
        assert scenario_of(json.loads(json.dumps(plain(case)))) == case


def test_scenario_with_a_second_tree_survives_json() -> None:
    """Trees, clients and an open load too."""
    up = Tree(0, {0: (6,), 6: (1, 2, 3, 4, 5)})
    case = scenario("reduction", up_tree=up, arrivals_ps=(1, 5), operations=2)
    assert scenario_of(json.loads(json.dumps(plain(case)))) == case


def test_report_names_the_sources() -> None:
    """The hash changes with the class that ran, not with the run."""
    raw = written("barrier")
    assert raw["protocol_hash"] == protocol_hash(planted()["barrier"][0].protocol)
    assert raw["protocol_hash"] != protocol_hash(PROTOCOLS["barrier"])
    assert raw["version"] == "1.2.3"


@pytest.mark.parametrize("missing", ["protocol", "planted", "scenario"])
def test_report_without_its_parts_is_refused(missing: str) -> None:
    """It says that this is no report, instead of running something else."""
    raw = written("barrier")
    del raw[missing]
    with pytest.raises(ScenarioError, match="no report of a failure"):
        rerun(raw)


@pytest.mark.parametrize(
    "change", [{"planted": "Unheard"}, {"protocol": "unheard"}, {"scenario": {"costs": 1}}]
)
def test_report_of_nothing_known_is_refused(change: dict[str, object]) -> None:
    """A class, a protocol or costs that do not exist."""
    with pytest.raises(SimulatorError):
        rerun({**written("barrier"), **change})


def test_protocol_itself_is_named_without_a_planted_fault() -> None:
    """The report of a protocol runs the protocol."""
    protocol = PROTOCOLS["barrier"]
    case = replace(plan(protocol, 3), horizon_ps=None)
    raw = report(case, protocol, ("none",), "1")
    assert raw["planted"] == ""
    assert rerun(raw).protocol is protocol

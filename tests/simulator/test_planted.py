"""Planted faults: every protocol has some, they are caught on settings and by random plans."""

import pytest

from simulator.planted import Planted, planted
from simulator.protocols import PROTOCOLS
from simulator.protocols.protocol import Protocol
from simulator.scenario import Scenario, observe
from simulator.swarm import broken, hunt
from tests.simulator.worlds import TWO_LEVELS, scenario

OLD = ("single-phase-commit", "two-phase-commit", "atomic-broadcast", "barrier", "reduction")
"""Protocols whose planted faults no other test runs."""

FAULTS = [fault for name in OLD for fault in planted()[name]]
NAMES = [f"{fault.protocol.name}-{fault.protocol.__name__}" for fault in FAULTS]
SAMPLE = (
    "AcknowledgesEarly",
    "MissesVotes",
    "TakesWhatWasOvertaken",
    "AnswersBeforeItEnters",
    "DropsAContribution",
)
"""One of each old protocol for the random plans; the benchmark hunts for all of them."""


def said(case: Scenario, protocol: type[Protocol]) -> set[str]:
    """Return the checks that speak up, beside those that the plan's faults excuse."""
    nodes, _, history = observe(case, protocol)
    return {
        sentence.split(":")[0] for sentence in broken(case, protocol, history, nodes[0].round_ps)
    }


def test_every_protocol_has_five_planted_faults() -> None:
    """No protocol is without, and none is planted for a protocol that does not exist."""
    counts = {name: len({fault.protocol for fault in faults}) for name, faults in planted().items()}
    assert {name: counts.get(name, 0) for name in PROTOCOLS if counts.get(name, 0) < 5} == {}
    assert sorted(counts) == sorted(PROTOCOLS)


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
def test_planted_fault_is_caught_and_the_original_is_not(fault: Planted) -> None:
    """One of the named checks speaks up on the fault; on the same load the protocol is clean."""
    case = scenario(fault.protocol.name, TWO_LEVELS, **fault.settings)
    assert said(case, fault.protocol) & set(fault.checks)
    assert said(case, PROTOCOLS[fault.protocol.name]) == set()


@pytest.mark.parametrize("name", SAMPLE)
def test_random_plans_find_planted_faults(name: str) -> None:
    """Within a few hundred plans, without being told how to provoke it."""
    fault = next(fault for fault in FAULTS if fault.protocol.__name__ == name)
    found = hunt(fault.protocol, range(300))
    assert found.failures

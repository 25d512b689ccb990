"""The list of protocols and the notation they are written in."""

import pytest

from simulator.checkers import CHECKS
from simulator.errors import UnknownNameError
from simulator.protocols import PROTOCOLS, require_protocol
from simulator.protocols.protocol import Protocol, declared_fields, handled_kinds
from simulator.protocols.two_phase_commit import Prepare, TwoPhaseCommit


def test_registry_names_are_the_contract() -> None:
    """The names of the command line."""
    assert sorted(PROTOCOLS) == [
        "atomic-broadcast",
        "barrier",
        "chain-replication",
        "ipi-shootdown",
        "membership",
        "multi-paxos",
        "node-replication",
        "one-paxos",
        "page-sharing",
        "partitioned-fleet",
        "pbft",
        "queue-lock",
        "raft",
        "reduction",
        "replicated-state",
        "rpc-server",
        "shared-lock",
        "shared-update",
        "single-phase-commit",
        "two-phase-commit",
    ]


def test_registry_unknown_name_lists_the_known() -> None:
    """The error repeats what was asked for and shows all names."""
    with pytest.raises(UnknownNameError, match=r"'paxos': known are atomic-broadcast, barrier"):
        require_protocol("paxos")


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS.keys())
def test_protocol_promises_known_checks_and_termination(protocol: type[Protocol]) -> None:
    """Every protocol is judged, by checks that exist, and must end where nothing fails."""
    assert set(protocol.promises) <= set(CHECKS)
    assert {"integrity", "termination"} <= set(protocol.promises)


def test_fields_are_those_annotated() -> None:
    """Fields of the base class are not state."""
    fields = declared_fields(TwoPhaseCommit)
    assert fields["timeout_ps"] == "parameter"
    assert fields["lock"] == "item"
    assert fields["votes"] == "operation"
    assert fields["running"] == "one"
    assert not {"me", "children", "now", "outbox"} & set(fields)


def test_field_of_another_type_is_refused() -> None:
    """State is integers, so that it can be compiled."""

    class Wordy(TwoPhaseCommit):
        words: str

    with pytest.raises(TypeError, match=r"Wordy\.words"):
        declared_fields(Wordy)


def test_handler_redefined_without_mark_keeps_its_kind() -> None:
    """A subclass changes one method and nothing else."""

    class Other(TwoPhaseCommit):
        pass

    assert handled_kinds(Other)[Prepare] == "prepare"

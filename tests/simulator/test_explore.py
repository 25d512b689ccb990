"""All delivery orders of small instances."""

import pytest

from simulator.explore import Exploration, explore
from simulator.history import VOTED, YES, Proposal
from simulator.protocols import PROTOCOLS
from simulator.protocols.protocol import Protocol
from simulator.protocols.single_phase_commit import Ack, Do, SinglePhaseCommit
from simulator.protocols.two_phase_commit import TwoPhaseCommit
from simulator.trees import Tree

SHAPES = {"star": Tree(0, {0: (1, 2)}), "chain": Tree(0, {0: (1,), 1: (2,)})}
CONFLICT = [Proposal(0, 1, 0, 0, 0), Proposal(1, 2, 0, 0, 0)]


def search(
    protocol: type[Protocol], shape: str = "star", fifo: bool = False, timeout_ps: int = 0
) -> Exploration:
    """Explore two conflicting operations on three nodes."""
    return explore(protocol, SHAPES[shape], CONFLICT, 2, fifo=fifo, timeout_ps=timeout_ps)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "name", ["single-phase-commit", "two-phase-commit", "barrier", "reduction"]
)
def test_every_order_is_safe_and_ends(name: str, shape: str) -> None:
    """In the full space, unordered, no check speaks, and no lock is held at any end."""
    found = search(PROTOCOLS[name], shape)
    assert found.complete
    assert found.violations == ()
    assert found.transitions >= found.states - 1 > 100


@pytest.mark.parametrize("hold_ps", [-1, 0, 1])
@pytest.mark.parametrize(
    "name", ["single-phase-commit", "two-phase-commit", "barrier", "reduction"]
)
def test_every_order_over_two_trees_is_safe_and_ends(name: str, hold_ps: int) -> None:
    """Down a chain, up another one: answers overtake questions, and may be held back."""
    down, up = SHAPES["chain"], Tree(0, {0: (2,), 2: (1,)})
    found = explore(PROTOCOLS[name], down, CONFLICT, 2, up_tree=up, hold_ps=hold_ps)
    assert found.complete
    assert found.violations == ()


@pytest.mark.parametrize("shape", SHAPES)
def test_two_phase_commit_with_timeout_is_safe_on_ordered_channels(shape: str) -> None:
    """A timer may fire at any moment."""
    found = search(TwoPhaseCommit, shape, fifo=True, timeout_ps=1)
    assert found.complete
    assert found.violations == ()


def test_two_phase_commit_with_timeout_is_safe_on_unordered_channels() -> None:
    """If an abort overtakes its prepare, the late prepare is dropped and locks nothing."""
    found = search(TwoPhaseCommit, "chain", timeout_ps=1)
    assert found.complete
    assert found.violations == ()


def test_atomic_broadcast_needs_ordered_channels() -> None:
    """What is overtaken on its way is not delivered: the order holds, and an end is missing."""
    assert search(PROTOCOLS["atomic-broadcast"], fifo=True).violations == ()
    found = search(PROTOCOLS["atomic-broadcast"])
    assert found.violations == ("termination: operation 0 never ended, though nothing failed",)
    late, early = (
        found.path.index(f"PU 2 handles deliver of operation {op} from PU 0") for op in (0, 1)
    )
    assert early < late


class Promiscuous(TwoPhaseCommit):
    """Says yes to everybody."""

    def cast(self, op: int, item: int) -> int:
        self.lock[item] = op + 1
        self.record(op, VOTED, YES)
        return 0


class Clinging(TwoPhaseCommit):
    """Never lets go of an item."""

    def release(self, op: int, item: int) -> None:
        pass


class Hasty(SinglePhaseCommit):
    """Acknowledges before its subtree has."""

    def carry_out(self, op: int, value: int) -> None:
        self.multicast(Do(op, value))
        self.record(op, 2, value)
        self.finish(op)

    def ack(self, m: Ack) -> None:
        pass


@pytest.mark.parametrize(
    ("mutant", "check"),
    [(Promiscuous, "isolation"), (Clinging, "isolation"), (Hasty, "acknowledged")],
)
def test_mutant_is_found_with_a_path(mutant: type[Protocol], check: str) -> None:
    """A planted fault comes with the deliveries that lead to it."""
    found = search(mutant)
    assert not found.complete
    assert any(sentence.startswith(f"{check}: ") for sentence in found.violations)
    assert found.path[0].startswith("PU ")


def test_lock_left_at_the_end_is_found() -> None:
    """One operation alone, and its lock is still held where nothing is left to happen."""
    found = explore(Clinging, SHAPES["star"], CONFLICT[:1], 2)
    assert found.violations[0] == "locks: PU 0 still locks item 0 for operation 0"


def test_exploration_stops_at_its_limit() -> None:
    """A space that is too large is called incomplete, not safe."""
    found = explore(TwoPhaseCommit, SHAPES["star"], CONFLICT, 2, state_limit=50)
    assert (found.states, found.complete) == (50, False)

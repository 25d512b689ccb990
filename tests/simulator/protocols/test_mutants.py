"""Planted faults: each breaks one protocol in one way, and a checker must notice."""

import pytest

from simulator.history import ABORT, COMMIT, DELIVERED, ENTERED, LEFT, PREPARED, VOTED, YES
from simulator.protocols.atomic_broadcast import AtomicBroadcast, Data, Report
from simulator.protocols.barrier import Barrier
from simulator.protocols.protocol import Protocol, Start
from simulator.protocols.reduction import Reduction
from simulator.protocols.single_phase_commit import Ack, Do, SinglePhaseCommit
from simulator.protocols.two_phase_commit import Decide, TwoPhaseCommit, Vote
from simulator.scenario import simulate
from simulator.trees import Tree
from tests.simulator.worlds import CHAIN, TWO_LEVELS, scenario

LOPSIDED = Tree(0, {0: (1, 2), 2: (3,), 3: (4,), 4: (5,)})


class AcknowledgesEarly(SinglePhaseCommit):
    """Answers before its subtree has."""

    def carry_out(self, op: int, value: int) -> None:
        self.record(op, DELIVERED, value)
        self.multicast(Do(op, value))
        self.finish(op)

    def ack(self, m: Ack) -> None:
        pass


class CarriesOutTwice(SinglePhaseCommit):
    """Does the same work twice."""

    def carry_out(self, op: int, value: int) -> None:
        self.record(op, DELIVERED, value)
        super().carry_out(op, value)


class LosesAnAcknowledgement(SinglePhaseCommit):
    """PU 1 swallows what its children say."""

    def ack(self, m: Ack) -> None:
        if self.me != 1:
            super().ack(m)


class MissesAVote(TwoPhaseCommit):
    """The coordinator counts one vote too few."""

    def vote(self, m: Vote) -> None:
        slot = self.slot(m.op)
        if self.me == self.root and self.voting[slot] == m.op + 1:
            self.votes[slot] += 1
        super().vote(m)


class SaysYesWhileLocked(TwoPhaseCommit):
    """Promises an item to two operations."""

    def cast(self, op: int, item: int) -> int:
        self.lock[item] = op + 1
        self.record(op, VOTED, YES)
        return 0


class ForgetsItsLock(TwoPhaseCommit):
    """A participant never lets go."""

    def release(self, op: int, item: int) -> None:
        if self.me != 3:
            super().release(op, item)


class OverrulesRefusals(TwoPhaseCommit):
    """The coordinator commits whatever was voted."""

    def learn(self, op: int, item: int, outcome: int) -> None:
        super().learn(op, item, COMMIT)


class AlwaysAborts(TwoPhaseCommit):
    """The coordinator aborts although all agreed."""

    def answer(self, op: int, item: int) -> None:
        if self.me == self.root:
            self.learn(op, item, ABORT)
        else:
            super().answer(op, item)


class TurnsTheOutcome(TwoPhaseCommit):
    """One participant hears the opposite."""

    def decide(self, m: Decide) -> None:
        self.learn(m.op, m.item, ABORT if self.me == 4 else m.outcome)


class VotesBeforeItsSubtree(TwoPhaseCommit):
    """An inner node answers for children it has not heard."""

    def make_ready(self, op: int, item: int) -> None:
        super().make_ready(op, item)
        if self.nchildren > 0 and self.me != self.root:
            self.record(op, PREPARED)
            self.answer(op, item)


class RefusesForNothing(TwoPhaseCommit):
    """A participant votes no though nothing stands against it."""

    def cast(self, op: int, item: int) -> int:
        return self.refuse(op) if self.me == 5 else super().cast(op, item)

    def refuse(self, op: int) -> int:
        self.record(op, VOTED, 0)
        return 1


class DeliversTwice(AtomicBroadcast):
    """Delivers each value twice."""

    def take(self, op: int, value: int) -> None:
        self.record(op, DELIVERED, value)
        super().take(op, value)


class GarblesTheValue(AtomicBroadcast):
    """One node forwards something else."""

    def take(self, op: int, value: int) -> None:
        super().take(op, value + (self.me == 1))


class ForgetsToForward(AtomicBroadcast):
    """One inner node keeps the value to itself."""

    def take(self, op: int, value: int) -> None:
        if self.me == 1:
            self.record(op, DELIVERED, value)
        else:
            super().take(op, value)


class ReportsEarly(AtomicBroadcast):
    """The root ends the operation without hearing of the last core."""

    def start(self, m: Start) -> None:
        super().start(m)
        self.finish(m.op)

    def report(self, m: Report) -> None:
        pass


class SwapsOperations(AtomicBroadcast):
    """One node delivers every second operation before the one that came earlier."""

    waiting: int

    def deliver(self, m: Data) -> None:
        if self.me != 2 or m.op % 2:
            super().deliver(m)
            if self.me == 2:
                super().deliver(Data(m.op - 1, self.waiting))
        else:
            self.waiting = m.value


class LeavesAlone(Barrier):
    """A member walks through without waiting for anybody."""

    def start(self, m: Start) -> None:
        self.record(m.op, ENTERED)
        if self.me == 3:
            self.record(m.op, LEFT)
        self.gather(m.op)


class OpensOneEarly(Barrier):
    """The root counts itself twice."""

    def start(self, m: Start) -> None:
        if self.me == self.root:
            self.record(m.op, ENTERED)
            self.gather(m.op)
            self.gather(m.op)
        elif self.me == 5:
            if m.write:
                self.timer(10**6, Start(m.op, m.item, m.value, 0))
            else:
                super().start(m)
        else:
            super().start(m)


class DropsAContribution(Reduction):
    """One node leaves its own number out."""

    def start(self, m: Start) -> None:
        self.record(m.op, ENTERED, m.value)
        self.collect(m.op, 0 if self.me == 2 else m.value)


class KeepsTheSum(Reduction):
    """A node does not start the next operation at zero."""

    def collect(self, op: int, value: int) -> None:
        before = self.total[self.slot(0)]
        super().collect(op, value)
        if self.me == 1 and self.total[self.slot(0)] == 0:
            self.total[self.slot(op + 1)] += before


RIVALS = {"operations": 20, "conflict_per_mille": 1000}

MUTANTS: list[tuple[type[Protocol], Tree, dict[str, int], str]] = [
    (AcknowledgesEarly, LOPSIDED, {}, "acknowledged"),
    (CarriesOutTwice, TWO_LEVELS, {}, "integrity"),
    (LosesAnAcknowledgement, TWO_LEVELS, {}, "termination"),
    (MissesAVote, LOPSIDED, {"overlap": True}, "atomicity"),
    (SaysYesWhileLocked, TWO_LEVELS, RIVALS, "isolation"),
    (ForgetsItsLock, TWO_LEVELS, {}, "locks"),
    (ForgetsItsLock, TWO_LEVELS, {"operations": 1030}, "isolation"),
    (OverrulesRefusals, TWO_LEVELS, RIVALS, "atomicity"),
    (AlwaysAborts, TWO_LEVELS, {}, "atomicity"),
    (TurnsTheOutcome, TWO_LEVELS, {}, "atomicity"),
    (VotesBeforeItsSubtree, LOPSIDED, {}, "integrity"),
    (RefusesForNothing, TWO_LEVELS, {}, "isolation"),
    (DeliversTwice, TWO_LEVELS, {}, "integrity"),
    (GarblesTheValue, TWO_LEVELS, {}, "validity"),
    (GarblesTheValue, TWO_LEVELS, {}, "agreement"),
    (ForgetsToForward, TWO_LEVELS, {}, "agreement"),
    (ReportsEarly, CHAIN, {}, "confirmed"),
    (SwapsOperations, LOPSIDED, {"operations": 8, "outstanding": 4}, "order"),
    (LeavesAlone, TWO_LEVELS, {}, "integrity"),
    (OpensOneEarly, TWO_LEVELS, {}, "separation"),
    (DropsAContribution, TWO_LEVELS, {}, "sums"),
    (KeepsTheSum, TWO_LEVELS, {"operations": 4}, "sums"),
]


@pytest.mark.parametrize(
    ("mutant", "tree", "load", "check"),
    MUTANTS,
    ids=[f"{mutant.__name__}-{check}" for mutant, _, _, check in MUTANTS],
)
def test_mutant_is_caught_and_the_original_is_not(
    mutant: type[Protocol], tree: Tree, load: dict[str, int], check: str
) -> None:
    """The named check speaks up on the mutant, and on the same load the protocol is clean."""
    case = scenario(mutant.name, tree, **load)
    caught = {sentence.split(":")[0] for sentence in simulate(case, mutant).violations}
    assert check in caught
    original = next(kind for kind in mutant.__mro__[1:] if "name" in vars(kind))
    assert simulate(case, original).violations == ()

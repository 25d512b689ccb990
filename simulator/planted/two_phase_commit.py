"""Planted faults of the plain two-phase commit; those of rounds stand in a file of their own."""

from simulator.history import ABORT, COMMIT, PREPARED, VOTED, YES
from simulator.planted import Planted
from simulator.protocols.two_phase_commit import Decide, TwoPhaseCommit, Vote


class MissesVotes(TwoPhaseCommit):
    """The coordinator counts its own vote for all of them."""

    def tally(self, op: int, item: int) -> None:
        if self.me == self.root:
            self.votes[self.slot(op)] += self.nchildren
        super().tally(op, item)

    def vote(self, m: Vote) -> None:
        if self.me != self.root:
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
        if self.me != 1:
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
        self.learn(m.op, m.item, ABORT if self.me == 1 else m.outcome)


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
        return self.refuse(op) if self.me == 1 else super().cast(op, item)

    def refuse(self, op: int) -> int:
        self.record(op, VOTED, 0)
        return 1


RIVALS = {"operations": 20, "conflict_per_mille": 1000}

PLANTED = (
    Planted(MissesVotes, ("atomicity",), {"overlap": True}),
    Planted(SaysYesWhileLocked, ("isolation",), RIVALS),
    Planted(ForgetsItsLock, ("locks",), {}),
    Planted(ForgetsItsLock, ("isolation",), {"operations": 1030}),
    Planted(OverrulesRefusals, ("atomicity",), RIVALS),
    Planted(AlwaysAborts, ("atomicity",), {}),
    Planted(TurnsTheOutcome, ("atomicity",), {}),
    Planted(VotesBeforeItsSubtree, ("integrity", "atomicity"), {}),
    Planted(RefusesForNothing, ("isolation",), {}),
)

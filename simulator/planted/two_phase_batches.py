"""Planted faults of two-phase commit with tentative changes, holders and rounds."""

from simulator.history import ABSTAINED, COMMIT, NO, VOTED, YES
from simulator.planted import Planted
from simulator.protocols.two_phase_commit import Refuse, TwoPhaseCommit
from simulator.protocols.two_phase_rounds import DecideAll, VoteAll


class LocksOverAnother(TwoPhaseCommit):
    """An initiator changes locally although the item is bound already."""

    def attempt(self, op: int, item: int) -> None:
        self.lock[item] = op + 1
        self.record(op, VOTED, YES)
        self.bring(op, item)


class KeepsItsTentativeChange(TwoPhaseCommit):
    """An initiator does not take back what was aborted."""

    def settle(self, op: int, item: int, outcome: int) -> None:
        held = self.lock[item]
        super().settle(op, item, outcome)
        if self.tentative > 0 and outcome != COMMIT and held == op + 1:
            self.lock[item] = held


class OverrulesTheInitiator(TwoPhaseCommit):
    """The coordinator commits what its own initiator gave up."""

    def refuse_at_once(self, m: Refuse) -> None:
        self.learn(m.op, m.item, COMMIT)


class AsksWhatItGaveUp(TwoPhaseCommit):
    """An initiator that was preempted asks all the same, and forgets that it has voted."""

    def give_up(self, op: int, item: int) -> None:
        self.bring(op, item)


class ForgetsTheOtherVotes(TwoPhaseCommit):
    """The votes of a subtree on the second and third proposal are lost on the way up."""

    def vote_all(self, m: VoteAll) -> None:
        super().vote_all(VoteAll(m.op, m.refusals, m.second, 0, m.third, 0))


class DecidesAllAlike(TwoPhaseCommit):
    """One participant takes the first outcome of a round for all."""

    def decide_all(self, m: DecideAll) -> None:
        if self.me == 4:
            self.learn_all(DecideAll(m.op, m.second, m.third, 7 * (m.outcomes & 1)))
        else:
            super().decide_all(m)


class FreesTheFirst(TwoPhaseCommit):
    """One participant lets go of the first item of a round only."""

    def release(self, op: int, item: int) -> None:
        if self.me != 5 or self.second[self.slot(op)] > 0:
            super().release(op, item)


class CommitsRoundsUnheard(TwoPhaseCommit):
    """The coordinator commits a round whatever was voted."""

    def learn_all(self, m: DecideAll) -> None:
        super().learn_all(DecideAll(m.op, m.second, m.third, 7))


class DropsAProposal(TwoPhaseCommit):
    """A proposal that has waited is taken out and not put into a round."""

    def begin_round(self) -> None:
        if self.queued > 0 and self.take() >= 0:
            super().begin_round()


class RefusesWhatItDoesNotHold(TwoPhaseCommit):
    """One member that does not hold an item refuses instead of abstaining."""

    def cast(self, op: int, item: int) -> int:
        if self.me == 5 and self.holds(item) == 0:
            self.record(op, VOTED, NO)
            return 1
        return super().cast(op, item)


class AbstainsTwice(TwoPhaseCommit):
    """Who does not hold an item says so, and votes as if it did."""

    def cast(self, op: int, item: int) -> int:
        if self.holders > 0 and self.holds(item) == 0:
            self.record(op, VOTED, ABSTAINED)
        return super().cast(op, item)


RIVALS = {"operations": 40, "outstanding": 8, "conflict_per_mille": 600, "items": 4}
TENTATIVE = {**RIVALS, "parameters": {"tentative": 1}}
BATCHED = {**RIVALS, "parameters": {"batch": 3}}
BOTH = {**RIVALS, "parameters": {"batch": 3, "tentative": 1}}
HELD = {**RIVALS, "parameters": {"holders": 500}}

PLANTED = (
    Planted(LocksOverAnother, ("isolation",), TENTATIVE),
    Planted(KeepsItsTentativeChange, ("locks",), TENTATIVE),
    Planted(OverrulesTheInitiator, ("atomicity",), TENTATIVE),
    Planted(AsksWhatItGaveUp, ("integrity",), TENTATIVE),
    Planted(ForgetsTheOtherVotes, ("atomicity",), BOTH),
    Planted(DecidesAllAlike, ("atomicity",), BATCHED),
    Planted(FreesTheFirst, ("locks",), BATCHED),
    Planted(CommitsRoundsUnheard, ("atomicity",), BATCHED),
    Planted(DropsAProposal, ("termination",), BATCHED),
    Planted(RefusesWhatItDoesNotHold, ("isolation",), HELD),
    Planted(AbstainsTwice, ("integrity",), HELD),
)

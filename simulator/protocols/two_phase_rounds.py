"""Rounds of a two-phase commit: up to three proposals that are asked about and decided together.

A round is asked about, voted on and decided as one proposal is (`two_phase_commit.py`), by messages
that carry all of it; each proposal has its own outcome.
"""

from simulator.history import PREPARED, SUSPECTED
from simulator.protocols.protocol import Message, Parameter, PerOperation, message, on
from simulator.protocols.rounds import Rounds


@message
class Expire(Message):
    """Votes have been missing for too long."""

    item: int


@message
class Ready(Message):
    """The own vote is not held back any more."""

    item: int


@message
class PrepareAll(Message):
    """Asks a subtree for its votes on a round: a second and perhaps a third proposal (else -1)."""

    item: int
    second: int
    second_item: int
    third: int
    third_item: int


@message
class VoteAll(Message):
    """The votes of a subtree on a round: how many have refused each proposal."""

    refusals: int
    second: int
    second_refusals: int
    third: int
    third_refusals: int


@message
class DecideAll(Message):
    """The outcomes of a round, one bit each."""

    second: int
    third: int
    outcomes: int


class TwoPhaseRounds(Rounds):
    """A participant in rounds.

    `voting`, `votes`, `second` and `third` of a round's first operation stand for all; `second` and
    `third` are the others + 1. `subject` is an operation's item.
    """

    work_ps: Parameter
    timeout_ps: Parameter
    hold_ps: Parameter
    batch: Parameter
    voting: PerOperation
    votes: PerOperation
    refusals: PerOperation
    second: PerOperation
    third: PerOperation
    subject: PerOperation

    def most(self) -> int:
        """Return how many proposals a round may have."""
        return self.batch

    def ask(self, op: int, item: int) -> None:
        """Open the vote on one proposal."""

    def open(self, op: int) -> None:
        """Begin to count the votes on one proposal."""

    def cast(self, op: int, item: int) -> int:
        """Vote on one proposal, and return the number of refusals."""
        return 0

    def holds(self, item: int) -> int:
        """Tell whether this member holds an item: 1 or 0."""
        return 1

    def tally(self, op: int, item: int) -> None:
        """Count a vote, on one proposal or on a round."""

    def settle(self, op: int, item: int, outcome: int) -> None:
        """Take over the outcome of one proposal."""

    def open_round(self, op: int, second: int, third: int) -> None:
        """Ask about a round; about a single proposal as ever."""
        if second < 0:
            self.ask(op, self.subject[self.slot(op)])
        else:
            self.ask_all(op, second, third)

    def ask_all(self, op: int, second: int, third: int) -> None:
        """Open the vote on a round, and limit it where a limit is set."""
        item = self.subject[self.slot(op)]
        second_item = self.subject[self.slot(second)]
        third_item = 0
        if third >= 0:
            third_item = self.subject[self.slot(third)]
        self.make_ready_all(PrepareAll(op, item, second, second_item, third, third_item))
        if self.timeout_ps > 0:
            self.timer(self.timeout_ps, Expire(op, item))

    @on(PrepareAll)
    def prepare_all(self, m: PrepareAll) -> None:
        """Hear of a round, unless its outcomes have overtaken it."""
        if self.voting[self.slot(m.op)] != -m.op - 1:
            self.make_ready_all(m)

    def make_ready_all(self, m: PrepareAll) -> None:
        """Vote on each, forward, make ready once, and answer for all; as for one proposal."""
        self.open_all(m.op, m.second, m.third)
        working = self.vote_on(m.op, m.item) + self.vote_on(m.second, m.second_item)
        if m.third >= 0:
            working += self.vote_on(m.third, m.third_item)
        if self.hold_ps >= 0:
            self.timer(self.hold_ps, Ready(m.op, m.item))
        self.multicast(m)
        if working > 0:
            self.work(self.work_ps)
        self.record(m.op, PREPARED)
        self.record(m.second, PREPARED)
        if m.third >= 0:
            self.record(m.third, PREPARED)
        if self.hold_ps < 0:
            self.tally(m.op, m.item)

    def open_all(self, op: int, second: int, third: int) -> None:
        """Begin to count the votes on a round, unless the first of them came before."""
        self.open(op)
        self.open(second)
        self.second[self.slot(op)] = second + 1
        self.third[self.slot(op)] = third + 1
        if third >= 0:
            self.open(third)

    def vote_on(self, op: int, item: int) -> int:
        """Vote on one proposal of a round; return 1 where it concerns this member, else 0."""
        self.subject[self.slot(op)] = item
        self.refusals[self.slot(op)] += self.cast(op, item)
        return self.holds(item)

    @on(VoteAll)
    def vote_all(self, m: VoteAll) -> None:
        """Count the votes of a subtree on a round, unless it was given up meanwhile."""
        slot = self.slot(m.op)
        if self.voting[slot] != -m.op - 1:
            self.open_all(m.op, m.second, m.third)
            self.refusals[slot] += m.refusals
            self.refusals[self.slot(m.second)] += m.second_refusals
            if m.third >= 0:
                self.refusals[self.slot(m.third)] += m.third_refusals
            self.tally(m.op, 0)

    def answer_all(self, op: int) -> None:
        """Pass the votes of this subtree on a round up; at the root, decide each."""
        slot = self.slot(op)
        second = self.second[slot] - 1
        third = self.third[slot] - 1
        refusals = self.refusals[slot]
        second_refusals = self.refusals[self.slot(second)]
        third_refusals = 0
        if third >= 0:
            third_refusals = self.refusals[self.slot(third)]
        if self.me != self.root:
            self.send(
                self.parent,
                VoteAll(op, refusals, second, second_refusals, third, third_refusals),
            )
        else:
            outcomes = 1 if refusals == 0 else 0
            if second_refusals == 0:
                outcomes += 2
            if third_refusals == 0:
                outcomes += 4
            self.learn_all(DecideAll(op, second, third, outcomes))

    def suspect_all(self, op: int) -> None:
        """Abort a round, the suspicion against which is recorded for its first proposal."""
        slot = self.slot(op)
        second = self.second[slot] - 1
        third = self.third[slot] - 1
        self.record(second, SUSPECTED)
        if third >= 0:
            self.record(third, SUSPECTED)
        self.learn_all(DecideAll(op, second, third, 0))

    @on(DecideAll)
    def decide_all(self, m: DecideAll) -> None:
        """Take over the outcomes of a round."""
        self.learn_all(m)

    def learn_all(self, m: DecideAll) -> None:
        """Let go of all items and pass the outcomes down."""
        self.settle(m.op, self.subject[self.slot(m.op)], m.outcomes & 1)
        self.settle(m.second, self.subject[self.slot(m.second)], (m.outcomes >> 1) & 1)
        if m.third >= 0:
            self.settle(m.third, self.subject[self.slot(m.third)], (m.outcomes >> 2) & 1)
        self.multicast(m)
        self.end_round(m.op)

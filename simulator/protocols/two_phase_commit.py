"""Two-phase commit over the tree, with proposals that may conflict.

An initiator asks the coordinator (the root). Prepare runs down the tree; a participant locks the
item and votes yes, or votes no when another operation holds it. Votes run up, subtree by subtree;
the outcome runs down. An operation has ended when the last participant has learned its outcome
(request + broadcast + reduction + broadcast; J. Gray, "Notes on data base operating systems",
1978). Nobody is blocked by a conflict: the later proposal aborts.

A participant holds its own vote back for `hold_ps` from the moment it was asked: until the last one
is ready, so that the phases follow on each other, or not at all, so that they overlap. Votes may
run up another tree than prepare runs down, and so overtake it.
"""

from simulator.history import ABORT, COMMIT, DECIDED, NO, PREPARED, SUSPECTED, VOTED, YES
from simulator.protocols.protocol import (
    Message,
    Parameter,
    PerItem,
    PerOperation,
    Phase,
    Protocol,
    Start,
    message,
    on,
)


@message
class Request(Message):
    """An initiator's proposal to the coordinator."""

    item: int


@message
class Prepare(Message):
    """Asks a subtree for its votes."""

    item: int


@message
class Vote(Message):
    """The votes of a subtree: how many have refused."""

    item: int
    refusals: int


@message
class Decide(Message):
    """The outcome, on its way down."""

    item: int
    outcome: int


@message
class Expire(Message):
    """Votes have been missing for too long."""

    item: int


@message
class Ready(Message):
    """The own vote is not held back any more."""

    item: int


class TwoPhaseCommit(Protocol):
    """One participant; the root is coordinator too.

    `voting` holds operation + 1 of an open operation, the same negative once it is decided.
    `work_ps` is the time to prepare. With `timeout_ps` the coordinator aborts when votes are
    missing for so long; without, it waits for ever.
    """

    name = "two-phase-commit"
    starts = "initiator"
    reports = "all"
    options = frozenset({"conflict_per_mille", "overlap"})
    promises = ("integrity", "atomicity", "isolation", "locks", "termination")
    phases = (
        Phase("prepared", PREPARED, "last"),
        Phase("decided", DECIDED, "first"),
        Phase("completed", DECIDED, "last"),
    )
    lock_field = "lock"

    work_ps: Parameter
    timeout_ps: Parameter
    hold_ps: Parameter
    lock: PerItem
    voting: PerOperation
    votes: PerOperation
    refusals: PerOperation

    @on(Start)
    def start(self, m: Start) -> None:
        """Bring the proposal to the coordinator."""
        if self.me == self.root:
            self.propose(m.op, m.item)
        else:
            self.send(self.root, Request(m.op, m.item))

    @on(Request)
    def request(self, m: Request) -> None:
        """Take a proposal."""
        self.propose(m.op, m.item)

    def propose(self, op: int, item: int) -> None:
        """Open the vote, and limit it where a limit is set."""
        self.make_ready(op, item)
        if self.timeout_ps > 0:
            self.timer(self.timeout_ps, Expire(op, item))

    @on(Prepare)
    def prepare(self, m: Prepare) -> None:
        """Hear of a proposal."""
        self.make_ready(m.op, m.item)

    def make_ready(self, op: int, item: int) -> None:
        """Vote, forward, make ready, and answer once the own vote is not held back any more.

        The vote is recorded before the forwarding: a crash in between must not lose it.
        """
        self.open(op)
        self.refusals[self.slot(op)] += self.cast(op, item)
        if self.hold_ps >= 0:
            self.timer(self.hold_ps, Ready(op, item))
        self.multicast(Prepare(op, item))
        self.work(self.work_ps)
        self.record(op, PREPARED)
        if self.hold_ps < 0:
            self.tally(op, item)

    def open(self, op: int) -> None:
        """Begin to count votes, unless the first of them came before."""
        slot = self.slot(op)
        if self.voting[slot] != op + 1:
            self.voting[slot] = op + 1
            self.votes[slot] = 0
            self.refusals[slot] = 0

    def cast(self, op: int, item: int) -> int:
        """Lock the item if it is free; return the number of refusals, 0 or 1."""
        if self.lock[item] == 0:
            self.lock[item] = op + 1
            self.record(op, VOTED, YES)
            return 0
        self.record(op, VOTED, NO)
        return 1

    @on(Vote)
    def vote(self, m: Vote) -> None:
        """Count the vote of a subtree, unless the operation was given up meanwhile."""
        slot = self.slot(m.op)
        if self.voting[slot] != -m.op - 1:
            self.open(m.op)
            self.refusals[slot] += m.refusals
            self.tally(m.op, m.item)

    @on(Ready)
    def ready(self, m: Ready) -> None:
        """Count the own vote, which was held back, unless the operation was given up meanwhile."""
        if self.voting[self.slot(m.op)] == m.op + 1:
            self.tally(m.op, m.item)

    def tally(self, op: int, item: int) -> None:
        """Count a vote; the own one and all of those below are passed up together."""
        slot = self.slot(op)
        self.votes[slot] += 1
        if self.votes[slot] == self.nchildren + 1:
            self.answer(op, item)

    def answer(self, op: int, item: int) -> None:
        """Pass the votes of this subtree up; at the root, decide."""
        refusals = self.refusals[self.slot(op)]
        if self.me != self.root:
            self.send(self.parent, Vote(op, item, refusals))
        elif refusals == 0:
            self.learn(op, item, COMMIT)
        else:
            self.learn(op, item, ABORT)

    @on(Expire)
    def expire(self, m: Expire) -> None:
        """Abort when votes are still missing: a participant is suspected to be down."""
        if self.voting[self.slot(m.op)] == m.op + 1:
            self.record(m.op, SUSPECTED)
            self.learn(m.op, m.item, ABORT)

    @on(Decide)
    def decide(self, m: Decide) -> None:
        """Take over the outcome."""
        self.learn(m.op, m.item, m.outcome)

    def learn(self, op: int, item: int, outcome: int) -> None:
        """Let go of the item and pass the outcome down."""
        self.voting[self.slot(op)] = -op - 1
        self.record(op, DECIDED, outcome)
        self.done(op, outcome)
        self.release(op, item)
        self.multicast(Decide(op, item, outcome))

    def release(self, op: int, item: int) -> None:
        """Free the item if this operation holds it."""
        if self.lock[item] == op + 1:
            self.lock[item] = 0

"""Two-phase commit over the tree, with proposals that may conflict.

An initiator asks the coordinator (the root). Prepare runs down the tree; a participant locks the
item and votes yes, or votes no when another operation holds it. Votes run up, subtree by subtree;
the outcome runs down. An operation has ended when the last participant has learned its outcome
(request + broadcast + reduction + broadcast; J. Gray, "Notes on data base operating systems",
1978). Nobody is blocked by a conflict: the later proposal aborts.

A participant holds its own vote back for `hold_ps` from the moment it was asked: until the last one
is ready, so that the phases follow on each other, or not at all, so that they overlap. Votes may
run up another tree than prepare runs down, and so overtake it.

Beside this plain case, what a multikernel does about capabilities and mappings (A. Baumann et al.,
"The Multikernel", SOSP 2009, sections 4.7 and 5.1). With `tentative` the initiator makes its change
locally before it asks: it locks the item at home, and refuses its own proposal at once when another
core has preempted it. With `retries` an initiator that is preempted at home, and a coordinator that
is bound to another operation, try so often again before they refuse. With `holders` only so many
per mille of the members hold an item, drawn for each item: the others pass on what they hear and
abstain. With `batch` proposals that come while a round is under way wait for the next one, which
carries so many, at most three: as many as one line has room for.
"""

from simulator.history import (
    ABORT,
    ABSTAINED,
    COMMIT,
    DECIDED,
    NO,
    PREPARED,
    SUSPECTED,
    VOTED,
    YES,
)
from simulator.protocols.protocol import (
    Message,
    Parameter,
    PerItem,
    PerOperation,
    Phase,
    Start,
    message,
    on,
)
from simulator.protocols.two_phase_rounds import Expire, Ready, TwoPhaseRounds


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
class Refuse(Message):
    """An initiator was preempted at home: its proposal must be aborted."""

    item: int


@message
class Again(Message):
    """An initiator tries to make its tentative change once more."""

    item: int


@message
class Later(Message):
    """The coordinator, bound to another operation itself, looks again whether it still is."""

    item: int


class TwoPhaseCommit(TwoPhaseRounds):
    """One participant; the root is coordinator too.

    `voting` holds operation + 1 of an open operation, the same negative once it is decided.
    `work_ps` is the time to prepare. With `timeout_ps` the coordinator aborts when votes are
    missing for so long; without, it waits for ever.

    `tries` is how often an initiator or the coordinator has tried again.
    """

    name = "two-phase-commit"
    starts = "initiator"
    reports = "all"
    options = frozenset({"conflict_per_mille", "overlap", "items"})
    promises = ("integrity", "atomicity", "isolation", "locks", "termination")
    phases = (
        Phase("prepared", PREPARED, "last"),
        Phase("decided", DECIDED, "first"),
        Phase("completed", DECIDED, "last"),
    )
    lock_field = "lock"

    tentative: Parameter
    retries: Parameter
    holders: Parameter
    lock: PerItem
    tries: PerOperation

    @on(Start)
    def start(self, m: Start) -> None:
        """Bring the proposal to the coordinator, maybe after a tentative change."""
        self.tries[self.slot(m.op)] = 0
        if self.tentative > 0:
            self.attempt(m.op, m.item)
        else:
            self.bring(m.op, m.item)

    def bring(self, op: int, item: int) -> None:
        """Bring the proposal to the coordinator."""
        if self.me == self.root:
            self.propose(op, item)
        else:
            self.send(self.root, Request(op, item))

    def attempt(self, op: int, item: int) -> None:
        """Change locally and ask; where another is bound here, try again later, or give up."""
        slot = self.slot(op)
        if self.lock[item] == 0:
            self.lock[item] = op + 1
            self.subject[slot] = item
            self.record(op, VOTED, YES)
            self.bring(op, item)
        elif self.tries[slot] < self.retries:
            self.tries[slot] += 1
            self.timer(self.round_ps // 2 + self.random(self.round_ps + 1), Again(op, item))
        else:
            self.record(op, VOTED, NO)
            self.give_up(op, item)

    def give_up(self, op: int, item: int) -> None:
        """Have the own proposal aborted without asking anybody else."""
        if self.me == self.root:
            self.learn(op, item, ABORT)
        else:
            self.send(self.root, Refuse(op, item))

    @on(Again)
    def again(self, m: Again) -> None:
        """Try once more."""
        self.attempt(m.op, m.item)

    @on(Refuse)
    def refuse_at_once(self, m: Refuse) -> None:
        """Abort what its own initiator has refused."""
        self.learn(m.op, m.item, ABORT)

    @on(Request)
    def request(self, m: Request) -> None:
        """Take a proposal."""
        self.tries[self.slot(m.op)] = 0
        self.propose(m.op, m.item)

    @on(Later)
    def later(self, m: Later) -> None:
        """Look again whether the vote may be opened."""
        self.propose(m.op, m.item)

    def propose(self, op: int, item: int) -> None:
        """Open the vote, now or in the next round; first wait where it would be refused here."""
        slot = self.slot(op)
        holder = self.lock[item]
        if holder != 0 and holder != op + 1 and self.tries[slot] < self.retries:
            self.tries[slot] += 1
            self.timer(self.round_ps // 2 + self.random(self.round_ps + 1), Later(op, item))
        elif self.batch > 1:
            self.subject[self.slot(op)] = item
            self.join_round(op)
        else:
            self.ask(op, item)

    def ask(self, op: int, item: int) -> None:
        """Open the vote on one proposal, and limit it where a limit is set."""
        self.make_ready(op, item)
        if self.timeout_ps > 0:
            self.timer(self.timeout_ps, Expire(op, item))

    @on(Prepare)
    def prepare(self, m: Prepare) -> None:
        """Hear of a proposal, unless its outcome has overtaken it."""
        if self.voting[self.slot(m.op)] != -m.op - 1:
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
        if self.holds(item) > 0:
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
            self.second[slot] = 0
            self.third[slot] = 0

    def holds(self, item: int) -> int:
        """Tell whether this member holds an item: 1 or 0, drawn for each pair of them."""
        if self.holders == 0:
            return 1
        mixed = (item * 7919 + self.me + 1) * 1103515245 % 2147483648
        mixed = ((mixed ^ (mixed >> 15)) * 69069 + 1) % 2147483648
        return 1 if (mixed >> 7) % 1000 < self.holders else 0

    def cast(self, op: int, item: int) -> int:
        """Lock the item if it is free; return the number of refusals, 0 or 1.

        Who does not hold it abstains, unless it is bound to another operation by a tentative
        change: of two such initiators at most one may commit, though nobody else holds the item.
        """
        if self.lock[item] == op + 1:
            return 0
        if self.lock[item] != 0:
            self.record(op, VOTED, NO)
            return 1
        if self.holds(item) == 0:
            self.record(op, VOTED, ABSTAINED)
        else:
            self.lock[item] = op + 1
            self.record(op, VOTED, YES)
        return 0

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
            if self.second[slot] > 0:
                self.answer_all(op)
            else:
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
        slot = self.slot(m.op)
        if self.voting[slot] == m.op + 1:
            self.record(m.op, SUSPECTED)
            if self.second[slot] > 0:
                self.suspect_all(m.op)
            else:
                self.learn(m.op, m.item, ABORT)

    @on(Decide)
    def decide(self, m: Decide) -> None:
        """Take over the outcome."""
        self.learn(m.op, m.item, m.outcome)

    def learn(self, op: int, item: int, outcome: int) -> None:
        """Let go of the item and pass the outcome down."""
        self.settle(op, item, outcome)
        self.multicast(Decide(op, item, outcome))
        self.end_round(op)

    def settle(self, op: int, item: int, outcome: int) -> None:
        """Take over an outcome and let go of the item."""
        self.voting[self.slot(op)] = -op - 1
        self.record(op, DECIDED, outcome)
        self.done(op, outcome)
        self.release(op, item)

    def release(self, op: int, item: int) -> None:
        """Free the item if this operation holds it."""
        if self.lock[item] == op + 1:
            self.lock[item] = 0

"""View changes of PBFT: another primary takes over, with all that may have been executed.

A replica that waits too long for a request to be executed asks for the next view and tells what it
has prepared. Who hears of f + 1 such replicas joins them. The primary of the new view waits for a
quorum, takes over the log of the replica that has prepared most in the latest view, and proposes it
anew; a replica votes in the new view when it has all of that log.

Claims are believed: proofs made of signed messages are left out, so view changes withstand crash
and omission, and primaries that lie in the normal case, but no replica that lies in a view change.
"""

from simulator.history import LED
from simulator.protocols.protocol import Message, Parameter, PerEntry, PerNode, message, on
from simulator.protocols.register_log import Fetch, RegisterLog

PATIENCE = 3
MOST_DOUBLINGS = 6
NORMAL, CHANGING, FILLING = 0, 1, 2
HALF = 1 << 31
FACTOR, STEP = 1_000_003, 7919


@message
class ViewChange(Message):
    """Asks for view `op`; in view `prepared_view` all up to a position was prepared last."""

    prepared_view: int
    prepared: int


@message
class GetLog(Message):
    """The primary of view `op` asks for the log behind a position."""

    position: int


@message
class Give(Message):
    """An entry of that log."""

    view: int
    position: int
    content: int


@message
class Given(Message):
    """The log for view `op` ends at a position."""

    position: int


@message
class NewView(Message):
    """View `op` begins behind a position with this digest; its log so far ends at `goal`."""

    position: int
    goal: int
    digest: int


@message
class PrePrepare(Message):
    """The primary's proposal for a position."""

    view: int
    position: int
    content: int


class PbftViews(RegisterLog):
    """What a replica keeps of views.

    The log reaches to `last`; in `prepared_view` all up to `prepared` was prepared last. `digests`
    are those of the log up to a position, as the present view counts them. While a new view is
    `stage` FILLING, its log is here up to `filled` of `goal`. `wants` is the latest view that each
    replica has asked for, `claim_view` and `claim_at` what it had prepared then. `lender` is the
    replica + 1 that the primary takes the log of; `started` the last view + 1 that it has begun;
    `tries` counts views without an execution, each of which is waited for longer.
    `prepare_at` and `commit_at` are the last votes of each replica, with their digests.
    """

    authenticate_ps: Parameter
    view: int
    stage: int
    last: int
    prepared: int
    prepared_view: int
    filled: int
    goal: int
    started: int
    lender: int
    age: int
    tries: int
    digests: PerEntry
    wants: PerNode
    claim_view: PerNode
    claim_at: PerNode
    prepare_at: PerNode
    prepare_digest: PerNode
    commit_at: PerNode
    commit_digest: PerNode

    # of the class that inherits

    def vote(self) -> None:
        """Say what is accepted in the present view."""

    # numbers

    def faulty(self) -> int:
        """Return f, the number of replicas that may lie."""
        return (self.count - 1) // 3

    def quorum(self) -> int:
        """Return how many it takes so that any two quorums share f + 1 replicas."""
        return (self.count + self.faulty()) // 2 + 1

    def primary(self, view: int) -> int:
        """Return the primary of a view."""
        return (self.root + view) % self.count

    def reach(self) -> int:
        """Return the last position that has an entry."""
        return self.last if self.last > self.learned else self.learned

    def skipped(self) -> None:
        """Count what was learned as accepted; who took a snapshot over has to be let in again."""
        if self.away == 1 and self.floor == self.learned:
            self.stage = CHANGING
        if self.last < self.learned:
            self.chain(self.learned)
            self.last = self.learned
        if self.prepared < self.learned:
            self.prepared = self.learned

    def take_next(self) -> None:
        """Execute the next entry as others did; who had accepted another one is let in again."""
        at = (self.learned + 1) % self.entries
        if self.learned < self.last and self.ops[at] != self.early_op[at]:
            self.last = self.learned
            self.stage = CHANGING
        self.store(self.learned + 1, self.early_op[at], self.early_content[at])
        self.apply_next()
        self.skipped()

    def chain(self, position: int) -> None:
        """Set the digest of the log up to a position from that before it."""
        before = self.digests[(position - 1) % self.entries]
        at = position % self.entries
        mixed = (before % HALF) * FACTOR + self.contents[at] * STEP
        self.digests[at] = mixed + self.ops[at] + 1

    # asking for a view

    def patience(self) -> int:
        """Return the ticks after which a view is given up: twice as many in each that did nothing.

        However slow replicas and messages are, some view is long enough in the end.
        """
        return PATIENCE << self.tries - 1 if self.tries > 0 else PATIENCE

    def change_to(self, view: int) -> None:
        """Leave the present view and ask for another one."""
        self.view = view
        self.stage = CHANGING
        self.age = 0
        self.lender = 0
        if self.tries <= MOST_DOUBLINGS:
            self.tries += 1
        for member in range(self.count):
            self.prepare_at[member] = 0
            self.commit_at[member] = 0
        self.wants[self.me] = view
        self.claim_view[self.me] = self.prepared_view
        self.claim_at[self.me] = self.prepared
        self.ask_for_view()
        self.collect()

    def ask_for_view(self) -> None:
        """Tell all others."""
        for member in range(self.count):
            if member != self.me:
                self.work(self.authenticate_ps)
                self.send(member, ViewChange(self.view, self.prepared_view, self.prepared))

    @on(ViewChange)
    def view_change(self, m: ViewChange) -> None:
        """Join f + 1 that ask for later views; as the new primary, count; let late ones in."""
        self.work(self.authenticate_ps)
        if m.op >= self.wants[m.source]:
            self.wants[m.source] = m.op
            self.claim_view[m.source] = m.prepared_view
            self.claim_at[m.source] = m.prepared
        if m.op == self.view and self.stage == NORMAL:
            if self.primary(self.view) == self.me:
                self.let_in(m.source)
        elif m.op > self.view:
            asking = 0
            least = m.op
            for member in range(self.count):
                if self.wants[member] > self.view:
                    asking += 1
                    least = self.wants[member] if self.wants[member] < least else least
            if asking > self.faulty():
                self.change_to(least)
        else:
            self.collect()

    def collect(self) -> None:
        """With a quorum, take over the log of who has prepared most in the latest view."""
        if self.primary(self.view) != self.me or self.stage != CHANGING:
            return
        if self.lender > 0 or self.started > self.view:
            return
        asking = 0
        best = self.me
        for member in range(self.count):
            if self.wants[member] == self.view:
                asking += 1
                if self.claims_more(member, best) == 1:
                    best = member
        if asking >= self.quorum():
            self.lender = best + 1
            self.filled = self.learned
            if best == self.me:
                self.filled = self.last
                self.start_view()
            else:
                self.work(self.authenticate_ps)
                self.send(best, GetLog(self.view, self.lacking()))

    def claims_more(self, one: int, other: int) -> int:
        """Return 1 if one replica has prepared more than another."""
        if self.claim_view[one] != self.claim_view[other]:
            return 1 if self.claim_view[one] > self.claim_view[other] else 0
        return 1 if self.claim_at[one] > self.claim_at[other] else 0

    @on(GetLog)
    def get_log(self, m: GetLog) -> None:
        """Send all that is decided and all that was accepted behind a position."""
        self.work(self.authenticate_ps)
        if m.op != self.view or self.stage != CHANGING or self.dirty > 0:
            return
        self.serve(m.source, m.position)
        for position in range(self.learned + 1, self.last + 1):
            at = position % self.entries
            self.send(m.source, Give(self.ops[at], self.view, position, self.contents[at]))
        self.send(m.source, Given(self.view, self.last))

    @on(Give)
    def give(self, m: Give) -> None:
        """Take an entry of the log of the new view."""
        if m.view == self.view and self.stage == CHANGING and m.source + 1 == self.lender:
            self.fill(m.op, m.position, m.content)

    def fill(self, op: int, position: int, content: int) -> None:
        """Write an entry; what was prepared there before counts on only where it is the same."""
        if self.filled < self.learned:
            self.filled = self.learned
        if position != self.filled + 1 or self.dirty > 0:
            return
        at = position % self.entries
        if position <= self.prepared and self.ops[at] != op:
            self.prepared = position - 1
        self.store(position, op, content)
        self.filled = position

    @on(Given)
    def given(self, m: Given) -> None:
        """Begin the view with a log that is whole; else ask for it again later."""
        if m.op != self.view or self.stage != CHANGING or m.source + 1 != self.lender:
            return
        if self.filled < self.learned:
            self.filled = self.learned
        if self.filled >= m.position and self.dirty == 0:
            self.start_view()

    # a new view

    def start_view(self) -> None:
        """As the primary, propose the log anew."""
        self.stage = NORMAL
        self.started = self.view + 1
        self.digests[self.learned % self.entries] = 0
        for position in range(self.learned + 1, self.filled + 1):
            self.chain(position)
        self.settle()
        self.record(self.view, LED)
        for member in range(self.count):
            if member != self.me:
                self.let_in(member)
        self.vote()

    def settle(self) -> None:
        """Let the log end where that of the view does."""
        self.last = self.filled
        if self.prepared > self.last:
            self.prepared = self.last
        self.age = 0
        self.lender = 0

    def let_in(self, member: int) -> None:
        """Send a replica all that it needs to vote."""
        self.work(self.authenticate_ps)
        digest = self.digests[self.learned % self.entries]
        self.send(member, NewView(self.view, self.learned, self.last, digest))
        self.propose_again(member)

    def propose_again(self, member: int) -> None:
        """Send a replica the proposals that were not executed yet."""
        for position in range(self.learned + 1, self.last + 1):
            at = position % self.entries
            self.send(member, PrePrepare(self.ops[at], self.view, position, self.contents[at]))

    @on(NewView)
    def new_view(self, m: NewView) -> None:
        """Take part in a view as soon as all of its log is here."""
        self.work(self.authenticate_ps)
        if m.op < self.view or (m.op == self.view and self.stage == NORMAL):
            return
        if m.source != self.primary(m.op):
            return
        if m.op > self.view:
            self.change_to(m.op)
        if self.learned < m.position or self.dirty > 0:
            self.send(m.source, Fetch(self.lacking()))
            return
        self.stage = FILLING
        self.filled = m.position
        self.goal = m.goal
        self.digests[m.position % self.entries] = m.digest
        self.take_part()

    @on(Fetch)
    def fetched(self, m: Fetch) -> None:
        """Send what another one lacks; as the primary, what is proposed too."""
        self.serve(m.source, m.op)
        if self.stage == NORMAL and self.primary(self.view) == self.me:
            self.propose_again(m.source)

    def take_part(self) -> None:
        """Vote where the log of the new view is complete."""
        if self.stage == FILLING and self.filled >= self.goal:
            self.stage = NORMAL
            self.settle()
            self.vote()

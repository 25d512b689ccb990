"""Multi-Paxos: one ballot for the whole log, and whatever may be chosen is proposed again in it.

L. Lamport, "Paxos made simple", ACM SIGACT News 2001; R. van Renesse, D. Altinbuken, "Paxos made
moderately complex", ACM Computing Surveys 2015. A member that wants to lead takes a ballot of its
own, larger than all it knows, and asks all to promise that they accept nothing in a smaller one.
Each promise comes with what the member has accepted. With the promises of a majority the new leader
proposes again, in its own ballot and position by position, what was accepted in the largest one,
and nothing where nothing was. From then on it stays, and needs one round for each new entry. What a
majority has accepted in one ballot is chosen.

Any member may lead, however little it has: it learns the rest. One that lacks what is not in the
windows of the others any more fetches that first. The ballot stands in `term`: a number that grows
times the number of members, plus the place of its leader, counted from the root.
"""

from simulator.protocols.logged_registers import CANDIDATE, NOTHING
from simulator.protocols.protocol import Message, PerNode, message, on
from simulator.protocols.replicated_log import ReplicatedLog

PROMISED = 1 << 20
"""What a promise adds to the count of what a candidate waits for: more than a log has entries."""


@message
class Prepare(Message):
    """Asks for a promise for ballot `op`, and for all that was accepted behind a position."""

    applied: int


@message
class Accepted(Message):
    """Belongs to a promise for a ballot: what was accepted at a position, stamp is ballot + 1."""

    ballot: int
    position: int
    stamp: int
    content: int


@message
class Promise(Message):
    """A promise for ballot `op`, with so many of what was accepted and is kept behind `base`.

    Not `given`, it only tells the ballot of a member that is ahead.
    """

    given: int
    accepted: int
    base: int


class MultiPaxos(ReplicatedLog):
    """One member: acceptor, learner, and proposer once it leads.

    `outstanding` is, for a candidate, what it still waits for of each member that has promised,
    plus PROMISED, less what came before the promise; `votes` counts those it has everything of.
    """

    name = "multi-paxos"
    promises = (
        "integrity",
        "prefix",
        "leadership",
        "linearizability",
        "resumption",
        "durability",
        "termination",
        "liveness",
    )

    votes: int
    outstanding: PerNode

    # ---------------------------------------------------------------- phase 1: promises
    def adopt(self, term: int) -> None:
        """Go on to a larger ballot."""
        self.follow(term)
        self.votes = 0
        for peer in range(self.count):
            self.outstanding[peer] = 0

    def stand(self) -> None:
        """Take a ballot and ask all for their promises."""
        self.adopt(self.next_ballot())
        self.role = CANDIDATE
        self.votes = 1
        for peer in range(self.count):
            if peer != self.me:
                self.send(peer, Prepare(self.term, self.applied))
        if self.count == 1:
            self.lead()

    def next_ballot(self) -> int:
        """Return the smallest ballot of this member that is larger than all it knows."""
        number = self.term // self.count + 1
        return number * self.count + (self.me + self.count - self.root) % self.count

    @on(Prepare)
    def prepare(self, m: Prepare) -> None:
        """Promise a ballot that is larger than all before, and say what was accepted."""
        if m.op <= self.term:
            self.send(m.source, Promise(self.term, 0, 0, 0))
            return
        self.adopt(m.op)
        self.heard_ps = self.now
        first = m.applied if m.applied > self.base else self.base
        accepted = 0
        for position in range(first + 1, self.last + 1):
            if self.stamps[position % self.entries] > 0:
                accepted += 1
                self.tell_accepted(m.source, position)
        self.send(m.source, Promise(self.term, 1, accepted, self.base))

    def tell_accepted(self, peer: int, position: int) -> None:
        """Tell a candidate what was accepted at a position."""
        at = position % self.entries
        op = self.ops[at]
        stamp = self.stamps[at]
        self.send(peer, Accepted(op, self.term, position, stamp, self.contents[at]))

    @on(Accepted)
    def accepted(self, m: Accepted) -> None:
        """Take over what another one has accepted, unless the own is of a larger ballot."""
        if m.ballot == self.term and self.role == CANDIDATE:
            self.adopt_entry(m.op, m.position, m.stamp, m.content)
            self.outstanding[m.source] -= 1
            self.count_promise(m.source)

    def adopt_entry(self, op: int, position: int, stamp: int, content: int) -> None:
        """Keep the entry of the largest ballot at a position."""
        known = self.stamps[position % self.entries] if position <= self.last else 0
        if self.fits(position) == 1 and known < stamp:
            self.write(op, position, stamp, content)

    def fits(self, position: int) -> int:
        """Return 1 where an entry is not applied yet and drops none that is not."""
        behind = self.applied + self.entries
        return 1 if position > self.applied and position <= behind else 0

    @on(Promise)
    def promised(self, m: Promise) -> None:
        """Count a promise; who lacks what others do not keep any more cannot lead yet."""
        if m.op > self.term:
            self.adopt(m.op)
        elif m.given == 1 and m.op == self.term and self.role == CANDIDATE:
            if m.base > self.applied:
                self.adopt(self.term)
                self.fetch()
            else:
                self.outstanding[m.source] += m.accepted + PROMISED
                self.count_promise(m.source)

    def count_promise(self, peer: int) -> None:
        """Lead with the promises of a majority and all that belongs to them."""
        if self.outstanding[peer] == PROMISED:
            self.votes += 1
            if self.votes > self.count // 2:
                self.lead()

    # ---------------------------------------------------------------- phase 2: proposals
    def lead(self) -> None:
        """Propose again what may be chosen, in the own ballot; close gaps with nothing."""
        self.votes = 0
        for peer in range(self.count):
            self.outstanding[peer] = 0
        for position in range(self.applied + 1, self.last + 1):
            at = position % self.entries
            if self.stamps[at] == 0:
                self.write(NOTHING, position, self.term + 1, 0)
            self.stamps[at] = self.term + 1
        self.take_over()
        self.sent = self.applied
        self.beat_all()
        if self.away == 1:
            if self.room(0) == 1:
                self.add(NOTHING, 0)
            self.mark = self.last
        while self.sent < self.last:
            self.push()

    def take(self, op: int, position: int, stamp: int, content: int) -> None:
        """Accept an entry in the ballot of the leader, and see how far the log agrees with it."""
        if self.fits(position) == 1:
            self.write(op, position, self.term + 1, content)
        self.see_match()

    def see_match(self) -> None:
        """Count on from position to position while each was accepted in this ballot."""
        while self.match < self.last and self.accepted_now(self.match + 1) == 1:
            self.match += 1

    def accepted_now(self, position: int) -> int:
        """Return 1 where a position was accepted in this ballot."""
        return 1 if self.stamps[position % self.entries] == self.term + 1 else 0

    def cut(self, position: int, stamp: int) -> None:
        """Keep what was accepted behind the position of a snapshot."""
        if self.last < position:
            self.last = position
            self.stamps[position % self.entries] = stamp
        if self.match < position:
            self.match = position
        self.see_match()

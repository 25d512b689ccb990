"""The utility of 1Paxos: who is the leader and who the active acceptor, decided by Paxos.

A term is a pair of leader and acceptor. The next one is decided by all members, a majority of which
has to accept it (L. Lamport, "The part-time parliament", TOCS 1998): either the leader goes on with
another acceptor, or another member leads, with the same acceptor. Since one of the two stays, what
they have agreed on is never lost.
"""

from simulator.protocols.protocol import Message, message, on
from simulator.protocols.register_log import RegisterLog

IDLE, INTERROGATING, PROPOSING = 0, 1, 2


@message
class Interrogate(Message):
    """Asks for what was accepted about the term behind `op`, and to refuse lower ballots."""

    ballot: int


@message
class Answer(Message):
    """The pair accepted last, in ballot `accepted` - 1; none where that is 0."""

    ballot: int
    accepted: int
    pair: int


@message
class Accept(Message):
    """Asks to accept the pair of the term behind `op`."""

    ballot: int
    pair: int


@message
class Accepted(Message):
    """It is accepted."""

    ballot: int


@message
class Decided(Message):
    """The pair of term `op`, and since which term its acceptor is the active one."""

    pair: int
    since: int


@message
class Inquire(Message):
    """Asks for a later term than `op`."""


class PaxosUtility(RegisterLog):
    """What a member keeps of terms.

    `pair` is leader * count + acceptor of `term` (in term 0: the root and the member behind it),
    `since` the term in which that acceptor became the active one. `promised`, `accepted` (ballot +
    1) and `proposal` are what the member has promised and accepted about the next term, `trying`
    the ballot + 1 that it runs, `stage` how far that is, `answers` those it got, `age` the ticks
    that it waits for more.
    """

    term: int
    pair: int
    since: int
    promised: int
    accepted: int
    proposal: int
    trying: int
    stage: int
    answers: int
    age: int

    # of the class that inherits

    def entered(self, led: int) -> None:
        """Take up the work of a new term; `led` is 1 for who led the one before it."""

    # terms

    def chief(self) -> int:
        """Return the leader."""
        return self.pair // self.count if self.term > 0 else self.root

    def acceptor(self) -> int:
        """Return the active acceptor."""
        return self.pair % self.count if self.term > 0 else (self.root + 1) % self.count

    def current(self, term: int, peer: int) -> int:
        """Return 1 if a peer is in the same term; else one of the two tells the other."""
        if term > self.term:
            self.send(peer, Inquire(self.term))
        elif term < self.term:
            self.send(peer, Decided(self.term, self.pair, self.since))
        return 1 if term == self.term else 0

    @on(Inquire)
    def inquired(self, m: Inquire) -> None:
        """Tell of a later term."""
        if m.op < self.term:
            self.send(m.source, Decided(self.term, self.pair, self.since))

    @on(Decided)
    def decided(self, m: Decided) -> None:
        """Go on to a later term."""
        if m.op > self.term:
            self.enter(m.op, m.pair, m.since)

    def enter(self, term: int, pair: int, since: int) -> None:
        """Begin a term, and forget what was about choosing it."""
        led = 1 if self.chief() == self.me and term == self.term + 1 else 0
        self.term = term
        self.pair = pair
        self.since = since
        self.promised = 0
        self.accepted = 0
        self.proposal = 0
        self.trying = 0
        self.stage = IDLE
        self.answers = 0
        self.age = 0
        self.entered(led)

    # agreement on the next term

    def begin(self, acceptor: int) -> None:
        """Propose another acceptor in the ballot that is the leader's own, once in a term.

        Who has promised a higher ballot may count its own proposal as accepted all the same: it is
        the only one that this ballot can have.
        """
        if self.accepted == 0:
            self.accepted = 1
            self.proposal = self.me * self.count + acceptor
        self.trying = 1
        if self.promised > 0 or self.accepted > 1:
            self.interrogate()
        else:
            self.put(0)

    def interrogate(self) -> None:
        """Ask all members, in a ballot above all that this one has seen."""
        self.promised = (self.promised // self.count + 1) * self.count + self.me
        self.trying = self.promised + 1
        self.stage = INTERROGATING
        self.answers = 1
        self.age = 0
        for member in range(self.count):
            if member != self.me:
                self.send(member, Interrogate(self.term, self.promised))

    @on(Interrogate)
    def interrogated(self, m: Interrogate) -> None:
        """Promise, and tell what was accepted."""
        if self.current(m.op, m.source) == 1 and m.ballot > self.promised:
            self.promised = m.ballot
            self.stage = IDLE
            self.send(m.source, Answer(m.op, m.ballot, self.accepted, self.proposal))

    @on(Answer)
    def answer_given(self, m: Answer) -> None:
        """Keep the pair of the highest ballot; with a majority, propose."""
        if self.current(m.op, m.source) == 0 or m.ballot + 1 != self.trying:
            return
        if self.stage == INTERROGATING:
            if m.accepted > self.accepted:
                self.accepted = m.accepted
                self.proposal = m.pair
            self.answers += 1
            if 2 * self.answers > self.count:
                if self.accepted == 0:
                    self.proposal = self.me * self.count + self.acceptor()
                self.put(m.ballot)

    def put(self, ballot: int) -> None:
        """Ask all members to accept."""
        self.accepted = ballot + 1
        self.stage = PROPOSING
        self.answers = 1
        self.age = 0
        for member in range(self.count):
            if member != self.me:
                self.send(member, Accept(self.term, ballot, self.proposal))

    @on(Accept)
    def accept(self, m: Accept) -> None:
        """Accept, unless a higher ballot was promised."""
        if self.current(m.op, m.source) == 1 and m.ballot >= self.promised:
            self.promised = m.ballot
            self.accepted = m.ballot + 1
            self.proposal = m.pair
            self.stage = IDLE
            self.send(m.source, Accepted(m.op, m.ballot))

    @on(Accepted)
    def agreed(self, m: Accepted) -> None:
        """With a majority, begin the term and tell all."""
        if self.current(m.op, m.source) == 0 or m.ballot + 1 != self.trying:
            return
        if self.stage == PROPOSING:
            self.answers += 1
            if 2 * self.answers > self.count:
                self.conclude()

    def conclude(self) -> None:
        """Begin the term that was decided, and tell all."""
        same = 1 if self.proposal % self.count == self.acceptor() else 0
        since = self.since if same == 1 else self.term + 1
        self.enter(self.term + 1, self.proposal, since)
        for member in range(self.count):
            if member != self.me:
                self.send(member, Decided(self.term, self.pair, self.since))

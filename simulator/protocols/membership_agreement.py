"""Agreement on the next view of a group: a majority of the old one accepts a change.

The leader of a view proposes a change in the ballot that is its own. Who takes over for it
interrogates the members of the view, and finishes what a majority may have accepted, else proposes
to remove the leader.
"""

from simulator.protocols.membership_views import NOBODY, Install, Views
from simulator.protocols.protocol import Message, message, on

IDLE, INTERROGATING, PROPOSING = 0, 1, 2


@message
class Interrogate(Message):
    """Asks for what was accepted in a view, and that no lower ballot be accepted any more."""

    view: int
    ballot: int


@message
class Answer(Message):
    """The change accepted last, in ballot `accepted` - 1; none where that is 0."""

    view: int
    ballot: int
    accepted: int
    who: int


@message
class Accept(Message):
    """Asks to accept the change that ends a view."""

    view: int
    ballot: int
    who: int


@message
class Accepted(Message):
    """It is accepted."""

    view: int
    ballot: int


@message
class Beat(Message):
    """The leader of a view is alive."""

    view: int


class Agreement(Views):
    """What a member keeps of the change that ends its view.

    `promised`, `accepted` (ballot + 1) and `who` and `asked` (operation, or -1) are what it has
    promised and accepted. `trying` is the ballot + 1 that it runs, `stage` how far that is,
    `answers` those it got, `age` the ticks that it waits for more.
    """

    promised: int
    accepted: int
    who: int
    asked: int
    trying: int
    stage: int
    answers: int
    age: int

    def enter(self) -> None:
        """Forget what was about the old view."""
        self.promised = 0
        self.accepted = 0
        self.who = 0
        self.asked = 0
        self.trying = 0
        self.stage = IDLE
        self.answers = 0
        self.age = 0

    def begin(self, op: int, who: int) -> None:
        """Propose a change in the ballot that is the leader's own, unless one is under way.

        Who has promised a higher ballot may count its own proposal as accepted all the same: it is
        the only one that this ballot can have.
        """
        if self.trying > 0 or (self.gone == self.count - 1 and self.since[who // self.count] >= 0):
            return
        if self.accepted == 0:
            self.accepted = 1
            self.who = who
            self.asked = op
        self.trying = 1
        if self.promised > 0 or self.accepted > 1:
            self.interrogate()
        else:
            self.put(0)

    def interrogate(self) -> None:
        """Ask all members of the view, in a ballot above all that this one has seen."""
        self.promised = (self.promised // self.count + 1) * self.count + self.me
        self.trying = self.promised + 1
        self.stage = INTERROGATING
        self.answers = 1
        self.age = 0
        for member in range(self.count):
            if member != self.me and self.since[member] >= 0:
                self.send(member, Interrogate(0, self.view, self.promised))
        self.count_answers()

    @on(Interrogate)
    def interrogated(self, m: Interrogate) -> None:
        """Promise, and tell what was accepted."""
        if self.current(m.view, m.source) == 1 and m.ballot > self.promised:
            self.promised = m.ballot
            self.stage = IDLE
            asked = self.asked if self.accepted > 0 else NOBODY
            self.send(m.source, Answer(asked, m.view, m.ballot, self.accepted, self.who))

    @on(Answer)
    def answer(self, m: Answer) -> None:
        """Keep the change of the highest ballot."""
        if self.current(m.view, m.source) == 0 or m.ballot + 1 != self.trying:
            return
        if self.stage == INTERROGATING:
            if m.accepted > self.accepted:
                self.accepted = m.accepted
                self.who = m.who
                self.asked = m.op
            self.answers += 1
            self.count_answers()

    def put(self, ballot: int) -> None:
        """Ask all members of the view to accept."""
        self.accepted = ballot + 1
        self.stage = PROPOSING
        self.answers = 1
        self.age = 0
        for member in range(self.count):
            if member != self.me and self.since[member] >= 0:
                self.send(member, Accept(self.asked, self.view, ballot, self.who))
        self.count_answers()

    @on(Accept)
    def accept(self, m: Accept) -> None:
        """Accept, unless a higher ballot was promised."""
        if self.current(m.view, m.source) == 1 and m.ballot >= self.promised:
            self.promised = m.ballot
            self.accepted = m.ballot + 1
            self.who = m.who
            self.asked = m.op
            self.stage = IDLE
            self.send(m.source, Accepted(0, m.view, m.ballot))

    @on(Accepted)
    def agreed(self, m: Accepted) -> None:
        """Count who has accepted."""
        if self.current(m.view, m.source) == 0 or m.ballot + 1 != self.trying:
            return
        if self.stage == PROPOSING:
            self.answers += 1
            self.count_answers()

    def count_answers(self) -> None:
        """Go on with a majority of the view: propose, or install."""
        if 2 * self.answers <= self.count - self.gone:
            return
        if self.stage == INTERROGATING:
            if self.accepted == 0:
                self.who = self.head() * self.count + self.me
                self.asked = NOBODY
            self.put(self.trying - 1)
        elif self.stage == PROPOSING:
            self.decide(self.asked, self.who)

    def decide(self, op: int, who: int) -> None:
        """Install the next view and tell the old members, the new one, and the client."""
        member = who // self.count
        client = who % self.count
        self.install(op, who)
        self.resume()
        for other in range(self.count):
            told = 1 if self.since[other] >= 0 or other == member else 0
            if other != self.me and (told == 1 or other == client):
                self.send(other, Install(op, self.view, who))
        if self.since[member] >= 0:
            self.send(member, Beat(0, self.view))
        self.ask_oldest(0)

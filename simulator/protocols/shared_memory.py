"""Shared memory as a protocol: cache lines, and PUs that take them from each other.

A cache line is a FIFO resource. An access keeps it busy for as long as the line takes to come: a
load that misses for the transfer from the last owner, whatever changes a word for the transfer from
the farthest of those that have a copy, for all copies but the new owner's become invalid
(M. Papamarcos, J. Patel, "A low-overhead coherence solution for multiprocessors with private cache
memories", ISCA 1984). A line that one has costs a hit. Who waits for a word to change spins on its
own copy, which costs nobody anything; every change of the line takes the copy away, and who spins
reads the line again.
"""

from simulator.history import ORDERED
from simulator.protocols.one_at_a_time import OneAtATime
from simulator.protocols.protocol import (
    Message,
    PerItem,
    PerNode,
    message,
    on,
)

LOAD, UNTIL_ZERO, WHILE_ZERO, SWAP, COMPARE, ADD = range(6)
"""Kinds of access: two spin; the last three change a word, `COMPARE` one that is as expected."""

FLAG, LINK = -1, -2
"""Two words that every line has; from 0 on stand the registers of the items."""


@message
class Access(Message):
    """Reaches for a word of a line; `lines` lines that lie and travel together cost so often."""

    kind: int
    word: int
    value: int
    expected: int
    lines: int


@message
class Answer(Message):
    """The line has come; `value` is what the word held before."""

    value: int


class CacheLines(OneAtATime):
    """A PU, or a line, where nobody spins.

    A line keeps `owner`, who changed it last, `has` for each member with a valid copy, `copies` of
    them, and its words. At first it lies at its home. `position` counts the accesses to registers.
    """

    owner: int
    copies: int
    has: PerNode
    flag: int
    link: int
    register: PerItem
    position: int

    def proceed(self, op: int, value: int) -> None:
        """Go on, the line has come."""

    def home(self) -> int:
        """Return the member that this line belongs to before anybody has accessed it."""
        return self.root

    @on(Answer)
    def answer(self, m: Answer) -> None:
        """Go on with the operation whose access this was."""
        if self.running == m.op + 1:
            self.proceed(m.op, m.value)

    @on(Access)
    def access(self, m: Access) -> None:
        """Bring the line to who asks, carry the access out and answer, unless it has to spin."""
        self.take_home()
        held = self.held(m.word)
        if m.kind < SWAP:
            self.work(m.lines * self.load_ps(m.source))
            self.share(m.source)
        else:
            self.work(m.lines * self.store_ps(m.source))
            self.seize(m.source)
            self.change(m, held)
        if self.spins_on(m, held) == 0:
            if m.word >= 0:
                self.order(m.op)
            self.send(m.source, Answer(m.op, held))
        if m.kind >= SWAP:
            self.invalidate(m.source)

    def spins_on(self, m: Access, held: int) -> int:
        """Return 1 where who asks waits for another value, which nobody does here."""
        return 0

    def invalidate(self, asker: int) -> None:
        """Tell those who spin that their copies are void."""

    def order(self, op: int) -> None:
        """Fix the place of an operation among all that access registers of this line."""
        self.position += 1
        self.record(op, ORDERED, self.position)

    def take_home(self) -> None:
        """Let the line lie at its home where nobody has accessed it."""
        if self.copies == 0:
            self.owner = self.home()
            self.has[self.owner] = 1
            self.copies = 1

    def load_ps(self, asker: int) -> int:
        """Return how long the line takes to come to be read."""
        return self.transfer_ps(asker if self.has[asker] else self.owner, asker)

    def store_ps(self, asker: int) -> int:
        """Return how long it takes until nobody else has a copy."""
        longest = self.transfer_ps(asker, asker)
        others = self.copies - self.has[asker]
        member = 0
        while others > 0:
            if member != asker and self.has[member] > 0:
                others -= 1
                took = self.transfer_ps(member, asker)
                if took > longest:
                    longest = took
            member += 1
        return longest

    def share(self, asker: int) -> None:
        """Let one member more have a copy."""
        self.copies += 1 - self.has[asker]
        self.has[asker] = 1

    def seize(self, asker: int) -> None:
        """Make one member the owner and take all other copies away."""
        member = 0
        while self.copies > 0:
            self.copies -= self.has[member]
            self.has[member] = 0
            member += 1
        self.owner = asker
        self.has[asker] = 1
        self.copies = 1

    def held(self, word: int) -> int:
        """Return what a word holds."""
        if word == FLAG:
            return self.flag
        if word == LINK:
            return self.link
        return self.register[word]

    def change(self, m: Access, held: int) -> None:
        """Change a word, where the access says so."""
        value = m.value
        if m.kind == ADD:
            value = held + m.value
        if m.kind == COMPARE and held != m.expected:
            value = held
        if m.word == FLAG:
            self.flag = value
        elif m.word == LINK:
            self.link = value
        else:
            self.register[m.word] = value


@message
class Invalidate(Message):
    """The copy that one spins on is gone."""


class SharedMemory(CacheLines):
    """A PU, or a line, where PUs spin on lines.

    A line keeps in `spins` the operation + 1 of each member that waits for a change, `spinners` of
    them.
    """

    spinners: int
    spins: PerNode

    def spin(self, op: int) -> None:
        """Read the line again that one spins on."""

    @on(Invalidate)
    def invalidated(self, m: Invalidate) -> None:
        """Read again."""
        if self.running == m.op + 1:
            self.spin(m.op)

    def spins_on(self, m: Access, held: int) -> int:
        """Return 1, and let who asks spin, where the word is what it waits to be otherwise."""
        if (m.kind == UNTIL_ZERO and held != 0) or (m.kind == WHILE_ZERO and held == 0):
            self.let_spin(m.op, m.source)
            return 1
        return 0

    def let_spin(self, op: int, member: int) -> None:
        """Remember who has to hear of a change."""
        self.spins[member] = op + 1
        self.spinners += 1

    def invalidate(self, asker: int) -> None:
        """Tell those who spin, the next member first: the interconnect serves in turn."""
        member = asker
        while self.spinners > 0:
            member = (member + 1) % self.count
            op = self.spins[member]
            if op > 0:
                self.spins[member] = 0
                self.spinners -= 1
                self.send(member, Invalidate(op - 1))

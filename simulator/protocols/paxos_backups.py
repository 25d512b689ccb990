"""The backups of 1Paxos: how a leader hands what it has proposed to another acceptor.

What the old acceptor has accepted is decided, and nobody but the leader may know of it. So a backup
first gets all that the leader has proposed and not learned, and says so; then the members decide
that it is the acceptor; from then on all that it was handed counts as accepted.
"""

from simulator.protocols.paxos_utility import PaxosUtility
from simulator.protocols.protocol import Message, message, on
from simulator.protocols.register_log import Fetch


@message
class Invite(Message):
    """Asks a member to be the acceptor behind term `op`; the leader has learned so far."""

    position: int


@message
class Hand(Message):
    """An operation that the leader has proposed and not learned."""

    term: int
    position: int
    content: int


@message
class Seal(Message):
    """All is handed over, up to a position."""

    position: int


@message
class Handed(Message):
    """A backup has all that the leader of term `op` has proposed up to a position."""

    position: int


class PaxosBackups(PaxosUtility):
    """What a leader and a backup keep of a handover.

    `top` is the last position that the leader has proposed, or that a backup was handed for term
    `handed`. `backup` is the member + 1 that the leader hands over to; it takes no operations
    meanwhile.
    """

    top: int
    handed: int
    backup: int

    def hand_over(self) -> None:
        """Hand all that was proposed and not learned to the next member that is neither."""
        backup = (self.backup if self.backup > 0 else self.acceptor() + 1) % self.count
        while backup == self.me or backup == self.acceptor():
            backup = (backup + 1) % self.count
        self.backup = backup + 1
        self.age = 0
        self.send(backup, Invite(self.term, self.learned))
        for position in range(self.learned + 1, self.top + 1):
            at = position % self.entries
            self.send(backup, Hand(self.ops[at], self.term, position, self.contents[at]))
        self.send(backup, Seal(self.term, self.top))

    @on(Fetch)
    def fetched(self, m: Fetch) -> None:
        """Send what another one lacks."""
        self.serve(m.source, m.op)

    @on(Invite)
    def invited(self, m: Invite) -> None:
        """Be a backup, if all that the leader has learned is here."""
        if self.current(m.op, m.source) == 0:
            return
        self.handed = 0
        if self.learned >= m.position and self.dirty == 0:
            self.handed = m.op + 1
            self.top = self.learned
        else:
            self.send(m.source, Fetch(self.lacking()))

    @on(Hand)
    def hand(self, m: Hand) -> None:
        """Keep what the leader has proposed."""
        if self.handed == m.term + 1 and m.position == self.top + 1:
            self.store(m.position, m.op, m.content)
            self.top += 1

    @on(Seal)
    def seal(self, m: Seal) -> None:
        """Say that all is here."""
        if self.handed == m.op + 1 and self.top >= m.position:
            self.send(m.source, Handed(m.op, m.position))

    @on(Handed)
    def handed_over(self, m: Handed) -> None:
        """Propose the backup as the acceptor."""
        if self.term != m.op or self.backup != m.source + 1 or self.top != m.position:
            return
        if self.trying == 0:
            self.begin(m.source)

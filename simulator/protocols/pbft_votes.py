"""Votes of PBFT: who has accepted and who has prepared the log of the present view.

A vote is about the whole log of its view up to a position, of which it carries a digest.
"""

from simulator.protocols.pbft_views import NORMAL, PbftViews
from simulator.protocols.protocol import Message, message, on


@message
class Prepare(Message):
    """A replica has accepted the log of a view up to position `op`."""

    view: int
    digest: int


@message
class Commit(Message):
    """A replica has prepared the log of a view up to position `op`."""

    view: int
    digest: int


class PbftVotes(PbftViews):
    """How a replica votes and counts; `owed` is an operation + 1 that a client complained about."""

    owed: int

    def note_own(self) -> None:
        """Count the own vote."""
        self.prepare_at[self.me] = self.last
        self.prepare_digest[self.me] = self.digests[self.last % self.entries]

    def vote(self) -> None:
        """Say what is accepted, and count."""
        self.note_own()
        primary = self.primary(self.view)
        self.prepare_at[primary] = self.last
        digest = self.digests[self.last % self.entries]
        self.prepare_digest[primary] = digest
        if primary != self.me and self.last > self.learned:
            for member in range(self.count):
                if member != self.me:
                    self.work(self.authenticate_ps)
                    self.send(member, Prepare(self.last, self.view, digest))
        self.count_votes()

    @on(Prepare)
    def prepare(self, m: Prepare) -> None:
        """Hear what another replica has accepted."""
        self.work(self.authenticate_ps)
        if m.view == self.view and m.op >= self.prepare_at[m.source]:
            self.prepare_at[m.source] = m.op
            self.prepare_digest[m.source] = m.digest
            self.count_votes()

    @on(Commit)
    def commit(self, m: Commit) -> None:
        """Hear what another replica has prepared."""
        self.work(self.authenticate_ps)
        if m.view == self.view and m.op >= self.commit_at[m.source]:
            self.commit_at[m.source] = m.op
            self.commit_digest[m.source] = m.digest
            self.count_votes()

    def count_votes(self) -> None:
        """Prepare, commit and execute as far as quorums go."""
        if self.stage != NORMAL or self.dirty > 0:
            return
        position = self.agreed_up_to(1)
        fresh = 1 if self.prepared_view < self.view or position > self.prepared else 0
        if position > self.learned and position >= self.prepared and fresh == 1:
            self.prepared = position
            self.prepared_view = self.view
            self.commit_at[self.me] = position
            self.commit_digest[self.me] = self.digests[position % self.entries]
            self.say_prepared()
        if self.prepared_view == self.view and self.away == 0:
            position = self.agreed_up_to(0)
            while self.learned < position and self.learned < self.prepared:
                self.apply_next()
                self.tries = 0
                if self.owed > 0 and self.knows(self.owed - 1) == 1:
                    self.owed = 0

    def say_prepared(self) -> None:
        """Tell all how far the own log is prepared."""
        digest = self.digests[self.prepared % self.entries]
        for member in range(self.count):
            if member != self.me:
                self.work(self.authenticate_ps)
                self.send(member, Commit(self.prepared, self.view, digest))

    def agreed_up_to(self, preparing: int) -> int:
        """Return how far a quorum has accepted (1) or prepared (0) the own log."""
        position = self.learned
        while position < self.last and self.agreeing(position + 1, preparing) >= self.quorum():
            position += 1
        return position

    def agreeing(self, position: int, preparing: int) -> int:
        """Return how many have the own log up to a position at least."""
        found = 0
        for member in range(self.count):
            at = self.prepare_at[member] if preparing == 1 else self.commit_at[member]
            digest = self.prepare_digest[member]
            if preparing == 0:
                digest = self.commit_digest[member]
            if at >= position and at <= self.last and digest == self.digests[at % self.entries]:
                found += 1
        return found

"""The master of a chain: who is in it, and in which order.

The root is the master. It beats, and takes out of the chain who does not answer; who is out and has
the decided log joins behind the last one. Each change is an epoch, and the master's word on it is
final: nobody may be the first of the chain who was not complete in it once, for everything that was
ever acknowledged is in whoever was.
"""

from simulator.protocols.protocol import Message, PerNode, message, on
from simulator.protocols.register_log import RegisterLog

PATIENCE = 3
LAG = 64
"""Positions that one may lack when it joins the chain; the rest comes along the chain."""

NOBODY, OUT = -1, -2


@message
class Configure(Message):
    """The place of a member in epoch `op`: its neighbours, the first one, since when it is in."""

    before: int
    after: int
    first: int
    since: int


@message
class Beat(Message):
    """The master is alive, in epoch `op`."""


@message
class Here(Message):
    """A member is alive in epoch `op`, and has applied the log up to a position."""

    position: int


@message
class Leave(Message):
    """A member is about to be powered down."""


@message
class Linked(Message):
    """A member is complete in epoch `op`."""


class ChainMaster(RegisterLog):
    """What the master keeps, and every member of its own place.

    `rank` is 0 for who is in from the begin, -1 for who is out, else the epoch of joining; `fresh`
    is 1 until one that has joined is complete; `silence` counts beats without an answer. In `epoch`
    this member stands between `prior` and `later`, and `leader_of_chain` is the first; the master
    knows the last, `end_of_chain`. In epoch 0 the chain is in order of number, the root behind all.
    """

    epoch: int
    prior: int
    later: int
    leader_of_chain: int
    end_of_chain: int
    rank: PerNode
    fresh: PerNode
    silence: PerNode

    # of the classes that inherit

    def settle(self, joined: int) -> None:
        """Take a new place in the chain, as one that has joined or as one that was in it."""

    def confirm(self) -> None:
        """Hear that the present epoch is the latest one."""

    # the own place

    def before(self) -> int:
        """Return who stands before this member, -1 if nobody does, -2 out of the chain."""
        if self.epoch > 0:
            return self.prior
        return NOBODY if self.me == self.first() else (self.me - 1) % self.count

    def after(self) -> int:
        """Return who stands behind this member, -1 if nobody does, -2 out of the chain."""
        if self.epoch > 0:
            return self.later
        return NOBODY if self.me == self.root else (self.me + 1) % self.count

    def first(self) -> int:
        """Return the first of the chain."""
        return self.leader_of_chain if self.epoch > 0 else (self.root + 1) % self.count

    @on(Configure)
    def configured(self, m: Configure) -> None:
        """Take a place in a later epoch."""
        if m.op > self.epoch:
            joined = 1 if m.since > self.epoch else 0
            self.epoch = m.op
            self.prior = m.before
            self.later = m.after
            self.leader_of_chain = m.first
            self.settle(joined)

    @on(Beat)
    def beat(self, m: Beat) -> None:
        """Answer, and be confirmed where the epoch is the master's."""
        self.send(m.source, Here(self.epoch, self.lacking()))
        if m.op == self.epoch:
            self.confirm()

    # the master

    def next_in_chain(self, member: int) -> int:
        """Return who stands behind a member, or is the first where that is -1; -1 if nobody."""
        best = NOBODY
        for step in range(self.count):
            other = (self.root + 1 + step) % self.count
            if self.rank[other] < 0 or other == member:
                continue
            if member >= 0 and self.stands_before(other, member) == 1:
                continue
            if best < 0 or self.stands_before(other, best) == 1:
                best = other
        return best

    def stands_before(self, one: int, other: int) -> int:
        """Return 1 if the first of two members stands before the second."""
        if self.rank[one] != self.rank[other]:
            return 1 if self.rank[one] < self.rank[other] else 0
        own = (one - self.root - 1) % self.count
        return 1 if own < (other - self.root - 1) % self.count else 0

    def last_of_chain(self) -> int:
        """Return, at the master, who stands behind all others."""
        return self.end_of_chain if self.epoch > 0 else self.root

    def announce(self) -> None:
        """Begin an epoch and tell all, in the order of the chain, then those who are out."""
        self.epoch += 1
        first = self.next_in_chain(NOBODY)
        before = NOBODY
        member = first
        while member >= 0:
            after = self.next_in_chain(member)
            self.place_one(member, before, after, first)
            before = member
            member = after
        for other in range(self.count):
            if self.rank[other] < 0:
                self.place_one(other, OUT, OUT, first)
        self.end_of_chain = before
        self.settle(0)

    def place_one(self, member: int, before: int, after: int, first: int) -> None:
        """Tell a member its place; take the own one."""
        if member == self.me:
            self.prior = before
            self.later = after
            self.leader_of_chain = first
        else:
            self.send(member, Configure(self.epoch, before, after, first, self.rank[member]))

    def remind(self, member: int) -> None:
        """Tell a member of the present epoch once more."""
        if self.epoch == 0:
            return
        before = OUT
        after = OUT
        if self.rank[member] >= 0:
            before = NOBODY
            other = self.next_in_chain(NOBODY)
            while other != member:
                before = other
                other = self.next_in_chain(other)
            after = self.next_in_chain(member)
        first = self.leader_of_chain
        self.send(member, Configure(self.epoch, before, after, first, self.rank[member]))

    @on(Here)
    def here(self, m: Here) -> None:
        """Hear that a member is alive; let it join if it is out, or bring it up to date."""
        if self.me != self.root:
            return
        self.silence[m.source] = 0
        if m.op < self.epoch:
            # who does not know that it is out would pass on what is decided without it
            self.remind(m.source)
        elif self.rank[m.source] >= 0:
            return
        elif m.position < 0 or self.learned - m.position > LAG:
            self.serve(m.source, m.position)
        else:
            self.rank[m.source] = self.epoch + 1
            self.fresh[m.source] = 1
            self.announce()

    @on(Leave)
    def leave(self, m: Leave) -> None:
        """Take a member out before its power goes."""
        if m.op == self.epoch:
            self.take_out(m.source)

    @on(Linked)
    def linked(self, m: Linked) -> None:
        """Hear that a member is complete."""
        if m.op >= self.rank[m.source]:
            self.fresh[m.source] = 0

    def take_out(self, member: int) -> None:
        """Go on without a member, unless nobody complete would be the first."""
        if self.rank[member] < 0 or member == self.me:
            return
        kept = self.rank[member]
        self.rank[member] = NOBODY
        first = self.next_in_chain(NOBODY)
        if first < 0 or self.fresh[first] == 1:
            self.rank[member] = kept
        else:
            self.announce()

    def watch(self) -> None:
        """Beat, and take out one that was silent for too long."""
        suspect = NOBODY
        for member in range(self.count):
            if member == self.me:
                continue
            self.send(member, Beat(self.epoch))
            if self.silence[member] <= PATIENCE:
                self.silence[member] += 1
            elif self.rank[member] >= 0:
                suspect = member
        if suspect >= 0:
            self.take_out(suspect)

"""A replicated log: how members follow its leader, notice that it is gone, and come back.

A leader is heard in beats, which also say what is committed and ask each member what it has. Where
none is heard for too long, members stand for its place, each after a delay of its own. Who was away
asks for a mark, an entry that is new in the log, and applies nothing until the mark is committed
and all before it is at hand.
"""

from simulator.protocols.log_leader import Append, Beat, LogLeader, Repeat, Stored, Yield
from simulator.protocols.logged_registers import FOLLOWER, LEADER, NOTHING, ORPHAN
from simulator.protocols.protocol import Boot, Message, message, on

TRIES = 4
"""Elections in vain after which a member waits twice as long before it stands again."""

MOST_TRIES = 16 * TRIES
"""Elections in vain that are counted."""


@message
class Watch(Message):
    """Time to look whether the leader was heard."""


@message
class Return(Message):
    """A member is back, for the time `op`, and asks for a mark."""


@message
class Mark(Message):
    """A beat for a member that is back, for the time `op`, and the position of its mark."""

    term: int
    position: int
    commit: int
    base: int


class ReplicatedLog(LogLeader):
    """One member; how it becomes the leader and what it takes stands in the class that inherits.

    `tries` counts how often it stood since a leader was there.
    """

    endless = True
    survives = frozenset({"crash", "power", "slow", "delay", "loss", "partition"})

    tries: int

    # ---------------------------------------------------------------- of the protocol itself
    def stand(self) -> None:
        """Try to become the leader."""

    def take(self, op: int, position: int, stamp: int, content: int) -> None:
        """Take an entry of the leader's log into the own one, where it fits."""

    # ---------------------------------------------------------------- following
    @on(Boot)
    def boot(self, m: Boot) -> None:
        """Watch the leader; that of term 0 is the root."""
        self.timer(self.patience() + self.random(self.jitter()), Watch(0))
        if self.me == self.root and self.term == 0 and self.role == FOLLOWER:
            self.take_over()

    @on(Append)
    def append(self, m: Append) -> None:
        """Take a new entry, pass it on where it came down the tree, and answer to the last one."""
        if m.term != self.term or self.role != FOLLOWER:
            return
        if self.hint == 0 and m.source == self.parent:
            self.multicast(m)
        self.heard_ps = self.now
        self.learn(m.commit)
        self.take(m.op, m.position, m.term + 1, m.content)
        if m.more == 0:
            self.send(self.believed(), Stored(self.term, self.match, 0))

    @on(Repeat)
    def repeated(self, m: Repeat) -> None:
        """Take an entry that was lacking."""
        if m.term == self.term and self.role == FOLLOWER:
            self.heard_ps = self.now
            self.learn(m.commit)
            self.take(m.op, m.position, m.stamp, m.content)

    @on(Beat)
    def hear(self, m: Beat) -> None:
        """Follow the leader of the latest term, and say what is here of its log."""
        if m.op > self.term:
            self.adopt(m.op)
        if m.op < self.term:
            self.send(m.leader, Stored(self.term, 0, 0))
        elif self.role != LEADER:
            if m.tree == 1 and m.source == self.parent:
                self.multicast(m)
            self.heed(m.leader, m.last, m.commit, m.base)

    def heed(self, leader: int, last: int, commit: int, base: int) -> None:
        """Follow a leader, and say what is here of its log up to what it has sent."""
        self.role = FOLLOWER
        self.tries = 0
        self.hint = (leader + self.count - self.root) % self.count
        self.heard_ps = self.now
        self.learn(commit)
        lacks = 0
        if self.dirty > 0 or self.match < base or self.is_full(last) == 1:
            self.fetch()
        elif self.match < last:
            lacks = 1
        if self.away == 1 and self.mark == 0:
            self.send(leader, Return(self.returns))
        self.send(leader, Stored(self.term, self.match, lacks))

    def is_full(self, last: int) -> int:
        """Return 1 where the log has no place for the next entry before its first is applied."""
        return 1 if self.match < last and self.match - self.entries >= self.applied else 0

    def follow(self, term: int) -> None:
        """Lead no more; in a later term nothing is certain but what is applied."""
        if self.role == LEADER:
            for peer in range(self.count):
                self.matches[peer] = 0
                self.heard[peer] = 0
                self.direct[peer] = 0
            for at in range(self.entries):
                self.acks[at] = 0
            self.sent = 0
            self.strays = 0
        self.role = ORPHAN
        if term > self.term:
            self.term = term
            self.match = self.applied
            self.mark = 0

    # ---------------------------------------------------------------- standing for leader
    @on(Watch)
    def watch(self, m: Watch) -> None:
        """Stand for leader where none was heard for too long; with one part of a snapshot, wait.

        Some elections in vain double what is too long: where they take longer than the patience,
        each would else be cut short by the next one for ever.
        """
        wait = self.patience()
        left = (wait << self.tries // TRIES) - (self.now - self.heard_ps)
        if self.role == LEADER:
            self.tries = 0
        elif left > 0:
            wait = left if left < wait else wait
        elif self.dirty == 0:
            self.heard_ps = self.now
            if self.tries < MOST_TRIES:
                self.tries += 1
            self.stand()
        self.timer(wait + self.random(self.jitter()), Watch(0))

    def jitter(self) -> int:
        """Return the bound of a delay that keeps members from standing at the same time."""
        return self.patience() * (1 + self.count // 8) + 1

    @on(Yield)
    def yielded(self, m: Yield) -> None:
        """Stand at once: the leader goes."""
        if self.role == FOLLOWER and m.op == self.term and self.dirty == 0:
            self.heard_ps = self.now
            self.stand()

    # ---------------------------------------------------------------- being away
    def come_back(self) -> None:
        """Follow nobody yet, apply nothing, and ask for a mark."""
        self.follow(self.term)
        self.away = 1
        self.returns += 1
        self.tries = 0
        self.mark = 0
        self.arriving = 0
        self.heard_ps = self.now
        if self.believed() != self.me:
            self.send(self.believed(), Return(self.returns))
        self.timer(self.patience() + self.random(self.jitter()), Watch(0))

    @on(Return)
    def returned(self, m: Return) -> None:
        """Put a mark into the log for a member that is back."""
        if self.role == LEADER and self.open() == 1:
            self.add(NOTHING, 0)
            self.send(m.source, Mark(m.op, self.term, self.last, self.applied, self.base))
            self.flush()

    @on(Mark)
    def marked(self, m: Mark) -> None:
        """Hear where the mark stands, in the log of one term only; what is before it is wanted."""
        if m.term > self.term:
            self.adopt(m.term)
        if m.term == self.term and self.role != LEADER:
            if m.op == self.returns and self.away == 1 and self.mark == 0:
                self.mark = m.position
            self.heed(m.source, m.position - 1, m.commit, m.base)

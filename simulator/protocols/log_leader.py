"""The leader of a replicated log: what Raft and Multi-Paxos have in common once there is one.

The leader puts updates and reads into its log and sends new entries to the others: down the decided
tree while it is the tree's root, else to each. Members that the tree does not reach are sent to
directly until all answer again. Every member answers to the leader itself, which counts how many
have an entry: a majority is enough, and no inner node of the tree can hold it up.
"""

from simulator.history import LED, RESUMED
from simulator.protocols.logged_registers import (
    FOLLOWER,
    LEADER,
    NOTHING,
    LoggedRegisters,
    Request,
)
from simulator.protocols.protocol import Message, PowerDown, message, on

BEATS = 4
"""Beats of a leader in the time after which it is given up."""

REPEATED = 32
"""Entries that a member which lacks some is sent before it is asked again."""


@message
class Append(Message):
    """A new entry of the log; `more` of the same append follow, then an answer is due."""

    term: int
    position: int
    commit: int
    content: int
    more: int


@message
class Repeat(Message):
    """An entry for a member that lacks it; `stamp` is the term it was made in, plus 1."""

    term: int
    position: int
    stamp: int
    commit: int
    content: int


@message
class Stored(Message):
    """Of the leader's log of term `op`, this is stored up to a position; `lacks` is 1 for more."""

    position: int
    lacks: int


@message
class Pulse(Message):
    """Time for the leader of term `op` to be heard."""


@message
class Beat(Message):
    """The leader of term `op` is there, has sent entries up to `last` and dropped up to `base`."""

    leader: int
    last: int
    commit: int
    base: int
    tree: int


@message
class Yield(Message):
    """The leader of term `op` is about to be powered down: stand for its place."""


class LogLeader(LoggedRegisters):
    """One member; how the others follow stands in the classes that inherit."""

    # ---------------------------------------------------------------- of the protocol itself
    def counts(self, position: int) -> int:
        """Return 1 where an entry that a majority has is committed."""
        return 1

    # ---------------------------------------------------------------- requests
    @on(Request)
    def request(self, m: Request) -> None:
        """Take an operation as the leader; else hand it to the leader, if its client sent it."""
        leader = self.believed()
        if self.role == LEADER:
            self.admit(m.op, m.content, m.again)
        elif self.role == FOLLOWER and m.source != leader:
            self.send(leader, m)

    def admit(self, op: int, content: int, again: int) -> None:
        """Put an operation into the log, or repeat its reply; nothing while this member is away."""
        known = self.session[self.slot(op)]
        if known > op:
            if known == op + 1:
                self.reply(op, content)
        elif self.open() == 1 and (again == 0 or self.pending(op) == 0):
            self.add(op, content)
            self.flush()

    def open(self) -> int:
        """Return 1 where the log takes an entry and keeps some room for those of later leaders."""
        return 1 if self.away == 0 and self.room(self.entries // 4) == 1 else 0

    def pending(self, op: int) -> int:
        """Return 1 where an operation stands in the log and is not applied yet."""
        for position in range(self.applied + 1, self.last + 1):
            if self.ops[position % self.entries] == op:
                return 1
        return 0

    # ---------------------------------------------------------------- what is committed
    def learn(self, commit: int) -> None:
        """Apply what is committed; who is away does so from its mark on, all at once."""
        before = self.applied
        was_away = self.away
        upto = commit if commit < self.match else self.match
        if self.dirty > 0 or (was_away == 1 and (self.mark == 0 or upto < self.mark)):
            if self.dirty == 0:
                self.make_room(upto)
            return
        if was_away == 1:
            self.resume()
        while self.applied < upto:
            self.applied += 1
            self.apply(self.applied)
        # whatever was applied is on record before the first message leaves: a crash may cut it off
        if self.role == LEADER:
            for position in range(before + 1, self.applied + 1):
                self.answer_entry(position)
        if was_away == 1:
            for slot in range(self.window):
                if self.wanted[slot] > 0:
                    self.ask(self.wanted[slot] - 1, self.believed(), 1)

    def make_room(self, upto: int) -> None:
        """Where the log is full before the mark, take over what is committed, as of a snapshot."""
        while self.match - self.entries >= self.applied and self.applied < upto:
            self.applied += 1
            self.apply(self.applied)

    def resume(self) -> None:
        """Run again: all that was committed when this member came back is at hand."""
        self.away = 0
        self.mark = 0
        self.record(0, RESUMED, self.served)

    def answer_entry(self, position: int) -> None:
        """Reply to the client of an entry that was applied."""
        op = self.ops[position % self.entries]
        if op != NOTHING and self.session[self.slot(op)] == op + 1:
            self.reply(op, self.contents[position % self.entries])

    # ---------------------------------------------------------------- entries
    def take_over(self) -> None:
        """Become the leader of the term."""
        self.role = LEADER
        self.hint = (self.me + self.count - self.root) % self.count
        self.record(self.term, LED)
        for peer in range(self.count):
            self.matches[peer] = 0
            self.heard[peer] = 1
            self.direct[peer] = 0
        for child in self.children:
            self.direct[child] = -1
        for position in range(self.applied + 1, self.last + 1):
            self.acks[position % self.entries] = 1
        self.strays = 0
        self.match = self.last
        self.sent = self.last
        self.timer(self.patience() // BEATS + 1, Pulse(self.term))

    def add(self, op: int, content: int) -> None:
        """Append an entry to the own log."""
        self.write(op, self.last + 1, self.term + 1, content)
        self.acks[self.last % self.entries] = 1
        self.match = self.last

    def flush(self) -> None:
        """Send what is pending, unless too much is under way."""
        while self.sent < self.last and self.sent - self.applied <= self.pipeline:
            self.push()

    def push(self) -> None:
        """Send one append: all that is pending, or as much as a batch."""
        upto = self.last
        if self.batch > 0 and upto > self.sent + self.batch:
            upto = self.sent + self.batch
        while self.sent < upto:
            self.sent += 1
            self.distribute(self.sent, upto - self.sent)
        if self.count == 1:
            self.learn(upto)

    def distribute(self, position: int, more: int) -> None:
        """Send an entry down the tree, and to those whom that does not reach."""
        at = position % self.entries
        op = self.ops[at]
        content = self.contents[at]
        if self.me == self.root:
            self.multicast(Append(op, self.term, position, self.applied, content, more))
        if self.me != self.root or self.strays > 0:
            for peer in range(self.count):
                if peer != self.me and (self.me != self.root or self.direct[peer] == 1):
                    self.send(peer, Append(op, self.term, position, self.applied, content, more))

    @on(Stored)
    def stored(self, m: Stored) -> None:
        """Count what a member has, and send it what it lacks."""
        if m.op > self.term:
            self.adopt(m.op)
        elif self.role == LEADER and m.op == self.term:
            if self.heard[m.source] == 0:
                self.heard[m.source] = 1
            self.tally(m.source, m.position)
            if m.lacks == 1 and self.heard[m.source] != m.position + 2:
                self.heard[m.source] = m.position + 2
                self.repeat(m.source, m.position)

    def tally(self, peer: int, position: int) -> None:
        """Count a member for all that it has newly stored; apply what is thereby committed."""
        newest = 0
        first = self.matches[peer]
        if first < self.applied:
            first = self.applied
        for stored in range(first + 1, position + 1):
            at = stored % self.entries
            self.acks[at] += 1
            if self.acks[at] > self.count // 2 and self.counts(stored) == 1:
                newest = stored
        if position > self.matches[peer]:
            self.matches[peer] = position
        if newest > 0:
            self.learn(newest)
            self.flush()

    def repeat(self, peer: int, position: int) -> None:
        """Send a member some of what it lacks behind a position, and ask what it has then."""
        if position < self.base:
            return
        upto = self.sent if self.sent < position + REPEATED else position + REPEATED
        for lacked in range(position + 1, upto + 1):
            at = lacked % self.entries
            op = self.ops[at]
            content = self.contents[at]
            stamp = self.stamps[at]
            self.send(peer, Repeat(op, self.term, lacked, stamp, self.applied, content))
        self.beat(peer)

    # ---------------------------------------------------------------- beats
    @on(Pulse)
    def pulse(self, m: Pulse) -> None:
        """Be heard, for as long as this member leads the term."""
        if self.role == LEADER and m.op == self.term:
            self.find_strays()
            self.beat_all()
            self.timer(self.patience() // BEATS + 1, Pulse(self.term))

    def find_strays(self) -> None:
        """Send directly to those who did not answer, and down the tree only once all do again."""
        silent = 0
        for peer in range(self.count):
            if peer != self.me and self.heard[peer] == 0:
                silent += 1
        self.strays = 0
        for peer in range(self.count):
            if peer != self.me and self.direct[peer] >= 0:
                if silent == 0:
                    self.direct[peer] = 0
                elif self.heard[peer] == 0:
                    self.direct[peer] = 1
                self.strays += self.direct[peer]
            self.heard[peer] = 0

    def beat_all(self) -> None:
        """Be heard by all."""
        if self.me == self.root:
            self.multicast(Beat(self.term, self.me, self.sent, self.applied, self.base, 1))
        for peer in range(self.count):
            if peer != self.me and (self.me != self.root or self.direct[peer] == 1):
                self.beat(peer)

    def beat(self, peer: int) -> None:
        """Be heard by one member."""
        self.send(peer, Beat(self.term, self.me, self.sent, self.applied, self.base, 0))

    @on(PowerDown)
    def power_down(self, m: PowerDown) -> None:
        """Hand the leadership to a member that has as much of the log as any."""
        if self.role != LEADER or self.count == 1:
            return
        best = (self.me + 1) % self.count
        for peer in range(self.count):
            if peer != self.me and self.matches[peer] > self.matches[best]:
                best = peer
        self.send(best, Yield(self.term))

"""Registers behind a log, and their clients: the half of Raft and Multi-Paxos that needs no leader.

Clients, one per member, send updates and reads to the member that they take for the leader, and try
the next one when no answer comes. What the log says is applied everywhere in the same order, and
once (F. Schneider, "Implementing fault-tolerant services using the state machine approach", ACM
Computing Surveys 1990). A log keeps a window of entries. Who lacks older ones fetches, from any
member, the registers and the answers that have changed since.
"""

from simulator.history import APPLIED, COMMIT, RESUMED
from simulator.protocols.protocol import (
    Message,
    Parameter,
    PerEntry,
    PerItem,
    PerNode,
    PerOperation,
    Phase,
    Start,
    message,
    on,
)
from simulator.protocols.returning import Returning

NOTHING = -1
"""The operation of an entry that nobody asked for."""

FOLLOWER, ORPHAN, CANDIDATE, LEADER = 0, 1, 2, 3
"""Roles; an orphan knows no leader of its term."""

ROUNDS = 8
"""Rounds of silence after which a leader is given up, unless the scenario says how long."""


@message
class Request(Message):
    """A client's operation; `again` is 1 where it was sent before."""

    content: int
    again: int


@message
class Reply(Message):
    """The result of an operation, to its client."""

    result: int


@message
class Retry(Message):
    """No reply for too long since a member was asked."""

    peer: int


@message
class Fetch(Message):
    """Asks for what has changed since position `op`."""


@message
class Snapshot(Message):
    """Stands before and behind the changes up to a position, sent by a member in term `op`.

    `total` is the sum of the positions at which each was made, -1 before them.
    """

    position: int
    stamp: int
    served: int
    total: int


@message
class ChangedItem(Message):
    """One of the changes up to position `op`: a register."""

    item: int
    value: int
    changed: int


@message
class ChangedAnswer(Message):
    """One of the changes up to position `op`: an operation that was applied at a place."""

    operation: int
    place: int
    answer: int


class LoggedRegisters(Returning):
    """One member; how the log comes about stands in the classes that inherit.

    `hint` is the member taken for the leader, counted from the root. `stamps` (0: no entry), `ops`
    and `contents` are the log from `base` + 1 to `last`; `match` is how far it agrees with that of
    the leader of this term, `applied` how far it was applied, `applied_stamp` the stamp of the
    entry there, `served` how many operations that were. The leader has sent entries up to `sent`,
    knows `matches` of the others and counts `acks`. `away` is 1 from coming up until all that was
    committed is at hand. `dirty` is the position of a snapshot of which only a part was taken in.
    `session` (operation + 1) and `answer` are the last operations that were applied, `wanted` and
    `wish` those of the own client.
    """

    starts = "client"
    reports = "one"
    options = frozenset({"reads_per_mille", "items"})
    phases = (Phase("committed", APPLIED, "first"), Phase("applied", APPLIED, "last"))

    timeout_ps: Parameter
    batch: Parameter
    pipeline: Parameter
    keep: Parameter
    role: int
    term: int
    hint: int
    heard_ps: int
    base: int
    last: int
    match: int
    applied: int
    applied_stamp: int
    served: int
    sent: int
    strays: int
    away: int
    returns: int
    mark: int
    dirty: int
    peer: int
    arriving: int
    stamps: PerEntry
    ops: PerEntry
    contents: PerEntry
    acks: PerEntry
    matches: PerNode
    heard: PerNode
    direct: PerNode
    register: PerItem
    changed: PerItem
    session: PerOperation
    place: PerOperation
    answer: PerOperation
    wanted: PerOperation
    wish: PerOperation

    # ---------------------------------------------------------------- of the classes that inherit
    def admit(self, op: int, content: int, again: int) -> None:
        """Take an operation as the leader."""

    def adopt(self, term: int) -> None:
        """Go on to a later term."""

    def covers(self, position: int, stamp: int) -> int:
        """Return 1 where the own log is known to have all up to a committed position."""
        return 0

    def cut(self, position: int, stamp: int) -> None:
        """Let the log go on behind the position of a snapshot."""

    # ---------------------------------------------------------------- clients
    def patience(self) -> int:
        """Return the picoseconds of silence after which something is done about it."""
        return self.timeout_ps if self.timeout_ps > 0 else ROUNDS * self.round_ps

    def believed(self) -> int:
        """Return the member taken for the leader."""
        return (self.hint + self.root) % self.count

    @on(Start)
    def start(self, m: Start) -> None:
        """Keep the wish of the client of this member, and ask unless the member is away."""
        slot = self.slot(m.op)
        self.wanted[slot] = m.op + 1
        self.wish[slot] = ((m.value * self.items + m.item) * self.count + self.me) * 2 + m.write
        if self.away == 0:
            self.ask(m.op, (self.hint + self.root) % self.count, 0)

    def ask(self, op: int, peer: int, again: int) -> None:
        """Ask a member, and the next one when no answer comes."""
        content = self.wish[self.slot(op)]
        self.timer(2 * self.patience(), Retry(op, peer))
        if self.role == LEADER:
            self.admit(op, content, again)
        elif peer != self.me:
            self.send(peer, Request(op, content, again))

    @on(Retry)
    def retry(self, m: Retry) -> None:
        """Ask the next member, unless the answer has come."""
        if self.wanted[self.slot(m.op)] == m.op + 1 and self.away == 0:
            peer = (m.peer + 1) % self.count
            if peer == self.me:
                peer = (peer + 1) % self.count
            self.ask(m.op, peer, 1)

    def reply(self, op: int, content: int) -> None:
        """Tell the client of an operation its result."""
        client = content // 2 % self.count
        result = self.answer[self.slot(op)]
        if client == self.me:
            self.finish(op, result)
        else:
            self.send(client, Reply(op, result))

    @on(Reply)
    def replied(self, m: Reply) -> None:
        """Hear the result."""
        self.finish(m.op, m.result)

    def finish(self, op: int, result: int) -> None:
        """End an operation of the client of this member, once."""
        slot = self.slot(op)
        if self.wanted[slot] == op + 1:
            self.wanted[slot] = 0
            self.wish[slot] = 0
            self.done(op, result)

    # ---------------------------------------------------------------- the log
    def room(self, reserve: int) -> int:
        """Return 1 where one more entry, and `reserve` behind it, would not drop unapplied ones."""
        return 1 if self.last + 1 + reserve - self.entries <= self.applied else 0

    def write(self, op: int, position: int, stamp: int, content: int) -> None:
        """Write an entry; positions that are skipped have none."""
        for skipped in range(self.last + 1, position):
            self.stamps[skipped % self.entries] = 0
        at = position % self.entries
        self.stamps[at] = stamp
        self.ops[at] = op
        self.contents[at] = content
        self.acks[at] = 0
        if position > self.last:
            self.last = position
        oldest = position - self.entries
        if self.keep > 0 and oldest < self.applied - self.keep:
            oldest = self.applied - self.keep
        if self.base < oldest:
            self.base = oldest

    def apply(self, position: int) -> None:
        """Carry an entry out, unless its operation was carried out before."""
        # the last of the entries behind this one may come to stand in its place
        self.applied_stamp = self.stamps[position % self.entries]
        op = self.ops[position % self.entries]
        if op == NOTHING:
            return
        slot = self.slot(op)
        if self.session[slot] > op:
            return
        content = self.contents[position % self.entries]
        item = content // 2 // self.count % self.items
        self.served += 1
        self.session[slot] = op + 1
        self.place[slot] = position
        if content % 2 == 1:
            self.register[item] = content // 2 // self.count // self.items
            self.changed[item] = position
            self.answer[slot] = COMMIT
        else:
            self.answer[slot] = self.register[item]
        if self.away == 0:
            self.record(op, APPLIED, self.served)

    # ---------------------------------------------------------------- snapshots
    def fetch(self) -> None:
        """Ask a member for what has changed, each time another one, unless it is arriving."""
        if self.arriving == 0:
            self.peer = (self.peer + 1) % self.count
            if self.peer == self.me:
                self.peer = (self.peer + 1) % self.count
            self.send(self.peer, Fetch(self.applied))
        self.arriving = 0

    @on(Fetch)
    def fetched(self, m: Fetch) -> None:
        """Send what has changed, between two messages that say up to where."""
        upto = self.applied
        if self.dirty > 0 or upto <= m.op:
            return
        stamp = self.applied_stamp
        self.send(m.source, Snapshot(self.term, upto, stamp, self.served, -1))
        for item in range(self.items):
            changed = self.changed[item]
            if changed > m.op:
                self.send(m.source, ChangedItem(upto, item, self.register[item], changed))
        for slot in range(self.window):
            place = self.place[slot]
            if place > m.op:
                operation = self.session[slot] - 1
                self.send(m.source, ChangedAnswer(upto, operation, place, self.answer[slot]))
        self.send(m.source, Snapshot(self.term, upto, stamp, self.served, self.total(m.op)))

    def total(self, position: int) -> int:
        """Return the sum of the positions behind this one at which something changed last."""
        total = 0
        for item in range(self.items):
            if self.changed[item] > position:
                total += self.changed[item]
        for slot in range(self.window):
            if self.place[slot] > position:
                total += self.place[slot]
        return total

    @on(Snapshot)
    def snapshot(self, m: Snapshot) -> None:
        """Begin to take changes in, or end; one that is not needed any more is left alone.

        A member whose own log covers the snapshot keeps to its log: it may be the only one left
        that can lead. One that has taken a change in applies nothing until it has all of them: no
        change that it has is later than those of the sender, so that equal sums mean equal changes.
        """
        if m.op > self.term:
            self.adopt(m.op)
        if self.role == LEADER or m.position <= self.applied or m.position < self.dirty:
            return
        self.arriving = 1
        if m.total < 0:
            if self.dirty > 0 or self.covers(m.position, m.stamp) == 0:
                self.dirty = m.position
            elif self.match < m.position:
                self.match = m.position
        elif m.position == self.dirty and m.total == self.total(self.applied):
            self.install(m.position, m.stamp, m.served)

    @on(ChangedItem)
    def changed_item(self, m: ChangedItem) -> None:
        """Take a register over."""
        if m.op <= self.dirty and m.changed > self.changed[m.item]:
            self.arriving = 1
            self.register[m.item] = m.value
            self.changed[m.item] = m.changed

    @on(ChangedAnswer)
    def changed_answer(self, m: ChangedAnswer) -> None:
        """Take an answer over."""
        slot = self.slot(m.operation)
        if m.op <= self.dirty and m.place > self.place[slot]:
            self.arriving = 1
            self.session[slot] = m.operation + 1
            self.place[slot] = m.place
            self.answer[slot] = m.answer

    def install(self, position: int, stamp: int, served: int) -> None:
        """Stand where the sender of a snapshot stood."""
        self.dirty = 0
        self.arriving = 0
        self.applied = position
        self.applied_stamp = stamp
        self.served = served
        if self.base < position:
            self.base = position
        if self.away == 0:
            self.record(0, RESUMED, served)
        self.cut(position, stamp)

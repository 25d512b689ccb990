"""Registers behind a log of decided operations, and how one that has missed some catches up.

What a log says is applied everywhere in the same order, and each operation once (F. Schneider,
"Implementing fault-tolerant services using the state machine approach", ACM Computing Surveys
1990). A member keeps a window of positions and sends them to whoever lacks them; one that has
missed more takes over the registers and the operations that have changed since.
"""

from simulator.history import APPLIED, COMMIT
from simulator.protocols.protocol import (
    Message,
    PerEntry,
    PerItem,
    PerOperation,
    message,
    on,
)
from simulator.protocols.returning import Returning


@message
class Fetch(Message):
    """Asks for what was decided behind position `op`."""


@message
class Learned(Message):
    """What was decided at a position."""

    position: int
    content: int


@message
class Register(Message):
    """Part of a snapshot up to position `op`: a register and where it was changed last."""

    item: int
    value: int
    changed: int


@message
class Session(Message):
    """Part of a snapshot up to a position: an operation that was applied."""

    upto: int
    place: int
    answer: int


@message
class Whole(Message):
    """A snapshot up to position `op` has so many parts."""

    parts: int


class RegisterLog(Returning):
    """What a member keeps of decided operations.

    `ops` and `contents` are the log; up to `learned` it was applied, up to `floor` its entries are
    not kept. `early` are the positions of entries that came before their turn. `session` (operation
    + 1), `place` and `answer` are the last operations that were applied. `away` is 1 from coming up
    until the member runs again, and nothing is recorded as applied meanwhile. `dirty` is the
    position of a snapshot of which `parts` parts are here, and `due` - 1 is how many there are;
    parts may come in any order, and twice, and only what has changed behind `learned` counts.
    `waiting` (operation + 1) are the operations of the own client.
    """

    learned: int
    floor: int
    away: int
    dirty: int
    parts: int
    due: int
    register_taken: PerItem
    session_taken: PerOperation
    ops: PerEntry
    contents: PerEntry
    early: PerEntry
    early_op: PerEntry
    early_content: PerEntry
    held: PerItem
    changed: PerItem
    session: PerOperation
    place: PerOperation
    answer: PerOperation
    waiting: PerOperation

    # of the classes that inherit

    def applied(self, op: int, client: int) -> None:
        """Say to whom it matters that an operation was applied."""

    def skipped(self) -> None:
        """Take note that a snapshot was taken over."""

    def stands(self, upto: int) -> None:
        """Take note, before a part of a snapshot is taken, that all up to a position is decided."""

    def reach(self) -> int:
        """Return the last position that has an entry, decided or not."""
        return self.learned

    # operations

    def packed(self, item: int, value: int, write: int) -> int:
        """Return an operation of the own client in one integer."""
        return ((value * self.items + item) * self.count + self.me) * 2 + write

    def finish(self, op: int, result: int) -> None:
        """End an operation of the own client, once."""
        if self.waiting[self.slot(op)] == op + 1:
            self.waiting[self.slot(op)] = 0
            self.done(op, result)

    def store(self, position: int, op: int, content: int) -> None:
        """Write an entry of the log."""
        self.ops[position % self.entries] = op
        self.contents[position % self.entries] = content

    def knows(self, op: int) -> int:
        """Return 1 if an operation was applied here."""
        return 1 if self.session[self.slot(op)] > op else 0

    def apply_next(self) -> None:
        """Carry out the next entry of the log, unless its operation was carried out before."""
        self.learned += 1
        op = self.ops[self.learned % self.entries]
        content = self.contents[self.learned % self.entries]
        slot = self.slot(op)
        client = content // 2 % self.count
        if self.session[slot] <= op:
            item = content // 2 // self.count % self.items
            self.session[slot] = op + 1
            self.place[slot] = self.learned
            self.answer[slot] = self.held[item]
            if content % 2 == 1:
                self.held[item] = content // 2 // self.count // self.items
                self.changed[item] = self.learned
                self.answer[slot] = COMMIT
            if self.away == 0:
                self.record(op, APPLIED, self.learned)
        self.applied(op, client)

    # catching up

    def lacking(self) -> int:
        """Return behind which position all is wanted, less than 0 where entries are of no use.

        Who has taken a part of a snapshot cannot apply entries any more: it needs a snapshot.
        """
        return self.learned if self.dirty == 0 else -1 - self.learned

    def serve(self, peer: int, position: int) -> None:
        """Send what was decided behind a position: entries, or what has changed since."""
        if self.dirty > 0:
            return
        if position < 0:
            self.serve_whole(peer, -1 - position)
        elif position >= self.floor and self.reach() - position <= self.entries:
            for later in range(position + 1, self.learned + 1):
                at = later % self.entries
                self.send(peer, Learned(self.ops[at], later, self.contents[at]))
        else:
            self.serve_whole(peer, position)

    def serve_whole(self, peer: int, position: int) -> None:
        """Send the registers and operations that have changed behind a position."""
        part = 0
        for item in range(self.items):
            if self.changed[item] > position:
                value = self.held[item]
                self.send(peer, Register(self.learned, item, value, self.changed[item]))
                part += 1
        for slot in range(self.window):
            if self.place[slot] > position:
                op = self.session[slot] - 1
                place = self.place[slot]
                self.send(peer, Session(op, self.learned, place, self.answer[slot]))
                part += 1
        self.send(peer, Whole(self.learned, part))

    @on(Learned)
    def learn(self, m: Learned) -> None:
        """Take an entry that was decided."""
        self.take_decided(m.op, m.position, m.content)

    def take_decided(self, op: int, position: int, content: int) -> None:
        """Keep an entry, in whatever order they come, and apply all that follow on each other."""
        if self.dirty > 0 or position <= self.learned or position > self.learned + self.entries:
            return
        at = position % self.entries
        self.early[at] = position
        self.early_op[at] = op
        self.early_content[at] = content
        before = self.learned
        while self.early[(self.learned + 1) % self.entries] == self.learned + 1:
            self.take_next()
        if self.learned > before:
            self.skipped()

    def take_next(self) -> None:
        """Apply the next entry, which has come."""
        at = (self.learned + 1) % self.entries
        self.store(self.learned + 1, self.early_op[at], self.early_content[at])
        self.apply_next()

    @on(Register)
    def take_register(self, m: Register) -> None:
        """Take a register over."""
        if m.changed <= self.learned:
            return
        if self.takes(m.op) == 1 and self.register_taken[m.item] != m.op:
            self.register_taken[m.item] = m.op
            self.held[m.item] = m.value
            self.changed[m.item] = m.changed
            self.parts += 1
            self.complete()

    @on(Session)
    def take_session(self, m: Session) -> None:
        """Take an operation over."""
        if m.place <= self.learned:
            return
        slot = self.slot(m.op)
        if self.takes(m.upto) == 1 and self.session_taken[slot] != m.upto:
            self.session_taken[slot] = m.upto
            self.session[slot] = m.op + 1
            self.place[slot] = m.place
            self.answer[slot] = m.answer
            self.parts += 1
            self.complete()

    @on(Whole)
    def take_whole(self, m: Whole) -> None:
        """Hear how many parts there are: fewer, the later the position is that they lie behind."""
        if self.takes(m.op) == 1:
            if self.due == 0 or m.parts + 1 < self.due:
                self.due = m.parts + 1
            self.complete()

    def takes(self, upto: int) -> int:
        """Return 1 if a part is wanted; who has taken one needs all of as late a snapshot."""
        self.stands(upto)
        if upto <= self.learned or upto < self.dirty:
            return 0
        if upto > self.dirty:
            self.dirty = upto
            self.parts = 0
            self.due = 0
        return 1

    def complete(self) -> None:
        """Stand where the sender stood; what was skipped was applied by others."""
        if self.parts + 1 == self.due:
            self.learned = self.dirty
            self.floor = self.dirty
            self.dirty = 0
            self.parts = 0
            self.due = 0
            self.away = 1
            self.skipped()

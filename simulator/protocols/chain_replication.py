"""Chain replication: updates run down a chain of members, reads are answered by the last one.

The first of the chain orders updates; each member passes them on, the last one answers the client,
and acknowledgements run back up (R. van Renesse, F. Schneider, "Chain replication for supporting
high throughput and availability", OSDI 2004). What a member has, all before it have.

A master decides who is in the chain (`chain_master`). The paper assumes that failures are detected
without error. Here they are suspected, and that may be wrong: so every message of the chain is of
one epoch, a member is complete in a new epoch only when the one before it is and has sent it all,
and a read goes by the master, which knows the latest epoch, on to the last one. While the master is
down nobody joins or leaves and nothing is read, and nothing wrong is done.
"""

from simulator.history import APPLIED, COMMIT, RESUMED
from simulator.protocols.chain_master import NOBODY, OUT, ChainMaster, Here, Leave, Linked
from simulator.protocols.protocol import (
    Boot,
    Message,
    Parameter,
    Phase,
    PowerDown,
    Start,
    message,
    on,
)


@message
class Update(Message):
    """A client's update, to the first of the chain."""

    content: int


@message
class Read(Message):
    """A client's read, to the master."""

    item: int


@message
class Query(Message):
    """A read on its way from the master to the last of the chain in an epoch."""

    item: int
    epoch: int
    client: int


@message
class Reply(Message):
    """The result of an operation, to its client."""

    result: int


@message
class Append(Message):
    """An update on its way down the chain."""

    epoch: int
    position: int
    content: int


@message
class Ack(Message):
    """The last of the chain has all up to position `op`."""

    epoch: int


@message
class Sync(Message):
    """Asks the one before for what stands behind a position; all up to `op` was acknowledged."""

    epoch: int
    position: int


@message
class Link(Message):
    """The one before is complete in an epoch, with a log up to position `op`."""

    epoch: int


@message
class Invite(Message):
    """The one before is complete in epoch `op`, and may be asked."""


@message
class Retry(Message):
    """No answer for too long."""

    item: int
    value: int
    write: int


@message
class Tick(Message):
    """Time for the master to beat, and for the others to compare with the one before."""


class ChainReplication(ChainMaster):
    """One member of the chain; the root is the master too.

    The log reaches to `last`; what is behind `learned` was not acknowledged yet. `loose` is 1 until
    the member is complete in its epoch, `unfed` 1 until it was asked for what the next one lacks,
    `asked` is 1 if that was before it was complete. `timeout_ps` is the time between two beats of
    the master (default: two rounds); who is silent for four of them is taken out.
    """

    name = "chain-replication"
    starts = "client"
    reports = "one"
    options = frozenset({"reads_per_mille", "items"})
    promises = (
        "integrity", "prefix", "linearizability", "resumption", "durability", "termination",
        "liveness",
    )  # fmt: skip
    phases = (Phase("acknowledged", APPLIED, "first"), Phase("applied", APPLIED, "last"))
    endless = True
    survives = frozenset({"crash", "power", "slow", "delay", "loss", "partition"})

    timeout_ps: Parameter
    last: int
    loose: int
    unfed: int
    asked: int

    # clients

    @on(Start)
    def start(self, m: Start) -> None:
        """Bring an update to the first of the chain, a read to the master."""
        self.waiting[self.slot(m.op)] = m.op + 1
        self.ask(m.op, m.item, m.value, m.write)

    @on(Retry)
    def retry(self, m: Retry) -> None:
        """Ask again unless the answer has come."""
        if self.waiting[self.slot(m.op)] == m.op + 1:
            self.ask(m.op, m.item, m.value, m.write)

    def ask(self, op: int, item: int, value: int, write: int) -> None:
        """Ask whoever is in charge as far as this member knows."""
        if write == 1 and self.first() == self.me:
            self.admit(op, self.packed(item, value, write))
        elif write == 1:
            self.send(self.first(), Update(op, self.packed(item, value, write)))
        elif self.me == self.root:
            self.vouch(op, item, self.me)
        else:
            self.send(self.root, Read(op, item))
        if self.waiting[self.slot(op)] == op + 1:
            self.timer(4 * self.pause(), Retry(op, item, value, write))

    @on(Reply)
    def replied(self, m: Reply) -> None:
        """Hear the result."""
        self.finish(m.op, m.result)

    def answer_client(self, op: int, client: int, result: int) -> None:
        """Tell a client its result."""
        if client == self.me:
            self.finish(op, result)
        else:
            self.send(client, Reply(op, result))

    # reads

    @on(Read)
    def read(self, m: Read) -> None:
        """Vouch for the last of the chain."""
        if self.me == self.root:
            self.vouch(m.op, m.item, m.source)

    def vouch(self, op: int, item: int, client: int) -> None:
        """Bring a read to the last of the chain in the latest epoch."""
        last = self.last_of_chain()
        if last == self.me:
            self.tell(op, item, client)
        else:
            self.send(last, Query(op, item, self.epoch, client))

    @on(Query)
    def query(self, m: Query) -> None:
        """Answer in the epoch that the master vouches for."""
        if m.epoch == self.epoch and self.after() == NOBODY:
            self.tell(m.op, m.item, m.client)

    def tell(self, op: int, item: int, client: int) -> None:
        """Answer a read, as the last of the chain that is complete."""
        if self.loose == 0:
            self.answer_client(op, client, self.held[item])

    # updates

    @on(Update)
    def update(self, m: Update) -> None:
        """Take an update as the first of the chain."""
        self.admit(m.op, m.content)

    def admit(self, op: int, content: int) -> None:
        """Give an update the next position, unless it has one."""
        if self.before() != NOBODY or self.loose == 1:
            return
        if self.knows(op) == 1:
            self.answer_client(op, content // 2 % self.count, COMMIT)
            return
        if self.last - self.learned >= self.entries:
            return
        for position in range(self.learned + 1, self.last + 1):
            if self.ops[position % self.entries] == op:
                return
        self.store(self.last + 1, op, content)
        self.last += 1
        self.pass_on(self.last)

    @on(Append)
    def append(self, m: Append) -> None:
        """Take the next update from the one before."""
        if m.epoch != self.epoch or m.source != self.before() or m.position != self.last + 1:
            return
        if self.last - self.learned < self.entries and self.dirty == 0:
            self.store(m.position, m.op, m.content)
            self.last += 1
            self.pass_on(self.last)

    def pass_on(self, position: int) -> None:
        """Send an update to the next one; the last one has decided it."""
        if self.after() >= 0 and self.unfed == 0:
            at = position % self.entries
            self.send(self.after(), Append(self.ops[at], self.epoch, position, self.contents[at]))
        elif self.after() == NOBODY and self.loose == 0:
            self.decide(position)

    def decide(self, position: int) -> None:
        """Apply what is decided and say so to the one before."""
        if position > self.last:
            position = self.last
        if position > self.learned:
            while self.learned < position:
                self.apply_next()
            if self.before() >= 0:
                self.send(self.before(), Ack(self.learned, self.epoch))

    def applied(self, op: int, client: int) -> None:
        """Answer the client as the last of the chain."""
        if self.after() == NOBODY:
            self.answer_client(op, client, COMMIT)

    @on(Ack)
    def acknowledged(self, m: Ack) -> None:
        """Hear that all behind have it."""
        if m.epoch == self.epoch and m.source == self.after() and self.loose == 0:
            self.decide(m.op)

    # links

    def settle(self, joined: int) -> None:
        """Take a new place; what was not acknowledged counts only for who was in all along."""
        if self.before() == OUT or joined == 1:
            self.drop()
        self.loosen()
        if self.before() == NOBODY:
            self.link()
        else:
            self.compare()

    def compare(self) -> None:
        """Ask the one before, if there is one, for what is lacking here."""
        if self.before() >= 0:
            self.send(self.before(), Sync(self.lacking(), self.epoch, self.last))

    def drop(self) -> None:
        """Drop what was not acknowledged; the entries in whose place it was kept are lost too."""
        if self.floor < self.last - self.entries:
            self.floor = self.last - self.entries
        self.last = self.learned

    def loosen(self) -> None:
        """Be incomplete until the one before says otherwise."""
        self.loose = 1
        self.unfed = 1
        self.asked = 0

    @on(Sync)
    def sync(self, m: Sync) -> None:
        """Send the next one what it lacks, as soon as this one is complete itself."""
        if m.epoch != self.epoch or m.source != self.after():
            return
        if self.loose == 1:
            self.asked = 1
            return
        self.decide(m.op)
        self.unfed = 0
        position = m.position
        if m.op < 0 or position < self.floor or self.last - position > self.entries:
            self.serve(m.source, m.op)
            position = self.learned
        elif position - m.op >= self.entries:
            # its log is full of what was acknowledged meanwhile
            self.serve(m.source, m.op)
        for later in range(position + 1, self.last + 1):
            at = later % self.entries
            self.send(m.source, Append(self.ops[at], self.epoch, later, self.contents[at]))
        self.send(m.source, Link(self.last, self.epoch))

    @on(Link)
    def link_up(self, m: Link) -> None:
        """Be complete where all that the one before has is here."""
        if m.epoch != self.epoch or m.source != self.before():
            return
        if m.op > self.last:
            # an update was lost or overtaken
            self.compare()
        elif self.loose == 1 and self.dirty == 0:
            self.link()

    def link(self) -> None:
        """Be complete: run again, decide as the last one, and let the next one ask."""
        self.loose = 0
        if self.away == 1:
            self.away = 0
            self.record(0, RESUMED, self.learned)
        if self.after() == NOBODY:
            self.decide(self.last)
        if self.me == self.root:
            self.fresh[self.me] = 0
        else:
            self.send(self.root, Linked(self.epoch))
        if self.asked == 1:
            self.asked = 0
            self.send(self.after(), Invite(self.epoch))

    @on(Invite)
    def invited(self, m: Invite) -> None:
        """Ask for what is lacking."""
        if m.op == self.epoch and m.source == self.before():
            self.compare()

    def confirm(self) -> None:
        """As the first, be complete when the master says that the epoch is the latest."""
        if self.loose == 1 and self.before() == NOBODY and self.dirty == 0:
            self.link()

    def stands(self, upto: int) -> None:
        """Apply what is here, instead of taking over what comes of it."""
        if self.dirty == 0 and upto <= self.last:
            self.decide(upto)

    def reach(self) -> int:
        """Return the last position that has an entry."""
        return self.last

    def skipped(self) -> None:
        """Let the log reach as far as what was taken over."""
        if self.last < self.learned:
            self.last = self.learned
        if self.away == 1:
            self.loosen()

    # up and down

    def pause(self) -> int:
        """Return the picoseconds between two beats."""
        return self.timeout_ps if self.timeout_ps > 0 else 2 * self.round_ps

    @on(Boot)
    def boot(self, m: Boot) -> None:
        """Begin to watch."""
        self.timer(self.pause(), Tick(0))

    @on(Tick)
    def tick(self, m: Tick) -> None:
        """Beat as the master; compare with the one before."""
        self.timer(self.pause(), Tick(0))
        if self.me == self.root:
            self.watch()
            self.confirm()
        self.compare()

    @on(PowerDown)
    def power_down(self, m: PowerDown) -> None:
        """Ask to be taken out."""
        if self.me != self.root:
            self.send(self.root, Leave(self.epoch))

    def come_back(self) -> None:
        """Be incomplete until the one before has compared the log; find the epoch, link again."""
        self.away = 1
        self.loosen()
        self.timer(self.pause(), Tick(0))
        if self.me == self.root:
            self.confirm()
        else:
            self.send(self.root, Here(self.epoch, self.lacking()))
        self.compare()

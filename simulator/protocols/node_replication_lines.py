"""The lines of node replication: slots, the log with its tail, and the replicas.

What the PUs do with them stands in `node_replication`. A log entry comes from the log's home (the
root) to who writes it, and from there to who reads it; the time is that of the PU, so that PUs that
are at different entries do not wait for each other.
"""

from simulator.history import APPLIED, ORDERED
from simulator.protocols.protocol import Message, Parameter, PerEntry, PerNode, message, on
from simulator.protocols.shared_memory import Answer, SharedMemory


@message
class Publish(Message):
    """An update, to the slot of who begins it."""

    item: int
    value: int


@message
class Look(Message):
    """The combiner reads a slot."""


@message
class Found(Message):
    """What stands in a slot: operation + 1 or 0; its line takes the reader `took` picoseconds."""

    pending: int
    item: int
    value: int
    took: int


@message
class Clear(Message):
    """The update in a slot is done."""


@message
class Reserve(Message):
    """Asks the tail for so many entries."""

    size: int


@message
class Append(Message):
    """Writes an entry of the log."""

    item: int
    value: int
    place: int


@message
class Fetch(Message):
    """Reads an entry of the log, as soon as it is written."""

    place: int


@message
class Entry(Message):
    """An entry of the log, and who wrote it."""

    item: int
    value: int
    place: int
    writer: int


@message
class Apply(Message):
    """Changes the replica by an entry; `running` is the operation of who combines."""

    item: int
    value: int
    place: int
    running: int


@message
class See(Message):
    """Asks how far the log is completed."""


@message
class Complete(Message):
    """A replica has the log up to a place."""

    place: int
    domain: int


@message
class Consumed(Message):
    """The same, for the tail: it must not overtake the last replica by a whole log."""

    place: int
    domain: int


@message
class Read(Message):
    """Reads an item of a replica that has at least so much of the log."""

    item: int
    least: int


class NodeReplicationLines(SharedMemory):
    """A line: tail, completed part, log, lock or replica of a domain, or slot of a member.

    With `calls` tail, completed part and log are no lines: the root keeps them, and is sent
    messages. `work_ps` is the time to change a replica by an entry. A slot keeps one update, in the
    fields of its member: `items_of` and `values_of`, and operation + 1 in `flag`. `flag` is the
    tail too, and 1 while a replica is changed; `link` how much of the log a replica has, or is
    completed. The log keeps what stands at each place, and in `wants` the place that a member waits
    for; the tail keeps in `consumed` how much of the log each domain has.
    """

    cache_lines = ("one", "one", "one", "domain", "domain", "member")

    calls: Parameter
    work_ps: Parameter
    items_of: PerNode
    values_of: PerNode
    wants: PerNode
    consumed: PerNode
    place_at: PerEntry
    op_at: PerEntry
    item_at: PerEntry
    value_at: PerEntry
    writer_at: PerEntry

    def tail(self) -> int:
        """Return where the tail is: a line, or the root, which is called."""
        return self.root if self.calls > 0 else self.count

    def completed(self) -> int:
        """Return where it stands how far the log is completed."""
        return self.root if self.calls > 0 else self.count + 1

    def log(self) -> int:
        """Return where the log is."""
        return self.root if self.calls > 0 else self.count + 2

    def post(self, member: int) -> int:
        """Return the slot of a member."""
        return self.count + 3 + 2 * self.domains + member

    def home(self) -> int:
        """Let each slot lie with its member at first, and all other lines with the root."""
        member = self.me - self.post(0)
        return member if member >= 0 else self.root

    @on(Publish)
    def publish(self, m: Publish) -> None:
        """Slot: take an update."""
        self.take_home()
        self.work(self.store_ps(m.source))
        self.seize(m.source)
        self.flag = m.op + 1
        self.items_of[m.source] = m.item
        self.values_of[m.source] = m.value
        self.send(m.source, Answer(m.op, 0))

    @on(Look)
    def look(self, m: Look) -> None:
        """Slot: let the combiner read; the time is its own, for its loads follow each other."""
        self.take_home()
        took = self.load_ps(m.source)
        self.share(m.source)
        member = self.me - self.post(0)
        self.send(
            m.source,
            Found(m.op, self.flag, self.items_of[member], self.values_of[member], took),
        )

    @on(Clear)
    def clear(self, m: Clear) -> None:
        """Slot: the update is done."""
        self.work(self.store_ps(m.source))
        self.seize(m.source)
        self.flag = 0
        self.send(m.source, Answer(m.op, 0))

    def come_for_good(self, asker: int) -> None:
        """Let a line come to who changes it; the keeper of a log that is called has no line."""
        if self.me >= self.count:
            self.take_home()
            self.work(self.store_ps(asker))
            self.seize(asker)

    @on(Reserve)
    def reserve(self, m: Reserve) -> None:
        """Tail: give entries away, unless a replica has not seen what they would overwrite."""
        self.come_for_good(m.source)
        last = 0
        for domain in range(self.domains):
            if self.consumed[domain] < self.consumed[last]:
                last = domain
        if self.flag + m.size - self.consumed[last] > self.entries:
            self.send(m.source, Answer(m.op, -last - 1))
        else:
            self.send(m.source, Answer(m.op, self.flag))
            self.flag += m.size

    @on(Consumed)
    def consume(self, m: Consumed) -> None:
        """Tail: note how far a replica has come."""
        if m.place > self.consumed[m.domain]:
            self.consumed[m.domain] = m.place

    @on(See)
    def see(self, m: See) -> None:
        """Completed part: tell the place."""
        if self.me >= self.count:
            self.take_home()
            self.work(self.load_ps(m.source))
            self.share(m.source)
        self.send(m.source, Answer(m.op, self.link))

    @on(Complete)
    def complete(self, m: Complete) -> None:
        """Completed part: go on to a place, if nobody has been further."""
        self.come_for_good(m.source)
        if m.place > self.link:
            self.link = m.place
        self.send(self.tail(), Consumed(m.op, m.place, m.domain))
        self.send(m.source, Answer(m.op, 0))

    @on(Append)
    def append_entry(self, m: Append) -> None:
        """Log: take an entry, and give it to all who wait for it."""
        at = m.place % self.entries
        self.place_at[at] = m.place
        self.op_at[at] = m.op
        self.item_at[at] = m.item
        self.value_at[at] = m.value
        self.writer_at[at] = m.source
        self.record(m.op, ORDERED, m.place)
        member = 0
        while self.spinners > 0 and member < self.count:
            if self.wants[member] == m.place:
                self.wants[member] = 0
                self.spinners -= 1
                self.give(member, at)
            member += 1

    @on(Fetch)
    def fetch(self, m: Fetch) -> None:
        """Log: give an entry away, once it is written."""
        at = m.place % self.entries
        if self.place_at[at] == m.place:
            self.give(m.source, at)
        else:
            self.wants[m.source] = m.place
            self.spinners += 1

    def give(self, member: int, at: int) -> None:
        """Log: send an entry to a member."""
        item = self.item_at[at]
        value = self.value_at[at]
        writer = self.writer_at[at]
        self.send(member, Entry(self.op_at[at], item, value, self.place_at[at], writer))

    @on(Apply)
    def apply(self, m: Apply) -> None:
        """Replica: change an item; who combines has the line already."""
        self.record(m.op, APPLIED, m.place)
        self.work(self.transfer_ps(m.source, m.source) + self.work_ps)
        self.register[m.item] = m.value
        self.link = m.place
        self.send(m.source, Answer(m.running, 0))

    @on(Read)
    def read(self, m: Read) -> None:
        """Replica: tell an item, -1 where the replica is behind, or nothing while it changes."""
        self.take_home()
        self.work(self.load_ps(m.source))
        self.share(m.source)
        if self.flag > 0:
            self.let_spin(m.op, m.source)
        elif self.link < m.least:
            self.send(m.source, Answer(m.op, -1))
        else:
            self.send(m.source, Answer(m.op, self.register[m.item]))

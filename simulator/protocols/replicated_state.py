"""Read-mostly state with a replica at each PU, or one in each domain: reads are local.

Updates go to the coordinator (the root), which numbers them. An update first makes its item invalid
at all replicas: `Withdraw` runs down the tree, acknowledgements come up, subtree by subtree. Only
then does the coordinator take the new value, end the operation, and send the value down. A replica
whose item is invalid asks the coordinator. So nobody reads the new value while another may still
read the old one: the registers are linearizable. An update that merely waits for acknowledgements
before it returns would not be enough: while it is under way a PU could read the new value, and
another one after it the old.

Updates of an item may overlap: that with the larger number wins, and a replica becomes valid only
with the value of the latest update that it has heard of.

No update ends while a member of the tree is down, and what was lost is not repeated.
"""

from simulator.history import COMMIT, DECIDED, ORDERED, PREPARED
from simulator.protocols.protocol import (
    Message,
    Parameter,
    PerItem,
    PerOperation,
    Phase,
    Protocol,
    Start,
    message,
    on,
)


@message
class Request(Message):
    """An update on its way to the coordinator."""

    item: int
    value: int


@message
class Withdraw(Message):
    """The item is about to change: do not read it any more."""

    item: int
    number: int


@message
class Withdrawn(Message):
    """Nobody in a subtree reads the old value any more."""


@message
class Update(Message):
    """The new value, on its way down."""

    item: int
    value: int
    number: int


@message
class Read(Message):
    """Asks another member for the value of an item."""

    item: int


@message
class Reply(Message):
    """The value that was read, or the outcome of an update."""

    result: int


class ReplicatedState(Protocol):
    """A PU with its replica; the root is the coordinator too.

    With `per_domain` only the first member of each domain answers reads, and the others ask it.
    With `remote_reads` all reads go to the coordinator: what replicas are compared with.
    `work_ps` is the time to change an item of a replica. `register` holds the items, `valid` the
    number of the update that each is of, `heard` that of the latest one heard of. `numbered` counts
    the updates at the coordinator; of each it keeps who asked (`client`), `item`, `value` and
    `number`. `answers` counts who has withdrawn an item. `asked` is who waits for a read (+ 1).
    """

    name = "replicated-state"
    starts = "client"
    reports = "one"
    options = frozenset({"reads_per_mille", "items"})
    promises = ("integrity", "linearizability", "termination", "liveness")
    phases = (
        Phase("withdrawn", PREPARED, "last"),
        Phase("decided", DECIDED, "first"),
        Phase("replicated", DECIDED, "last"),
    )

    per_domain: Parameter
    remote_reads: Parameter
    work_ps: Parameter
    register: PerItem
    valid: PerItem
    heard: PerItem
    numbered: int
    client: PerOperation
    item: PerOperation
    value: PerOperation
    number: PerOperation
    answers: PerOperation
    asked: PerOperation

    @on(Start)
    def start(self, m: Start) -> None:
        """Read, or bring an update to the coordinator."""
        self.asked[self.slot(m.op)] = 0
        if m.write == 0:
            self.read(m.op, m.item, self.me)
        elif self.me == self.root:
            self.update(m.op, m.item, m.value, self.me)
        else:
            self.send(self.root, Request(m.op, m.item, m.value))

    @on(Read)
    def asked_to_read(self, m: Read) -> None:
        """Read for somebody else."""
        self.read(m.op, m.item, m.source)

    def read(self, op: int, item: int, reader: int) -> None:
        """Answer from the own replica, or ask who has one that may be read."""
        replica = self.replica(item)
        if replica == self.me:
            self.reply(op, reader, self.register[item])
        else:
            self.asked[self.slot(op)] = reader + 1
            self.send(replica, Read(op, item))

    def replica(self, item: int) -> int:
        """Return the member whose replica this one may read."""
        if self.me == self.root or self.remote_reads > 0:
            return self.root
        if self.per_domain > 0 and self.me != self.leader:
            return self.leader
        return self.me if self.readable(item) > 0 else self.root

    def readable(self, item: int) -> int:
        """Return 1 where the own replica has the latest value that anybody has heard of."""
        return 1 if self.valid[item] == self.heard[item] else 0

    def reply(self, op: int, client: int, result: int) -> None:
        """End an operation, or tell who asked for it."""
        if client == self.me:
            self.done(op, result)
        else:
            self.send(client, Reply(op, result))

    @on(Reply)
    def replied(self, m: Reply) -> None:
        """Take a result, or pass on what was read for somebody else."""
        slot = self.slot(m.op)
        reader = self.asked[slot] - 1
        self.asked[slot] = 0
        self.reply(m.op, reader if reader >= 0 else self.me, m.result)

    @on(Request)
    def request(self, m: Request) -> None:
        """Take an update of another member."""
        self.update(m.op, m.item, m.value, m.source)

    def update(self, op: int, item: int, value: int, client: int) -> None:
        """Number an update, and withdraw the item."""
        slot = self.slot(op)
        self.numbered += 1
        self.record(op, ORDERED, self.numbered)
        self.client[slot] = client
        self.item[slot] = item
        self.value[slot] = value
        self.number[slot] = self.numbered
        self.withdraw_item(op, item, self.numbered)

    @on(Withdraw)
    def withdraw(self, m: Withdraw) -> None:
        """Withdraw an item in the own subtree."""
        self.withdraw_item(m.op, m.item, m.number)

    def withdraw_item(self, op: int, item: int, number: int) -> None:
        """Make the item invalid here, and let those below do so."""
        if number > self.heard[item]:
            self.heard[item] = number
        self.record(op, PREPARED)
        self.multicast(Withdraw(op, item, number))
        self.tally(op)

    @on(Withdrawn)
    def withdrawn(self, m: Withdrawn) -> None:
        """Count a subtree; its answer may come up another tree, and before the withdrawal."""
        self.tally(m.op)

    def tally(self, op: int) -> None:
        """Count, the own replica as well; once all are in, this subtree has withdrawn the item."""
        slot = self.slot(op)
        self.answers[slot] += 1
        if self.answers[slot] == self.nchildren + 1:
            self.answers[slot] = 0
            self.withdrawn_below(op)

    def withdrawn_below(self, op: int) -> None:
        """Say so; at the coordinator, take the new value, end the operation and send it down."""
        if self.me != self.root:
            self.send(self.parent, Withdrawn(op))
        else:
            slot = self.slot(op)
            self.take(op, self.item[slot], self.value[slot], self.number[slot])
            self.reply(op, self.client[slot], COMMIT)
            self.multicast(Update(op, self.item[slot], self.value[slot], self.number[slot]))

    @on(Update)
    def updated(self, m: Update) -> None:
        """Take over a new value."""
        self.take(m.op, m.item, m.value, m.number)
        self.multicast(m)

    def take(self, op: int, item: int, value: int, number: int) -> None:
        """Change the own replica, unless it has the value of a later update."""
        self.record(op, DECIDED, COMMIT)
        self.work(self.work_ps)
        if number > self.valid[item]:
            self.valid[item] = number
            self.register[item] = value

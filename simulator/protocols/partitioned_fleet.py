"""A fleet of servers: the items are partitioned over them, and may have backups.

Fleets: D. Wentzlaff, A. Agarwal, "Factored operating systems (fos)", OSR 2009; clustered objects of
Tornado: B. Gamsa et al., OSDI 1999. A client knows from the item which server is its primary. With
backups the primary numbers the updates of its items, sends each to the next servers of the fleet,
and makes it visible and answers once all of them have it (primary and backup: P. Alsberg, J. Day,
"A principle for resilient sharing of distributed resources", ICSE 1976). Reads are answered by the
primary alone.

Nobody takes over from a primary that is down: its items wait for it, and what was lost is not
repeated. What has ended is on all of its backups.
"""

from simulator.history import COMMIT, ORDERED, PREPARED
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
class Call(Message):
    """An operation, on its way to the primary of its item."""

    item: int
    value: int
    write: int


@message
class Copy(Message):
    """An update on its way to a backup; `number` is its place among those of its primary."""

    item: int
    value: int
    number: int


@message
class Kept(Message):
    """A backup has an update."""


@message
class Reply(Message):
    """What came of an operation."""

    result: int


class PartitionedFleet(Protocol):
    """A client, and maybe a server.

    There are `servers` of them (0: as many as domains), spread evenly over the members, and each
    has `backups` (at most all others). `work_ps` is the time of an operation at its primary and of
    an update at a backup. `register` holds the items, `newest` the number of the update that each
    is of; `numbered` counts the updates. Of an update under way the primary keeps `client`, `item`,
    `value`, `number` and `missing`, the backups that have not answered.
    """

    name = "partitioned-fleet"
    starts = "client"
    reports = "one"
    options = frozenset({"reads_per_mille", "items"})
    promises = ("integrity", "linearizability", "termination", "liveness")
    phases = (Phase("ordered", ORDERED, "first"),)

    servers: Parameter
    backups: Parameter
    work_ps: Parameter
    register: PerItem
    newest: PerItem
    numbered: int
    client: PerOperation
    item: PerOperation
    value: PerOperation
    number: PerOperation
    missing: PerOperation

    def fleet(self) -> int:
        """Return how many servers there are."""
        wanted = self.servers if self.servers > 0 else self.domains
        return wanted if wanted < self.count else self.count

    def server(self, item: int, further: int) -> int:
        """Return the primary of an item, or the server that stands so much further."""
        fleet = self.fleet()
        return (item + further) % fleet * self.count // fleet

    def copies(self) -> int:
        """Return how many backups each server has."""
        others = self.fleet() - 1
        return self.backups if self.backups < others else others

    @on(Start)
    def start(self, m: Start) -> None:
        """Call the primary of the item."""
        primary = self.server(m.item, 0)
        if self.me == primary:
            self.serve(m.op, m.item, m.value, m.write, self.me)
        else:
            self.send(primary, Call(m.op, m.item, m.value, m.write))

    @on(Call)
    def call(self, m: Call) -> None:
        """Carry out the operation of a client."""
        self.serve(m.op, m.item, m.value, m.write, m.source)

    def serve(self, op: int, item: int, value: int, write: int, client: int) -> None:
        """Answer a read; number an update and bring it to the backups."""
        if write == 0:
            self.work(self.work_ps)
            self.reply(op, client, self.register[item])
        else:
            slot = self.slot(op)
            self.numbered += 1
            self.client[slot] = client
            self.item[slot] = item
            self.value[slot] = value
            self.number[slot] = self.numbered
            self.missing[slot] = self.copies()
            # no two servers use a position twice, and each item has its order from one of them
            self.record(op, ORDERED, self.numbered * self.fleet() + item % self.fleet())
            self.work(self.work_ps)
            self.copy(op)

    def copy(self, op: int) -> None:
        """Send an update to the backups, or end it where there are none."""
        slot = self.slot(op)
        item = self.item[slot]
        for further in range(1, self.copies() + 1):
            backup = self.server(item, further)
            self.send(backup, Copy(op, item, self.value[slot], self.number[slot]))
        if self.missing[slot] == 0:
            self.complete(op)

    @on(Copy)
    def copied(self, m: Copy) -> None:
        """Keep an update of another server's item."""
        self.record(m.op, PREPARED, m.number)
        self.keep(m.item, m.value, m.number)
        self.work(self.work_ps)
        self.send(m.source, Kept(m.op))

    @on(Kept)
    def kept(self, m: Kept) -> None:
        """Count a backup."""
        slot = self.slot(m.op)
        self.missing[slot] -= 1
        if self.missing[slot] == 0:
            self.complete(m.op)

    def complete(self, op: int) -> None:
        """Make an update visible and answer."""
        slot = self.slot(op)
        self.keep(self.item[slot], self.value[slot], self.number[slot])
        self.reply(op, self.client[slot], COMMIT)

    def keep(self, item: int, value: int, number: int) -> None:
        """Take an update over, unless a later one has come first."""
        if number > self.newest[item]:
            self.newest[item] = number
            self.register[item] = value

    def reply(self, op: int, client: int, result: int) -> None:
        """Tell the client what came of its operation."""
        if client == self.me:
            self.done(op, result)
        else:
            self.send(client, Reply(op, result))

    @on(Reply)
    def replied(self, m: Reply) -> None:
        """Take the result."""
        self.done(m.op, m.result)

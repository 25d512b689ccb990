"""Node replication: a replica in each domain, flat combining inside, a shared log between.

I. Calciu et al., "Black-box concurrent data structures for NUMA architectures" (NR), ASPLOS 2017. A
PU publishes an update in its slot and tries to get the lock of its domain. Who has it combines: it
collects the slots of the domain, reserves so many entries at the tail of the log, writes them,
brings the replica up to its last entry, reports that the log is completed so far, empties the slots
and releases the lock; the others find their updates done. A read waits until the replica has caught
up with the completed part of the log that it saw when it began, if need be by combining itself, and
while the replica changes: so it is linearizable.

Tail, completed part, locks, replicas and slots are cache lines (`node_replication_lines`); or the
domains share nothing, and the root keeps the log and is called by messages. A log entry is used
again only when every replica has it; a domain in which nothing happens is helped.

Combining is blocking: whatever waits for a combiner that has crashed waits for ever.
"""

from simulator.history import APPLIED, COMMIT, ORDERED
from simulator.protocols.node_replication_lines import (
    Append,
    Apply,
    Clear,
    Complete,
    Entry,
    Fetch,
    Found,
    Look,
    NodeReplicationLines,
    Publish,
    Read,
    Reserve,
    See,
)
from simulator.protocols.protocol import PerNode, Phase, on
from simulator.protocols.shared_memory import COMPARE, FLAG, LINK, LOAD, SWAP, UNTIL_ZERO, Access

PUBLISH, TEST, CHECK, SET, COLLECT, RESERVE, TAKE, RESUME, REPLAY, APPLY = range(10)
COMPLETE, UNLOCK, CLEAR, RELEASE, SEE, READ, AIM = range(10, 17)
"""What an operation is waiting for."""


class NodeReplication(NodeReplicationLines):
    """A PU, which combines for its domain when it gets the lock, or a line.

    `stage` says what the operation waits for, `helped` the domain + 1 that this member works for
    where it is another's (the same negative as long as the own lock is not released), `missing` how
    many slots have not been read, `batch` operation + 1 of each update that they held, `size` of
    them, `goal` the place of the log that the replica is brought to, `reached` the one it is at,
    `least` the one that a read must not miss.
    """

    name = "node-replication"
    options = frozenset({"reads_per_mille", "items"})
    promises = ("integrity", "linearizability", "termination", "liveness")
    phases = (Phase("ordered", ORDERED, "first"), Phase("applied", APPLIED, "first"))

    stage: int
    helped: int
    missing: int
    size: int
    goal: int
    reached: int
    least: int
    batch: PerNode

    def lock(self) -> int:
        """Return the lock of the domain that this member works for."""
        return self.count + 3 + self.served()

    def replica(self) -> int:
        """Return the replica of the domain that this member works for."""
        return self.count + 3 + self.domains + self.served()

    def served(self) -> int:
        """Return the own domain, or the one that is helped."""
        return self.helped - 1 if self.helped > 0 else self.domain

    def begin(self, op: int) -> None:
        """Publish an update, or see how much of the log a read must not miss."""
        slot = self.slot(op)
        if self.write[slot] > 0:
            self.stage = PUBLISH
            self.send(self.post(self.me), Publish(op, self.item[slot], self.value[slot]))
        else:
            self.stage = SEE
            self.send(self.completed(), See(op))

    def proceed(self, op: int, value: int) -> None:
        """Take the next step: on the way to the lock, of a round, or of a read."""
        if self.stage >= SEE:
            self.read_on(op, value)
        elif self.stage < COLLECT:
            self.contend(op, value)
        else:
            self.combine(op, value)

    def contend(self, op: int, value: int) -> None:
        """Get the lock of the domain, unless somebody has done the update meanwhile."""
        if self.stage == PUBLISH:
            self.stage = TEST
            self.spin(op)
        elif self.stage == TEST and (self.helped > 0 or self.write[self.slot(op)] == 0):
            self.attempt(op)
        elif self.stage == TEST:
            self.check(op)
        elif self.stage == CHECK and value == 0:
            self.finish(op, COMMIT)
        elif self.stage == CHECK:
            self.attempt(op)
        else:
            self.tried(op, value)

    def spin(self, op: int) -> None:
        """Read again what one waits for: the lock, or a replica that was being changed."""
        if self.stage == TEST:
            self.send(self.lock(), Access(op, UNTIL_ZERO, FLAG, 0, 0, 1))
        else:
            self.send(self.replica(), Read(op, self.item[self.slot(op)], self.least))

    def check(self, op: int) -> None:
        """Look whether the own update is done."""
        self.stage = CHECK
        self.send(self.post(self.me), Access(op, LOAD, FLAG, 0, 0, 1))

    def attempt(self, op: int) -> None:
        """Try to get the lock."""
        self.stage = SET
        self.send(self.lock(), Access(op, COMPARE, FLAG, 1, 0, 1))

    def tried(self, op: int, held: int) -> None:
        """Begin a round with the lock, or wait on."""
        if held != 0:
            self.stage = TEST
            self.spin(op)
        elif self.helped > 0:
            self.stage = AIM
            self.send(self.completed(), See(op))
        else:
            self.collect(op)

    def collect(self, op: int) -> None:
        """Read the slots of the domain."""
        self.stage = COLLECT
        self.size = 0
        self.missing = 1
        self.send(self.post(self.me), Look(op))
        for other in self.neighbours:
            self.missing += 1
            self.send(self.post(other), Look(op))

    @on(Found)
    def found(self, m: Found) -> None:
        """Take an update into the batch, unless that is as long as the log already."""
        if self.running != m.op + 1 or self.stage != COLLECT:
            return
        member = m.source - self.post(0)
        self.work(m.took)
        if m.pending > 0 and self.size < self.entries:
            self.batch[member] = m.pending
            self.items_of[member] = m.item
            self.values_of[member] = m.value
            self.size += 1
        self.missing -= 1
        if self.missing == 0:
            self.collected(m.op)

    def collected(self, op: int) -> None:
        """Reserve entries for the batch; without one, a read only catches up."""
        if self.size > 0:
            self.stage = RESERVE
            self.send(self.tail(), Reserve(op, self.size))
        elif self.write[self.slot(op)] > 0:
            self.release(op)
        else:
            self.catch_up(op, self.least)

    def catch_up(self, op: int, goal: int) -> None:
        """Take the replica, to bring it up to a place of the log."""
        self.goal = goal
        self.stage = TAKE
        self.send(self.replica(), Access(op, SWAP, FLAG, 1, 0, 1))

    def combine(self, op: int, value: int) -> None:
        """Take the next step of a round."""
        if self.stage == RESERVE and value < 0:
            self.help_first(op, -value)
        elif self.stage == RESERVE:
            self.append(op, value)
            self.catch_up(op, value + self.size)
        elif self.stage == TAKE:
            self.stage = RESUME
            self.send(self.replica(), Access(op, LOAD, LINK, 0, 0, 1))
        elif self.stage == RESUME:
            self.stage = REPLAY
            self.reached = value
            self.replay(op)
        elif self.stage == APPLY:
            self.stage = REPLAY
            self.reached += 1
            self.replay(op)
        else:
            self.wind_up(op)

    def wind_up(self, op: int) -> None:
        """Take the next step at the end of a round."""
        if self.stage == COMPLETE:
            self.stage = UNLOCK
            self.send(self.replica(), Access(op, SWAP, FLAG, 0, 0, 1))
        elif self.stage == UNLOCK:
            self.empty(op)
        elif self.stage == CLEAR:
            self.missing -= 1
            if self.missing == 0:
                self.release(op)
        else:
            self.released(op)

    def append(self, op: int, tail: int) -> None:
        """Write the entries of the batch."""
        place = tail
        for member in range(self.count):
            if self.batch[member] > 0:
                place += 1
                if self.calls == 0:
                    self.work(self.transfer_ps(self.root, self.me))
                item = self.items_of[member]
                value = self.values_of[member]
                self.send(self.log(), Append(self.batch[member] - 1, item, value, place))

    def replay(self, op: int) -> None:
        """Fetch the next entry, or say how far the replica has come."""
        if self.reached < self.goal:
            self.send(self.log(), Fetch(op, self.reached + 1))
        else:
            self.stage = COMPLETE
            self.send(self.completed(), Complete(op, self.reached, self.served()))

    @on(Entry)
    def entry(self, m: Entry) -> None:
        """Change the replica by an entry."""
        if self.running > 0 and self.stage == REPLAY and m.place == self.reached + 1:
            if self.calls == 0:
                self.work(self.transfer_ps(m.writer, self.me))
            self.stage = APPLY
            self.send(self.replica(), Apply(m.op, m.item, m.value, m.place, self.running - 1))

    def empty(self, op: int) -> None:
        """Empty the slots of the batch, all of them before the lock is free."""
        self.stage = CLEAR
        self.missing = 0
        for member in range(self.count):
            if self.batch[member] > 0:
                self.batch[member] = 0
                self.missing += 1
                self.send(self.post(member), Clear(op))
        if self.missing == 0:
            self.release(op)

    def release(self, op: int) -> None:
        """Release the lock."""
        self.stage = RELEASE
        self.send(self.lock(), Access(op, SWAP, FLAG, 0, 0, 1))

    def help_first(self, op: int, domain: int) -> None:
        """Give the round up: the log is full until a domain (+ 1) has been helped."""
        for member in range(self.count):
            self.batch[member] = 0
        self.stage = RELEASE
        self.send(self.lock(), Access(op, SWAP, FLAG, 0, 0, 1))
        self.helped = -domain

    def released(self, op: int) -> None:
        """Help where that was found due; else go on with the own operation."""
        if self.helped < 0:
            self.helped = -self.helped
            self.stage = TEST
            self.spin(op)
        elif self.write[self.slot(op)] > 0:
            self.helped = 0
            self.stage = TEST
            self.spin(op)
        else:
            self.helped = 0
            self.stage = READ
            self.spin(op)

    def read_on(self, op: int, value: int) -> None:
        """Read the replica, or bring it up to date first."""
        if self.stage == AIM:
            self.catch_up(op, value)
        elif self.stage == SEE:
            self.least = value
            self.stage = READ
            self.spin(op)
        elif value >= 0:
            self.finish(op, value)
        else:
            self.stage = TEST
            self.spin(op)

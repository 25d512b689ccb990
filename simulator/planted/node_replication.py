"""Planted faults of node replication."""

from simulator.planted import Planted
from simulator.protocols.node_replication import (
    COMPLETE,
    READ,
    RESERVE,
    RESUME,
    SEE,
    NodeReplication,
)
from simulator.protocols.node_replication_lines import Read, Reserve

MIXED = {
    "operations": 150,
    "outstanding": 6,
    "items": 2,
    "reads_per_mille": 500,
    "work_ps": 50,
    "domains": ((0, 1, 2, 3), (4, 5, 6)),
}

SLOW = {
    **MIXED,
    "operations": 300,
    "items": 1,
    "reads_per_mille": 850,
    "work_ps": 1000,
    "domains": ((0, 1, 2, 3, 4), (5, 6)),
    "parameters": {"calls": 1},
}


class TwoCombiners(NodeReplication):
    """Combines though somebody else has the lock."""

    def tried(self, op: int, held: int) -> None:
        super().tried(op, 0)


class ReadsBeforeCatchingUp(NodeReplication):
    """A read takes its replica as it is."""

    def read_on(self, op: int, value: int) -> None:
        super().read_on(op, 0 if self.stage == SEE else value)


class DoesNotComplete(NodeReplication):
    """A combiner does not report how far the log is completed."""

    def replay(self, op: int) -> None:
        if self.reached >= self.goal:
            self.stage = COMPLETE
            self.proceed(op, 0)
        else:
            super().replay(op)


class ReservesTooFew(NodeReplication):
    """Reserves one entry for the whole batch."""

    def collected(self, op: int) -> None:
        if self.size > 0:
            self.stage = RESERVE
            self.send(self.count, Reserve(op, 1))
        else:
            super().collected(op)


class AppliesTwice(NodeReplication):
    """Begins with the last entry that the replica has."""

    def combine(self, op: int, value: int) -> None:
        if self.stage == RESUME and value > 0:
            super().combine(op, value - 1)
        else:
            super().combine(op, value)


class SkipsAnEntry(NodeReplication):
    """Begins behind the entry that the replica lacks, where it lacks several."""

    def combine(self, op: int, value: int) -> None:
        if self.stage == RESUME and self.goal > value + 1:
            super().combine(op, value + 1)
        else:
            super().combine(op, value)


class LosesAnInvalidation(NodeReplication):
    """A lock's line does not tell one of those who spin."""

    def invalidate(self, asker: int) -> None:
        lost = self.count // 2
        if self.spins[lost] > 0:
            self.spins[lost] = 0
            self.spinners -= 1
        super().invalidate(asker)


class ReadsTheItemBeside(NodeReplication):
    """One PU reads another item of its replica."""

    def spin(self, op: int) -> None:
        slot = self.slot(op)
        if self.me == 1 and self.stage == READ:
            self.send(self.replica(), Read(op, (self.item[slot] + 1) % self.items, self.least))
        else:
            super().spin(op)


class ReadsWhileItChanges(NodeReplication):
    """A replica is read between two entries of a round, which is not completed yet.

    So one sees an update, and who asks the other domain afterwards does not.
    """

    def read(self, m: Read) -> None:
        changing = self.flag
        self.flag = 0
        super().read(m)
        self.flag = changing


PLANTED = (
    Planted(TwoCombiners, ("integrity", "linearizability"), MIXED),
    Planted(ReadsBeforeCatchingUp, ("linearizability",), MIXED),
    Planted(DoesNotComplete, ("linearizability",), MIXED),
    Planted(ReservesTooFew, ("integrity", "linearizability"), MIXED),
    Planted(AppliesTwice, ("integrity",), MIXED),
    Planted(SkipsAnEntry, ("linearizability",), MIXED),
    Planted(LosesAnInvalidation, ("termination",), MIXED),
    Planted(ReadsTheItemBeside, ("linearizability",), MIXED),
    Planted(ReadsWhileItChanges, ("linearizability",), SLOW),
)

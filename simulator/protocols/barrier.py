"""Barrier: a reduction tells the root that all have entered, a broadcast lets all leave."""

from simulator.history import COMMIT, ENTERED, LEFT, REDUCED
from simulator.protocols.protocol import START, Message, PerOperation, Phase, Protocol, on

READY, RELEASE = 1, 2


class Barrier(Protocol):
    """One member of a barrier."""

    name = "barrier"
    starts = "members"
    reports = "all"
    promises = ("integrity", "separation", "termination")
    phases = (Phase("reduced", REDUCED, "first"), Phase("released", LEFT, "last"))

    arrived: PerOperation

    @on(START)
    def start(self, m: Message) -> None:
        """Enter."""
        self.record(m.op, ENTERED)
        self.gather(m)

    @on(READY)
    def gather(self, m: Message) -> None:
        """Count the own entry and the subtrees; tell the parent when all are in."""
        slot = self.slot(m.op)
        self.arrived[slot] += 1
        if self.arrived[slot] == self.nchildren + 1:
            self.arrived[slot] = 0
            if self.me == self.root:
                self.record(m.op, REDUCED)
                self.release(m)
            else:
                self.send(self.parent, READY, m.op)

    @on(RELEASE)
    def release(self, m: Message) -> None:
        """Leave and let the children leave."""
        self.record(m.op, LEFT)
        self.done(m.op, COMMIT)
        self.multicast(RELEASE, m.op)

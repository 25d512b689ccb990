"""Barrier: a reduction tells the root that all have entered, a broadcast lets all leave."""

from simulator.history import COMMIT, ENTERED, LEFT, REDUCED
from simulator.protocols.protocol import (
    Message,
    PerOperation,
    Phase,
    Protocol,
    Start,
    message,
    on,
)


@message
class Ready(Message):
    """All of a subtree have entered."""


@message
class Release(Message):
    """All have entered: leave."""


class Barrier(Protocol):
    """One member of a barrier."""

    name = "barrier"
    starts = "members"
    reports = "all"
    promises = ("integrity", "separation", "termination")
    phases = (Phase("reduced", REDUCED, "first"), Phase("released", LEFT, "last"))

    arrived: PerOperation

    @on(Start)
    def start(self, m: Start) -> None:
        """Enter."""
        self.record(m.op, ENTERED)
        self.gather(m.op)

    @on(Ready)
    def ready(self, m: Ready) -> None:
        """Count a subtree."""
        self.gather(m.op)

    def gather(self, op: int) -> None:
        """Count the own entry and the subtrees; tell the parent when all are in."""
        slot = self.slot(op)
        self.arrived[slot] += 1
        if self.arrived[slot] == self.nchildren + 1:
            self.arrived[slot] = 0
            if self.me == self.root:
                self.record(op, REDUCED)
                self.leave(op)
            else:
                self.send(self.parent, Ready(op))

    @on(Release)
    def release(self, m: Release) -> None:
        """Hear that all have entered."""
        self.leave(m.op)

    def leave(self, op: int) -> None:
        """Leave and let the children leave."""
        self.record(op, LEFT)
        self.done(op, COMMIT)
        self.multicast(Release(op))

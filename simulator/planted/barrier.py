"""Planted faults of the barrier."""

from simulator.faults import Fault
from simulator.history import COMMIT, ENTERED, LEFT, REDUCED
from simulator.planted import Planted
from simulator.protocols.barrier import Barrier, Ready, Release
from simulator.protocols.protocol import Start


class LeavesAlone(Barrier):
    """A member walks through without waiting for anybody."""

    def start(self, m: Start) -> None:
        self.record(m.op, ENTERED)
        if self.me == 1:
            self.record(m.op, LEFT)
        self.gather(m.op)


class OpensOneEarly(Barrier):
    """The root counts itself for all others."""

    def start(self, m: Start) -> None:
        if self.me == self.root:
            self.record(m.op, ENTERED)
            self.record(m.op, REDUCED)
            self.leave(m.op)
        else:
            super().start(m)

    def ready(self, m: Ready) -> None:
        if self.me != self.root:
            super().ready(m)


class AnswersBeforeItEnters(Barrier):
    """A leaf is late, and has told its parent that it is there."""

    def start(self, m: Start) -> None:
        if self.nchildren > 0 or self.me == self.root:
            super().start(m)
        elif m.write > 0:
            self.gather(m.op)
            self.timer(10**6, Start(m.op, m.item, m.value, 0))
        else:
            self.record(m.op, ENTERED)


class ForgetsASubtree(Barrier):
    """One node lets itself go, and nobody below."""

    def release(self, m: Release) -> None:
        if self.me == 1:
            self.record(m.op, LEFT)
            self.done(m.op, COMMIT)
        else:
            super().release(m)


class StaysInside(Barrier):
    """A member that has been let go does not go."""

    def release(self, m: Release) -> None:
        if self.me != 1:
            super().release(m)


class CountsOneTooMany(Barrier):
    """One node does not begin to count at zero."""

    def gather(self, op: int) -> None:
        slot = self.slot(op)
        if self.me == 1 and self.arrived[slot] == 0:
            self.arrived[slot] = 1
        super().gather(op)


class LeavesTwice(Barrier):
    """The root opens twice."""

    def leave(self, op: int) -> None:
        if self.me == self.root:
            self.multicast(Release(op))
        super().leave(op)


LATE = {"faults": (Fault(0, 4, "slow", 10**6),)}

PLANTED = (
    Planted(LeavesAlone, ("integrity", "separation"), {}),
    Planted(OpensOneEarly, ("separation",), LATE),
    Planted(AnswersBeforeItEnters, ("separation",), {}),
    Planted(ForgetsASubtree, ("termination", "liveness"), {}),
    Planted(StaysInside, ("termination", "liveness"), {}),
    Planted(CountsOneTooMany, ("separation", "integrity"), LATE),
    Planted(LeavesTwice, ("integrity",), {}),
)

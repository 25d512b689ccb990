"""Planted faults of IPI shootdown."""

from simulator.history import ACQUIRED
from simulator.planted import Planted
from simulator.protocols.ipi_shootdown import (
    COUNTER,
    Interrupt,
    IpiShootdown,
)
from simulator.protocols.protocol import Start
from simulator.protocols.shared_memory import ADD, FLAG, Access


class CountsOffFirst(IpiShootdown):
    """A core counts itself off when it is interrupted, and invalidates afterwards."""

    def interrupt(self, m: Interrupt) -> None:
        self.count_early(m.op)
        super().interrupt(m)

    def count_early(self, op: int) -> None:
        """Say that the own entry is invalid."""
        self.send(self.count + COUNTER, Access(op, ADD, FLAG, -1, 0, 1))

    def count_off(self, op: int) -> None:
        """It has been said."""


class IgnoresTheLock(IpiShootdown):
    """An initiator goes on although the lock was taken."""

    def tried(self, op: int, held: int) -> None:
        self.record(op, ACQUIRED, 0)
        self.publish(op)


class SkipsACore(IpiShootdown):
    """The last core is neither counted nor interrupted."""

    def strike(self, op: int) -> None:
        for peer in range(self.count - 1):
            if peer != self.me:
                self.send(peer, Interrupt(op))
        self.target = self.count
        self.invalidate_entry(op, self.value[self.slot(op)])
        self.arm(op)


class DoesNotWait(IpiShootdown):
    """The initiator does not spin on the counter."""

    def strike(self, op: int) -> None:
        super().strike(op)
        self.release(op)


class TrustsItsCopy(IpiShootdown):
    """A core does not read the request again, but invalidates what it was asked for last."""

    last: int

    def invalidate_entry(self, op: int, value: int) -> None:
        if self.last == 0:
            self.last = value + 1
        super().invalidate_entry(op, self.last - 1)


class KeepsTheLock(IpiShootdown):
    """An initiator ends without letting go."""

    def release(self, op: int) -> None:
        super().release(op)
        self.outgoing(op)

    def outgoing(self, op: int) -> None:
        """Take the lock again at once."""
        self.write_line(op, 0, self.stage, 1)


class InvalidatesTwice(IpiShootdown):
    """A core carries a request out twice."""

    def invalidate_entry(self, op: int, value: int) -> None:
        super().invalidate_entry(op, value)
        if self.me == 3:
            super().invalidate_entry(op, value)


class ForgetsWhoAsked(IpiShootdown):
    """A core that has begun an operation of its own does not hear interrupts any more."""

    deaf: int

    def start(self, m: Start) -> None:
        self.deaf = 1
        super().start(m)

    def interrupt(self, m: Interrupt) -> None:
        if self.deaf == 0:
            super().interrupt(m)


SEVERAL = {"operations": 6, "outstanding": 3}

PLANTED = (
    Planted(CountsOffFirst, ("acknowledged",), {"work_ps": 900}),
    Planted(IgnoresTheLock, ("exclusion",), SEVERAL),
    Planted(SkipsACore, ("acknowledged",)),
    Planted(DoesNotWait, ("acknowledged",)),
    Planted(TrustsItsCopy, ("validity",), SEVERAL),
    Planted(KeepsTheLock, ("termination",), {"operations": 2}),
    Planted(InvalidatesTwice, ("integrity",)),
    Planted(ForgetsWhoAsked, ("termination",), SEVERAL),
)

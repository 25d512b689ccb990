"""Planted faults of the atomic broadcast."""

from simulator.history import DELIVERED
from simulator.planted import Planted
from simulator.protocols.atomic_broadcast import AtomicBroadcast, Data, Report
from simulator.protocols.protocol import Start


class DeliversTwice(AtomicBroadcast):
    """Delivers each value twice."""

    def take(self, op: int, value: int, place: int) -> None:
        self.record(op, DELIVERED, value)
        super().take(op, value, place)


class GarblesTheValue(AtomicBroadcast):
    """One node takes and forwards something else."""

    def take(self, op: int, value: int, place: int) -> None:
        super().take(op, value + (1 if self.me == 1 else 0), place)


class ForgetsToForward(AtomicBroadcast):
    """One inner node keeps the value to itself."""

    def deliver(self, m: Data) -> None:
        if self.me == 1:
            self.record(m.op, DELIVERED, m.value)
        else:
            super().deliver(m)


class ReportsEarly(AtomicBroadcast):
    """The root ends the operation without hearing of the last core."""

    def start(self, m: Start) -> None:
        super().start(m)
        self.finish(m.op)

    def report(self, m: Report) -> None:
        pass


class SwapsOperations(AtomicBroadcast):
    """One node delivers every second value after the one that came later."""

    kept: int
    waiting: int

    def deliver(self, m: Data) -> None:
        if self.me != 1:
            super().deliver(m)
        elif self.kept == 0:
            self.kept = m.op + 1
            self.waiting = m.value
        else:
            super().deliver(m)
            self.take(self.kept - 1, self.waiting, m.place)
            self.kept = 0


class TakesWhatWasOvertaken(AtomicBroadcast):
    """Delivers in the order of arrival."""

    def deliver(self, m: Data) -> None:
        self.take(m.op, m.value, m.place)


class NumbersAnew(AtomicBroadcast):
    """The root gives every second operation the place of the one before."""

    def start(self, m: Start) -> None:
        if m.op % 2 == 1:
            self.take(m.op, m.value, self.latest)
        else:
            super().start(m)


STREAM = {"operations": 8, "outstanding": 4}
LATE = {"operations": 40, "outstanding": 8, "delay_per_million": 500_000, "delay_ps": 5000}

PLANTED = (
    Planted(DeliversTwice, ("integrity",), {}),
    Planted(GarblesTheValue, ("validity", "agreement"), {}),
    Planted(ForgetsToForward, ("delivery", "termination"), {}),
    Planted(ReportsEarly, ("confirmed",), {}),
    Planted(SwapsOperations, ("order",), STREAM),
    Planted(TakesWhatWasOvertaken, ("order",), LATE),
    Planted(NumbersAnew, ("termination", "delivery"), STREAM),
)

"""Planted faults of single-phase commit that defers and coalesces."""

from simulator.history import DELIVERED
from simulator.planted import Planted
from simulator.protocols.protocol import Start
from simulator.protocols.single_phase_commit import DoAll, SinglePhaseCommit


class AcknowledgesWhatItDefers(SinglePhaseCommit):
    """A node counts its own work before it is done."""

    def defer(self, op: int, value: int) -> None:
        self.behind[self.slot(op)] = 1
        super().defer(op, value)
        self.tally(op)


class CarriesOutTheFirst(SinglePhaseCommit):
    """One invalidation is taken to be enough, whatever the others were about."""

    def carry_out_deferred(self) -> None:
        if self.deferred > 0:
            op = self.deferred - 1
            self.record(op, DELIVERED, self.value[self.slot(op)])
        while self.deferred > 0:
            op = self.deferred - 1
            self.deferred = self.following[self.slot(op)]
            self.count_round(op)


class LosesWhatCameLater(SinglePhaseCommit):
    """An order that comes while others are kept takes their place."""

    def defer(self, op: int, value: int) -> None:
        if self.me == 2:
            self.deferred = 0
        super().defer(op, value)


class DropsTheThird(SinglePhaseCommit):
    """One node looks at the first two orders of a round only."""

    def carry_out_all(self, m: DoAll) -> None:
        if self.me == 4:
            super().carry_out_all(DoAll(m.op, m.value, m.second, m.second_value, -1, 0))
        else:
            super().carry_out_all(m)


class TakesOneValueForAll(SinglePhaseCommit):
    """One node applies the first value of a round to all of it."""

    def carry_out_all(self, m: DoAll) -> None:
        if self.me == 5:
            super().carry_out_all(DoAll(m.op, m.value, m.second, m.value, m.third, m.value))
        else:
            super().carry_out_all(m)


class JoinsTheRunningRound(SinglePhaseCommit):
    """What comes while a round is under way ends with it, though it was never sent."""

    def start(self, m: Start) -> None:
        if self.running > 0 and self.third[self.slot(self.running - 1)] == 0:
            self.third[self.slot(self.running - 1)] = m.op + 1
        else:
            super().start(m)


class EndsTheFirst(SinglePhaseCommit):
    """Only the first operation of a round is ended."""

    def commit_round(self, op: int) -> None:
        self.commit(op)
        self.end_round(op)


class LosesARound(SinglePhaseCommit):
    """An operation that has waited is taken out and not put into a round."""

    def begin_round(self) -> None:
        if self.queued > 0 and self.take() >= 0:
            super().begin_round()


STREAM = {"operations": 24, "outstanding": 8}
DEFERRED = {**STREAM, "parameters": {"defer_ps": 900}}
COALESCED = {**STREAM, "parameters": {"coalesce": 3}}

PLANTED = (
    Planted(AcknowledgesWhatItDefers, ("acknowledged",), DEFERRED),
    Planted(CarriesOutTheFirst, ("acknowledged",), DEFERRED),
    Planted(LosesWhatCameLater, ("termination",), DEFERRED),
    Planted(DropsTheThird, ("acknowledged",), COALESCED),
    Planted(TakesOneValueForAll, ("validity",), COALESCED),
    Planted(JoinsTheRunningRound, ("acknowledged",), COALESCED),
    Planted(EndsTheFirst, ("termination",), COALESCED),
    Planted(LosesARound, ("termination",), COALESCED),
)

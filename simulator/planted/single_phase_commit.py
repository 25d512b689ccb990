"""Planted faults of the plain single-phase commit; those of rounds stand in a file of their own."""

from simulator.history import COMMIT, COMMITTED, DELIVERED
from simulator.planted import Planted
from simulator.protocols.single_phase_commit import Ack, Do, SinglePhaseCommit


class AcknowledgesEarly(SinglePhaseCommit):
    """Answers before its subtree has."""

    def carry_out(self, op: int, value: int) -> None:
        self.record(op, DELIVERED, value)
        self.multicast(Do(op, value))
        self.finish(op)

    def ack(self, m: Ack) -> None:
        pass


class CarriesOutTwice(SinglePhaseCommit):
    """Does the same work twice."""

    def carry_out(self, op: int, value: int) -> None:
        self.record(op, DELIVERED, value)
        super().carry_out(op, value)


class LosesAnAcknowledgement(SinglePhaseCommit):
    """One node swallows what its children say."""

    def ack(self, m: Ack) -> None:
        if self.me != 1:
            super().ack(m)


class AppliesAnotherValue(SinglePhaseCommit):
    """One node applies what the order did not say, and passes that on."""

    def do(self, m: Do) -> None:
        if self.me == 1:
            self.carry_out(m.op, m.value + 1)
        else:
            self.carry_out(m.op, m.value)


class OnlyForwards(SinglePhaseCommit):
    """A leaf acknowledges and does nothing."""

    def do(self, m: Do) -> None:
        if self.nchildren == 0:
            self.finish(m.op)
        else:
            super().do(m)


class CommitsAtOnce(SinglePhaseCommit):
    """The root reports the end with the first acknowledgement, and once more at the end."""

    def ack(self, m: Ack) -> None:
        if self.me == self.root:
            self.record(m.op, COMMITTED, COMMIT)
            self.done(m.op, COMMIT)
        super().ack(m)


SEVERAL = {"operations": 6, "outstanding": 3}

PLANTED = (
    Planted(AcknowledgesEarly, ("acknowledged",), SEVERAL),
    Planted(CarriesOutTwice, ("integrity",), SEVERAL),
    Planted(LosesAnAcknowledgement, ("termination", "liveness"), SEVERAL),
    Planted(AppliesAnotherValue, ("validity", "agreement"), SEVERAL),
    Planted(OnlyForwards, ("acknowledged",), SEVERAL),
    Planted(CommitsAtOnce, ("integrity", "acknowledged"), SEVERAL),
)

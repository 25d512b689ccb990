"""Planted faults of the reduction."""

from simulator.history import COMMIT, ENTERED, REDUCED
from simulator.planted import Planted
from simulator.protocols.protocol import Start
from simulator.protocols.reduction import Partial, Reduction


class DropsAContribution(Reduction):
    """One node leaves its own number out."""

    def start(self, m: Start) -> None:
        self.record(m.op, ENTERED, m.value)
        self.collect(m.op, 0 if self.me == 1 else m.value)


class KeepsTheSum(Reduction):
    """A node does not start the next operation at zero."""

    last: int

    def collect(self, op: int, value: int) -> None:
        if self.me == 1:
            super().collect(op, value + self.last)
            self.last = value
        else:
            super().collect(op, value)


class CountsASubtreeTwice(Reduction):
    """The root adds what comes from below twice."""

    def partial(self, m: Partial) -> None:
        if self.me == self.root:
            self.total[self.slot(m.op)] += m.value
        super().partial(m)


class AnswersTooSoon(Reduction):
    """The root does not wait for the last of its subtrees."""

    def collect(self, op: int, value: int) -> None:
        slot = self.slot(op)
        if self.me == self.root and self.arrived[slot] == self.nchildren - 1:
            self.record(op, REDUCED, self.total[slot] + value)
            self.done(op, COMMIT)
        super().collect(op, value)


class SwallowsASubtree(Reduction):
    """One node does not pass its sum up."""

    def collect(self, op: int, value: int) -> None:
        if self.me != 1:
            super().collect(op, value)


class PassesZeroUp(Reduction):
    """The sum of a leaf is lost on the way, its answer is not."""

    def partial(self, m: Partial) -> None:
        self.collect(m.op, 0)


SEVERAL = {"operations": 4}

PLANTED = (
    Planted(DropsAContribution, ("sums",), {}),
    Planted(KeepsTheSum, ("sums",), SEVERAL),
    Planted(CountsASubtreeTwice, ("sums",), {}),
    Planted(AnswersTooSoon, ("sums", "integrity"), {}),
    Planted(SwallowsASubtree, ("termination", "liveness"), {}),
    Planted(PassesZeroUp, ("sums",), {}),
)

"""Reduction: every member contributes a number, the sum reaches the root up the tree."""

from simulator.history import COMMIT, ENTERED, REDUCED
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
class Partial(Message):
    """The sum of a subtree."""

    value: int


class Reduction(Protocol):
    """One node of a reduction; the value of a start is the member's own contribution."""

    name = "reduction"
    starts = "members"
    reports = "one"
    promises = ("integrity", "sums", "termination")
    phases = (Phase("reduced", REDUCED, "first"),)

    arrived: PerOperation
    total: PerOperation

    @on(Start)
    def start(self, m: Start) -> None:
        """Contribute the member's own number."""
        self.record(m.op, ENTERED, m.value)
        self.collect(m.op, m.value)

    @on(Partial)
    def partial(self, m: Partial) -> None:
        """Take the sum of a subtree."""
        self.collect(m.op, m.value)

    def collect(self, op: int, value: int) -> None:
        """Add a number; once the own and all subtrees are in, pass the sum up."""
        slot = self.slot(op)
        self.arrived[slot] += 1
        self.total[slot] += value
        if self.arrived[slot] == self.nchildren + 1:
            total = self.total[slot]
            self.arrived[slot] = 0
            self.total[slot] = 0
            if self.me == self.root:
                self.record(op, REDUCED, total)
                self.done(op, COMMIT)
            else:
                self.send(self.parent, Partial(op, total))

"""Single-phase commit: everybody does it, the acknowledgements come back up the tree.

The TLB shootdown of a multikernel (A. Baumann et al., SOSP 2009, section 5.1): nobody may refuse,
so one round suffices. A node forwards first, then does its own work (`work_ps`). Acknowledgements
may run up another tree than the order runs down, and so overtake it.
"""

from simulator.history import COMMIT, COMMITTED, DELIVERED
from simulator.protocols.protocol import (
    Message,
    Parameter,
    PerOperation,
    Phase,
    Protocol,
    Start,
    message,
    on,
)


@message
class Do(Message):
    """The order to a subtree, with the value to apply."""

    value: int


@message
class Ack(Message):
    """A subtree has carried out the order."""


class SinglePhaseCommit(Protocol):
    """One node of a single-phase commit."""

    name = "single-phase-commit"
    starts = "root"
    reports = "one"
    promises = ("integrity", "validity", "agreement", "acknowledged", "termination")
    phases = (Phase("delivered", DELIVERED, "last"), Phase("committed", COMMITTED, "first"))

    work_ps: Parameter
    acks: PerOperation

    @on(Start)
    def start(self, m: Start) -> None:
        """Begin at the root as if the order had come from above."""
        self.carry_out(m.op, m.value)

    @on(Do)
    def do(self, m: Do) -> None:
        """Take the order from above."""
        self.carry_out(m.op, m.value)

    def carry_out(self, op: int, value: int) -> None:
        """Forward the order, carry it out, and acknowledge at once where nobody is below."""
        self.multicast(Do(op, value))
        self.work(self.work_ps)
        self.record(op, DELIVERED, value)
        self.tally(op)

    @on(Ack)
    def ack(self, m: Ack) -> None:
        """Count a subtree that has carried out the order."""
        self.tally(m.op)

    def tally(self, op: int) -> None:
        """Count, the own work as well; once all are in, this subtree has carried out the order."""
        slot = self.slot(op)
        self.acks[slot] += 1
        if self.acks[slot] == self.nchildren + 1:
            self.acks[slot] = 0
            self.finish(op)

    def finish(self, op: int) -> None:
        """Tell the parent, or the world, that this subtree has carried out the order."""
        if self.me == self.root:
            self.record(op, COMMITTED, COMMIT)
            self.done(op, COMMIT)
        else:
            self.send(self.parent, Ack(op))

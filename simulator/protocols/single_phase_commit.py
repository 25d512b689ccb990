"""Single-phase commit: everybody does it, the acknowledgements come back up the tree.

The TLB shootdown of a multikernel (A. Baumann et al., SOSP 2009, section 5.1): nobody may refuse,
so one round suffices. A node forwards first, then does its own work (`work_ps`). Acknowledgements
may run up another tree than the order runs down, and so overtake it.
"""

from simulator.history import COMMIT, COMMITTED, DELIVERED
from simulator.protocols.protocol import START, Message, PerOperation, Phase, Protocol, on

DO, ACK = 1, 2


class SinglePhaseCommit(Protocol):
    """One node of a single-phase commit; `m.b` is the value to apply."""

    name = "single-phase-commit"
    starts = "root"
    reports = "one"
    options = frozenset({"work_ps"})
    promises = ("integrity", "validity", "agreement", "acknowledged", "termination")
    phases = (Phase("delivered", DELIVERED, "last"), Phase("committed", COMMITTED, "first"))

    acks: PerOperation

    @on(START)
    def start(self, m: Message) -> None:
        """Begin at the root as if the order had come from above."""
        self.do(m)

    @on(DO)
    def do(self, m: Message) -> None:
        """Forward the order, carry it out, and acknowledge at once where nobody is below."""
        self.multicast(DO, m.op, m.a, m.b)
        self.work(self.work_ps)
        self.record(m.op, DELIVERED, m.b)
        self.count(m)

    @on(ACK)
    def ack(self, m: Message) -> None:
        """Count a subtree that has carried out the order."""
        self.count(m)

    def count(self, m: Message) -> None:
        """Count, the own work as well; once all are in, this subtree has carried out the order."""
        slot = self.slot(m.op)
        self.acks[slot] += 1
        if self.acks[slot] == self.nchildren + 1:
            self.acks[slot] = 0
            self.finish(m)

    def finish(self, m: Message) -> None:
        """Tell the parent, or the world, that this subtree has carried out the order."""
        if self.me == self.root:
            self.record(m.op, COMMITTED, COMMIT)
            self.done(m.op, COMMIT)
        else:
            self.send(self.parent, ACK, m.op)

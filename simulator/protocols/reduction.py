"""Reduction: every member contributes a number, the sum reaches the root up the tree."""

from simulator.history import COMMIT, ENTERED, REDUCED
from simulator.protocols.protocol import START, Message, PerOperation, Phase, Protocol, on

PARTIAL = 1


class Reduction(Protocol):
    """One node of a reduction; `m.b` is a contribution or the sum of a subtree."""

    name = "reduction"
    starts = "members"
    reports = "one"
    promises = ("integrity", "sums", "termination")
    phases = (Phase("reduced", REDUCED, "first"),)

    arrived: PerOperation
    total: PerOperation

    @on(START)
    def start(self, m: Message) -> None:
        """Contribute the member's own number."""
        self.record(m.op, ENTERED, m.b)
        self.collect(m)

    @on(PARTIAL)
    def collect(self, m: Message) -> None:
        """Add a number; once the own and all subtrees are in, pass the sum up."""
        slot = self.slot(m.op)
        self.arrived[slot] += 1
        self.total[slot] += m.b
        if self.arrived[slot] == self.nchildren + 1:
            total = self.total[slot]
            self.arrived[slot] = 0
            self.total[slot] = 0
            if self.me == self.root:
                self.record(m.op, REDUCED, total)
                self.done(m.op, COMMIT)
            else:
                self.send(self.parent, PARTIAL, m.op, m.a, total)

"""Atomic broadcast: the root orders, the tree delivers, the last core reports to the root.

As measured by S. Kaestle et al. (Smelt, OSDI 2016): one leaf, the one that is last on an idle
machine, answers to the root, and the operation ends there.
"""

from simulator.history import ACKNOWLEDGED, COMMIT, DELIVERED
from simulator.protocols.protocol import START, Message, Phase, Protocol, on

DATA, REPORT = 1, 2


class AtomicBroadcast(Protocol):
    """One node of an atomic broadcast; `m.b` is the value."""

    name = "atomic-broadcast"
    starts = "root"
    reports = "one"
    promises = ("integrity", "validity", "agreement", "order", "confirmed", "termination")
    phases = (
        Phase("broadcast", DELIVERED, "last"),
        Phase("acknowledged", ACKNOWLEDGED, "first"),
    )

    @on(START)
    def start(self, m: Message) -> None:
        """Begin at the root as if the value had come from above."""
        self.deliver(m)

    @on(DATA)
    def deliver(self, m: Message) -> None:
        """Deliver, forward, and report where this is the last core."""
        self.record(m.op, DELIVERED, m.b)
        self.multicast(DATA, m.op, m.a, m.b)
        if self.me == self.reporter:
            if self.me == self.root:
                self.report(m)
            else:
                self.send(self.root, REPORT, m.op)

    @on(REPORT)
    def report(self, m: Message) -> None:
        """End the operation at the root."""
        self.record(m.op, ACKNOWLEDGED)
        self.done(m.op, COMMIT)

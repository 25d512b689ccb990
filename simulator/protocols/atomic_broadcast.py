"""Atomic broadcast: the root orders, the tree delivers, the last core reports to the root.

As measured by S. Kaestle et al. (Smelt, OSDI 2016): one leaf, the one that is last on an idle
machine, answers to the root, and the operation ends there.
"""

from simulator.history import ACKNOWLEDGED, COMMIT, DELIVERED
from simulator.protocols.protocol import Message, Phase, Protocol, Start, message, on


@message
class Data(Message):
    """The value, on its way down."""

    value: int


@message
class Report(Message):
    """The last core has the value."""


class AtomicBroadcast(Protocol):
    """One node of an atomic broadcast."""

    name = "atomic-broadcast"
    starts = "root"
    reports = "one"
    promises = ("integrity", "validity", "agreement", "order", "confirmed", "termination")
    phases = (
        Phase("broadcast", DELIVERED, "last"),
        Phase("acknowledged", ACKNOWLEDGED, "first"),
    )

    @on(Start)
    def start(self, m: Start) -> None:
        """Begin at the root as if the value had come from above."""
        self.take(m.op, m.value)

    @on(Data)
    def deliver(self, m: Data) -> None:
        """Take the value from above."""
        self.take(m.op, m.value)

    def take(self, op: int, value: int) -> None:
        """Deliver, forward, and report where this is the last core."""
        self.record(op, DELIVERED, value)
        self.multicast(Data(op, value))
        if self.me == self.reporter:
            if self.me == self.root:
                self.finish(op)
            else:
                self.send(self.root, Report(op))

    @on(Report)
    def report(self, m: Report) -> None:
        """Hear of the last core."""
        self.finish(m.op)

    def finish(self, op: int) -> None:
        """End the operation at the root."""
        self.record(op, ACKNOWLEDGED)
        self.done(op, COMMIT)

"""Atomic broadcast: the root orders, the tree delivers, the last core reports to the root.

As measured by S. Kaestle et al. (Smelt, OSDI 2016): one leaf, the one that is last on an idle
machine, answers to the root, and the operation ends there.
"""

from simulator.history import ACKNOWLEDGED, COMMIT, DELIVERED
from simulator.protocols.protocol import Message, Phase, Protocol, Start, message, on


@message
class Data(Message):
    """The value, on its way down, and its place in the order of the root."""

    value: int
    place: int


@message
class Report(Message):
    """The last core has the value."""


class AtomicBroadcast(Protocol):
    """One node of an atomic broadcast; `latest` is the place of what it delivered last.

    Channels that keep their order bring everything to everybody. Where a later operation overtook
    an earlier one on its way, the earlier is not delivered from there on: order comes first.
    """

    name = "atomic-broadcast"
    starts = "root"
    reports = "one"
    promises = (
        "integrity",
        "validity",
        "agreement",
        "delivery",
        "order",
        "confirmed",
        "termination",
    )
    phases = (
        Phase("broadcast", DELIVERED, "last"),
        Phase("acknowledged", ACKNOWLEDGED, "first"),
    )
    survives = frozenset({"slow"})

    latest: int

    @on(Start)
    def start(self, m: Start) -> None:
        """Begin at the root as if the value had come from above."""
        self.take(m.op, m.value, self.latest + 1)

    @on(Data)
    def deliver(self, m: Data) -> None:
        """Take the value from above, unless a later one came before."""
        if m.place > self.latest:
            self.take(m.op, m.value, m.place)

    def take(self, op: int, value: int, place: int) -> None:
        """Deliver, forward, and report where this is the last core."""
        self.latest = place
        self.record(op, DELIVERED, value)
        self.multicast(Data(op, value, place))
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

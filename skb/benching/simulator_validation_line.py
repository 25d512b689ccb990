"""Broadcast shootdown over one line that all poll, simulated as what happens to that line.

The first of the four raw shootdowns of A. Baumann et al., "The Multikernel", SOSP 2009, section
5.1. The initiator changes the line, which takes all copies away; every other core reads it again,
and the line serves one reader after the other. Each acknowledges over a channel of its own.
"""

from simulator.history import COMMIT, COMMITTED, DELIVERED
from simulator.protocols.protocol import Message, message, on
from simulator.protocols.shared_memory import (
    FLAG,
    SWAP,
    WHILE_ZERO,
    Access,
    Answer,
    SharedMemory,
)


@message
class Seen(Message):
    """A core has carried out what the line says."""


class OneLineShootdown(SharedMemory):
    """A core, or the line; it is used for one operation, whose number is 0.

    `acks` counts those that have carried out the order, at its initiator. The line holds the value
    of the operation + 1, so that 0 stands for no order.
    """

    name = "one-line-shootdown"
    promises = ("integrity", "validity", "agreement", "acknowledged", "termination")
    phases = ()
    cache_lines = ("one",)

    acks: int

    def take_home(self) -> None:
        """Let all poll the line before anybody changes it."""
        if self.copies == 0:
            self.owner = self.root
            for member in range(self.count):
                self.has[member] = 1
                if member != self.root:
                    self.let_spin(0, member)
            self.copies = self.count

    def begin(self, op: int) -> None:
        """Change the line."""
        self.send(self.count, Access(op, SWAP, FLAG, self.value[self.slot(op)] + 1, 0, 1))

    def proceed(self, op: int, value: int) -> None:
        """Count oneself: the line is changed."""
        self.record(op, DELIVERED, self.value[self.slot(op)])
        self.tally(op)

    def invalidated(self, m: Message) -> None:
        """Read again: the copy that one polls is gone."""
        self.send(self.count, Access(m.op, WHILE_ZERO, FLAG, 0, 0, 1))

    def answer(self, m: Answer) -> None:
        """Carry out what the line says; the initiator goes on."""
        if self.me == self.root:
            self.proceed(m.op, m.value)
        else:
            self.record(m.op, DELIVERED, m.value - 1)
            self.send(self.root, Seen(m.op))

    @on(Seen)
    def seen(self, m: Seen) -> None:
        """Count a core."""
        self.tally(m.op)

    def tally(self, op: int) -> None:
        """End when all have carried out the order."""
        self.acks += 1
        if self.acks == self.count:
            self.record(op, COMMITTED, COMMIT)
            self.finish(op, COMMIT)

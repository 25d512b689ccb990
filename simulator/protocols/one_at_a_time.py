"""A PU that runs one operation at a time, as one thread does; what is begun meanwhile waits."""

from simulator.protocols.protocol import Message, PerOperation, Protocol, Start, message, on


@message
class Next(Message):
    """The operation before this one has ended."""


class OneAtATime(Protocol):
    """A client whose operations follow on each other.

    `running` is the operation + 1 that it carries out; those that wait stand in a ring: `queue`
    from `head` on, `waiting` of them. `item`, `value` and `write` are those of each operation. A
    PU that crashes in an operation, and loses it, begins no other.
    """

    starts = "client"
    reports = "one"

    running: int
    head: int
    waiting: int
    queue: PerOperation
    item: PerOperation
    value: PerOperation
    write: PerOperation

    def begin(self, op: int) -> None:
        """Begin an operation."""

    @on(Start)
    def start(self, m: Start) -> None:
        """Begin an operation, or let it wait for those before it."""
        slot = self.slot(m.op)
        self.item[slot] = m.item
        self.value[slot] = m.value
        self.write[slot] = m.write
        if self.running > 0:
            self.queue[(self.head + self.waiting) % self.window] = m.op
            self.waiting += 1
        else:
            self.running = m.op + 1
            self.begin(m.op)

    def finish(self, op: int, result: int) -> None:
        """End an operation; the next one that waits begins by a message to oneself."""
        self.done(op, result)
        self.running = 0
        if self.waiting > 0:
            following = self.queue[self.head]
            self.queue[self.head] = 0
            self.head = (self.head + 1) % self.window
            self.waiting -= 1
            self.running = following + 1
            self.timer(0, Next(following))

    @on(Next)
    def next(self, m: Next) -> None:
        """Begin the operation whose turn it is."""
        self.begin(m.op)

"""Rounds of several operations: what comes while a round is under way waits for the next one.

A round carries as many operations as one message has room for. What a round does is the business of
the protocol; it says when a round has ended.
"""

from simulator.protocols.protocol import Message, PerOperation, Protocol, Restart, message, on

MOST = 3
"""Operations that a message has room for."""


@message
class Next(Message):
    """A round has ended, and the next may begin."""


class Rounds(Protocol):
    """A coordinator of rounds.

    `queued` to `newest`, linked by `following`, are the operations + 1 that wait for the round that
    begins with operation `running` - 1.
    """

    following: PerOperation
    queued: int
    newest: int
    running: int

    def most(self) -> int:
        """Return how many operations a round may have."""
        return MOST

    def open_round(self, op: int, second: int, third: int) -> None:
        """Begin a round of one to three operations; -1 stands for none."""

    def join_round(self, op: int) -> None:
        """Let an operation wait for a round; begin one where none is under way."""
        self.following[self.slot(op)] = 0
        if self.queued > 0:
            self.following[self.slot(self.newest - 1)] = op + 1
        else:
            self.queued = op + 1
        self.newest = op + 1
        if self.running == 0:
            self.begin_round()

    def take(self) -> int:
        """Return the operation that has waited longest, -1 if none waits; it waits no more."""
        op = self.queued - 1
        if op >= 0:
            self.queued = self.following[self.slot(op)]
        return op

    def begin_round(self) -> None:
        """Begin a round with those that wait, as many as are wanted and have room."""
        op = self.take()
        self.running = op + 1
        if op >= 0:
            second = self.take()
            third = -1
            if self.most() >= MOST:
                third = self.take()
            self.open_round(op, second, third)

    def end_round(self, op: int) -> None:
        """Let the next round begin, by a message: it must not begin inside of this one."""
        if self.running == op + 1:
            self.running = 0
            if self.queued > 0:
                self.timer(0, Next(op))

    @on(Next)
    def next_round(self, m: Next) -> None:
        """Begin a round unless one has begun meanwhile."""
        if self.running == 0:
            self.begin_round()

    @on(Restart)
    def restart(self, m: Restart) -> None:
        """Begin a round where the message for it was lost."""
        if self.running == 0:
            self.begin_round()

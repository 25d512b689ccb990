"""A queue lock: who waits spins on a line of its own, and the holder hands over to the next.

J. Mellor-Crummey, M. Scott, "Algorithms for scalable synchronization on shared-memory
multiprocessors", ACM TOCS 1991 (the MCS lock). A PU swaps itself into the tail of the queue. Where
somebody stood there, it links itself behind that one, in the other's line, and spins on its own
line until the other hands over. Who releases looks into its own line for the next; if there is
none, it takes itself out of the tail. So each hand-over costs the same few transfers, however many
wait.

Nobody takes the lock from a holder that has crashed, nor is a waiting PU that has crashed passed
over: what waits behind waits for ever.
"""

from simulator.history import ACQUIRED, COMMIT, RELEASED
from simulator.protocols.protocol import Parameter, Phase
from simulator.protocols.shared_memory import (
    COMPARE,
    FLAG,
    LINK,
    LOAD,
    SWAP,
    UNTIL_ZERO,
    WHILE_ZERO,
    Access,
    SharedMemory,
)

CLEAR, QUEUE, ARM, JOIN, SPIN, DATA, NEXT, LEAVE, SUCCESSOR, HAND = range(10)
"""What the access is for that an operation is waiting for."""


class QueueLock(SharedMemory):
    """A PU that contends for the lock, the tail's line, a PU's line, or the data.

    In a PU's line stands `flag`, 1 while it has to wait, and `link`, the next member + 1; in the
    tail's line `flag`, the last member + 1. `lines` is how many lines an operation touches (0:
    one), `work_ps` the time that it works on them. `result` is kept until the lock is released.
    """

    name = "queue-lock"
    options = frozenset({"reads_per_mille", "items"})
    promises = ("integrity", "exclusion", "linearizability", "termination", "liveness")
    phases = (Phase("acquired", ACQUIRED, "first"), Phase("released", RELEASED, "first"))
    cache_lines = ("one", "member", "one")
    survives = frozenset({"slow", "delay", "loss", "partition"})

    lines: Parameter
    work_ps: Parameter
    stage: int
    result: int
    before: int

    def home(self) -> int:
        """Let each PU's line lie in its own cache at first."""
        member = self.me - self.count - 1
        return member if member >= 0 and member < self.count else self.root

    def own(self, member: int) -> int:
        """Return the node that is the line of a member."""
        return self.count + 1 + member

    def begin(self, op: int) -> None:
        """Have nobody behind oneself."""
        self.stage = CLEAR
        self.send(self.own(self.me), Access(op, SWAP, LINK, 0, 0, 1))

    def proceed(self, op: int, value: int) -> None:
        """Take the next step: of the way in, in the critical section, or of the way out."""
        if self.stage < DATA:
            self.enter(op, value)
        elif self.stage == DATA:
            self.release(op, value)
        else:
            self.leave(op, value)

    def enter(self, op: int, value: int) -> None:
        """Queue up, and wait where somebody was there before."""
        own = self.own(self.me)
        if self.stage == CLEAR:
            self.stage = QUEUE
            self.send(self.count, Access(op, SWAP, FLAG, self.me + 1, 0, 1))
        elif self.stage == QUEUE and value > 0:
            self.stage = ARM
            self.before = value - 1
            self.send(own, Access(op, SWAP, FLAG, 1, 0, 1))
        elif self.stage == ARM:
            self.stage = JOIN
            self.send(self.own(self.before), Access(op, SWAP, LINK, self.me + 1, 0, 1))
        elif self.stage == JOIN:
            self.stage = SPIN
            self.spin(op)
        else:
            self.critical(op)

    def spin(self, op: int) -> None:
        """Wait in the own line for the lock, or for the successor that is about to link itself."""
        kind = UNTIL_ZERO if self.stage == SPIN else WHILE_ZERO
        word = FLAG if self.stage == SPIN else LINK
        self.send(self.own(self.me), Access(op, kind, word, 0, 0, 1))

    def critical(self, op: int) -> None:
        """Read or change the item, and all lines that belong to the data."""
        self.record(op, ACQUIRED, 0)
        self.stage = DATA
        slot = self.slot(op)
        lines = self.lines if self.lines > 0 else 1
        kind = SWAP if self.write[slot] > 0 else LOAD
        data = self.own(self.count)
        self.send(data, Access(op, kind, self.item[slot], self.value[slot], 0, lines))

    def release(self, op: int, value: int) -> None:
        """Leave the critical section and look for the next."""
        self.result = COMMIT if self.write[self.slot(op)] > 0 else value
        self.work(self.work_ps)
        self.record(op, RELEASED, 0)
        self.stage = NEXT
        self.send(self.own(self.me), Access(op, LOAD, LINK, 0, 0, 1))

    def leave(self, op: int, value: int) -> None:
        """Hand over to the next, or take oneself out of the tail if there is none."""
        if self.stage == HAND or (self.stage == LEAVE and value == self.me + 1):
            self.finish(op, self.result)
        elif self.stage == LEAVE:
            self.stage = SUCCESSOR
            self.spin(op)
        elif value > 0:
            self.stage = HAND
            self.send(self.own(value - 1), Access(op, SWAP, FLAG, 0, 0, 1))
        else:
            self.stage = LEAVE
            self.send(self.count, Access(op, COMPARE, FLAG, 0, self.me + 1, 1))

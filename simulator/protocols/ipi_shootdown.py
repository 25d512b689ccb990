"""IPI shootdown: how kernels that share memory invalidate a page's mapping on all cores.

The initiator takes the lock of the address space, writes its request into a shared line, sets a
counter and interrupts the other cores one after another; it invalidates its own entry and spins on
the counter. A core that is interrupted traps, reads the request, invalidates and counts itself off
(D. Black et al., "Translation lookaside buffer consistency: a software approach", ASPLOS 1989; as
the baseline of A. Baumann et al., "The Multikernel", SOSP 2009, section 5.1). With `serial` a core
is interrupted only when the one before it has counted itself off. With `packed` request and counter
share a line, as they did in Linux 2.6: who reads the one takes it from who changes the other.

Messages between members are interrupts here: `send` is what it takes to ask for one, `receive` what
it takes to be interrupted, if that is not `trap_ps`. The lines are those of `shared_memory.py`, and
contention for them is what the accesses come to. Nobody takes the lock from an initiator that has
crashed, and one who is down is waited for.
"""

from simulator.history import ACQUIRED, COMMIT, COMMITTED, DELIVERED, RELEASED
from simulator.protocols.protocol import Message, Parameter, Phase, message, on
from simulator.protocols.shared_memory import (
    ADD,
    FLAG,
    LINK,
    LOAD,
    SWAP,
    UNTIL_ZERO,
    Access,
    Answer,
    SharedMemory,
)

LOCK, REQUEST, COUNTER = range(3)
"""The lines, in this order behind the members."""

TEST, SET, WRITE, ARM, WAIT, RELEASE = range(6)
"""What the access is for that an operation is waiting for."""


@message
class Interrupt(Message):
    """An inter-processor interrupt; what is asked for stands in the request line."""


class IpiShootdown(SharedMemory):
    """A core, or a line: the lock, the request, the counter.

    `trap_ps` is what being interrupted takes beside the receive, `work_ps` an invalidation;
    `serial` is 1 where interrupts wait for each other, `packed` where the request stands in the
    counter's line. A core keeps `stage` of its own operation and `target`, the member to interrupt
    next; `struck` is operation + 1 of an interrupt whose request it has not read yet.
    """

    name = "ipi-shootdown"
    promises = ("integrity", "validity", "agreement", "acknowledged", "exclusion", "termination")
    phases = (
        Phase("acquired", ACQUIRED, "first"),
        Phase("delivered", DELIVERED, "last"),
        Phase("committed", COMMITTED, "first"),
    )
    cache_lines = ("one", "one", "one")

    trap_ps: Parameter
    work_ps: Parameter
    serial: Parameter
    packed: Parameter
    stage: int
    target: int
    struck: int

    def begin(self, op: int) -> None:
        """Wait until the lock looks free."""
        self.stage = TEST
        self.spin(op)

    def spin(self, op: int) -> None:
        """Test the lock, or the counter, in the own cache as long as nobody changes it."""
        line = COUNTER if self.stage == WAIT else LOCK
        self.send(self.count + line, Access(op, UNTIL_ZERO, FLAG, 0, 0, 1))

    def proceed(self, op: int, value: int) -> None:
        """Take the next step of an own operation."""
        if self.stage == TEST:
            self.write_line(op, LOCK, SET, 1)
        elif self.stage == SET:
            self.tried(op, value)
        elif self.stage == WRITE:
            self.target = 0
            self.arm(op)
        elif self.stage == ARM:
            self.strike(op)
        elif self.stage == WAIT:
            self.arm(op)
        else:
            self.finish(op, COMMIT)

    def write_line(self, op: int, line: int, stage: int, value: int) -> None:
        """Write a word of a line; `stage` says what comes when the line has come."""
        self.stage = stage
        self.send(self.count + line, Access(op, SWAP, FLAG, value, 0, 1))

    def tried(self, op: int, held: int) -> None:
        """Write the request if the lock was free."""
        if held == 0:
            self.record(op, ACQUIRED, 0)
            self.publish(op)
        else:
            self.begin(op)

    def publish(self, op: int) -> None:
        """Write what is asked for."""
        self.stage = WRITE
        self.reach_request(op, SWAP, self.value[self.slot(op)])

    def reach_request(self, op: int, kind: int, value: int) -> None:
        """Read or write the request, wherever it stands."""
        if self.packed > 0:
            self.send(self.count + COUNTER, Access(op, kind, LINK, value, 0, 1))
        else:
            self.send(self.count + REQUEST, Access(op, kind, FLAG, value, 0, 1))

    def arm(self, op: int) -> None:
        """Set the counter to those who will be interrupted next; release when all have been."""
        if self.target == self.me:
            self.target += 1
        left = self.count - self.target
        if self.target < self.me:
            left -= 1
        if left <= 0:
            self.release(op)
        elif self.serial > 0:
            self.write_line(op, COUNTER, ARM, 1)
        else:
            self.write_line(op, COUNTER, ARM, left)

    def strike(self, op: int) -> None:
        """Interrupt, invalidate the own entry meanwhile, and wait for the counter."""
        first = self.target
        if self.serial > 0:
            self.send(first, Interrupt(op))
            self.target = first + 1
        else:
            for peer in range(self.count):
                if peer != self.me:
                    self.send(peer, Interrupt(op))
            self.target = self.count
        if first == 0 or (first == 1 and self.me == 0):
            self.invalidate_entry(op, self.value[self.slot(op)])
        self.stage = WAIT
        self.spin(op)

    def invalidate_entry(self, op: int, value: int) -> None:
        """Invalidate the mapping in the own translation look-aside buffer."""
        self.work(self.work_ps)
        self.record(op, DELIVERED, value)

    def release(self, op: int) -> None:
        """Let go of the lock: all have invalidated."""
        if self.count == 1:
            self.invalidate_entry(op, self.value[self.slot(op)])
        self.record(op, COMMITTED, COMMIT)
        self.record(op, RELEASED, 0)
        self.write_line(op, LOCK, RELEASE, 0)

    @on(Interrupt)
    def interrupt(self, m: Interrupt) -> None:
        """Trap, and read what is asked for."""
        self.struck = m.op + 1
        self.work(self.trap_ps)
        self.reach_request(m.op, LOAD, 0)

    def answer(self, m: Answer) -> None:
        """Go on with the own operation, or with the request of another."""
        if self.running == m.op + 1:
            self.proceed(m.op, m.value)
        elif self.struck == m.op + 1:
            self.struck = 0
            self.invalidate_entry(m.op, m.value)
            self.count_off(m.op)

    def count_off(self, op: int) -> None:
        """Say that the own entry is invalid."""
        self.send(self.count + COUNTER, Access(op, ADD, FLAG, -1, 0, 1))

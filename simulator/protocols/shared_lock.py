"""Shared memory with a lock: the baseline that messages are compared with.

One lock protects all items. A PU spins on its copy of the lock's line until the lock looks free,
and then tests and sets it (test-and-test-and-set: T. Anderson, "The performance of spin lock
alternatives for shared-memory multiprocessors", IEEE TPDS 1990). Whoever sets it works on the
`lines` lines of the data, which come from whoever worked on them last, and releases the lock. A
release takes the lock's line away from all who spin: each reads it again, finds it free and tries
to set it, and all but one have to read it once more. That storm is not put in; it is what the
accesses come to.

Nobody takes the lock from a holder that has crashed: what waits for it waits for ever.
"""

from simulator.history import ACQUIRED, COMMIT, RELEASED
from simulator.protocols.protocol import Parameter, Phase
from simulator.protocols.shared_memory import FLAG, LOAD, SWAP, UNTIL_ZERO, Access, SharedMemory

TEST, SET, DATA, RELEASE = range(4)
"""What the access is for that an operation is waiting for."""


class SharedLock(SharedMemory):
    """A PU that contends for the lock, the lock's line, or the data.

    `lines` is how many lines an operation touches (0: one), `work_ps` the time that it works on
    them. `result` is kept until the lock is released.
    """

    name = "shared-lock"
    options = frozenset({"reads_per_mille", "items"})
    promises = ("integrity", "exclusion", "linearizability", "termination", "liveness")
    phases = (Phase("acquired", ACQUIRED, "first"), Phase("released", RELEASED, "first"))
    cache_lines = ("one", "one")
    survives = frozenset({"slow", "delay", "loss", "partition"})

    lines: Parameter
    work_ps: Parameter
    stage: int
    result: int

    def begin(self, op: int) -> None:
        """Wait until the lock looks free."""
        self.spin(op)

    def spin(self, op: int) -> None:
        """Test the lock, in the own cache as long as it is held."""
        self.stage = TEST
        self.send(self.count, Access(op, UNTIL_ZERO, FLAG, 0, 0, 1))

    def proceed(self, op: int, value: int) -> None:
        """Take the next step."""
        if self.stage == TEST:
            self.stage = SET
            self.send(self.count, Access(op, SWAP, FLAG, 1, 0, 1))
        elif self.stage == SET:
            self.tried(op, value)
        elif self.stage == DATA:
            self.release(op, value)
        else:
            self.finish(op, self.result)

    def tried(self, op: int, held: int) -> None:
        """Enter the critical section if the lock was free."""
        if held == 0:
            self.record(op, ACQUIRED, 0)
            self.critical(op)
        else:
            self.spin(op)

    def critical(self, op: int) -> None:
        """Read or change the item, and all lines that belong to the data."""
        self.stage = DATA
        slot = self.slot(op)
        lines = self.lines if self.lines > 0 else 1
        kind = SWAP if self.write[slot] > 0 else LOAD
        self.send(self.count + 1, Access(op, kind, self.item[slot], self.value[slot], 0, lines))

    def release(self, op: int, value: int) -> None:
        """Leave the critical section."""
        self.result = COMMIT if self.write[self.slot(op)] > 0 else value
        self.work(self.work_ps)
        self.record(op, RELEASED, 0)
        self.stage = RELEASE
        self.send(self.count, Access(op, SWAP, FLAG, 0, 0, 1))

"""Planted faults of the lock in shared memory."""

from simulator.history import COMMIT, RELEASED
from simulator.planted import Planted
from simulator.protocols.protocol import PerItem
from simulator.protocols.shared_lock import RELEASE, SharedLock
from simulator.protocols.shared_memory import FLAG, SWAP, Access

CONTENDED = {
    "operations": 80,
    "outstanding": 6,
    "items": 2,
    "reads_per_mille": 500,
    "work_ps": 500,
}


class EntersWhateverItFound(SharedLock):
    """Sets the lock and does not look whether it was set."""

    def tried(self, op: int, held: int) -> None:
        super().tried(op, 0)


class ReleasesBeforeItsWork(SharedLock):
    """The release overtakes what it protects."""

    def release(self, op: int, value: int) -> None:
        self.result = COMMIT if self.write[self.slot(op)] > 0 else value
        self.stage = RELEASE
        self.send(self.count, Access(op, SWAP, FLAG, 0, 0, 1))
        self.work(self.work_ps)
        self.record(op, RELEASED, 0)


class ForgetsToRelease(SharedLock):
    """One PU leaves without a word."""

    def release(self, op: int, value: int) -> None:
        if self.me == 1:
            self.finish(op, value)
        else:
            super().release(op, value)


class ReleasesWhatItDoesNotHold(SharedLock):
    """One PU resets the lock where it should wait for it."""

    def spin(self, op: int) -> None:
        super().spin(op)
        if self.me == 2:
            self.send(self.count, Access(-2, SWAP, FLAG, 0, 0, 1))


class LosesAnInvalidation(SharedLock):
    """The lock's line does not tell one of those who spin."""

    def invalidate(self, asker: int) -> None:
        lost = self.count // 2
        if self.spins[lost] > 0:
            self.spins[lost] = 0
            self.spinners -= 1
        super().invalidate(asker)


class LosesAStore(SharedLock):
    """What one PU writes never reaches the line."""

    def change(self, m: Access, held: int) -> None:
        if m.word < 0 or m.source != 3:
            super().change(m, held)


class ReadsAnOldCopy(SharedLock):
    """One PU believes for ever what it has read once."""

    seen: PerItem

    def release(self, op: int, value: int) -> None:
        item = self.item[self.slot(op)]
        if self.me == 2:
            if self.seen[item] == 0:
                self.seen[item] = value + 1
            super().release(op, self.seen[item] - 1)
        else:
            super().release(op, value)


PLANTED = (
    Planted(EntersWhateverItFound, ("exclusion",), CONTENDED),
    Planted(ReleasesBeforeItsWork, ("exclusion",), CONTENDED),
    Planted(ForgetsToRelease, ("termination",), CONTENDED),
    Planted(ReleasesWhatItDoesNotHold, ("exclusion",), CONTENDED),
    Planted(LosesAnInvalidation, ("termination",), CONTENDED),
    Planted(LosesAStore, ("linearizability",), CONTENDED),
    Planted(ReadsAnOldCopy, ("linearizability",), CONTENDED),
)

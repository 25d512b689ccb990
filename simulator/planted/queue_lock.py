"""Planted faults of the queue lock."""

from simulator.history import COMMIT, RELEASED
from simulator.planted import Planted
from simulator.protocols.queue_lock import ARM, DATA, HAND, JOIN, LEAVE, NEXT, QueueLock
from simulator.protocols.shared_memory import FLAG, LINK, LOAD, SWAP, Access

CONTENDED = {
    "operations": 80,
    "outstanding": 6,
    "items": 2,
    "reads_per_mille": 500,
    "work_ps": 500,
}


class DoesNotWait(QueueLock):
    """Links itself behind the one before and goes on at once."""

    def enter(self, op: int, value: int) -> None:
        if self.stage == JOIN:
            self.critical(op)
        else:
            super().enter(op, value)


class ForgetsToArm(QueueLock):
    """Spins on a word that nobody has set, so that it is free at once."""

    def enter(self, op: int, value: int) -> None:
        if self.stage == ARM:
            self.stage = JOIN
            self.send(self.own(self.me), Access(op, SWAP, FLAG, 0, 0, 1))
            self.send(self.own(self.before), Access(-2, SWAP, LINK, self.me + 1, 0, 1))
        else:
            super().enter(op, value)


class StaysInTheTail(QueueLock):
    """Who has no successor leaves without taking itself out."""

    def leave(self, op: int, value: int) -> None:
        if self.stage == NEXT and value == 0:
            self.finish(op, self.result)
        else:
            super().leave(op, value)


class EmptiesTheTail(QueueLock):
    """Who sees no successor yet takes away the one that is about to link itself, too."""

    def leave(self, op: int, value: int) -> None:
        if self.stage == NEXT:
            self.stage = LEAVE
            self.send(self.count, Access(op, SWAP, FLAG, 0, 0, 1))
        else:
            super().leave(op, value)


class HandsOverToItself(QueueLock):
    """Clears its own word where it should clear the successor's."""

    def leave(self, op: int, value: int) -> None:
        if self.stage < HAND and self.stage != LEAVE and value > 0:
            self.stage = HAND
            self.send(self.own(self.me), Access(op, SWAP, FLAG, 0, 0, 1))
        else:
            super().leave(op, value)


class LosesAnInvalidation(QueueLock):
    """A PU's line does not tell it that the lock was handed over."""

    def invalidate(self, asker: int) -> None:
        lost = self.count // 2
        if self.spins[lost] > 0:
            self.spins[lost] = 0
            self.spinners -= 1
        super().invalidate(asker)


class HandsOverBeforeItsWork(QueueLock):
    """Looks for the next, and lets it in, while it is still at work."""

    def release(self, op: int, value: int) -> None:
        self.result = COMMIT if self.write[self.slot(op)] > 0 else value
        self.stage = NEXT
        self.send(self.own(self.me), Access(op, LOAD, LINK, 0, 0, 1))

    def leave(self, op: int, value: int) -> None:
        if self.stage == HAND:
            self.work(self.work_ps)
            self.record(op, RELEASED, 0)
        super().leave(op, value)


class ReadsTheItemTooSoon(QueueLock):
    """Answers a read with what the item held before the last update under the lock."""

    def proceed(self, op: int, value: int) -> None:
        if self.stage == DATA and self.me == 3 and self.write[self.slot(op)] == 0:
            super().proceed(op, self.before)
        else:
            super().proceed(op, value)


PLANTED = (
    Planted(DoesNotWait, ("exclusion",), CONTENDED),
    Planted(ForgetsToArm, ("exclusion",), CONTENDED),
    Planted(StaysInTheTail, ("termination",), {**CONTENDED, "outstanding": 1}),
    Planted(EmptiesTheTail, ("exclusion", "termination"), CONTENDED),
    Planted(HandsOverToItself, ("termination",), CONTENDED),
    Planted(LosesAnInvalidation, ("termination",), CONTENDED),
    Planted(HandsOverBeforeItsWork, ("exclusion",), CONTENDED),
    Planted(ReadsTheItemTooSoon, ("linearizability",), CONTENDED),
)

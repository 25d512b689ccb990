"""Planted faults of the update of shared lines without a lock."""

from simulator.history import COMMIT
from simulator.planted import Planted
from simulator.protocols.protocol import PerItem
from simulator.protocols.shared_memory import FLAG, SWAP, Access
from simulator.protocols.shared_update import SharedUpdate

CONTENDED = {
    "operations": 120,
    "outstanding": 6,
    "items": 2,
    "reads_per_mille": 500,
    "parameters": {"lines": 3},
}


class ReadsAnOldCopy(SharedUpdate):
    """One PU believes for ever what it has read once: its invalidation was lost."""

    seen: PerItem

    def proceed(self, op: int, value: int) -> None:
        item = self.item[self.slot(op)]
        if self.me == 2 and self.made == 0 and self.write[self.slot(op)] == 0:
            if self.seen[item] == 0:
                self.seen[item] = value + 1
            super().proceed(op, self.seen[item] - 1)
        else:
            super().proceed(op, value)


class LosesAStore(SharedUpdate):
    """What one PU writes never reaches the line."""

    def change(self, m: Access, held: int) -> None:
        if m.word < 0 or m.source != 3:
            super().change(m, held)


class EndsBeforeItHasTheLine(SharedUpdate):
    """One PU takes its store for done while it waits in a store buffer without a fence."""

    early: int

    def begin(self, op: int) -> None:
        if self.me == 1 and self.write[self.slot(op)] > 0:
            self.early = 1
            self.done(op, COMMIT)
            self.send(self.count + 1, Access(op, SWAP, FLAG, op, 0, 1))
        else:
            super().begin(op)

    def proceed(self, op: int, value: int) -> None:
        if self.early > 0:
            self.early = 0
            super().begin(op)
        else:
            super().proceed(op, value)


class StoresTwice(SharedUpdate):
    """One PU repeats a store that it takes for lost."""

    def finish(self, op: int, result: int) -> None:
        slot = self.slot(op)
        if self.me == 1 and self.write[slot] > 0:
            store = self.value[slot]
            self.send(self.count, Access(op, SWAP, self.item[slot], store, 0, 1))
        super().finish(op, result)


class ReadsTheWordBeside(SharedUpdate):
    """One PU reads another item."""

    def begin(self, op: int) -> None:
        slot = self.slot(op)
        if self.me == 2 and self.write[slot] == 0:
            self.item[slot] = (self.item[slot] + 1) % self.items
        super().begin(op)


class LosesALine(SharedUpdate):
    """The third line forgets who has asked for it."""

    def access(self, m: Access) -> None:
        if self.me != self.count + 2 or m.source != 2 or m.word != FLAG:
            super().access(m)


PLANTED = (
    Planted(ReadsAnOldCopy, ("linearizability",), CONTENDED),
    Planted(LosesAStore, ("linearizability",), CONTENDED),
    Planted(EndsBeforeItHasTheLine, ("linearizability",), CONTENDED),
    Planted(StoresTwice, ("integrity",), CONTENDED),
    Planted(ReadsTheWordBeside, ("linearizability",), CONTENDED),
    Planted(LosesALine, ("termination",), CONTENDED),
)

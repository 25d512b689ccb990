"""Planted faults of the fleet of servers."""

from simulator.planted import Planted
from simulator.protocols.partitioned_fleet import Call, Copy, PartitionedFleet, Reply
from simulator.protocols.protocol import PerItem, Start

BUSY = {
    "operations": 150,
    "outstanding": 6,
    "items": 4,
    "reads_per_mille": 500,
    "work_ps": 50,
    "parameters": {"servers": 3, "backups": 1},
}


class HasAnOldMap(PartitionedFleet):
    """One client believes that the fleet is smaller by one."""

    def fleet(self) -> int:
        return super().fleet() - (1 if self.me == 1 else 0)


class ReadsAtAStranger(PartitionedFleet):
    """Reads of one client go to a server that has no copy of the item."""

    def start(self, m: Start) -> None:
        if m.write == 0 and self.me == 1:
            self.send(self.server(m.item, 2), Call(m.op, m.item, m.value, 0))
        else:
            super().start(m)


class LosesAnUpdate(PartitionedFleet):
    """A primary numbers, copies and acknowledges an update, but does not make it visible."""

    def keep(self, item: int, value: int, number: int) -> None:
        if number % 3 != 2:
            super().keep(item, value, number)


class WaitsForNobody(PartitionedFleet):
    """A primary waits for one backup more than it has told."""

    def copy(self, op: int) -> None:
        if self.me == 0:
            self.missing[self.slot(op)] += 1
        super().copy(op)


class UsesANumberTwice(PartitionedFleet):
    """A primary forgets to count, so that the later of two updates is not taken over."""

    def copy(self, op: int) -> None:
        super().copy(op)
        if op % 5 == 1:
            self.numbered -= 1


class LosesACopy(PartitionedFleet):
    """A backup keeps an update and does not say so."""

    def copied(self, m: Copy) -> None:
        if m.item == 1:
            self.keep(m.item, m.value, m.number)
        else:
            super().copied(m)


class CachesAtTheClient(PartitionedFleet):
    """One client believes for ever what it was told once."""

    told: PerItem

    def replied(self, m: Reply) -> None:
        if self.me == 1 and m.result != 1:
            if self.told[0] == 0:
                self.told[0] = m.result + 1
            self.done(m.op, self.told[0] - 1)
        else:
            super().replied(m)


PLANTED = (
    Planted(HasAnOldMap, ("linearizability",), BUSY),
    Planted(ReadsAtAStranger, ("linearizability",), BUSY),
    Planted(LosesAnUpdate, ("linearizability",), BUSY),
    Planted(WaitsForNobody, ("termination",), BUSY),
    Planted(UsesANumberTwice, ("linearizability",), BUSY),
    Planted(LosesACopy, ("termination",), BUSY),
    Planted(CachesAtTheClient, ("linearizability",), BUSY),
)

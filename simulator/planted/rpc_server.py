"""Planted faults of the calls to one server."""

from simulator.history import COMMIT, ORDERED
from simulator.planted import Planted
from simulator.protocols.protocol import PerItem
from simulator.protocols.rpc_server import Reply, RpcServer

BUSY = {"operations": 120, "outstanding": 6, "items": 2, "reads_per_mille": 500, "work_ps": 50}


class ReadsTheItemBeside(RpcServer):
    """The server mixes up where the items lie."""

    def serve(self, op: int, item: int, value: int, write: int) -> int:
        if write == 0:
            return super().serve(op, (item + 1) % self.items, value, write)
        return super().serve(op, item, value, write)


class UpdatesLater(RpcServer):
    """The server says that an update is done and carries it out with the next one."""

    kept: PerItem

    def serve(self, op: int, item: int, value: int, write: int) -> int:
        self.served += 1
        self.record(op, ORDERED, self.served)
        self.work(self.work_ps)
        if write > 0:
            self.register[item] = self.kept[item]
            self.kept[item] = value
            return COMMIT
        return self.register[item]


class ServesTwice(RpcServer):
    """The server takes every call of one client for two."""

    def reply(self, client: int, op: int, result: int) -> None:
        if client == 1:
            self.served += 1
            self.record(op, ORDERED, self.served)
        super().reply(client, op, result)


class LosesAReply(RpcServer):
    """One client never hears of its updates."""

    def reply(self, client: int, op: int, result: int) -> None:
        if client != 2 or result != COMMIT:
            super().reply(client, op, result)


class UsesAPositionTwice(RpcServer):
    """The server forgets to count."""

    def serve(self, op: int, item: int, value: int, write: int) -> int:
        if op % 7 == 3:
            self.served -= 1
        return super().serve(op, item, value, write)


class CachesAtTheClient(RpcServer):
    """One client believes for ever what it was told once."""

    told: PerItem

    def replied(self, m: Reply) -> None:
        if self.me == 2 and m.result != COMMIT:
            if self.told[0] == 0:
                self.told[0] = m.result + 1
            self.done(m.op, self.told[0] - 1)
        else:
            super().replied(m)


PLANTED = (
    Planted(ReadsTheItemBeside, ("linearizability",), BUSY),
    Planted(UpdatesLater, ("linearizability",), BUSY),
    Planted(ServesTwice, ("integrity",), BUSY),
    Planted(LosesAReply, ("termination",), BUSY),
    Planted(UsesAPositionTwice, ("linearizability",), BUSY),
    Planted(CachesAtTheClient, ("linearizability",), BUSY),
)

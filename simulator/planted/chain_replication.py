"""Planted faults of chain replication."""

from simulator.faults import Fault
from simulator.history import COMMIT
from simulator.planted import Planted
from simulator.protocols.chain_replication import ChainReplication, Sync


class ReadsItsOwn(ChainReplication):
    """A member answers reads of its own client itself."""

    def ask(self, op: int, item: int, value: int, write: int) -> None:
        if write == 0:
            self.finish(op, self.held[item])
        else:
            super().ask(op, item, value, write)


class AnswersFirst(ChainReplication):
    """The first of the chain answers the client, as if all the others had the update."""

    def admit(self, op: int, content: int) -> None:
        super().admit(op, content)
        self.answer_client(op, content // 2 % self.count, COMMIT)


class AnswersIncomplete(ChainReplication):
    """The last of the chain answers reads before it has what the one before it has."""

    def tell(self, op: int, item: int, client: int) -> None:
        self.answer_client(op, client, self.held[item])


class KeepsWhatItHad(ChainReplication):
    """One that joins again keeps updates that it had not passed on when it was taken out."""

    def settle(self, joined: int) -> None:
        last = self.last
        super().settle(joined)
        self.last = last
        if self.before() >= 0:
            self.send(self.before(), Sync(self.learned, self.epoch, self.last))


class CountsAtOnce(ChainReplication):
    """A member is complete in a new epoch before it has what the one before it has."""

    def settle(self, joined: int) -> None:
        super().settle(joined)
        if self.before() >= 0:
            self.link()


class AppliesOnArrival(ChainReplication):
    """Applies an update before those behind it have it."""

    def pass_on(self, position: int) -> None:
        super().pass_on(position)
        while self.learned < position:
            self.apply_next()


class RunsAtOnce(ChainReplication):
    """Applies what it hears as soon as it is up again."""

    def come_back(self) -> None:
        super().come_back()
        self.away = 0
        self.loose = 0


TWICE = (Fault(1677, 2, "off"), Fault(1725, 2, "on"), Fault(2914, 2, "off"), Fault(3002, 2, "on"))
TWO = (Fault(188, 2, "off"), Fault(281, 2, "on"), Fault(638, 1, "off"), Fault(3149, 1, "on"))
MANY = (
    Fault(1835, 4, "slow", 14201),
    Fault(11957, 2, "down"),
    Fault(29319, 1, "off"),
    Fault(29785, 2, "up"),
    Fault(30663, 1, "on"),
)

PLANTED: tuple[Planted, ...] = (
    Planted(
        ReadsItsOwn,
        ("linearizability",),
        {"operations": 5, "outstanding": 2, "reads_per_mille": 500, "items": 1},
    ),
    Planted(
        AnswersFirst, ("linearizability",), {"operations": 3, "reads_per_mille": 500, "items": 1}
    ),
    Planted(
        AnswersIncomplete,
        ("linearizability",),
        {
            "operations": 10,
            "reads_per_mille": 500,
            "items": 1,
            "faults": (Fault(5658, 3, "off"), Fault(7133, 3, "on")),
        },
    ),
    Planted(
        KeepsWhatItHad,
        ("prefix",),
        {"operations": 2, "reads_per_mille": 500, "items": 1, "faults": TWO},
    ),
    Planted(
        CountsAtOnce,
        ("linearizability", "prefix"),
        {"operations": 5, "reads_per_mille": 500, "items": 1, "faults": TWICE},
    ),
    Planted(
        AppliesOnArrival,
        ("prefix",),
        {
            "operations": 30,
            "outstanding": 2,
            "reads_per_mille": 500,
            "items": 1,
            "faults": MANY,
        },
    ),
    Planted(
        RunsAtOnce,
        ("resumption",),
        {
            "operations": 30,
            "reads_per_mille": 500,
            "items": 1,
            "faults": (Fault(18013, 2, "down"), Fault(21137, 2, "up")),
        },
    ),
)

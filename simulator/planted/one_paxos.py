"""Planted faults of 1Paxos."""

from simulator.faults import Fault
from simulator.planted import Planted
from simulator.protocols.one_paxos import OnePaxos
from simulator.protocols.paxos_utility import INTERROGATING


class HandsNothingOver(OnePaxos):
    """Changes the acceptor and forgets what the old one may have accepted."""

    def hand_over(self) -> None:
        self.top = self.learned
        super().hand_over()


class LeadsAtOnce(OnePaxos):
    """A new leader does not ask what the acceptor has accepted."""

    def entered(self, led: int) -> None:
        super().entered(led)
        self.unready = 0


class DecidesAlone(OnePaxos):
    """Who wants another leader or acceptor does not wait for a majority."""

    def put(self, ballot: int) -> None:
        super().put(ballot)
        self.conclude()


class ForgetsWhatWasAccepted(OnePaxos):
    """Who stands for the leader's place overrules a pair that a majority may have accepted."""

    def put(self, ballot: int) -> None:
        if self.stage == INTERROGATING:
            self.proposal = self.me * self.count + self.acceptor()
        super().put(ballot)


class AppliesWhatItProposes(OnePaxos):
    """The leader applies an operation before the acceptor has it."""

    def propose(self, position: int) -> None:
        super().propose(position)
        while self.learned < position:
            self.apply_next()


class ReadsItsOwn(OnePaxos):
    """A member answers reads of its own client itself."""

    def ask(self, op: int, item: int, value: int, write: int) -> None:
        if write == 0:
            self.finish(op, self.held[item])
        else:
            super().ask(op, item, value, write)


class RunsAtOnce(OnePaxos):
    """Applies what it hears as soon as it is up again."""

    def come_back(self) -> None:
        super().come_back()
        self.away = 0


APART = (
    Fault(1000, 0, "cut", 1),
    Fault(1000, 3, "cut", 1),
    Fault(60000, 0, "joined"),
    Fault(60000, 3, "joined"),
)
GONE = (Fault(1556, 0, "off"), Fault(1814, 0, "on"), Fault(2939, 0, "slow", 354))

PLANTED: tuple[Planted, ...] = (
    Planted(
        HandsNothingOver,
        ("prefix",),
        {"operations": 10, "outstanding": 2, "faults": (Fault(1568, 1, "slow", 19868),)},
    ),
    Planted(
        LeadsAtOnce,
        ("prefix", "linearizability"),
        {
            "operations": 40,
            "outstanding": 7,
            "reads_per_mille": 500,
            "items": 1,
            "seed": 68,
            "delay_per_million": 300_000,
            "delay_ps": 20_000,
            "faults": (Fault(87_099, 0, "off"), Fault(97_560, 0, "on")),
        },
    ),
    Planted(DecidesAlone, ("leadership",), {"operations": 4, "clients": (4,), "faults": APART}),
    Planted(
        ForgetsWhatWasAccepted,
        ("leadership",),
        {
            "operations": 20,
            "clients": (4,),
            "faults": (Fault(1000, 1, "off"), Fault(2551, 0, "down")),
        },
    ),
    Planted(
        AppliesWhatItProposes,
        ("prefix",),
        {
            "operations": 30,
            "outstanding": 3,
            "reads_per_mille": 300,
            "items": 2,
            "faults": GONE,
        },
    ),
    Planted(
        ReadsItsOwn,
        ("linearizability",),
        {"operations": 30, "outstanding": 3, "reads_per_mille": 300, "items": 2},
    ),
    Planted(
        RunsAtOnce,
        ("resumption",),
        {"operations": 5, "faults": (Fault(2377, 1, "down"), Fault(13313, 1, "up"))},
    ),
)

"""Planted faults of group membership."""

from simulator.faults import Fault
from simulator.history import LED
from simulator.planted import Planted
from simulator.protocols.membership import PATIENCE, Membership
from simulator.protocols.membership_agreement import INTERROGATING, PROPOSING
from simulator.protocols.membership_views import Install


class NeedsNoMajority(Membership):
    """Decides a change as soon as anybody has accepted it, itself included."""

    def count_answers(self) -> None:
        if self.stage == PROPOSING:
            self.decide(self.asked, self.who)
        else:
            super().count_answers()


class ForgetsWhatWasAccepted(Membership):
    """Who interrogates removes the leader, whatever a majority may have accepted."""

    def count_answers(self) -> None:
        if self.stage == INTERROGATING:
            self.accepted = 0
        super().count_answers()


class SkipsViews(Membership):
    """Installs the latest change on whatever view it has."""

    def installed(self, m: Install) -> None:
        if m.view > self.view + 1:
            self.view = m.view - 1
        super().installed(m)


class LeadsWithoutAView(Membership):
    """The next in line takes the lead of the old view when the leader is silent."""

    def follow(self) -> None:
        if self.silence[self.head()] == PATIENCE:
            self.record(self.view, LED)
        super().follow()


class RunsAtOnce(Membership):
    """Applies what it hears as soon as the power is back."""

    def come_back(self) -> None:
        super().come_back()
        self.away = 0


class AsksAgain(Membership):
    """Does not notice that its change is decided, and asks for it again."""

    def install(self, op: int, who: int) -> None:
        super().install(op, who)
        if op >= 0 and who % self.count == self.me:
            self.pending[self.slot(op)] = op + 1
            self.asking += 1


class ChangesItsMind(Membership):
    """Proposes the latest wish in the first ballot, whatever it has proposed there before."""

    def begin(self, op: int, who: int) -> None:
        if self.stage == PROPOSING and self.trying == 1:
            self.trying = 0
            self.accepted = 0
        super().begin(op, who)


ONE_DOWN = (Fault(73, 1, "down"), Fault(1003, 1, "up"), Fault(1593, 1, "down"))
CUT_OFF = (Fault(3046, 6, "cut", 1), Fault(5403, 6, "joined"))
BOTH = (Fault(2377, 1, "down"), Fault(5223, 3, "cut", 1), Fault(13313, 1, "up"))

PLANTED: tuple[Planted, ...] = (
    Planted(
        NeedsNoMajority,
        ("views",),
        {"operations": 10, "outstanding": 2, "faults": (*ONE_DOWN, Fault(17330, 1, "up"))},
    ),
    Planted(
        ForgetsWhatWasAccepted,
        ("views",),
        {"clients": (0,), "faults": (Fault(610, 0, "down"),)},
    ),
    Planted(SkipsViews, ("views",), {"operations": 5, "outstanding": 4, "faults": CUT_OFF}),
    Planted(
        LeadsWithoutAView,
        ("leadership",),
        {"operations": 3, "faults": (*BOTH, Fault(24834, 3, "joined"))},
    ),
    Planted(
        RunsAtOnce,
        ("resumption",),
        {"operations": 10, "faults": (Fault(19743, 1, "off"), Fault(34568, 1, "on"))},
    ),
    Planted(AsksAgain, ("integrity", "prefix")),
    Planted(
        ChangesItsMind,
        ("views",),
        {"operations": 30, "outstanding": 3, "faults": (Fault(52754, 6, "slow", 45787),)},
    ),
)

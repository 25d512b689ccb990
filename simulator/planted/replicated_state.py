"""Planted faults of the read-mostly replicated state."""

from simulator.faults import Fault
from simulator.history import ORDERED
from simulator.planted import Planted
from simulator.protocols.replicated_state import ReplicatedState, Update, Withdraw

MIXED = {"operations": 200, "outstanding": 6, "items": 2, "reads_per_mille": 600, "work_ps": 50}
SLOW = (Fault(2000, 2, "slow", 20_000),)


class UpdatesWithoutWithdrawing(ReplicatedState):
    """The coordinator sends the value and ends the update at once."""

    def update(self, op: int, item: int, value: int, client: int) -> None:
        self.numbered += 1
        self.record(op, ORDERED, self.numbered)
        self.heard[item] = self.numbered
        self.take(op, item, value, self.numbered)
        self.reply(op, client, 1)
        self.multicast(Update(op, item, value, self.numbered))

    def updated(self, m: Update) -> None:
        self.heard[m.item] = m.number
        super().updated(m)


class ShowsTheValueTooSoon(ReplicatedState):
    """The value follows the withdrawal at once; only the end of the update waits for all.

    An update that is acknowledged but not preceded by an invalidation: one PU reads the new value
    while another one still reads the old.
    """

    def update(self, op: int, item: int, value: int, client: int) -> None:
        super().update(op, item, value, client)
        self.multicast(Update(op, item, value, self.numbered))

    def withdrawn_below(self, op: int) -> None:
        slot = self.slot(op)
        if self.me == self.root:
            self.take(op, self.item[slot], self.value[slot], self.number[slot])
            self.reply(op, self.client[slot], 1)
        else:
            super().withdrawn_below(op)


class ReadsWhatWasWithdrawn(ReplicatedState):
    """A replica is read though its item is invalid."""

    def readable(self, item: int) -> int:
        return 1


class CountsOneAnswerTooFew(ReplicatedState):
    """The coordinator does not wait for its last subtree."""

    def tally(self, op: int) -> None:
        slot = self.slot(op)
        self.answers[slot] += 1
        if self.answers[slot] == self.nchildren + (0 if self.me == self.root else 1):
            self.withdrawn_below(op)


class AnswersForItsSubtree(ReplicatedState):
    """An inner member acknowledges, and neither withdraws the item nor passes that on."""

    def withdraw(self, m: Withdraw) -> None:
        if self.me == 2:
            self.withdrawn_below(m.op)
        else:
            super().withdraw(m)

    def updated(self, m: Update) -> None:
        self.heard[m.item] = m.number
        super().updated(m)


class ValidWithAnyUpdate(ReplicatedState):
    """A replica is valid again with an update that a later one has overtaken."""

    def take(self, op: int, item: int, value: int, number: int) -> None:
        super().take(op, item, value, number)
        if self.me != self.root:
            self.valid[item] = self.heard[item]


class LosesAnAnswer(ReplicatedState):
    """An inner member swallows what its subtree says."""

    def withdrawn_below(self, op: int) -> None:
        if self.me != 2:
            super().withdrawn_below(op)


PLANTED = (
    Planted(UpdatesWithoutWithdrawing, ("linearizability",), MIXED),
    Planted(ShowsTheValueTooSoon, ("linearizability",), MIXED),
    Planted(ReadsWhatWasWithdrawn, ("linearizability",), MIXED),
    Planted(CountsOneAnswerTooFew, ("linearizability",), {**MIXED, "faults": SLOW}),
    Planted(AnswersForItsSubtree, ("linearizability",), MIXED),
    Planted(ValidWithAnyUpdate, ("linearizability",), MIXED),
    Planted(LosesAnAnswer, ("termination",), MIXED),
)

"""Planted faults of Multi-Paxos."""

from simulator.planted import Planted
from simulator.planted.log_faults import (
    HASTY,
    LATE,
    LOAD,
    LOSSY,
    MOST_ARE_OFF,
    ROOT_FAILS,
    ROOT_IS_SLOW,
    THREE_ARE_CUT_OFF,
    TWO_ARE_CUT_OFF,
    TWO_FAIL,
)
from simulator.protocols.log_leader import Append, Stored
from simulator.protocols.multi_paxos import Accepted, MultiPaxos, Prepare
from simulator.protocols.replicated_log import Watch


class ForgetsWhatItAccepted(MultiPaxos):
    """A promise does not come with what the member has accepted."""

    def tell_accepted(self, peer: int, position: int) -> None:
        at = position % self.entries
        self.send(peer, Accepted(self.ops[at], self.term, position, 0, self.contents[at]))


class SharesItsBallots(MultiPaxos):
    """A candidate takes the next number as its ballot, and members promise it to anybody."""

    def next_ballot(self) -> int:
        return self.term + 1

    def prepare(self, m: Prepare) -> None:
        if m.op == self.term and self.term > 0:
            self.term -= 1
        super().prepare(m)


class LeadsOnOnePromise(MultiPaxos):
    """A candidate counts its own promise and a first one, however many members there are."""

    def count_promise(self, peer: int) -> None:
        self.votes = self.count
        super().count_promise(peer)


class TakesTheOldest(MultiPaxos):
    """Of several accepted values a candidate keeps the first that it heard of."""

    def adopt_entry(self, op: int, position: int, stamp: int, content: int) -> None:
        if position > self.last:
            super().adopt_entry(op, position, stamp, content)


class AppliesEarly(MultiPaxos):
    """A member applies what it has accepted, chosen or not."""

    def take(self, op: int, position: int, stamp: int, content: int) -> None:
        super().take(op, position, stamp, content)
        self.learn(self.match)


class AcceptsAnyBallot(MultiPaxos):
    """A member accepts what it is sent in any ballot, whatever it has promised."""

    def append(self, m: Append) -> None:
        self.learn(m.commit)
        self.take(m.op, m.position, m.term + 1, m.content)
        if m.more == 0:
            self.send(m.source, Stored(m.term, self.match, 0))


class ResumesAtOnce(MultiPaxos):
    """A member that is back runs at once, with what it had when it went."""

    def come_back(self) -> None:
        super().come_back()
        self.away = 0


class ReadsWithoutTheLog(MultiPaxos):
    """Who takes itself for the leader answers a read from its own registers."""

    def admit(self, op: int, content: int, again: int) -> None:
        if content % 2 == 0:
            slot = self.slot(op)
            self.answer[slot] = self.register[content // 2 // self.count % self.items]
            self.reply(op, content)
        else:
            super().admit(op, content, again)


class ProposesAnew(MultiPaxos):
    """A new leader puts nothing where it did not accept anything itself, and drops what it did."""

    def lead(self) -> None:
        self.last = self.applied
        super().lead()


class LosesPatience(MultiPaxos):
    """A candidate stands again after the same silence, however often that was too early."""

    def watch(self, m: Watch) -> None:
        self.tries = 0
        super().watch(m)


PLANTED = (
    Planted(ForgetsWhatItAccepted, ("prefix",), {**LOAD, **LOSSY, "faults": TWO_FAIL}),
    Planted(SharesItsBallots, ("leadership",), {**LOAD, **HASTY, **LATE}),
    Planted(LeadsOnOnePromise, ("prefix",), {**LOAD, **LOSSY, "faults": THREE_ARE_CUT_OFF}),
    Planted(TakesTheOldest, ("prefix",), {**LOAD, **LOSSY, "faults": TWO_FAIL}),
    Planted(AppliesEarly, ("prefix",), {**LOAD, **HASTY, **LATE, "faults": TWO_ARE_CUT_OFF}),
    Planted(
        AcceptsAnyBallot,
        ("prefix", "linearizability"),
        {**LOAD, **HASTY, **LATE, "faults": THREE_ARE_CUT_OFF},
    ),
    Planted(ResumesAtOnce, ("resumption",), {**LOAD, "faults": ROOT_FAILS}),
    Planted(
        ReadsWithoutTheLog,
        ("linearizability",),
        {**LOAD, **LOSSY, "seed": 2, "faults": TWO_ARE_CUT_OFF},
    ),
    Planted(ProposesAnew, ("prefix",), {**LOAD, "faults": ROOT_IS_SLOW}),
    Planted(
        LosesPatience,
        ("durability", "liveness"),
        {
            "operations": 60,
            "outstanding": 60,
            "items": 2,
            "timeout_ps": 4000,
            "seed": 5,
            "faults": MOST_ARE_OFF,
        },
    ),
)

"""Planted faults of Raft."""

from simulator.history import COMMIT
from simulator.planted import Planted
from simulator.planted.log_faults import (
    HASTY,
    LATE,
    LEADERS_FAIL_WITH_FULL_LOGS,
    LOAD,
    LOSSY,
    ROOT_FAILS,
    THREE_ARE_CUT_OFF,
    TWO_ARE_CUT_OFF,
    TWO_FAIL,
)
from simulator.protocols.logged_registers import Fetch
from simulator.protocols.raft import Raft


class VotesTwice(Raft):
    """A member votes for every candidate of a term."""

    def free_for(self, candidate: int) -> int:
        return 1


class ReusesTheTerm(Raft):
    """A candidate stands in the term that it knows, not in one of its own."""

    def stand(self) -> None:
        self.term -= 1
        super().stand()


class IgnoresTheLog(Raft):
    """A member votes for a candidate whose log is behind its own."""

    def as_late(self, last: int, stamp: int) -> int:
        return 1


class CommitsOldTerms(Raft):
    """A new leader takes all that it has of earlier terms for committed."""

    def lead(self) -> None:
        super().lead()
        self.learn(self.last - 1)


class AppliesEarly(Raft):
    """A follower applies what it has stored, committed or not."""

    def take(self, op: int, position: int, stamp: int, content: int) -> None:
        super().take(op, position, stamp, content)
        self.learn(self.match)


class ResumesBeforeCatchingUp(Raft):
    """A member that is back applies what comes, without having caught up."""

    def come_back(self) -> None:
        super().come_back()
        self.away = 0


class ReadsWithoutTheLog(Raft):
    """Who takes itself for the leader answers a read from its own registers."""

    def admit(self, op: int, content: int, again: int) -> None:
        if content % 2 == 0:
            slot = self.slot(op)
            self.answer[slot] = self.register[content // 2 // self.count % self.items]
            self.reply(op, content)
        else:
            super().admit(op, content, again)


class SkipsTheCheck(Raft):
    """A member takes an entry that does not follow on what it has."""

    def take(self, op: int, position: int, stamp: int, content: int) -> None:
        if self.match < position and position - self.entries <= self.applied:
            self.write(op, position, stamp, content)
            self.match = position


class AppliesTwice(Raft):
    """An operation that was sent again is carried out again."""

    def admit(self, op: int, content: int, again: int) -> None:
        if self.open() == 1:
            self.add(op, content)
            self.flush()

    def apply(self, position: int) -> None:
        self.session[self.slot(self.ops[position % self.entries])] = 0
        super().apply(position)


class AnswersEarly(Raft):
    """The leader answers an update as soon as it stands in its own log."""

    def add(self, op: int, content: int) -> None:
        super().add(op, content)
        if content % 2 == 1:
            self.answer[self.slot(op)] = COMMIT
            self.reply(op, content)


class NamesALaterTerm(Raft):
    """A snapshot bears the term of what stands where its last entry stood, maybe a later one."""

    def fetched(self, m: Fetch) -> None:
        self.applied_stamp = self.stamps[self.applied % self.entries]
        super().fetched(m)


PLANTED = (
    Planted(VotesTwice, ("leadership",), {**LOAD, **HASTY, "faults": ROOT_FAILS}),
    Planted(ReusesTheTerm, ("leadership",), {**LOAD, "faults": ROOT_FAILS}),
    Planted(IgnoresTheLog, ("prefix",), {**LOAD, **LOSSY, "faults": TWO_FAIL}),
    Planted(
        CommitsOldTerms,
        ("prefix", "linearizability"),
        {**LOAD, **HASTY, **LATE, "seed": 1, "faults": ROOT_FAILS},
    ),
    Planted(AppliesEarly, ("prefix",), {**LOAD, **LOSSY, "faults": TWO_ARE_CUT_OFF}),
    Planted(ResumesBeforeCatchingUp, ("resumption",), {**LOAD, "faults": ROOT_FAILS}),
    Planted(
        ReadsWithoutTheLog,
        ("linearizability",),
        {**LOAD, **LOSSY, "reads_per_mille": 700, "seed": 10, "faults": THREE_ARE_CUT_OFF},
    ),
    Planted(SkipsTheCheck, ("prefix",), {**LOAD, "faults": TWO_FAIL}),
    Planted(AppliesTwice, ("integrity",), {**LOAD, "faults": ROOT_FAILS}),
    Planted(AnswersEarly, ("linearizability", "durability"), {**LOAD, "faults": ROOT_FAILS}),
    Planted(
        NamesALaterTerm,
        ("prefix", "linearizability"),
        {**LOAD, "reads_per_mille": 0, "entries": 1, "faults": LEADERS_FAIL_WITH_FULL_LOGS},
    ),
)

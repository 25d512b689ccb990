"""Planted faults of PBFT, and liars that its honest replicas must withstand."""

from simulator.faults import Fault
from simulator.planted import Planted
from simulator.protocols.pbft import Pbft, Reply
from simulator.protocols.pbft_views import NORMAL, PrePrepare


class EquivocatingPrimary(Pbft):
    """A liar: the first primary proposes two operations in one order to some, swapped to others."""

    kept: int
    kept_content: int

    def admit(self, op: int, content: int) -> None:
        if self.me != self.root or self.view > 0 or self.stage != NORMAL:
            super().admit(op, content)
        elif self.knows(op) == 0 and self.kept == 0:
            self.kept = op + 1
            self.kept_content = content
        elif self.knows(op) == 0 and self.kept != op + 1:
            self.swap(self.kept - 1, self.kept_content, op, content)

    def swap(self, one: int, content: int, other: int, other_content: int) -> None:
        """Propose both, in the order that suits."""
        place = self.last + 1
        self.last += 2
        self.store(place, one, content)
        self.chain(place)
        self.store(place + 1, other, other_content)
        self.chain(place + 1)
        for member in range(self.count):
            if member % 2 == 1:
                self.send(member, PrePrepare(other, self.view, place, other_content))
                self.send(member, PrePrepare(one, self.view, place + 1, content))
            elif member != self.me:
                self.send(member, PrePrepare(one, self.view, place, content))
                self.send(member, PrePrepare(other, self.view, place + 1, other_content))
        self.kept = 0
        self.note_own()


class LyingReplica(Pbft):
    """A liar: the replica behind the root answers clients with something else."""

    def reply(self, op: int, client: int, result: int) -> None:
        if self.me == (self.root + 1) % self.count and client != self.me:
            self.send(client, Reply(op, result + 1))
        else:
            super().reply(op, client, result)


class SilentReplica(Pbft):
    """A liar: the replica behind the root takes part in nothing."""

    def vote(self) -> None:
        if self.me != (self.root + 1) % self.count:
            super().vote()


LIARS = (EquivocatingPrimary, LyingReplica, SilentReplica)
"""One replica of each lies; the promises hold all the same."""


class LooksAtNoDigest(EquivocatingPrimary):
    """Counts votes whatever they are about, while the primary equivocates."""

    def agreeing(self, position: int, preparing: int) -> int:
        found = 0
        for member in range(self.count):
            at = self.prepare_at[member] if preparing == 1 else self.commit_at[member]
            if at >= position and at <= self.last:
                found += 1
        return found


class BelievesTheFirst(LyingReplica):
    """A client believes the first reply, while a replica lies."""

    def believe(self, op: int, result: int, replica: int) -> None:
        if replica != self.me:
            self.finish(op, result)


class CountsTooFew(Pbft):
    """Takes f + 1 for a quorum."""

    def quorum(self) -> int:
        return self.faulty() + 1


class ForgetsWhatIsPrepared(Pbft):
    """A new primary goes on with its own log, whatever others have prepared."""

    def claims_more(self, one: int, other: int) -> int:
        return 0


class ExecutesBeforeItIsPrepared(Pbft):
    """Executes what the primary proposes as soon as it is there."""

    def vote(self) -> None:
        super().vote()
        while self.stage == NORMAL and self.learned < self.last:
            self.apply_next()


class ReadsItsOwn(Pbft):
    """A replica answers reads of its own client alone."""

    def wait_for(self, op: int, item: int, value: int, write: int) -> None:
        if write == 0:
            self.finish(op, self.held[item])
        super().wait_for(op, item, value, write)


class RunsAtOnce(Pbft):
    """Applies what it hears as soon as it is up again."""

    def come_back(self) -> None:
        super().come_back()
        self.away = 0


HALVES = (
    *(Fault(1000, pu, "cut", 1) for pu in (0, 1, 2)),
    *(Fault(300_000, pu, "joined") for pu in (0, 1, 2)),
)
PAIR = tuple(fault for fault in HALVES if fault.pu < 2)
LATE = (Fault(1000, 1, "cut", 1), Fault(7000, 0, "down"), Fault(60_155, 1, "joined"))

PLANTED: tuple[Planted, ...] = (
    Planted(LooksAtNoDigest, ("prefix",), {"operations": 2, "outstanding": 2}),
    Planted(
        BelievesTheFirst,
        ("linearizability",),
        {"operations": 3, "reads_per_mille": 300, "items": 2},
    ),
    Planted(
        CountsTooFew,
        ("prefix", "leadership"),
        {"operations": 60, "outstanding": 2, "clients": (1, 4), "faults": HALVES},
    ),
    Planted(
        ForgetsWhatIsPrepared,
        ("prefix",),
        {"operations": 20, "outstanding": 2, "clients": (4, 5), "faults": LATE},
    ),
    Planted(
        ExecutesBeforeItIsPrepared,
        ("prefix",),
        {"operations": 20, "outstanding": 2, "clients": (0, 4), "faults": PAIR},
    ),
    Planted(
        ReadsItsOwn,
        ("linearizability",),
        {"operations": 5, "outstanding": 2, "reads_per_mille": 300, "items": 2},
    ),
    Planted(
        RunsAtOnce,
        ("resumption",),
        {"operations": 10, "faults": (Fault(18013, 2, "down"), Fault(21137, 2, "up"))},
    ),
)

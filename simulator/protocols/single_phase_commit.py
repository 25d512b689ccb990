"""Single-phase commit: everybody does it, the acknowledgements come back up the tree.

The TLB shootdown of a multikernel (A. Baumann et al., "The Multikernel", SOSP 2009, section 5.1):
nobody may refuse, so one round suffices. A node forwards first, then does its own work (`work_ps`).
Acknowledgements may run up another tree than the order runs down, and so overtake it.

Two optimizations of shootdowns, both off unless asked for. With `defer_ps` a node keeps what it is
told for so long and carries out all that has come by then at once, with one work for all (lazy
invalidation, M. Kumar et al., "LATR: lazy translation coherence", ASPLOS 2018, here with
acknowledgements). With `coalesce` the root lets operations that come while a round is under way
wait for the next one, which carries so many, at most three: as many as one line has room for.
Either way an operation ends only when all have carried it out.
"""

from simulator.history import COMMIT, COMMITTED, DELIVERED
from simulator.protocols.protocol import (
    Message,
    Parameter,
    PerOperation,
    Phase,
    PowerDown,
    PowerUp,
    Restart,
    Start,
    message,
    on,
)
from simulator.protocols.rounds import Rounds


@message
class Do(Message):
    """The order to a subtree, with the value to apply."""

    value: int


@message
class DoAll(Message):
    """The orders of a round: the message's operation, a second and perhaps a third (else -1)."""

    value: int
    second: int
    second_value: int
    third: int
    third_value: int


@message
class Ack(Message):
    """A subtree has carried out the order, or the round that begins with the operation."""


@message
class Due(Message):
    """What was deferred is due."""


class SinglePhaseCommit(Rounds):
    """One node of a single-phase commit.

    `deferred` to `latest` are the operations + 1 that are kept back, linked by `following` too;
    `value` is what they apply, and `behind` is 1 where the first operation of a round counts for
    one. `second` and `third` are the other operations + 1 of a round.
    """

    name = "single-phase-commit"
    starts = "root"
    reports = "one"
    promises = ("integrity", "validity", "agreement", "acknowledged", "termination")
    phases = (Phase("delivered", DELIVERED, "last"), Phase("committed", COMMITTED, "first"))

    work_ps: Parameter
    defer_ps: Parameter
    coalesce: Parameter
    acks: PerOperation
    value: PerOperation
    behind: PerOperation
    second: PerOperation
    third: PerOperation
    deferred: int
    latest: int

    @on(Start)
    def start(self, m: Start) -> None:
        """Begin at the root as if the order had come from above, or wait for the next round."""
        if self.coalesce > 1:
            self.value[self.slot(m.op)] = m.value
            self.join_round(m.op)
        else:
            self.carry_out(m.op, m.value)

    @on(Do)
    def do(self, m: Do) -> None:
        """Take the order from above."""
        self.carry_out(m.op, m.value)

    def carry_out(self, op: int, value: int) -> None:
        """Forward the order, carry it out, and acknowledge at once where nobody is below."""
        self.multicast(Do(op, value))
        if self.defer_ps > 0:
            self.defer(op, value)
        else:
            self.work(self.work_ps)
            self.record(op, DELIVERED, value)
            self.tally(op)

    @on(Ack)
    def ack(self, m: Ack) -> None:
        """Count a subtree that has carried out the order."""
        self.tally(m.op)

    def tally(self, op: int) -> None:
        """Count, the own work as well; once all are in, this subtree has carried out the order."""
        slot = self.slot(op)
        self.acks[slot] += 1
        if self.acks[slot] == self.nchildren + 1:
            self.acks[slot] = 0
            self.finish(op)

    def finish(self, op: int) -> None:
        """Tell the parent, or the world, that this subtree has carried out the order."""
        if self.me != self.root:
            self.send(self.parent, Ack(op))
        elif self.running == op + 1:
            self.commit_round(op)
        else:
            self.commit(op)

    def commit(self, op: int) -> None:
        """End an operation."""
        self.record(op, COMMITTED, COMMIT)
        self.done(op, COMMIT)

    # ------------------------------------------------------------ deferral
    def defer(self, op: int, value: int) -> None:
        """Keep an order, behind those that are kept already; the first sets the time for all."""
        slot = self.slot(op)
        self.value[slot] = value
        self.following[slot] = 0
        if self.deferred > 0:
            self.following[self.slot(self.latest - 1)] = op + 1
        else:
            self.deferred = op + 1
            self.timer(self.defer_ps, Due(op))
        self.latest = op + 1

    @on(Due)
    def due(self, m: Due) -> None:
        """Carry out all that was kept."""
        self.carry_out_deferred()

    def restart(self, m: Restart) -> None:
        """Carry out what was kept: the timers are lost."""
        self.resume()

    @on(PowerDown)
    def power_down(self, m: PowerDown) -> None:
        """Carry out what was kept, for nobody waits for one who is away."""
        self.carry_out_deferred()

    @on(PowerUp)
    def power_up(self, m: PowerUp) -> None:
        """Carry out what was kept: the timers are lost."""
        self.resume()

    def resume(self) -> None:
        """Do what a timer was set for."""
        self.carry_out_deferred()
        if self.running == 0:
            self.begin_round()

    def carry_out_deferred(self) -> None:
        """Invalidate once for all that was kept, and count each operation."""
        if self.deferred > 0:
            self.work(self.work_ps)
        while self.deferred > 0:
            op = self.deferred - 1
            self.deferred = self.following[self.slot(op)]
            self.record(op, DELIVERED, self.value[self.slot(op)])
            self.count_round(op)

    def count_round(self, op: int) -> None:
        """Count an own work; in a round, that of its first operation stands for all."""
        if self.behind[self.slot(op)] == 0:
            self.tally(op)
        self.behind[self.slot(op)] = 0

    # ------------------------------------------------------------ coalescing
    def most(self) -> int:
        """Return how many operations a round may have."""
        return self.coalesce

    def open_round(self, op: int, second: int, third: int) -> None:
        """Order a round at the root; one operation alone needs no other message than ever."""
        slot = self.slot(op)
        self.second[slot] = second + 1
        self.third[slot] = third + 1
        value = self.value[slot]
        if second < 0:
            self.carry_out(op, value)
        else:
            second_value = self.value[self.slot(second)]
            third_value = 0
            if third >= 0:
                third_value = self.value[self.slot(third)]
            self.carry_out_all(DoAll(op, value, second, second_value, third, third_value))

    @on(DoAll)
    def do_all(self, m: DoAll) -> None:
        """Take the orders of a round from above."""
        self.carry_out_all(m)

    def carry_out_all(self, m: DoAll) -> None:
        """Forward a round, carry it out with one work, and count it once."""
        self.multicast(m)
        if self.defer_ps > 0:
            self.defer_all(m)
        else:
            self.work(self.work_ps)
            self.record(m.op, DELIVERED, m.value)
            self.record(m.second, DELIVERED, m.second_value)
            if m.third >= 0:
                self.record(m.third, DELIVERED, m.third_value)
            self.tally(m.op)

    def defer_all(self, m: DoAll) -> None:
        """Keep a round; its first operation stands last, so that it counts when all are done."""
        self.behind[self.slot(m.second)] = 1
        self.defer(m.second, m.second_value)
        if m.third >= 0:
            self.behind[self.slot(m.third)] = 1
            self.defer(m.third, m.third_value)
        self.defer(m.op, m.value)

    def commit_round(self, op: int) -> None:
        """End all operations of a round."""
        slot = self.slot(op)
        self.commit(op)
        if self.second[slot] > 0:
            self.commit(self.second[slot] - 1)
        if self.third[slot] > 0:
            self.commit(self.third[slot] - 1)
        self.end_round(op)

"""The explorer with crashes, power, losses and timers that fire again and again, within bounds."""

import pytest

from simulator.explore import Exploration, Instance, replay, walk
from simulator.explore_tables import Bounds
from simulator.history import ABORT, COMMIT, DECIDED, VOTED, YES, Proposal
from simulator.protocols import PROTOCOLS
from simulator.protocols.protocol import (
    Boot,
    Message,
    PerItem,
    PowerDown,
    PowerUp,
    Protocol,
    Restart,
    Start,
    message,
    on,
)
from simulator.trees import Tree

ALONE, STAR = Tree(0, {}), Tree(0, {0: (1, 2)})
WRITE, READ = Proposal(0, 0, 0, 7, 0), Proposal(1, 1, 0, 0, 0, 0)


@message
class Tick(Message):
    """Fires for ever."""


@message
class Told(Message):
    """An outcome."""

    outcome: int


class Clock(Protocol):
    """Counts its ticks, falls and returns."""

    name = "clock"
    starts = "client"
    reports = "one"
    promises = ("integrity",)
    phases = ()
    endless = True

    ticks: int
    falls: int

    @on(Boot)
    def boot(self, m: Boot) -> None:
        """Begin to tick."""
        self.timer(1, Tick(0))

    @on(Tick)
    def tick(self, m: Tick) -> None:
        """Count and go on."""
        self.ticks += 1
        self.timer(1, Tick(0))

    @on(PowerDown)
    def power_down(self, m: PowerDown) -> None:
        """Count a fall that was announced."""
        self.falls += 1

    @on(PowerUp)
    def power_up(self, m: PowerUp) -> None:
        """Tick again."""
        self.timer(1, Tick(0))


class HalfTold(Protocol):
    """Tells the others to commit one after the other, and after a restart one of them to abort."""

    name = "half-told"
    starts = "client"
    reports = "one"
    promises = ("atomicity",)
    phases = ()

    fell: int
    heard: int

    @on(Boot)
    def boot(self, m: Boot) -> None:
        """Agree to everything."""
        self.record(0, VOTED, YES)

    @on(Start)
    def start(self, m: Start) -> None:
        """Tell both, unless this is too late."""
        if self.fell == 0:
            self.send(1, Told(0, COMMIT))
            self.send(2, Told(0, COMMIT))

    @on(Restart)
    def restart(self, m: Restart) -> None:
        """Give up."""
        self.fell = 1
        if self.me == 0:
            self.send(2, Told(0, ABORT))

    @on(Told)
    def told(self, m: Told) -> None:
        """Believe the first."""
        if self.heard == 0:
            self.heard = 1
            self.record(0, DECIDED, m.outcome)


class ReadsAtHome(Protocol):
    """Registers that are written at one member and read at another."""

    name = "reads-at-home"
    starts = "client"
    reports = "one"
    promises = ("linearizability",)
    phases = ()

    register: PerItem

    @on(Start)
    def start(self, m: Start) -> None:
        """Do it here and now."""
        if m.write > 0:
            self.register[m.item] = m.value
            self.done(m.op, COMMIT)
        else:
            self.done(m.op, self.register[m.item])


def told(protocol: type[Protocol], bounds: Bounds, tree: Tree = STAR) -> Exploration:
    """Walk one write, and for three nodes also a read."""
    proposals = [WRITE, READ] if protocol is ReadsAtHome else [WRITE]
    return walk(Instance(protocol, tree, proposals, 0, True, bounds=bounds))


def test_bound_timers_make_a_space_finite() -> None:
    """A clock alone: so many ticks, each with its begin handled before or after it."""

    class Idle(Clock):
        @on(Start)
        def start(self, m: Start) -> None:
            """Do nothing."""

    found = told(Idle, Bounds(firings={"Tick": 3}), ALONE)
    assert (found.states, found.complete, found.longest) == (2 * 4, True, 4)


def test_power_is_announced_and_timers_are_void() -> None:
    """The clock stands still while its power is off: no tick, no begin; the fall is counted."""

    class Idle(Clock):
        @on(Start)
        def start(self, m: Start) -> None:
            """Do nothing."""

    found = told(Idle, Bounds(powers=1, firings={"Tick": 1}), ALONE)
    # begin handled, lost or to come; ticked or not; up as ever, off, up again
    by_hand = {
        (begin, ticks, power)
        for begin in ("to come", "gone")
        for ticks in (0, 1)
        for power in ("up", "off", "again")
    }
    assert found.states == len(by_hand)
    assert found.complete


def test_crash_between_two_sends_is_explored() -> None:
    """Only a handler that is cut short lets one commit and the other abort; the path says so."""
    found = told(HalfTold, Bounds(crashes=1))
    assert found.violations == (
        "atomicity: operation 0 was committed by some and aborted by others",
    )
    cut = "PU 0 handles start of operation 0 from PU 0, but crashes before its send or work number"
    assert any(step == f"{cut} 2" for step in found.path)
    assert "PU 0 restarts" in found.path
    assert told(HalfTold, Bounds()).violations == ()


def test_path_of_a_violation_replays() -> None:
    """The turns lead to the same sentence in a space of their own; others are not possible."""
    instance = Instance(HalfTold, STAR, [WRITE], 0, True, bounds=Bounds(crashes=1))
    found = walk(instance)
    assert replay(instance, found.turns) == found.violations
    assert replay(instance, found.turns[:-1]) == ()
    with pytest.raises(ValueError, match="not possible here"):
        replay(instance, found.turns[1:])


def test_later_operation_begins_when_the_first_has_ended() -> None:
    """A stale read is a violation behind the write, and none beside it."""
    assert told(ReadsAtHome, Bounds()).violations == ()
    found = told(ReadsAtHome, Bounds(after={1: 0}))
    assert found.violations == (
        "linearizability: no order of the operations [0, 1] on item 0 explains "
        "operation 1 of PU 1 reading 0",
    )


@pytest.mark.parametrize("bounds", [Bounds(crashes=1), Bounds(powers=1), Bounds(losses=1)])
@pytest.mark.parametrize("name", ["two-phase-commit", "single-phase-commit", "barrier"])
def test_faults_break_no_promise_of_small_instances(name: str, bounds: Bounds) -> None:
    """One operation and one fault, at every moment."""
    proposals, parameters = [Proposal(0, 1, 0, 7, 0)], {"timeout_ps": 1}
    safe, found = (
        walk(
            Instance(PROTOCOLS[name], STAR, proposals, 2, True, None, -1, parameters, bounds=given)
        )
        for given in (Bounds(), bounds)
    )
    assert (safe.complete, found.complete) == (True, True)
    assert (safe.violations, found.violations) == ((), ())
    assert found.states > safe.states


def test_lost_message_excuses_a_missing_end() -> None:
    """Without loss the operation ends in every run, with loss it need not."""
    case = PROTOCOLS["single-phase-commit"]
    kept = walk(Instance(case, STAR, [WRITE], 2, True))
    lost = walk(Instance(case, STAR, [WRITE], 2, True, bounds=Bounds(losses=2)))
    assert lost.states > 2 * kept.states
    assert (kept.violations, lost.violations) == ((), ())


def test_raft_elects_and_recovers_in_every_order() -> None:
    """A leader that crashes before any send, or an election at any moment: each on its own here."""
    still = {"Pulse": 0, "Retry": 0}
    for bounds in (Bounds(1, firings={"Watch": 0, **still}), Bounds(firings={"Watch": 1, **still})):
        found = walk(Instance(PROTOCOLS["raft"], STAR, [WRITE], 2, True, entries=8, bounds=bounds))
        assert found.complete
        assert found.violations == ()
        assert found.states > 100

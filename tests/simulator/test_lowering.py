"""Lowering: what becomes of each construct of the notation."""

import pytest

from simulator.engines import player
from simulator.history import YES
from simulator.lowering import lowered
from simulator.protocols import PROTOCOLS
from simulator.protocols.protocol import (
    Message,
    Parameter,
    PerEntry,
    PerNode,
    PerOperation,
    Protocol,
    Start,
    message,
    on,
)
from simulator.scenario import simulate
from tests.simulator.interpreted import interpreter
from tests.simulator.worlds import TWO_LEVELS, scenario

SHIFT = 3


@message
class Ask(Message):
    """Five numbers, as many as fit."""

    a: int
    b: int
    c: int
    d: int
    e: int


@message
class Unheard(Message):
    """Nobody handles it."""


class Node(Protocol):
    """What all nodes here have in common."""

    name = "single-phase-commit"
    starts = "members"
    reports = "one"
    promises = ()
    phases = ()

    work_ps: Parameter
    total: int
    kept: PerOperation
    seen: PerNode
    log: PerEntry

    @on(Start)
    def start(self, m: Start) -> None:
        """Begin."""
        self.begin(m)

    def begin(self, m: Message) -> None:
        """Do nothing."""

    @on(Ask)
    def ask(self, m: Ask) -> None:
        """Say what came."""
        self.record(m.op, 2, m.a + 10 * m.b + 100 * m.c + 1000 * m.d + 10000 * m.e + m.source)
        if m.e == 4 and m.source != self.me:
            self.send(m.source, Ask(m.op, self.me, 0, 0, 0, 5))
            if m.a == 3:
                self.send(self.root, m)

    def show(self, value: int) -> None:
        """Say a number."""
        self.record(0, 2, value)


class Arithmetic(Node):
    """Every operator, on both signs."""

    def begin(self, m: Message) -> None:
        for number in range(-7, 8, 2):
            self.show(number // 3)
            self.show(number % 3)
            self.show(number << SHIFT)
            self.show(number >> 1)
            self.show((number & 5) | (number ^ 9))
            self.show(-number * 2 - ~number + +1)
            number -= 1
            self.show(number)


class Decisions(Node):
    """Conditions, chains, loops and the ways out of them."""

    def begin(self, m: Message) -> None:
        at = 0
        while True:
            at += 1
            if at == 3 or not (at < 19 and at % 2):
                continue
            if 4 < at <= 5 and self.even(at) == 0:
                self.show(at if self.even(at + 1) else -at)
            else:
                self.show((at == 7) + YES)
            if at > 12:
                break
        for child in self.children:
            self.show(child)
        for child in self.neighbours:
            self.show(child)
        if self.early(3):
            self.show(self.early(4))

    def even(self, number: int) -> bool:
        """Whether a number is even."""
        return number % 2 == 0

    def early(self, number: int) -> int:
        """Return from within a loop."""
        for at in range(number, 99):
            if at * at > 40:
                return at
        return 0


class Fields(Node):
    """Fields of all kinds, indexed from either end, and names that the text needs itself."""

    def begin(self, m: Message) -> None:
        slot = self.slot(m.op)
        self.kept[slot] += 5 + self.bump()
        self.seen[self.me] = self.total
        self.seen[-1] += 1
        self.log[(m.op + 7) % self.entries] = self.kept[slot]
        me = 1
        w = 0
        st: int = 2 + w
        send = self.now + self.round_ps + self.leader + self.reporter + self.nchildren
        self.show(self.log[m.op + 7] + self.seen[self.count - 1] + me + st + send)
        self.show(self.window + self.items + self.domain + self.domains + self.parent)

    def bump(self) -> int:
        """Count."""
        self.total += 1
        return self.total


class Actions(Node):
    """Messages to one, to all children, to oneself, forwarded, and draws."""

    def begin(self, m: Message) -> None:
        self.work(self.work_ps)
        self.multicast(Ask(m.op, 3, self.random(7), 2, 1, 4))
        self.timer(50 + self.random(9), Ask(m.op, 1, 1, 1, 1, 1))
        self.timer(70, m)
        if self.total == 0 and self.me == self.root:
            self.multicast(m)
        self.total += 1
        if self.total < 3:
            self.ask(Ask(m.op, 9, 8, 7, 6, 5))
        self.done(m.op, self.total)


class Around(Node):
    """Methods that call each other in a circle, and themselves."""

    def begin(self, m: Message) -> None:
        self.down(20)

    def down(self, number: int) -> None:
        """Count down with another."""
        if number > 0:
            self.show(self.sum(number))
            self.across(number - 3)

    def across(self, number: int) -> None:
        """Go back."""
        self.down(number + 1)

    def sum(self, number: int) -> int:
        """Return 1 + 2 + … + number."""
        if number < 1:
            return 0
        return number + self.sum(number - 1)


class Odd(Node):
    """Methods whose names mean something else, in the text or in the C library."""

    def begin(self, m: Message) -> None:
        self.memset(self.range(7), 2)
        self.show(self.far(-8))

    def memset(self, w: int, dispatch: int) -> None:
        """Say two numbers."""
        self.show(w)
        self.show(dispatch)

    def range(self, number: int) -> int:
        """Return another number."""
        return number << (number * 8)

    def far(self, number: int) -> int:
        """Return another number."""
        return number // -3 + number % -3 + (number >> (70 - number))

    def dispatch(self, m: Message) -> None:
        """Do nothing."""


class Above(Actions):
    """Overrides, with calls of what is behind."""

    def begin(self, m: Message) -> None:
        super().begin(m)
        self.show(1)
        super().show(2)

    def show(self, value: int) -> None:
        super().show(value + 100)

    def send(self, peer: int, message: Message) -> None:
        super().send(peer, message)
        super().record(message.op, 2, peer)

    def slot(self, op: int) -> int:
        return 0


@pytest.mark.parametrize("protocol", [Arithmetic, Decisions, Fields, Actions, Around, Odd, Above])
def test_lowered_construct_does_what_python_does(protocol: type[Protocol]) -> None:
    """The same record of the same numbers, with draws, on a tree with domains."""
    case = scenario(
        "single-phase-commit", TWO_LEVELS, operations=5, outstanding=2, seed=9, work_ps=7,
        trace=True, domains=((0, 1, 2), (3, 4, 5, 6)), event_limit=3000,
    )  # fmt: skip
    expected = simulate(case, protocol)
    assert len(expected.trace) > 10
    assert simulate(case, protocol, None, interpreter(protocol)) == expected
    pytest.importorskip("llvmlite", reason="llvmlite is not installed")
    assert simulate(case, protocol, None, player(protocol, "compiled")) == expected


def test_lowered_text_is_readable_and_named_by_itself() -> None:
    """Handlers and helpers keep their names, constants theirs; the text decides the name."""
    low = lowered(PROTOCOLS["two-phase-commit"])
    for word in (
        "def vote(",
        "def cast(",
        "def dispatch(st, world, mail, me, kind, m)",
        "VOTED = 5",
    ):
        assert word in low.text
    assert low.name.startswith("TwoPhaseCommit_")
    assert lowered(Above).name != lowered(Actions).name
    assert "begin_of_Actions(st, world, mail, me, m)" in lowered(Above).text

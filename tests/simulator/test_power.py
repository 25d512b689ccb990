"""What a node hears of its own power comes before anything else, and takes its time."""

from simulator.engine import FINISHED, Engine
from simulator.faults import Fault
from simulator.history import CAME, DELIVERED, LOST
from simulator.protocols.protocol import (
    Boot,
    Message,
    PowerDown,
    PowerUp,
    Protocol,
    Restart,
    Start,
    message,
    on,
)
from simulator.scenario import seat, wires_of
from simulator.trees import Tree
from tests.simulator.worlds import even_costs


@message
class Word(Message):
    """Something from the other node."""


class Slowcoach(Protocol):
    """Records what it hears, and takes long to go down."""

    name = "slowcoach"
    starts = "root"
    reports = "one"
    promises = ()
    phases = ()

    @on(Start)
    def start(self, m: Start) -> None:
        """Speak to the children."""
        self.multicast(Word(m.op))

    @on(Boot)
    def boot(self, m: Boot) -> None:
        """Say so."""
        self.record(0, DELIVERED, 1)

    @on(Restart)
    def restart(self, m: Restart) -> None:
        """Say so."""
        self.record(0, DELIVERED, 2)

    @on(PowerDown)
    def power_down(self, m: PowerDown) -> None:
        """Say so, and be long about it."""
        self.record(0, DELIVERED, 3)
        self.work(1000)

    @on(PowerUp)
    def power_up(self, m: PowerUp) -> None:
        """Say so."""
        self.record(0, DELIVERED, 4)

    @on(Word)
    def word(self, m: Word) -> None:
        """Hear it."""
        self.record(m.op, DELIVERED, 5)


def recorded(*faults: Fault, words: tuple[int, ...] = ()) -> list[tuple[int, int, int]]:
    """Return (time, event, what) of PU 1, to which PU 0 sends words: 60 to send, 30 in flight."""
    engine = Engine(
        seat(Slowcoach, Tree(0, {0: (1,)}), 1), (0, 1), wires_of(even_costs(2), (0, 1), "logp")
    )
    engine.plan_faults(faults, {0: 0, 1: 1})
    engine.boot((0, 1))
    for number, time in enumerate(words):
        engine.tell(time, 0, Start(number, 0, 0, 1))
    assert engine.run(100) == FINISHED
    return [(time, event, value) for time, pu, _, event, value in engine.entries() if pu == 1]


def heard(*faults: Fault, words: tuple[int, ...] = ()) -> list[tuple[int, int]]:
    """Return (time, what) of what PU 1 said."""
    said = recorded(*faults, words=words)
    return [(time, value) for time, event, value in said if event == DELIVERED]


def test_fall_is_recorded_when_it_takes_effect() -> None:
    """Behind what was begun before and the farewell, and before what is said on coming up."""
    rows = recorded(Fault(100, 1, "off"), Fault(500, 1, "on"), words=(0,))
    events = [(time, event) for time, event, _ in rows[1:]]
    assert events == [
        (190, DELIVERED),
        (190, DELIVERED),
        (1190, LOST),
        (1190, CAME),
        (1190, DELIVERED),
    ]
    rows = recorded(Fault(100, 1, "down"), Fault(500, 1, "up"))
    assert [row[:2] for row in rows[1:]] == [(100, LOST), (500, CAME), (500, DELIVERED)]


def test_restart_comes_before_a_message_of_the_same_instant() -> None:
    """The word arrives at 90, and so does the restart: the node resets itself before it hears."""
    faults = (Fault(50, 1, "down"), Fault(90, 1, "up"))
    assert heard(*faults, words=(0,)) == [(0, 1), (90, 2), (190, 5)]


def test_boot_comes_before_a_power_down_of_the_same_instant() -> None:
    """At time 0 a node is up first, then hears that it is to go."""
    assert heard(Fault(0, 1, "off"), Fault(5000, 1, "on")) == [(0, 1), (0, 3), (5000, 4)]


def test_power_up_waits_until_the_node_has_gone_down() -> None:
    """Going down takes until 1100; powered up at 500, the node begins at 1100."""
    assert heard(Fault(100, 1, "off"), Fault(500, 1, "on"))[1:] == [(100, 3), (1100, 4)]


def test_power_down_waits_until_what_was_begun_is_done() -> None:
    """A word is received from 90 to 190; the farewell is behind it, the next word is lost."""
    assert heard(Fault(100, 1, "off"), words=(0, 200)) == [(0, 1), (190, 5), (190, 3)]


def test_power_news_waits_for_the_processor() -> None:
    """Descheduled from 0 to 70, a node boots at 70; one that crashes within never boots."""
    assert heard(Fault(0, 1, "slow", 70)) == [(70, 1)]
    assert heard(Fault(0, 1, "slow", 70), Fault(50, 1, "down"), Fault(60, 1, "up")) == [(70, 2)]

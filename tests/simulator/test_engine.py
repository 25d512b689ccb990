"""The engine itself: service in order, bursts, crashes, timers, limits."""

import pytest

from simulator.engine import EVENT_LIMIT, FINISHED, HORIZON, Engine
from simulator.faults import Fault
from simulator.history import DELIVERED
from simulator.protocols.protocol import START, Message, Protocol, on
from simulator.scenario import seat, wires_of
from simulator.trees import Tree
from tests.simulator.worlds import STAR, even_costs

PING, ALARM, AGAIN = 1, 2, 3


class Probe(Protocol):
    """Multicasts on start; can wait, work and loop; counts what it receives."""

    name = "probe"
    starts = "root"
    reports = "one"
    promises = ()
    phases = ()

    seen: int

    @on(START)
    def start(self, m: Message) -> None:
        """Act as `m.a` says."""
        if m.a == 0:
            self.multicast(PING, m.op)
        elif m.a == 1:
            self.timer(500, ALARM, m.op)
        elif m.a == 2:
            self.timer(10, AGAIN, m.op)
        else:
            self.work(m.b)

    @on(PING)
    def ping(self, m: Message) -> None:
        """Count."""
        self.seen += 1
        self.record(m.op, DELIVERED, self.seen)

    @on(ALARM)
    def alarm(self, m: Message) -> None:
        """Report that the timer has fired."""
        self.record(m.op, DELIVERED, -1)
        self.done(m.op, 1)

    @on(AGAIN)
    def again(self, m: Message) -> None:
        """Loop for ever."""
        self.timer(10, AGAIN, m.op)


def make(tree: Tree = STAR, model: str = "logp", faults: tuple[Fault, ...] = ()) -> Engine:
    """Seat probes on an even machine: send 60, receive 100, propagation 30, gap 20."""
    engine = Engine(
        seat(Probe, tree, 0), tree.members, wires_of(even_costs(4), tree.members, model)
    )
    engine.keep_rows = True
    engine.plan_faults(faults, {pu: pu for pu in tree.members})
    return engine


def finish(engine: Engine) -> list[tuple[int, int]]:
    """Run to the end and return (time, PU) of all deliveries."""
    assert engine.run(10_000) == FINISHED
    return [(time, pu) for time, pu, _, _, _ in engine.entries()]


def test_burst_pays_the_gap_from_the_second_send_on() -> None:
    """One handler's sends form a burst."""
    engine = make()
    engine.start(0, 0, 0, 0, 0)
    assert finish(engine) == [(190, 1), (210, 2), (230, 3)]
    assert engine.busy_ps == [100, 100, 100, 100]


def test_burst_goes_on_across_operations_back_to_back() -> None:
    """A start that waits for the sender continues its burst; a later one begins anew."""
    engine = make(Tree(0, {0: (1,)}))
    for operation, time in enumerate((0, 10, 500)):
        engine.start(time, 0, operation, 0, 0)
    finish(engine)
    sends = [(start, end) for start, end, pu, *_ in engine.rows() if pu == 0]
    assert sends == [(0, 60), (60, 80), (500, 560)]


def test_receive_ends_a_burst() -> None:
    """A send at the instant of the previous one's end is dear again if something was received."""
    tree = Tree(1, {1: (0,), 0: (2,)})
    engine = Engine(
        seat(Probe, tree, 2), (0, 1, 2), wires_of(even_costs(3, receive=0), (0, 1, 2), "logp")
    )
    engine.keep_rows = True
    engine.start(0, 1, 0, 0, 0)
    engine.start(30, 0, 1, 0, 0)
    engine.at(90, lambda now: engine.start(now, 0, 2, 0, 0))
    finish(engine)
    rows = [(start, end, kind) for start, end, pu, kind, *_ in engine.rows() if pu == 0]
    assert rows == [(30, 90, START), (90, 90, PING), (90, 150, START)]


def test_node_serves_in_order_of_arrival() -> None:
    """Whoever comes while the node is busy waits; ties go by issue."""
    engine = make()
    engine.start(0, 0, 0, 3, 1000)
    engine.start(5, 0, 1, 0, 0)
    engine.start(5, 0, 2, 3, 7)
    finish(engine)
    assert [row[:2] + row[4:5] for row in engine.rows() if row[2] == 0] == [
        (0, 1000, 0),
        (1000, 1100, 1),
        (1100, 1107, 2),
    ]


def test_crash_cuts_a_burst() -> None:
    """Sends that are not complete when the sender goes down never leave."""
    engine = make(faults=(Fault(85, 0, "down"),))
    engine.start(0, 0, 0, 0, 0)
    assert finish(engine) == [(190, 1), (210, 2)]
    assert engine.busy_ps[0] == 85


def test_crash_loses_what_is_being_received_and_what_waits() -> None:
    """A message half taken in, and one behind it, are gone even if the node comes back."""
    engine = make(Tree(0, {0: (1,)}), faults=(Fault(185, 1, "down"), Fault(186, 1, "up")))
    for operation in range(3):
        engine.start(0, 0, operation, 0, 0)
    engine.start(300, 0, 3, 0, 0)
    assert finish(engine) == [(490, 1)]


def test_message_to_a_down_node_is_lost_and_to_a_risen_one_is_not() -> None:
    """Arrival decides: while down lost, afterwards served."""
    faults = (Fault(0, 1, "down"), Fault(95, 1, "up"))
    early, late = make(Tree(0, {0: (1,)}), faults=faults), make(Tree(0, {0: (1,)}), faults=faults)
    early.start(0, 0, 0, 0, 0)
    late.start(5, 0, 0, 0, 0)
    assert finish(early) == []
    assert finish(late) == [(195, 1)]


@pytest.mark.parametrize(
    ("faults", "fired"),
    [
        ((), [(500, 0)]),
        ((Fault(100, 0, "down"), Fault(200, 0, "up")), []),
        ((Fault(500, 0, "down"),), []),
    ],
)
def test_timer_fires_unless_the_node_fell_in_between(
    faults: tuple[Fault, ...], fired: list[tuple[int, int]]
) -> None:
    """A timer belongs to the life in which it was set."""
    engine = make(faults=faults)
    engine.start(0, 0, 0, 1, 0)
    assert finish(engine) == fired


def test_endless_protocol_ends_at_the_limits() -> None:
    """Neither a number of events nor a time is passed."""
    engine = make()
    engine.start(0, 0, 0, 2, 0)
    assert engine.run(50) == EVENT_LIMIT
    assert engine.events == 50
    engine = make()
    engine.start(0, 0, 0, 2, 0)
    assert engine.run(10_000, horizon_ps=95) == HORIZON
    assert engine.now_ps == 90


def test_digest_does_not_depend_on_keeping_rows() -> None:
    """The trace digest is the same whether the trace is wanted or not, and sees every row."""
    kept, dropped, other = make(), make(), make(model="postal")
    dropped.keep_rows = False
    for engine in (kept, dropped, other):
        engine.start(0, 0, 0, 0, 0)
        finish(engine)
    assert kept.digest() == dropped.digest() != other.digest()
    assert dropped.rows() == ()
    assert len(kept.rows()) == 4

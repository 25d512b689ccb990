"""The engine itself: service in order, bursts, crashes, timers, limits."""

from dataclasses import replace

import pytest

from simulator.engine import EVENT_LIMIT, FINISHED, HORIZON, Engine
from simulator.faults import Fault
from simulator.history import DELIVERED
from simulator.protocols.protocol import (
    Boot,
    Message,
    PowerDown,
    PowerUp,
    Protocol,
    Restart,
    Start,
    handled_kinds,
    message,
    on,
)
from simulator.scenario import seat, wires_of
from simulator.trees import Tree
from tests.simulator.worlds import STAR, even_costs


@message
class Ping(Message):
    """Something to count."""


@message
class Alarm(Message):
    """A timer that fires once."""


@message
class Again(Message):
    """A timer that never ends."""


class Probe(Protocol):
    """Multicasts on start; can wait, work and loop; counts what it receives."""

    name = "probe"
    starts = "root"
    reports = "one"
    promises = ()
    phases = ()

    seen: int

    @on(Start)
    def start(self, m: Start) -> None:
        """Act as the item says."""
        if m.item == 0:
            self.multicast(Ping(m.op))
        elif m.item == 1:
            self.timer(500, Alarm(m.op))
        elif m.item == 2:
            self.timer(10, Again(m.op))
        else:
            self.work(m.value)

    @on(Ping)
    def ping(self, m: Ping) -> None:
        """Count."""
        self.seen += 1
        self.record(m.op, DELIVERED, self.seen)

    @on(Alarm)
    def alarm(self, m: Alarm) -> None:
        """Report that the timer has fired."""
        self.record(m.op, DELIVERED, -1)
        self.done(m.op, 1)

    @on(Again)
    def again(self, m: Again) -> None:
        """Loop for ever."""
        self.timer(10, m)


KINDS = {kind: number for number, kind in enumerate(handled_kinds(Probe))}


def begin(engine: Engine, time: int, node: int, op: int, item: int, value: int = 0) -> None:
    """Give a node a start."""
    engine.tell(time, node, Start(op, item, value, 1))


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
    return [(time, pu) for time, pu, _, event, _ in engine.entries() if event == DELIVERED]


def test_burst_pays_the_gap_from_the_second_send_on() -> None:
    """One handler's sends form a burst."""
    engine = make()
    begin(engine, 0, 0, 0, 0, 0)
    assert finish(engine) == [(190, 1), (210, 2), (230, 3)]
    assert engine.busy_ps == [100, 100, 100, 100]


def test_burst_goes_on_across_operations_back_to_back() -> None:
    """A start that waits for the sender continues its burst; a later one begins anew."""
    engine = make(Tree(0, {0: (1,)}))
    for operation, time in enumerate((0, 10, 500)):
        begin(engine, time, 0, operation, 0, 0)
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
    begin(engine, 0, 1, 0, 0, 0)
    begin(engine, 30, 0, 1, 0, 0)
    engine.at(90, lambda now: begin(engine, now, 0, 2, 0, 0))
    finish(engine)
    rows = [(start, end, kind) for start, end, pu, kind, *_ in engine.rows() if pu == 0]
    assert rows == [(30, 90, KINDS[Start]), (90, 90, KINDS[Ping]), (90, 150, KINDS[Start])]


def test_node_serves_in_order_of_arrival() -> None:
    """Whoever comes while the node is busy waits; ties go by issue."""
    engine = make()
    begin(engine, 0, 0, 0, 3, 1000)
    begin(engine, 5, 0, 1, 0, 0)
    begin(engine, 5, 0, 2, 3, 7)
    finish(engine)
    assert [row[:2] + row[4:5] for row in engine.rows() if row[2] == 0] == [
        (0, 1000, 0),
        (1000, 1100, 1),
        (1100, 1107, 2),
    ]


def test_crash_cuts_a_burst() -> None:
    """Sends that are not complete when the sender goes down never leave."""
    engine = make(faults=(Fault(85, 0, "down"),))
    begin(engine, 0, 0, 0, 0, 0)
    assert finish(engine) == [(190, 1), (210, 2)]
    assert engine.busy_ps[0] == 85


def test_crash_loses_what_is_being_received_and_what_waits() -> None:
    """A message half taken in, and one behind it, are gone even if the node comes back."""
    engine = make(Tree(0, {0: (1,)}), faults=(Fault(185, 1, "down"), Fault(186, 1, "up")))
    for operation in range(3):
        begin(engine, 0, 0, operation, 0, 0)
    begin(engine, 300, 0, 3, 0, 0)
    assert finish(engine) == [(490, 1)]


def test_message_to_a_down_node_is_lost_and_to_a_risen_one_is_not() -> None:
    """Arrival decides: while down lost, afterwards served."""
    faults = (Fault(0, 1, "down"), Fault(95, 1, "up"))
    early, late = make(Tree(0, {0: (1,)}), faults=faults), make(Tree(0, {0: (1,)}), faults=faults)
    begin(early, 0, 0, 0, 0, 0)
    begin(late, 5, 0, 0, 0, 0)
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
    begin(engine, 0, 0, 0, 1, 0)
    assert finish(engine) == fired


def test_endless_protocol_ends_at_the_limits() -> None:
    """Neither a number of events nor a time is passed."""
    engine = make()
    begin(engine, 0, 0, 0, 2, 0)
    assert engine.run(50) == EVENT_LIMIT
    assert engine.events == 50
    engine = make()
    begin(engine, 0, 0, 0, 2, 0)
    assert engine.run(10_000, horizon_ps=95) == HORIZON
    assert engine.now_ps == 90


def test_digest_does_not_depend_on_keeping_rows() -> None:
    """The trace digest is the same whether the trace is wanted or not, and sees every row."""
    kept, dropped, other = make(), make(), make(model="postal")
    dropped.keep_rows = False
    for engine in (kept, dropped, other):
        begin(engine, 0, 0, 0, 0, 0)
        finish(engine)
    assert kept.digest() == dropped.digest() != other.digest()
    assert dropped.rows() == ()
    assert len(kept.rows()) == 4


class Told(Protocol):
    """Records what it hears of its own power."""

    name = "told"
    starts = "root"
    reports = "one"
    promises = ()
    phases = ()

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
        """Say so to everybody."""
        self.record(0, DELIVERED, 3)
        self.multicast(Ping(0))

    @on(PowerUp)
    def power_up(self, m: PowerUp) -> None:
        """Say so."""
        self.record(0, DELIVERED, 4)

    @on(Ping)
    def ping(self, m: Ping) -> None:
        """Say when it came, and who sent it."""
        self.record(self.now, DELIVERED, m.source)


def test_node_hears_of_its_power_and_speaks_before_it_goes() -> None:
    """Boot, a crash that nobody announces, a restart, and a farewell that still leaves."""
    tree = Tree(0, {0: (1,)})
    engine = Engine(seat(Told, tree, 1), (0, 1), wires_of(even_costs(2), (0, 1), "logp"))
    plan = (Fault(10, 0, "down"), Fault(20, 0, "up"), Fault(30, 0, "off"), Fault(500, 0, "on"))
    engine.plan_faults(plan, {0: 0, 1: 1})
    engine.boot((0, 1))
    assert engine.run(100) == FINISHED
    rows = [row for row in engine.entries() if row[3] == DELIVERED]
    said = [(time, pu, value) for time, pu, _, _, value in rows]
    assert said == [(0, 0, 1), (0, 1, 1), (20, 0, 2), (30, 0, 3), (220, 1, 0), (500, 0, 4)]
    assert rows[4][2] == 220


class Line(Protocol):
    """A member fetches a line that others have had."""

    name = "line"
    starts = "client"
    reports = "one"
    promises = ()
    phases = ()
    cache_lines = ("one",)

    owner: int

    @on(Start)
    def start(self, m: Start) -> None:
        """Ask for the line."""
        self.send(self.count, Again(m.op))

    @on(Again)
    def fetch(self, m: Again) -> None:
        """Give the line to who asks."""
        self.work(self.transfer_ps(self.owner, m.source))
        self.owner = m.source
        self.send(m.source, Ping(m.op))

    @on(Ping)
    def ping(self, m: Ping) -> None:
        """Have the line."""
        self.done(m.op, 1)


def test_cache_line_serves_in_order_and_takes_as_long_as_from_its_last_owner() -> None:
    """Three at once: the first hits, each of the others waits for the one before."""
    costs = replace(even_costs(3), transfer_ps=even_costs(3).receive_ps, hit_ps=7)
    nodes = seat(Line, Tree(0, {0: (1, 2)}), 2, costs=costs)
    engine = Engine(nodes, (0, 1, 2), wires_of(costs, (0, 1, 2), "logp"))
    ended: list[tuple[int, int]] = []
    engine.on_done = lambda op, node, now, result: ended.append((op, now))
    for node in range(3):
        begin(engine, 0, node, node, 0)
    assert engine.run(100) == FINISHED
    assert ended == [(0, 7), (1, 107), (2, 207)]
    assert engine.busy_ps == [0, 0, 0, 207]

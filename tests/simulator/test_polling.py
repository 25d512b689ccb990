"""Receivers that poll: when they notice what, in which order, and what faults do to it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.engine import FINISHED, Engine, Row
from simulator.faults import Fault
from simulator.polling import Pollers, all_channels, own_channels
from simulator.protocols.protocol import (
    Message,
    Protocol,
    Restart,
    Start,
    handled_kinds,
    message,
    on,
)
from simulator.refinements import Refinements
from simulator.scenario import Scenario, run, seat, wires_of
from simulator.trees import Tree
from tests.simulator.test_engine import Line
from tests.simulator.worlds import (
    CHAIN,
    TWO_LEVELS,
    even_costs,
    random_costs,
    random_trees,
    scenario,
)


@message
class Call(Message):
    """Asks the root to be busy for a while."""

    busy_ps: int


class Caller(Protocol):
    """Whoever starts calls the root; the root's own starts are calls at once."""

    name = "caller"
    starts = "root"
    reports = "one"
    promises = ()
    phases = ()

    @on(Start)
    def start(self, m: Start) -> None:
        """Call the root, or be busy."""
        if self.me == self.root:
            self.work(m.value)
        else:
            self.send(self.root, Call(m.op, m.value))

    @on(Call)
    def call(self, m: Call) -> None:
        """Be busy."""
        self.work(m.busy_ps)

    @on(Restart)
    def restart(self, m: Restart) -> None:
        """Be there again."""


KINDS = tuple(handled_kinds(Caller))


@dataclass(frozen=True)
class Called:
    """Somebody starts an operation that keeps the root busy."""

    time: int
    node: int
    busy_ps: int = 0


def rows_of(
    count: int, poll_ps: int, calls: Sequence[Called], faults: tuple[Fault, ...] = ()
) -> tuple[Row, ...]:
    """Run calls among members of a star who poll each other: send 60, flight 30, receive 100."""
    star = Tree(0, {0: tuple(range(1, count))})
    engine = Engine(
        seat(Caller, star, 0),
        star.members,
        wires_of(even_costs(count), star.members, "logp"),
        pollers=Pollers(poll_ps, all_channels(count)),
    )
    engine.keep_rows = True
    engine.plan_faults(faults, {pu: pu for pu in star.members})
    for number, call in enumerate(calls):
        engine.tell(call.time, call.node, Start(number, 0, call.busy_ps, 1))
    assert engine.run(10_000) == FINISHED
    return engine.rows()


def root_rows(rows: Sequence[Row]) -> list[tuple[int, int, int]]:
    """Return (start, end, operation) of what the root did."""
    return [(start, end, op) for start, end, pu, _, op, _ in rows if pu == 0]


def test_idle_receiver_notices_when_it_next_looks_into_the_channel() -> None:
    """By hand, a look every 7: PU 2 sees its start at 14; the root looks at 98 and 119, not 104."""
    rows = rows_of(3, 7, [Called(0, 2)])
    assert [row[:3] for row in rows] == [(14, 74, 2), (119, 219, 0)]


def test_busy_receiver_takes_the_channels_in_turn() -> None:
    """What came first waits until its channel is due: after channel 2 come 0 and 1."""
    calls = [Called(0, 2), Called(107, 1), Called(118, 0), Called(130, 2)]
    rows = rows_of(3, 7, calls)
    # PU 2 calls again at 98 + 70 x 21 ... it is idle from 74 on, standing at channel 0
    starts = {op: start for start, _, pu, kind, op, _ in rows if pu and KINDS[kind] is Start}
    assert starts == {0: 14, 1: 112, 3: 74 + 14 + 21 * 2}
    # free at 219: channel 0 at once, channel 1 (came at 202) next, channel 2 (came at 220) last
    assert root_rows(rows)[1:] == [(219, 219, 2), (219, 319, 1), (319, 419, 3)]


def test_worst_notice_is_a_full_turn_over_all_channels() -> None:
    """Three channels in 9,999 cycles: up to 9,998 until it is noticed, nothing at best."""
    turn = 3 * 3333
    waits = [
        root_rows(rows_of(3, 3333, [Called(time, 0)]))[0][0] - time
        for time in (0, 1, 3333, turn - 1, turn, turn + 1)
    ]
    assert waits == [0, turn - 1, turn - 3333, 1, 0, turn - 1]


def looked(
    poll_ps: int, count: int, arrivals: Sequence[tuple[int, int, int, int]]
) -> list[tuple[int, int]]:
    """Poll look by look: (begin, operation) from (arrival, channel, operation, duration)."""
    waiting, found = sorted(arrivals), []
    now = channel = 0
    while waiting:
        here = [row for row in waiting if row[0] <= now and row[1] == channel]
        channel = (channel + 1) % count
        if here:
            waiting.remove(here[0])
            found.append((now, here[0][2]))
            now += here[0][3]
        else:
            now += poll_ps
    return found


@settings(max_examples=150, deadline=None)
@given(
    st.integers(2, 5),
    st.integers(1, 90),
    st.lists(st.tuples(st.integers(0, 900), st.integers(0, 4), st.integers(0, 60)), max_size=12),
)
def test_receiver_notices_what_a_poller_finds_look_by_look(
    count: int, poll_ps: int, given_calls: list[tuple[int, int, int]]
) -> None:
    """No event per look, and yet every service begins when a loop over all looks begins it."""
    calls = [Called(time, node % count, busy) for time, node, busy in sorted(given_calls)]
    rows = rows_of(count, poll_ps, calls)
    assert len(root_rows(rows)) == len(calls)
    arrivals = [(call.time, 0, op, call.busy_ps) for op, call in enumerate(calls) if call.node == 0]
    for _, end, pu, _, op, _ in rows:
        if pu:
            arrivals.append((end + 30, pu, op, 100 + calls[op].busy_ps))
    assert [(start, op) for start, _, op in root_rows(rows)] == looked(poll_ps, count, arrivals)


@settings(max_examples=60, deadline=None)
@given(
    st.data(),
    random_trees(),
    st.sampled_from(["barrier", "reduction", "two-phase-commit", "single-phase-commit"]),
    st.sampled_from(["all", "tree"]),
)
def test_polling_loses_and_doubles_nothing(
    data: st.DataObject, tree: Tree, name: str, channels: str
) -> None:
    """Every handler runs as often as without polling; promises hold; no operation is left."""
    costs = data.draw(random_costs(tree.members))
    poll_ps = data.draw(st.integers(1, 40))
    plain = Scenario(costs, tree, "any", name, operations=4, outstanding=3, trace=True)
    polled = run(replace(plain, poll_ps=poll_ps, channels=channels))  # type: ignore[arg-type]
    one = run(plain)
    assert sorted(row[2:] for row in polled.trace) == sorted(row[2:] for row in one.trace)
    assert polled.completed == 4
    assert polled.violations == ()


def test_polling_is_off_without_a_time_for_a_look() -> None:
    """With `poll_ps` 0 the trace is the very same, whatever the channels."""
    plain = scenario("two-phase-commit", operations=9, outstanding=3)
    same = run(replace(plain, channels="tree", poll_ps=0))
    assert same.trace_digest == run(plain).trace_digest
    assert run(replace(plain, poll_ps=1)).trace_digest != same.trace_digest


def test_fewer_channels_are_noticed_earlier() -> None:
    """A node of a chain that looks at three channels is never later than one that looks at four."""
    slow = run(scenario("barrier", CHAIN, poll_ps=50))
    fast = run(scenario("barrier", CHAIN, poll_ps=50, channels="tree"))
    assert fast.latency_ps[0] < slow.latency_ps[0]


def test_channels_of_a_tree_are_oneself_the_neighbours_and_one_for_all_others() -> None:
    """Node 1 of two levels hears of 0, itself, 3 and 4; who is no neighbour shares the last."""
    assert own_channels([[1], [0, 2], [1], []]) == [
        [0, 1, 2, 2],
        [0, 1, 2, 3],
        [2, 0, 1, 2],
        [1, 1, 1, 0],
    ]
    pollers = Refinements(poll_ps=5, channels="tree").pollers([TWO_LEVELS])
    assert pollers is not None
    # five channels, 5 each: 0, 1, 3, 4 and one that 2, 5 and 6 share
    assert pollers.put(1, 100, 101, (101, None, -1, 6)) == 120
    assert pollers.turn_ps == 25


def test_crash_loses_what_was_not_yet_noticed() -> None:
    """A message that came at 104 and would be noticed at 119 is gone at 110; looks begin anew."""
    faults = (Fault(110, 0, "down"), Fault(115, 0, "up"))
    rows = rows_of(3, 7, [Called(0, 2), Called(200, 2)], faults)
    # again: from 74 on PU 2 looks into its own channel at 88 + 21 x 6; the root at 129 + 21 x 9
    assert root_rows(rows)[0][:2] == (115, 115)
    assert [row[:3] for row in rows if row[4] == 1] == [(214, 274, 2), (318, 418, 0)]


def test_slow_receiver_keeps_its_turn() -> None:
    """Who would look at 119 while it is descheduled looks when it is back."""
    rows = rows_of(3, 7, [Called(0, 2)], (Fault(110, 0, "slow", 1000),))
    assert root_rows(rows) == [(1110, 1210, 0)]


def test_power_up_is_handled_before_what_waits() -> None:
    """Nobody polls for news of the own power."""
    rows = rows_of(3, 1000, [Called(0, 2)], (Fault(0, 0, "down"), Fault(2090, 0, "up")))
    assert [(row[0], KINDS[row[3]]) for row in rows if row[2] == 0] == [
        (2090, Restart),
        (4090, Call),
    ]


def test_answers_of_cache_lines_are_not_polled_for() -> None:
    """A line that is fetched is there when it is there, between two looks; the looks go on."""
    pairs = dict.fromkeys(even_costs(3).send_ps, 104)
    costs = replace(even_costs(3), transfer_ps=pairs, hit_ps=7)
    nodes = seat(Line, Tree(0, {0: (1, 2)}), 2, costs=costs)
    wires = wires_of(costs, (0, 1, 2), "logp")
    engine = Engine(nodes, (0, 1, 2), wires, pollers=Pollers(10, all_channels(3)))
    ended: list[tuple[int, int]] = []
    engine.on_done = lambda op, node, now, result: ended.append((op, now))
    # PU 1 looks into its own channel at 10 and has the line at 114, between two looks. Then it is
    # the turn of its own channel again, and it hits at 121. It had begun to look into channel 2,
    # goes on with 0 at 121 and with its own at 131.
    for number, time in enumerate((0, 111, 122)):
        engine.tell(time, 1, Start(number, 0, 0, 1))
    assert engine.run(100) == FINISHED
    assert ended == [(0, 114), (1, 121), (2, 138)]


def test_answers_of_cache_lines_go_before_channels_of_the_same_instant() -> None:
    """The line is there at 120, when the own channel is looked into: the fetch ends first."""
    pairs = dict.fromkeys(even_costs(3).send_ps, 110)
    costs = replace(even_costs(3), transfer_ps=pairs, hit_ps=7)
    nodes = seat(Line, Tree(0, {0: (1, 2)}), 2, costs=costs)
    wires = wires_of(costs, (0, 1, 2), "logp")
    engine = Engine(nodes, (0, 1, 2), wires, pollers=Pollers(10, all_channels(3)))
    engine.keep_rows = True
    for number, time in enumerate((0, 111)):
        engine.tell(time, 1, Start(number, 0, 0, 1))
    assert engine.run(100) == FINISHED
    assert [(row[0], row[4]) for row in engine.rows() if row[2] == 1] == [
        (10, 0),
        (120, 0),
        (120, 1),
        (127, 1),
    ]


class Echo(Protocol):
    """Answers a call, and once more when its timer fires."""

    name = "echo"
    starts = "root"
    reports = "one"
    promises = ()
    phases = ()

    @on(Call)
    def call(self, m: Call) -> None:
        """Answer now and later, or hear the answer."""
        if self.me == 1:
            self.timer(m.busy_ps, Start(m.op, 0, 0, 1))
            self.send(0, m)

    @on(Start)
    def begin(self, m: Start) -> None:
        """Call, or answer again."""
        if self.me == 1:
            self.send(0, Call(m.op, 0))
        else:
            self.send(1, Call(m.op, m.value))


@pytest.mark.parametrize(("due", "took"), [(5, 20), (60, 60)])
def test_timer_that_waited_goes_on_with_a_burst(due: int, took: int) -> None:
    """Its channel is the next: a timer that fired while the node was sending adds a gap only."""
    star = Tree(0, {0: (1,)})
    wires = wires_of(even_costs(2), (0, 1), "logp")
    engine = Engine(seat(Echo, star, 1), (0, 1), wires, pollers=Pollers(10, all_channels(2)))
    engine.keep_rows = True
    engine.tell(0, 0, Start(0, 0, due, 1))
    assert engine.run(100) == FINISHED
    # the call is there at 90 and looked for at 100; it is received and answered until 260
    second = [row for row in engine.rows() if row[2] == 1][1]
    assert second[:2] == (260, 260 + took)


@pytest.mark.parametrize("poll_ps", [1, 1000])
def test_polling_senders_still_send_bursts(poll_ps: int) -> None:
    """The sends of one handler are one burst, however its node was told."""
    rows = run(scenario("atomic-broadcast", Tree(0, {0: (1, 2, 3)}), poll_ps=poll_ps, trace=True))
    assert rows.trace[0][1] - rows.trace[0][0] == 60 + 20 + 20

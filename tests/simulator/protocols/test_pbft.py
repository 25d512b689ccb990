"""PBFT: honest replicas agree although f lie and others crash, and it costs what it costs."""

from collections import Counter

import pytest

from simulator.faults import Fault
from simulator.history import APPLIED, LED
from simulator.planted import Planted
from simulator.planted.pbft import LIARS, PLANTED
from simulator.protocols.pbft import Pbft, Reply, Request, Tick
from simulator.protocols.pbft_views import CHANGING, Give, Given, NewView, PrePrepare, ViewChange
from simulator.protocols.pbft_votes import Commit, Prepare
from simulator.protocols.protocol import DONE, RECORD, SEND, Message, Place, handled_kinds
from simulator.protocols.register_log import Fetch, Learned, Register, Whole
from simulator.scenario import Scenario, run, simulate
from simulator.swarm import hunt
from simulator.trees import Tree
from tests.simulator.protocols.plans import caught, random_run
from tests.simulator.worlds import even_costs, scenario


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.protocol.__name__)
def test_pbft_planted_fault_is_caught_and_the_original_is_not(planted: Planted) -> None:
    """One of the named checks speaks up; on the same settings the protocol is clean."""
    checks, said = caught(planted)
    assert checks
    assert said == ()


@pytest.mark.parametrize("block", range(5))
def test_pbft_stays_safe_and_ends_under_random_plans(block: int) -> None:
    """Crashes, power, slow members and partitions, with loss and delay in every third run."""
    for seed in range(20 * block, 20 * block + 20):
        case, result = random_run(Pbft, seed, reads_per_mille=400, items=2, operations=10)
        assert result.violations == (), seed
        assert result.completed == case.operations or not case.clients, seed


@pytest.mark.parametrize("count", [4, 7, 10])
@pytest.mark.parametrize("liar", LIARS, ids=lambda liar: liar.__name__)
def test_pbft_withstands_a_liar(liar: type[Pbft], count: int) -> None:
    """With one replica that lies nothing honest breaks, and every operation ends."""
    tree = Tree(0, {0: tuple(range(1, count))})
    case = scenario(
        "pbft", tree, operations=12, outstanding=3, reads_per_mille=400, items=2,
        clients=(2, 3),
    )  # fmt: skip
    result = simulate(case, liar)
    assert (result.completed, result.violations) == (12, ())


def test_pbft_equivocation_ends_the_view() -> None:
    """What the primary tells differently to different replicas is executed in a later view."""
    case = scenario("pbft", operations=2, outstanding=2, clients=(3, 4), trace=True)
    kinds = list(handled_kinds(LIARS[0]).values())
    result = simulate(case, LIARS[0])
    assert "new_view" in {kinds[row[3]] for row in result.trace}
    assert result.violations == ()


@pytest.mark.parametrize("count", [1, 4, 7, 13])
def test_pbft_messages_of_one_operation(count: int) -> None:
    """One request, n - 1 proposals, (n - 1)^2 prepares, n (n - 1) commits, n - 1 replies."""
    tree = Tree(0, {0: tuple(range(1, count))})
    case = scenario("pbft", tree, clients=(count - 1,), trace=True, horizon_ps=90 * 160 * count)
    result = run(case)
    kinds = list(handled_kinds(Pbft).values())
    ticks = [row for row in result.trace if kinds[row[3]] == "tick"]
    first = min((row[0] for row in ticks), default=1 << 60)
    found = Counter(kinds[row[3]] for row in result.trace if row[0] < first)
    assert found["request"] == (count > 1)
    assert found["pre_prepare"] == count - 1
    assert found["prepare"] == (count - 1) ** 2
    assert found["commit"] == count * (count - 1)
    assert found["replied"] == count - 1


def test_pbft_takes_five_flights_where_messages_only_fly() -> None:
    """Request, proposal, prepare, commit, reply: the own replica alone is not f + 1."""
    tree = Tree(0, {0: (1, 2, 3)})
    costs = even_costs(4, send=0, receive=0, gap=0)
    result = run(Scenario(costs, tree, "any", "pbft", clients=(2,)))
    flight = costs.propagation(0, 1)
    assert result.latency_ps == (5 * flight,)
    authenticated = Scenario(
        costs, tree, "any", "pbft", clients=(2,), parameters={"authenticate_ps": 7}
    )
    assert run(authenticated).latency_ps[0] >= 5 * (flight + 2 * 7)


def test_pbft_goes_on_without_f_replicas() -> None:
    """Primary and another one are gone for good, two of seven."""
    faults = (Fault(1500, 0, "down"), Fault(1500, 3, "off"))
    case = scenario("pbft", operations=20, clients=(5, 6), faults=faults)
    result = run(case)
    assert (result.completed, result.violations) == (20, ())


def test_pbft_brings_back_who_missed_more_than_is_kept() -> None:
    """Off during 1100 operations, a replica takes the registers over, then is let in again."""
    faults = (Fault(1, 3, "off"), Fault(5 * 10**6, 3, "on"))
    tree = Tree(0, {0: (1, 2, 3)})
    case = scenario("pbft", tree, operations=1100, clients=(0, 2), faults=faults, items=5)
    result = run(case)
    assert (result.completed, result.violations) == (1100, ())


def seated(me: int, count: int = 4) -> Pbft:
    """Return one replica alone, with the numbers that it needs."""
    return Pbft(Place(me, -1, (), 0, 0, 8, 2, entries=8, count=count, round_ps=10))


def sent(node: Pbft, kind: type[Message]) -> list[int]:
    """Return to whom messages of a kind were sent."""
    return [what for code, what, _, _, told in node.outbox if code == SEND and type(told) is kind]


def recorded(node: Pbft) -> list[tuple[int, int, int]]:
    """Return what was recorded: event, operation, value."""
    return [(what, op, value) for code, what, op, value, _ in node.outbox if code == RECORD]


def from_peer(message: Message, source: int) -> Message:
    """Return a message as if it came from a replica."""
    message.source = source
    return message


def test_pbft_votes_about_another_log_do_not_count() -> None:
    """Two of four that have accepted something else prepare nothing here."""
    node = seated(1)
    proposal = PrePrepare(0, 0, 1, 9)
    from_peer(proposal, 0)
    node.pre_prepare(proposal)
    digest = node.digests[1]
    for source, told in ((2, digest + 1), (3, digest + 1), (2, digest)):
        assert sent(node, Commit) == []
        vote = Prepare(1, 0, told)
        from_peer(vote, source)
        node.prepare(vote)
    assert sent(node, Commit) == [0, 2, 3]
    for source in (2, 3):
        assert recorded(node) == []
        commit = Commit(1, 0, digest)
        from_peer(commit, source)
        node.commit(commit)
    assert recorded(node) == [(APPLIED, 0, 1)]


def test_pbft_client_believes_what_f_and_one_more_say() -> None:
    """One liar of four, even when it is the first to answer, is not believed."""
    node = seated(3)
    node.waiting[node.slot(5)] = 6
    for source, result in ((1, 8), (1, 8), (0, 7), (2, 7), (3, 7)):
        assert not [row for row in node.outbox if row[0] == DONE]
        reply = Reply(5, result)
        from_peer(reply, source)
        node.replied(reply)
    assert [row[2:4] for row in node.outbox if row[0] == DONE] == [(5, 7)]


def test_pbft_new_primary_takes_over_what_is_prepared() -> None:
    """It asks who has prepared most, and proposes that log when all of it is here."""
    node = seated(1)
    for source, prepared in ((2, 0), (3, 1)):
        ask = ViewChange(1, 0, prepared)
        from_peer(ask, source)
        node.view_change(ask)
    assert (node.view, node.stage, node.lender) == (1, CHANGING, 4)
    give, given = Give(0, 1, 1, 9), Given(1, 1)
    from_peer(given, 3)
    node.given(given)
    assert recorded(node) == []
    from_peer(give, 3)
    node.give(give)
    node.given(given)
    assert recorded(node) == [(LED, 1, 0)]
    assert (sent(node, NewView), sent(node, PrePrepare)) == ([0, 2, 3], [0, 2, 3])


def test_pbft_replica_suspects_a_primary_that_does_not_execute() -> None:
    """A client's complaint starts the clock; four ticks without progress end the view."""
    node = seated(2)
    complaint = Request(0, 9)
    from_peer(complaint, 3)
    node.request(complaint)
    for _ in range(4):
        node.tick(Tick(0))
        assert sent(node, ViewChange) == []
    node.tick(Tick(0))
    assert sent(node, ViewChange) == [0, 1, 3]


def test_pbft_waits_twice_as_long_for_each_view_without_an_execution() -> None:
    """Slow replicas get as far as to execute in the end; then patience is what it was."""
    node = seated(1)
    waits = [node.patience()]
    for view in (1, 2, 3):
        node.change_to(view)
        waits.append(node.patience())
    assert waits == [waits[0], waits[0], 2 * waits[0], 4 * waits[0]]
    slow = scenario("pbft", operations=3, parameters={"authenticate_ps": 5000}, timeout_ps=5000)
    assert run(slow).completed == 3


@pytest.mark.parametrize(
    "seed", [1000020971, 1000023943, 1000030414, 1000021121, 1000043759, 2000047495]
)
def test_pbft_brings_back_who_missed_a_proposal(seed: int) -> None:
    """Plans in which one replica stayed behind from a partition on, or in half a snapshot."""
    assert hunt(Pbft, [seed]).failures == []


def test_pbft_executes_what_others_did_in_whatever_order_it_comes() -> None:
    """An entry that overtakes the one before it waits for that."""
    node = seated(1)
    later, sooner = Learned(1, 2, 9), Learned(0, 1, 9)
    node.learn(later)
    assert recorded(node) == []
    node.learn(sooner)
    assert recorded(node) == [(APPLIED, 0, 1), (APPLIED, 1, 2)]
    assert (node.last, node.prepared) == (2, 2)


def test_pbft_replica_asks_once_for_a_proposal_that_it_missed() -> None:
    """Later proposals do not ask again; the primary sends all that is not executed yet."""
    node, primary = seated(1), seated(0)
    for op, position in ((1, 2), (2, 3)):
        proposal = PrePrepare(op, 0, position, 9)
        from_peer(proposal, 0)
        node.pre_prepare(proposal)
    assert (sent(node, Fetch), node.last) == ([0], 0)
    for op in (0, 1):
        primary.admit(op, 9)
    primary.outbox.clear()
    fetch = Fetch(0)
    from_peer(fetch, 1)
    primary.fetched(fetch)
    assert sent(primary, PrePrepare) == [1, 1]


def test_pbft_snapshot_for_an_earlier_position_does_not_spoil_a_later_one() -> None:
    """Parts that changed before the own position are late ones: they are not counted."""
    node = seated(1)
    node.learned = node.last = 5
    node.take_register(Register(7, 0, 33, 4))
    assert (node.dirty, node.held[0]) == (0, 0)
    node.take_whole(Whole(7, 2))
    node.take_register(Register(7, 1, 55, 6))
    assert node.learned == 5
    node.take_register(Register(7, 0, 33, 4))
    assert node.learned == 5
    node.take_whole(Whole(7, 1))
    assert (node.learned, node.dirty, node.held[1]) == (7, 0, 55)

"""Raft, and what it shares with Multi-Paxos: safe under every plan, exact on an idle machine."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from simulator.costs import MODELS, MessageCosts
from simulator.draws import draw
from simulator.errors import ScenarioError
from simulator.faults import Fault
from simulator.history import APPLIED, LED, RESUMED
from simulator.lowering import lowered
from simulator.planted import Planted
from simulator.planted.multi_paxos import PLANTED as MULTI_PAXOS_PLANTED
from simulator.planted.raft import PLANTED as RAFT_PLANTED
from simulator.protocols.logged_registers import FOLLOWER, LEADER, NOTHING, Fetch, Snapshot
from simulator.protocols.multi_paxos import MultiPaxos, Prepare, Promise
from simulator.protocols.protocol import RECORD, SEND, Place
from simulator.protocols.raft import Canvass, Raft, Vote
from simulator.protocols.replicated_log import TRIES, ReplicatedLog, Watch
from simulator.scenario import Scenario, run
from simulator.swarm import hunt
from simulator.timing import broadcast_arrivals
from simulator.trees import Tree
from tests.simulator.protocols.plans import caught, random_run
from tests.simulator.worlds import random_costs, random_trees, scenario

BOTH = pytest.mark.parametrize("protocol", [Raft, MultiPaxos])


@pytest.mark.parametrize(
    "planted", [*RAFT_PLANTED, *MULTI_PAXOS_PLANTED], ids=lambda planted: planted.protocol.__name__
)
def test_log_planted_fault_is_caught_and_the_original_is_not(planted: Planted) -> None:
    """One of the named checks speaks up; on the same settings the protocol is clean."""
    checks, said = caught(planted)
    assert checks
    assert said == ()


@BOTH
@pytest.mark.parametrize("block", range(5))
def test_log_stays_safe_and_ends_under_random_plans(
    protocol: type[ReplicatedLog], block: int
) -> None:
    """Crashes, power, slow members and partitions, small windows, batches, loss and delay."""
    for seed in range(20 * block, 20 * block + 20):
        numbers = {
            "keep": (0, 3, 8)[draw(seed, 11, 3)],
            "batch": draw(seed, 12, 3),
            "pipeline": 2 * draw(seed, 13, 3),
        }
        case, result = random_run(
            protocol, seed, parameters=numbers, reads_per_mille=300, items=2, outstanding=4
        )
        assert result.violations == (), seed
        failed = {fault.pu for fault in case.faults if fault.state in ("down", "off")}
        assert result.completed == case.operations or failed, seed


def committed(tree: Tree, costs: MessageCosts, model: str, client: int) -> int:
    """Return when a client hears that its update is committed, on an idle machine.

    One message to the root, a broadcast over the tree; each member answers to the root once it has
    passed the entry on, the root receives in order of arrival until a majority has it, and replies.
    The client may have to do its part before it can hear the reply.
    """
    root = tree.root
    heard = broadcast_arrivals(tree, costs, model)
    done = {}
    for pu in tree.members:
        done[pu] = heard[pu]
        targets = [*tree.children[pu], *((root,) if pu != root else ())]
        for at, peer in enumerate(targets):
            more = costs.send(pu, peer) if at == 0 else costs.further_send(pu, peer, model)
            done[pu] += more
    answers = [(done[pu] + costs.propagation(pu, root), pu) for pu in heard if pu != root]
    kinds = {(arrival, costs.receive(pu, root)) for arrival, pu in answers}
    assume(len({arrival for arrival, _ in kinds}) == len(kinds))
    free = done[root]
    for arrival, pu in sorted(answers)[: len(tree.members) // 2]:
        free = max(free, arrival) + costs.receive(pu, root)
    if client == root:
        return free
    reply = free + costs.send(root, client) + costs.propagation(root, client)
    above = next(pu for pu in tree.members if client in tree.children[pu])
    entry = heard[client] - costs.receive(above, client)
    assume(reply != entry)
    if reply > entry:
        reply = max(reply, done[client])
    return costs.one_way(client, root) + reply + costs.receive(root, client)


@BOTH
@given(st.data())
def test_log_update_takes_the_time_of_the_formula(
    protocol: type[ReplicatedLog], data: st.DataObject
) -> None:
    """One update on an idle machine, over any tree, from any client, to the picosecond."""
    tree = data.draw(random_trees())
    costs = data.draw(random_costs(tree.members))
    model = data.draw(st.sampled_from(MODELS))
    client = data.draw(st.sampled_from(tree.members))
    case = Scenario(costs, tree, "any", protocol.name, model=model, clients=(client,))
    due = committed(tree, costs, model, client)
    result = run(case)
    assert result.violations == ()
    assert result.latency_ps == (due,)


@BOTH
def test_log_of_one_commits_alone(protocol: type[ReplicatedLog]) -> None:
    """A single member is its own majority, also when it comes back."""
    faults = (Fault(5, 0, "down"), Fault(10, 0, "up"))
    for plan in ((), faults):
        case = scenario(protocol.name, Tree(0, {0: ()}), operations=3, faults=plan, interval_ps=100)
        result = run(case)
        assert (result.completed, result.violations) == (3, ())


@BOTH
def test_log_batches_spare_answers(protocol: type[ReplicatedLog]) -> None:
    """Entries that come while others are under way go together, with one answer due."""
    runs = [
        run(scenario(protocol.name, operations=200, outstanding=40, parameters=numbers))
        for numbers in ({"pipeline": 100, "batch": 1}, {})
    ]
    assert [(r.completed, r.violations) for r in runs] == [(200, ())] * 2
    assert runs[1].events < runs[0].events


@BOTH
def test_log_goes_on_when_an_inner_node_of_the_tree_is_gone(protocol: type[ReplicatedLog]) -> None:
    """Behind the one child of the root is everybody: the others are sent to directly."""
    tree = Tree(0, {0: (1,), 1: (2,), 2: (3, 4)})
    case = scenario(
        protocol.name, tree, operations=30, clients=(0, 4), faults=(Fault(1000, 1, "down"),)
    )
    result = run(case)
    assert (result.completed, result.violations) == (30, ())


@BOTH
def test_log_elects_another_leader_and_the_root_comes_back(protocol: type[ReplicatedLog]) -> None:
    """The root crashes for good, or is away for a while; its clients' operations wait for it."""
    for faults in (
        (Fault(1000, 0, "down"),),
        (Fault(1000, 0, "down"), Fault(90_000, 0, "up")),
        (Fault(1000, 0, "off"), Fault(90_000, 0, "on")),
    ):
        result = run(
            scenario(protocol.name, operations=40, outstanding=2, clients=(3, 6), faults=faults)
        )
        assert (result.completed, result.violations) == (40, ())


@BOTH
def test_log_announced_power_down_of_the_leader_is_faster_than_a_crash(
    protocol: type[ReplicatedLog],
) -> None:
    """It names a successor, which need not wait for silence."""
    last = [
        max(
            run(
                scenario(
                    protocol.name, operations=20, clients=(3,), faults=(Fault(1500, 0, state),)
                )
            ).latency_ps
        )
        for state in ("off", "down")
    ]
    assert last[0] < last[1]


@BOTH
def test_log_member_behind_the_window_takes_the_state_over(protocol: type[ReplicatedLog]) -> None:
    """Off during 200 updates of which four are kept, a member resumes with what it missed."""
    faults = (Fault(1000, 6, "off"), Fault(400_000, 6, "on"))
    result = run(
        scenario(
            protocol.name,
            operations=200,
            outstanding=3,
            clients=(1, 3),
            items=3,
            faults=faults,
            parameters={"keep": 4},
        )
    )
    assert (result.completed, result.violations) == (200, ())


def seated(protocol: type[ReplicatedLog], me: int = 0, count: int = 3) -> ReplicatedLog:
    """Return one member alone, with the numbers that it needs."""
    return protocol(Place(me, -1, (), 0, 0, 4, 2, entries=8, count=count, round_ps=10))


def said(node: ReplicatedLog) -> list[tuple[int, int, int]]:
    """Return what a member has recorded (event, operation, value) and forget all its actions."""
    rows = [(what, op, number) for kind, what, op, number, _ in node.outbox if kind == RECORD]
    node.outbox.clear()
    return rows


def test_raft_votes_once_in_a_term_and_for_no_log_behind_its_own() -> None:
    """The first candidate has the vote; one that lacks an entry never."""
    node = seated(Raft, me=1)
    assert isinstance(node, Raft)
    for source, term, last, granted in ((0, 1, 0, True), (2, 1, 0, False), (2, 2, 0, True)):
        ask = Canvass(term, last, 0)
        ask.source = source
        node.canvass(ask)
        votes = [m for code, _, _, _, m in node.outbox if code == SEND and isinstance(m, Vote)]
        assert [m.granted for m in votes] == [1] * granted
        node.outbox.clear()
    node.write(NOTHING, 1, 1, 0)
    ask = Canvass(3, 0, 0)
    node.canvass(ask)
    assert node.outbox == []


def test_raft_leader_commits_an_old_entry_only_with_one_of_its_own() -> None:
    """A majority for an entry of term 1 is not enough in term 2; the entry behind it is."""
    node = seated(Raft)
    node.write(7, 1, 2, 1)
    node.term = 2
    node.lead()  # type: ignore[attr-defined]
    assert said(node) == [(LED, 2, 0)]
    node.tally(1, 1)
    assert node.applied == 0
    node.tally(1, 2)
    assert said(node) == [(APPLIED, 7, 1)]


def test_multi_paxos_leader_proposes_what_a_promise_brings() -> None:
    """Of two accepted values that of the larger ballot stays; a gap is closed with nothing."""
    node = seated(MultiPaxos)
    assert isinstance(node, MultiPaxos)
    node.write(4, 1, 1, 0)
    node.stand()
    ballot = node.term
    for op, position, stamp in ((5, 1, 3), (6, 3, 2)):
        node.adopt_entry(op, position, stamp, 0)
    node.promised(Promise(ballot, 1, 0, 0))
    assert node.role == LEADER
    assert [node.ops[p] for p in (1, 2, 3)] == [5, NOTHING, 6]
    assert [node.stamps[p] for p in (1, 2, 3)] == [ballot + 1] * 3


def test_multi_paxos_ballots_are_of_one_member_each() -> None:
    """No two members of five ever take the same ballot, whatever they know."""
    ballots: list[int] = []
    for me in range(5):
        node = seated(MultiPaxos, me, 5)
        assert isinstance(node, MultiPaxos)
        for term in range(20):
            node.term = term
            assert node.next_ballot() > term
            ballots.append(node.next_ballot() % 5)
        assert len(set(ballots[-20:])) == 1
    assert len(set(ballots)) == 5


def test_multi_paxos_promises_nothing_to_a_smaller_ballot() -> None:
    """The answer names the ballot that is in the way."""
    node = seated(MultiPaxos, me=1)
    assert isinstance(node, MultiPaxos)
    node.prepare(Prepare(5, 0))
    node.outbox.clear()
    node.prepare(Prepare(4, 0))
    (answer,) = [m for code, _, _, _, m in node.outbox if code == SEND]
    assert isinstance(answer, Promise)
    assert (answer.op, answer.given) == (5, 0)


@BOTH
def test_log_member_applies_from_its_mark_on(protocol: type[ReplicatedLog]) -> None:
    """Back from a crash, a member takes entries in, and applies them once the mark is committed."""
    node = seated(protocol, me=1)
    node.come_back()
    node.role = FOLLOWER
    node.mark = 2
    node.take(3, 1, 1, 1)
    node.learn(1)
    assert node.applied == 0
    node.take(NOTHING, 2, 1, 0)
    node.learn(2)
    assert said(node) == [(RESUMED, 0, 0), (APPLIED, 3, 1)]


@BOTH
def test_log_keeps_to_the_notation(protocol: type[ReplicatedLog]) -> None:
    """The compiled engine has a form for every handler."""
    assert "def dispatch(" in lowered(protocol).text


@BOTH
def test_log_of_many_members_elects_and_commits(protocol: type[ReplicatedLog]) -> None:
    """A majority of a hundred is counted, not kept in a mask; delays keep candidates apart."""
    tree = Tree(0, {0: tuple(range(1, 10)), 1: tuple(range(10, 100))})
    faults = (Fault(30_000, 0, "down"),)
    case = scenario(protocol.name, tree, operations=10, clients=(5, 70), faults=faults)
    result = run(case)
    assert (result.completed, result.violations) == (10, ())


def test_raft_leader_without_room_takes_the_last_entry_for_its_term() -> None:
    """A log full of what earlier leaders left is committed all the same."""
    node = seated(Raft, count=3)
    assert isinstance(node, Raft)
    for position in range(1, node.entries + 1):
        node.write(position, position, 1, 0)
    node.adopt(4)
    assert node.room(0) == 0
    node.lead()
    assert (node.last, node.ops[node.last % node.entries]) == (node.entries, node.entries)
    assert node.counts(node.last) == 1


def test_raft_snapshot_names_the_term_of_its_last_entry() -> None:
    """Also where a later entry has come to stand in the place of that one in a full log."""
    node = seated(Raft)
    assert isinstance(node, Raft)
    node.write(NOTHING, 1, 1, 0)
    node.match = 1
    node.learn(1)
    for position in range(2, node.entries + 2):
        node.write(position, position, 5, 0)
    assert node.stamps[1] == 5
    node.fetched(Fetch(0))
    sent = [m for code, _, _, _, m in node.outbox if code == SEND and isinstance(m, Snapshot)]
    assert [(m.position, m.stamp) for m in sent] == [(1, 1), (1, 1)]


def test_raft_keeps_what_its_leader_has_sent_behind_a_snapshot() -> None:
    """An entry that a later leader took into its term is none that gives way to a snapshot."""
    node = seated(Raft, me=1)
    assert isinstance(node, Raft)
    node.adopt(2)
    node.take(3, 1, 3, 0)
    node.take(4, 2, 3, 0)
    for total in (-1, 0):
        node.snapshot(Snapshot(2, 1, 1, 1, total))
    assert (node.last, node.match, node.dirty, node.stamps[1]) == (2, 2, 0, 3)


@BOTH
def test_log_candidate_waits_longer_after_elections_in_vain(protocol: type[ReplicatedLog]) -> None:
    """The silence after which it stands doubles with some of them, until a leader is heard."""
    node = seated(protocol)
    gaps: list[int] = []
    before = 0
    while len(gaps) < 3 * TRIES:
        node.now += 1
        node.watch(Watch(0))
        if node.heard_ps != before:
            gaps.append(node.heard_ps - before)
            before = node.heard_ps
    patience = node.patience()
    assert gaps == [patience << at // TRIES for at in range(3 * TRIES)]
    node.heed(1, 0, 0, 0)
    node.now += patience
    node.watch(Watch(0))
    assert node.heard_ps == node.now


@BOTH
@pytest.mark.parametrize("seed", [1_000_046_371, 1_000_006_994])
def test_log_survives_plans_that_it_once_did_not(protocol: type[ReplicatedLog], seed: int) -> None:
    """A snapshot of a full log under a later term; elections that took longer than the patience."""
    assert hunt(protocol, [seed]).failures == []


@BOTH
def test_log_that_is_full_before_the_mark_makes_room(protocol: type[ReplicatedLog]) -> None:
    """What is committed is taken over without a record, and the rest waits for the mark."""
    node = seated(protocol)
    node.come_back()
    for position in range(1, node.entries + 1):
        node.write(position, position, 1, 0)
    node.match = node.entries
    node.outbox.clear()
    node.learn(node.entries - 1)
    assert (node.applied, node.away, said(node)) == (1, 1, [])
    assert node.room(0) == 1


def test_log_size_has_a_least_one() -> None:
    """A log that is too small for its protocol is refused."""
    with pytest.raises(ScenarioError, match="pbft keeps 2 entries or more"):
        scenario("pbft", entries=1)

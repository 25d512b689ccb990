"""1Paxos: one acceptor decides, and is replaced without losing what it has decided."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import timing
from simulator.costs import MODELS, MessageCosts
from simulator.faults import Fault
from simulator.history import APPLIED, LED
from simulator.planted import Planted
from simulator.planted.one_paxos import PLANTED
from simulator.protocols.one_paxos import OnePaxos, Prepare, Propose, Request
from simulator.protocols.paxos_backups import Hand, Handed, Invite, Seal
from simulator.protocols.paxos_utility import Accept, Accepted, Answer, Decided, Interrogate
from simulator.protocols.protocol import RECORD, SEND, Message, Place
from simulator.scenario import Scenario, run
from simulator.trees import Tree
from tests.simulator.protocols.plans import caught, random_run
from tests.simulator.worlds import random_costs, random_trees, scenario


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.protocol.__name__)
def test_one_paxos_planted_fault_is_caught_and_the_original_is_not(planted: Planted) -> None:
    """One of the named checks speaks up; on the same settings the protocol is clean."""
    checks, said = caught(planted)
    assert checks
    assert said == ()


@pytest.mark.parametrize("block", range(5))
def test_one_paxos_stays_safe_and_ends_under_random_plans(block: int) -> None:
    """Crashes, power, slow members and partitions, with loss and delay in every third run."""
    for seed in range(20 * block, 20 * block + 20):
        case, result = random_run(OnePaxos, seed, reads_per_mille=400, items=2)
        assert result.violations == (), seed
        assert result.completed == case.operations or not case.clients, seed


def one_operation(tree: Tree, costs: MessageCosts, model: str, client: int) -> int:
    """Return how long an operation takes until its client has applied it.

    Client to root, root to acceptor, acceptor to root, and down the tree.
    """
    members = list(tree.members)
    acceptor = members[(members.index(tree.root) + 1) % len(members)]
    asked = 0 if client == tree.root else costs.one_way(client, tree.root)
    if len(members) == 1:
        return asked
    accepted = asked + costs.one_way(tree.root, acceptor)
    if client == acceptor:
        return accepted
    back = accepted + costs.one_way(acceptor, tree.root)
    return back + timing.broadcast_arrivals(tree, costs, model)[client]


@settings(max_examples=40)
@given(st.data())
def test_one_paxos_operation_takes_the_time_of_the_formula(data: st.DataObject) -> None:
    """One operation on an idle machine, to the picosecond; a read costs as much as an update."""
    tree = data.draw(random_trees())
    costs = data.draw(random_costs(tree.members))
    model = data.draw(st.sampled_from(MODELS))
    client = data.draw(st.sampled_from(tree.members))
    reads = data.draw(st.sampled_from([0, 1000]))
    case = Scenario(
        costs, tree, "any", "one-paxos", model=model, clients=(client,), reads_per_mille=reads
    )
    result = run(case)
    assert result.violations == ()
    assert result.latency_ps == (one_operation(tree, costs, model, client),)


@pytest.mark.parametrize("gone", [(0,), (1,), (0, 4), (1, 4), (2, 3)])
def test_one_paxos_goes_on_without_leader_or_acceptor(gone: tuple[int, ...]) -> None:
    """As long as one of the two and a majority are there, clients that remain get answers."""
    faults = tuple(Fault(1500, pu, "down") for pu in gone)
    case = scenario("one-paxos", operations=40, clients=(5, 6), faults=faults)
    result = run(case)
    assert (result.completed, result.violations) == (40, ())


def test_one_paxos_waits_for_leader_or_acceptor_where_both_are_gone() -> None:
    """What they alone have decided cannot be known until one of them is back."""
    faults = (Fault(1500, 0, "down"), Fault(1500, 1, "down"), Fault(90_000, 1, "up"))
    result = run(scenario("one-paxos", operations=40, clients=(5, 6), faults=faults))
    assert (result.completed, result.violations) == (40, ())
    assert max(result.latency_ps) > 80_000


def test_one_paxos_brings_back_who_missed_more_than_is_kept() -> None:
    """Off during 1200 operations, a member takes the registers over and goes on."""
    faults = (Fault(1, 3, "off"), Fault(3 * 10**6, 3, "on"))
    tree = Tree(0, {0: (1, 2, 3)})
    case = scenario("one-paxos", tree, operations=1200, clients=(0, 2), faults=faults, items=5)
    result = run(case)
    assert (result.completed, result.violations) == (1200, ())


def seated(me: int, count: int = 4) -> OnePaxos:
    """Return one member alone, with the numbers that it needs."""
    return OnePaxos(Place(me, -1, (), 0, 0, 4, 2, entries=4, count=count, round_ps=10))


def sent(node: OnePaxos, kind: type[Message]) -> list[int]:
    """Return to whom messages of a kind were sent."""
    return [what for code, what, _, _, told in node.outbox if code == SEND and type(told) is kind]


def recorded(node: OnePaxos) -> list[tuple[int, int, int]]:
    """Return what was recorded: event, operation, value."""
    return [(what, op, value) for code, what, op, value, _ in node.outbox if code == RECORD]


def from_peer(message: Message, source: int) -> Message:
    """Return a message as if it came from a member."""
    message.source = source
    return message


def test_one_paxos_acceptor_refuses_older_terms() -> None:
    """What a leader of an older term proposes is not accepted any more."""
    node = seated(1)
    node.decided(Decided(1, 2 * 4 + 1, 0))
    old, new = Propose(0, 0, 1, 1), Propose(0, 1, 1, 1)
    from_peer(old, 0)
    node.proposed(old)
    assert recorded(node) == []
    from_peer(new, 2)
    node.proposed(new)
    assert recorded(node) == [(APPLIED, 0, 1)]


def test_one_paxos_backup_counts_what_it_was_handed_when_it_is_the_acceptor() -> None:
    """Before the members have decided so, nothing of it is applied; with another pair, never."""
    for pair, since, applied in ((0 * 4 + 2, 1, [(APPLIED, 7, 1)]), (3 * 4 + 1, 0, [])):
        node = seated(2)
        invite, seal = Invite(0, 0), Seal(0, 1)
        from_peer(invite, 0)
        node.invited(invite)
        node.hand(Hand(7, 0, 1, 1))
        from_peer(seal, 0)
        node.seal(seal)
        assert sent(node, Handed) == [0]
        assert recorded(node) == []
        node.decided(Decided(1, pair, since))
        assert recorded(node) == applied
        assert node.learned == len(applied)


def test_one_paxos_leader_takes_nothing_while_it_hands_over() -> None:
    """An operation behind the seal would be lost with the old acceptor."""
    node = seated(0)
    node.request(Request(0, 1))
    node.hand_over()
    assert (sent(node, Invite), sent(node, Hand), sent(node, Seal)) == ([2], [2], [2])
    node.request(Request(1, 1))
    assert node.top == 1
    late, whole = Handed(0, 0), Handed(0, 1)
    for message in (late, whole):
        assert sent(node, Accept) == []
        from_peer(message, 2)
        node.handed_over(message)
    assert sent(node, Accept) == [1, 2, 3]


def test_one_paxos_new_leader_asks_the_acceptor_first() -> None:
    """It leads the term that was decided, and proposes nothing before it knows what is."""
    node = seated(2)
    node.decided(Decided(1, 2 * 4 + 1, 0))
    assert recorded(node) == [(LED, 1, 0)]
    assert sent(node, Prepare) == [1]
    node.request(Request(0, 1))
    assert sent(node, Propose) == []


def test_one_paxos_stands_in_finishes_what_was_accepted() -> None:
    """Whoever interrogates proposes the pair of the highest ballot that it hears of."""
    node = seated(2, count=3)
    node.interrogate()
    assert sent(node, Interrogate) == [0, 1]
    answer = Answer(0, node.promised, 1, 0 * 3 + 2)
    from_peer(answer, 1)
    node.answer_given(answer)
    assert node.proposal == 0 * 3 + 2
    accepted = Accepted(0, node.promised)
    from_peer(accepted, 1)
    node.agreed(accepted)
    assert (node.term, node.chief(), node.acceptor(), node.since) == (1, 0, 2, 1)

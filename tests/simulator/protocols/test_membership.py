"""Group membership: one list of members per view, under every plan of faults."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs import MODELS, MessageCosts
from simulator.faults import Fault
from simulator.history import APPLIED, COMMIT, LED, RESUMED, VIEWED
from simulator.planted import Planted
from simulator.planted.membership import PLANTED
from simulator.protocols.membership import Membership, Propose, Tick
from simulator.protocols.membership_agreement import Accept, Beat
from simulator.protocols.membership_views import Fetch, Install, Past, Snapshot
from simulator.protocols.protocol import DONE, RECORD, SEND, Message, Place, Start
from simulator.scenario import Scenario, run
from simulator.trees import Tree
from tests.simulator.protocols.plans import caught, random_run
from tests.simulator.worlds import random_costs, random_trees, scenario


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.protocol.__name__)
def test_membership_planted_fault_is_caught_and_the_original_is_not(planted: Planted) -> None:
    """One of the named checks speaks up; on the same settings the protocol is clean."""
    checks, said = caught(planted)
    assert checks
    assert said == ()


@pytest.mark.parametrize("block", range(5))
def test_membership_stays_safe_and_ends_under_random_plans(block: int) -> None:
    """Crashes, power, slow members and partitions, with loss and delay in every third run."""
    for seed in range(20 * block, 20 * block + 20):
        case, result = random_run(Membership, seed)
        assert result.violations == (), seed
        assert result.completed == case.operations or not case.clients, seed


def first_change(tree: Tree, costs: MessageCosts, model: str) -> int:
    """Return when the root, as leader and client, has the acceptance of a majority.

    It asks all others in a burst, each answers at once, and it receives in order of arrival.
    """
    sent, root, answers = 0, tree.root, []
    for at, pu in enumerate(pu for pu in tree.members if pu != root):
        sent += costs.send(root, pu) if at == 0 else costs.further_send(root, pu, model)
        asked = sent + costs.propagation(root, pu)
        answered = asked + costs.receive(root, pu) + costs.send(pu, root)
        answers.append((answered + costs.propagation(pu, root), asked, at, pu))
    now = sent
    for arrival, _, _, pu in sorted(answers)[: len(tree.members) // 2]:
        now = max(now, arrival) + costs.receive(pu, root)
    return now


@settings(max_examples=40)
@given(st.data())
def test_membership_change_takes_the_time_of_the_formula(data: st.DataObject) -> None:
    """One leave, asked for by the leader itself, on an idle machine, to the picosecond."""
    tree = data.draw(random_trees())
    costs = data.draw(random_costs(tree.members))
    model = data.draw(st.sampled_from(MODELS))
    result = run(Scenario(costs, tree, "any", "membership", model=model, clients=(tree.root,)))
    assert result.violations == ()
    assert result.latency_ps == (first_change(tree, costs, model),)


def test_membership_every_operation_is_a_view() -> None:
    """Forty changes by several clients at a time: each ends once, no plan is needed."""
    result = run(scenario("membership", operations=40, outstanding=5))
    assert (result.completed, result.violations, result.aborts) == (40, (), 0)


def test_membership_of_one_cannot_change() -> None:
    """There is nobody else to join or leave: the operation ends as aborted."""
    result = run(scenario("membership", Tree(0, {})))
    assert (result.completed, result.aborts) == (1, 1)


def test_membership_of_many_has_fingerprints() -> None:
    """More members than fit a mask: views still agree, and differ from each other."""
    tree = Tree(0, {0: tuple(range(1, 70))})
    assert run(scenario("membership", tree, operations=3)).violations == ()
    node = seated(70)
    whole = node.mask()
    node.install(0, 5 * 70)
    assert node.mask() != whole < 1 << 62


def test_membership_brings_back_who_missed_more_views_than_are_kept() -> None:
    """Off during 1100 changes, a member takes over the list of members, and then goes on."""
    faults = (Fault(1, 3, "off"), Fault(10**8, 3, "on"))
    tree = Tree(0, {0: (1, 2, 3)})
    case = scenario("membership", tree, operations=1100, clients=(0,), faults=faults)
    result = run(case)
    assert (result.completed, result.violations) == (1100, ())


def seated(count: int, me: int = 0, entries: int = 4) -> Membership:
    """Return one member alone, with the numbers that it needs."""
    place = Place(me, -1, (), 0, 0, 4, 1, entries=entries, count=count, round_ps=10)
    return Membership(place)


def said(node: Membership, code: int) -> list[tuple[int, int, int]]:
    """Return the actions of one kind as (event or node, operation, number) and forget all."""
    rows = [(what, op, number) for kind, what, op, number, _ in node.outbox if kind == code]
    node.outbox.clear()
    return rows


def sent(node: Membership, kind: type[Message]) -> list[int]:
    """Return to whom messages of a kind were sent."""
    return [what for code, what, _, _, told in node.outbox if code == SEND and type(told) is kind]


def test_membership_joiner_counts_when_it_has_the_state() -> None:
    """One that was out records nothing for views without it, then resumes in the one with it."""
    node = seated(3, me=2)
    node.installed(Install(0, 1, 2 * 3))
    assert said(node, RECORD) == [(APPLIED, 0, 1)]
    node.installed(Install(1, 2, 2 * 3))
    assert said(node, RECORD) == [(VIEWED, 2, 7), (RESUMED, 0, 1), (APPLIED, 1, 2)]


def test_membership_eldest_leads_the_next_view() -> None:
    """When the root leaves, the next in line leads; the root comes back as the youngest."""
    node = seated(3, me=1)
    node.installed(Install(0, 1, 0))
    assert said(node, RECORD) == [(VIEWED, 1, 6), (LED, 1, 0), (APPLIED, 0, 1)]
    node.installed(Install(1, 2, 0))
    assert node.head() == 1


def test_membership_operation_ends_where_it_was_asked_for() -> None:
    """The client ends it once, however often it hears of it."""
    node = seated(3, me=1)
    node.start(Start(0, 0, 2, 1))
    node.outbox.clear()
    node.installed(Install(0, 1, 2 * 3 + 1))
    node.installed(Install(0, 1, 2 * 3 + 1))
    assert said(node, DONE) == [(0, 0, COMMIT)]


def test_membership_who_was_down_votes_but_waits_to_be_confirmed() -> None:
    """After a restart a beat of the leader confirms the view; only then does the member run."""
    node = seated(3, me=1)
    node.come_back()
    beat, accept = Beat(0, 0), Accept(0, 0, 0, 2 * 3)
    node.accept(accept)
    assert node.accepted == 1
    assert said(node, RECORD) == []
    node.beat(beat)
    assert (RESUMED, 0, 0) in said(node, RECORD)


def test_membership_leader_suspects_who_is_silent() -> None:
    """After the fourth beat without an answer it proposes a removal."""
    node = seated(3)
    for _ in range(4):
        node.tick(Tick(0))
    assert sent(node, Accept) == []
    node.tick(Tick(0))
    assert sent(node, Accept) == [1, 2]


def test_membership_snapshot_is_taken_over_whole_or_not_at_all() -> None:
    """Parts count in any order, once each; what is older than the snapshot is not passed on."""
    node = seated(3, me=1)
    for member, since in ((0, 0), (2, -1), (2, -1)):
        node.snapshot(Snapshot(0, 9, member, since, 4))
    assert node.view == 0
    node.snapshot(Snapshot(0, 9, 1, 3, 4))
    assert (node.view, node.position, node.gone, node.mask()) == (9, 4, 1, 3)
    node.outbox.clear()
    node.fetch(Fetch(0, 7))
    assert len(sent(node, Snapshot)) == 3


def test_membership_snapshot_says_which_operations_were_decided() -> None:
    """A client that missed the views ends what was decided in them, and asks again for the rest."""
    told = seated(3, me=0)
    told.install(1, 2 * 3 + 1)
    told.tell(1, -1)
    parts = [m for code, _, _, _, m in told.outbox if code == SEND]
    node = seated(3, me=1)
    for op in (1, 2):
        node.start(Start(op, 0, 2, 1))
    node.outbox.clear()
    for part in parts:
        if isinstance(part, Past):
            node.past(part)
        else:
            assert isinstance(part, Snapshot)
            node.snapshot(part)
    assert (node.view, node.decided[node.slot(1)], node.pending[node.slot(1)]) == (1, 2, 0)
    assert [op for code, _, op, _, _ in node.outbox if code == DONE] == [1]
    assert sent(node, Propose) == [0]

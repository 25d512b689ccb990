"""Chain replication: one order, and reads that are never stale, whoever is suspected wrongly."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.costs import MODELS, MessageCosts
from simulator.faults import Fault
from simulator.history import APPLIED, COMMIT, RESUMED
from simulator.planted import Planted
from simulator.planted.chain_replication import PLANTED
from simulator.protocols.chain_master import Configure, Here
from simulator.protocols.chain_replication import (
    Ack,
    Append,
    ChainReplication,
    Link,
    Query,
    Reply,
    Sync,
    Update,
)
from simulator.protocols.protocol import RECORD, SEND, Message, Place
from simulator.protocols.register_log import Learned, Register, Session, Whole
from simulator.scenario import Scenario, run
from simulator.trees import Tree
from tests.simulator.protocols.plans import caught, random_run
from tests.simulator.worlds import random_costs, random_trees, scenario


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.protocol.__name__)
def test_chain_replication_planted_fault_is_caught_and_the_original_is_not(
    planted: Planted,
) -> None:
    """One of the named checks speaks up; on the same settings the protocol is clean."""
    checks, said = caught(planted)
    assert checks
    assert said == ()


@pytest.mark.parametrize("block", range(5))
def test_chain_replication_stays_safe_and_ends_under_random_plans(block: int) -> None:
    """Crashes, power, slow members and partitions, with loss and delay in every third run."""
    for seed in range(20 * block, 20 * block + 20):
        case, result = random_run(ChainReplication, seed, reads_per_mille=400, items=2)
        assert result.violations == (), seed
        assert result.completed == case.operations or not case.clients, seed


def along_the_chain(tree: Tree, costs: MessageCosts, client: int) -> int:
    """Return how long an update takes: to the first, down the chain, and back to its client."""
    members = list(tree.members)
    at = members.index(tree.root)
    chain = [*members[at + 1 :], *members[: at + 1]]
    stops = [client, *chain, client]
    return sum(costs.one_way(u, v) for u, v in pairwise(stops) if u != v)


@settings(max_examples=30)
@given(st.data())
def test_chain_replication_update_takes_the_time_of_the_formula(data: st.DataObject) -> None:
    """One update on an idle machine, to the picosecond: one message per member and two more."""
    tree = data.draw(random_trees())
    costs = data.draw(random_costs(tree.members))
    model = data.draw(st.sampled_from(MODELS))
    client = data.draw(st.sampled_from(tree.members))
    result = run(Scenario(costs, tree, "any", "chain-replication", model=model, clients=(client,)))
    assert result.violations == ()
    assert result.latency_ps == (along_the_chain(tree, costs, client),)


@settings(max_examples=30)
@given(st.data())
def test_chain_replication_read_takes_one_question_and_one_answer(data: st.DataObject) -> None:
    """While the chain is whole the master is its last member."""
    tree = data.draw(random_trees())
    costs = data.draw(random_costs(tree.members))
    client = data.draw(st.sampled_from(tree.members))
    case = Scenario(
        costs, tree, "any", "chain-replication", clients=(client,), reads_per_mille=1000
    )
    there_and_back = 0
    if client != tree.root:
        there_and_back = costs.one_way(client, tree.root) + costs.one_way(tree.root, client)
    assert run(case).latency_ps == (there_and_back,)


def test_chain_replication_goes_on_without_the_first_and_a_middle_one() -> None:
    """Two members go for good: the clients that remain end all that they have begun."""
    faults = (Fault(500, 1, "down"), Fault(9000, 3, "off"))
    case = scenario("chain-replication", operations=60, clients=(0, 2), faults=faults)
    result = run(case)
    assert (result.completed, result.violations) == (60, ())


def test_chain_replication_waits_for_its_master() -> None:
    """While the root is down nothing ends that needs it; once it is back, all does."""
    faults = (Fault(1500, 0, "down"), Fault(90_000, 0, "up"))
    case = scenario(
        "chain-replication", operations=30, clients=(3,), reads_per_mille=300, faults=faults
    )
    result = run(case)
    assert (result.completed, result.violations) == (30, ())
    assert max(result.latency_ps) > 80_000


def test_chain_replication_brings_back_who_missed_more_updates_than_are_kept() -> None:
    """Off during 1200 updates, a member takes the registers over and joins again."""
    faults = (Fault(1, 2, "off"), Fault(3 * 10**6, 2, "on"))
    tree = Tree(0, {0: (1, 2)})
    case = scenario(
        "chain-replication", tree, operations=1200, clients=(0, 1), faults=faults, items=5
    )
    result = run(case)
    assert (result.completed, result.violations) == (1200, ())


def seated(me: int, count: int = 4, entries: int = 4) -> ChainReplication:
    """Return one member alone, with the numbers that it needs."""
    return ChainReplication(
        Place(me, -1, (), 0, 0, 4, 2, entries=entries, count=count, round_ps=10)
    )


def sent(node: ChainReplication, kind: type[Message]) -> list[int]:
    """Return to whom messages of a kind were sent."""
    return [what for code, what, _, _, told in node.outbox if code == SEND and type(told) is kind]


def from_peer(message: Message, source: int) -> Message:
    """Return a message as if it came from a member."""
    message.source = source
    return message


def test_chain_replication_middle_applies_what_is_acknowledged_only() -> None:
    """It passes an update on, and applies it when the one behind says so, in the same epoch."""
    node = seated(2)
    append, late, ack = Append(0, 0, 1, 9), Ack(1, 3), Ack(1, 0)
    from_peer(append, 1)
    node.append(append)
    assert sent(node, Append) == [3]
    for message in (late, ack):
        assert not [row for row in node.outbox if row[0] == RECORD]
        from_peer(message, 3)
        node.acknowledged(message)
    assert [row[1:4] for row in node.outbox if row[0] == RECORD] == [(APPLIED, 0, 1)]


def test_chain_replication_last_of_an_old_epoch_answers_no_read() -> None:
    """The master's epoch is a later one: whoever has not heard of it stays silent."""
    node = seated(0)
    node.query(Query(5, 0, 1, 2))
    assert sent(node, Reply) == []
    node.query(Query(5, 0, 0, 2))
    assert sent(node, Reply) == [2]


def test_chain_replication_who_joins_again_drops_what_was_not_acknowledged() -> None:
    """What it had not passed on when it was taken out never happened."""
    node = seated(1)
    node.update(Update(0, 9))
    assert node.last == 1
    node.configured(Configure(2, 0, -1, 2, 2))
    assert (node.last, node.loose) == (0, 1)
    link = Link(0, 2)
    from_peer(link, 0)
    node.link_up(link)
    assert node.loose == 0


def test_chain_replication_new_first_keeps_what_it_was_passed() -> None:
    """Who was in all along keeps what may have been acknowledged, and brings the next one to it."""
    node = seated(2)
    append = Append(0, 0, 1, 9)
    from_peer(append, 1)
    node.append(append)
    node.configured(Configure(1, -1, 3, 2, 0))
    assert (node.last, node.loose) == (1, 0)
    node.outbox.clear()
    sync = Sync(0, 1, 0)
    from_peer(sync, 3)
    node.sync(sync)
    assert (sent(node, Append), sent(node, Link)) == ([3], [3])


def test_chain_replication_master_keeps_the_last_complete_member_first() -> None:
    """One that has joined cannot be the first before it is complete."""
    node = seated(0, count=2)
    node.take_out(1)
    assert (node.first(), node.epoch) == (0, 1)
    here = Here(1, 0)
    from_peer(here, 1)
    node.here(here)
    assert (node.after(), node.fresh[1], node.last_of_chain()) == (1, 1, 1)


def test_chain_replication_runs_again_only_when_linked() -> None:
    """After a restart the one before compares logs; until then nothing is applied."""
    node = seated(2)
    append = Append(0, 0, 1, 9)
    from_peer(append, 1)
    node.append(append)
    node.come_back()
    ack, link = Ack(1, 0), Link(1, 0)
    from_peer(ack, 3)
    node.acknowledged(ack)
    assert node.learned == 0
    from_peer(link, 1)
    node.link_up(link)
    assert [row[1:4] for row in node.outbox if row[0] == RECORD] == [(RESUMED, 0, 0)]


def test_chain_replication_who_joins_again_has_lost_what_its_last_entries_overwrote() -> None:
    """It serves the registers, not what now stands in the place of an older entry."""
    node = seated(1, entries=2)
    for op in range(3):
        node.update(Update(op, 9))
        ack = Ack(min(op + 1, 2), 0)
        from_peer(ack, 2)
        node.acknowledged(ack)
    assert (node.learned, node.last) == (2, 3)
    node.configured(Configure(2, 0, 2, 3, 2))
    link = Link(2, 2)
    from_peer(link, 0)
    node.link_up(link)
    node.outbox.clear()
    sync = Sync(0, 2, 0)
    from_peer(sync, 2)
    node.sync(sync)
    assert (sent(node, Append), sent(node, Whole)) == ([], [2])


def test_chain_replication_master_serves_nobody_who_believes_to_be_in() -> None:
    """It would compare what was decided without it with one before that is out as well."""
    node = seated(0)
    node.take_out(2)
    for epoch, served in ((0, []), (1, [2])):
        here = Here(epoch, -1)
        from_peer(here, 2)
        node.outbox.clear()
        node.here(here)
        assert sent(node, Whole) == served


def test_chain_replication_applies_its_entries_in_spite_of_a_late_part_of_a_snapshot() -> None:
    """An operation that the part names is applied at its position all the same."""
    node = seated(2)
    for position in (1, 2):
        append = Append(position - 1, 0, position, 9)
        from_peer(append, 1)
        node.append(append)
    node.take_session(Session(0, 1, 1, COMMIT))
    ack = Ack(2, 0)
    from_peer(ack, 3)
    node.acknowledged(ack)
    applied = [row[1:4] for row in node.outbox if row[0] == RECORD]
    assert (applied, node.dirty) == ([(APPLIED, 0, 1), (APPLIED, 1, 2)], 0)


def test_chain_replication_asks_again_for_what_was_lost_on_the_way() -> None:
    """The one before says that it has more than came here: the member does not wait for a beat."""
    node = seated(2)
    link = Link(1, 0)
    from_peer(link, 1)
    node.link_up(link)
    assert sent(node, Sync) == [1]


def test_register_log_snapshot_counts_only_whole() -> None:
    """With a part missing nothing is taken over, and later entries have to wait."""
    node = seated(1)
    node.take_whole(Whole(7, 2))
    for _ in range(2):
        node.take_register(Register(7, 1, 55, 6))
        assert (node.learned, node.dirty) == (0, 7)
    node.take_session(Session(3, 7, 7, COMMIT))
    assert (node.learned, node.dirty, node.held[1], node.knows(3)) == (7, 0, 55, 1)


def test_register_log_serves_entries_or_what_has_changed() -> None:
    """As long as the window holds entries they are sent one by one, else the registers."""
    node = seated(0, entries=2)
    for position in range(1, 4):
        node.store(position, position, (50 * 2 + 1) * 4 * 2 + 1)
        node.apply_next()
        node.skipped()
    node.outbox.clear()
    node.serve(1, 1)
    assert len(node.outbox) == 2
    node.outbox.clear()
    node.serve(1, 0)
    assert (len(sent(node, Register)), len(sent(node, Session))) == (1, 3)


def test_register_log_keeps_what_comes_before_its_turn() -> None:
    """Entries in the wrong order are all applied when the first one is here."""
    node = seated(0, entries=4)
    for position in (3, 2, 5):
        node.learn(Learned(position, position, (50 * 2 + 1) * 4 * 2 + 1))
        assert node.learned == 0
    node.learn(Learned(1, 1, (50 * 2 + 1) * 4 * 2 + 1))
    assert node.learned == 3


def test_register_log_serves_a_snapshot_to_who_has_taken_a_part_of_one() -> None:
    """Entries are of no use to it, however few it lacks."""
    giver, taker = seated(0, entries=8), seated(1, entries=8)
    for position in range(1, 4):
        giver.store(position, position, (50 * 2 + 1) * 4 * 2 + 1)
        giver.apply_next()
    assert taker.lacking() == 0
    taker.take_register(Register(2, 1, 55, 2))
    giver.outbox.clear()
    giver.serve(1, taker.lacking())
    assert (len(sent(giver, Learned)), len(sent(giver, Whole))) == (0, 1)

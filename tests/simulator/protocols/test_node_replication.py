"""Node replication: what a round costs, batches, reads that catch up, domains that are helped."""

import pytest

from simulator.costs import MessageCosts
from simulator.faults import Fault
from simulator.history import APPLIED
from simulator.load import Load
from simulator.planted import Planted
from simulator.planted.node_replication import PLANTED
from simulator.protocols.node_replication import NodeReplication
from simulator.protocols.node_replication_lines import Append, Reserve
from simulator.protocols.protocol import handled_kinds
from simulator.protocols.shared_lock import SharedLock
from tests.simulator.protocols.memories import (
    HIT,
    assert_caught,
    assert_clean,
    assert_safe,
    even,
    on,
    transfer,
    uneven,
)

ROUND = (
    "publish",
    "test the lock",
    "look at the own slot",
    "set the lock",
    "collect the slots",
    "reserve",
    "append",
    "take the replica",
    "see its place",
    "fetch the entry",
    "apply it",
    "complete the log",
    "unlock the replica",
    "empty the slot",
    "release the lock",
    "test the lock",
    "look at the own slot",
)


def _updates_then_reads(seed: int) -> bool:
    """Say whether the first of two operations of a seed is an update and the second a read."""
    load = Load((0, 1, 2, 3), 0, 2, 0, False, seed, (0, 3), 500, 1)
    first, second = (load.group(op, 0, 0)[0].write for op in (0, 1))
    return first == 1 and second == 0


def test_node_replication_alone_makes_seventeen_accesses() -> None:
    """All of them hit where there is one PU; the work on the replica comes on top."""
    result = on(uneven(1), NodeReplication, work_ps=400)
    assert result.latency_ps == (len(ROUND) * HIT + 400,)


def test_node_replication_idle_read_sees_the_log_and_reads_the_replica() -> None:
    """Two lines come from the root; after that, both are there."""
    result = on(
        uneven(4), NodeReplication, operations=2, clients=(3,), reads_per_mille=1000, items=1
    )
    assert result.latency_ps == (2 * transfer(0, 3), 2 * HIT)


def test_node_replication_idle_read_of_a_log_that_is_called_takes_two_messages() -> None:
    """The root tells how far the log is completed; the replica is a line of the domain."""
    costs = uneven(4)
    given = {"clients": (3,), "reads_per_mille": 1000, "items": 1, "parameters": {"calls": 1}}
    result = on(costs, NodeReplication, **given)
    seen = costs.one_way(3, 0) + costs.one_way(0, 3)
    assert result.latency_ps == (seen + transfer(0, 3),)


def test_node_replication_combines_what_a_domain_has_published() -> None:
    """Eight begin at once; who gets the lock finds all eight, and reserves once."""
    kinds = list(handled_kinds(NodeReplication))
    given = {"operations": 8, "outstanding": 8, "items": 1, "trace": True}
    result = on(even(8, 100), NodeReplication, domains=(tuple(range(8)),), **given)
    handled = [kind for _, _, _, kind, _, _ in result.trace]
    assert handled.count(kinds.index(Reserve)) == 1
    assert handled.count(kinds.index(Append)) == 8


def test_node_replication_beats_a_lock_where_domains_are_far_apart() -> None:
    """Reads stay in the domain, and updates cross to the other one by batches."""
    pairs = [(u, v) for u in range(12) for v in range(12) if u != v]
    line = {(u, v): 100 if u // 6 == v // 6 else 1000 for u, v in pairs}
    one = dict.fromkeys(pairs, 1)
    costs = MessageCosts(tuple(range(12)), one, one, None, None, line, HIT)
    given = {"operations": 600, "outstanding": 12, "items": 4, "reads_per_mille": 900}
    domains = (tuple(range(6)), tuple(range(6, 12)))
    replicated = on(costs, NodeReplication, domains=domains, **given)
    locked = on(costs, SharedLock, **given)
    assert replicated.elapsed_ps < locked.elapsed_ps


def test_node_replication_helps_a_domain_in_which_nothing_happens() -> None:
    """The log is far shorter than the run: without help it would be full."""
    result = on(
        even(6, 100),
        NodeReplication,
        operations=2500,
        outstanding=3,
        items=2,
        clients=(0, 1, 2),
        domains=((0, 1), (2, 3), (4, 5)),
    )
    assert result.completed == 2500
    assert result.violations == ()


def test_node_replication_read_of_an_idle_domain_catches_up() -> None:
    """A read in the other domain replays what the first has written, before it answers."""
    given = {"items": 1, "domains": ((0, 1), (2, 3)), "clients": (0, 3), "interval_ps": 50_000}
    seeds = [seed for seed in range(40) if _updates_then_reads(seed)]
    result = on(
        even(4, 100), NodeReplication, operations=2, seed=seeds[0], reads_per_mille=500, **given
    )
    assert result.violations == ()
    assert result.latency_ps[1] > 4 * 100


def test_node_replication_gets_on_with_a_log_shorter_than_a_batch() -> None:
    """Eight publish at once where the log has four entries: they go in by parts."""
    result = on(
        even(8, 100),
        NodeReplication,
        operations=40,
        outstanding=8,
        items=2,
        domains=(tuple(range(8)),),
        entries=4,
        event_limit=50_000,
    )
    assert result.completed == 40
    assert result.violations == ()


def test_node_replication_waits_for_a_combiner_that_crashed() -> None:
    """Its domain stands still, and nothing is violated."""
    result = on(
        even(4, 100),
        NodeReplication,
        operations=60,
        outstanding=4,
        items=1,
        domains=((0, 1), (2, 3)),
        faults=(Fault(3000, 0, "down"), Fault(4000, 0, "up")),
    )
    assert result.completed < 60
    assert result.violations == ()


def test_node_replication_applied_is_a_phase() -> None:
    """The first replica has an update before it ends."""
    assert NodeReplication.phases[1].event == APPLIED
    result = on(even(4, 100), NodeReplication, domains=((0, 1), (2, 3)))
    assert 0 < result.phases_ps["ordered"] < result.phases_ps["applied"] < result.latency_ps[0]


def test_node_replication_clean_under_load() -> None:
    """Reads and updates in three domains of several sizes, and each PU for itself."""
    assert_clean(NodeReplication, work_ps=30)
    assert_clean(NodeReplication, work_ps=30, domains=())
    assert_clean(NodeReplication, work_ps=30, parameters={"calls": 1})
    assert_clean(NodeReplication, domains=(tuple(range(7)),), reads_per_mille=100)


def test_node_replication_safe_under_random_plans() -> None:
    """Whatever fails, no read is stale and no replica applies an update twice."""
    assert_safe(NodeReplication, range(60), work_ps=400)
    assert_safe(NodeReplication, range(60), parameters={"calls": 1})


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.protocol.__name__)
def test_node_replication_planted_fault_is_caught(planted: Planted) -> None:
    """The original is clean on the same settings."""
    assert_caught(planted)

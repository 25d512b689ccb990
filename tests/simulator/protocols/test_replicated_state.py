"""Read-mostly replicated state: local reads, updates that withdraw the old value first."""

import pytest

from simulator.planted import Planted
from simulator.planted.replicated_state import PLANTED
from simulator.protocols.replicated_state import ReplicatedState
from simulator.trees import Tree
from tests.simulator.protocols.memories import (
    DOMAINS,
    assert_caught,
    assert_clean,
    assert_safe,
    on,
    uneven,
)
from tests.simulator.worlds import CHAIN


def test_replicated_state_idle_update_is_a_withdrawal_both_ways() -> None:
    """Down a chain and up again; who is not the coordinator has to ask it and hear of the end."""
    costs = uneven(4)
    ways = [(0, 1), (1, 2), (2, 3)]
    both = sum(costs.one_way(u, v) + costs.one_way(v, u) for u, v in ways)
    at_root = on(costs, ReplicatedState, CHAIN, clients=(0,), work_ps=25)
    assert at_root.latency_ps == (both + 25,)
    at_leaf = on(costs, ReplicatedState, CHAIN, clients=(3,), work_ps=25)
    assert at_leaf.latency_ps == (costs.one_way(3, 0) + both + 25 + costs.one_way(0, 3),)


def test_replicated_state_reads_cost_what_the_replica_is_away() -> None:
    """Nothing where it is one's own, else two messages: to the first of the domain, or the root."""
    costs = uneven(4)
    reads = {"reads_per_mille": 1000, "clients": (3,), "domains": ((0, 1), (2, 3))}
    assert on(costs, ReplicatedState, **reads).latency_ps == (0,)
    for parameters, asked in (({"per_domain": 1}, 2), ({"remote_reads": 1}, 0)):
        result = on(costs, ReplicatedState, parameters=parameters, **reads)
        assert result.latency_ps == (costs.one_way(3, asked) + costs.one_way(asked, 3),)


def test_replicated_state_pays_where_reads_prevail() -> None:
    """Against reads at the coordinator."""
    given = {"operations": 600, "outstanding": 7, "items": 4, "reads_per_mille": 950}
    local, remote = (
        on(uneven(7), ReplicatedState, parameters={"remote_reads": asked}, **given)
        for asked in (0, 1)
    )
    assert sum(local.latency_ps) < sum(remote.latency_ps)


def test_replicated_state_clean_under_load() -> None:
    """Updates of an item overlap; replicas at each PU, and one in each domain."""
    for parameters in ({}, {"per_domain": 1}, {"remote_reads": 1}):
        assert_clean(ReplicatedState, work_ps=30, parameters=parameters, domains=DOMAINS)
    assert_clean(ReplicatedState, operations=400, outstanding=40, items=1, reads_per_mille=300)


def test_replicated_state_withdraws_over_one_tree_and_hears_over_another() -> None:
    """A leaf of the way down has others below it on the way up, who may answer first."""
    down = Tree(0, {0: (1, 2), 1: (3, 4), 2: (5, 6)})
    for up in (
        Tree(0, {0: (6, 5), 6: (1, 2), 5: (3, 4)}),
        Tree(0, {0: (3,), 3: (4, 5), 5: (1,), 4: (2, 6)}),
    ):
        result = on(
            uneven(7),
            ReplicatedState,
            down,
            up_tree=up,
            operations=300,
            outstanding=6,
            items=2,
            reads_per_mille=500,
        )
        assert result.completed == 300
        assert result.violations == ()


def test_replicated_state_safe_under_random_plans() -> None:
    """Whatever fails, is late or is lost, no read is stale."""
    assert_safe(ReplicatedState, range(60), work_ps=400)
    assert_safe(ReplicatedState, range(60), work_ps=400, parameters={"per_domain": 1})


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.protocol.__name__)
def test_replicated_state_planted_fault_is_caught(planted: Planted) -> None:
    """The original is clean on the same settings."""
    assert_caught(planted)

"""Calls to one server."""

import pytest

from simulator.faults import Fault
from simulator.planted import Planted
from simulator.planted.rpc_server import PLANTED
from simulator.protocols.rpc_server import RpcServer
from tests.simulator.protocols.memories import assert_caught, assert_clean, assert_safe, on, uneven


@pytest.mark.parametrize("lines", [0, 8])
def test_rpc_server_idle_call_is_two_messages_and_the_work(lines: int) -> None:
    """There, the update of each line, and back; the server itself sends nothing."""
    costs = uneven(4)
    given = {"work_ps": 15, "parameters": {"lines": lines}}
    work = 15 * max(lines, 1)
    far = on(costs, RpcServer, clients=(3,), **given)
    assert far.latency_ps == (costs.one_way(3, 0) + work + costs.one_way(0, 3),)
    near = on(costs, RpcServer, clients=(0,), **given)
    assert near.latency_ps == (work,)


def test_rpc_server_is_the_bottleneck_of_many_clients() -> None:
    """Of two alike, the second waits for the server's receive, work and send of the first."""
    costs = uneven(3)
    result = on(costs, RpcServer, operations=2, outstanding=2, clients=(2, 2), work_ps=500)
    served = costs.receive(2, 0) + 500 + costs.send(0, 2)
    first = costs.one_way(2, 0) + 500 + costs.one_way(0, 2)
    begun = costs.send(2, 0) + costs.propagation(2, 0)
    behind = costs.propagation(0, 2) + costs.receive(0, 2)
    assert result.latency_ps == (first, begun + 2 * served + behind)


def test_rpc_server_that_is_down_serves_nobody() -> None:
    """Calls that were under way are lost; those that had ended are kept."""
    faults = (Fault(2000, 0, "down"), Fault(3000, 0, "up"))
    result = on(
        uneven(4), RpcServer, operations=40, clients=(1, 2, 3), outstanding=3, faults=faults
    )
    assert 0 < result.completed < 40
    assert result.violations == ()


def test_rpc_server_clean_under_load() -> None:
    """More operations than PUs, reads and updates."""
    assert_clean(RpcServer, work_ps=30)


def test_rpc_server_safe_under_random_plans() -> None:
    """Whatever fails or is lost, no read is stale."""
    assert_safe(RpcServer, range(90), work_ps=400)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.protocol.__name__)
def test_rpc_server_planted_fault_is_caught(planted: Planted) -> None:
    """The original is clean on the same settings."""
    assert_caught(planted)

"""Update of shared lines without a lock, against one server that is called."""

import pytest

from simulator.costs import MessageCosts
from simulator.planted import Planted
from simulator.planted.shared_update import PLANTED
from simulator.protocols.rpc_server import RpcServer
from simulator.protocols.shared_update import SharedUpdate
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


@pytest.mark.parametrize("lines", [1, 2, 8])
def test_shared_update_alone_fetches_each_line_once(lines: int) -> None:
    """Fetch, and take the other copy away; then all lines are in the own cache."""
    given = {"operations": 2, "clients": (3,), "parameters": {"lines": lines}}
    result = on(uneven(4), SharedUpdate, **given)
    assert result.latency_ps == (2 * lines * transfer(0, 3), 2 * lines * HIT)
    result = on(uneven(4), SharedUpdate, reads_per_mille=1000, **given)
    assert result.latency_ps == (lines * transfer(0, 3), lines * HIT)


@pytest.mark.parametrize("contenders", [2, 3, 5])
def test_shared_update_of_one_line_goes_in_turn(contenders: int) -> None:
    """All fetch, then all store, one after the other."""
    clients = tuple(range(1, contenders + 1))
    result = on(
        even(contenders + 1, 100),
        SharedUpdate,
        operations=contenders,
        outstanding=contenders,
        clients=clients,
        items=1,
    )
    assert sorted(result.latency_ps) == [100 * (contenders + 1 + i) for i in range(contenders)]


def opteron() -> MessageCosts:
    """Return four packages of four cores in a square, in cycles times a thousand.

    Send and receive are the means that were measured on an Opteron 8350 by hops (0, 1, 2); a line
    takes as long as the receive, which is its transfer.
    """
    receive = {0: 103, 1: 256, 2: 426}
    pairs = [(u, v) for u in range(16) for v in range(16) if u != v]
    apart = {(u, v): abs(u // 4 - v // 4) for u, v in pairs}
    hops = {pair: min(far, 4 - far) for pair, far in apart.items()}
    return MessageCosts(
        tuple(range(16)),
        dict.fromkeys(pairs, 358_000),
        {pair: 1000 * receive[hops[pair]] for pair in pairs},
        hit_ps=2000,
    )


def test_shared_update_of_sixteen_cores_adds_thousands_of_cycles() -> None:
    """About 12,000 were measured (SOSP 2009); a core on its own needs few, and a server no more."""
    given = {"operations": 1600, "items": 1, "parameters": {"lines": 8}}
    alone = on(opteron(), SharedUpdate, clients=(0,), **given)
    shared = on(opteron(), SharedUpdate, outstanding=16, **given)
    mean = sum(shared.latency_ps) / len(shared.latency_ps) / 1000
    assert alone.latency_ps[-1] == 8 * 2 * 2000
    assert 6000 < mean < 18_000
    clients = tuple(range(1, 16))
    served = on(opteron(), RpcServer, outstanding=15, clients=clients, work_ps=4000, **given)
    assert served.latency_ps[-1] / 1000 < 12_000


def test_shared_update_clean_under_load() -> None:
    """More operations than PUs, reads and updates."""
    assert_clean(SharedUpdate)
    assert_clean(SharedUpdate, parameters={"lines": 4})
    assert_clean(SharedUpdate, parameters={"lines": 11})


def test_shared_update_safe_under_random_plans() -> None:
    """Whatever fails, no read is stale."""
    assert_safe(SharedUpdate, range(60), parameters={"lines": 2})


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.protocol.__name__)
def test_shared_update_planted_fault_is_caught(planted: Planted) -> None:
    """The original is clean on the same settings."""
    assert_caught(planted)

"""The lock in shared memory: what an acquisition and the storm behind a release cost."""

from itertools import pairwise

import pytest

from simulator.faults import Fault
from simulator.planted import Planted
from simulator.planted.shared_lock import PLANTED
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


@pytest.mark.parametrize("lines", [1, 3])
@pytest.mark.parametrize("client", [0, 2, 3])
def test_shared_lock_uncontended_costs_its_transfers(client: int, lines: int) -> None:
    """Read the lock, set it, update the lines, release; then all of it is in the own cache."""
    result = on(
        uneven(4),
        SharedLock,
        operations=2,
        clients=(client,),
        work_ps=40,
        parameters={"lines": lines},
    )
    come = transfer(0, client)
    first = come + come + lines * come + 40 + HIT
    again = HIT + HIT + lines * HIT + 40 + HIT
    assert result.latency_ps == (first, again)


@pytest.mark.parametrize("contenders", [2, 4, 7])
def test_shared_lock_hand_over_costs_a_transfer_for_each_that_waits(contenders: int) -> None:
    """The release, a read by each of k, and the set that wins: k + 2 transfers of the line."""
    line, work = 100, 50_000
    result = on(
        even(contenders, line),
        SharedLock,
        operations=contenders,
        outstanding=contenders,
        items=1,
        work_ps=work,
    )
    ends = sorted(result.latency_ps)
    waiting = range(contenders - 1, 0, -1)
    # the last one has nobody to take the line away again before it releases
    gaps = [later - before for before, later in pairwise(ends)]
    assert gaps[:-1] == [(k + 2) * line + line + work for k in waiting][:-1]


def test_shared_lock_waits_for_a_holder_that_crashed() -> None:
    """Whoever crashes while it holds the lock, nobody enters behind it, even if it comes up."""
    crashed = (Fault(25_000, pu, "down") for pu in range(4))
    runs = [
        on(
            uneven(4),
            SharedLock,
            operations=8,
            outstanding=4,
            items=1,
            work_ps=10_000,
            faults=(fault, Fault(26_000, fault.pu, "up")),
        )
        for fault in crashed
    ]
    assert min(run.completed for run in runs) == 2
    assert [run.violations for run in runs] == [()] * 4


def test_shared_lock_clean_under_load() -> None:
    """More operations than PUs, reads and updates."""
    assert_clean(SharedLock, work_ps=30, parameters={"lines": 2})


def test_shared_lock_safe_under_random_plans() -> None:
    """Whatever fails, no two hold the lock and no read is stale."""
    assert_safe(SharedLock, range(60), work_ps=400)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.protocol.__name__)
def test_shared_lock_planted_fault_is_caught(planted: Planted) -> None:
    """The original is clean on the same settings."""
    assert_caught(planted)

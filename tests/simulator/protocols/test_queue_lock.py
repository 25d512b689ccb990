"""The queue lock: each hand-over costs the same, however many wait."""

from itertools import pairwise

import pytest

from simulator.planted import Planted
from simulator.planted.queue_lock import PLANTED
from simulator.protocols.queue_lock import QueueLock
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
def test_queue_lock_uncontended_costs_its_transfers(client: int, lines: int) -> None:
    """Only the tail and the data have to come; the own line is at home."""
    result = on(
        uneven(4),
        QueueLock,
        operations=2,
        clients=(client,),
        work_ps=40,
        parameters={"lines": lines},
    )
    come = transfer(0, client)
    first = HIT + come + lines * come + 40 + HIT + HIT
    again = HIT + HIT + lines * HIT + 40 + HIT + HIT
    assert result.latency_ps == (first, again)


@pytest.mark.parametrize("contenders", [3, 5, 9])
def test_queue_lock_n_contenders_cost_n_equal_hand_overs(contenders: int) -> None:
    """Clear the word of the next, which reads it again: two transfers, whoever waits."""
    line, work, lines = 100, 50_000, 2
    result = on(
        even(contenders, line),
        QueueLock,
        operations=contenders,
        outstanding=contenders,
        items=1,
        work_ps=work,
        parameters={"lines": lines},
    )
    ends = sorted(result.latency_ps)
    gaps = {later - before for before, later in pairwise(ends[:-1])}
    assert gaps == {HIT + 2 * line + lines * line + work}


def test_queue_lock_beats_the_storm_where_many_wait() -> None:
    """With sixteen contenders; alone, the simpler lock is cheaper."""
    many = {"operations": 160, "outstanding": 16, "items": 1}
    queued, stormy = (on(even(16, 100), lock, **many) for lock in (QueueLock, SharedLock))
    assert queued.elapsed_ps < stormy.elapsed_ps
    alone = {"operations": 10, "clients": (0,)}
    queued, stormy = (on(even(16, 100), lock, **alone) for lock in (QueueLock, SharedLock))
    assert stormy.elapsed_ps < queued.elapsed_ps


def test_queue_lock_clean_under_load() -> None:
    """More operations than PUs, reads and updates."""
    assert_clean(QueueLock, work_ps=30, parameters={"lines": 2})
    assert_clean(QueueLock)


def test_queue_lock_safe_under_random_plans() -> None:
    """Whatever fails, no two hold the lock and no read is stale."""
    assert_safe(QueueLock, range(60), work_ps=400)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.protocol.__name__)
def test_queue_lock_planted_fault_is_caught(planted: Planted) -> None:
    """The original is clean on the same settings."""
    assert_caught(planted)

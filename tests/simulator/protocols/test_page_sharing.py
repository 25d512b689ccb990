"""Page-grained shared memory: what faults cost, and that nobody reads what has been overwritten."""

import pytest

from simulator.planted import Planted
from simulator.planted.page_sharing import PLANTED
from simulator.protocols.page_sharing import PageSharing
from tests.simulator.protocols.memories import assert_caught, assert_clean, assert_safe, on, uneven

TIMES = {"parameters": {"fault_ps": 700, "page_ps": 3000}, "work_ps": 11, "items": 1}


@pytest.mark.parametrize("reads", [0, 1000])
def test_page_sharing_idle_fault_fetches_the_page_from_its_home(reads: int) -> None:
    """Trap, ask, copy out, and back with the page; then it is there.

    The second access begins when the home has been told that the page has come.
    """
    costs = uneven(4)
    result = on(costs, PageSharing, operations=2, clients=(2,), reads_per_mille=reads, **TIMES)
    fault = 700 + costs.one_way(2, 0) + 3000 + costs.one_way(0, 2) + 11
    assert result.latency_ps == (fault, costs.send(2, 0) + 11)


def test_page_sharing_home_touches_its_own_page_freely() -> None:
    """The home owns the page at first."""
    result = on(uneven(4), PageSharing, clients=(0,), **TIMES)
    assert result.latency_ps == (11,)


def test_page_sharing_write_to_another_owner_goes_over_the_home() -> None:
    """The home passes the fault on, and the owner sends the page: three messages."""
    costs = uneven(4)
    result = on(costs, PageSharing, operations=2, clients=(3, 2), interval_ps=100_000, **TIMES)
    ask = 700 + costs.one_way(2, 0) + costs.one_way(0, 3)
    assert result.latency_ps[1] == ask + 3000 + costs.one_way(3, 2) + 11


def test_page_sharing_clean_under_load() -> None:
    """More operations than PUs, reads and updates."""
    assert_clean(PageSharing, **{**TIMES, "items": 3})
    assert_clean(PageSharing, work_ps=5, items=20, operations=900)


def test_page_sharing_members_beyond_the_bits_are_told_together() -> None:
    """Seventy PUs share 62 bits; nobody is forgotten."""
    result = on(
        uneven(70),
        PageSharing,
        operations=1500,
        outstanding=140,
        reads_per_mille=800,
        **{**TIMES, "items": 3},
    )
    assert result.violations == ()
    assert result.completed == 1500


def test_page_sharing_safe_under_random_plans() -> None:
    """Whatever fails, is late or is lost, no read is stale."""
    assert_safe(PageSharing, range(90), work_ps=400)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.protocol.__name__)
def test_page_sharing_planted_fault_is_caught(planted: Planted) -> None:
    """The original is clean on the same settings."""
    assert_caught(planted)

"""Batches to numbers: medians that preemption does not move, and disturbances that are seen."""

from __future__ import annotations

import numpy as np
import pytest

from skb.probe.statistics import Batches, agree, rates, settle, summarise


def noisy(centre: float, count: int = 400, share: float = 0.03, seed: int = 1) -> Batches:
    """Return batches around a centre, as an undisturbed run gives them."""
    return np.random.default_rng(seed).normal(centre, share * centre, count)


def test_statistics_median_and_spread_of_a_quiet_run() -> None:
    """The spread is half the 5 to 95 percent range: 1.64 deviations of a normal distribution."""
    told = summarise(noisy(100.0, count=4000))
    assert told.median == pytest.approx(100, rel=0.01)
    assert told.spread == pytest.approx(1.645 * 3, rel=0.1)
    assert (told.samples, told.fault) == (4000, "")


def test_statistics_interruptions_move_neither_median_nor_spread() -> None:
    """A few batches of milliseconds change nothing that is reported."""
    quiet = noisy(100.0)
    busy = quiet.copy()
    busy[::50] = 3e6
    assert summarise(busy).median == pytest.approx(summarise(quiet).median, rel=0.01)
    assert summarise(busy).spread == pytest.approx(summarise(quiet).spread, rel=0.1)
    assert summarise(busy).fault == ""


def test_statistics_many_interruptions_are_a_disturbance() -> None:
    """Where every fifth batch is interrupted, the partner hardly runs."""
    busy = noisy(100.0)
    busy[::5] = 3e6
    assert "interrupted" in summarise(busy).fault


def test_statistics_two_levels_are_seen_and_one_is_not() -> None:
    """A clock that changes halfway makes two levels; noise around one makes none."""
    two = np.concatenate([noisy(100.0, 200), noisy(150.0, 200, seed=2)])
    assert "two levels" in summarise(two).fault
    for seed in range(20):
        assert summarise(noisy(100.0, seed=seed)).fault == ""


def test_statistics_a_wide_run_is_a_disturbance() -> None:
    """Half of the batches spread over more than a third of the median: that is no one number."""
    wide = np.random.default_rng(3).uniform(40, 160, 500)
    assert "half of the batches" in summarise(wide).fault


def test_statistics_noise_below_the_floor_is_no_disturbance() -> None:
    """A send of 3 ns that varies by 1 ns either way is as good as the clock."""
    small = np.random.default_rng(3).uniform(2, 4, 500)
    assert summarise(small).fault != ""
    assert summarise(small, floor=2.0).fault == ""


def test_statistics_too_few_batches_are_said() -> None:
    """Seven batches are no distribution, and none is no number."""
    assert "only 7" in summarise(noisy(100.0, 7)).fault
    assert "nothing" in summarise(np.empty(0)).fault


def test_statistics_visits_that_agree_are_joined() -> None:
    """Two equal visits are one result with the batches of both."""
    told = settle([noisy(100.0, seed=1), noisy(102.0, seed=2)])
    assert not told.disturbed
    assert told.summary.samples == 800
    assert told.summary.median == pytest.approx(101, rel=0.01)


def test_statistics_a_slow_visit_is_outvoted() -> None:
    """Of three visits the two fast ones that agree are believed."""
    told = settle([noisy(140.0, seed=1), noisy(100.0, seed=2), noisy(101.0, seed=3)])
    assert not told.disturbed
    assert told.summary.median == pytest.approx(100.5, rel=0.01)


def test_statistics_visits_that_differ_are_disturbed() -> None:
    """Where no two visits agree the fastest is shown, and that they differ is said."""
    told = settle([noisy(140.0), noisy(100.0), noisy(200.0)])
    assert told.disturbed and "differs by visit" in told.summary.fault
    assert told.summary.median == pytest.approx(100, rel=0.01)


def test_statistics_one_visit_is_neither_confirmed_nor_disturbed() -> None:
    """A single quiet visit is taken as it is; the report says that it stands alone."""
    assert not settle([noisy(100.0)]).disturbed
    assert settle([noisy(100.0)]).visits == 1


def test_statistics_agreement_is_relative_or_below_the_floor() -> None:
    """Ten percent, or the noise of the clock for what takes next to no time."""
    low, near, far = (summarise(noisy(value)) for value in (100.0, 108.0, 115.0))
    assert agree(low, near) and not agree(low, far)
    assert agree(summarise(noisy(2.0)), summarise(noisy(3.0)), floor=2.0)


def test_statistics_turned_keeps_the_fault() -> None:
    """What is disturbed in nanoseconds is disturbed in messages per second."""
    told = settle([noisy(10.0), noisy(20.0)]).turned(lambda ns: 1e9 / ns)
    assert told.median == pytest.approx(1e8, rel=0.01)
    assert told.fault


def test_statistics_joint_rate_counts_only_common_time() -> None:
    """Two streams of 1 and 2 bytes/ns together carry 3, in the time in which both ran."""
    one = np.arange(0, 100_001, 100)
    two = np.arange(50_000, 150_001, 50)
    found = rates([one, two], chunk_bytes=100)
    assert found == pytest.approx(np.full(len(found), 3.0), rel=0.02)
    assert len(rates([one, two + 200_000], 100)) == 0


def test_statistics_joint_rate_survives_interruptions() -> None:
    """A stream that stands still for nine tenths of the time keeps its median."""
    stamps = np.arange(0, 100_001, 100)
    for at in range(50, 1000, 100):
        stamps[at:] += 90_000
    assert np.median(rates([stamps], 100)) == pytest.approx(1.0, rel=0.01)

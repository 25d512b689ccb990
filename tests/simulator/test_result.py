"""Numbers that sum a run up."""

import pytest

from simulator.result import percentile
from simulator.scenario import run
from simulator.trees import Tree
from tests.simulator.worlds import scenario


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (1, 1), (50, 50), (99, 99), (100, 100)])
def test_percentile_is_the_nearest_rank(percent: int, expected: int) -> None:
    """Of 1 to 100 the p-th percentile is p."""
    assert percentile(range(1, 101), percent) == expected


def test_percentile_of_one_number_is_that_number() -> None:
    """There is nothing else to choose."""
    assert percentile([7], 50) == percentile([7], 99) == 7


def test_throughput_is_operations_per_simulated_second() -> None:
    """One operation at a time, each 190 ps + 190 ps, the last one's tail included."""
    result = run(scenario("atomic-broadcast", Tree(0, {0: (1,)}), operations=10))
    assert result.elapsed_ps == 10 * 380
    assert result.throughput_per_s == pytest.approx(1e12 / 380)


def test_throughput_is_undefined_where_no_time_passes() -> None:
    """A lone member agrees with itself at once."""
    result = run(scenario("atomic-broadcast", Tree(0, {})))
    assert result.completed == 1
    assert result.throughput_per_s is None

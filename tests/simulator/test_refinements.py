"""Loss, delay, open loads that arrive at random, and what a machine cannot carry."""

import math
from dataclasses import replace

import pytest

from simulator import engine as engines
from simulator.arrivals import arrival_times, exponential, minus_log2
from simulator.draws import draw
from simulator.errors import ScenarioError
from simulator.faults import Fault
from simulator.refinements import Transport
from simulator.scenario import run, simulate
from simulator.trees import Tree
from tests.simulator.test_engine import Line
from tests.simulator.worlds import STAR, scenario

MILLION = 1_000_000


def test_transport_that_loses_all_leaves_the_root_alone() -> None:
    """Nothing arrives, nothing ends, and each lost message is counted once."""
    result = run(scenario("atomic-broadcast", STAR, loss_per_million=MILLION, trace=True))
    assert {row[2] for row in result.trace} == {0}
    assert (result.completed, result.lost, result.delayed) == (0, 3, 0)
    assert result.ended == "stalled"


def test_transport_loses_and_delays_as_often_as_it_says() -> None:
    """Three of ten are lost; half are delayed by 1 to 50, whether they are lost or not."""
    transport = Transport(300_000, 500_000, 50, seed=4)
    lost = sum(transport.loses(issue) for issue in range(10_000))
    delays = [transport.delay(issue) for issue in range(10_000)]
    both = sum(transport.loses(issue) and transport.delay(issue) > 0 for issue in range(10_000))
    assert 2_850 < lost < 3_150
    assert 1_350 < both < 1_650
    assert 4_850 < delays.count(0) < 5_150
    assert set(delays) == set(range(51))
    assert Transport(seed=4).perfect
    assert not any(Transport(seed=4).delay(issue) for issue in range(100))


def test_lost_messages_change_with_the_seed_and_with_nothing_else() -> None:
    """The same seed loses the same messages; another one loses others."""
    lossy = scenario("reduction", operations=40, interval_ps=5000, loss_per_million=100_000)
    one = run(lossy)
    assert one.trace_digest == run(lossy).trace_digest != run(replace(lossy, seed=1)).trace_digest
    assert one.lost > 0
    assert one.unfinished > 0


def test_delay_is_added_to_the_flight() -> None:
    """Delayed by exactly 1 where that is the longest: the arrival is one later."""
    star = scenario("atomic-broadcast", Tree(0, {0: (1,)}))
    late = replace(star, delay_per_million=MILLION, delay_ps=1)
    assert run(late).latency_ps[0] == run(star).latency_ps[0] + 2
    assert run(late).delayed == 2


def test_delay_lets_messages_overtake() -> None:
    """Without delay the answers of even leaves come in order; with it they do not."""
    star = Tree(0, {0: tuple(range(1, 9))})
    plain = scenario("reduction", star, trace=True)
    late = replace(plain, delay_per_million=500_000, delay_ps=10_000)
    orders = [
        [source for _, _, pu, _, _, source in run(one).trace if pu == 0 != source]
        for one in (plain, late)
    ]
    assert orders[0] == list(range(1, 9)) == sorted(orders[1]) != orders[1]


def test_cache_lines_are_neither_lost_nor_delayed_nor_cut_off() -> None:
    """Only what members send each other goes over the network: here nothing does."""
    lines = scenario("barrier", STAR, operations=5, outstanding=4)
    bad = replace(
        lines,
        loss_per_million=MILLION,
        delay_per_million=MILLION,
        delay_ps=99,
        faults=(Fault(0, 2, "cut", 1),),
    )
    one, other = simulate(lines, Line), simulate(bad, Line)
    assert one.completed == 5
    assert one.latency_ps == other.latency_ps
    assert one.line_occupancy.keys() == {"line"}
    assert one.to_json()["line_occupancy"] == one.line_occupancy


# ------------------------------------------------------------------ open loads
def test_even_arrivals_come_in_bursts() -> None:
    """Three at a time, every hundred."""
    assert arrival_times("even", 7, 100, 3, 0) == (0, 0, 0, 100, 100, 100, 200)


def test_poisson_arrivals_have_the_mean_and_the_spread_of_an_exponential() -> None:
    """Mean and standard deviation of the gaps are the interval, and a third is longer than it."""
    times = arrival_times("poisson", 4000, 10_000, 1, 3)
    gaps = [later - time for time, later in zip((0, *times), times, strict=False)]
    mean = sum(gaps) / len(gaps)
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert abs(mean - 10_000) < 500
    assert abs(spread - 10_000) < 700
    assert abs(sum(gap > 10_000 for gap in gaps) / len(gaps) - math.exp(-1)) < 0.03
    assert times == arrival_times("poisson", 4000, 10_000, 1, 3)
    assert times != arrival_times("poisson", 4000, 10_000, 1, 4)
    assert len(set(arrival_times("poisson", 12, 10_000, 4, 3))) == 3


@pytest.mark.parametrize("number", [1, 2, 3, 5, 1000, (1 << 53) - 1, 1 << 53, 6004799503160661])
def test_logarithm_in_whole_numbers_agrees_with_the_one_in_floats(number: int) -> None:
    """Repeated squaring against the library, to 2 ** -40 and what a float can hold."""
    exact = (53 - math.log2(number)) * 2**40
    assert abs(minus_log2(number, 53) - exact) <= 1.01


def test_exponential_is_rounded_to_the_nearest() -> None:
    """Against the formula in floats, which is good enough for means of a million."""
    for number in range(200):
        u = (draw(5, (1 << 61) + number, 1 << 53) + 1) / 2**53
        assert abs(exponential(1_000_000, 5, number) + 1_000_000 * math.log(u)) < 0.51


def test_operations_arrive_when_it_was_said() -> None:
    """Given times are the starts of the operations; they may be equal."""
    times = (5, 5, 70, 1000)
    result = run(scenario("reduction", operations=4, arrivals_ps=times, trace=True))
    starts = sorted(row[0] for row in result.trace if row[5] == row[2] == 6)
    assert result.completed == 4
    assert starts[0] == 5
    assert starts[-1] == 1000


def test_overload_is_told_with_its_time() -> None:
    """A root that is busy for 120 per operation cannot carry one every 50."""
    heavy = scenario("atomic-broadcast", STAR, operations=5000, interval_ps=50)
    result = run(heavy)
    assert result.ended == "overloaded"
    assert result.unfinished >= 1024
    assert result.ending == f"overloaded at {result.ended_ps / 1000:,.0f} ns"
    assert 1024 * 50 < result.ended_ps < 5000 * 50
    assert run(replace(heavy, interval_ps=500)).ended == "finished"


def test_overload_ends_a_run_before_too_much_is_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is limited, scheduled or in channels, whatever the load."""
    monkeypatch.setattr(engines, "MOST_PENDING", 60)
    load = scenario("reduction", operations=40, outstanding=40, engine="plain")
    assert run(load).ended == "overloaded"
    assert run(replace(load, outstanding=1)).ended == "finished"
    polled = run(replace(load, poll_ps=10_000))
    assert polled.ended == "overloaded"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"arrivals": "poisson"}, "open load"),
        ({"burst": 3}, "open load"),
        ({"arrivals": "weekly", "interval_ps": 5}, "weekly"),
        ({"channels": "some"}, "some"),
        ({"arrivals_ps": (1,), "operations": 2}, "1 times for 2"),
        ({"arrivals_ps": (5, 4), "operations": 2}, "ascend"),
        ({"arrivals_ps": (-1,)}, "ascend"),
        ({"arrivals_ps": (1,), "interval_ps": 9}, "not both"),
        ({"delay_per_million": 5}, "delay_ps"),
        ({"loss_per_million": MILLION + 1}, "loss_per_million"),
        ({"poll_ps": -1}, "poll_ps"),
        ({"burst": 0, "interval_ps": 5}, "burst"),
    ],
)
def test_scenario_refuses_loads_and_networks_that_make_no_sense(
    settings: dict[str, object], words: str
) -> None:
    """The error names the field or the value."""
    with pytest.raises(ScenarioError, match=words):
        scenario("barrier", **settings)  # type: ignore[arg-type]

"""What the facts and options add to a simulation: links, polling, domains, faults, loads."""

from __future__ import annotations

from typing import Any

import pytest

from skb.errors import RequestError
from skb.knowledge import decide, simulate
from skb.machine import Machine
from skb.relations import Fact
from skb.simulation import prepared
from skb.simulation_facts import sharing
from skb.simulation_options import interval_ps, parameters_ps, read_options
from tests.machines import CHAIN, bundled, grown

BOARD = bundled("tyan-s4985")
THREE = "package:3 numa:1 l3:1 core:2 pu:1"
HEADS = list(range(0, 32, 4))


def row(*facts: Fact) -> Machine:
    """Return three packages in a row of two PUs each."""
    return grown(THREE, *facts, extra=CHAIN)


def wide(*pairs: tuple[int, int], mib_s: float = 4000.0) -> list[Fact]:
    """Return the bandwidth of links between packages."""
    return [Fact("link_bandwidth", (f"package:{a}", f"package:{b}", mib_s)) for a, b in pairs]


def scenario(machine: Machine, **options: Any) -> Any:
    """Return the scenario of a simulation over a classic route."""
    return prepared(machine, {"route": "sequential", **options}, decide).scenario


def test_links_are_those_on_the_way_and_as_slow_as_they_are_wide() -> None:
    """A 64-byte line over 4000 MiB/s takes 15,258.8 ps, over half of that twice as long."""
    slow = Fact("link_bandwidth", ("package:2", "package:1", 2000.0))
    links = scenario(row(*wide((0, 1), (1, 2), (1, 0)), slow), links=True).links
    assert links.names == (
        "package:0 -> package:1",
        "package:1 -> package:0",
        "package:1 -> package:2",
        "package:2 -> package:1",
    )
    assert links.occupancy_ps == (15_259, 15_259, 15_259, 30_518)
    assert links.latency_ps == (0, 0, 0, 0)
    assert links.way(0, 1) == ()
    assert links.way(1, 2) == (0,)
    assert links.way(0, 5) == (0, 2)
    assert links.way(5, 0) == (3, 1)


def test_link_without_bandwidth_is_as_fast_as_the_fastest_and_that_is_said() -> None:
    """Nobody stated the second one, and no way back."""
    found = prepared(row(*wide((0, 1))), {"route": "sequential", "links": True}, decide)
    assert found.scenario.links is not None
    assert found.scenario.links.occupancy_ps == (15_259,) * 4
    assert "link_bandwidth of 3 links = 4000 MiB/s" in {told["fact"] for told in found.assumed}


def test_latency_of_a_link_is_taken_out_of_the_propagation() -> None:
    """Stated latencies count as far as the pair's flight has room for them."""
    costs = [
        Fact("message_cost_hops", (hops, "cache_line", role, cost))
        for hops in (1, 2)
        for role, cost in (("send", 50.0), ("receive", 60.0), ("propagation", 25.0 * hops))
    ]
    stated = [
        Fact("link_latency", ("package:0", "package:1", 10.0)),
        Fact("link_latency", ("package:1", "package:2", 90.0)),
    ]
    options = {"members": [0, 2, 4], "root": 0, "protocol": "atomic-broadcast"}
    machine = row(*wide((0, 1), (1, 2)), *costs, *stated)
    assert scenario(machine, links=True, **options).links.latency_ps == (10_000, 0, 25_000, 0)
    plain = simulate(machine, {"route": "sequential", **options})
    linked = simulate(machine, {"route": "sequential", "links": True, **options})
    assert linked["latency"] == plain["latency"]
    assert linked["links"]["package:0 -> package:1"]["messages"] == 2


def test_board_with_links_waits_only_where_messages_meet() -> None:
    """One operation at a time meets nobody on the board's links; a stream of them does."""
    options = {"protocol": "single-phase-commit", "route": "cluster", "operations": 60}
    plain = simulate(BOARD, options)
    linked = simulate(BOARD, {**options, "links": True})
    assert linked["latency"] == plain["latency"]
    assert set(linked["link_load"]) == set(linked["links"])
    assert 0 < max(linked["link_load"].values()) < 1
    busy = simulate(BOARD, {**options, "links": True, "outstanding": 30})
    assert max(link["mean_wait_ns"] for link in busy["links"].values()) > 0


def test_links_follow_the_tables_in_force() -> None:
    """A forwarding table that goes round about loads the links that it says."""
    ring = CHAIN + '[[link]]\nfrom = "package:0"\nto = "package:2"\nkind = "x"\n'
    pairs = ((0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (2, 0))
    tables = [
        Fact("next_hop", ("package:0", "package:1", "package:2")),
        Fact("next_hop", ("package:2", "package:1", "package:1")),
    ]
    names = [
        [scene.links.names[link] for link in scene.links.way(0, 2)]
        for facts in ([], tables)
        for scene in (scenario(grown(THREE, *wide(*pairs), *facts, extra=ring), links=True),)
    ]
    assert names == [
        ["package:0 -> package:1"],
        ["package:0 -> package:2", "package:2 -> package:1"],
    ]


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (row(), "states no bandwidth of any link"),
        (grown("package:2 core:2 pu:1"), "no links between these packages"),
        (bundled("odroid-n2"), "all these PUs in one package"),
    ],
)
def test_links_are_refused_where_nobody_knows_them(machine: Machine, words: str) -> None:
    """The error says what to state."""
    with pytest.raises(RequestError, match=words):
        scenario(machine, links=True)


def test_domains_share_what_was_asked_for() -> None:
    """NUMA node, L3 or package; a level that is not there is refused."""
    machine = grown("package:2 numa:1 l3:2 core:2 pu:1")
    everybody = tuple(range(8))
    halves = ((0, 1, 2, 3), (4, 5, 6, 7))
    assert sharing(machine, everybody) == halves
    assert sharing(machine, everybody, "package") == halves
    assert sharing(machine, everybody, "l3") == ((0, 1), (2, 3), (4, 5), (6, 7))
    assert sharing(machine, (1, 2, 6), "l3") == ((1,), (2,), (6,))
    assert scenario(machine, sharing="l3").domains == ((0, 1), (2, 3), (4, 5), (6, 7))
    with pytest.raises(RequestError, match="no l3 around"):
        sharing(grown("package:2 core:2 pu:1"), (0, 1, 2, 3), "l3")


def test_message_costs_know_cache_lines_where_a_protocol_fetches_them() -> None:
    """A stated latency of a pair is that of a line; a hit costs what the first cache does."""
    from simulator.protocols import PROTOCOLS
    from skb.costs import Costs
    from skb.simulation import message_costs
    from skb.simulation_facts import with_lines

    machine = grown(
        "package:2 core:2 pu:1",
        Fact("latency", ("pu:0", "pu:3", 123.0)),
        Fact("latency_within", ("package", 40.0)),
        Fact("cache_latency", ("l1d", 1.5)),
    )
    costs = Costs(machine)
    table = with_lines(message_costs(costs, (0, 1, 2, 3)), costs)[0]
    assert table.transfer(0, 3) == 123_000
    assert table.transfer(0, 1) == 40_000
    assert table.transfer(2, 2) == 1_500
    for u in table.members:
        for v in table.members:
            assert table.transfer(u, v) == costs.line_ps(u, v)
    for name, protocol in PROTOCOLS.items():
        found = scenario(machine, protocol=name).costs
        assert (found.transfer_ps is not None) == bool(protocol.cache_lines)


def test_polling_options_reach_the_receivers() -> None:
    """Looks cost time; fewer channels cost less; the result says what was asked."""
    options = {"protocol": "barrier", "route": "cluster", "members": HEADS}
    plain, polled, few = (
        simulate(BOARD, {**options, **more})["latency"]["mean"]
        for more in ({}, {"poll_ns": 10}, {"poll_ns": 10, "channels": "tree"})
    )
    assert plain < few < polled


def test_rate_and_burst_make_the_interval() -> None:
    """Two million a second, four at a time: every 2000 ns."""
    assert interval_ps(read_options({"rate_per_s": 2e6, "burst": 4})) == 2_000_000
    assert interval_ps(read_options({"interval_ns": 0.5})) == 500
    assert interval_ps(read_options({})) is None
    for wrong, words in (
        ({"rate_per_s": 0}, "rate of 0"),
        ({"rate_per_s": 1, "interval_ns": 1}, "the same"),
    ):
        with pytest.raises(RequestError, match=words):
            interval_ps(read_options(wrong))


def test_poisson_load_has_the_rate_that_it_was_given() -> None:
    """A thousand operations at a million per second take about a millisecond."""
    found = simulate(
        BOARD,
        {
            "protocol": "barrier",
            "route": "cluster",
            "members": [0, 1, 2],
            "operations": 1000,
            "rate_per_s": 1e6,
            "arrivals": "poisson",
        },
    )
    assert found["ended"] == "finished"
    assert abs(found["throughput_per_s"] / 1e6 - 1) < 0.1


def test_overload_is_an_answer() -> None:
    """What the board cannot carry ends early, and says when."""
    found = simulate(
        BOARD, {"protocol": "barrier", "route": "cluster", "operations": 3000, "rate_per_s": 1e9}
    )
    assert found["ended"] == "overloaded"
    assert 0 < found["ended_ns"] < 1e6


def test_parameters_are_the_protocols_own_times_in_nanoseconds() -> None:
    """`work_ns` and `work_ps` are one number; what a protocol does not have is refused."""
    given: dict[str, Any] = {"protocol": "single-phase-commit"}
    assert parameters_ps(read_options({**given, "parameters": {"work_ns": 1.5}})) == {
        "work_ps": 1500
    }
    for parameters, words in (
        ({"wrok_ns": 1}, "no use for wrok_ns"),
        ({"work_ps": 1.5}, "no whole number"),
        ({"work_ps": 1, "work_ns": 1}, "twice"),
        ({"work_ns": float("inf")}, "is inf"),
    ):
        with pytest.raises(RequestError, match=words):
            parameters_ps(read_options({**given, "parameters": parameters}))


def test_fault_rows_say_how_long_and_on_which_side() -> None:
    """Slow goes with a time, cut with a side; the barrier waits for a slow member."""
    options: dict[str, Any] = {"protocol": "barrier", "route": "cluster", "members": HEADS}
    slow = {"time_ns": 0, "pu": 4, "state": "slow", "value_ns": 50_000}
    found = simulate(BOARD, {**options, "faults": [slow]})
    assert 50_000 < found["latency"]["max"] < 60_000
    rows = [
        {"time_ns": 0, "pu": 4, "state": "cut", "side": 1},
        {"time_ns": 100_000, "pu": 4, "state": "joined"},
    ]
    found = simulate(BOARD, {**options, "faults": rows})
    assert found["ended"] == "stalled"
    assert found["messages"]["lost"] > 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"state": "slow"}, "needs value_ns"),
        ({"state": "cut"}, "needs side"),
        ({"state": "cut", "side": 0}, "needs a value"),
        ({"state": "down", "side": 1}, "no use for side"),
        ({"state": "cut", "side": 1, "value_ns": 5}, "no use for value_ns"),
        ({"state": "slow", "value_ns": float("nan")}, "is nan"),
        ({"state": "joined"}, "not cut off"),
        ({"state": "sleepy"}, "sleepy"),
    ],
)
def test_fault_rows_that_make_no_sense_are_refused(fault: dict[str, Any], words: str) -> None:
    """The error names the state and what it lacks."""
    with pytest.raises(RequestError, match=words):
        scenario(BOARD, faults=[{"time_ns": 5, "pu": 0, **fault}])


def test_lossy_network_is_simulated_by_its_seed() -> None:
    """The same seed loses the same messages."""
    options = {
        "protocol": "atomic-broadcast",
        "route": "binary",
        "operations": 30,
        "rate_per_s": 1e5,
        "loss_per_million": 20_000,
        "delay_per_million": 500_000,
        "delay_ns": 200,
    }
    one, two, other = (simulate(BOARD, {**options, "seed": seed}) for seed in (1, 1, 2))
    assert one["messages"] == two["messages"]
    assert one["messages"]["lost"] > 0
    assert one["messages"]["delayed"] > 0
    assert one["trace_digest"] == two["trace_digest"] != other["trace_digest"]

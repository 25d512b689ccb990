"""Queues of links: the round trip of credits, the worst backlog, and what short limits leave."""

from __future__ import annotations

from typing import Any

import pytest

from skb.decision import Limits, Status
from skb.errors import RequestError
from skb.knowledge import decide
from skb.machine import Machine
from skb.relations import Fact
from tests.machines import bundled, grown
from tests.questions.interconnects import interconnect, joined

BOARD = bundled("tyan-s4985")


def asked(machine: Machine, seconds: float = 60, **request: Any) -> dict[str, Any]:
    """Return the decision on a request as JSON; the checker has accepted it."""
    limits = Limits(seconds=seconds, conflicts=1000)
    return decide("links", machine, request, limits).to_json()


def both_ways(predicate: str, *rows: tuple[int, int, float | int]) -> list[Fact]:
    """Return a number for each of these links, the same in both directions."""
    return [
        Fact(predicate, (f"package:{s}", f"package:{d}", value), "datasheet")
        for a, b, value in rows
        for s, d in ((a, b), (b, a))
    ]


def test_links_say_which_depth_is_for_what() -> None:
    """Bytes for the round trip; for the backlog packets by channel, in bytes for the worse run."""
    answer = asked(BOARD, packet_bytes=80)["answer"]
    told, depth = answer["backlog"], answer["backlog_depth"]
    assert told["packet_bytes"] == 80 and told["rate"] == 0.8
    assert told["burst"]["packets"] == 56 and told["steady"]["packets"] % 56 == 0
    for a, row in answer["queue_depth"].items():
        for b in row:
            waiting = zip(*(told[run]["waiting"][a][b] for run in ("burst", "steady")), strict=True)
            assert depth[a][b] == [80 * max(counts) for counts in waiting]
            assert len(depth[a][b]) == answer["virtual_channels"]
    for run in ("burst", "steady"):
        [a, b] = told[run]["where"][0]
        assert max(told[run]["waiting"][a][b]) == told[run]["most"] > 0


def test_links_backlog_of_a_ring_of_one_direction_is_as_by_hand() -> None:
    """Each of three nodes sends a packet to both others over one link: the second waits. What comes
    a flight later finds the link free.
    """
    rows = "".join(
        f'[[link]]\nfrom = "package:{s}"\nto = "package:{(s + 1) % 3}"\none_way = true\n'
        for s in range(3)
    )
    told = asked(grown("package:3 numa:1 core:1 pu:1", extra=rows))["answer"]
    assert told["backlog"]["burst"]["packets"] == 6
    assert told["load"]["package:0"]["package:1"] == 3
    assert sum(told["backlog"]["burst"]["waiting"]["package:0"]["package:1"]) == 1


def test_links_backlog_grows_where_a_link_is_slow() -> None:
    """A chain whose last link is ten times slower: what the first two send waits in front of it."""
    chain = [(0, 1), (1, 2), (2, 3)]
    fast = both_ways("link_bandwidth", (0, 1, 1000.0), (1, 2, 1000.0), (2, 3, 1000.0))
    slow = both_ways("link_bandwidth", (0, 1, 1000.0), (1, 2, 1000.0), (2, 3, 100.0))

    def before(facts: list[Fact]) -> int:
        told = asked(joined("chain", 4, chain, *facts))["answer"]["backlog"]["burst"]
        found: int = told["waiting"]["package:2"]["package:3"][0]
        return found

    # three packets end at package:3; while the first of them is sent the two others come
    assert (before(fast), before(slow)) == (0, 2)


def test_links_backlog_follows_traffic_and_seed() -> None:
    """Who sends alone and little holds nobody up; the draws of a steady run are those of a seed."""
    rows = [{"from": "package:0", "to": "package:1", "weight": 3}]
    told = asked(BOARD, traffic=rows)["answer"]["backlog"]
    assert told["burst"] == {**told["burst"], "packets": 1, "most": 0, "where": []}
    first, other = (
        decide("links", BOARD, {}, Limits(seed=seed, seconds=60)).answer["backlog"]
        for seed in (1, 2)
    )
    assert first["burst"]["packets"] == other["burst"]["packets"]
    again = decide("links", BOARD, {}, Limits(seed=1, seconds=60)).answer["backlog"]
    assert first == again


def test_links_round_trips_take_what_is_nearest() -> None:
    """The latency of the other direction, the bandwidth of the fastest link, else the widths."""
    facts = [
        *both_ways("link_bandwidth", (0, 1, 1000.0)),
        Fact("link_latency", ("package:0", "package:1", 50.0), "datasheet"),
        Fact("link_latency", ("package:1", "package:2", 20.0), "datasheet"),
    ]
    depth = asked(joined("stated", 3, [(0, 1), (1, 2)], *facts))["answer"]["queue_depth"]
    # 1000 MiB/s x (50 + 50) ns and x (20 + 20) ns, rounded up
    assert depth["package:1"] == {"package:0": 105, "package:2": 42}
    wide = both_ways("link_width", (0, 1, 16), (1, 2, 8))
    depth = asked(joined("wide", 3, [(0, 1), (1, 2)], *wide))["answer"]["queue_depth"]["package:1"]
    assert depth["package:0"] in (2 * depth["package:2"], 2 * depth["package:2"] - 1)


@pytest.mark.parametrize(
    "request_",
    [{"packet_bytes": 0}, {"packet_bytes": 1.5}, {"rate": 0}, {"rate": 1.01}, {"rate": "fast"}],
)
def test_links_bad_packets_and_rates_are_refused(request_: dict[str, Any]) -> None:
    """Place and mend are named."""
    with pytest.raises(RequestError) as fault:
        asked(BOARD, **request_)
    assert fault.value.place and fault.value.mend


# ------------------------------------------------------------------ limits
@pytest.mark.parametrize("name", ["board", "torus4x4", "mesh8x8", "regular4x16", "regular4x64"])
def test_links_small_networks_are_answered_whatever_the_limit(name: str) -> None:
    """A table that takes milliseconds is given also where the limit is over before."""
    decision = decide("links", interconnect(name), {}, Limits(seconds=0.001))
    assert decision.status in (Status.OPTIMAL, Status.FEASIBLE)
    assert decision.answer["deadlock_free"] is True
    if "backlog" not in decision.answer:
        assert any("how many packets wait" in warning for warning in decision.warnings)


def test_links_of_large_networks_need_their_time() -> None:
    """Where the limit leaves none it is said so; no claim is made."""
    decision = decide("links", interconnect("mesh16x16"), {}, Limits(seconds=0.05))
    assert decision.status == Status.UNKNOWN and not decision.answer
    assert "the limit leaves no time for tables of 256 nodes" in decision.reasons[0].text

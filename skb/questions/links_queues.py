"""How deep the queues of links must be: for the round trip of credits, for the worst backlog."""

from __future__ import annotations

import time
from fractions import Fraction
from operator import mul
from typing import Any

from skb.costs import defaults
from skb.decision import Assumption, Limits
from skb.engines.links_backlog import (
    Packet,
    Timing,
    backlog,
    burst,
    sending,
    steady,
)
from skb.engines.links_net import Arc, Table, loads
from skb.machine import Machine
from skb.questions.links_instance import Instance
from skb.questions.links_request import LinksRequest

_MIB = 2**20
HOPS = 10_000  # of packets in a steady run, where a round of all pairs has fewer
MOST_ROUNDS = 100
HOP_SECONDS = 3e-6  # that one hop of a packet takes to simulate
SHARE = 0.45  # of the limit, which the simulation may take


def queues(machine: Machine, asked: Instance) -> tuple[dict[str, Any], tuple[Assumption, ...]]:
    """Return the bytes that each channel of a link must hold so that the link never waits for
    credits: bandwidth x round trip; and what was assumed for them.
    """
    assumed: dict[str, str] = {}
    rows: dict[str, dict[str, int]] = {}
    flights = _flights(machine, asked, assumed)
    for (a, b), mib_s in zip(asked.net.arcs, _rates(machine, asked, assumed), strict=True):
        size = -(-mib_s * _MIB * (flights[a, b] + flights[b, a]) // 10**9)
        rows.setdefault(asked.nodes[a], {})[asked.nodes[b]] = int(size)
    return rows, tuple(Assumption(fact, because) for fact, because in sorted(assumed.items()))


def _rates(machine: Machine, asked: Instance, assumed: dict[str, str]) -> list[Fraction]:
    """Return the bandwidth of each arc in MiB/s; where nobody stated any, the fastest link is as
    fast as a memory node.
    """
    ends = [(asked.nodes[a], asked.nodes[b]) for a, b in asked.net.arcs]
    stated = [machine.number("link_bandwidth", *link) or 0 for link in ends]
    if any(stated):  # the instance says which it assumed to be as fast as the fastest
        return [Fraction(mib_s or max(stated)) for mib_s in stated]
    fastest = float(defaults()["memory"]["local_bandwidth_mib_s"])
    assumed[f"link_bandwidth = {fastest:g} MiB/s, for queue depths"] = (
        "nobody stated it; as the bandwidth of a memory node"
    )
    slow = asked.net.slow
    return [Fraction(fastest) * min(slow) / factor for factor in slow]


def _flights(machine: Machine, asked: Instance, assumed: dict[str, str]) -> dict[Arc, Fraction]:
    """Return the latency of each arc and of its other direction in ns: where only one is stated,
    that one.
    """
    hop_ns, why = _hop_ns(machine)
    found: dict[Arc, Fraction] = {}
    for a, b in asked.net.arcs:
        ends = (asked.nodes[a], asked.nodes[b])
        there = machine.number("link_latency", *ends)
        back = machine.number("link_latency", *reversed(ends))
        if there is None and back is None:
            there = hop_ns
            assumed[f"link_latency = {hop_ns:g} ns, for queue depths"] = why
        known = [Fraction(ns) for ns in (there, back) if ns is not None]
        found[a, b], found[b, a] = known[0], known[-1]
    return found


def _hop_ns(machine: Machine) -> tuple[float, str]:
    """Return what one more link adds, and where that is from."""
    one, two = machine.number("latency_hops", 1), machine.number("latency_hops", 2)
    if one is not None and two is not None and two > one:
        return two - one, "nobody stated it; what a second hop adds to the latency"
    memory = defaults()["memory"]
    share = float(memory["remote_share_per_hop"]) * float(memory["local_latency_ns"])
    return share, "nobody stated it; a share of the memory latency"


# ------------------------------------------------------------------ the worst backlog
def expected(asked: Instance, seconds: float) -> float:
    """Return the seconds that simulating will take of a limit, by the shortest ways."""
    rows = zip(burst(asked.net), asked.net.distance, strict=True)
    hops = sum(sum(map(mul, counts, far)) for counts, far in rows)
    work = (1 + _rounds(hops)) * hops * HOP_SECONDS
    return work if work <= SHARE * seconds else 0.0


def _rounds(hops: int) -> int:
    """Return how often all pairs send in a steady run, where they take so many hops."""
    return max(1, min(MOST_ROUNDS, HOPS // hops))


def simulated(
    machine: Machine,
    asked: Instance,
    request: LinksRequest,
    table: Table,
    limits: Limits,
    deadline: float,
) -> dict[str, Any]:
    """Return what waits for each link in the worst moment of a burst and of a steady run; nothing
    where that is too much for the limit, or the deadline came.
    """
    net = asked.net
    counts = burst(net)
    carried = loads(net, table, counts)
    rounds = _rounds(sum(carried))
    if (1 + rounds) * sum(carried) * HOP_SECONDS > SHARE * limits.seconds:
        return {}
    sent = sending(counts)
    timing = _timing(machine, asked, request.packet_bytes)
    busy = max(count * ps for count, ps in zip(carried, timing.send, strict=True))
    rate = Fraction(str(request.rate))
    runs = {
        "burst": sent,
        "steady": steady(sent, rounds, busy, min(timing.send), rate, limits.seed),
    }
    told: dict[str, Any] = {"packet_bytes": request.packet_bytes, "rate": request.rate}
    worst = [[0] * table.channels for _arc in net.arcs]
    for name, packets in runs.items():
        found = backlog(net, table, timing, packets, lambda: time.monotonic() >= deadline)
        if found is None:
            return {}
        worst = [
            [max(pair) for pair in zip(*rows, strict=True)]
            for rows in zip(worst, found, strict=True)
        ]
        told[name] = _told(asked, packets, found)
    depth = [[count * request.packet_bytes for count in row] for row in worst]
    return {"backlog_depth": _by_link(asked, depth), "backlog": told}


def _timing(machine: Machine, asked: Instance, packet_bytes: int) -> Timing:
    """Return what a packet takes on each arc, in whole ps: sending is rounded up."""
    rates = _rates(machine, asked, {})
    flights = _flights(machine, asked, {})
    return Timing(
        tuple(int(-(-packet_bytes * 10**12 // (mib_s * _MIB))) for mib_s in rates),
        tuple(round(flights[arc] * 1000) for arc in asked.net.arcs),
    )


def _told(asked: Instance, packets: tuple[Packet, ...], found: list[list[int]]) -> dict[str, Any]:
    most = max(map(max, found))
    return {
        "packets": len(packets),
        "most": most,
        "where": [
            [asked.nodes[a], asked.nodes[b]]
            for (a, b), row in zip(asked.net.arcs, found, strict=True)
            if most and max(row) == most
        ],
        "waiting": _by_link(asked, found),
    }


def _by_link(asked: Instance, rows: list[list[int]]) -> dict[str, dict[str, list[int]]]:
    found: dict[str, dict[str, list[int]]] = {}
    for (a, b), row in zip(asked.net.arcs, rows, strict=True):
        found.setdefault(asked.nodes[a], {})[asked.nodes[b]] = row
    return found

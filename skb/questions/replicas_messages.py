"""How the replicas of one object agree: the tree between them, latencies, other protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from skb.decision import Limits
from skb.machine import Machine
from skb.questions import route
from skb.questions.replicas_price import MESSAGES, Inside, Stream
from skb.questions.replicas_search import Choice, Priced

ALONE = "alone"
LEAST_ROUTE_S, MOST_ROUTE_S = 0.06, 2.0


@dataclass(frozen=True)
class Tree:
    """The tree that messages take between the leaders, and its two phases in ns."""

    sends: tuple[dict[str, Any], ...]
    broadcast_ns: float
    reduction_ns: float
    proven: bool


NO_TREE = Tree((), 0.0, 0.0, True)


@dataclass(frozen=True)
class Settled:
    """A choice with its leaders (places, one for each domain) and its tree of messages."""

    choice: Choice
    leaders: tuple[int, ...]
    tree: Tree


def settled(machine: Machine, priced: Priced, choice: Choice, seconds: float, seed: int) -> Settled:
    """Decide the tree of messages of a choice."""
    column = priced.wishes.seats.index(choice.seat)
    leaders = tuple(int(priced.between.leader[node, column]) for node in choice.nodes)
    if len(leaders) < 2:
        return Settled(choice, leaders, NO_TREE)
    pus = priced.case.at.pus
    asked = {
        "root": pus[choice.seat],
        "members": [pus[place] for place in leaders],
        "operation": "barrier",
        "compare": False,
    }
    share = max(LEAST_ROUTE_S, min(MOST_ROUTE_S, seconds))
    found = route.decide(machine, asked, Limits(seconds=share, seed=seed))
    while "phases" not in found.answer:
        # the smallest shares may end before the first tree
        share *= 4
        found = route.decide(machine, asked, Limits(seconds=share, seed=seed))
    phases = found.answer["phases"]
    tree = Tree(
        tuple(found.answer["sends"]),
        phases["broadcast"],
        phases["reduction"],
        found.status.value == "optimal",
    )
    return Settled(choice, leaders, tree)


# ---------------------------------------------------------------- latencies
def _inner(priced: Priced, way: str) -> Inside:
    return priced.inner[way]


def way_of(priced: Priced, node: int, way: str) -> str:
    """Return how a domain shares its replica; one PU has it alone."""
    return ALONE if priced.case.size[node] == 1 else way


def update_latencies(priced: Priced, settled: Settled) -> list[list[float]]:
    """Return what an update takes until who asked knows, by class and domain, in ns.

    Operation to the leader, request to the coordinator, broadcast, the slowest replica's work,
    reduction, outcome; each phase waits for the end of the one before.
    """
    at, choice, tree = priced.case.at, settled.choice, settled.tree
    pairs = list(zip(choice.nodes, choice.ways, strict=True))
    mean = priced.case.mean_line()
    rows = []
    for number, stream in enumerate(priced.case.streams):
        applied = [
            float(_inner(priced, way).service[number, node] + _inner(priced, way).wait[node])
            for node, way in pairs
        ]
        if len(pairs) == 1:
            rows.append(applied)
            continue
        down, _up, replies = MESSAGES[stream.protocol]
        agreed = down * tree.broadcast_ns + max(applied) + tree.reduction_ns
        row = []
        for node, leader in zip(choice.nodes, settled.leaders, strict=True):
            hand = 2 * float(mean[node]) if priced.case.size[node] > 1 else 0.0
            ask = float(at.one_way[leader, choice.seat]) if leader != choice.seat else 0.0
            told = float(at.one_way[choice.seat, leader]) if leader != choice.seat else 0.0
            row.append(hand + ask + agreed + told * replies)
        rows.append(row)
    return rows


def worst_update(priced: Priced, settled: Settled) -> float:
    """Return the longest expected latency of an update by a PU that makes it."""
    found = 0.0
    for stream, row in zip(priced.case.streams, update_latencies(priced, settled), strict=True):
        rates = priced.case.by_node(stream.rate)
        asked = [ns for node, ns in zip(settled.choice.nodes, row, strict=True) if rates[node] > 0]
        found = max([found, *asked])
    return found


def mean_update(
    priced: Priced, stream: Stream, nodes: Sequence[int], row: Sequence[float]
) -> float:
    """Return the latency of a class, weighted by who makes it."""
    rates = priced.case.by_node(stream.rate)
    total = sum(float(rates[node]) for node in nodes)
    if not total:
        return 0.0
    return sum(float(rates[node]) * ns for node, ns in zip(nodes, row, strict=True)) / total


# ---------------------------------------------------------------- protocols
def consensus_prices(priced: Priced, settled: Settled) -> list[dict[str, Any]]:
    """Return what one update takes by each consensus protocol among the leaders: messages, how long
    they keep PUs busy, the time to agree without the work, and the failures that it survives.

    Messages go directly: multi-paxos and raft between coordinator and each other leader, 1Paxos
    over one acceptor that tells all (David et al. 2013), a chain from each to its nearest.
    """
    at, count = priced.case.at, len(settled.leaders)
    seat = settled.choice.seat
    others = [place for place in settled.leaders if place != seat]
    if not others:
        return []
    star = {"down": 0.0, "up": 0.0}
    for place in others:
        star["down"] += float(at.busy[seat, place])
        star["up"] += float(at.busy[place, seat])
    tree = settled.tree
    agreed = tree.broadcast_ns + tree.reduction_ns
    majority = (count - 1) // 2
    rows = [
        _row("multi-paxos", 3 * len(others), 2 * star["down"] + star["up"], agreed, majority),
        _row("raft", 2 * len(others), star["down"] + star["up"], agreed, majority),
    ]
    acceptor = min(others, key=lambda place: (at.one_way[seat, place], at.pus[place]))
    told = [place for place in settled.leaders if place != acceptor]
    busy = float(at.busy[seat, acceptor]) + sum(float(at.busy[acceptor, p]) for p in told)
    late = max(float(at.one_way[acceptor, p]) for p in told)
    time = float(at.one_way[seat, acceptor]) + late
    rows.append(_row("one-paxos", 1 + len(told), busy, time, min(1, majority)))
    chain, left = [seat], set(others)
    while left:
        here = chain[-1]
        chain.append(min(left, key=lambda place: (at.one_way[here, place], at.pus[place])))
        left.remove(chain[-1])
    links = [*pairwise(chain), (chain[-1], seat)]
    busy = sum(float(at.busy[link]) for link in links)
    time = sum(float(at.one_way[link]) for link in links)
    rows.append(_row("chain-replication", len(links), busy, time, count - 1))
    return sorted(rows, key=lambda row: (row["busy_ns"], row["protocol"]))


def _row(name: str, messages: int, busy: float, time: float, faults: int) -> dict[str, Any]:
    return {
        "protocol": name,
        "messages": messages,
        "busy_ns": busy,
        "agreed_ns": time,
        "survives": faults,
    }


def sends_of(tree: Tree) -> list[Mapping[str, Any]]:
    """Return who sends to whom, in the order of sending."""
    return [{"from": row["from"], "to": list(row["to"])} for row in tree.sends]

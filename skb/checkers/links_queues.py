"""Judge of the queues of links: the round trip of credits, and what waits in a burst.

A small burst is played once more, by code of its own; of a large one it is seen that the numbers
can be. What waits in a steady run depends on draws: it is held against what may wait at most.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from skb.checkers.links_network import Network, Pair, Tree
from skb.costs import defaults
from skb.machine import Machine

PLAYED = 4000  # hops of a burst that is played again
_MIB = 2**20
Place = tuple[str, str, int]  # a link and one of its channels


def check_queues(
    machine: Machine, network: Network, answer: Mapping[str, Any], request: Mapping[str, Any]
) -> list[str]:
    """Return what is wrong with the depths of queues that an answer states."""
    rates, flights = _rates(machine, network), _flights(machine, network)
    wrong = _check_round_trips(rates, flights, answer["queue_depth"])
    if "backlog" in answer or "backlog_depth" in answer:
        packet = request.get("packet_bytes", 64)
        sent = _packets(network, answer["nodes"])
        passing, own = _passing(network, answer, sent)
        wrong += _check_backlog(network, answer, packet, passing, own)
        if not wrong and passing.total() <= PLAYED:
            sends = {link: int(-(-packet * 10**12 // (x * _MIB))) for link, x in rates.items()}
            then = {link: round(ns * 1000) for link, ns in flights.items()}
            wrong += _check_burst(answer, _played(answer, list(sent.elements()), sends, then))
    return wrong


def _rates(machine: Machine, network: Network) -> dict[Pair, Fraction]:
    """Return MiB/s by link: stated, as the fastest stated, or as a memory node by speed."""
    stated = {link: machine.number("link_bandwidth", *link) or 0 for link in network.graph.edges}
    top = max(stated.values())
    if top:
        return {link: Fraction(rate or top) for link, rate in stated.items()}
    top = float(defaults()["memory"]["local_bandwidth_mib_s"])
    fastest = max(network.speed.values())
    return {link: Fraction(top) * speed / fastest for link, speed in network.speed.items()}


def _flights(machine: Machine, network: Network) -> dict[Pair, Fraction]:
    """Return ns by link: stated for it or its other direction, else what a further hop adds."""
    one, two = machine.number("latency_hops", 1), machine.number("latency_hops", 2)
    memory = defaults()["memory"]
    hop = float(memory["remote_share_per_hop"]) * float(memory["local_latency_ns"])
    if one is not None and two is not None and one < two:
        hop = two - one
    found = {}
    for a, b in network.graph.edges:
        there, back = machine.number("link_latency", a, b), machine.number("link_latency", b, a)
        known = [ns for ns in (there, back, hop) if ns is not None]
        found[a, b] = Fraction(known[0])
        # credits may go back where no link leads
        found.setdefault((b, a), Fraction(back if back is not None else known[0]))
    return found


def _check_round_trips(
    rates: Mapping[Pair, Fraction], flights: Mapping[Pair, Fraction], depth: Mapping[str, Any]
) -> list[str]:
    stated = {(a, b): size for a, row in depth.items() for b, size in row.items()}
    if set(stated) != set(rates):
        return ["the queues are not those of the links"]
    wrong = []
    for (a, b), size in stated.items():
        held = rates[a, b] * _MIB * (flights[a, b] + flights[b, a]) / 10**9
        if size != -(-held // 1):
            wrong.append(f"the queue of {a} -> {b} is {-(-held // 1)} bytes, stated are {size}")
    return wrong


# ------------------------------------------------------------------ backlog
def _check_backlog(
    network: Network,
    answer: Mapping[str, Any],
    packet: int,
    passing: Counter[Place],
    own: Counter[Place],
) -> list[str]:
    """Add up what is said of both runs, and see that no more waits than passes."""
    told, depth = answer["backlog"], dict(_places(answer["backlog_depth"]))
    wrong = []
    if told["packet_bytes"] != packet:
        wrong.append(f"packets have {packet} bytes, stated are {told['packet_bytes']}")
    worst: dict[Place, int] = dict.fromkeys(depth, 0)
    for name in ("burst", "steady"):
        run = told[name]
        rounds, rest = divmod(run["packets"], own.total())
        if rest or rounds < 1 or (name == "burst" and rounds > 1):
            wrong.append(f"the {name} has {run['packets']} packets")
        waiting = dict(_places(run["waiting"]))
        if set(waiting) != set(depth) or {at[:2] for at in waiting} != network.links:
            return [*wrong, f"the queues of the {name} are not those of the links"]
        for at, count in waiting.items():
            least = max(0, own[at] - 1) if name == "burst" else 0
            if not isinstance(count, int) or not least <= count <= rounds * passing[at]:
                wrong.append(f"{count} packets of the {name} cannot wait at {' -> '.join(at[:2])}")
            worst[at] = max(worst[at], count)
        most = max(waiting.values())
        full = {at[:2] for at, count in waiting.items() if most and count == most}
        if run["most"] != most or {(a, b) for a, b in run["where"]} != full:
            wrong.append(f"most wait elsewhere, or others, in the {name}")
    if depth != {at: count * packet for at, count in worst.items()}:
        wrong.append("the depths for the backlog are not those of its packets")
    return wrong


def _places(rows: Mapping[str, Any]) -> Iterator[tuple[Place, int]]:
    for a, row in rows.items():
        for b, counts in row.items():
            for channel, count in enumerate(counts):
                yield (a, b, channel), count


def _packets(network: Network, nodes: list[str]) -> Counter[Pair]:
    """Count what all send at once, in the order of the packets: mean traffic is one, rounded up."""
    counts = {pair: count for pair, count in network.counts.items() if count}
    total = sum(counts.values())
    return Counter(
        {
            (s, d): -(-counts[s, d] * len(counts) // total)
            for s in nodes
            for d in nodes
            if (s, d) in counts
        }
    )


def _passing(
    network: Network, answer: Mapping[str, Any], sent: Counter[Pair]
) -> tuple[Counter[Place], Counter[Place]]:
    """Count the packets that pass each queue, and those that begin there."""
    passing: Counter[Place] = Counter()
    own: Counter[Place] = Counter()
    for d in network.nodes:
        tree = Tree.of(network, answer["next_hop"], d)
        assert tree is not None  # the table has been walked
        through = {s: sent[s, d] for s in network.nodes}
        for s in tree.inwards:
            n = tree.ahead[s]
            place = (s, n, answer["channel"][d])
            own[place] += sent[s, d]
            passing[place] += through[s]
            through[n] += through[s]
    return passing, own


def _check_burst(answer: Mapping[str, Any], right: Counter[Place]) -> list[str]:
    return [
        f"{right[at]} packets of the burst wait at {at[0]} -> {at[1]}, stated are {count}"
        for at, count in _places(answer["backlog"]["burst"]["waiting"])
        if count != right[at]
    ]


def _played(
    answer: Mapping[str, Any],
    sent: list[Pair],
    sends: Mapping[Pair, int],
    flights: Mapping[Pair, int],
) -> Counter[Place]:
    """Play a burst instant by instant and return the most packets that waited in each queue."""
    table, channel = answer["next_hop"], answer["channel"]
    most: Counter[Place] = Counter()
    queues: dict[Pair, dict[int, list[int]]] = {}
    ready: dict[Pair, int] = {}
    turn: dict[Pair, int] = {}
    coming = [(0, number, s) for number, (s, _d) in enumerate(sent)]
    now = 0
    while coming or queues:
        while coming and coming[0][0] == now:
            _now, number, node = heapq.heappop(coming)
            d = sent[number][1]
            if node != d:
                queue = queues.setdefault((node, table[node][d]), {})
                queue.setdefault(channel[d], []).append(number)
        for link, queue in list(queues.items()):
            if ready.get(link, 0) <= now:
                behind = turn.get(link, -1)
                which = min(queue, key=lambda c: (c <= behind, c))
                number, turn[link] = queue[which].pop(0), which
                ready[link] = now + sends[link]
                heapq.heappush(coming, (ready[link] + flights[link], number, link[1]))
            queues[link] = {c: held for c, held in queue.items() if held}
            for c, held in queues[link].items():
                most[*link, c] = max(most[*link, c], len(held))
            if not queues[link]:
                del queues[link]
        now = min([ready[link] for link in queues] + [at for at, _n, _s in coming[:1]], default=now)
    return most

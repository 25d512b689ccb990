"""Judge of what a links answer says of tables that exist: walks every pair, message by message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

from skb.checkers.links_network import Network, Pair
from skb.machine import Machine

NAMED = 20  # pairs that do not arrive


def check_current(
    machine: Machine, network: Network, answer: Mapping[str, Any], request: Mapping[str, Any]
) -> list[str]:
    """Return where the judgement of the request's tables, or of those in force, is wrong."""
    given = request.get("current")
    table, channel = _in_force(machine, network) if given is None else _given(given)
    if not table:
        return ["there are no tables to judge"] if "current" in answer else []
    if "current" not in answer:
        return ["the tables are not judged"]
    told = answer["current"]
    ways: dict[Pair, list[str]] = {}
    for s in network.nodes:
        for d in network.nodes:
            if s != d and (way := _walk(network, table, s, d)):
                ways[s, d] = way
    wrong = []
    pairs = len(network.nodes) * (len(network.nodes) - 1)
    if (told["pairs"], told["delivered"]) != (pairs, len(ways)):
        wrong.append(f"{len(ways)} of {pairs} pairs arrive over the tables")
    lost = {(row["from"], row["to"]) for row in told["lost"]}
    if lost & set(ways) or len(lost) != min(NAMED, pairs - len(ways)):
        wrong.append("the pairs that do not arrive over the tables are others")
    longer = sum(len(way) - 1 > network.hops[s][d] for (s, d), way in ways.items())
    if told["longer"] != longer:
        wrong.append(f"{longer} ways of the tables are longer than the shortest")
    wrong += _check_circle(network, told, table, channel)
    return wrong + _check_numbers(network, told, ways)


def _given(given: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, int]]:
    return given["next_hop"], given.get("channel", {})


def _in_force(
    machine: Machine, network: Network
) -> tuple[dict[str, dict[str, str]], dict[str, int]]:
    table: dict[str, dict[str, str]] = {}
    for fact in machine.facts_of("next_hop"):
        a, d, n = map(str, fact.args)
        if a in network.graph:
            table.setdefault(a, {})[d] = n
    channel = {str(f.args[0]): int(f.args[1]) for f in machine.facts_of("virtual_channel")}
    return table, channel


def _walk(network: Network, table: Mapping[str, Any], s: str, d: str) -> list[str]:
    """Return the way of a message, empty where it does not arrive."""
    way, at, links, most = [s], s, network.links, len(network.nodes)
    while at != d:
        step = table.get(at, {}).get(d)
        if (at, step) not in links or len(way) > most:
            return []
        way.append(step)
        at = step
    return way


def _check_circle(
    network: Network,
    told: Mapping[str, Any],
    table: Mapping[str, Any],
    channel: Mapping[str, int],
) -> list[str]:
    """Look for links that wait for each other; what turns in a circle never ends to wait."""
    import networkx

    waits: dict[int, Any] = {}
    for d in network.nodes:
        graph = waits.setdefault(channel.get(d, 0), networkx.DiGraph())
        for s, n in network.links:
            then = (n, table.get(n, {}).get(d))
            if d not in (s, n) and table.get(s, {}).get(d) == n and then in network.links:
                graph.add_edge((s, n), then)
    wrong = []
    count = len({channel.get(d, 0) for d in network.nodes})
    if told["virtual_channels"] != count:
        wrong.append(f"the tables use {count} virtual channels")
    free = all(networkx.is_directed_acyclic_graph(graph) for graph in waits.values())
    if told["deadlock_free"] is not free:
        wrong.append(f"that the tables are free of deadlock is {free}")
    elif not free:
        circle = [(a, b) for a, b in told["circle"]["links"]]
        graph = waits.get(told["circle"]["channel"], networkx.DiGraph())
        if not all(graph.has_edge(*pair) for pair in pairwise([*circle, circle[0]])):
            wrong.append("the links of the circle do not wait for each other")
    return wrong


def _check_numbers(
    network: Network, told: Mapping[str, Any], ways: Mapping[Pair, list[str]]
) -> list[str]:
    count = dict.fromkeys(network.graph.edges, 0)
    for pair, way in ways.items():
        for link in pairwise(way):
            count[link] += network.counts.get(pair, 0)
    load = {link: Fraction(amount, network.whole) for link, amount in count.items()}
    relative = {link: amount / network.speed[link] for link, amount in load.items()}
    stated = {(a, b): x for a, row in told["load"].items() for b, x in row.items()}
    wrong = []
    if stated != {link: float(amount) for link, amount in load.items()}:
        wrong.append("the loads of the tables are others")
    most = max(relative.values())
    if told["max_load"] != float(most):
        wrong.append(f"the largest load of the tables is {float(most):g}")
    if {(a, b) for a, b in told["fullest"]} != {k for k, x in relative.items() if x == most}:
        wrong.append("the fullest links of the tables are others")
    if told["mean_load"] != float(sum(relative.values()) / len(relative)):
        wrong.append("the mean load of the tables is another")
    lengths = Counter(len(way) - 1 for way in ways.values())
    right = {
        "max": max(lengths, default=0),
        "mean": sum(far * often for far, often in lengths.items()) / len(network.nodes) ** 2,
        "pairs": {str(far): lengths[far] for far in sorted(lengths)},
    }
    return wrong if told["hops"] == right else [*wrong, f"the hops of the tables are {right}"]

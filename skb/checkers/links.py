"""Judge of links: walks every pair, builds the channel dependencies, adds up loads and hops.

Shares no code with engine or question. A bound by prices is added up anew; that there is no table
is tried for as long as the budget lasts.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from math import gcd
from typing import Any

from skb.checkers.links_network import Graph, Network, Pair, Tree, network_of
from skb.checkers.links_queues import check_queues
from skb.decision import Decision
from skb.machine import Machine

BUDGET = 20_000  # next hops that are tried to find a table where none should be
TRIED_NODES = 16


def check(machine: Machine, decision: Decision) -> list[str]:
    """Return what is wrong with a decision, in words; empty where all is well."""
    network = network_of(machine, decision.request)
    if decision.status in ("infeasible", "unknown"):
        wrong = ["there is an answer although there is none"] if decision.answer else []
        if not decision.reasons:
            wrong.append("no reason is given")
        if decision.status == "infeasible":
            wrong += _check_refusal(network, decision)
        return wrong
    try:
        return _check_answer(machine, network, decision)
    except (KeyError, TypeError, AttributeError, ValueError, StopIteration) as fault:
        return [f"the answer lacks {fault}"]


def _check_answer(machine: Machine, network: Network, decision: Decision) -> list[str]:
    answer = decision.answer
    wrong = []
    if set(answer["nodes"]) != set(network.nodes):
        wrong.append("the nodes are not those of the interconnect")
    if answer["deadlock_free"] is not True:
        wrong.append("the table is not said to be free of deadlock")
    wrong += _check_table(network, answer, decision.request.get("virtual_channels", 0))
    if wrong:
        return wrong
    value = decision.objective.value
    if value != answer["max_load"]:
        wrong.append(f"the largest load is {answer['max_load']}, the objective says {value}")
    wrong += _check_bound(network, decision)
    if not 1 <= answer["least_channels"] <= answer["virtual_channels"] and not decision.request.get(
        "virtual_channels"
    ):
        wrong.append("the least number of channels is above that of the table")
    wrong += check_queues(machine, network, answer, decision.request)
    if "failures" in answer:
        wrong += _check_failures(network, answer["failures"])
    if "current" in answer or "current" in decision.request or machine.facts_of("next_hop"):
        from skb.checkers.links_current import check_current

        wrong += check_current(machine, network, answer, decision.request)
    return wrong


# ------------------------------------------------------------------ one table
def _check_table(network: Network, told: Mapping[str, Any], given: int) -> list[str]:
    """Walk every pair of a table; recount its channels, loads and hops."""
    table = told["next_hop"]
    wrong = []
    for s in network.nodes:
        if set(table[s]) != set(network.nodes) - {s}:
            wrong.append(f"{s} has not exactly one entry for every other node")
    if wrong:
        return wrong
    trees = {}
    for d in network.nodes:
        tree = Tree.of(network, table, d)
        if tree is None:
            wrong.append(f"what is sent to {d} does not arrive over links from everywhere")
            continue
        trees[d] = tree
        for s, hops in tree.hops.items():
            if network.minimal and hops != network.hops[s][d]:
                wrong.append(f"the way from {s} to {d} is not a shortest one")
    for (s, d), steps in network.required.items():
        if {table[s][d]} != steps:
            wrong.append(f"{s} does not forward to {d} as required")
    if wrong:
        return wrong
    wrong += _check_channels(network, told, trees, given)
    return wrong + _check_loads(network, told, trees) + _check_hops(network, told, trees)


def _check_channels(
    network: Network, told: Mapping[str, Any], trees: Mapping[str, Tree], given: int
) -> list[str]:
    """Look for links that wait for each other in a circle, channel by channel."""
    channel, count = told["channel"], told["virtual_channels"]
    wrong = []
    if set(channel) != set(network.nodes):
        return ["not every destination has a channel"]
    if not all(isinstance(c, int) and 0 <= c < count for c in channel.values()):
        wrong.append(f"a channel is not one of 0 to {count - 1}")
    if given and count > given:
        wrong.append(f"{count} virtual channels are used, {given} may be")
    waits: dict[int, set[tuple[Pair, Pair]]] = {which: set() for which in channel.values()}
    for d, tree in trees.items():
        waits[channel[d]] |= {((s, n), (n, tree.ahead[n])) for s, n in tree.ahead.items() if n != d}
    for which, edges in waits.items():
        if circle := _circle(edges):
            links = [f"{a}->{b}" for a, b in circle]
            wrong.append(f"on channel {which} these wait for each other: {', '.join(links)}")
    return wrong


def _circle(waits: set[tuple[Pair, Pair]]) -> list[Pair]:
    """Return links that wait for each other in a circle, none where there is none: those that
    nothing waits for are let go until every one that is left waits for another.
    """
    after: dict[Pair, list[Pair]] = {}
    behind: Counter[Pair] = Counter()
    for link, then in waits:
        after.setdefault(link, []).append(then)
        behind[then] += 1
    free = [link for link in after if not behind[link]]
    gone = set()
    while free:
        gone.add(link := free.pop())
        for then in after.get(link, ()):
            behind[then] -= 1
            if not behind[then]:
                free.append(then)
    before = {then: link for link, then in waits if link not in gone}
    if not before:
        return []
    way = [next(iter(before))]
    while (link := before[way[-1]]) not in way:
        way.append(link)
    return way[way.index(link) :][::-1]


def _check_loads(network: Network, told: Mapping[str, Any], trees: Mapping[str, Tree]) -> list[str]:
    count = dict.fromkeys(network.graph.edges, 0)
    for d, tree in trees.items():
        through = {s: network.counts.get((s, d), 0) for s in network.nodes}
        for s in tree.inwards:
            n = tree.ahead[s]
            count[s, n] += through[s]
            through[n] += through[s]
    load = {link: Fraction(amount, network.whole) for link, amount in count.items()}
    stated = {(a, b): x for a, row in told["load"].items() for b, x in row.items()}
    if set(stated) != set(load):
        return ["the loads are not those of the links"]
    wrong = [
        f"the link {a} -> {b} carries {float(load[a, b]):g}, stated is {stated[a, b]}"
        for a, b in load
        if stated[a, b] != float(load[a, b])
    ]
    relative = [amount / network.speed[link] for link, amount in load.items()]
    most, mean = max(relative), sum(relative) / len(relative)
    if told["max_load"] != float(most):
        wrong.append(f"the largest load is {float(most):g}, stated is {told['max_load']}")
    full = {link for link, amount in zip(load, relative, strict=True) if amount == most}
    if {(a, b) for a, b in told["fullest"]} != full:
        wrong.append("the fullest links are others")
    if told["mean_load"] != float(mean):
        wrong.append(f"the mean load is {float(mean):g}, stated is {told['mean_load']}")
    return wrong


def _check_hops(network: Network, told: Mapping[str, Any], trees: Mapping[str, Tree]) -> list[str]:
    lengths = [hops for d, tree in trees.items() for s, hops in tree.hops.items() if s != d]
    counted = Counter(lengths)
    pairs = {str(k): counted[k] for k in range(1, max(lengths) + 1)}
    right = {
        "max": max(lengths),
        "mean": sum(lengths) / len(network.nodes) ** 2,
        "pairs": pairs,
    }
    return [] if told["hops"] == right else [f"the hops are {right}, stated are {told['hops']}"]


# ------------------------------------------------------------------ the bound
def _check_bound(network: Network, decision: Decision) -> list[str]:
    proof, value, bound = decision.answer["proof"], decision.objective.value, decision.bound
    wrong = []
    if bound is None or value is None or bound > value:
        return [f"the bound {bound} lies above the value {value}"]
    if decision.status == "optimal" and bound != value:
        wrong.append("optimal, but the bound is not the value")
    prices = {(a, b): price for a, b, price in proof["prices"]}
    if any(price < 0 or not network.graph.has_edge(*link) for link, price in prices.items()):
        return [*wrong, "a price is below 0, or of no link"]
    proven = float(_proven(network, prices))
    if proof["value"] > proven:
        wrong.append(f"the prices prove {proven:g}, stated is {proof['value']}")
    if proof["by"] == "prices" and bound != proof["value"]:
        wrong.append(f"the bound is {bound}, the prices are said to prove {proof['value']}")
    return wrong


def _proven(network: Network, prices: Mapping[Pair, int]) -> Fraction:
    """Return the least load that prices prove: everybody pays at least the cheapest way, and all
    together at most what the links take in where each carries the largest load.
    """
    room = sum(price * network.speed[link] for link, price in prices.items())
    if not room:
        return Fraction(0)
    paid, counts = 0, network.counts
    back = Graph((b, a) for a, b in network.graph.edges)
    for d in network.nodes:
        way = _cheapest(network, prices, back, d)
        paid += sum(counts.get((s, d), 0) * way[s] for s in network.nodes)
    return _next_load(network, Fraction(paid, network.whole) / room)


def _cheapest(network: Network, prices: Mapping[Pair, int], back: Graph, d: str) -> dict[str, int]:
    """Return the price of the cheapest way from each node; `back` are the links, turned."""
    if not network.minimal:
        return _any_length(prices, back, d)
    way = {d: 0}
    to = {s: network.hops[s][d] for s in network.nodes}
    for s in sorted(network.nodes, key=to.__getitem__):
        if s != d:
            near = network.required.get((s, d), network.graph.adj[s])
            fits = [n for n in near if to[n] == to[s] - 1]
            way[s] = min(prices.get((s, n), 0) + way[n] for n in fits)
    return way


def _any_length(prices: Mapping[Pair, int], back: Graph, d: str) -> dict[str, int]:
    """Return the price of the cheapest way of any length (Dijkstra)."""
    way: dict[str, int] = {}
    rim = [(0, d)]
    while rim:
        paid, at = heapq.heappop(rim)
        if at not in way:
            way[at] = paid
            for s in back.adj[at]:
                if s not in way:
                    heapq.heappush(rim, (paid + prices.get((s, at), 0), s))
    return way


def _next_load(network: Network, least: Fraction) -> Fraction:
    """Return the smallest load, at least so large, that whole messages can make on some link."""
    step = Fraction(gcd(*network.counts.values()), network.whole)
    if not step or least <= 0:
        return Fraction(0)
    return min(-(-least * speed // step) * step / speed for speed in set(network.speed.values()))


# ------------------------------------------------------------------ failures
def _check_failures(network: Network, rows: list[Mapping[str, Any]]) -> list[str]:
    if {frozenset(row["link"]) for row in rows} != {frozenset(e) for e in network.graph.edges}:
        return ["the failures are not those of the links"]
    wrong = []
    for row in rows:
        a, b = row["link"]
        if _apart(network, a, b) != (row["status"] == "disconnects"):
            wrong.append(f"without {a} - {b}: what is cut off is wrong")
        elif "next_hop" in row:
            found = _check_table(network.without(a, b), row, 0)
            if row["bound"] > row["max_load"]:
                found.append("the bound lies above the load")
            wrong += [f"without {a} - {b}: {text}" for text in found]
    return wrong


def _apart(network: Network, a: str, b: str) -> bool:
    """Tell whether the ends of a link do not reach each other without it: who else came over it
    comes to its ends.
    """
    for start, end in ((a, b), (b, a)):
        seen, todo = {start}, [start]
        while todo and end not in seen:
            at = todo.pop()
            fresh = [n for n in network.graph.adj[at] if n not in seen and {at, n} != {a, b}]
            seen.update(fresh)
            todo += fresh
        if end not in seen and network.graph.has_edge(start, end):
            return True
    return False


# ------------------------------------------------------------------ refusals
def _check_refusal(network: Network, decision: Decision) -> list[str]:
    """Try to find the table that should not be."""
    if any(len(near) < len(network.nodes) for near in network.hops.values()):
        return []
    if decision.reasons and decision.reasons[0].id == "unreachable":
        return ["every node is reached, the reason says otherwise"]
    if any(not network.ways(s, d) for s, d in network.required):
        return []
    channels = decision.request.get("virtual_channels", 0)
    if network.required and not channels:
        channels = len(network.nodes)
    if not channels:
        return ["with a channel for every destination there is always a table"]
    if channels == 1 and _must_wait(network):
        return []
    if len(network.nodes) <= TRIED_NODES and _Trial(network, channels).finds():
        return ["there is a table"]
    return []


def _must_wait(network: Network) -> bool:
    """Tell whether entries that leave no choice already make links wait in a circle."""
    waits: set[tuple[Pair, Pair]] = set()
    for d in network.nodes:
        ways = {s: network.ways(s, d) for s in network.nodes if s != d}
        only = {s: near[0] for s, near in ways.items() if len(near) == 1}
        waits |= {((s, n), (n, only[n])) for s, n in only.items() if n in only}
    return bool(_circle(waits))


class _Trial:
    """A search for a table, entry by entry, that ends with its budget."""

    def __init__(self, network: Network, channels: int) -> None:
        self.network = network
        self.left = BUDGET
        self.waits: list[dict[Pair, set[Pair]]] = [{} for _ in range(channels)]
        self.entries = [
            (s, d)
            for d in network.nodes
            for s in sorted(network.nodes, key=lambda node: network.hops[node][d])
            if s != d
        ]
        self.chosen: dict[Pair, str] = {}
        self.channel: dict[str, int] = {}

    def finds(self) -> bool:
        """Tell whether a table was found: shortest ways first are enough where others may be."""
        return self._from(0)

    def _from(self, at: int) -> bool:
        if at == len(self.entries):
            return True
        s, d = self.entries[at]
        fresh = d not in self.channel
        opened = len(set(self.channel.values()))
        choices = range(min(len(self.waits), opened + 1)) if fresh else (self.channel[d],)
        for which in choices:
            self.channel[d] = which
            for n in self.network.ways(s, d):
                if self.network.hops[n][d] != self.network.hops[s][d] - 1:
                    continue
                self.left -= 1
                if self.left < 0:
                    return False
                if self._put(which, s, d, n, at):
                    return True
        if fresh:
            del self.channel[d]
        return False

    def _put(self, which: int, s: str, d: str, n: str, at: int) -> bool:
        """Choose an entry and go on; take it back where that leads nowhere."""
        waits, new = self.waits[which], None
        if n != d:
            edge = ((s, n), (n, self.chosen[n, d]))
            if edge[1] not in waits.get(edge[0], ()):
                if _leads(waits, edge[1], edge[0]):
                    return False
                waits.setdefault(edge[0], set()).add(edge[1])
                new = edge
        self.chosen[s, d] = n
        if self._from(at + 1):
            return True
        del self.chosen[s, d]
        if new is not None:
            waits[new[0]].discard(new[1])
        return False


def _leads(waits: Mapping[Pair, set[Pair]], start: Pair, end: Pair) -> bool:
    """Tell whether a link waits for another, if over others."""
    seen, todo = {start}, [start]
    while todo and end not in seen:
        fresh = waits.get(todo.pop(), set()) - seen
        seen |= fresh
        todo += fresh
    return end in seen

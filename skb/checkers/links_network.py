"""The interconnect as the judge of links reads it, from the snapshot and the request alone."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm
from typing import Any

from skb.machine import Machine, kind_of, object_order

FINEST = 10**6  # weights of traffic are rounded to such fractions
Pair = tuple[str, str]


class Graph:
    """Nodes and the links between them, in the order in which they came; nothing changes it."""

    def __init__(self, links: Iterable[Pair], nodes: Iterable[str] = ()) -> None:
        self.adj: dict[str, dict[str, None]] = {node: {} for node in nodes}
        for a, b in links:
            self.adj.setdefault(a, {})[b] = None
            self.adj.setdefault(b, {})

    def __iter__(self) -> Iterator[str]:
        return iter(self.adj)

    def __contains__(self, node: object) -> bool:
        return node in self.adj

    @property
    def edges(self) -> list[Pair]:
        return [(a, b) for a, row in self.adj.items() for b in row]

    def has_edge(self, a: str, b: str) -> bool:
        return b in self.adj.get(a, ())

    def without(self, nodes: Container[str] = (), links: Container[Pair] = ()) -> Graph:
        """Return what is left without some nodes and links."""
        kept = [node for node in self if node not in nodes]
        fits = [(a, b) for a, b in self.edges if a not in nodes and b not in nodes]
        return Graph([link for link in fits if link not in links], kept)

    def piece(self, node: str) -> Graph:
        """Return the part that hangs together with a node, whatever the direction of links."""
        near = Graph([*self.edges, *((b, a) for a, b in self.edges)]).hops(node)
        return Graph([link for link in self.edges if link[0] in near], near)

    def hops(self, start: str) -> dict[str, int]:
        """Return the fewest links from a node to each that is reached."""
        found, rim, far = {start: 0}, [start], 0
        while rim:
            far += 1
            rim = list({n: None for at in rim for n in self.adj[at] if n not in found})
            found.update(dict.fromkeys(rim, far))
        return found


@dataclass(frozen=True)
class Network:
    """Nodes, directed links with their speed against the fastest, traffic, and given entries."""

    graph: Graph
    speed: Mapping[Pair, Fraction]
    traffic: Mapping[Pair, Fraction | int]
    required: Mapping[Pair, frozenset[str]]
    minimal: bool

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        return tuple(self.graph)

    @cached_property
    def links(self) -> frozenset[Pair]:
        return frozenset(self.graph.edges)

    @cached_property
    def whole(self) -> int:
        """The number that turns all weights of the traffic into whole ones."""
        return lcm(*{weight.denominator for weight in self.traffic.values()})

    @cached_property
    def counts(self) -> dict[Pair, int]:
        """The traffic in whole numbers."""
        return {pair: int(weight * self.whole) for pair, weight in self.traffic.items()}

    @cached_property
    def hops(self) -> dict[str, dict[str, int]]:
        """Fewest links from node to node; no entry where no path leads."""
        return {node: self.graph.hops(node) for node in self.graph}

    def ways(self, at: str, to: str) -> list[str]:
        """Return the nodes to which a node may forward what goes to a destination."""
        near = [n for n in self.graph.adj[at] if to in self.hops[n]]
        if self.minimal:
            near = [n for n in near if self.hops[n][to] == self.hops[at][to] - 1]
        wanted = self.required.get((at, to))
        return near if wanted is None else [n for n in near if wanted == {n}]

    def without(self, a: str, b: str) -> Network:
        """Return the network without a link, in both directions."""
        graph = self.graph.without(links={(a, b), (b, a)})
        speed = {edge: x for edge, x in self.speed.items() if edge not in {(a, b), (b, a)}}
        return Network(graph, speed, self.traffic, {}, self.minimal)


@dataclass(frozen=True, slots=True)
class Tree:
    """The ways of all nodes to one destination: next hops, and how many are left."""

    ahead: Mapping[str, str]
    hops: Mapping[str, int]

    @classmethod
    def of(cls, network: Network, table: Mapping[str, Any], d: str) -> Tree | None:
        """Walk from every node until a node whose way is known; None where one does not arrive."""
        ahead = {s: table[s][d] for s in network.nodes if s != d}
        if not network.links.issuperset(ahead.items()):
            return None
        hops = {d: 0}
        for s in ahead:
            way: dict[str, None] = {}
            while s not in hops:
                if s in way:
                    return None
                way[s] = None
                s = ahead[s]
            for at, node in enumerate(reversed(way), 1):
                hops[node] = hops[s] + at
        return cls(ahead, hops)

    @property
    def inwards(self) -> list[str]:
        """The nodes but the destination, the farthest first."""
        return sorted(self.ahead, key=self.hops.__getitem__, reverse=True)


def network_of(machine: Machine, request: Mapping[str, Any]) -> Network:
    """Read the network that a request asks about."""
    links: list[Pair] = []
    alike: dict[str, int] = {}
    for fact in machine.facts_of("link"):
        a, b = str(fact.args[0]), str(fact.args[1])
        if a != b and machine.has(a) and machine.has(b):
            links.append((a, b))
            if kind_of(a) == kind_of(b):
                alike[kind_of(a)] = alike.get(kind_of(a), 0) + 1
    graph = Graph(links)
    level = request.get("level")
    if level is None:
        level = max(sorted(alike), key=lambda kind: alike[kind]) if alike else "all"
    if level in graph:
        graph = graph.piece(level)
    elif level != "all":
        graph = Graph([(a, b) for a, b in links if kind_of(a) == kind_of(b) == level])
    silent = [node for node in graph if node in machine.usability.silent]
    if silent:
        cut = [node for node in graph if "is cut off" in machine.unusable(node)]
        graph = graph.without({*silent, *cut})
    for part in request.get("off", []):
        if isinstance(part, str):
            graph = graph.without({part})
        else:
            a, b = part
            graph = graph.without(links={(a, b), (b, a)})
    required: dict[Pair, frozenset[str]] = {}
    for entry in request.get("require", []):
        s, d, n = (_node(machine, graph, entry[key]) for key in ("from", "to", "next"))
        required[s, d] = required.get((s, d), frozenset()) | {n}
    speed = _speeds(machine, graph)
    traffic = _traffic(machine, graph, request)
    return Network(graph, speed, traffic, required, bool(request.get("minimal", True)))


def _node(machine: Machine, graph: Graph, part: str) -> str:
    return next(at for at in (part, *machine.ancestors(part)) if at in graph)


def _speeds(machine: Machine, graph: Graph) -> dict[Pair, Fraction]:
    rates = {edge: machine.number("link_bandwidth", *edge) or 0 for edge in graph.edges}
    if not any(rates.values()):
        rates = {edge: machine.number("link_width", *edge) or 0 for edge in graph.edges}
    if not any(rates.values()):
        rates = {edge: machine.number("link_count", *edge) or 1 for edge in graph.edges}
    top = max(rates.values(), default=1)
    return {edge: Fraction(rate or top) / Fraction(top) for edge, rate in rates.items()}


def _traffic(
    machine: Machine, graph: Graph, request: Mapping[str, Any]
) -> dict[Pair, Fraction | int]:
    rows = request.get("traffic", "uniform")
    if rows == "uniform":
        return {(s, d): 1 for s in graph for d in graph if s != d}
    found: dict[Pair, Fraction | int] = {}
    if rows and isinstance(rows[0], list):
        place = sorted(graph, key=object_order)
        rows = [
            {"from": s, "to": d, "weight": weight}
            for s, line in zip(place, rows, strict=True)
            for d, weight in zip(place, line, strict=True)
        ]
    for row in rows:
        s, d = _node(machine, graph, row["from"]), _node(machine, graph, row["to"])
        weight = Fraction(str(float(row.get("weight", 1.0)))).limit_denominator(FINEST)
        if s != d:
            found[s, d] = found.get((s, d), Fraction(0)) + weight
    return found

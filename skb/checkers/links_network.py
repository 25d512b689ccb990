"""The interconnect as the judge of links reads it, from the snapshot and the request alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm
from typing import Any

import networkx

from skb.machine import Machine, kind_of, object_order

FINEST = 10**6  # weights of traffic are rounded to such fractions
Pair = tuple[str, str]


@dataclass(frozen=True)
class Network:
    """Nodes, directed links with their speed against the fastest, traffic, and given entries."""

    graph: Any
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
        return dict(networkx.all_pairs_shortest_path_length(self.graph))

    def ways(self, at: str, to: str) -> list[str]:
        """Return the nodes to which a node may forward what goes to a destination."""
        near = [n for n in self.graph.successors(at) if to in self.hops[n]]
        if self.minimal:
            near = [n for n in near if self.hops[n][to] == self.hops[at][to] - 1]
        wanted = self.required.get((at, to))
        return near if wanted is None else [n for n in near if wanted == {n}]

    def without(self, a: str, b: str) -> Network:
        """Return the network without a link, in both directions."""
        graph = self.graph.copy()
        graph.remove_edges_from([edge for edge in ((a, b), (b, a)) if graph.has_edge(*edge)])
        speed = {edge: x for edge, x in self.speed.items() if edge not in {(a, b), (b, a)}}
        return Network(graph, speed, self.traffic, {}, self.minimal)


def network_of(machine: Machine, request: Mapping[str, Any]) -> Network:
    """Read the network that a request asks about."""
    graph = networkx.DiGraph()
    alike: dict[str, int] = {}
    for fact in machine.facts_of("link"):
        a, b = str(fact.args[0]), str(fact.args[1])
        if a != b and machine.has(a) and machine.has(b):
            graph.add_edge(a, b)
            if kind_of(a) == kind_of(b):
                alike[kind_of(a)] = alike.get(kind_of(a), 0) + 1
    level = request.get("level")
    if level is None:
        level = max(sorted(alike), key=lambda kind: alike[kind]) if alike else "all"
    if level in graph:
        pieces = networkx.weakly_connected_components(graph)
        graph = graph.subgraph(next(piece for piece in pieces if level in piece)).copy()
    elif level != "all":
        graph = graph.edge_subgraph(
            [(a, b) for a, b in graph.edges if kind_of(a) == kind_of(b) == level]
        ).copy()
    silent = [node for node in graph if node in machine.usability.silent]
    if silent:
        cut = [node for node in graph if "is cut off" in machine.unusable(node)]
        graph.remove_nodes_from({*silent, *cut})
    for part in request.get("off", []):
        if isinstance(part, str):
            graph.remove_nodes_from([node for node in [part] if node in graph])
        else:
            a, b = part
            graph.remove_edges_from([e for e in ((a, b), (b, a)) if graph.has_edge(*e)])
    required: dict[Pair, frozenset[str]] = {}
    for entry in request.get("require", []):
        s, d, n = (_node(machine, graph, entry[key]) for key in ("from", "to", "next"))
        required[s, d] = required.get((s, d), frozenset()) | {n}
    speed = _speeds(machine, graph)
    traffic = _traffic(machine, graph, request)
    return Network(graph, speed, traffic, required, bool(request.get("minimal", True)))


def _node(machine: Machine, graph: Any, part: str) -> str:
    return next(at for at in (part, *machine.ancestors(part)) if at in graph)


def _speeds(machine: Machine, graph: Any) -> dict[Pair, Fraction]:
    rates = {edge: machine.number("link_bandwidth", *edge) or 0 for edge in graph.edges}
    if not any(rates.values()):
        rates = {edge: machine.number("link_width", *edge) or 0 for edge in graph.edges}
    if not any(rates.values()):
        rates = {edge: machine.number("link_count", *edge) or 1 for edge in graph.edges}
    top = max(rates.values(), default=1)
    return {edge: Fraction(rate or top) / Fraction(top) for edge, rate in rates.items()}


def _traffic(
    machine: Machine, graph: Any, request: Mapping[str, Any]
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

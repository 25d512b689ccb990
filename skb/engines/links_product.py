"""Grids, tori, hypercubes and other Cartesian products, found under any numbering of the nodes.

The prime factors of a connected graph come from the relation of Djokovic and Winkler joined with
that of edges at one node that span no square of their own (Feder 1992; Imrich, Klavzar). A table
for each factor gives one for the product: messages cross the factors one after the other
(dimension order), so that dependencies close no cycle that a factor's own do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skb.engines.links_net import Arc, Net, Table

MOST_LINKS = 1200


@dataclass(frozen=True, slots=True)
class Product:
    """The factors as networks, and the place of each node in each of them."""

    factors: tuple[Net, ...]
    places: tuple[tuple[int, ...], ...]


def product_of(net: Net) -> Product | None:
    """Return the factors of a network, or None where it is prime, directed or too large."""
    edges = [(a, b) for a, b in net.arcs if a < b]
    if not net.connected or len(edges) > MOST_LINKS or len(edges) * 2 != len(net.arcs):
        return None
    if any((b, a) not in net.number for a, b in edges):
        return None
    classes = _classes(net, edges)
    kinds = sorted(set(classes))
    if len(kinds) < 2:
        return None
    columns = [
        _pieces(net.size, [e for e, c in zip(edges, classes, strict=True) if c != kind])
        for kind in kinds
    ]
    places = tuple(zip(*columns, strict=True))
    sizes = [max(column) + 1 for column in columns]
    total = 1
    for size in sizes:
        total *= size
    if total != net.size or len(set(places)) != net.size:
        return None
    factors = []
    for which, size in enumerate(sizes):
        kind = kinds[which]
        ends = {
            (places[a][which], places[b][which])
            for (a, b), c in zip(edges, classes, strict=True)
            if c == kind
        }
        arcs = tuple(sorted(ends | {(b, a) for a, b in ends}))
        weight = tuple(tuple(int(s != d) for d in range(size)) for s in range(size))
        factors.append(Net(size, arcs, (1,) * len(arcs), weight, net.minimal))
    return Product(tuple(factors), places)


def _classes(net: Net, edges: Sequence[Arc]) -> list[int]:
    """Return the class of each edge under the product relation: the first edge of its class."""
    found = list(range(len(edges)))
    for a, b in edges:
        nearer = [to - other for to, other in zip(net.distance[a], net.distance[b], strict=True)]
        _join(found, {found[at] for at, (c, d) in enumerate(edges) if nearer[c] != nearer[d]})
    number = {edge: at for at, edge in enumerate(edges)}
    for u in range(net.size):
        near = net.after[u]
        for at, v in enumerate(near):
            for w in near[at + 1 :]:
                # a square over v, u, w would let both edges belong to different factors
                if len(set(net.after[v]) & set(net.after[w])) == 1:
                    ends = ((min(u, v), max(u, v)), (min(u, w), max(u, w)))
                    _join(found, {found[number[edge]] for edge in ends})
    return found


def _join(classes: list[int], same: set[int]) -> None:
    """Make one class of several, under the lowest number of theirs."""
    if len(same) > 1:
        least = min(same)
        classes[:] = [least if which in same else which for which in classes]


def _pieces(size: int, edges: Sequence[Arc]) -> list[int]:
    """Return the number of the connected piece of each node, counted in the order of the nodes."""
    near: list[list[int]] = [[] for _ in range(size)]
    for a, b in edges:
        near[a].append(b)
        near[b].append(a)
    found = [-1] * size
    count = 0
    for start in range(size):
        if found[start] >= 0:
            continue
        found[start] = count
        todo = [start]
        while todo:
            for other in near[todo.pop()]:
                if found[other] < 0:
                    found[other] = count
                    todo.append(other)
        count += 1
    return found


def composed(net: Net, product: Product, tables: Sequence[Table], order: Sequence[int]) -> Table:
    """Return the table that crosses the factors in this order; channels multiply."""
    node = {place: at for at, place in enumerate(product.places)}
    trees = []
    channels = []
    for d in range(net.size):
        goal = product.places[d]
        ahead = []
        for s in range(net.size):
            place = list(product.places[s])
            for which in order:
                if place[which] != goal[which]:
                    place[which] = tables[which].ahead[goal[which]][place[which]]
                    break
            ahead.append(-1 if s == d else node[tuple(place)])
        trees.append(tuple(ahead))
        channel = 0
        for which in order:
            channel = channel * tables[which].channels + tables[which].channel[goal[which]]
        channels.append(channel)
    return Table(tuple(trees), tuple(channels))

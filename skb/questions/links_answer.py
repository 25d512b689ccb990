"""The answer of `links`: the table by names, loads, hops, and why there is none better."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from skb.decision import Reason
from skb.engines.links_bound import Bound
from skb.engines.links_cycles import covering
from skb.engines.links_net import Net, Ring, Table, loads, outwards
from skb.questions.links_instance import Instance
from skb.wording import counted, listed

SHOWN = 6


def table_of(asked: Instance, table: Table) -> dict[str, Any]:
    """Return next hops and channels by name, loads and hops: what any table has."""
    names, net = asked.nodes, asked.net
    load = loads(net, table)
    relative = [amount * slow for amount, slow in zip(load, net.slow, strict=True)]
    most = max(relative)
    rows: dict[str, dict[str, float]] = {}
    for (a, b), amount in zip(net.arcs, load, strict=True):
        rows.setdefault(names[a], {})[names[b]] = asked.load(amount)
    mean = Fraction(sum(relative), asked.scale * len(net.arcs))
    return {
        "next_hop": {
            names[s]: {names[d]: names[table.ahead[d][s]] for d in range(net.size) if d != s}
            for s in range(net.size)
        },
        "channel": {names[d]: table.channel[d] for d in range(net.size)},
        "virtual_channels": table.channels,
        "max_load": asked.value(most),
        "mean_load": float(mean),
        "load": rows,
        "fullest": [
            [names[a], names[b]]
            for (a, b), amount in zip(net.arcs, relative, strict=True)
            if amount == most
        ],
        "hops": hops_of(net, table),
    }


def hops_of(net: Net, table: Table) -> dict[str, Any]:
    """Return the longest way, the mean over all pairs with a node and itself, and how many ordered
    pairs are so many hops apart.
    """
    pairs: dict[int, int] = {}
    for d, ahead in enumerate(table.ahead):
        length = [0] * net.size
        for s in outwards(ahead, d)[1:]:
            length[s] = length[ahead[s]] + 1
            pairs[length[s]] = pairs.get(length[s], 0) + 1
    total = sum(length * count for length, count in pairs.items())
    return {
        "max": max(pairs, default=0),
        "mean": total / net.size**2,
        "pairs": {str(length): pairs.get(length, 0) for length in range(1, max(pairs) + 1)},
    }


def bound_of(asked: Instance, bound: Bound, value: int, searched: bool) -> dict[str, Any]:
    """Return how the bound is proven: by prices of links that add up, or by a whole search."""
    return {
        "by": "search" if searched and bound.value < value else "prices",
        "value": asked.value(bound.value),
        "prices": [
            [asked.nodes[a], asked.nodes[b], price]
            for (a, b), price in zip(asked.net.arcs, bound.prices, strict=True)
            if price
        ],
    }


# ------------------------------------------------------------------ words
def ring_reason(asked: Instance, ring: Ring) -> Reason:
    """Say which links wait for each other in a circle whatever the table."""
    goals = dict.fromkeys(asked.nodes[d] for d in ring.to)
    kind = "shortest" if asked.net.minimal else "possible"
    text = (
        f"in one virtual channel every table has a cycle of channel dependencies: the links"
        f" {_circle(asked, ring)} wait for each other, because the only {kind} ways to"
        f" {listed(list(goals), SHOWN)} run over them"
    )
    return Reason("cycle", text, tuple(dict.fromkeys(asked.nodes[a] for a, _b in ring.arcs)))


def _circle(asked: Instance, ring: Ring) -> str:
    return " -> ".join(asked.nodes[at] for at in (*(a for a, _b in ring.arcs), ring.arcs[0][0]))


def clash_reason(
    asked: Instance, channels: int, core: Sequence[tuple[int, ...]], exact: bool
) -> Reason:
    """Say which entries one channel cannot hold and which cycles they close, or which
    destinations several channels cannot.
    """
    kind = "shortest" if asked.net.minimal else "possible"
    least = "" if exact else " (this set is not proven to be minimal)"
    items = tuple(dict.fromkeys(asked.nodes[node] for row in core for node in row))
    if channels > 1:
        text = (
            f"whatever {kind} ways are chosen, {counted(channels, 'virtual channel')} cannot hold"
            f" those to {listed(items, 2 * SHOWN)} without a cycle of channel dependencies{least}"
        )
        return Reason("cycle", text, items)
    words = [f"{asked.nodes[s]} to {asked.nodes[d]}" for s, d in core]
    rings = covering(asked.net, [(s, d) for s, d in core])
    closed = [_circle(asked, ring) for ring in rings[:SHOWN]]
    closed += [f"{len(rings) - SHOWN} more"] if len(rings) > SHOWN else []
    text = f"whatever {kind} ways are chosen, links wait for each other in a circle"
    if closed:
        text += f": {'; or '.join(closed)}"
    text += f"; it takes only the ways of {listed(words, 2 * SHOWN)}{least}"
    return Reason("cycle", text, items)


def binding(asked: Instance, told: dict[str, Any], bound: Bound, searched: bool) -> list[Reason]:
    """Name the fullest links, and say in words what the bound rests on."""
    full = [f"{a} -> {b}" for a, b in told["fullest"]]
    most = told["max_load"]
    text = f"the fullest links carry {most:g}: {listed(full, SHOWN)}"
    reasons = [Reason("fullest", text, tuple(full[:SHOWN]))]
    if searched and asked.value(bound.value) < most:
        said = f"every table has a link with at least {most:g}: searched whole"
    else:
        said = _bound_words(asked, bound)
    return [*reasons, Reason("bound", said)]


def _bound_words(asked: Instance, bound: Bound) -> str:
    net, value = asked.net, asked.value(bound.value)
    least = f"every table has a link with at least {value:g}"
    if set(bound.prices) <= {0, 1} and not all(bound.prices):
        crossed = [arc for arc, price in zip(net.arcs, bound.prices, strict=True) if price]
        words = [f"{asked.nodes[a]} -> {asked.nodes[b]}" for a, b in crossed]
        noun = counted(len(crossed), "link")
        return f"{least}: what must cross {noun} ({listed(words, SHOWN)})"
    if bound.prices == net.slow:
        return f"{least}: the hops of all messages, spread over {counted(len(net.arcs), 'link')}"
    return f"{least}: prices of the links prove it"

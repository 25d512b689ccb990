"""Lower bounds of the largest link load, each with prices that prove it.

Give each link a price. Every message pays at least the cheapest way that it may take, and all
together pay at most what the links take in where each carries the largest load; so the largest
load is at least `cheapest ways, weighted / (sum of price over slowness)`. Prices of 1 everywhere
give the average of hops, prices of 1 across a cut its capacity; multiplicative weights approach the
best there are, which is the largest concurrent flow (Garg, Koenemann, 1998).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import gcd, lcm
from operator import itemgetter
from typing import Any

from skb.engines.links_net import Net

ROUNDS = 240
FEW = 64  # nodes up to which cuts are looked at one by one
CUTS = 40  # natural cuts that are priced exactly
FINE = 10_000  # prices are whole numbers up to this


@dataclass(frozen=True, slots=True)
class Bound:
    """A proven bound of the largest slowed load, and the price of each arc that proves it."""

    value: int
    prices: tuple[int, ...]


def reached(net: Net, least: Fraction) -> int:
    """Return the smallest slowed load, at least so large, that some link can have."""
    step = 0
    for row in net.weight:
        step = gcd(step, *row)
    if not step or least <= 0:
        return 0
    return min(-(-least // (step * slow)) * step * slow for slow in set(net.slow))


def value_of(net: Net, prices: Sequence[int]) -> int:
    """Return what prices prove."""
    room = sum(Fraction(price, slow) for price, slow in zip(prices, net.slow, strict=True))
    if not room:
        return 0
    paid = 0
    for d in range(net.size):
        way = _cheapest(net, prices, d)
        paid += sum(net.weight[s][d] * way[s] for s in range(net.size))
    return reached(net, paid / room)


def _cheapest(net: Net, prices: Sequence[int], d: int) -> list[int]:
    """Return the price of the cheapest way from each node to d, over the steps that it may take."""
    import heapq

    way = [0] * net.size
    if net.minimal:
        nodes = sorted((s for s in range(net.size) if s != d), key=lambda s: net.distance[s][d])
        for s in nodes:
            way[s] = min(prices[net.number[s, n]] + way[n] for n in net.steps[d][s])
        return way
    heap = [(0, d)]
    done: set[int] = set()
    while heap:
        paid, at = heapq.heappop(heap)
        if at in done:
            continue
        done.add(at)
        way[at] = paid
        for other in net.before[at]:
            if other not in done:
                heapq.heappush(heap, (paid + prices[net.number[other, at]], other))
    return way


def lower_bound(net: Net, known: int, spent: Callable[[], bool], rounds: int = ROUNDS) -> Bound:
    """Return the best bound found; `known` is a load that some table has, where one may stop."""
    best = Bound(0, (0,) * len(net.arcs))
    for prices in _plain(net):
        best = _better(net, best, prices)
        if best.value >= known or spent():
            return best
    return _weighted(net, best, known, spent, rounds)


def _better(net: Net, best: Bound, prices: Sequence[int]) -> Bound:
    value = value_of(net, prices)
    return Bound(value, tuple(prices)) if value > best.value else best


def _plain(net: Net) -> Iterator[list[int]]:
    """Yield the prices of natural cuts, between the ends of a link and around a node, those first
    that must carry most for their capacity; and of the average.
    """
    cuts = _few_cuts(net) if net.size <= FEW else _many_cuts(net)
    yield next(cuts)
    yield list(net.slow)
    yield from islice(cuts, CUTS - 1)


def _few_cuts(net: Net) -> Iterator[list[int]]:
    """Yield the cuts of a small network, for which numpy would take longer to load."""
    nodes = range(net.size)
    sides = {tuple(far[tail] < far[head] for far in net.distance) for tail, head in net.arcs}
    for node in nodes:
        sides |= {tuple(at == node for at in nodes), tuple(at != node for at in nodes)}
    unit = lcm(*net.slow)
    ranked = []
    for side in sorted(sides):
        crossing = [int(side[tail] and not side[head]) for tail, head in net.arcs]
        room = sum(unit // slow for slow, price in zip(net.slow, crossing, strict=True) if price)
        outside = [at for at in nodes if not side[at]]
        carried = sum(
            sum(map(row.__getitem__, outside))
            for row, inside in zip(net.weight, side, strict=True)
            if inside
        )
        ranked.append((-carried * unit / room if room else 0.0, crossing))
    ranked.sort(key=itemgetter(0))
    for _most, crossing in ranked:
        yield crossing


def _many_cuts(net: Net) -> Iterator[list[int]]:
    import numpy as np

    far = np.array(net.distance)
    tail, head = np.array(net.arcs).T
    alone = np.eye(net.size, dtype=bool)
    sides = np.unique(np.concatenate([(far[:, tail] < far[:, head]).T, alone, ~alone]), axis=0)
    crossing = sides[:, tail] & ~sides[:, head]
    room = crossing @ (1.0 / np.array(net.slow, dtype=float))
    weight = np.array(net.weight, dtype=float)
    carried = ((sides @ weight) * ~sides).sum(axis=1)
    most = np.divide(carried, room, out=np.zeros(len(sides)), where=room > 0)
    ranked = np.argsort(-most, kind="stable")
    for at in ranked:
        yield [int(x) for x in crossing[at]]


def _weighted(net: Net, best: Bound, known: int, spent: Callable[[], bool], rounds: int) -> Bound:
    """Raise the price of links that the cheapest ways fill, round after round."""
    import numpy as np

    flow = _Flow(net) if net.minimal else None
    slow = np.array(net.slow, dtype=float)
    share = np.ones(len(net.arcs))
    for turn in range(rounds):
        prices = share * slow
        if turn % 12 == 11:
            whole = [round(float(x)) for x in prices / prices.max() * FINE]
            best = _better(net, best, whole)
            if best.value >= known:
                return best
        if spent():
            return best
        load = flow.loads(prices) if flow is not None else _any_loads(net, prices)
        cost = load * slow
        share = share * np.exp(0.5 / (1 + turn / 24) * cost / max(cost.max(), 1e-9))
        share /= share.max()
    return best


class _Flow:
    """Loads of cheapest minimal ways, shared evenly among equals; arrays by distance level."""

    def __init__(self, net: Net) -> None:
        import numpy as np

        self.net = net
        levels: dict[int, list[tuple[int, int, int, int]]] = {}
        for d in range(net.size):
            for s in range(net.size):
                for n in net.steps[d][s]:
                    row = (s * net.size + d, n * net.size + d, net.number[s, n], s)
                    levels.setdefault(net.distance[s][d], []).append(row)
        self.levels = [np.array(levels[k]).T for k in sorted(levels)]
        self.weight = np.array(net.weight, dtype=float).reshape(-1)

    def loads(self, prices: Any) -> Any:
        import numpy as np

        pairs = self.net.size**2
        way = np.full(pairs, np.inf)
        way[:: self.net.size + 1] = 0.0
        chosen = []
        for start, end, arc, _s in self.levels:
            cost = prices[arc] + way[end]
            np.minimum.at(way, start, cost)
            chosen.append(cost <= way[start] * (1 + 1e-9))
        through = self.weight.copy()
        load = np.zeros(len(self.net.arcs))
        for (start, end, arc, _s), taken in zip(
            reversed(self.levels), reversed(chosen), strict=True
        ):
            ways = np.bincount(start[taken], minlength=pairs)
            amount = through[start[taken]] / ways[start[taken]]
            np.add.at(load, arc[taken], amount)
            np.add.at(through, end[taken], amount)
        return load


def _any_loads(net: Net, prices: Any) -> Any:
    """Return the loads of cheapest ways of any length, the first of equals taken."""
    import numpy as np

    load = np.zeros(len(net.arcs))
    whole = [max(1, round(float(x) * FINE)) for x in prices / prices.max()]
    for d in range(net.size):
        way = _cheapest(net, whole, d)
        through = [float(net.weight[s][d]) for s in range(net.size)]
        for s in sorted(range(net.size), key=lambda node: -way[node]):
            if s == d or not through[s]:
                continue
            ends = [n for n in net.after[s] if whole[net.number[s, n]] + way[n] == way[s]]
            for n in ends:
                load[net.number[s, n]] += through[s] / len(ends)
                through[n] += through[s] / len(ends)
    return load

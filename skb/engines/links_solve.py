"""The portfolio for tables: how many virtual channels, then the least largest load, with proof.

What is certain comes first: a cycle of dependencies that no table avoids, the factors of a product,
the bounds. Then tables built tree by tree and improved; clingo decides what is left of small ones.
Work is counted in steps and conflicts, the deadline is a fuse.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, permutations

from skb.decision import Limits
from skb.engines.links_bound import ROUNDS, Bound, lower_bound
from skb.engines.links_exact import decided
from skb.engines.links_layers import grown, layered
from skb.engines.links_net import Net, Ring, Table, forced_ring, price
from skb.engines.links_product import Product, composed, product_of
from skb.engines.links_search import improved
from skb.engines.links_updown import up_down

ORDERS = 6  # of the factors of a product that are tried
ROOTS = 64  # for up*/down*
TRIES = 6
MANY = 128  # nodes above which trees are grown once
FEW = 64  # nodes up to which they are grown even where there are tables already
GROWN = "trees that close no cycle"
FEWEST_ROUNDS = 24  # of the bound, where little work is allowed
STARTS = 3  # tables that are improved
AGAIN = 2  # times that the best of them is improved once more


@dataclass(frozen=True, slots=True)
class Solution:
    """What was found.

    `exists` is false where it is proven that so many channels hold no table, None where the limit
    came first. `least_channels` are proven to be needed; `ring` proves that one is not enough.
    `value` is the largest slowed load and `bound` a proven one; `searched` tells that a whole
    search raised it to the value. `methods` name who found the table.
    """

    exists: bool | None
    channels: int
    least_channels: int
    bound: Bound
    ring: Ring | None = None
    table: Table | None = None
    value: int = 0
    searched: bool = False
    methods: tuple[str, ...] = ()

    @property
    def proven(self) -> bool:
        return self.table is not None and (self.searched or self.bound.value >= self.value)


@dataclass(frozen=True, slots=True)
class _Spending:
    """What may be spent: limits as work, the deadline as a fuse."""

    limits: Limits
    deadline: float

    def over(self) -> bool:
        return time.monotonic() >= self.deadline

    def part(self, share: float) -> float:
        """Return the deadline of a stage that may take a share of what is left."""
        now = time.monotonic()
        return now + max(0.0, self.deadline - now) * share


def solve(net: Net, channels: int | None, limits: Limits, deadline: float) -> Solution:
    """Return the best table on at most so many channels, None being the least that are enough."""
    spend = _Spending(limits, deadline)
    ring = forced_ring(net)
    least = 2 if ring else 1
    none = Bound(0, (0,) * len(net.arcs))
    if channels is not None and channels < least:
        return Solution(False, channels, least, none, ring)
    quick = [row for row in _quick(net, spend) if net.admits(row[1])]
    if channels is not None:
        exists, starts = _starts(net, channels, quick, spend)
        if not starts:
            return Solution(exists, channels, least, none, ring)
        return _least_load(net, Solution(True, channels, least, none, ring), starts, spend)
    # a channel for each destination is enough wherever there is a table at all
    most = min((table.channels for _name, table in quick), default=net.size + 1)
    some = _Spending(limits, spend.part(0.3))
    now, proving = least, True
    while now < most and not some.over() and (proving or not quick):
        exists, starts = _starts(net, now, [], some)
        if starts:
            return _least_load(net, Solution(True, now, least, none, ring), starts, spend)
        proving = proving and exists is False
        least = now + 1 if proving else least
        now += 1
    if not quick:
        exists = False if least > net.size else None
        return Solution(exists, min(now, net.size), min(least, net.size), none, ring)
    starts = [row for row in quick if row[1].channels == most]
    # what is undecided from below may be reached from above
    some = _Spending(limits, spend.part(0.5))
    while now < most and not some.over():
        fewer = _starts(net, most - 1, [], some, tries=1)[1]
        if not fewer:
            break
        most = min(table.channels for _name, table in fewer)
        starts = [row for row in fewer if row[1].channels == most]
    if net.size <= FEW and not _alike(net):
        starts = _starts(net, most, starts, spend)[1]
    return _least_load(net, Solution(True, most, min(least, most), none, ring), starts, spend)


def _quick(net: Net, spend: _Spending) -> list[tuple[str, Table]]:
    """Return tables that are found at once, on however many channels they need."""
    found = _solved_product(net, spend)
    if not net.minimal:
        found += _up_down(net, spend)
    if not found or (net.size <= FEW and not (net.minimal and _alike(net))):
        found += _grown(net, spend, False)
        if not spend.over():
            found += _grown(net, spend, True)
    return found


def _grown(net: Net, spend: _Spending, again: bool) -> list[tuple[str, Table]]:
    """Return the table whose trees are grown at first, or the one that may take longer: of a large
    network with fewer channels, which are worth more than even loads.
    """
    soon = spend.part(0.6)
    even = again and net.size <= MANY
    table = grown(net, spend.limits.seed, even, lambda: time.monotonic() >= soon, again)
    return [] if table is None else [(GROWN, table)]


def _alike(net: Net) -> bool:
    """Tell whether all links are equally fast and all pairs have the same traffic."""
    amounts = {w for s, row in enumerate(net.weight) for d, w in enumerate(row) if s != d}
    return len(set(net.slow)) == 1 and len(amounts) == 1


def _solved_product(net: Net, spend: _Spending) -> list[tuple[str, Table]]:
    """Return the dimension-order tables of a product; none where it is prime."""
    product = product_of(net)
    if product is None:
        return []
    tables = []
    for factor in product.factors:
        found = solve(factor, None, spend.limits, spend.part(0.25))
        if found.table is None:
            return []
        tables.append(found.table)
    return list(_orders(net, product, tables, spend))


def _orders(
    net: Net, product: Product, tables: list[Table], spend: _Spending
) -> Iterator[tuple[str, Table]]:
    words = "dimension order over " + " x ".join(str(f.size) for f in product.factors)
    soon = spend.part(0.2)
    for at, order in enumerate(islice(permutations(range(len(tables))), ORDERS)):
        if at and time.monotonic() >= soon:
            return
        yield words, composed(net, product, tables, order)


def _starts(
    net: Net, channels: int, known: list[tuple[str, Table]], spend: _Spending, tries: int = TRIES
) -> tuple[bool | None, list[tuple[str, Table]]]:
    """Return whether tables on so many channels exist, and some of them."""
    found = [row for row in known if row[1].channels <= channels]
    if not found or (net.size <= FEW and not _alike(net)):
        tries = tries if not found and net.size <= MANY else 1
        table = layered(net, channels, spend.limits.seed, tries, spend.over)
        if table is not None:
            found.append((GROWN, table))
    if found:
        return True, found
    limits = replace(spend.limits, conflicts=max(1, spend.limits.conflicts // 2))
    verdict = decided(net, channels, None, limits, spend.part(0.6))
    if verdict.table is not None:
        return True, [("clingo", verdict.table)]
    return verdict.exists, []


def _up_down(net: Net, spend: _Spending) -> list[tuple[str, Table]]:
    """Return the best of the up*/down* tables over many roots."""
    best: list[tuple[tuple[int, int], int, Table]] = []
    for root in range(min(net.size, ROOTS)):
        if best and spend.over():
            break
        table = up_down(net, root)
        if table is not None:
            best.append((price(net, table), root, table))
    best.sort(key=lambda row: row[:2])
    return [(f"up*/down* from node {root}", table) for _price, root, table in best[:2]]


def _least_load(
    net: Net, found: Solution, starts: list[tuple[str, Table]], spend: _Spending
) -> Solution:
    """Improve the tables, bound the load, and let clingo decide what is between."""
    prices = [price(net, start) for _name, start in starts]
    ranked = sorted(range(len(starts)), key=lambda at: (prices[at], at))
    name, table = starts[ranked[0]]
    worth, methods = prices[ranked[0]], [name]
    bounding = spend.part(0.3)
    rounds = max(FEWEST_ROUNDS, min(ROUNDS, spend.limits.conflicts // 40))
    bound = lower_bound(net, worth[0], lambda: time.monotonic() >= bounding, rounds)
    improving = spend.part(0.5)
    runs = [(starts[at], bound.value) for at in ranked[:STARTS]]
    for turn in range(len(runs) + AGAIN):
        if worth[0] <= bound.value and (net.minimal or turn >= len(runs)):
            break
        if time.monotonic() >= improving:
            break
        # after the bound, what is one better than the best
        again = ((methods[0], table), max(bound.value, worth[0] - 1))
        (name, start), target = runs[turn] if turn < len(runs) else again
        other = improved(
            net,
            start,
            target,
            max(1, spend.limits.conflicts // (1 if turn >= len(runs) else len(runs))),
            spend.limits.seed + turn,
            lambda: time.monotonic() >= improving,
        )
        value = price(net, other)
        if value < worth:
            table, worth, methods = other, value, [name, "local improvement"]
    searched = False
    while worth[0] > bound.value:
        verdict = decided(net, found.channels, worth[0] - 1, spend.limits, spend.part(0.9))
        if verdict.table is None:
            searched = verdict.exists is False
            break
        table, methods = verdict.table, ["clingo"]
        worth = price(net, table)
    return replace(
        found,
        table=table,
        value=worth[0],
        bound=bound,
        searched=searched,
        methods=tuple(methods),
    )

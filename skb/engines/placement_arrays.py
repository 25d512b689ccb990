"""Items and classes as the arrays of the search kernel, in the kind that an arm takes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain
from math import log

from skb.engines.compiling import Arm
from skb.engines.placement_items import Classes, Items
from skb.engines.placement_kernel import SHARES, Now, Problem, keep, put

# prices from this on could overflow the words of the compiled kernel, whose heat is up to 36 times
# the price of an edge
LARGEST = 2**57
ODDS = tuple(-log((share + 0.5) / SHARES) for share in range(SHARES))


def problem_of(items: Items, classes: Classes, arm: Arm) -> Problem:
    """Return the arrays of what does not change."""
    groups, words = len(classes.room), arm.words
    flat = list(chain.from_iterable(classes.distance))
    if not classes.symmetric:
        flat += chain.from_iterable(zip(*classes.distance, strict=True))
    bundles = [bundle for sort in classes.bundles for bundle in sort]
    return Problem(
        units=words(items.units),
        cache=words(items.cache),
        cost=words(list(chain.from_iterable(items.rows.values[cost] for cost in items.cost))),
        begin=words(_ends(items.peers)),
        peer=words([peer for peers in items.peers for peer, _side in peers]),
        rate=words([rate for peers in items.peers for rate in peers.values()]),
        side=words([side * groups**2 for peers in items.peers for _peer, side in peers]),
        apart_begin=words(_ends(items.apart)),
        apart=words([other for apart in items.apart for other, _table in apart]),
        table=words([table for apart in items.apart for _other, table in apart]),
        distance=words(flat),
        room=words(classes.room),
        cache_of=words(classes.cache),
        objects=words(list(chain.from_iterable(classes.objects))),
        bundle_begin=words(_ends(bundles)),
        bundle=words(list(chain.from_iterable(bundles))),
        alike_begin=words(_ends(classes.bundles)),
        odds=arm.reals(ODDS),
        span=min(len(items.units), max(classes.room) // min(items.units)),
    )


def _ends(rows: Sequence[object]) -> list[int]:
    return [0, *accumulate(len(row) for row in rows)]  # type: ignore[arg-type]


def start(problem: Problem, classes: Classes, arm: Arm, placed: Sequence[int] | None = None) -> Now:
    """Return the arrays of what changes, with items where `placed` has them, else nowhere."""
    count, groups, words = len(problem.units), len(classes.room), arm.words
    now = Now(
        at=words([-1] * count),
        found=words([-1] * count),
        free=words(classes.room),
        cache=words(classes.cache_room),
        inside=words([0] * (groups * problem.span)),
        held=words([0] * groups),
        spot=words([0] * count),
        image=words(list(range(groups))),
        herd=words([0] * count),
        marked=words([0] * count),
        control=words([0] * 4),
        heat=arm.reals([0.0, 1.0]),
    )
    for item, group in enumerate(placed or ()):
        put(problem, now, item, group)
    keep(now)
    return now


def first_draw(seed: int) -> int:
    """Return a state of the generator: of 61 bits, neither of its two fixed points."""
    return (seed * 0x9E3779B97F4A7C15 + 0x1D8E4E27C47D124F) % (1 << 61) or 1


def price_of(items: Items, classes: Classes, placed: Sequence[int]) -> int:
    """Return what a placement costs, worked out from the items and not from the arrays."""
    total = 0
    for item, (group, peers) in enumerate(zip(placed, items.peers, strict=True)):
        total += 2 * items.rows.values[items.cost[item]][group]
        for (peer, side), rate in peers.items():
            a, b = (placed[peer], group) if side else (group, placed[peer])
            total += rate * classes.distance[a][b]
    # each message was met at both of its ends
    return total // 2


def largest_price(items: Items, classes: Classes) -> int:
    """Return a bound of whatever is added up."""
    rates = sum(sum(peers.values()) for peers in items.peers)
    own = sum(max(items.rows.values[cost]) for cost in items.cost)
    return 2 * (rates * max(map(max, classes.distance)) + own)


def edge_price(items: Items, classes: Classes) -> float:
    """Return the mean price of an edge: mean rate times the mean way beyond the shortest."""
    rates = [rate for peers in items.peers for rate in peers.values()]
    least = min(map(min, classes.distance))
    far = [value - least for row in classes.distance for value in row if value > least]
    if not rates or not far:
        return 0.0
    return sum(rates) / len(rates) * (sum(far) / len(far))

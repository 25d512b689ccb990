"""The exact programme over sets of nodes, as one source with two arms (see `compiling`).

`below[A][u]` is the least time in which the freshly informed node A informs exactly the set u,
`after[u][A]` the same once A has sent a first message (in LogP its gap then takes the place of the
send; without gaps both are the same). The next receiver is B, which informs w of the others:
the least over B and w of max(arrive + below[B][w], busy + after[u - B - w][A]). A time that is of
no use within the horizon is left out: a node that is not the root has been informed by someone, and
a root that is not fresh has sent. A set is feasible only where it is without one of its leaves.
"""

from __future__ import annotations

from typing import NamedTuple

Words = list[int]

BEYOND = 1 << 30
"""A time beyond the horizon, in 32 bits."""
# what `Sets.control` holds: the set to be solved next, its size
SET, COUNT = range(2)


class Sets(NamedTuple):
    """Costs by receiver and sender for a first send and, behind them, for further ones; the latest
    useful time by size of the set and node, in the same two parts; and the tables.
    """

    busy: Words
    arrive: Words
    budget: Words
    below: Words
    after: Words
    least: Words
    best: Words
    outside: Words
    control: Words


def latest(sets: Sets, costs: Words, node: int, count: int) -> int:
    """Return the latest time that may still improve a set by sending to a node, over all who may
    send, if what follows costs them so much.
    """
    size, most = len(sets.outside), -1
    for place in range(count):
        at = sets.outside[place]
        most = max(
            most,
            max(
                sets.best[at] - costs[node * size + at],
                sets.best[size + at] - costs[(size + node) * size + at],
            ),
        )
    return most - 1


def split(sets: Sets, node: int, share: int, rest: int, count: int) -> None:
    """Price that a node is sent to next and informs a share, for all who may send."""
    size = len(sets.outside)
    x = sets.below[node * len(sets.least) + share]
    for place in range(count):
        at = sets.outside[place]
        y = sets.after[rest * size + at]
        edge = node * size + at
        end = max(sets.arrive[edge] + x, sets.busy[edge] + y)
        if end < sets.best[at]:
            sets.best[at] = end
        edge += size * size
        end = max(sets.arrive[edge] + x, sets.busy[edge] + y)
        if end < sets.best[size + at]:
            sets.best[size + at] = end


def solve(sets: Sets, group: int, held: int) -> int:
    """Fill the table of one set; return how many splits were looked at."""
    size, states = len(sets.outside), len(sets.least)
    count, spent, open_ = 0, 1, False
    for node in range(size):
        bit = 1 << node
        if group & bit:
            open_ = open_ or sets.least[group ^ bit] < BEYOND
        else:
            # one above what is useful: only what is below counts
            fresh = sets.budget[held * size + node] + 1
            later = sets.budget[(size + held) * size + node] + 1
            sets.best[node], sets.best[size + node] = fresh, later
            if fresh > 0 or later > 0:
                sets.outside[count] = node
                count += 1
    # the last set has more time than those before it
    if count == 0 or not (open_ or held == size - 1):
        return spent
    for node in range(size):
        bit = 1 << node
        if not group & bit:
            continue
        others = group ^ bit
        x = latest(sets, sets.arrive, node, count)
        y = latest(sets, sets.busy, node, count)
        share, base = others, node * states
        while x >= 0 and y >= 0:
            if sets.below[base + share] <= x and sets.least[others ^ share] <= y:
                split(sets, node, share, others ^ share, count)
            if share == 0:
                break
            share = (share - 1) & others
        spent += 1 << (held - 1)
    for place in range(count):
        node = sets.outside[place]
        if sets.best[node] <= sets.budget[held * size + node]:
            sets.below[node * states + group] = sets.best[node]
            sets.least[group] = min(sets.least[group], sets.best[node])
        if sets.best[size + node] <= sets.budget[(size + held) * size + node]:
            sets.after[group * size + node] = sets.best[size + node]
            sets.least[group] = min(sets.least[group], sets.best[size + node])
    return spent


def fill(sets: Sets, most: int) -> int:
    """Solve sets of rising size until about so many splits are looked at; return the next size."""
    states, spent = len(sets.least), 0
    group, held = sets.control[SET], sets.control[COUNT]
    while group < states and spent < most:
        spent += solve(sets, group, held)
        low = group & -group
        above = group + low
        group = (((above ^ group) >> 2) // low) | above
        if group >= states:
            held += 1
            group = (1 << held) - 1
            if held >= len(sets.outside):
                break
    sets.control[SET], sets.control[COUNT] = group, held
    return held

"""The first placement of items in classes: one source with two arms, as in `placement_kernel`."""

from __future__ import annotations

from skb.engines.placement_kernel import Now, Problem, Words, apart, put


def pack(problem: Problem, now: Now, urgent: Words, talk: Words, tight: bool) -> int:
    """Seat all items, the most urgent first, then who talks most to the placed.

    Returns who is stuck, -1 where nobody is. Of the cheapest classes it takes the one with most
    room, where `tight` the one with least.
    """
    count, groups = len(problem.units), len(problem.room)
    for _ in range(count):
        item = -1
        for other in range(count):
            if now.at[other] < 0 and (
                item < 0
                or urgent[other] > urgent[item]
                or (urgent[other] == urgent[item] and talk[other] > talk[item])
            ):
                item = other
        chosen, least = -1, 0
        for group in range(groups):
            if (
                problem.cost[item * groups + group] < 0
                or problem.units[item] > now.free[group]
                or problem.cache[item] > now.cache[problem.cache_of[group]]
                or not apart(problem, now.at, item, group, -1)
            ):
                continue
            price = beside(problem, now.at, item, group)
            better = chosen < 0 or price < least
            if not better and price == least:
                more = now.free[group] - now.free[chosen]
                better = more < 0 if tight else more > 0
            if better:
                chosen, least = group, price
        if chosen < 0:
            return item
        put(problem, now, item, chosen)
        for edge in range(problem.begin[item], problem.begin[item + 1]):
            talk[problem.peer[edge]] += problem.rate[edge]
    return -1


def beside(problem: Problem, at: Words, item: int, group: int) -> int:
    """Return what an item costs in a class beside those that are placed."""
    groups = len(problem.room)
    total = problem.cost[item * groups + group]
    for edge in range(problem.begin[item], problem.begin[item + 1]):
        there = at[problem.peer[edge]]
        if there >= 0:
            base = problem.side[edge] + group * groups + there
            total += problem.rate[edge] * problem.distance[base]
    return total

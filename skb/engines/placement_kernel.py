"""The inner loops of the local search of large placements, as one source with two arms.

Plain Python over lists of whole numbers, which numba compiles as it stands over arrays
(`compiled`): draws come from a generator that fits 63 bits, prices are whole numbers that the
caller has found to fit 62 bits, and the heat is multiplied in the same order, so both arms take the
same steps. Items sit in classes; what a class may hold is counted in units and in cache.
"""

from __future__ import annotations

from typing import NamedTuple

Words = list[int]

# multiply with carry (Marsaglia, "Random number generators", 2003): 32 bits from a word of 63
FACTOR, LOW, HALF = 698_769_069, 0xFFFFFFFF, 32
# the quantiles of what an uphill step may cost are tabulated: -log of so many even shares
SHARES = 4096
# steps at one heat
STRIDE = 256
# what `Now.control` holds: the generator, the price now, the best price, whether the best placement
# is the present one and not yet written down
SEED, VALUE, BEST, FRESH = range(4)
# out of 1024 steps: swaps of all items of two classes, of which some are of two bundles
# then moves of an item with its peers
EXCHANGES, OF_BUNDLES, HERDS = 20, 5, 120
# out of 1024 moves of an item: those towards the class of a peer
NEAR = 717


class Problem(NamedTuple):
    """What does not change: items with units, cache, and cost by class (-1 where it may not be);
    their peers with rates, from `begin[item]` on, where `side` is 0 or the offset of the transposed
    distances; items apart with the table of objects not to be shared; classes with distances
    (transposed behind), room and cache; bundles of classes that may be swapped, by sort, of which
    the first has single classes; quantiles of the odds; and how many items a class holds at most.
    """

    units: Words
    cache: Words
    cost: Words
    begin: Words
    peer: Words
    rate: Words
    side: Words
    apart_begin: Words
    apart: Words
    table: Words
    distance: Words
    room: Words
    cache_of: Words
    objects: Words
    bundle_begin: Words
    bundle: Words
    alike_begin: Words
    odds: list[float]
    span: int


class Now(NamedTuple):
    """What changes: where items are (-1: nowhere), the best that was found, the room and cache that
    is left, the items of each class by row, and the heat with its factor.
    """

    at: Words
    found: Words
    free: Words
    cache: Words
    inside: Words
    held: Words
    spot: Words
    image: Words
    herd: Words
    marked: Words
    control: Words
    heat: list[float]


def rise(problem: Problem, at: Words, item: int, here: int, there: int) -> int:
    """Return what an item costs more in class `there` than in `here`."""
    groups = len(problem.room)
    total = problem.cost[item * groups + there] - problem.cost[item * groups + here]
    for edge in range(problem.begin[item], problem.begin[item + 1]):
        base = problem.side[edge] + at[problem.peer[edge]]
        total += problem.rate[edge] * (
            problem.distance[base + there * groups] - problem.distance[base + here * groups]
        )
    return total


def apart(problem: Problem, at: Words, item: int, group: int, leaving: int) -> bool:
    """Whether an item in this class shares no object that it must not, once `leaving` is away."""
    groups = len(problem.room)
    for index in range(problem.apart_begin[item], problem.apart_begin[item + 1]):
        other = problem.apart[index]
        there = at[other]
        if other != leaving and there >= 0:
            row = problem.table[index] * groups
            if problem.objects[row + there] == problem.objects[row + group]:
                return False
    return True


def put(problem: Problem, now: Now, item: int, group: int) -> None:
    """Seat an item that is nowhere."""
    now.free[group] -= problem.units[item]
    now.cache[problem.cache_of[group]] -= problem.cache[item]
    now.inside[group * problem.span + now.held[group]] = item
    now.spot[item] = now.held[group]
    now.held[group] += 1
    now.at[item] = group


def take(problem: Problem, now: Now, item: int) -> None:
    """Remove an item from its class."""
    group, count = now.at[item], problem.span
    now.free[group] += problem.units[item]
    now.cache[problem.cache_of[group]] += problem.cache[item]
    now.held[group] -= 1
    last = now.inside[group * count + now.held[group]]
    now.inside[group * count + now.spot[item]] = last
    now.spot[last] = now.spot[item]
    now.at[item] = -1


def keep(now: Now) -> None:
    """Write the present placement down as the best."""
    for item in range(len(now.at)):
        now.found[item] = now.at[item]
    now.control[FRESH] = 0


def moved(problem: Problem, now: Now, item: int, group: int, most: int, draw: int) -> int:
    """Move an item, or swap it with one of the class; return what that costs, 0 where undone."""
    groups, here = len(problem.room), now.at[item]
    if problem.cost[item * groups + group] < 0:
        return 0
    mine, theirs = problem.cache_of[here], problem.cache_of[group]
    fits = mine == theirs or problem.cache[item] <= now.cache[theirs]
    if fits and problem.units[item] <= now.free[group]:
        more = rise(problem, now.at, item, here, group)
        if more > most or not apart(problem, now.at, item, group, -1):
            return 0
        if more > 0 and now.control[FRESH]:
            keep(now)
        take(problem, now, item)
        put(problem, now, item, group)
        return more
    if now.held[group] == 0:
        return 0
    other = now.inside[group * problem.span + (draw * now.held[group] >> HALF)]
    if problem.cost[other * groups + here] < 0:
        return 0
    extra, weight = problem.units[item] - problem.units[other], problem.cache[item]
    weight -= problem.cache[other]
    if extra > now.free[group] or -extra > now.free[here]:
        return 0
    if mine != theirs and (weight > now.cache[theirs] or -weight > now.cache[mine]):
        return 0
    more = rise(problem, now.at, item, here, group)
    now.at[item] = group
    more += rise(problem, now.at, other, group, here)
    now.at[item] = here
    if more > most or not apart(problem, now.at, item, group, other):
        return 0
    if not apart(problem, now.at, other, here, item):
        return 0
    if more > 0 and now.control[FRESH]:
        keep(now)
    take(problem, now, item)
    take(problem, now, other)
    put(problem, now, item, group)
    put(problem, now, other, here)
    return more


def herded(problem: Problem, now: Now, item: int, group: int, most: int, draw: int) -> int:
    """Move an item with those that it talks to, where need be for others of the class and theirs.

    Returns what that costs, 0 where it is not done.
    """
    here = now.at[item]
    goal = problem.units[item] + (draw * problem.room[group] >> HALF)
    ours, more = gathered(problem, now, item, group, 0, goal, False)
    need = carried(problem.units, now.herd, 0, ours) - now.free[group]
    end = ours
    if ours > 0 and need > 0 and now.held[group] > 0:
        other = now.inside[group * problem.span + (draw * now.held[group] >> HALF)]
        end, less = gathered(problem, now, other, here, ours, need, True)
        more += less
    units = need - carried(problem.units, now.herd, ours, end)
    done = ours > 0 and end >= ours and units <= 0 and more <= most
    # what goes out of the class fits into the one that the others leave
    done = done and -units - now.free[group] <= now.free[here]
    mine, theirs = problem.cache_of[here], problem.cache_of[group]
    if done and mine != theirs:
        weight = carried(problem.cache, now.herd, 0, ours)
        weight -= carried(problem.cache, now.herd, ours, end)
        done = weight <= now.cache[theirs] and -weight <= now.cache[mine]
    for index in range(abs(end)):
        moving = now.herd[index]
        done = done and apart(problem, now.at, moving, now.at[moving], -1)
    for index in range(abs(end)):
        moving = now.herd[index]
        now.marked[moving] = 0
        now.at[moving] = here if index < abs(ours) else group
    if not done:
        return 0
    if more > 0 and now.control[FRESH]:
        keep(now)
    for index in range(end):
        take(problem, now, now.herd[index])
    for index in range(end):
        put(problem, now, now.herd[index], group if index < ours else here)
    return more


def carried(amounts: Words, herd: Words, begin: int, end: int) -> int:
    """Return the sum over a part of the herd."""
    total = 0
    for index in range(begin, end):
        total += amounts[herd[index]]
    return total


def gathered(
    problem: Problem, now: Now, first: int, there: int, begin: int, goal: int, fill: bool
) -> tuple[int, int]:
    """Write an item, and those of its class that it talks to, into the herd until the goal is met.

    They count as moved, in `at` alone, until the caller settles that. With `fill` any others of the
    class help. Returns the end, negative where one may not go, and what it costs.
    """
    groups, here = len(problem.room), now.at[first]
    now.herd[begin], now.marked[first] = first, 1
    index, end, more, total, seen = begin, begin + 1, 0, problem.units[first], 0
    while index < end:
        item = now.herd[index]
        if problem.cost[item * groups + there] < 0:
            return -end, 0
        more += rise(problem, now.at, item, here, there)
        now.at[item] = there
        for edge in range(problem.begin[item], problem.begin[item + 1]):
            peer = problem.peer[edge]
            if total < goal and now.at[peer] == here and now.marked[peer] == 0:
                now.herd[end], now.marked[peer] = peer, 1
                end += 1
                total += problem.units[peer]
        index += 1
        while fill and index == end and total < goal and seen < now.held[here]:
            other = now.inside[here * problem.span + seen]
            seen += 1
            if now.marked[other] == 0:
                now.herd[end], now.marked[other] = other, 1
                end += 1
                total += problem.units[other]
    return end, more


def exchanged(problem: Problem, now: Now, a: int, b: int, width: int, most: int) -> int:
    """Swap all items of classes at `a` with those at `b` of the list of bundles, `width` of them.

    Returns what that costs, 0 where it is not done.
    """
    for k in range(width):
        now.image[problem.bundle[a + k]] = problem.bundle[b + k]
        now.image[problem.bundle[b + k]] = problem.bundle[a + k]
    more, fits = 0, True
    for k in range(2 * width):
        group = problem.bundle[a + k if k < width else b + k - width]
        fits = fits and problem.room[group] - now.free[group] <= problem.room[now.image[group]]
    if fits:
        for k in range(2 * width):
            group = problem.bundle[a + k if k < width else b + k - width]
            part = shift(problem, now, group)
            fits = fits and part != FORBIDDEN
            more += part if fits else 0
            if not fits:
                break
    done = False
    if fits and more <= most:
        if more > 0 and now.control[FRESH]:
            keep(now)
        trade(problem, now, a, b, width)
        done = sound(problem, now, a, b, width)
        if not done:
            trade(problem, now, a, b, width)
    for k in range(width):
        now.image[problem.bundle[a + k]] = problem.bundle[a + k]
        now.image[problem.bundle[b + k]] = problem.bundle[b + k]
    return more if done else 0


FORBIDDEN = -(1 << 62)


def shift(problem: Problem, now: Now, group: int) -> int:
    """Return what the items of a class cost more in its image, `FORBIDDEN` where one may not go."""
    groups, start = len(problem.room), group * problem.span
    there, more = now.image[group], 0
    for index in range(start, start + now.held[group]):
        item = now.inside[index]
        price = problem.cost[item * groups + there]
        if price < 0:
            return FORBIDDEN
        more += price - problem.cost[item * groups + group]
        for edge in range(problem.begin[item], problem.begin[item + 1]):
            peer = problem.peer[edge]
            old = now.at[peer]
            new = now.image[old]
            # a pair that moves wholly is counted from one of its ends
            if new == old or item < peer:
                base = problem.side[edge]
                more += problem.rate[edge] * (
                    problem.distance[base + there * groups + new]
                    - problem.distance[base + group * groups + old]
                )
    return more


def trade(problem: Problem, now: Now, a: int, b: int, width: int) -> None:
    """Swap the items of the classes of two bundles, fitting or not."""
    count = problem.span
    for k in range(width):
        one, other = problem.bundle[a + k], problem.bundle[b + k]
        mine, theirs = now.held[one], now.held[other]
        for index in range(max(mine, theirs)):
            x, y = one * count + index, other * count + index
            now.inside[x], now.inside[y] = now.inside[y], now.inside[x]
        now.held[one], now.held[other] = theirs, mine
        used, using = problem.room[one] - now.free[one], problem.room[other] - now.free[other]
        now.free[one], now.free[other] = problem.room[one] - using, problem.room[other] - used
        for group, source in ((one, other), (other, one)):
            for index in range(group * count, group * count + now.held[group]):
                item = now.inside[index]
                now.at[item] = group
                now.cache[problem.cache_of[group]] -= problem.cache[item]
                now.cache[problem.cache_of[source]] += problem.cache[item]


def sound(problem: Problem, now: Now, a: int, b: int, width: int) -> bool:
    """Whether caches hold what was swapped, and items apart are."""
    count = problem.span
    for k in range(2 * width):
        group = problem.bundle[a + k if k < width else b + k - width]
        if now.cache[problem.cache_of[group]] < 0:
            return False
        for index in range(group * count, group * count + now.held[group]):
            if not apart(problem, now.at, now.inside[index], group, -1):
                return False
    return True


def anneal(problem: Problem, now: Now, steps: int) -> int:
    """Take so many steps at a falling heat; return the best price, below that of the start.

    The best placement is in `now.found` once `keep` wrote it, see `Now.control`.
    """
    count, groups = len(problem.units), len(problem.room)
    seed, value, best = now.control[SEED], now.control[VALUE], now.control[BEST]
    sorts = len(problem.alike_begin) - 1
    for step in range(steps):
        if step % STRIDE == 0:
            now.heat[0] *= now.heat[1]
        seed = FACTOR * (seed & LOW) + (seed >> HALF)
        most = int(now.heat[0] * problem.odds[seed & (SHARES - 1)])
        kind = (seed >> 12) & 1023
        seed = FACTOR * (seed & LOW) + (seed >> HALF)
        draw = seed & LOW
        seed = FACTOR * (seed & LOW) + (seed >> HALF)
        if kind < EXCHANGES and sorts > 0:
            sort = 0 if kind >= OF_BUNDLES else kind % sorts
            first, last = problem.alike_begin[sort], problem.alike_begin[sort + 1]
            a = first + (draw * (last - first) >> HALF)
            b = first + ((seed & LOW) * (last - first) >> HALF)
            width = problem.bundle_begin[a + 1] - problem.bundle_begin[a]
            if a == b:
                continue
            a, b = problem.bundle_begin[a], problem.bundle_begin[b]
            more = exchanged(problem, now, a, b, width, most)
        else:
            item = draw * count >> HALF
            first, last = problem.begin[item], problem.begin[item + 1]
            if first < last and (seed & 1023) < NEAR:
                draw = seed >> 10 & 0x3FFFFF
                group = now.at[problem.peer[first + (draw * (last - first) >> 22)]]
            else:
                group = (seed & LOW) * groups >> HALF
            if group == now.at[item]:
                continue
            seed = FACTOR * (seed & LOW) + (seed >> HALF)
            if kind < HERDS:
                more = herded(problem, now, item, group, most, seed & LOW)
            else:
                more = moved(problem, now, item, group, most, seed & LOW)
        value += more
        if value < best:
            best = value
            now.control[FRESH] = 1
    now.control[SEED], now.control[VALUE], now.control[BEST] = seed, value, best
    return best

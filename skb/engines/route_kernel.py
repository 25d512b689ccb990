"""The inner loop of the search for trees, as one source with two arms (see `compiling`).

Plain Python over lists of whole numbers, which numba compiles as it stands over arrays; the draws
and the whole-number prices are the same in both, so both take the same steps. A move hangs a
subtree under another parent or lets two nodes or two subtrees change places; it is priced first
(`route_rows`), as nearly all moves are no good. What is moved is mostly what delays a last leaf: a
hop of a critical path, or a sibling that is sent to before it.
"""

from __future__ import annotations

from skb.engines.placement_kernel import FACTOR, HALF, LOW, SHARES, STRIDE
from skb.engines.route_rows import (
    BEST,
    CRITICAL,
    EDIT,
    FRESH,
    JOINS,
    LEAVES,
    ROOT,
    SEED,
    SENDER,
    TRIED,
    VALUE,
    WHOSE,
    Costs,
    Walk,
    priced,
    tall,
)

# out of 1024 moves: those that hang a subtree under another parent, and those that let two subtrees
# change places; the others let two nodes do so
HANGS, TRADES = 512, 192
# out of 1024 moves: those of a critical node, the others are of any node
NEEDED = 960


def settle(costs: Costs, walk: Walk, node: int, surely: int) -> None:
    """Recompute heights from a node to the root, at least so many levels above it."""
    size = len(walk.parent)
    for phase in range(len(costs.weight)):
        at, left = node, surely
        while at >= 0:
            found = tall(costs, walk, phase, at)
            if phase == 0:
                for index in range(walk.degree[at]):
                    walk.kids[at * size + index] = walk.row[index]
            if found != walk.height[phase * size + at]:
                walk.height[phase * size + at] = found
            elif left <= 0:
                break
            at, left = walk.parent[at], left - 1


def bend(costs: Costs, walk: Walk, phase: int, node: int) -> int:
    """Return the place in `row` of the child that ends last below a node that has children."""
    size = len(walk.parent)
    base = phase * size * size + node * size
    count = walk.degree[node]
    end = tall(costs, walk, phase, node)
    sent = 0
    for index in range(count):
        child = walk.row[index]
        sent += costs.first[base + child] if index == 0 else costs.further[base + child]
        if sent + walk.key[index] == end:
            return index
    return count - 1


def reported(costs: Costs, walk: Walk) -> int:
    """Return what the last leaf adds to the first phase."""
    size, node = len(walk.parent), walk.control[ROOT]
    while walk.degree[node] > 0:
        node = walk.row[bend(costs, walk, 0, node)]
    return costs.report[node * size + walk.control[ROOT]]


def worth(costs: Costs, walk: Walk) -> int:
    """Return the weighted sum of the phases and the report."""
    size, root = len(walk.parent), walk.control[ROOT]
    total = 0
    for phase in range(len(costs.weight)):
        total += costs.weight[phase] * walk.height[phase * size + root]
    if len(costs.report) > 0:
        total += reported(costs, walk)
    return total


def find_critical(costs: Costs, walk: Walk) -> None:
    """List the hops of a critical path of each phase and the siblings that are sent to earlier."""
    count = 0
    for phase in range(len(costs.weight)):
        node = walk.control[ROOT]
        while walk.degree[node] > 0:
            last = bend(costs, walk, phase, node)
            for index in range(last + 1):
                walk.critical[count] = walk.row[index]
                count += 1
            node = walk.row[last]
    walk.control[CRITICAL] = count


def inside(walk: Walk, node: int, top: int) -> bool:
    """Whether a node lies in the subtree of another."""
    while node >= 0:
        if node == top:
            return True
        node = walk.parent[node]
    return False


def hang(walk: Walk, node: int, parent: int) -> None:
    """Hang a subtree under another parent, last in its row."""
    size, old = len(walk.parent), walk.parent[node]
    at = old * size
    while walk.kids[at] != node:
        at += 1
    end = old * size + walk.degree[old] - 1
    while at < end:
        walk.kids[at] = walk.kids[at + 1]
        at += 1
    walk.degree[old] -= 1
    walk.kids[parent * size + walk.degree[parent]] = node
    walk.degree[parent] += 1
    walk.parent[node] = parent


def rename(walk: Walk, above: int, one: int, two: int) -> None:
    """Let two nodes change places in the row of a parent."""
    size = len(walk.parent)
    for at in range(above * size, above * size + walk.degree[above]):
        if walk.kids[at] == one:
            walk.kids[at] = two
        elif walk.kids[at] == two:
            walk.kids[at] = one


def exchange(walk: Walk, one: int, two: int) -> None:
    """Let two nodes change places in the tree."""
    size, a, b = len(walk.parent), walk.parent[one], walk.parent[two]
    for at in range(max(walk.degree[one], walk.degree[two])):
        x, y = one * size + at, two * size + at
        walk.kids[x], walk.kids[y] = walk.kids[y], walk.kids[x]
    walk.degree[one], walk.degree[two] = walk.degree[two], walk.degree[one]
    walk.parent[one] = two if b == one else b
    walk.parent[two] = one if a == two else a
    for node in (one, two):
        rename(walk, node, one, two)
    if a >= 0 and a != one and a != two:
        rename(walk, a, one, two)
    if b >= 0 and b != a and b != one and b != two:
        rename(walk, b, one, two)
    for node in (one, two):
        for at in range(node * size, node * size + walk.degree[node]):
            walk.parent[walk.kids[at]] = node
    if walk.control[ROOT] == one:
        walk.control[ROOT] = two
    elif walk.control[ROOT] == two:
        walk.control[ROOT] = one


def fits(costs: Costs, walk: Walk, place: int, node: int) -> bool:
    """Whether a node may stand in the place of another, which may be next to it in the tree."""
    size, above = len(walk.parent), walk.parent[place]
    if above < 0:
        if costs.roots[node] == 0:
            return False
    elif costs.allowed[(place if above == node else above) * size + node] == 0:
        return False
    for at in range(place * size, place * size + walk.degree[place]):
        child = place if walk.kids[at] == node else walk.kids[at]
        if costs.allowed[node * size + child] == 0:
            return False
    return True


def keep(walk: Walk) -> None:
    """Write the tree down as the best one."""
    for node in range(len(walk.parent)):
        walk.found[node] = walk.parent[node]
    walk.control[FRESH] = 0


def depth(walk: Walk, node: int) -> int:
    """Return how many hops a node is from the root."""
    hops = 0
    while walk.parent[node] >= 0:
        node = walk.parent[node]
        hops += 1
    return hops


def note(walk: Walk, at: int, whose: int, sender: int, leaves: int, joins: int) -> None:
    """Note a row of the edit."""
    walk.edit[at + WHOSE], walk.edit[at + SENDER] = whose, sender
    walk.edit[at + LEAVES], walk.edit[at + JOINS] = leaves, joins


def promised(costs: Costs, walk: Walk, levels: int, limit: int) -> int:
    """Return the value after the edit but for the report, or -1 where it is beyond the limit."""
    total = 0
    for phase in range(len(costs.weight)):
        total += costs.weight[phase] * priced(costs, walk, phase, levels)
        if total > limit:
            return -1
    return total


def ready(walk: Walk) -> None:
    """Write a tree down that is the best, before it is changed."""
    if walk.control[FRESH] != 0:
        keep(walk)


def move_child(costs: Costs, walk: Walk, node: int, parent: int) -> None:
    """Hang a subtree elsewhere."""
    old = walk.parent[node]
    hang(walk, node, parent)
    settle(costs, walk, old, 1)
    settle(costs, walk, parent, 1)


def try_hang(costs: Costs, walk: Walk, node: int, parent: int, limit: int) -> int:
    """Hang a subtree elsewhere; return the new value, or -1 where that is not admissible, no good.

    What is no good is not done, or undone.
    """
    size, old = len(walk.parent), walk.parent[node]
    if (
        old < 0
        or parent == old
        or costs.allowed[parent * size + node] == 0
        or walk.degree[parent] >= costs.fan_out[0]
        or inside(walk, parent, node)
    ):
        return -1
    levels = depth(walk, old) - depth(walk, parent)
    note(walk, 0 if levels >= 0 else EDIT, old, old, node, -1)
    note(walk, EDIT if levels >= 0 else 0, parent, parent, -1, node)
    found = promised(costs, walk, abs(levels), limit)
    if found < 0:
        return -1
    ready(walk)
    move_child(costs, walk, node, parent)
    if len(costs.report) > 0:
        found += reported(costs, walk)
        if found > limit:
            move_child(costs, walk, node, old)
            return -1
    return found


def move_node(costs: Costs, walk: Walk, one: int, two: int, levels: int) -> None:
    """Let two nodes change places, of which the first lies so many levels deeper."""
    exchange(walk, one, two)
    settle(costs, walk, two if levels >= 0 else one, 2)
    settle(costs, walk, one if levels >= 0 else two, 2)


def try_swap(costs: Costs, walk: Walk, one: int, two: int, limit: int) -> int:
    """Let two nodes change places; return the new value, or -1 where that is no good."""
    if one == two or not (
        costs.fan_out[1] == 0 or (fits(costs, walk, one, two) and fits(costs, walk, two, one))
    ):
        return -1
    levels = depth(walk, one) - depth(walk, two)
    note(walk, 0 if levels >= 0 else EDIT, one, two, -1, -1)
    note(walk, EDIT if levels >= 0 else 0, two, one, -1, -1)
    found = promised(costs, walk, abs(levels), limit)
    if found < 0:
        return -1
    ready(walk)
    move_node(costs, walk, one, two, levels)
    if len(costs.report) > 0:
        found += reported(costs, walk)
        if found > limit:
            move_node(costs, walk, one, two, -levels)
            return -1
    return found


def move_both(costs: Costs, walk: Walk, one: int, two: int, levels: int) -> None:
    """Let two subtrees change places, of which the first hangs so many levels deeper."""
    a, b = walk.parent[one], walk.parent[two]
    hang(walk, one, b)
    hang(walk, two, a)
    settle(costs, walk, a if levels >= 0 else b, 1)
    settle(costs, walk, b if levels >= 0 else a, 1)


def try_trade(costs: Costs, walk: Walk, one: int, two: int, limit: int) -> int:
    """Let two subtrees change places; return the new value, or -1 where that is no good."""
    size, a, b = len(walk.parent), walk.parent[one], walk.parent[two]
    if (
        a < 0
        or b < 0
        or a == b
        or costs.allowed[a * size + two] == 0
        or costs.allowed[b * size + one] == 0
        or inside(walk, a, two)
        or inside(walk, b, one)
    ):
        return -1
    levels = depth(walk, a) - depth(walk, b)
    note(walk, 0 if levels >= 0 else EDIT, a, a, one, two)
    note(walk, EDIT if levels >= 0 else 0, b, b, two, one)
    found = promised(costs, walk, abs(levels), limit)
    if found < 0:
        return -1
    ready(walk)
    move_both(costs, walk, one, two, levels)
    if len(costs.report) > 0:
        found += reported(costs, walk)
        if found > limit:
            move_both(costs, walk, one, two, levels)
            return -1
    return found


def wander(costs: Costs, walk: Walk, moves: int, goal: int) -> int:
    """Try so many moves at a falling heat, fewer where the goal is met; return the best value.

    The best tree is in `walk.found` once `keep` wrote it, see `Walk.control`.
    """
    size, seed, value = len(walk.parent), walk.control[SEED], walk.control[VALUE]
    for _ in range(moves):
        if walk.control[TRIED] % STRIDE == 0:
            walk.heat[0] *= walk.heat[1]
        walk.control[TRIED] += 1
        seed = FACTOR * (seed & LOW) + (seed >> HALF)
        limit = value + int(walk.heat[0] * costs.odds[seed & (SHARES - 1)])
        kind, needed = (seed >> 12) & 1023, (seed >> 22) & 1023
        seed = FACTOR * (seed & LOW) + (seed >> HALF)
        if needed < NEEDED:
            node = walk.critical[(seed & LOW) * walk.control[CRITICAL] >> HALF]
        else:
            node = (seed & LOW) * size >> HALF
        seed = FACTOR * (seed & LOW) + (seed >> HALF)
        other = (seed & LOW) * size >> HALF
        if kind < HANGS:
            found = try_hang(costs, walk, node, other, limit)
        elif kind < HANGS + TRADES:
            found = try_trade(costs, walk, node, other, limit)
        else:
            found = try_swap(costs, walk, node, other, limit)
        if found < 0:
            continue
        value = found
        find_critical(costs, walk)
        if value < walk.control[BEST]:
            walk.control[BEST], walk.control[FRESH] = value, 1
            if value <= goal:
                break
    walk.control[SEED], walk.control[VALUE] = seed, value
    return walk.control[BEST]

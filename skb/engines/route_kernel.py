"""The inner loop of the search for trees, as one source with two arms (see `compiling`).

Plain Python over lists of whole numbers, which numba compiles as it stands over arrays; the draws
and the whole-number prices are the same in both, so both take the same steps. A move hangs a
subtree under another parent or lets two nodes or two subtrees change places; heights are recomputed
from the changed places upwards until they stay as they were. What is moved is mostly what delays a
last leaf: a hop of a critical path, or a sibling that is sent to before it.
"""

from __future__ import annotations

from typing import NamedTuple

from skb.engines.placement_kernel import FACTOR, HALF, LOW, SHARES, STRIDE

Words = list[int]

# what `Walk.control` holds: the generator, the value now, the best value, whether the best tree is
# the present one and not yet written down, the root, entries of the undo log, critical nodes, moves
SEED, VALUE, BEST, FRESH, ROOT, UNDO, CRITICAL, TRIED = range(8)
# out of 1024 moves: those that hang a subtree under another parent, and those that let two subtrees
# change places; the others let two nodes do so
HANGS, TRADES = 512, 192
# out of 1024 moves: those of a critical node, the others are of any node
NEEDED = 960


class Costs(NamedTuple):
    """What does not change: costs of each phase, by sender and receiver, one phase behind another;
    weights; which sends and roots are allowed; what the last leaf adds (empty: nothing); how many
    children a node may have; quantiles of the odds.
    """

    first: Words
    further: Words
    tail: Words
    weight: Words
    allowed: Words
    roots: Words
    report: Words
    fan_out: Words
    odds: list[float]


class Walk(NamedTuple):
    """What changes: parents, children by node (`degree` of a row of all nodes), heights by phase
    and node, the best parents, scratch for one row, the undo log, and the heat with its factor.
    """

    parent: Words
    degree: Words
    kids: Words
    height: Words
    found: Words
    row: Words
    key: Words
    end: Words
    undo: Words
    critical: Words
    control: Words
    heat: list[float]


def sort_row(costs: Costs, walk: Walk, phase: int, node: int) -> int:
    """Lay out the children of a node in `row`, with falling tails in `key`; return their count."""
    size, count = len(walk.parent), walk.degree[node]
    base, at = phase * size * size + node * size, node * size
    for index in range(count):
        child = walk.kids[at + index]
        key = costs.tail[base + child] + walk.height[phase * size + child]
        place = index
        while place > 0 and (
            walk.key[place - 1] < key
            or (walk.key[place - 1] == key and walk.row[place - 1] < child)
        ):
            walk.key[place], walk.row[place] = walk.key[place - 1], walk.row[place - 1]
            place -= 1
        walk.key[place], walk.row[place] = key, child
    if phase == 0:
        for index in range(count):
            walk.kids[at + index] = walk.row[index]
    return count


def tall(costs: Costs, walk: Walk, phase: int, node: int) -> int:
    """Return the time from informing a node to the end of its subtree, in the best order.

    With gaps the child to go first is left in `row` at place 0, see `route_tree`.
    """
    size, count = len(walk.parent), walk.degree[node]
    base = phase * size * size + node * size
    if count == 0:
        return 0
    if count == 1:
        child = walk.kids[node * size]
        walk.row[0] = child
        walk.key[0] = costs.tail[base + child] + walk.height[phase * size + child]
        return costs.first[base + child] + walk.key[0]
    sort_row(costs, walk, phase, node)
    sent, plain, same = 0, 0, True
    for index in range(count):
        child = walk.row[index]
        sent += costs.further[base + child]
        same = same and costs.further[base + child] == costs.first[base + child]
        walk.end[index] = sent + walk.key[index]
        plain = max(plain, walk.end[index])
    if same:
        return plain
    after = 0
    for index in range(count - 1, -1, -1):
        # what stands behind, in the upper half of the scratch
        walk.end[size + index] = after
        after = max(after, walk.end[index])
    best, chosen, before = -1, 0, 0
    for index in range(count):
        child = walk.row[index]
        rest = walk.end[size + index] - costs.further[base + child]
        last = costs.first[base + child] + max(max(walk.key[index], before), rest)
        if best < 0 or last < best:
            best, chosen = last, index
        before = max(before, walk.end[index])
    child, key = walk.row[chosen], walk.key[chosen]
    for index in range(chosen, 0, -1):
        walk.row[index], walk.key[index] = walk.row[index - 1], walk.key[index - 1]
    walk.row[0], walk.key[0] = child, key
    return best


def climb(costs: Costs, walk: Walk, node: int, surely: int) -> None:
    """Recompute heights from a node to the root, at least so many levels above it."""
    size, log = len(walk.parent), walk.control[UNDO]
    for phase in range(len(costs.weight)):
        at, left = node, surely
        while at >= 0:
            found = tall(costs, walk, phase, at)
            place = phase * size + at
            if found != walk.height[place]:
                walk.undo[log], walk.undo[log + 1] = place, walk.height[place]
                log += 2
                walk.height[place] = found
            elif left <= 0:
                break
            at, left = walk.parent[at], left - 1
    walk.control[UNDO] = log


def take_back(walk: Walk) -> None:
    """Undo all changes of heights since the last move was kept."""
    log = walk.control[UNDO]
    while log > 0:
        log -= 2
        walk.height[walk.undo[log]] = walk.undo[log + 1]
    walk.control[UNDO] = 0


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


def worth(costs: Costs, walk: Walk, limit: int) -> int:
    """Return the weighted sum of the phases and, where that is within the limit, the report."""
    size, root = len(walk.parent), walk.control[ROOT]
    total = 0
    for phase in range(len(costs.weight)):
        total += costs.weight[phase] * walk.height[phase * size + root]
    if len(costs.report) > 0 and total <= limit:
        node = root
        while walk.degree[node] > 0:
            node = walk.row[bend(costs, walk, 0, node)]
        total += costs.report[node * size + root]
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


def fits(costs: Costs, walk: Walk, node: int) -> bool:
    """Whether a node may send to its children, and its parent to it."""
    size, above = len(walk.parent), walk.parent[node]
    if above >= 0 and costs.allowed[above * size + node] == 0:
        return False
    for at in range(node * size, node * size + walk.degree[node]):
        if costs.allowed[node * size + walk.kids[at]] == 0:
            return False
    return True


def keep(walk: Walk) -> None:
    """Write the tree down as the best one."""
    for node in range(len(walk.parent)):
        walk.found[node] = walk.parent[node]
    walk.control[FRESH] = 0


def try_hang(costs: Costs, walk: Walk, node: int, parent: int, limit: int) -> int:
    """Hang a subtree elsewhere; return the new value, or -1 where that is not admissible, no good.

    What is no good is undone.
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
    if walk.control[FRESH] != 0:
        keep(walk)
    hang(walk, node, parent)
    climb(costs, walk, old, 1)
    climb(costs, walk, parent, 1)
    found = worth(costs, walk, limit)
    if found <= limit:
        return found
    hang(walk, node, old)
    take_back(walk)
    return -1


def try_swap(costs: Costs, walk: Walk, one: int, two: int, limit: int) -> int:
    """Let two nodes change places; return the new value, or -1 where that is no good and undone."""
    if one == two:
        return -1
    if walk.control[FRESH] != 0:
        keep(walk)
    exchange(walk, one, two)
    if fits(costs, walk, one) and fits(costs, walk, two) and costs.roots[walk.control[ROOT]] != 0:
        deep, high = two, one
        if inside(walk, one, two):
            deep, high = one, two
        climb(costs, walk, deep, 2)
        climb(costs, walk, high, 2)
        found = worth(costs, walk, limit)
        if found <= limit:
            return found
        take_back(walk)
    exchange(walk, one, two)
    return -1


def try_trade(costs: Costs, walk: Walk, one: int, two: int, limit: int) -> int:
    """Let two subtrees change places; return the new value, or -1 where that is no good, undone."""
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
    if walk.control[FRESH] != 0:
        keep(walk)
    hang(walk, one, b)
    hang(walk, two, a)
    deep, high = b, a
    if inside(walk, a, b):
        deep, high = a, b
    climb(costs, walk, deep, 1)
    climb(costs, walk, high, 1)
    found = worth(costs, walk, limit)
    if found <= limit:
        return found
    hang(walk, one, a)
    hang(walk, two, b)
    take_back(walk)
    return -1


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
        walk.control[UNDO] = 0
        value = found
        find_critical(costs, walk)
        if value < walk.control[BEST]:
            walk.control[BEST], walk.control[FRESH] = value, 1
            if value <= goal:
                break
    walk.control[SEED], walk.control[VALUE] = seed, value
    return walk.control[BEST]

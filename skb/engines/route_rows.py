"""Heights of rows in the walk through trees, as one source with two arms (see `compiling`).

`priced` looks ahead: it prices a change of one or two rows without carrying it out. What changes
climbs from the rows that change towards the root, and ends where a height stays as it was.
"""

from __future__ import annotations

from typing import NamedTuple

Words = list[int]

# what `Walk.control` holds: the generator, the value now, the best value, whether the best tree is
# the present one and not yet written down, the root, critical nodes, moves
SEED, VALUE, BEST, FRESH, ROOT, CRITICAL, TRIED = range(7)
# what `Walk.edit` holds of each of two rows: whose it is, who sends it from then on, who leaves it,
# who joins it
WHOSE, SENDER, LEAVES, JOINS = range(4)
EDIT = 4


class Costs(NamedTuple):
    """What does not change: costs of each phase, by sender and receiver, one phase behind another;
    by phase the weight and whether first sends differ; which sends and roots are allowed; what the
    last leaf adds (empty: nothing); how many children a node may have and whether a send or a root
    is barred; quantiles of the odds.
    """

    first: Words
    further: Words
    tail: Words
    weight: Words
    bursts: Words
    allowed: Words
    roots: Words
    report: Words
    fan_out: Words
    odds: list[float]


class Walk(NamedTuple):
    """What changes: parents, children by node (`degree` of a row of all nodes), heights by phase
    and node, the best parents, scratch for one row, the edit to be priced, and the heat with its
    factor.
    """

    parent: Words
    degree: Words
    kids: Words
    height: Words
    found: Words
    row: Words
    key: Words
    end: Words
    edit: Words
    critical: Words
    control: Words
    heat: list[float]


def enter(walk: Walk, count: int, child: int, key: int) -> None:
    """Put a child into the scratch row of so many, which stands by falling tails."""
    place = count
    while place > 0 and (
        walk.key[place - 1] < key or (walk.key[place - 1] == key and walk.row[place - 1] < child)
    ):
        walk.key[place], walk.row[place] = walk.key[place - 1], walk.row[place - 1]
        place -= 1
    walk.key[place], walk.row[place] = key, child


def gather(
    costs: Costs, walk: Walk, phase: int, whose: int, sender: int, one: int, two: int
) -> int:
    """Lay out a node's row in the scratch, as another would send it, without two; count it."""
    size, count = len(walk.parent), 0
    tails, heights, at = (phase * size + sender) * size, phase * size, whose * size
    for index in range(at, at + walk.degree[whose]):
        child = walk.kids[index]
        if child != one and child != two:
            enter(walk, count, child, costs.tail[tails + child] + walk.height[heights + child])
            count += 1
    return count


def ending(costs: Costs, walk: Walk, phase: int, sender: int, count: int) -> int:
    """Return when the last of the scratch row is done, in the best order."""
    size = len(walk.parent)
    base, sent, last = (phase * size + sender) * size, 0, 0
    if costs.bursts[phase] != 0 and count > 0:
        return bursting(costs, walk, base, count)
    for index in range(count):
        sent += costs.first[base + walk.row[index]]
        last = max(last, sent + walk.key[index])
    return last


def bursting(costs: Costs, walk: Walk, base: int, count: int) -> int:
    """Return the same where first sends differ; the child to go first comes to place 0 of the row.

    See `route_tree`.
    """
    size, sent = len(walk.parent), 0
    for index in range(count):
        sent += costs.further[base + walk.row[index]]
        walk.end[index] = sent + walk.key[index]
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


def tall(costs: Costs, walk: Walk, phase: int, node: int) -> int:
    """Return the time from informing a node to the end of its subtree; its row is in the scratch.

    With gaps the child to go first is left in `row` at place 0.
    """
    return ending(costs, walk, phase, node, gather(costs, walk, phase, node, node, -1, -1))


def lifted(costs: Costs, walk: Walk, phase: int, node: int, label: int, high: int) -> int:
    """Return the height of a node's parent, where another stands in its place, so high."""
    size, above = len(walk.parent), walk.parent[node]
    count = gather(costs, walk, phase, above, above, node, -1)
    enter(walk, count, label, costs.tail[(phase * size + above) * size + label] + high)
    return ending(costs, walk, phase, above, count + 1)


def edited(
    costs: Costs, walk: Walk, phase: int, edit: int, node: int, label: int, high: int
) -> int:
    """Return the height of an edited row, where a child of it may have changed as in `lifted`."""
    size, sender = len(walk.parent), walk.edit[edit + SENDER]
    base = (phase * size + sender) * size
    whose, joins = walk.edit[edit + WHOSE], walk.edit[edit + JOINS]
    count = gather(costs, walk, phase, whose, sender, walk.edit[edit + LEAVES], node)
    if joins >= 0:
        enter(walk, count, joins, costs.tail[base + joins] + walk.height[phase * size + joins])
        count += 1
    if node >= 0:
        enter(walk, count, label, costs.tail[base + label] + high)
        count += 1
    return ending(costs, walk, phase, sender, count)


def joined(
    costs: Costs, walk: Walk, phase: int, one: int, label: int, high: int,
    two: int, name: int, top: int,
) -> int:  # fmt: skip
    """Return the height of the parent of two nodes that have both changed."""
    size, above = len(walk.parent), walk.parent[one]
    base = (phase * size + above) * size
    count = gather(costs, walk, phase, above, above, one, two)
    enter(walk, count, label, costs.tail[base + label] + high)
    enter(walk, count + 1, name, costs.tail[base + name] + top)
    return ending(costs, walk, phase, above, count + 2)


def changed(walk: Walk, phase: int, node: int, label: int, high: int) -> bool:
    """Whether a place has another node or another height than before."""
    return label != node or high != walk.height[phase * len(walk.parent) + node]


def climbed(costs: Costs, walk: Walk, phase: int, node: int, label: int, high: int) -> int:
    """Return the height of the root where one place has changed."""
    while changed(walk, phase, node, label, high):
        above = walk.parent[node]
        if above < 0:
            return high
        high = lifted(costs, walk, phase, node, label, high)
        node = label = above
    return walk.height[phase * len(walk.parent) + walk.control[ROOT]]


def priced(costs: Costs, walk: Walk, phase: int, levels: int) -> int:
    """Return the root's height after the edit; the first row lies so many levels deeper."""
    low, label = walk.edit[WHOSE], walk.edit[SENDER]
    node, name = walk.edit[EDIT + WHOSE], walk.edit[EDIT + SENDER]
    high = edited(costs, walk, phase, 0, -1, -1, 0)
    while levels > 0 and changed(walk, phase, low, label, high):
        above = walk.parent[low]
        if above == node:
            top = edited(costs, walk, phase, EDIT, low, label, high)
            return climbed(costs, walk, phase, node, name, top)
        high = lifted(costs, walk, phase, low, label, high)
        low = label = above
        levels -= 1
    top = edited(costs, walk, phase, EDIT, -1, -1, 0)
    while changed(walk, phase, low, label, high) and changed(walk, phase, node, name, top):
        above, beside = walk.parent[low], walk.parent[node]
        if above == beside:
            high = joined(costs, walk, phase, low, label, high, node, name, top)
            return climbed(costs, walk, phase, above, above, high)
        high = lifted(costs, walk, phase, low, label, high)
        top = lifted(costs, walk, phase, node, name, top)
        low = label = above
        node = name = beside
    if changed(walk, phase, low, label, high):
        return climbed(costs, walk, phase, low, label, high)
    return climbed(costs, walk, phase, node, name, top)

"""One sweep of the prices of nodes, as one source with two arms (see `compiling`).

The relaxation of `route_prices` with a price for each node: V_A(j, t) is the most that a free node
A gathers in t steps when at most j of its own group are informed below it by sends inside the
group. Prices are whole numbers in floats and their sums stay below 2**53, so all sums are exact.
"""

from __future__ import annotations

from typing import NamedTuple

Words = list[int]
Reals = list[float]

VISITS = 256


class Nodes(NamedTuple):
    """Durations in steps by role (first send, further ones), sender and receiver; the group of each
    node; the largest group, the steps, the block (the shortest duration) and the roles; the table
    by role, node, j and time, what entering a node brings by node and time, and counts.
    """

    busy: Words
    arrive: Words
    group: Words
    shape: Words
    price: Reals
    table: Reals
    entry: Reals
    counts: Words
    stack: Words


def better(values: Reals, into: int, one: int, two: int, count: int, extra: float) -> None:
    """Raise values to the sum of two others and a constant, element by element."""
    for at in range(count):
        found = values[one + at] + values[two + at] + extra
        if found > values[into + at]:
            values[into + at] = found


def entered(values: Reals, entry: Reals, into: int, one: int, two: int, count: int) -> None:
    """Raise values to the sum of an entry and another value, element by element."""
    for at in range(count):
        found = entry[one + at] + values[two + at]
        if found > values[into + at]:
            values[into + at] = found


def raise_block(nodes: Nodes, role: int, node: int, owed: int, start: int, stop: int) -> None:
    """Fill the table of one node for a block of times."""
    size, most, width = len(nodes.group), nodes.shape[0], nodes.shape[1] + 1
    onward = min(role + 1, nodes.shape[3] - 1)
    here = ((role * size + node) * most + owed) * width
    level = nodes.table[here + start - 1]
    for time in range(start, stop):
        nodes.table[here + time] = level
    for other in range(size):
        edge = (role * size + node) * size + other
        arrive, busy = nodes.arrive[edge], nodes.busy[edge]
        begin = max(start, arrive)
        if other == node or begin >= stop:
            continue
        if nodes.group[other] != nodes.group[node]:
            after = ((onward * size + node) * most + owed) * width
            entered(
                nodes.table, nodes.entry, here + begin, other * width + begin - arrive,
                after + begin - busy, stop - begin,
            )  # fmt: skip
            continue
        for share in range(owed):
            below = (other * most + share) * width
            after = ((onward * size + node) * most + owed - 1 - share) * width
            better(
                nodes.table, here + begin, below + begin - arrive, after + begin - busy,
                stop - begin, nodes.price[other],
            )  # fmt: skip
    for time in range(start, stop):
        level = max(level, nodes.table[here + time])
        nodes.table[here + time] = level


def sweep(nodes: Nodes) -> None:
    """Fill the tables for the prices."""
    size, most, steps = len(nodes.group), nodes.shape[0], nodes.shape[1]
    width = steps + 1
    for at in range(len(nodes.table)):
        nodes.table[at] = 0.0
    for node in range(size):
        nodes.entry[node * width] = nodes.price[node]
    start = 1
    while start <= steps:
        stop = min(start + nodes.shape[2], steps + 1)
        for role in range(nodes.shape[3]):
            for node in range(size):
                for owed in range(most):
                    raise_block(nodes, role, node, owed, start, stop)
        for node in range(size):
            # nobody owes more than the rest of its group
            top = (node * most + nodes.shape[4 + node] - 1) * width
            for time in range(start, stop):
                nodes.entry[node * width + time] = nodes.price[node] + nodes.table[top + time]
        start = stop


def chosen(nodes: Nodes, role: int, node: int, owed: int, time: int, top: int) -> int:
    """Count the receiver that a best tree sends to next; return the new top of the stack."""
    size, most, width = len(nodes.group), nodes.shape[0], nodes.shape[1] + 1
    onward = min(role + 1, nodes.shape[3] - 1)
    value = nodes.table[((role * size + node) * most + owed) * width + time]
    for other in range(size):
        edge = (role * size + node) * size + other
        arrive, busy = nodes.arrive[edge], nodes.busy[edge]
        if other == node or arrive > time:
            continue
        inner = nodes.group[other] == nodes.group[node]
        for share in range(owed if inner else 1):
            left = owed - 1 - share if inner else owed
            with_it = share if inner else nodes.shape[4 + other] - 1
            below = nodes.table[(other * most + with_it) * width + time - arrive]
            after = nodes.table[((onward * size + node) * most + left) * width + time - busy]
            if nodes.price[other] + below + after == value and top + 8 <= len(nodes.stack):
                nodes.counts[other] += 1
                nodes.stack[top], nodes.stack[top + 1] = 0, other
                nodes.stack[top + 2], nodes.stack[top + 3] = with_it, time - arrive
                nodes.stack[top + 4], nodes.stack[top + 5] = onward, node
                nodes.stack[top + 6], nodes.stack[top + 7] = left, time - busy
                return top + 8
    return top


def count(nodes: Nodes, root: int, time: int) -> None:
    """Count how often each node is informed in a tree that gathers most in a time.

    Where sends are short such a tree grows without end; it is followed for VISITS per node.
    """
    size, most, width = len(nodes.group), nodes.shape[0], nodes.shape[1] + 1
    for node in range(size):
        nodes.counts[node] = 0
    nodes.counts[root] = 1
    nodes.stack[0], nodes.stack[1] = 0, root
    nodes.stack[2], nodes.stack[3] = nodes.shape[4 + root] - 1, time
    top, visits = 4, VISITS * size
    while top > 0 and visits > 0:
        top, visits = top - 4, visits - 1
        role, node = nodes.stack[top], nodes.stack[top + 1]
        owed, left = nodes.stack[top + 2], nodes.stack[top + 3]
        here = ((role * size + node) * most + owed) * width
        if nodes.table[here + left] <= 0.0:
            continue
        while left > 0 and nodes.table[here + left - 1] == nodes.table[here + left]:
            left -= 1
        top = chosen(nodes, role, node, owed, left, top)

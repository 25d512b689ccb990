"""Every tree that could be better, in order of time, as one source with two arms (see `compiling`).

The proof for operations whose one tree serves several phases or whose last leaf reports: the best
trees of the phases differ, and who reports depends on the order of sending. Sends are added in the
order in which they end, so each way to send is met; a branch ends where the bounds of its phases
leave nothing to gain: nobody is informed before what was sent last, a later phase takes no less
than over the part of the tree that stands, and from a root no phase takes less than its optimum.
"""

from __future__ import annotations

from typing import NamedTuple

from skb.engines.route_rows import ROOT, Costs, Walk, tall

Words = list[int]

# what `Hunt.control` holds: sends that stand, the best value, steps done, when the last send ended,
# whether the tree with the best value was met here
DEPTH, LEAST, STEPS, ENDED, MET = range(5)


class Hunt(NamedTuple):
    """By node: when it is informed (below 0: not yet), until when it sends, its quickest way in;
    by phase and root what it takes at least, then by root what the report does; by send that
    stands, the pair to be tried next, when the one before ended, until when its sender had sent,
    and all heights before; the best parents and places in their rows; when each can be reached.
    """

    time: Words
    busy: Words
    way_in: Words
    least: Words
    pick: Words
    ended: Words
    before: Words
    height: Words
    found: Words
    place: Words
    reach: Words
    control: Words


def arrival(costs: Costs, walk: Walk, hunt: Hunt, sender: int, node: int) -> int:
    """Return when a node is informed if sent to next, -1 where that is barred or out of turn."""
    size = len(walk.parent)
    pair = sender * size + node
    if costs.allowed[pair] == 0 or walk.degree[sender] >= costs.fan_out[0]:
        return -1
    sent = hunt.busy[sender]
    sent += costs.further[pair] if walk.degree[sender] > 0 else costs.first[pair]
    return -1 if sent < hunt.control[ENDED] else sent + costs.tail[pair]


def open_to(costs: Costs, walk: Walk, hunt: Hunt, sender: int, node: int) -> int:
    """Return a time before which a sender cannot inform a node, sooner or later; -1 where never."""
    pair = sender * len(walk.parent) + node
    if costs.allowed[pair] == 0 or walk.degree[sender] >= costs.fan_out[0]:
        return -1
    sent = hunt.busy[sender] + min(costs.first[pair], costs.further[pair])
    return max(sent, hunt.control[ENDED]) + costs.tail[pair]


def first_end(costs: Costs, walk: Walk, hunt: Hunt) -> int:
    """Return what the first phase takes at least, -1 where somebody cannot be informed."""
    size, last, soonest = len(walk.parent), 0, -1
    for node in range(size):
        if hunt.time[node] >= 0:
            last = max(last, hunt.time[node])
            continue
        direct = -1
        for sender in range(size):
            if hunt.time[sender] >= 0:
                found = open_to(costs, walk, hunt, sender, node)
                if found >= 0 and (direct < 0 or found < direct):
                    direct = found
        hunt.reach[node] = direct
        if direct >= 0 and (soonest < 0 or direct < soonest):
            soonest = direct
    for node in range(size):
        if hunt.time[node] < 0:
            if soonest < 0:
                return -1
            direct, later = hunt.reach[node], soonest + hunt.way_in[node]
            last = max(last, later if direct < 0 else min(direct, later))
    return last


def hopeful(costs: Costs, walk: Walk, hunt: Hunt) -> bool:
    """Whether a better tree may hold what stands."""
    size, root = len(walk.parent), walk.control[ROOT]
    end = first_end(costs, walk, hunt)
    if end < 0:
        return False
    total = costs.weight[0] * max(end, hunt.least[root])
    for phase in range(1, len(costs.weight)):
        at = phase * size + root
        total += costs.weight[phase] * max(walk.height[at], hunt.least[at])
    return total + hunt.least[len(costs.weight) * size + root] < hunt.control[LEAST]


def judge(costs: Costs, walk: Walk, hunt: Hunt) -> None:
    """Keep a whole tree where it is better than the best."""
    size, root = len(walk.parent), walk.control[ROOT]
    end, last = -1, root
    for node in range(size):
        if walk.degree[node] == 0 and hunt.time[node] > end:
            end, last = hunt.time[node], node
    total = costs.weight[0] * end
    for phase in range(1, len(costs.weight)):
        total += costs.weight[phase] * walk.height[phase * size + root]
    if len(costs.report) > 0:
        total += costs.report[last * size + root]
    if total < hunt.control[LEAST]:
        hunt.control[LEAST], hunt.control[MET] = total, 1
        for node in range(size):
            hunt.found[node] = walk.parent[node]
            for at in range(walk.degree[node]):
                hunt.place[walk.kids[node * size + at]] = at


def send(costs: Costs, walk: Walk, hunt: Hunt, sender: int, node: int, time: int) -> None:
    """Add a send."""
    size, depth = len(walk.parent), hunt.control[DEPTH]
    heights = len(walk.height)
    for at in range(heights):
        hunt.height[depth * heights + at] = walk.height[at]
    hunt.ended[depth], hunt.before[depth] = hunt.control[ENDED], hunt.busy[sender]
    ends = time - costs.tail[sender * size + node]
    hunt.control[ENDED] = hunt.busy[sender] = ends
    hunt.time[node] = hunt.busy[node] = time
    walk.kids[sender * size + walk.degree[sender]] = node
    walk.degree[sender] += 1
    walk.parent[node] = sender
    for phase in range(1, len(costs.weight)):
        at = sender
        while at >= 0:
            high = tall(costs, walk, phase, at)
            if high == walk.height[phase * size + at]:
                break
            walk.height[phase * size + at] = high
            at = walk.parent[at]
    hunt.control[DEPTH] = depth + 1
    hunt.pick[depth + 1] = 0


def take_back(walk: Walk, hunt: Hunt) -> None:
    """Take the last send back."""
    size, heights = len(walk.parent), len(walk.height)
    depth = hunt.control[DEPTH] - 1
    hunt.control[DEPTH] = depth
    pair = hunt.pick[depth] - 1
    sender, node = pair // size, pair % size
    walk.degree[sender] -= 1
    walk.parent[node] = hunt.time[node] = -1
    hunt.busy[sender], hunt.control[ENDED] = hunt.before[depth], hunt.ended[depth]
    for at in range(heights):
        walk.height[at] = hunt.height[depth * heights + at]


def hunt_on(costs: Costs, walk: Walk, hunt: Hunt, most: int) -> bool:
    """Go on for so many steps; return whether all trees from the root are done."""
    size = len(walk.parent)
    for _ in range(most):
        depth = hunt.control[DEPTH]
        pair = hunt.pick[depth]
        if pair >= size * size or depth >= size - 1:
            if depth == 0:
                return True
            take_back(walk, hunt)
            continue
        hunt.pick[depth] = pair + 1
        sender, node = pair // size, pair % size
        if hunt.time[sender] < 0 or hunt.time[node] >= 0:
            continue
        time = arrival(costs, walk, hunt, sender, node)
        if time < 0:
            continue
        hunt.control[STEPS] += 1
        send(costs, walk, hunt, sender, node, time)
        if depth + 1 == size - 1:
            judge(costs, walk, hunt)
        elif not hopeful(costs, walk, hunt):
            hunt.pick[depth + 1] = size * size
    return False

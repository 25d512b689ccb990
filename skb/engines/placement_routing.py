"""Traffic that is routed through groups of tasks, which makes bounds from eigenvalues stronger.

Where latency obeys the triangle inequality, traffic from i to j costs at most what it costs by way
of other tasks; so a graph costs at least what another one costs whose traffic can be sent through
it, all at once, within its weights (a multicommodity flow). Here the traffic that leaves a group
is sent through the group's own edges from the task where it is to all its tasks, by their sizes.
Then the tasks of a group have the same neighbours, and a relaxation that moves one of them a little
towards its own neighbours, which costs only the square of the way, gains nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from skb.engines.placement_spectrum import Floats, Ints, Level

# share of an edge that may be used up, the least share of traffic for which a group is kept whole,
# and the times that flows are moved away from what they crowd
SHARE, KEPT, MOVED = 0.8, 0.6, 3


@dataclass(frozen=True, slots=True)
class _Flow:
    """What of a group's outer traffic is spread, and what that takes of its edges."""

    share: float
    taken: Floats
    crowded: tuple[int, int]


def gathered(
    level: Level, groups: Sequence[Sequence[int]], least: float = KEPT
) -> tuple[Level, list[list[int]]]:
    """Return the level with its traffic routed, and the groups without tasks that talk more
    outwards than their group can carry a share `least` of.
    """
    weights = -level.graph.copy()
    np.fill_diagonal(weights, 0.0)
    kept: list[list[int]] = []
    matrix = np.eye(len(weights))
    taken = np.zeros_like(weights)
    left = [list(group) for group in groups]
    while left:
        group = left.pop()
        if len(group) == 1:
            kept.append(group)
            continue
        inner = weights[np.ix_(group, group)]
        pieces = _connected(inner, range(len(group)))
        if len(pieces) > 1:
            # nothing can be sent between the pieces
            whole = [group] if not least else []
            kept += whole
            left += [] if whole else [[group[n] for n in piece] for piece in pieces]
            continue
        outer = weights[group].sum(axis=1) - inner.sum(axis=1)
        sizes = level.sizes[group] / float(np.sum(level.sizes[group]))
        flow = _flow(inner, outer, sizes)
        if flow.share < least:
            a, b = flow.crowded
            lone = a if inner[a].sum() <= inner[b].sum() else b
            rest = [number for number in range(len(group)) if number != lone]
            left.append([group[lone]])
            left += [[group[n] for n in part] for part in _connected(inner, rest)]
            continue
        kept.append(group)
        spot = np.ix_(group, group)
        matrix[spot] = flow.share * sizes + (1 - flow.share) * np.eye(len(group))
        taken[spot] = flow.taken
    number = np.zeros(len(weights), dtype=np.int64)
    for index, group in enumerate(kept):
        number[group] = index
    inside = number[:, None] == number[None, :]
    across = matrix.T @ np.where(inside, 0.0, weights) @ matrix
    # a little is left out, more than rounding adds
    routed = np.where(inside, np.maximum(weights - taken * (1 + 1e-9), 0.0), across * (1 - 1e-9))
    routed = (routed + routed.T) / 2
    np.fill_diagonal(routed, 0.0)
    graph = np.diag(routed.sum(axis=1)) - routed
    return replace(level, graph=graph), sorted(kept)


def _flow(inner: Floats, outer: Floats, sizes: Floats) -> _Flow:
    """Return the flows of electricity, moved away from crowded edges: few are over-used then."""
    a, b = np.nonzero(np.triu(inner) > 0)
    weight = inner[a, b]
    strength = weight.copy()
    best = None
    for _ in range(MOVED):
        net = np.zeros_like(inner)
        net[a, b] = net[b, a] = -strength
        np.fill_diagonal(net, -net.sum(axis=1))
        count = len(net)
        # of a connected net, so that adding a constant makes it regular
        height: Floats = np.linalg.inv(net + float(np.mean(strength)) / count) * outer
        fall: Floats = height[a] - height[b] - _sunk(net, sizes, outer, a, b)
        used = np.abs(strength[:, None] * fall)
        crowd = used.sum(axis=1) / weight
        worst = int(np.argmax(crowd))
        if best is None or crowd[worst] < best[0]:
            best = (float(crowd[worst]), used.sum(axis=1), (int(a[worst]), int(b[worst])))
        if not crowd[worst]:
            break
        strength = strength / np.sqrt(np.maximum(crowd, 1e-3 * crowd[worst]))
    assert best is not None
    share = 1.0 if best[0] <= SHARE else SHARE / best[0]
    taken = np.zeros_like(inner)
    taken[a, b] = taken[b, a] = share * best[1]
    return _Flow(share, taken, best[2])


def _sunk(net: Floats, sizes: Floats, outer: Floats, a: Ints, b: Ints) -> Floats:
    """Return the fall along each edge that the sinks make, for each source's amount."""
    count = len(net)
    mean = float(np.trace(net)) / count / count
    height = np.linalg.inv(net + mean) @ sizes
    found: Floats = np.outer(height[a] - height[b], outer)
    return found


def _connected(inner: Floats, nodes: Sequence[int]) -> list[list[int]]:
    left, found = set(nodes), []
    while left:
        part = [min(left)]
        left.discard(part[0])
        for node in part:
            near = sorted(other for other in left if inner[node, other] > 0)
            left.difference_update(near)
            part += near  # the loop goes on to these
        found.append(part)
    return found

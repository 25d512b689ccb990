"""A kernel for the way between the outermost parts of a machine (see `placement_spectrum`).

What a way costs beyond the step of its parts is a matrix R. For c - K(p,q) = R(p,q) the kernel
K = c - R must be positive semidefinite, which it is for some c where R is of negative type (hops in
a grid, a tree or a hypercube are). Where it is not, a part k of the step is added to R off the
diagonal until it is; where the step does not suffice, R is scaled down, which keeps a lower bound.
More of it is taken until the way obeys the triangle inequality (`placement_routing`), if it
suffices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skb.engines.placement_spectrum import Floats


@dataclass(frozen=True)
class Way:
    """What is taken of the step, the kernel `near` with `own` on its diagonal, and by how much its
    cost breaks the triangle inequality; `least` is the least cost between two parts.
    """

    taken: float
    own: float
    near: Floats
    slack: float
    least: float


def way_kernel(extra: Sequence[Sequence[int]], step: float) -> Way | None:
    """Return the kernel that a part of the step makes possible; None without one."""
    way = np.array(extra, dtype=np.float64)
    count = len(way)
    centre = np.eye(count) - 1.0 / count
    taken = max(0.0, float(np.linalg.eigvalsh(centre @ way @ centre)[-1]))
    # as much as the triangle inequality needs, where the step suffices
    metric = _slack(way)
    if metric <= step:
        taken = max(taken, metric)
    # a little more, so that rounding leaves no eigenvalue on the wrong side
    taken = taken * (1 + 1e-6) + 1e-6 * float(way.max())
    if taken > step:
        way, taken = way * (step / taken), float(step)
    cost = way + taken * (1 - np.eye(count))
    own = _least_own(cost)
    if own is None:
        return None
    least = float(np.min(cost[~np.eye(count, dtype=bool)]))
    return Way(taken, own, own - cost, _slack(cost), least)


def _slack(cost: Floats) -> float:
    """Return by how much a cost breaks the triangle inequality at most, 0 where nowhere."""
    found = 0.0
    for part in range(len(cost)):
        detour = cost[:, part][:, None] + cost[part][None, :]
        found = max(found, float(np.max(cost - detour)))
    return found


def _least_own(cost: Floats) -> float | None:
    """Return about the least c for which c - cost has no negative eigenvalue, from above."""
    low, high = 0.0, float(cost.max()) * len(cost)
    tiny = 1e-13 * high * len(cost)
    if float(np.linalg.eigvalsh(high - cost)[0]) < -tiny:
        return None
    for _ in range(40):
        middle = (low + high) / 2
        if float(np.linalg.eigvalsh(middle - cost)[0]) >= 0:
            high = middle
        else:
            low = middle
    return high

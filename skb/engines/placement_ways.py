"""A kernel for the way between the outermost parts of a machine (see `placement_spectrum`).

What a way costs beyond the step of its parts is a matrix R. For c - K(p,q) = R(p,q) the kernel
K = c - R must be positive semidefinite, which it is for some c where R is of negative type (hops in
a grid, a tree or a hypercube are). Where it is not, a part k of the step is added to R off the
diagonal until it is; where the step does not suffice, R is scaled down, which keeps a lower bound.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from skb.engines.placement_spectrum import Kernel

Floats = NDArray[np.float64]


def way_kernel(
    extra: Sequence[Sequence[int]], rooms: Sequence[int], step: float
) -> tuple[float, Kernel] | None:
    """Return what is taken of the step and the kernel that it makes possible; None without one."""
    way = np.array(extra, dtype=np.float64)
    count = len(way)
    centre = np.eye(count) - 1.0 / count
    taken = max(0.0, float(np.linalg.eigvalsh(centre @ way @ centre)[-1]))
    # a little more, so that rounding leaves no eigenvalue on the wrong side
    taken = taken * (1 + 1e-6) + 1e-6 * float(way.max())
    if taken > step:
        way, taken = way * (step / taken), float(step)
    cost = way + taken * (1 - np.eye(count))
    own = _least_own(cost)
    if own is None:
        return None
    root = np.sqrt(np.array(rooms, dtype=np.float64))
    near = own - cost
    caps = np.maximum(np.linalg.eigvalsh(near * np.outer(root, root))[::-1], 0.0)
    return taken, Kernel(tuple(map(float, caps)), own, float(near.min()))


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

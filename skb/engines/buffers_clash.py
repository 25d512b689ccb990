"""Which groups and limits of `buffers` cannot go together: a certificate by Farkas' lemma.

Let every limit have a price. Where even the cheapest options of all groups use more, at these
prices, than the limits give, nothing fits; and so it is with the groups that use most and the
limits that have a price alone. The prices are sought by multiplicative weights: what is exceeded
gets dearer (Arora, Hazan and Kale, Theory of Computing 8, 2012), and the mean of all is tried, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from skb.engines.buffers_choice import LOSS, Choice, relax

if TYPE_CHECKING:
    from skb.engines.buffers_choice import Floats

_ROUNDS, _LOOK = 240, 10
_RATE, _SLOW = 0.5, 40
_SMALL = 1e-6
Families = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Clash:
    """Groups and resources that cannot go together; few, but not always the fewest."""

    groups: tuple[int, ...]
    resources: tuple[int, ...]


def clash(problem: Choice, families: Families = ()) -> Clash | None:
    """Return groups and resources that surely clash, or None where none were found.

    Of a family, limits of one kind, each unit first has the same price: are they too small in all?
    """
    import numpy as np

    bare = replace(problem, price=np.zeros_like(problem.price))
    most = np.minimum(bare.limit, 1).astype(np.float64)
    if not len(most):
        return None
    for family in families:
        at = np.zeros(len(most))
        own = np.array(family, dtype=np.int64)
        at[own] = bare.limit[own].astype(np.float64) * bare.step[own]
        if at.any() and relax(bare, at / at.max()).bound > 0:
            return _fewest(bare, at / at.max(), most)
    at = np.full(len(most), 1.0 / len(most))
    mean = np.zeros_like(at)
    for turn in range(_ROUNDS):
        now = relax(bare, at)
        mean = mean + at
        if now.bound > 0:
            return _fewest(bare, at, most)
        if turn % _LOOK == _LOOK - 1 and relax(bare, mean / mean.sum()).bound > 0:
            return _fewest(bare, mean / mean.sum(), most)
        way = now.used - most
        size = float(np.abs(way).max())
        if size <= 0:
            return None
        at = at * np.exp(_RATE / (1 + turn / _SLOW) * way / size)
        at = at / at.sum()
    return None


def _fewest(problem: Choice, prices: Floats, most: Floats) -> Clash:
    """Leave out what the certificate does not need: limits of small price, groups of small use."""
    import numpy as np

    kept = np.where(prices < _SMALL * prices.max(), 0.0, prices)
    if relax(problem, kept).bound > 0:
        prices = kept
    values = relax(problem, prices).group
    order = np.argsort(-values, kind="stable")
    sums = np.cumsum(values[order])
    # more than is given, by more than floats lose
    need = float(prices @ most) * (1 + LOSS * len(values)) + LOSS
    count = int(np.searchsorted(sums, need, side="right")) + 1
    groups = tuple(sorted(order[: min(count, len(order))].tolist()))
    return Clash(groups, tuple(np.flatnonzero(prices > 0).tolist()))

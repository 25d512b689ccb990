"""The choice behind `buffers` as arrays, and its Lagrangian relaxation.

A *group* picks one of its *blocks* (a reader's class of PUs); each *piece* of that block (a ring, a
seat) picks one of its *options* (a place) at its price. Options use resources that all groups
share. A group with one block of one piece is a flow of the generalised assignment problem. Prices
and amounts are whole numbers; the relaxation runs in floats, and `Relaxed.bound` is lowered by more
than floats can lose, so that it is a bound of the whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import gcd
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray

    Ints = NDArray[int64]
    Floats = NDArray[float64]

Option = tuple[int, Mapping[int, int]]
Groups = Sequence[Sequence[Sequence[Sequence[Option]]]]
# what a sum of floats may lose, as a share of the sum of its magnitudes; far above 2**-53 times
# the number of terms
LOSS = 1e-11


@dataclass(frozen=True)
class Choice:
    """Prices, uses (one run of `resource` and `amount` for each option) and limits.

    `option_of`, `piece_of`, `block_of` are where the runs of uses, options, pieces and blocks
    begin, each with the end as the last entry. Every option has at least one use. `step` is how
    many of the caller's units one unit of each resource stands for.
    """

    price: Ints
    resource: Ints
    amount: Ints
    limit: Ints
    step: Ints
    use_of: Ints
    option_of: Ints
    piece_of: Ints
    block_of: Ints
    own: int | None = field(default=None, kw_only=True)

    @property
    def real(self) -> int:
        """Return how many limits are the caller's own; the others follow from these."""
        return len(self.limit) if self.own is None else self.own

    @property
    def groups(self) -> int:
        return len(self.block_of) - 1

    @cached_property
    def share(self) -> Floats:
        """Each use as a share of its limit; the last resource is none and has no limit."""
        import numpy as np

        most = np.maximum(self.limit, 1).astype(np.float64)
        return np.asarray(self.amount / np.append(most, 1.0)[self.resource], dtype=np.float64)

    @cached_property
    def cells(self) -> Ints:
        """The options of each piece in a row, padded by the last plus one."""
        return _padded(self.option_of, len(self.price))

    def by_piece(self, values: Floats) -> Floats:
        """Return values of options in a row for each piece, padded by infinity."""
        import numpy as np

        if self.cells.size == len(values):
            return values.reshape(self.cells.shape)
        return np.asarray(np.append(values, np.inf)[self.cells], dtype=np.float64)

    @cached_property
    def block_cells(self) -> Ints:
        """The blocks of each group in a row, padded by the last plus one."""
        return _padded(self.block_of, len(self.piece_of) - 1)

    @cached_property
    def floats(self) -> Floats:
        import numpy as np

        return self.price.astype(np.float64)

    def rows(self) -> list[list[tuple[int, int]]]:
        """Return the uses of each option as pairs of resource and amount."""
        pairs = list(zip(self.resource.tolist(), self.amount.tolist(), strict=True))
        ends = self.use_of.tolist()
        none = len(self.limit)
        return [[pair for pair in pairs[a:b] if pair[0] != none] for a, b in pairwise(ends)]


def _padded(begin: Ints, pad: int) -> Ints:
    import numpy as np

    sizes = np.diff(begin)
    widest = int(sizes.max(initial=1))
    steps = np.arange(widest)
    return np.where(steps < sizes[:, None], begin[:-1, None] + steps, pad)


def choice(groups: Groups, limits: Sequence[int]) -> Choice:
    """Return the arrays of a choice; options that exceed a limit alone are the caller's to drop."""
    import numpy as np

    none = len(limits)
    price: list[int] = []
    resource: list[int] = []
    amount: list[int] = []
    use_of, option_of, piece_of, block_of = [0], [0], [0], [0]
    for blocks in groups:
        for pieces in blocks:
            for options in pieces:
                for cost, uses in options:
                    price.append(cost)
                    resource.extend(uses or (none,))
                    amount.extend(uses.values() if uses else (0,))
                    use_of.append(len(resource))
                option_of.append(len(price))
            piece_of.append(len(option_of) - 1)
        block_of.append(len(piece_of) - 1)
    # amounts are multiples of their divisor, so what is left over of a limit is of no use
    step = [0] * (none + 1)
    for r, size in zip(resource, amount, strict=True):
        step[r] = gcd(step[r], size)
    step = [size or 1 for size in step]
    amount = [size // step[r] for r, size in zip(resource, amount, strict=True)]
    limit = [most // step[r] for r, most in enumerate(limits)]
    ends = (use_of, option_of, piece_of, block_of)
    arrays = (price, resource, amount, limit, step[:none], *ends)
    return Choice(*(np.array(values, dtype=np.int64) for values in arrays))


@dataclass(frozen=True, slots=True)
class Relaxed:
    """The relaxation at some multipliers: prices that hold what resources cost.

    `option` are all options, `piece`, `block` and `group` the cheapest of each; `bound` a lower
    bound of the total price; `picked` the cheapest options, `used` the shares that they take.
    """

    bound: float
    option: Floats
    piece: Floats
    block: Floats
    group: Floats
    picked: Ints
    used: Floats


def relax(problem: Choice, multipliers: Floats) -> Relaxed:
    """Relax all limits at the multipliers (prices of a whole resource, not negative)."""
    import numpy as np

    weight = np.append(multipliers, 0.0)
    uses = problem.share * weight[problem.resource]
    if len(uses) == len(problem.price):
        option = problem.floats + uses
    else:
        option = problem.floats + np.add.reduceat(uses, problem.use_of[:-1])
    rows = problem.by_piece(option)
    at = rows.argmin(axis=1)
    whole = np.arange(len(at))
    piece = rows[whole, at]
    best = problem.cells[whole, at]
    block = np.add.reduceat(piece, problem.piece_of[:-1])
    if problem.block_cells.shape[1] == 1:
        group, picked = block, best
    else:
        tops = np.append(block, np.inf)[problem.block_cells]
        first = tops.argmin(axis=1)
        whole = np.arange(len(first))
        group = tops[whole, first]
        taken = np.zeros(len(block), dtype=bool)
        taken[problem.block_cells[whole, first]] = True
        picked = best[np.repeat(taken, np.diff(problem.piece_of))]
    # a limit counts as the share 1 of itself, and one of nothing as nothing
    most = np.minimum(problem.limit, 1)
    value = float(group.sum() - multipliers @ most)
    loss = LOSS * float(np.abs(group).sum() + multipliers.sum() + uses.max(initial=0.0))
    return Relaxed(value - loss, option, piece, block, group, picked, used_by(problem, picked))


def used_by(problem: Choice, picked: Ints) -> Floats:
    """Return the share of each limit that options take together."""
    import numpy as np

    begin, size = problem.use_of[picked], np.diff(problem.use_of)[picked]
    at = np.repeat(begin - np.concatenate(([0], np.cumsum(size)[:-1])), size)
    at += np.arange(len(at))
    none = len(problem.limit)
    sums = np.bincount(problem.resource[at], problem.share[at], none + 1)
    return np.asarray(sums[:none], dtype=np.float64)

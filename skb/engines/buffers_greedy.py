"""An answer of `buffers` for any number of flows, from the bound: seated, then mended.

Groups are seated one after the other, those of which the bound's mixture is surest first, each
where the mixture has most of it; where that does not end, most regret first, or largest first. At
last pieces move or trade places while that pays. Whole numbers only: limits are kept exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from skb.engines.buffers_bound import Bounded
from skb.engines.buffers_choice import Choice, Relaxed

if TYPE_CHECKING:
    from skb.engines.buffers_choice import Floats

PASSES = 6
# trades that are tried, all in all, and partners for each
WORK = 1500
_PARTNERS = 400
_FAINT = 1e-6


class Seating:
    """Which option each piece of the picked blocks has, and what is left of each resource."""

    def __init__(self, problem: Choice, relaxed: Relaxed, work: int = WORK) -> None:
        import numpy as np

        self.problem = problem
        self.work = work
        self.priced = relaxed.option
        self.block_cost = relaxed.block
        self.price = problem.price.tolist()
        self.begin = problem.use_of.tolist()
        self.option_of = problem.option_of.tolist()
        self.piece_of = problem.piece_of.tolist()
        self.block_of = problem.block_of.tolist()
        self.least = np.minimum.reduceat(problem.price, problem.option_of[:-1]).tolist()
        self._resource = problem.resource.tolist()
        self._amount = problem.amount.tolist()
        self._ranked: dict[int, list[int]] = {}
        # the last resource is none, and has no limit
        self.left = [*problem.limit.tolist(), 2**62]
        self.at: dict[int, int] = {}
        self.holders: list[dict[int, None]] = [{} for _ in self.left]

    # ------------------------------------------------------------ seats
    def uses(self, option: int) -> list[tuple[int, int]]:
        """Return resources and amounts of an option."""
        a, b = self.begin[option], self.begin[option + 1]
        return list(zip(self._resource[a:b], self._amount[a:b], strict=True))

    def ranked(self, piece: int) -> list[int]:
        """Return the options of a piece, the cheapest at the multipliers first."""
        found = self._ranked.get(piece)
        if found is None:
            a, b = self.option_of[piece], self.option_of[piece + 1]
            found = (self.priced[a:b].argsort(kind="stable") + a).tolist()
            self._ranked[piece] = found
        return found

    def fits(self, option: int) -> bool:
        left = self.left
        for i in range(self.begin[option], self.begin[option + 1]):
            if self._amount[i] > left[self._resource[i]]:
                return False
        return True

    def put(self, piece: int, option: int) -> None:
        self.at[piece] = option
        for i in range(self.begin[option], self.begin[option + 1]):
            self.left[self._resource[i]] -= self._amount[i]
            self.holders[self._resource[i]][piece] = None

    def take(self, piece: int) -> int:
        option = self.at.pop(piece)
        for i in range(self.begin[option], self.begin[option + 1]):
            self.left[self._resource[i]] += self._amount[i]
            self.holders[self._resource[i]].pop(piece, None)
        return option

    def short(self, option: int) -> list[int]:
        """Return the resources of which an option needs more than is left."""
        return [r for r, amount in self.uses(option) if amount > self.left[r]]

    def picked(self) -> list[int]:
        """Return the picked options in the order of their pieces."""
        return [self.at[piece] for piece in sorted(self.at)]

    def reprice(self, priced: Floats) -> None:
        """Rank options by other prices from now on."""
        self.priced = priced
        self._ranked = {}

    # ------------------------------------------------------------ one after the other
    def seat(self, order: Sequence[int]) -> bool:
        """Seat the groups in an order; return whether all have a place."""
        return all(self._seat_group(group) for group in order)

    def _seat_group(self, group: int) -> bool:
        own = range(self.block_of[group], self.block_of[group + 1])
        blocks = sorted(own, key=lambda block: (self.block_cost[block], block))
        return any(self._seat_block(block, evict=False) for block in blocks) or any(
            self._seat_block(block, evict=True) for block in blocks
        )

    def _seat_block(self, block: int, *, evict: bool) -> bool:
        done: list[int] = []
        for piece in range(self.piece_of[block], self.piece_of[block + 1]):
            option = next((one for one in self.ranked(piece) if self.fits(one)), None)
            if option is None and evict:
                option = self._made_room(piece)
            if option is None:
                for other in done:
                    self.take(other)
                return False
            self.put(piece, option)
            done.append(piece)
        return True

    def _made_room(self, piece: int) -> int | None:
        """Move one other piece to a next place of its own so that this one fits; return where."""
        for option in self.ranked(piece):
            for other in self._partners(piece, option):
                at = self.take(other)
                if self.fits(option):
                    self.put(piece, option)
                    new = next((o for o in self.ranked(other) if o != at and self.fits(o)), None)
                    self.take(piece)
                    if new is not None:
                        self.put(other, new)
                        return option
                self.put(other, at)
        return None

    def _partners(self, piece: int, option: int) -> Iterator[int]:
        """Yield pieces that hold what an option lacks; each counts as work."""
        short = self.short(option)
        tried = 0
        for other in list(self.holders[short[0]]) if short else ():
            if other == piece or other not in self.at:
                continue
            tried += 1
            self.work -= 1
            if tried > _PARTNERS or self.work < 0:
                return
            yield other

    # ------------------------------------------------------------ mending
    def mend(self) -> None:
        """Move and trade while that pays, for some passes."""
        for _ in range(PASSES):
            paid = [self._better(piece) for piece in self._unhappy()]
            if not any(paid):
                return

    def _unhappy(self) -> list[int]:
        cost, least = self.price, self.least
        found = [(least[p] - cost[o], p) for p, o in self.at.items() if cost[o] > least[p]]
        return [piece for _, piece in sorted(found)]

    def _better(self, piece: int) -> bool:
        """Give a piece a cheaper place that is free, or that another one leaves at less cost."""
        cost, old = self.price, self.at[piece]
        better = [one for one in self.ranked(piece) if cost[one] < cost[old]]
        better.sort(key=cost.__getitem__)
        self.take(piece)
        free = next((one for one in better if self.fits(one)), None)
        self.put(piece, old if free is None else free)
        for option in better:
            if free is not None and cost[option] >= cost[free]:
                break
            if self.work >= 0 and self._trade(piece, option):
                return True
        return free is not None

    def _trade(self, piece: int, option: int) -> bool:
        cost, old = self.price, self.at[piece]
        gain = cost[old] - cost[option]
        self.take(piece)
        for other in self._partners(piece, option):
            at = self.take(other)
            if self.fits(option):
                self.put(piece, option)
                for new in self.ranked(other):
                    if new != at and cost[new] - cost[at] < gain and self.fits(new):
                        self.put(other, new)
                        return True
                self.take(piece)
            self.put(other, at)
        self.put(piece, old)
        return False


def answered(problem: Choice, bound: Bounded, work: int = WORK) -> list[int] | None:
    """Return options within all limits, or None where none of the orders finds them."""
    import numpy as np

    best: Seating | None = None
    for rank, priced in _orders(problem, bound):
        ends = problem.piece_of[problem.block_of]
        order = np.argsort(-np.maximum.reduceat(rank, ends[:-1]), kind="stable").tolist()
        seating = Seating(problem, replace(bound.relaxed, option=priced), work)
        if seating.seat(order):
            best = seating
            break
    if best is None:
        return None
    best.reprice(bound.relaxed.option)
    best.mend()
    return best.picked()


def _orders(problem: Choice, bound: Bounded) -> Iterator[tuple[Floats, Floats]]:
    """Yield orders of pieces with prices of options: as mixed, then by regret, then by size."""
    import numpy as np

    option = bound.relaxed.option
    scale = float(np.abs(option).max()) or 1.0
    # equal shares of the mixture are told apart by the prices at the multipliers
    yield (
        np.where(np.isfinite(rows := problem.by_piece(bound.mix)), rows, 0.0).max(axis=1),
        _FAINT * option / scale - bound.mix,
    )
    rows = np.sort(problem.by_piece(option), axis=1)
    regret = rows[:, 1] - rows[:, 0] if rows.shape[1] > 1 else np.full(len(rows), np.inf)
    yield regret, option
    share = np.maximum.reduceat(problem.share, problem.use_of[:-1])
    yield np.maximum.reduceat(share, problem.option_of[:-1]), option


def total(problem: Choice, picked: Sequence[int]) -> int:
    """Return the price of picked options."""
    import numpy as np

    return int(problem.price[np.array(picked, dtype=np.int64)].sum())

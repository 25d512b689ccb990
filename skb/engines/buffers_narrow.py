"""What a known price leaves of a choice: reduced-cost fixing, again and again.

An option whose slack alone reaches the price is out; a piece with one option left takes its share
of the limits for good, and what remains of a limit counts in steps of the amounts that remain. Each
of the three raises the bound of the rest, which puts more options out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skb.engines.buffers_bound import bounded
from skb.engines.buffers_choice import LOSS, Choice, Relaxed, relax

if TYPE_CHECKING:
    from skb.engines.buffers_choice import Floats, Ints

_TURNS, _ROUNDS = 12, 40


@dataclass(frozen=True, slots=True)
class Narrow:
    """A smaller choice, and which option of the whole one each of its options is.

    `room` is the slack that an answer below the price may have in all; negative: there is none.
    """

    problem: Choice
    options: Ints
    relaxed: Relaxed
    multipliers: Floats
    room: float
    below: int


def branches(narrow: Narrow, below: int) -> list[Narrow]:
    """Return the choice with each option of its most demanding open piece in turn, narrowed."""
    import numpy as np

    problem, relaxed = narrow.problem, narrow.relaxed
    sizes = np.diff(problem.option_of)
    share = np.maximum.reduceat(problem.share, problem.use_of[:-1])
    most = np.maximum.reduceat(share, problem.option_of[:-1])
    piece = int(np.where(sizes > 1, most, -1.0).argmax())
    a, b = int(problem.option_of[piece]), int(problem.option_of[piece + 1])
    if b - a < 2:
        return []
    found = []
    for option in (relaxed.option[a:b].argsort(kind="stable") + a).tolist():
        kept = np.ones(len(problem.price), dtype=bool)
        kept[a:b] = False
        kept[option] = True
        # a group with several blocks keeps its others in the first branch only
        if option != int(relaxed.option[a:b].argmin()) + a:
            kept &= ~_others(problem, piece)
        smaller, taken, fits = _smaller(problem, kept)
        if fits:
            start = _carried(problem, smaller, narrow.multipliers)
            found.append(narrowed(smaller, start, below, narrow.options[taken]))
    return found


def _others(problem: Choice, piece: int) -> Ints:
    """Return the options of the other blocks of a piece's group."""
    import numpy as np

    block = int(np.searchsorted(problem.piece_of, piece, side="right")) - 1
    group = int(np.searchsorted(problem.block_of, block, side="right")) - 1
    found = np.zeros(len(problem.price), dtype=bool)
    for other in range(int(problem.block_of[group]), int(problem.block_of[group + 1])):
        if other != block:
            ends = problem.option_of[problem.piece_of[other : other + 2]]
            found[int(ends[0]) : int(ends[1])] = True
    return found


def narrowed(
    problem: Choice, multipliers: Floats, below: int, options: Ints | None = None
) -> Narrow:
    """Return what is left of a choice of which only answers cheaper than `below` are sought."""
    import numpy as np

    ids = np.arange(len(problem.price)) if options is None else options
    relaxed = relax(problem, multipliers)
    room = _room(relaxed, below)
    for _ in range(_TURNS):
        if room < 0:
            break
        kept = _kept(problem, relaxed, room)
        smaller, taken, fits = _smaller(problem, kept)
        ids = ids[taken]
        same = len(smaller.price) == len(problem.price)
        start = _carried(problem, smaller, multipliers)
        problem = smaller
        if not fits:
            room = -1.0
            break
        best = bounded(problem, float(below), start=start, rounds=_ROUNDS)
        relaxed, multipliers = best.relaxed, best.multipliers
        room = _room(relaxed, below)
        if same:
            break
    return Narrow(problem, ids, relaxed, multipliers, room, below)


def _room(relaxed: Relaxed, below: int) -> float:
    lost = LOSS * (abs(below) + float(abs(relaxed.group).sum()))
    return below - 1 - relaxed.bound + 2 * lost + 1e-9


def _carried(before: Choice, after: Choice, multipliers: Floats) -> Floats:
    """Return the prices of the old limits as prices of the new ones: equal for each amount."""
    import numpy as np

    whole = after.limit * (after.step / before.step) / np.maximum(before.limit, 1)
    return np.asarray(np.where(after.limit > 0, multipliers * whole, multipliers))


def _kept(problem: Choice, relaxed: Relaxed, room: float) -> Ints:
    """Return which options stay: their block, and they in it, leave room."""
    import numpy as np

    blocks = np.diff(problem.block_of)
    pieces = np.diff(problem.piece_of)
    options = np.diff(problem.option_of)
    block_slack = relaxed.block - np.repeat(relaxed.group, blocks)
    slack = relaxed.option - np.repeat(relaxed.piece, options)
    slack += np.repeat(np.repeat(block_slack, pieces), options)
    # what is left of a limit may be too little for an option alone
    beyond = problem.amount - np.append(problem.limit, 0)[problem.resource]
    fits = np.maximum.reduceat(beyond, problem.use_of[:-1]) <= 0
    return np.asarray((slack <= room) & fits)


def _smaller(problem: Choice, kept: Ints) -> tuple[Choice, Ints, bool]:
    """Return the choice of the kept options, which they are, and whether what is fixed fits."""
    import numpy as np

    sizes = np.add.reduceat(kept.astype(np.int64), problem.option_of[:-1])
    # a block of which a piece has no option left goes as a whole
    alive = np.minimum.reduceat(sizes, problem.piece_of[:-1]) > 0
    pieces = np.diff(problem.piece_of)
    kept = kept & np.repeat(np.repeat(alive, pieces), np.diff(problem.option_of))
    blocks = np.add.reduceat(alive.astype(np.int64), problem.block_of[:-1])
    in_block = np.repeat(alive, pieces)
    fits = bool((blocks > 0).all())
    lengths = np.diff(problem.use_of)
    use_kept = np.repeat(kept, lengths)
    resource, amount = problem.resource[use_kept], problem.amount[use_kept].copy()
    lengths = lengths[kept]
    # a piece with one option in a group with one block is fixed
    only = np.repeat(np.repeat(blocks == 1, np.diff(problem.block_of)), pieces) & (sizes == 1)
    fixed = np.repeat(np.repeat(only, np.diff(problem.option_of))[kept], lengths)
    none = len(problem.limit)
    taken = np.zeros(none + 1, dtype=np.int64)
    np.add.at(taken, resource[fixed], amount[fixed])
    limit = problem.limit - taken[:none]
    resource = np.where(fixed, none, resource)
    amount[fixed] = 0
    step = np.zeros(none + 1, dtype=np.int64)
    np.gcd.at(step, resource, amount)
    step = np.maximum(step, 1)
    fits = fits and not (limit < 0).any()

    def begin(counts: Ints) -> Ints:
        return np.concatenate(([0], np.cumsum(counts)))

    smaller = Choice(
        price=problem.price[kept],
        resource=resource,
        amount=amount // step[resource],
        limit=np.maximum(limit, 0) // step[:none],
        step=problem.step * step[:none],
        use_of=begin(lengths),
        option_of=begin(sizes[in_block]),
        piece_of=begin(pieces[alive]),
        block_of=begin(blocks),
        own=problem.own,
    )
    return smaller, np.flatnonzero(kept), fits

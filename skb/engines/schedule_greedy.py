"""Gangs in time slots by a seeded search with restarts: an admissible schedule of any size.

Each restart packs the fewest threads of the applications into slots, grows them into what is left,
lets some run in every slot, and then picks compact sets of locality classes. The work is counted in
restarts, so that one seed gives one answer.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

EVERY = 0
# steps (applications times classes) that all restarts together may take
WORK = 200_000
FEWEST_RESTARTS, MOST_RESTARTS = 4, 200
# seeds of a compact set that are tried out, of those with the smallest radius
SEEDS = 8
# packings by counts alone, of which one is placed
PACKINGS = 12

Counts = dict[int, int]


@dataclass(frozen=True, slots=True)
class Board:
    """The problem in plain numbers: classes with sizes and distances (ps), applications by index.

    `near[c]` are all classes by distance from `c`, itself first; `may[a]` the classes of `a`.
    """

    sizes: tuple[int, ...]
    inner: tuple[int, ...]
    far: tuple[tuple[int, ...], ...]
    near: tuple[tuple[int, ...], ...]
    may: tuple[frozenset[int], ...]
    least: tuple[int, ...]
    most: tuple[int, ...]
    sync: tuple[Fraction, ...]

    @property
    def units(self) -> int:
        return sum(self.sizes)


@dataclass(frozen=True, slots=True)
class Seats:
    """A schedule: the slot of each application (from 1; `EVERY` = all), and its units by class."""

    homes: tuple[int, ...]
    counts: tuple[Counts, ...]

    def idle(self, board: Board, slots: int) -> int:
        """Return the units without a thread, summed over the slots."""
        return slots * board.units - sum(
            sum(own.values()) * (slots if home == EVERY else 1)
            for home, own in zip(self.homes, self.counts, strict=True)
        )


def spread(board: Board, own: Counts) -> int:
    """Return the largest latency between two units of a set, in ps."""
    used = list(own)
    widest = max((board.inner[c] for c in used if own[c] > 1), default=0)
    return max(
        widest, max((board.far[a][b] for i, a in enumerate(used) for b in used[:i]), default=0)
    )


def price(board: Board, seats: Seats) -> Fraction:
    """Return what synchronisation costs, in ps of waiting per second."""
    pairs = zip(board.sync, seats.counts, strict=True)
    return sum((rate * spread(board, own) for rate, own in pairs if rate), Fraction(0))


def search(board: Board, slots: int, seed: int, deadline: float) -> Seats | None:
    """Return the best schedule found: fewest idle units, then least synchronisation; or None."""
    steps = max(1, len(board.least) * len(board.sizes))
    draw = random.Random(seed)
    best: tuple[tuple[int, Fraction], Seats] | None = None
    for turn in range(max(FEWEST_RESTARTS, min(MOST_RESTARTS, WORK // steps))):
        if turn and time.monotonic() >= deadline:
            break
        packed = _fullest(board, slots, turn, draw, deadline)
        seats = _located(board, slots, *packed, turn, draw) if packed else None
        if seats is None:
            continue
        worth = (seats.idle(board, slots), price(board, seats))
        if best is None or worth < best[0]:
            best = (worth, seats)
    return best[1] if best else None


# ------------------------------------------------------------------ how many, and when
def _fullest(
    board: Board, slots: int, turn: int, draw: random.Random, deadline: float
) -> tuple[list[int], list[int]] | None:
    """Return the fullest of several packings; packing is cheap, placing is not."""
    best: tuple[int, tuple[list[int], list[int]]] | None = None
    for trial in range(PACKINGS):
        found = _packed(board, slots, turn + trial, draw)
        if found is None:
            continue
        runs = (slots if home == EVERY else 1 for home in found[0])
        idle = slots * board.units - sum(r * t for r, t in zip(runs, found[1], strict=True))
        if best is None or idle < best[0]:
            best = (idle, found)
        if idle == 0 or time.monotonic() >= deadline:
            break
    return best[1] if best else None


def _packed(
    board: Board, slots: int, turn: int, draw: random.Random
) -> tuple[list[int], list[int]] | None:
    """Return slot and threads of each application, by counts alone; None where they do not fit."""
    apps = range(len(board.least))
    noise = 0.0 if turn < 2 else 0.5
    order = sorted(apps, key=lambda a: -board.least[a] * (1 + noise * draw.random()))
    left = [board.units] * slots
    homes, threads = [0] * len(apps), list(board.least)
    for app in order:
        fitting = [s for s in range(slots) if left[s] >= threads[app]]
        if not fitting:
            return None
        slot = (min if turn % 2 else max)(fitting, key=lambda s: left[s])
        left[slot] -= threads[app]
        homes[app] = slot + 1
    most = [min(board.most[a], sum(board.sizes[c] for c in board.may[a])) for a in apps]
    calm = sorted(apps, key=lambda a: (board.sync[a], draw.random()))
    if turn > 2:
        draw.shuffle(order)
    if turn % 3 == 2:
        _settle(order, slots, homes, threads, left)
    _grow(calm, homes, threads, most, left)
    if turn % 3 != 2:
        _settle(order, slots, homes, threads, left)
    _grow(calm, homes, threads, most, left)
    return homes, threads


def _grow(
    order: Sequence[int], homes: list[int], threads: list[int], most: list[int], left: list[int]
) -> None:
    for app in order:
        of = range(len(left)) if homes[app] == EVERY else (homes[app] - 1,)
        more = min(most[app] - threads[app], min(left[s] for s in of))
        threads[app] += more
        for slot in of:
            left[slot] -= more


def _settle(
    order: Sequence[int], slots: int, homes: list[int], threads: list[int], left: list[int]
) -> None:
    """Let applications run in every slot where that fills what is left."""
    for app in order if slots > 1 else ():
        others = [s for s in range(slots) if s != homes[app] - 1]
        if homes[app] != EVERY and all(left[s] >= threads[app] for s in others):
            homes[app] = EVERY
            for slot in others:
                left[slot] -= threads[app]


# ------------------------------------------------------------------ where
def _located(
    board: Board,
    slots: int,
    homes: list[int],
    threads: list[int],
    turn: int,
    draw: random.Random,
) -> Seats | None:
    """Return a schedule with these threads on compact sets; None where the users' limits clash."""
    apps = range(len(homes))
    order = sorted(apps, key=lambda a: _rank(board, homes, threads, a, turn, draw))
    free = [list(board.sizes) for _ in range(slots)]
    counts: list[Counts] = [{} for _ in apps]
    for app in order:
        of = range(slots) if homes[app] == EVERY else (homes[app] - 1,)
        room = [min(free[s][c] for s in of) for c in range(len(board.sizes))]
        own = _compact(board, room, board.may[app], threads[app])
        if own is None:
            return None
        counts[app] = own
        for slot in of:
            for cell, count in own.items():
                free[slot][cell] -= count
    return Seats(tuple(homes), tuple(counts))


def _rank(
    board: Board, homes: list[int], threads: list[int], app: int, turn: int, draw: random.Random
) -> tuple[bool, int, Fraction]:
    """Return when an application is placed: those of every slot and the limited ones first."""
    weight = (board.sync[app], Fraction(threads[app]), board.sync[app] * threads[app])
    chosen = Fraction(draw.random()) if turn % 4 == 3 else weight[turn % 4]
    return homes[app] != EVERY, len(board.may[app]), -chosen


def _compact(board: Board, room: Sequence[int], may: frozenset[int], wanted: int) -> Counts | None:
    """Return a set of so many free units with a small spread, leaving few crumbs."""
    seeds = []
    for cell in may:
        if not room[cell]:
            continue
        found = 0
        for other in board.near[cell]:
            found += room[other] if other in may else 0
            if found >= wanted:
                seeds.append((board.far[cell][other], found - wanted, cell))
                break
    best: tuple[tuple[int, int, int], Counts] | None = None
    for _radius, _rest, cell in sorted(seeds)[:SEEDS]:
        own = _around(board, room, may, wanted, cell)
        crumbs = sum(room[c] - count for c, count in own.items())
        worth = (spread(board, own), crumbs, cell)
        if best is None or worth < best[0]:
            best = (worth, own)
    return best[1] if best else None


def _around(
    board: Board, room: Sequence[int], may: frozenset[int], wanted: int, cell: int
) -> Counts:
    """Add to a class the one that widens the set least, until there are enough units."""
    own = {cell: min(wanted, room[cell])}
    left = wanted - own[cell]
    reach = {c: board.far[cell][c] for c in may if room[c] and c != cell}
    while left:
        nearest = min(reach, key=lambda c: (reach[c], room[c] < left, abs(room[c] - left), c))
        del reach[nearest]
        own[nearest] = min(left, room[nearest])
        left -= own[nearest]
        for other in reach:
            reach[other] = max(reach[other], board.far[nearest][other])
    return own

"""Vectors of different loads: the least largest load of a core among answers of least price.

That is scheduling of jobs on machines, hard in general: longest first (Graham, *Bounds on
multiprocessing timing anomalies*, 1969), then moves and swaps that keep the price, then, where few
vectors are left open, depth-first search. What is returned as a bound always holds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd

from skb.engines.interrupts_flow import Seats

MOST_VECTORS = 16
_MOST_BRANCHES = 100_000
_MOST_ROUNDS = 2_000


@dataclass(frozen=True, slots=True)
class Vector:
    """One vector: its load and the price of each seat that it may take, both whole."""

    load: int
    prices: Mapping[int, int]


def bound(
    vectors: Sequence[Vector], seats: Seats, held: Mapping[int, int], begun: Sequence[int]
) -> int:
    """Return a load that some core has in every answer of least price; `begun` is one of them.

    Vectors whose cheapest cores all lie in a set of cores share those: the mean is a bound for each
    set that is the cheapest of some vector, rounded up to what sums of loads can be. Where not all
    vectors find room there, those sets are all the cores that a vector may take.
    """
    cheap = _cheapest(vectors, begun)
    step = gcd(*(v.load for v in vectors), *held.values()) or 1
    most = max([*(v.load for v in vectors), *held.values()], default=0)
    sums: dict[frozenset[int], int] = defaultdict(int)
    for vector in vectors:
        sums[_cores(vector, seats, cheap=cheap)] += vector.load
    # the sets of thousands of vectors are those of their devices
    for cores in sums:
        inside = sum(load for other, load in sums.items() if other <= cores)
        inside += sum(held.get(core, 0) for core in cores)
        most = max(most, -(-inside // (len(cores) * step)) * step)
    return most


def _cheapest(vectors: Sequence[Vector], taken: Sequence[int]) -> bool:
    return all(v.prices[at] == min(v.prices.values()) for v, at in zip(vectors, taken, strict=True))


def _cores(vector: Vector, seats: Seats, *, cheap: bool) -> frozenset[int]:
    least = min(vector.prices.values())
    return frozenset(
        seats.core[at] for at, price in vector.prices.items() if price == least or not cheap
    )


def level(
    vectors: Sequence[Vector],
    seats: Seats,
    held: Mapping[int, int],
    begun: Sequence[int],
    now: Sequence[int],
    least: int,
) -> tuple[list[int], bool]:
    """Return seats of the same price, with the largest load of a core as small as was found, and
    whether it is proven that none is smaller.

    `held` is the load of each core that cannot be moved, `begun` an answer of least price, `now`
    where vectors sit, which wins ties, `least` the bound.
    """
    best = list(begun)
    if _cheapest(vectors, begun):
        other = _longest_first(vectors, seats, held, now)
        if other is not None and _most(vectors, seats, held, other) < _most(
            vectors, seats, held, best
        ):
            best = other
    _improve(vectors, seats, held, best)
    if _most(vectors, seats, held, best) <= least:
        return best, True
    if len(vectors) > MOST_VECTORS:
        return best, False
    search = _Branches(vectors, seats, held, best, least)
    return search.run(), search.whole


def loads(
    vectors: Sequence[Vector], seats: Seats, held: Mapping[int, int], taken: Sequence[int]
) -> dict[int, int]:
    """Return the load of each core."""
    found = Counter(held)
    for vector, at in zip(vectors, taken, strict=True):
        found[seats.core[at]] += vector.load
    return found


def _most(
    vectors: Sequence[Vector], seats: Seats, held: Mapping[int, int], taken: Sequence[int]
) -> int:
    return max(loads(vectors, seats, held, taken).values(), default=0)


def _longest_first(
    vectors: Sequence[Vector], seats: Seats, held: Mapping[int, int], now: Sequence[int]
) -> list[int] | None:
    """Seat each vector on the least loaded of its nearest cores; None where one lacks room."""
    found = [-1] * len(vectors)
    load, used = Counter(held), Counter[int]()
    for place in sorted(range(len(vectors)), key=lambda at: (-vectors[at].load, at)):
        vector = vectors[place]
        least = min(vector.prices.values())
        free = [
            (load[seats.core[at]], at != now[place], used[at], at)
            for at, price in vector.prices.items()
            if price == least and _has_room(seats, used, at)
        ]
        if not free:
            return None
        at = min(free)[-1]
        found[place] = at
        _count(seats, used, at, 1)
        load[seats.core[at]] += vector.load
    return found


def _has_room(seats: Seats, used: Counter[int], at: int) -> bool:
    core = seats.core[at]
    return used[at] < seats.room[at] and used[~core] < seats.most.get(core, used[~core] + 1)


def _count(seats: Seats, used: Counter[int], at: int, step: int) -> None:
    """Count a vector on its seat, and on its core under the complement of the core's number."""
    used[at] += step
    used[~seats.core[at]] += step


def _improve(
    vectors: Sequence[Vector], seats: Seats, held: Mapping[int, int], taken: list[int]
) -> None:
    """Move or swap vectors of the fullest core where that lowers it, at the same price."""
    load = Counter(loads(vectors, seats, held, taken))
    used: Counter[int] = Counter()
    for at in taken:
        _count(seats, used, at, 1)
    for _ in range(_MOST_ROUNDS):
        fullest = max(load, key=lambda core: (load[core], -core), default=None)
        if fullest is None or not _better(vectors, seats, taken, load, used, fullest):
            return


def _better(
    vectors: Sequence[Vector],
    seats: Seats,
    taken: list[int],
    load: Counter[int],
    used: Counter[int],
    fullest: int,
) -> bool:
    top = load[fullest]
    mine = [n for n, at in enumerate(taken) if seats.core[at] == fullest]
    for n in mine:
        here, one = taken[n], vectors[n]
        for at, price in one.prices.items():
            core = seats.core[at]
            same = price == one.prices[here] and core != fullest and _has_room(seats, used, at)
            if same and load[core] + one.load < top:
                _shift(vectors, seats, taken, load, used, n, at)
                return True
    for n in mine:
        here, one = taken[n], vectors[n]
        for m, there in enumerate(taken):
            other, core = vectors[m], seats.core[there]
            if core == fullest or other.load >= one.load or there not in one.prices:
                continue
            if load[core] - other.load + one.load >= top or here not in other.prices:
                continue
            before = one.prices[here] + other.prices[there]
            if one.prices[there] + other.prices[here] == before:
                _shift(vectors, seats, taken, load, used, n, there)
                _shift(vectors, seats, taken, load, used, m, here)
                return True
    return False


def _shift(
    vectors: Sequence[Vector],
    seats: Seats,
    taken: list[int],
    load: Counter[int],
    used: Counter[int],
    n: int,
    at: int,
) -> None:
    load[seats.core[taken[n]]] -= vectors[n].load
    _count(seats, used, taken[n], -1)
    taken[n] = at
    load[seats.core[at]] += vectors[n].load
    _count(seats, used, at, 1)


class _Branches:
    """Depth-first search over few vectors, the largest first; seats that are alike once."""

    def __init__(
        self,
        vectors: Sequence[Vector],
        seats: Seats,
        held: Mapping[int, int],
        best: list[int],
        least: int,
    ) -> None:
        self.vectors, self.seats, self.held = vectors, seats, held
        self.best, self.least = best, least
        self.order = sorted(range(len(vectors)), key=lambda at: (-vectors[at].load, at))
        self.most = _most(vectors, seats, held, best)
        self.price = sum(v.prices[at] for v, at in zip(vectors, best, strict=True))
        rest = [min(vectors[at].prices.values()) for at in self.order]
        self.rest = [sum(rest[place:]) for place in range(len(rest) + 1)]
        self.columns = {
            at: (room, *(vector.prices.get(at, -1) for vector in vectors))
            for at, room in enumerate(seats.room)
        }
        inside: dict[int, list[tuple[int, ...]]] = defaultdict(list)
        for at, core in enumerate(seats.core):
            inside[core].append(self.columns[at])
        self.cores = {
            core: (seats.most.get(core, -1), *sorted(rows)) for core, rows in inside.items()
        }
        self.steps = 0
        self.whole = True

    def run(self) -> list[int]:
        self._walk(0, 0, [-1] * len(self.vectors), Counter(self.held), Counter())
        return self.best

    def _walk(
        self, depth: int, price: int, taken: list[int], load: Counter[int], used: Counter[int]
    ) -> None:
        if depth == len(self.order):
            self.best, self.most = list(taken), max(load.values(), default=0)
            return
        vector = self.vectors[self.order[depth]]
        seen = set()
        for at in sorted(vector.prices, key=lambda at: (load[self.seats.core[at]], at)):
            core = self.seats.core[at]
            heavier = load[core] + vector.load
            paid = price + vector.prices[at]
            # the flow's price is the least: what is dearer is no answer
            if heavier >= self.most or not _has_room(self.seats, used, at):
                continue
            if paid + self.rest[depth + 1] > self.price:
                continue
            if load[core] == self.held.get(core, 0):
                # of empty cores that are alike in all, one is enough
                if (alike := (load[core], self.columns[at], self.cores[core])) in seen:
                    continue
                seen.add(alike)
            self.steps += 1
            if self.steps > _MOST_BRANCHES:
                self.whole = False
                return
            taken[self.order[depth]] = at
            load[core] = heavier
            _count(self.seats, used, at, 1)
            self._walk(depth + 1, paid, taken, load, used)
            load[core] -= vector.load
            _count(self.seats, used, at, -1)
            if self.most <= self.least or not self.whole:
                return

"""What a large placement is made of: classes of PUs, and items of tasks that sit in them.

A class is all PUs that rules, prices and distances do not tell apart, so a task has as many choices
as there are caches instead of PUs. An item is a task, or tasks that must be together, or tasks that
talk so much that they go together (heavy-edge contraction as in Karypis and Kumar, "A fast and high
quality multilevel scheme for partitioning irregular graphs", 1998). An item has all its PUs in its
class.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import gcd

from skb.engines.placement_board import Board, Job

# of the levels of distance, those at which bundles of classes are formed
MOST_LEVELS = 6


@dataclass(frozen=True, slots=True)
class Classes:
    """Where items go: PUs by class with their cores' width, latencies from class to class, room in
    units, the cache of each class and the room of caches, objects by table, bundles by sort.
    """

    pus: tuple[tuple[int, ...], ...]
    width: int
    unit: int
    distance: list[list[int]]
    room: list[int]
    cache: list[int]
    cache_room: list[int]
    objects: list[list[int]]
    bundles: list[list[tuple[int, ...]]]

    @property
    def symmetric(self) -> bool:
        rows = self.distance
        return all(rows[i][j] == rows[j][i] for i in range(len(rows)) for j in range(i))


@dataclass(slots=True)
class Items:
    """What is placed: `cost` numbers a row of `rows`, the price by class (-1: not there); `peers`
    has rates by item and direction (1: from the peer, 0: to it or both alike); `apart` other items
    with the table of the objects that they may not share; `members` the tasks.
    """

    units: list[int]
    cache: list[int]
    cost: list[int]
    rows: Rows
    peers: list[dict[tuple[int, int], int]]
    apart: list[list[tuple[int, int]]]
    members: list[list[int]] = field(default_factory=list)


class Rows:
    """Rows of prices by class, each kept once, with their sums."""

    def __init__(self) -> None:
        self.values: list[tuple[int, ...]] = []
        self._number: dict[tuple[int, ...], int] = {}
        self._sums: dict[tuple[int, int], int] = {}

    def number(self, row: tuple[int, ...]) -> int:
        if row not in self._number:
            self._number[row] = len(self.values)
            self.values.append(row)
        return self._number[row]

    def sum(self, a: int, b: int) -> int:
        """Return the number of the row of both, which may be where each of them may."""
        key = (a, b) if a < b else (b, a)
        if key not in self._sums:
            pairs = zip(self.values[a], self.values[b], strict=True)
            self._sums[key] = self.number(tuple(-1 if x < 0 or y < 0 else x + y for x, y in pairs))
        return self._sums[key]

    def somewhere(self, row: int) -> bool:
        return max(self.values[row], default=-1) >= 0


# ------------------------------------------------------------ from the board
def classes_of(board: Board) -> Classes | None:
    """Return the classes; None where tasks take whole cores that classes would have to share."""
    found: dict[int, list[int]] = defaultdict(list)
    for pu in board.pus:
        found[board.alike[pu]].append(pu)
    pus = tuple(map(tuple, found.values()))
    width = _width(board, pus)
    if width is None:
        return None
    first = [group[0] for group in pus]
    distance = [[board.latency(a, b) for b in first] for a in first]
    for index, group in enumerate(pus):
        distance[index][index] = board.latency(group[0], _other(board, group))
    caches = [board.cache_of.get(pu, "") for pu in first]
    number = {cache: index for index, cache in enumerate(dict.fromkeys(caches))}
    unit = gcd(board.full, *(job.load for job in board.jobs))
    return Classes(
        pus=pus,
        width=width,
        unit=unit,
        distance=distance,
        room=[len(group) * (board.full // unit) for group in pus],
        cache=[number[cache] for cache in caches],
        cache_room=[board.cache_size.get(cache, 0) for cache in number],
        objects=[_numbered([table[pu] for pu in first]) for _members, table in board.apart],
        bundles=_bundles(distance),
    )


def _width(board: Board, pus: Sequence[Sequence[int]]) -> int | None:
    """Return the PUs of a core where some task takes cores, 1 where none does."""
    if not any(job.whole or job.exclusive for job in board.jobs):
        return 1
    widths: set[int] = set()
    for group in pus:
        cores: dict[str, int] = defaultdict(int)
        for pu in group:
            cores[board.core_of[pu]] += 1
        widths.update(cores.values())
    usable = frozenset(board.pus)
    widths.update(
        sum(pu in usable for pu in core) or max(widths) for core in board.core_pus.values()
    )
    return widths.pop() if len(widths) == 1 else None


def _other(board: Board, group: Sequence[int]) -> int:
    """Return a PU of another core where there is one: what two tasks of a class usually get."""
    core = board.core_of[group[0]]
    return next((pu for pu in group if board.core_of[pu] != core), group[-1])


def _numbered(names: Sequence[str]) -> list[int]:
    number = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return [number[name] for name in names]


def _bundles(distance: Sequence[Sequence[int]]) -> list[list[tuple[int, ...]]]:
    """Return classes that may change places: single ones, then near ones together, by size.

    Near is what single linkage joins below a level of distance.
    """
    count = len(distance)
    found: list[list[tuple[int, ...]]] = [[(group,) for group in range(count)]]
    levels = sorted({value for i, row in enumerate(distance) for value in row[:i]})
    for level in levels[:: max(1, len(levels) // MOST_LEVELS)]:
        parts: dict[int, list[tuple[int, ...]]] = defaultdict(list)
        left = dict.fromkeys(range(count))
        while left:
            part = [left.popitem()[0]]
            for group in part:
                near = [other for other in left if distance[group][other] <= level]
                for other in near:
                    del left[other]
                part += near  # the loop goes on to these
            parts[len(part)].append(tuple(sorted(part)))
        sorts = [sorted(group) for size, group in parts.items() if size > 1 and len(group) > 1]
        found += [group for group in sorts if group not in found]
    return found


def items_of(board: Board, classes: Classes) -> Items | None:
    """Return tasks, joined where they must be together; None where one has no class for itself."""
    rows = Rows()
    count = len(board.jobs)
    known: dict[tuple[object, ...], int] = {}
    found = Items(
        units=[_units(board, job, classes) for job in board.jobs],
        cache=[job.cache for job in board.jobs],
        cost=[_row(board, job, classes, rows, known) for job in board.jobs],
        rows=rows,
        peers=[{} for _ in range(count)],
        apart=[[] for _ in range(count)],
        members=[[task] for task in range(count)],
    )
    side = 0 if classes.symmetric else 1
    for a, b, rate in board.traffic:
        if a != b:
            found.peers[a][b, 0] = found.peers[a].get((b, 0), 0) + rate
            found.peers[b][a, side] = found.peers[b].get((a, side), 0) + rate
    for table, (members, _objects) in enumerate(board.apart):
        for a in members:
            found.apart[a] += [(b, table) for b in members if a != b]
    into = list(range(count))
    for members, _objects in board.together:
        roots = {into[member] for member in members}
        into = [min(roots) if root in roots else root for root in into]
    if into != list(range(count)):
        found = merged(found, into)
    alone = all(
        rows.somewhere(cost) and units <= max(classes.room) and not any(o == i for o, _t in apart)
        for i, (cost, units, apart) in enumerate(
            zip(found.cost, found.units, found.apart, strict=True)
        )
    )
    return found if alone else None


def _units(board: Board, job: Job, classes: Classes) -> int:
    """Return what a task takes of a class."""
    width = classes.width
    pus = job.need
    if job.whole:
        pus *= width
    elif job.exclusive:
        pus = -(-pus // width) * width
    return pus * (board.full if job.exclusive else job.load) // classes.unit


def _row(
    board: Board,
    job: Job,
    classes: Classes,
    rows: Rows,
    known: dict[tuple[object, ...], int],
) -> int:
    """Return the number of a task's row of prices."""
    tolls = tuple(job.toll(pus[0]) for pus in classes.pus)
    key = (job.allowed, job.first, tolls, job.need, job.whole, job.remembers, job.nodes)
    if job.current is None and key in known:
        return known[key]
    row = []
    for group, (pus, toll) in enumerate(zip(classes.pus, tolls, strict=True)):
        pu = pus[0]
        takes = job.need * (classes.width if job.whole else 1)
        partial = job.whole and board.core_of[pu] not in board.complete
        if pu not in job.first or pu not in job.allowed or partial or takes > len(pus):
            row.append(-1)
            continue
        price = toll + board.unit * (takes - 1) * classes.distance[group][group]
        if job.remembers:
            price += board.unit * min((board.memory(pu, n) for n in job.nodes), default=0)
        if job.current is not None and not (
            len(job.current) == takes and job.current.issuperset(pus[:takes])
        ):
            price += job.moving
        row.append(price)
    number = rows.number(tuple(row))
    if job.current is None:
        known[key] = number
    return number


# ------------------------------------------------------------ contraction
def contracted(tasks: Items, classes: Classes, most: int) -> Items:
    """Return items of at most so many units, of tasks that talk most for their size."""
    most_cache = max(classes.cache_room, default=0)
    items = tasks
    while True:
        taken: set[int] = set()
        into = list(range(len(items.units)))
        for a, b in _pairs(items):
            if a in taken or b in taken or items.units[a] + items.units[b] > most:
                continue
            if items.cache[a] + items.cache[b] > most_cache or not _joinable(items, a, b):
                continue
            into[b] = a
            taken |= {a, b}
        if not taken:
            return items
        items = merged(items, into)


def _pairs(items: Items) -> list[tuple[int, int]]:
    """Return the pairs that talk, those with most for their size first."""
    rate: dict[tuple[int, int], int] = defaultdict(int)
    for a, peers in enumerate(items.peers):
        for (b, _side), value in peers.items():
            if a < b:
                rate[a, b] += value
    return sorted(rate, key=lambda p: (-rate[p] / (items.units[p[0]] + items.units[p[1]]), p))


def _joinable(items: Items, a: int, b: int) -> bool:
    """Whether some class may take both, and they need not be apart."""
    together = items.rows.somewhere(items.rows.sum(items.cost[a], items.cost[b]))
    return together and all(other != b for other, _table in items.apart[a])


def merged(items: Items, into: Sequence[int]) -> Items:
    """Return the items with each joined to the one that `into` names for it."""
    kept = [item for item, target in enumerate(into) if item == target]
    number = {item: index for index, item in enumerate(kept)}
    to = [number[target] for target in into]
    count = len(kept)
    found = Items(
        units=[0] * count,
        cache=[0] * count,
        cost=[-1] * count,
        rows=items.rows,
        peers=[{} for _ in kept],
        apart=[[] for _ in kept],
        members=[[] for _ in kept],
    )
    for item, target in enumerate(to):
        found.units[target] += items.units[item]
        found.cache[target] += items.cache[item]
        found.members[target] += items.members[item]
        found.apart[target] += [(to[other], table) for other, table in items.apart[item]]
        cost, have = items.cost[item], found.cost[target]
        found.cost[target] = cost if have < 0 else items.rows.sum(have, cost)
        peers = found.peers[target]
        for (other, side), rate in items.peers[item].items():
            if to[other] != target:
                peers[to[other], side] = peers.get((to[other], side), 0) + rate
    return found

"""A large placement of simple tasks on classes of PUs: contraction, then simulated annealing.

A class is all PUs that rules, prices and distances do not tell apart, so a task has as many choices
as there are caches instead of PUs. Tasks that talk most are merged into items that fit one class,
the items are placed, then the tasks by themselves at a lower temperature (heavy-edge contraction as
in Karypis and Kumar, "A fast and high quality multilevel scheme for partitioning irregular graphs",
1998). It judges nothing: what a task may use comes in with the board, and the seats are tried on
the board's own state before they are given back.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log

from skb.engines.placement_search import Board, Seat, Seats, State

# steps for each task, of which a share places the items; a Python makes about 100,000 in a second
STEPS, LEAST_STEPS, ON_ITEMS = 4000, 60_000, 0.4
# the share of the mean price of an edge that a step may cost: at the start, at the end, and at the
# start for tasks whose items are placed
HOT, COLD, WARM = 1.5, 0.03, 0.25
# of a class: how much an item may fill; tried in turn until the items fit
FILLS = (1.0, 0.75, 0.5, 0.0)


@dataclass(slots=True)
class Items:
    """What is placed: `cost` by item and class (None where it may not run), `peers` with rates,
    `apart` other items with the table of the objects that they may not share.
    """

    units: list[int]
    cache: list[int]
    cost: list[list[int | None]]
    peers: list[dict[int, int]]
    apart: list[list[tuple[int, int]]]
    members: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Classes:
    """Where things are placed: PUs by class, distances, room, caches, and objects by table."""

    pus: tuple[tuple[int, ...], ...]
    distance: list[list[int]]
    room: list[int]
    cache: list[int]
    cache_room: list[int]
    objects: list[list[str]]


def annealed(board: Board, seed: int, most: int, deadline: float) -> Seats | None:
    """Return a placement, None where tasks are not simple or no way to pack them was found.

    Simple tasks have one PU or exclusive core each, do not share it, do not move and need not be
    together. Work is counted in steps, at most `most`; the deadline is a fuse.
    """
    width = _width(board)
    if width is None or time.monotonic() >= deadline:
        return None
    classes = _classes(board)
    tasks = _items(board, classes, width)
    chance = random.Random(seed)
    steps = min(most, max(LEAST_STEPS, STEPS * len(board.jobs)))
    on_items = round(steps * ON_ITEMS)
    placed = None
    for fill in FILLS:
        items = _contracted(tasks, classes, fill)
        if items is None or (start := _packed(items, classes, deadline)) is None:
            continue
        on_items = on_items if fill else steps
        found = _Annealing(items, classes, start, chance).run(HOT, on_items, deadline)
        placed = [0] * len(tasks.units)
        for item, members in enumerate(items.members):
            for task in members:
                placed[task] = found[item]
        if fill:
            placed = _Annealing(tasks, classes, placed, chance).run(
                WARM, steps - on_items, deadline
            )
        break
    return None if placed is None else _seats(board, classes, placed)


def _width(board: Board) -> int | None:
    """Return the PUs of a core, None where the board is not a simple one."""
    widths = {len(pus) for pus in board.core_pus.values()}
    usable = len(board.pus) == sum(len(pus) for pus in board.core_pus.values())
    width = widths.pop()
    alone = all(
        job.need == 1
        and job.load == board.full
        and job.current is None
        and (not job.whole or (width == 1 or job.exclusive))
        for job in board.jobs
    )
    regular = not widths and (usable or width == 1)
    return width if alone and regular and not board.together else None


def _classes(board: Board) -> Classes:
    found: dict[int, list[int]] = defaultdict(list)
    for pu in board.pus:
        found[board.alike[pu]].append(pu)
    pus = tuple(map(tuple, found.values()))
    first = [group[0] for group in pus]
    other = [_other(board, group) for group in pus]
    caches = [board.cache_of.get(pu, "") for pu in first]
    number = {cache: index for index, cache in enumerate(dict.fromkeys(caches))}
    return Classes(
        pus,
        [
            [
                board.latency(a, b if a != b else other[i]) + board.latency(b, a)
                if a != b
                else 2 * board.latency(a, other[i])
                for b in first
            ]
            for i, a in enumerate(first)
        ],
        [len(group) for group in pus],
        [number[cache] for cache in caches],
        [board.cache_size.get(cache, 0) for cache in number],
        [[table[pu] for pu in first] for _members, table in board.apart],
    )


def _other(board: Board, group: Sequence[int]) -> int:
    """Return a PU of another core where there is one: what two tasks of a class usually get."""
    core = board.core_of[group[0]]
    return next((pu for pu in group if board.core_of[pu] != core), group[-1])


def _items(board: Board, classes: Classes, width: int) -> Items:
    count = len(board.jobs)
    found = Items(
        [width if job.exclusive else 1 for job in board.jobs],
        [job.cache for job in board.jobs],
        [[_cost(board, task, pus[0]) for pus in classes.pus] for task in range(count)],
        [{} for _ in range(count)],
        [[] for _ in range(count)],
        [[task] for task in range(count)],
    )
    for a, b, rate in board.traffic:
        if a != b:
            found.peers[a][b] = found.peers[b][a] = found.peers[a].get(b, 0) + rate
    for table, (members, _objects) in enumerate(board.apart):
        for a in members:
            found.apart[a] += [(b, table) for b in members if a != b]
    return found


def _cost(board: Board, task: int, pu: int) -> int | None:
    """Return twice the price of a first PU by itself, None where the task may not use it."""
    job = board.jobs[task]
    if pu not in job.first or pu not in job.allowed:
        return None
    price = job.toll(pu)
    if job.remembers:
        price += board.unit * min((board.memory(pu, n) for n in job.nodes), default=0)
    return 2 * price


# ------------------------------------------------------------ contraction
def _contracted(tasks: Items, classes: Classes, fill: float) -> Items | None:
    """Return items of tasks that talk most for their size; None where they are the tasks."""
    most = int(max(classes.room) * fill)
    most_cache = max(classes.cache_room, default=0)
    items = tasks
    while True:
        pairs = sorted(
            ((a, b) for a, peers in enumerate(items.peers) for b in peers if a < b),
            key=lambda p: (-items.peers[p[0]][p[1]] / (items.units[p[0]] + items.units[p[1]]), p),
        )
        into = list(range(len(items.units)))
        taken: set[int] = set()
        for a, b in pairs:
            if a in taken or b in taken or items.units[a] + items.units[b] > most:
                continue
            if items.cache[a] + items.cache[b] > most_cache or not _joinable(items, a, b):
                continue
            into[b] = a
            taken |= {a, b}
        if not taken:
            return items if fill == 0.0 or items is not tasks else None
        items = _merged(items, into)


def _joinable(items: Items, a: int, b: int) -> bool:
    """Whether some class may take both, and they need not be apart."""
    both = any(
        x is not None and y is not None for x, y in zip(items.cost[a], items.cost[b], strict=True)
    )
    return both and all(other != b for other, _table in items.apart[a])


def _merged(items: Items, into: Sequence[int]) -> Items:
    kept = [item for item, target in enumerate(into) if item == target]
    number = {item: index for index, item in enumerate(kept)}
    to = [number[target] for target in into]
    count = len(kept)
    found = Items(
        [0] * count,
        [0] * count,
        [[0] * len(items.cost[0]) for _ in kept],
        [{} for _ in kept],
        [[] for _ in kept],
        [[] for _ in kept],
    )
    for item, target in enumerate(to):
        found.units[target] += items.units[item]
        found.cache[target] += items.cache[item]
        found.members[target] += items.members[item]
        found.apart[target] += [(to[other], table) for other, table in items.apart[item]]
        row = zip(found.cost[target], items.cost[item], strict=True)
        found.cost[target] = [None if a is None or b is None else a + b for a, b in row]
        for other, rate in items.peers[item].items():
            if to[other] != target:
                found.peers[target][to[other]] = found.peers[target].get(to[other], 0) + rate
    return found


# ------------------------------------------------------------ placing
class _Room:
    """Items in classes, with what is left of the classes."""

    def __init__(self, items: Items, classes: Classes) -> None:
        self.items = items
        self.classes = classes
        self.at = [-1] * len(items.units)
        self.free = list(classes.room)
        self.cache = list(classes.cache_room)

    def put(self, item: int, group: int, sign: int = 1) -> None:
        self.free[group] -= sign * self.items.units[item]
        self.cache[self.classes.cache[group]] -= sign * self.items.cache[item]
        self.at[item] = group if sign > 0 else -1

    def fits(self, item: int, group: int) -> bool:
        if self.items.cost[item][group] is None or self.free[group] < self.items.units[item]:
            return False
        if self.items.cache[item] > self.cache[self.classes.cache[group]]:
            return False
        for other, table in self.items.apart[item]:
            objects, there = self.classes.objects[table], self.at[other]
            if there >= 0 and objects[there] == objects[group]:
                return False
        return True

    def price(self, item: int, group: int) -> int:
        """Return twice what an item costs in a class beside those that are placed."""
        row, at = self.classes.distance[group], self.at
        price = self.items.cost[item][group] or 0
        for other, rate in self.items.peers[item].items():
            there = at[other]
            if there >= 0:
                price += rate * row[there]
        return price


def _packed(items: Items, classes: Classes, deadline: float) -> list[int] | None:
    """Return a first placement: who has least choice, then who talks most to the placed."""
    room = _Room(items, classes)
    left = set(range(len(items.units)))
    choice = [sum(cost is not None for cost in row) for row in items.cost]
    talk = [0] * len(items.units)
    large = max(items.units) > 1
    while left and time.monotonic() < deadline:
        # large items first where sizes differ: small ones fill the holes
        item = min(left, key=lambda i: (choice[i], -items.units[i] if large else 0, -talk[i], i))
        found = [g for g in range(len(classes.room)) if room.fits(item, g)]
        if not found:
            return None
        room.put(item, min(found, key=lambda g: (room.price(item, g), -room.free[g], g)))
        left.discard(item)
        for other, rate in items.peers[item].items():
            talk[other] += rate
    return None if left else room.at


class _Annealing:
    """Moves and swaps of items between classes with a falling temperature."""

    def __init__(
        self, items: Items, classes: Classes, start: Sequence[int], chance: random.Random
    ) -> None:
        self.room = _Room(items, classes)
        for item, group in enumerate(start):
            self.room.put(item, group)
        self.draw = chance.random
        self.peers = [list(peers) for peers in items.peers]

    def run(self, hot: float, steps: int, deadline: float) -> list[int]:
        """Return the best placement; `hot` is a share of the mean price of an edge."""
        room, draw, count = self.room, self.draw, len(self.room.at)
        rates = [rate for peers in room.items.peers for rate in peers.values()]
        far = [value for row in room.classes.distance for value in row if value]
        if not rates or not far or len(room.free) < 2:
            return room.at
        edge = sum(rates) / len(rates) * sum(far) / len(far)
        value = best = 0
        found = list(room.at)
        heat, factor = hot * edge, (COLD / hot) ** (1024 / steps)
        for step in range(steps):
            if step % 1024 == 0:
                heat *= factor
                if time.monotonic() >= deadline:
                    break
            item = int(draw() * count)
            near = self.peers[item]
            if near and draw() < 0.7:
                group = room.at[near[int(draw() * len(near))]]
            else:
                group = int(draw() * len(room.free))
            if group != room.at[item]:
                # accept what costs d more with probability exp(-d / heat)
                value += self._try(item, group, -heat * log(1.0 - draw()))
                if value < best:
                    best = value
                    found = list(room.at)
        return found

    def _try(self, item: int, group: int, most: float) -> int:
        """Move an item, or swap it with one that is there; return what that costs, 0 if not
        done.
        """
        room, here = self.room, self.room.at[item]
        if room.items.cost[item][group] is None:
            return 0
        before = room.price(item, here)
        room.put(item, here, -1)
        if room.fits(item, group):
            more = room.price(item, group) - before
            if more <= most:
                room.put(item, group)
                return more
        else:
            other = self._one_of(group)
            if other >= 0:
                done = self._swapped(item, other, here, group, before, most)
                if done is not None:
                    return done
        room.put(item, here)
        return 0

    def _one_of(self, group: int) -> int:
        at, count = self.room.at, len(self.room.at)
        for _ in range(8):
            other = int(self.draw() * count)
            if at[other] == group:
                return other
        inside = [other for other in range(count) if at[other] == group]
        return inside[int(self.draw() * len(inside))] if inside else -1

    def _swapped(
        self, item: int, other: int, here: int, group: int, before: int, most: float
    ) -> int | None:
        room = self.room
        before += room.price(other, group)
        room.put(other, group, -1)
        if room.fits(item, group):
            after = room.price(item, group)
            room.put(item, group)
            if room.fits(other, here):
                more = after + room.price(other, here) - before
                if more <= most:
                    room.put(other, here)
                    return more
            room.put(item, group, -1)
        room.put(other, group)
        return None


# ------------------------------------------------------------ back to PUs
def _seats(board: Board, classes: Classes, placed: Sequence[int]) -> Seats | None:
    """Seat the tasks on PUs of their classes; None where memory nodes have no room for that."""
    state = State(board)
    order = sorted(
        range(len(placed)), key=lambda task: (not board.jobs[task].exclusive, placed[task], task)
    )
    left = [list(pus) for pus in classes.pus]
    for task in order:
        job, pus = board.jobs[task], left[placed[task]]
        core = board.core_of[pus[0]]
        mine = [pu for pu in pus if board.core_of[pu] == core] if job.exclusive else pus[:1]
        left[placed[task]] = [pu for pu in pus if pu not in mine]
        node = state.node(task, mine[0])
        if node is None and job.nodes:
            return None
        state.sit(task, Seat(mine[0], tuple(mine) if job.whole else (mine[0],), node))
    return tuple(seat for seat in state.seats if seat is not None)

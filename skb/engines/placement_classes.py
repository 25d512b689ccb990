"""The local search of a large placement: annealing of items on classes of PUs, level by level.

Tasks that talk most are joined to items that fit one class, and these to larger ones; the largest
are placed first, and each level starts from the placement of the one above at a lower temperature
(see `placement_items`, `placement_kernel`). Later rounds start anew, or from the best placement
once more. It judges nothing: what a task may use comes in with the board, and the seats are looked
at once more (`placement_admissible`) before they are given back.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from skb.engines.compiling import PLAIN, Arm, fastest, loaded
from skb.engines.placement_admissible import admissible
from skb.engines.placement_arrays import (
    LARGEST,
    edge_price,
    first_draw,
    largest_price,
    price_of,
    problem_of,
    start,
)
from skb.engines.placement_board import Board, Job, Seat, Seats
from skb.engines.placement_items import Classes, Items, classes_of, contracted, items_of
from skb.engines.placement_kernel import FRESH, SEED, STRIDE, Problem, keep
from skb.engines.placement_search import State

# steps for each task in a round, at least and at most; they grow with the square of the tasks: with
# few of them restarts matter more than patience, since a slow run ends in the widest valley, which
# need not be the deepest
SHORT, LONG = 1_000, 12_000
# steps for each task in all rounds, and when in a hurry; and in a round at least
ALL, QUICK, LEAST = 400_000, 1_000, 20_000
# the first round has so many times fewer steps
FIRST = 8
# items for which nothing is loaded: to compile their search saves less than it costs
SMALL = 16
# of the steps that numba's arm makes in a time, plain Python makes one in so many
SLOWER = 40
# the mean prices of an edge that a step may cost: at the start, so many that even those who talk
# with many are torn apart; by level from the tasks on, where the level above placed them; where
# tasks were placed before; and at the end
HOT, WARM, AGAIN, COLD = 4.0, (0.2, 0.3, 0.5), (0.35, 0.6), 0.03
# the share of the steps of a level that go to steps that cost nothing
QUENCH = 0.05
# of a class: how much an item may fill, level by level
FILLS = (1.0, 0.5, 0.25)
# attempts to pack items before smaller ones are tried
PACKINGS = 24
# rounds that end with the best price before no more are made
ENOUGH = 12


def annealed(
    board: Board, seed: int, most: int, deadline: float, quick: bool = False, arm: Arm | None = None
) -> Seats | None:
    """Return a placement, None where some task has to span classes or no packing was found.

    Work is counted in steps: at most `most` of the compiled arm, of which the plain one makes a
    share; when `quick`, or with few tasks, so few that either arm makes all of them, and nothing is
    loaded for them.
    The deadline is a fuse.
    """
    if time.monotonic() >= deadline or (classes := classes_of(board)) is None:
        return None
    tasks = items_of(board, classes)
    if tasks is None:
        return None
    quick = quick or len(tasks.units) <= SMALL
    chosen = arm or (loaded() if quick else ready(board, deadline))
    placed = Search(tasks, classes, chosen).run(seed, most, deadline, quick)
    seats = None if placed is None else seated(board, classes, tasks, placed)
    return seats if seats is not None and admissible(board, seats) else None


def ready(board: Board, deadline: float) -> Arm:
    """Return the arm for a board, loaded where that is worth it and can be had in time."""
    return fastest(deadline) if len(board.jobs) > SMALL else loaded()


def abstracts(board: Board) -> bool:
    """Whether prices or rooms differ inside classes, so that steps on PUs may find more."""
    cores: set[tuple[int, str]] = set()
    for pu in board.pus:
        if (board.alike[pu], board.core_of[pu]) in cores:
            return True
        cores.add((board.alike[pu], board.core_of[pu]))
    return any(job.need > 1 or (job.remembers and job.amounts) for job in board.jobs)


@dataclass(frozen=True, slots=True)
class Level:
    """Items of a size with their problem, and for each the items of the level below."""

    items: Items
    problem: Problem


class Search:
    """Rounds of annealing through the levels of one request."""

    def __init__(self, tasks: Items, classes: Classes, arm: Arm) -> None:
        self.tasks, self.classes = tasks, classes
        self.arm = arm if largest_price(tasks, classes) < LARGEST else PLAIN
        levels = [tasks]
        for fill in reversed(FILLS):
            items = contracted(levels[-1], classes, int(max(classes.room) * fill))
            if items is not levels[-1]:
                levels.append(items)
        self.levels = [Level(items, problem_of(items, classes, self.arm)) for items in levels]
        self.edge = edge_price(tasks, classes)

    def run(self, seed: int, most: int, deadline: float, quick: bool = False) -> list[int] | None:
        """Return the class of each item of the lowest level, None where nothing was packed."""
        count = len(self.tasks.units)
        degree = sum(map(len, self.tasks.peers)) / count
        # a step looks at all peers of an item
        share = min(1.0, 8 / (1 + degree))
        if quick:
            left = length = round(min(most, QUICK * count) * share)
        else:
            each = min(LONG, max(SHORT, 3 * count**2 // 4))
            slower = 1 if self.arm.name == "compiled" else SLOWER
            left = round(min(most, ALL * count) * share / slower)
            length = left if left < 2 * LEAST else max(LEAST, min(each * count, left // 2))
        best: tuple[int, list[int]] | None = None
        same = number = 0
        while number == 0 or (left > 0 and time.monotonic() < deadline and same < ENOUGH):
            # a short one first: on a busy host the fuse may end the others before they cool down
            steps = min(length // FIRST if number == 0 and length > LEAST else length, left)
            draw = seed * 1_000_003 + number
            # in turn from the largest items on, from smaller ones, and from the best once more
            fresh, turn = number % 3 < 2, number - number // 3
            if best is not None and not fresh:
                hot = AGAIN[number // 3 % len(AGAIN)]
                found = self._annealed(0, best[1], (hot, draw), steps, deadline)
            elif (again := self._round(turn, draw, steps, deadline)) is not None:
                found = again
            else:
                break
            if best is None or found[0] < best[0]:
                best, same = found, 0
            same += found[0] == best[0] and fresh
            left -= steps
            number += 1
        return best and best[1]

    def _round(
        self, turn: int, seed: int, steps: int, deadline: float
    ) -> tuple[int, list[int]] | None:
        """Return the price and the placement of a run through the levels, fewer by turns."""
        placed: Sequence[int] | None = None
        found: tuple[int, list[int]] | None = None
        for index in reversed(range(len(self.levels) - turn % len(self.levels))):
            hot = HOT if placed is None else WARM[index]
            placed = placed or self._packed(self.levels[index], deadline)
            if placed is None:
                continue
            part = steps // (index + 2) if index else steps
            steps -= part
            found = self._annealed(index, placed, (hot, seed), part, deadline)
            placed = self._below(index, found[1])
        return found

    def _below(self, index: int, placed: Sequence[int]) -> list[int]:
        """Return the classes of the items of the level below."""
        if index == 0:
            return list(placed)
        members = self.levels[index].items.members
        of = {task: item for item, tasks in enumerate(members) for task in tasks}
        return [placed[of[tasks[0]]] for tasks in self.levels[index - 1].items.members]

    def _packed(self, level: Level, deadline: float) -> list[int] | None:
        """Return a first placement: who has least choice, then large ones, then who talks most."""
        items, arm = level.items, self.arm
        choice = {cost: sum(p >= 0 for p in items.rows.values[cost]) for cost in set(items.cost)}
        # large items first where sizes differ: small ones fill the holes
        size = max(items.units) + 1
        pairs = zip(items.cost, items.units, strict=True)
        urgent = arm.words([units - choice[cost] * size for cost, units in pairs])
        for attempt in range(PACKINGS):
            if time.monotonic() >= deadline:
                return None
            now = start(level.problem, self.classes, arm)
            talk = arm.words([0] * len(items.units))
            stuck = arm.pack(level.problem, now, urgent, talk, attempt % 2 == 1)
            if stuck < 0:
                return [int(group) for group in now.at]
            urgent[stuck] = max(urgent) + 1
        return None

    def _annealed(
        self,
        index: int,
        placed: Sequence[int],
        hot_seed: tuple[float, int],
        steps: int,
        deadline: float,
    ) -> tuple[int, list[int]]:
        """Return the best price that was met and its placement."""
        (hot, seed), level = hot_seed, self.levels[index]
        problem = level.problem
        now = start(problem, self.classes, self.arm, placed)
        now.control[SEED] = first_draw(seed)
        quench = round(steps * QUENCH)
        now.heat[0] = hot * self.edge
        now.heat[1] = (COLD / hot) ** (STRIDE / max(STRIDE, steps - quench))
        for part, still in ((steps - quench, False), (quench, True)):
            if still:
                now.heat[0] = 0.0
            for begin in range(0, part, self.arm.stride):
                if time.monotonic() >= deadline:
                    break
                self.arm.anneal(problem, now, min(self.arm.stride, part - begin))
        if now.control[FRESH]:
            keep(now)
        found = [int(group) for group in now.found]
        return price_of(level.items, self.classes, found), found


# ------------------------------------------------------------ back to PUs
def seated(board: Board, classes: Classes, tasks: Items, placed: Sequence[int]) -> Seats | None:
    """Seat the tasks on PUs of their classes; None where shares or memory nodes have no room so."""
    of = {task: placed[item] for item, members in enumerate(tasks.members) for task in members}
    room = [_Cores(board, pus) for pus in classes.pus]
    state = State(board)
    # cores first, then large shares: they fit where whatever is left does not
    order = sorted(of, key=lambda task: (*_bulk(board.jobs[task]), of[task], task))
    found: dict[int, Seat] = {}
    for task in order:
        job = board.jobs[task]
        pus = room[of[task]].given(job)
        node = state.node(task, pus[0]) if pus else None
        if not pus or (node is None and job.nodes):
            return None
        found[task] = Seat(pus[0], tuple(sorted(pus)), node)
        state.sit(task, found[task])
    return tuple(found[task] for task in range(len(board.jobs)))


def _bulk(job: Job) -> tuple[bool, int, int]:
    return (not (job.exclusive or job.whole), -job.load, -job.need)


class _Cores:
    """The PUs of a class by core, with the load that is left."""

    def __init__(self, board: Board, pus: Sequence[int]) -> None:
        self.full = board.full
        self.left = dict.fromkeys(pus, board.full)
        self.core_of = board.core_of
        self.cores: dict[str, list[int]] = defaultdict(list)
        for pu in pus:
            self.cores[board.core_of[pu]].append(pu)

    def given(self, job: Job) -> list[int]:
        """Return PUs for a task, of which the load is taken; none where there are too few."""
        if not (job.exclusive or job.whole):
            free = [pu for pu, left in self.left.items() if left >= job.load]
            # what is begun is filled first, and a task's own PUs are near each other
            begun = [pu for pu in free if self.left[pu] < self.full]
            fresh = [pu for pu in free if self.left[pu] == self.full]
            fresh.sort(key=lambda pu: self.cores[self.core_of[pu]][0])
            chosen = [*begun, *fresh][: job.need]
            return self._taken(chosen, job.load) if len(chosen) == job.need else []
        load = self.full if job.exclusive else job.load
        chosen, cores = [], 0
        for pus in self.cores.values():
            if (cores if job.whole else len(chosen)) >= job.need:
                break
            if all(self.left[pu] >= load for pu in pus):
                chosen += self._taken(pus, load)
                cores += 1
        enough = (cores if job.whole else len(chosen)) >= job.need
        return (chosen if job.whole else chosen[: job.need]) if enough else []

    def _taken(self, pus: list[int], load: int) -> list[int]:
        for pu in pus:
            self.left[pu] -= load
        return pus

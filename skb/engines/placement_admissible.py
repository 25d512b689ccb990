"""Whether seats hold all that a board says; a search answers with what was looked at once more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from skb.engines.placement_board import Board, Job, Seat


def admissible(board: Board, seats: Sequence[Seat]) -> bool:
    """Tell whether each task has what it needs, and nothing holds more than it can."""
    pairs = zip(board.jobs, seats, strict=True)
    return (
        all(_served(board, job, seat) for job, seat in pairs)
        and _shared(board, seats)
        and _held(board, seats)
        and _grouped(board, seats)
    )


def _served(board: Board, job: Job, seat: Seat) -> bool:
    """Tell whether a task may use its PUs, the first one first, and has enough of them."""
    pus = frozenset(seat.pus)
    if len(pus) != len(seat.pus) or seat.first not in pus & job.first or not pus <= job.allowed:
        return False
    if job.nodes and seat.node not in job.nodes:
        return False
    if not job.whole:
        return len(pus) == job.need
    cores = {board.core_of[pu] for pu in pus}
    whole = sum(len(board.core_pus[core]) for core in cores)
    return cores <= board.complete and (len(cores), whole) == (job.need, len(pus))


def _shared(board: Board, seats: Sequence[Seat]) -> bool:
    """Tell whether no PU has more than it can do, nor a core of one task others."""
    load: dict[int, int] = defaultdict(int)
    here: dict[str, int] = defaultdict(int)
    alone: set[str] = set()
    for job, seat in zip(board.jobs, seats, strict=True):
        for pu in seat.pus:
            load[pu] += job.load
        cores = {board.core_of[pu] for pu in seat.pus}
        for core in cores:
            here[core] += 1
        if job.exclusive:
            alone |= cores
    return all(pu <= board.full for pu in load.values()) and all(here[core] == 1 for core in alone)


def _held(board: Board, seats: Sequence[Seat]) -> bool:
    """Tell whether memory nodes and caches hold what is in them; unknown ones hold anything."""
    used: dict[tuple[str, int | None], int] = defaultdict(int)
    cached: dict[str, int] = defaultdict(int)
    for job, seat in zip(board.jobs, seats, strict=True):
        for resource, amount in job.amounts.items():
            used[resource, seat.node] += amount
        if job.cache:
            cached[board.cache_of.get(seat.first, "")] += job.cache
    return all(
        node is not None and amount <= board.supply[resource].get(node, amount)
        for (resource, node), amount in used.items()
    ) and all(amount <= board.cache_size.get(cache, amount) for cache, amount in cached.items())


def _grouped(board: Board, seats: Sequence[Seat]) -> bool:
    """Tell whether tasks are together and apart as they have to be."""

    def parts(task: int, table: Mapping[int, str]) -> set[str]:
        return {table[pu] for pu in seats[task].pus}

    for members, table in board.together:
        if len(set().union(*(parts(task, table) for task in members))) > 1:
            return False
    for members, table in board.apart:
        found = [part for task in members for part in parts(task, table)]
        if len(set(found)) < len(found):
            return False
    return True

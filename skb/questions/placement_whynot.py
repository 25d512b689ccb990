"""Alternatives to a placement: how one is forced, and what it costs at most where little moves."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from skb.decision import Decision
from skb.engines.placement_board import Board, Seat, Seats, terms
from skb.engines.placement_search import State, search
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.placement_answer import board_of, decision_of
from skb.questions.placement_clash import instance_of
from skb.questions.placement_request import (
    Request,
    expand,
    known_level,
    known_object,
    known_task,
    named,
    resolved,
)
from skb.questions.question import Raw, read_request

# the level at which a task is with another one, the first that the machine has
SHARED = ("l3", "l2", "numa", "package", "machine")
ALIASES = {"node": "numa"}
MEND = "write task=rx pu=5 (or numa=1, package=0, at=device:eth0), task=rx with=tx, or apart=tx"
# candidates that the search around the alternative may weigh, and seconds as a fuse
WORK, FUSE = 30_000, 0.5
# sets of tasks in the way that are tried
MOST_WAYS = 32


def force(machine: Machine, raw: Mapping[str, object], clause: Mapping[str, str]) -> dict[str, Any]:
    """Return the request with an alternative forced: `task=rx pu=5`, `numa=1` or `at=l3:2` for its
    first PU, `with=tx` or `apart=tx` for its company, `within=package` saying at which level.

    Raises `RequestError` where the clause means nothing here.
    """
    rest = {key: value for key, value in clause.items() if key not in {"task", "within"}}
    if "task" not in clause or len(rest) != 1:
        text = "the alternative names no task and one place or other task"
        raise RequestError(text, place="not", mend=MEND)
    names = _names(machine, raw)
    known_task(clause["task"], names, "not task")
    ((key, value),) = rest.items()
    if key in {"with", "apart"}:
        return _grouped(machine, raw, clause, key, names)
    if "within" in clause:
        raise RequestError("within says nothing about a place", place="not within", mend=MEND)
    at = named(machine, value if key == "at" else f"{ALIASES.get(key, key)}:{value}")
    known_object(machine, at, f"not {key}={value}")
    if not machine.pus_of(at):
        text = f"no PU is local to {at}"
        raise RequestError(text, place=f"not {key}={value}", mend="name another object")
    earlier = raw.get("forced", [])
    forced = list(earlier) if isinstance(earlier, list) else []
    return {**raw, "forced": [*forced, {"task": clause["task"], "at": at}]}


def _names(machine: Machine, raw: Raw) -> list[str]:
    request = resolved(machine, read_request(raw, Request, "placement"))
    return [wanted.name for wanted in expand(machine, request)]


def _grouped(
    machine: Machine, raw: Raw, clause: Mapping[str, str], key: str, names: list[str]
) -> dict[str, Any]:
    task, other = clause["task"], clause[key]
    known_task(other, names, f"not {key}")
    if task == other:
        raise RequestError(f"{task} is one task", place=f"not {key}", mend="name another task")
    have = [level for level in SHARED if level == "machine" or machine.of_kind(level)]
    level = clause.get("within", have[0])
    if level not in {"core", *SHARED}:
        mend = f"levels are: core, {', '.join(SHARED)}"
        raise RequestError(f"{level!r} is no level", place="not within", mend=mend)
    known_level(machine, level, "not within")
    kind = "together" if key == "with" else "apart"
    group = {"tasks": [task, other], "within": level}
    return {**raw, kind: [*raw.get(kind, []), group]}


# ------------------------------------------------------------ what it costs at most
def nearby(machine: Machine, decision: Raw, raw: Raw) -> Decision | None:
    """Return a placement that has what is forced and moves little else.

    The task, those that it talks with, and those in its way find a place anew; it is an upper
    bound, and None where that finds no place for all of them.
    """
    instance = instance_of(machine, raw)
    board = board_of(instance)
    rows = decision["answer"].get("tasks", {})
    if set(rows) != {wanted.name for wanted in instance.tasks}:
        return None
    seats = tuple(
        Seat(row["pus"][0], tuple(sorted(row["pus"])), row["numa_node"])
        for row in (rows[wanted.name] for wanted in instance.tasks)
    )
    number = {wanted.name: index for index, wanted in enumerate(instance.tasks)}
    moved = _forced(raw, decision["request"], number)
    fuse = time.monotonic() + FUSE
    best = _moved(board, seats, moved, fuse)
    if best is None:
        return None
    found = search(board, 0, WORK, best, fuse, 0)
    return decision_of(instance, board, found[0] if found else best, None, deadline=fuse - FUSE)


def _forced(raw: Raw, before: Raw, number: Mapping[str, int]) -> list[int]:
    """Return the tasks of what the request has more than the one before."""
    more = [number[row["task"]] for row in raw.get("forced", [])[len(before.get("forced", [])) :]]
    for key in ("together", "apart"):
        for row in raw.get(key, [])[len(before.get(key, [])) :]:
            more += [number[name] for name in row["tasks"]]
    return more


def _moved(board: Board, seats: Seats, moved: Iterable[int], fuse: float) -> Seats | None:
    """Return the cheapest of the placements where the moved tasks and all in their way sit anew."""
    first = list(dict.fromkeys(moved))
    near = {
        peer
        for a, b, _rate in board.traffic
        for task, peer in ((a, b), (b, a))
        if task in first and peer not in first
    }
    best: tuple[int, Seats] | None = None
    for alone in (False, True):
        freed = {*first} if alone else {*first, *near}
        for way in _ways(board, seats, first[0], freed):
            if time.monotonic() >= fuse:
                return best and best[1]
            found = _seated(board, seats, first, way)
            price = sum(terms(board, found).values()) if found else 0
            if found and (best is None or price < best[0]):
                best = (price, found)
    return best and best[1]


def _ways(board: Board, seats: Seats, task: int, freed: set[int]) -> Iterable[set[int]]:
    """Yield sets of tasks to stand up: none but these, or also those on one core of its choice."""
    yield freed
    cores: dict[str, set[int]] = {}
    for other, seat in enumerate(seats):
        for pu in seat.pus:
            cores.setdefault(board.core_of[pu], set()).add(other)
    seen: set[tuple[int, ...]] = set()
    for pu in sorted(board.jobs[task].allowed & board.jobs[task].first):
        there = cores.get(board.core_of[pu], set()) - freed
        key = tuple(sorted(there))
        if there and key not in seen and len(seen) < MOST_WAYS:
            seen.add(key)
            yield freed | there


def _seated(board: Board, seats: Seats, first: list[int], stand: set[int]) -> Seats | None:
    state = State(board)
    for task, seat in enumerate(seats):
        if task not in stand:
            state.sit(task, seat)
    others = sorted(stand - set(first), key=lambda t: (-board.jobs[t].need, t))
    for task in (*first, *others):
        found = state.best(task)
        if found is None:
            return None
        state.sit(task, found)
    return tuple(seat for seat in state.seats if seat is not None)

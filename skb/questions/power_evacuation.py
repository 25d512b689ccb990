"""Tasks leave parts that go: the fewest moves by the repair of placements, and an order of steps.

A step moves memory, then the task itself; parts go when nobody is left on them. Nobody shares a
core that a task has to itself in between, and no node holds more memory than it has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from skb.decision import Assumption, Decision, Limits, Reason, Status
from skb.errors import LimitError, RequestError
from skb.machine import Machine
from skb.questions.placement import QUESTION as PLACEMENT
from skb.questions.placement_repaired import Repaired, repaired
from skb.questions.power_request import PowerRequest

MIB = 2**20
# memory of a task of which only the node is said
TOKEN_MIB = 1.0
FULL = 1.0 + 1e-9
# of the limit to price what is, the rest to mend it
STANDING = 0.3


@dataclass(frozen=True, slots=True)
class Move:
    """A task that moves; `load` is its share of each PU, and it has its cores alone
    where `exclusive`."""

    task: str
    pus: tuple[int, ...]
    to: tuple[int, ...]
    numa: int | None
    numa_to: int | None
    memory: int
    load: float
    exclusive: bool
    why: str


@dataclass(frozen=True, slots=True)
class Evacuation:
    """What the repair found, and the steps; `clash` says why there is none."""

    told: dict[str, Any]
    clash: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()
    assumed: tuple[Assumption, ...] = ()


def tasks_of(request: PowerRequest) -> dict[str, Any] | None:
    """Return the placement request of the tasks that run now, with where each is; None without.

    Tasks of which only the place is known need as many PUs as they have, whole, and their memory.
    """
    if not request.current:
        return None
    placement = request.keep.placement if request.keep else None
    if placement is None:
        rows: list[dict[str, Any]] = []
        for name, seat in request.current.items():
            row: dict[str, Any] = {"name": name, "pus": len(seat.pus)}
            if seat.numa_node is not None:
                row["memory_mib"] = TOKEN_MIB if seat.memory_mib is None else seat.memory_mib
            rows.append(row)
        placement = {"task": rows}
    where = {name: {"pus": s.pus, "numa_node": s.numa_node} for name, s in request.current.items()}
    return {**placement, "current": {**placement.get("current", {}), "placement": where}}


def standing(machine: Machine, tasks: Mapping[str, Any], limits: Limits) -> Decision:
    """Return the decision that the tasks are where they are, with its price.

    Raises `RequestError` where they cannot be there.
    """
    where = tasks["current"]["placement"]
    if missing := sorted(set(where) ^ needs_of(machine, tasks).keys()):
        raise RequestError(
            f"task {missing[0]} is in one of current and keep.placement only",
            place=f"power request $.current.{missing[0]}",
            mend="say of every task what it needs and where it runs",
        )
    current = {**tasks["current"], "keep": list(where)}
    found = PLACEMENT.decide(machine, {**tasks, "current": current}, limits)
    if found.status not in (Status.OPTIMAL, Status.FEASIBLE):
        why = "; ".join(reason.text for reason in found.reasons) or found.status.value
        raise RequestError(
            f"the tasks cannot be where they are said to be: {why}",
            place="power request $.current",
            mend="say where they run now",
        )
    plain = {key: value for key, value in tasks.items() if key != "current"}
    cost = tasks["current"].get("migration_cost")
    if cost:
        plain["current"] = {"placement": where, "migration_cost": cost}
    return replace(found, request=plain)


def evacuation(
    machine: Machine,
    after: Machine,
    tasks: Mapping[str, Any],
    order: Sequence[Mapping[str, Any]],
    limits: Limits,
) -> Evacuation:
    """Return the fewest moves that leave the parts that go, as steps before these.

    `after` is the machine without them. Raises `LimitError` where nothing was found in time.
    """
    before = standing(machine, tasks, replace(limits, seconds=limits.seconds * STANDING))
    left = replace(limits, seconds=limits.seconds * (1 - STANDING))
    found = repaired(machine, before.to_json(), after, (), left)
    if found.best.status is Status.INFEASIBLE:
        return Evacuation({}, found.best.reasons)
    PLACEMENT.approve(found.machine, found.best)
    rows = needs_of(machine, tasks)
    moves = moves_of(found, rows, before)
    steps = ordered(machine, tasks, before.answer["tasks"], moves)
    todo = [*steps, *({"do": "off", "part": row["part"]} for row in order)]
    told = {
        "moves": len({move.task for move in moves}),
        "stay": len(before.answer["tasks"]) - len(moves),
        "steps": [{"step": at, **row} for at, row in enumerate(todo, 1)],
        "before": {"value": before.objective.value, "unit": "ns/s"},
        "after": {
            "value": found.best.objective.value,
            "bound": found.best.bound,
            "unit": "ns/s",
            "proven": found.best.status is Status.OPTIMAL,
        },
        "tasks": _stored(found.best.answer["tasks"], rows),
        "tasks_before": _stored(before.answer["tasks"], rows),
        "why": {move.task: move.why for move in moves},
    }
    return Evacuation(told, (), found.best.warnings, found.best.assumed)


def needs_of(machine: Machine, tasks: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what each task needs by its name; a row with `per` is one for each device."""
    found: dict[str, Mapping[str, Any]] = {}
    for row in tasks["task"]:
        name = str(row["name"])
        many = len(machine.of_device_kind(str(row["per"]))) if row.get("per") else None
        names = [name] if many is None else [f"{name}{number}" for number in range(many)]
        found.update(dict.fromkeys(names, row))
    return found


def _stored(
    places: Mapping[str, Mapping[str, Any]], rows: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return where tasks are; who stores nothing has no memory node."""
    return {
        name: {**place, "numa_node": place["numa_node"] if _stores(rows.get(name)) else None}
        for name, place in places.items()
    }


def _stores(row: Mapping[str, Any] | None) -> bool:
    """Tell whether a task has memory of its own."""
    keys = ("memory_mib", "memory_kind", "bandwidth_mbps")
    return row is None or any(row.get(key) for key in keys)


def moves_of(
    found: Repaired, rows: Mapping[str, Mapping[str, Any]], before: Decision
) -> list[Move]:
    """Return who moves, with what each has on its PUs and in memory."""
    moves = []
    for row in found.moves:
        need = rows.get(row["task"], {})
        now = before.answer["tasks"][row["task"]]
        moves.append(
            Move(
                row["task"],
                tuple(now["pus"]),
                tuple(row["to"]),
                now["numa_node"] if _stores(rows.get(row["task"])) else None,
                row["numa_to"] if _stores(rows.get(row["task"])) else None,
                int(float(need.get("memory_mib") or 0) * MIB),
                float(need.get("load", 1.0)),
                bool(need.get("exclusive")),
                row["why"],
            )
        )
    return moves


# ------------------------------------------------------------------ steps
class _Floor:
    """Who is on which PU, and what is in which node, while tasks move."""

    def __init__(
        self,
        machine: Machine,
        tasks: Mapping[str, Any],
        where: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self.machine = machine
        self.mates: dict[str, list[int]] = defaultdict(list)
        for pu, core in machine.core_of.items():
            self.mates[core].append(pu)
        self.on: dict[int, dict[str, tuple[float, bool]]] = defaultdict(dict)
        self.free: dict[int, int] = defaultdict(int)
        for fact in machine.facts_of("memory_size"):
            name = str(fact.args[0])
            if name.startswith("numa:"):
                self.free[int(name[5:])] += int(str(fact.args[-1]))
        # of a size that nobody states the placement assumes that it is enough
        self.unknown = frozenset(machine.numa) - self.free.keys()
        rows = needs_of(machine, tasks)
        for name, place in where.items():
            need = rows.get(name, {})
            self.enter(
                name, place["pus"], float(need.get("load", 1.0)), bool(need.get("exclusive"))
            )
            if place["numa_node"] is not None:
                self.free[place["numa_node"]] -= int(float(need.get("memory_mib") or 0) * MIB)

    def enter(self, task: str, pus: Iterable[int], load: float, alone: bool) -> None:
        for pu in pus:
            self.on[pu][task] = (load, alone)

    def leave(self, task: str, pus: Iterable[int]) -> None:
        for pu in pus:
            self.on[pu].pop(task, None)

    def room(self, move: Move, pus: Iterable[int]) -> bool:
        """Tell whether a task could run on PUs now, beside who else is there."""
        for pu in pus:
            others = [held for name, held in self.on[pu].items() if name != move.task]
            if sum(load for load, _alone in others) + move.load > FULL and others:
                return False
            beside = [
                alone
                for other in self.mates[self.machine.core_of[pu]]
                for name, (_load, alone) in self.on[other].items()
                if name != move.task
            ]
            if beside and (move.exclusive or any(beside)):
                return False
        return True

    def holds(self, move: Move) -> bool:
        """Tell whether the memory of a task fits where it goes."""
        to = move.numa_to
        return to is None or to in (move.numa, *self.unknown) or self.free[to] >= move.memory


def ordered(
    machine: Machine,
    tasks: Mapping[str, Any],
    where: Mapping[str, Mapping[str, Any]],
    moves: Sequence[Move],
) -> list[dict[str, Any]]:
    """Return the moves as steps, memory first; where tasks wait for each other, what memory can
    moves, and in a circle one task steps aside onto PUs where it has room meanwhile.

    Raises `LimitError` where no free PUs are there to break the circle.
    """
    floor = _Floor(machine, tasks, where)
    at = {move.task: move.pus for move in moves}
    left, steps = list(moves), []
    once: set[str] = set()
    while left:
        ready = next((m for m in left if floor.room(m, m.to) and floor.holds(m)), None)
        if ready is not None:
            steps += _moved(floor, ready, at[ready.task])
            left.remove(ready)
            continue
        early = next((m for m in left if m.numa != m.numa_to and floor.holds(m)), None)
        if early is not None:
            steps += _moved(floor, replace(early, to=at[early.task]), at[early.task])
            left[left.index(early)] = replace(early, numa=early.numa_to)
            continue
        aside = _aside(floor, [move for move in left if move.task not in once], left, at)
        if aside is None:
            raise LimitError(
                "tasks wait for each other in a circle, and no step aside was found that breaks it",
                mend="free a PU or some memory, or let one task stop meanwhile",
            )
        move, pus = aside
        once.add(move.task)
        floor.leave(move.task, at[move.task])
        floor.enter(move.task, pus, move.load, move.exclusive)
        steps.append(_step("step aside", move.task, at[move.task], pus))
        at[move.task] = pus
    return steps


def _moved(floor: _Floor, move: Move, now: tuple[int, ...]) -> list[dict[str, Any]]:
    steps = []
    if move.numa_to is not None and move.numa_to != move.numa:
        floor.free[move.numa_to] -= move.memory
        if move.numa is not None:
            floor.free[move.numa] += move.memory
        steps.append(_step("move memory", move.task, move.numa, move.numa_to))
    if set(move.to) != set(now):
        floor.leave(move.task, now)
        floor.enter(move.task, move.to, move.load, move.exclusive)
        steps.append(_step("move task", move.task, now, move.to))
    return steps


def _step(do: str, task: str, before: Any, to: Any) -> dict[str, Any]:
    return {
        "do": do,
        "task": task,
        "from": list(before) if isinstance(before, tuple) else before,
        "to": list(to) if isinstance(to, tuple) else to,
    }


def _aside(
    floor: _Floor, able: Sequence[Move], left: Sequence[Move], at: Mapping[str, tuple[int, ...]]
) -> tuple[Move, tuple[int, ...]] | None:
    """Return one of those that are able to, whose cores others wait for, and PUs where it has
    room meanwhile: rather on cores that nobody waits for, and where nobody is.
    """
    core_of, mates = floor.machine.core_of, floor.mates
    for move in able:
        awaited = {core_of[pu] for wait in left if wait is not move for pu in wait.to}
        here = at[move.task]
        if not awaited.intersection(core_of[pu] for pu in here):
            continue
        stays = {pu for pu in here if core_of[pu] not in awaited}
        other = [pu for pu in floor.machine.usable_pus if pu in stays or pu not in here]
        room = [pu for pu in other if floor.room(move, (pu,))]
        busy = {pu: any(floor.on[other] for other in mates[core_of[pu]]) for pu in room}
        room.sort(key=lambda pu: (core_of[pu] in awaited, busy[pu], pu))
        if len(room) >= len(here):
            return move, tuple(room[: len(here)])
    return None

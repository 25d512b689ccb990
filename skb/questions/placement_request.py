"""The request of the placement question: what a user may write, and what is refused with place and
mend.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from skb.containment import CPU_KINDS
from skb.errors import NotFoundError, RequestError
from skb.machine import Machine, kind_of, object_order
from skb.wording import counted

Level = Literal["core", "l2", "l3", "numa", "package", "machine"]
Memory = Literal["dram", "hbm", "cxl", "pmem", "gpu", "special"]
# rates and shares are decimal fractions; what is finer than this is rounded
FINEST = 10**6
# more than any machine that we read has
MOST_PUS = 10**6


class Near(Struct, forbid_unknown_fields=True, frozen=True):
    """A soft wish: be near an object; the weight is messages per second to it."""

    object: str
    weight: float = 1.0


class Task(Struct, forbid_unknown_fields=True, frozen=True):
    """What one task needs; `per` makes one task for each device of a kind."""

    name: str
    pus: int | None = None
    cores: int | None = None
    memory_mib: float | None = None
    memory_kind: Memory | None = None
    isa: str | None = None
    kind: str | None = None
    at: str | list[str] | None = None
    not_at: str | list[str] | None = None
    near: str | list[str | Near] | dict[str, float] | None = None
    exclusive: bool = False
    load: float = 1.0
    per: str | None = None
    cache_mib: float | None = None
    bandwidth_mbps: float | None = None


class Traffic(Struct, forbid_unknown_fields=True, frozen=True, rename={"from_": "from"}):
    """Messages from one task to another; `bytes` is kept for the reader and not priced."""

    from_: str
    to: str
    messages_per_s: float
    bytes: int | None = None


class Grouping(Struct, forbid_unknown_fields=True, frozen=True):
    """Tasks that share one object of a level, or share none."""

    tasks: list[str]
    within: Level


class CurrentTask(Struct, forbid_unknown_fields=True, frozen=True):
    """Where a task runs now."""

    pus: list[int]
    numa_node: int | None = None


class Current(Struct, forbid_unknown_fields=True, frozen=True):
    """The placement that is in force; each moved task costs `migration_cost` ns/s.

    The tasks of `keep` stay: on these PUs, the first of them first, and at this memory node.
    """

    placement: dict[str, CurrentTask]
    migration_cost: float = 0.0
    keep: list[str] = []


class Forced(Struct, forbid_unknown_fields=True, frozen=True):
    """An alternative that `why not` forces: the first PU of the task lies in the object."""

    task: str
    at: str


class Request(Struct, forbid_unknown_fields=True, frozen=True):
    """Tasks, their traffic, and what limits them; `compare` asks for the known policies' prices.

    The parts of `busy`, and those that facts say are busier than `busy_above` percent, are not
    used.
    """

    task: list[Task]
    traffic: list[Traffic] = []
    together: list[Grouping] = []
    apart: list[Grouping] = []
    current: Current | None = None
    allowed: list[int] | None = None
    busy: list[str] = []
    busy_above: float | None = None
    forced: list[Forced] = []
    compare: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """A task of the request after `per` is expanded: `place` names it, `device` is its own
    device.
    """

    name: str
    task: Task
    place: str
    device: str = ""


def exact(number: float) -> Fraction:
    """Return the decimal fraction that the user wrote, to a millionth."""
    if float(number).is_integer():
        return Fraction(int(number))
    return Fraction(str(number)).limit_denominator(FINEST)


def listed(value: str | list[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def wishes(task: Task) -> tuple[tuple[str, float], ...]:
    """Return the objects that a task wants to be near, with weights."""
    if isinstance(task.near, dict):
        return tuple(task.near.items())
    near = [task.near] if isinstance(task.near, str) else (task.near or [])
    return tuple(
        (item, 1.0) if isinstance(item, str) else (item.object, item.weight) for item in near
    )


def resolved(machine: Machine, request: Request) -> Request:
    """Return the request with `device:` before each bare name of a device that the machine has."""
    tasks = [
        replace(
            task,
            at=_resolved_names(machine, task.at),
            not_at=_resolved_names(machine, task.not_at),
            near=[Near(named(machine, name), weight) for name, weight in wishes(task)] or None,
        )
        for task in request.task
    ]
    forced = [replace(one, at=named(machine, one.at)) for one in request.forced]
    return replace(request, task=tasks, forced=forced)


def _resolved_names(machine: Machine, names: str | list[str] | None) -> str | list[str] | None:
    if names is None or isinstance(names, str):
        return names and named(machine, names)
    return [named(machine, name) for name in names]


def named(machine: Machine, name: str) -> str:
    bare = not machine.has(name) and machine.has(f"device:{name}")
    return f"device:{name}" if bare else name


def expand(machine: Machine, request: Request) -> tuple[Wanted, ...]:
    """Return the tasks with `per` expanded, checked against the machine; raise `RequestError`."""
    if not request.task:
        raise RequestError("there is no task", place="task", mend="add a [[task]] with a name")
    found: list[Wanted] = []
    for index, task in enumerate(request.task):
        place = f"task[{index}]"
        _check_task(machine, task, place)
        if task.per is None:
            found.append(Wanted(task.name, task, place))
            continue
        devices = machine.of_device_kind(task.per)
        if not devices:
            kinds = sorted({str(fact.args[1]) for fact in machine.facts_of("device_kind")})
            raise RequestError(
                f"{machine.name} has no device of kind {task.per!r}",
                place=f"{place}.per",
                mend=f"its kinds are: {', '.join(kinds)}" if kinds else "it states no devices",
            )
        found += [
            Wanted(f"{task.name}{number}", task, place, device)
            for number, device in enumerate(devices)
        ]
    seen: dict[str, Wanted] = {}
    for wanted in found:
        if wanted.name in seen:
            raise RequestError(
                f"two tasks are called {wanted.name!r}", place=wanted.place, mend="rename one"
            )
        seen[wanted.name] = wanted
    return tuple(found)


def check(machine: Machine, request: Request, tasks: tuple[Wanted, ...]) -> None:
    """Raise `RequestError` where traffic, groupings, current placement or allowed set do not
    fit.
    """
    names = {wanted.name: wanted.task for wanted in tasks}
    for index, traffic in enumerate(request.traffic):
        for key, name in (("from", traffic.from_), ("to", traffic.to)):
            known_task(name, names, f"traffic[{index}].{key}")
        positive(traffic.messages_per_s, f"traffic[{index}].messages_per_s")
        positive(traffic.bytes, f"traffic[{index}].bytes")
    for kind, groupings in (("together", request.together), ("apart", request.apart)):
        for index, grouping in enumerate(groupings):
            for name in grouping.tasks:
                known_task(name, names, f"{kind}[{index}].tasks")
            if not grouping.tasks:
                place = f"{kind}[{index}].tasks"
                raise RequestError("the list is empty", place=place, mend="name two tasks or more")
            if len(set(grouping.tasks)) < len(grouping.tasks):
                raise RequestError(
                    "a task is named twice", place=f"{kind}[{index}].tasks", mend="name it once"
                )
            known_level(machine, grouping.within, f"{kind}[{index}].within")
    for index, forced in enumerate(request.forced):
        known_task(forced.task, names, f"forced[{index}].task")
        known_object(machine, forced.at, f"forced[{index}].at")
    _pus(machine, request.allowed or [], "allowed")
    check_busy(machine, request.busy)
    if request.busy_above is not None and not 0 <= request.busy_above <= 100:
        text = f"{request.busy_above} is not a load"
        raise RequestError(text, place="busy_above", mend="give a percentage from 0 to 100")
    if request.current is not None:
        positive(request.current.migration_cost, "current.migration_cost")
        for name, now in request.current.placement.items():
            known_task(name, names, f"current.placement.{name}")
            _pus(machine, now.pus, f"current.placement.{name}.pus")
        for index, name in enumerate(request.current.keep):
            known_task(name, request.current.placement, f"current.keep[{index}]")
            _check_kept(machine, name, names[name], request.current.placement[name])


def _check_kept(machine: Machine, name: str, task: Task, now: CurrentTask) -> None:
    """Raise `RequestError` where a task cannot stay where it is said to be, whoever else does."""
    pus, place = now.pus, f"current.placement.{name}.pus"
    stores = task.memory_mib or task.memory_kind or task.bandwidth_mbps
    if stores and now.numa_node is not None:
        known_object(machine, f"numa:{now.numa_node}", f"current.placement.{name}.numa_node")
    if not pus or len(set(pus)) < len(pus):
        wrong = "a PU is named twice" if pus else "the list is empty"
        raise RequestError(wrong, place=place, mend="name each PU that the task keeps once")
    kind, most, have = "PU", task.pus or 1, len(pus)
    if task.cores is not None:
        kind, most, have = "core", task.cores, len({machine.core_of[pu] for pu in pus})
    if have > most:
        text = f"task {name} needs {counted(most, kind)} and would keep {have}"
        mend = f"name {most}, or let the task ask for {have}"
        raise RequestError(text, place=place, mend=mend)


def _check_task(machine: Machine, task: Task, place: str) -> None:
    if not task.name:
        raise RequestError("the task has no name", place=f"{place}.name", mend="give it one")
    if task.pus is not None and task.cores is not None:
        raise RequestError("both pus and cores are given", place=place, mend="give one of them")
    for key, count in (("pus", task.pus), ("cores", task.cores)):
        if count is not None and count < 1:
            raise RequestError(f"{count} is below 1", place=f"{place}.{key}", mend="give 1 or more")
        if count is not None and count > MOST_PUS:
            text = f"{count} is more than any machine has"
            raise RequestError(text, place=f"{place}.{key}", mend=f"give at most {MOST_PUS}")
    if not 0 < task.load <= 1 or not exact(task.load):
        text = f"{task.load} is not a share of a PU"
        raise RequestError(text, place=f"{place}.load", mend="0 < load <= 1, in millionths")
    for key in ("memory_mib", "cache_mib", "bandwidth_mbps"):
        positive(getattr(task, key), f"{place}.{key}")
    if (task.memory_mib or task.memory_kind or task.bandwidth_mbps) and not machine.numa:
        raise RequestError(
            f"{machine.name} states no memory",
            place=f"{place}.memory_mib",
            mend="leave memory out, or describe the NUMA nodes",
        )
    if task.cache_mib and not machine.facts_of("cache_size"):
        raise RequestError(
            f"{machine.name} states no cache size",
            place=f"{place}.cache_mib",
            mend="leave cache_mib out, or state cache_size",
        )
    for key in ("at", "not_at"):
        for name in listed(getattr(task, key)):
            known_object(machine, name, f"{place}.{key}")
    if task.at == []:
        raise RequestError("the list is empty", place=f"{place}.at", mend="name an object")
    for name, weight in wishes(task):
        known_object(machine, name, f"{place}.near")
        positive(weight, f"{place}.near")
        if not machine.pus_of(name):
            raise RequestError(
                f"no PU is local to {name}", place=f"{place}.near", mend="name another object"
            )


def known_task(name: str, names: Collection[str], place: str) -> None:
    if name not in names:
        near = get_close_matches(name, names, n=1)
        mend = f"did you mean {near[0]}?" if near else f"tasks are: {', '.join(list(names)[:20])}"
        raise RequestError(f"there is no task {name!r}", place=place, mend=mend)


def positive(value: float | None, place: str) -> None:
    if value is not None and not (math.isfinite(value) and value >= 0):
        raise RequestError(f"{value} is not a number from 0", place=place, mend="give 0 or more")


def known_object(machine: Machine, name: str, place: str) -> None:
    try:
        machine.require(name)
    except NotFoundError as fault:
        kind, _colon, rest = name.rpartition(":")
        mend = fault.mend
        if kind in {"", "device"} or not machine.of_kind(kind):
            mend = _meant(machine, rest)
        raise RequestError(f"{machine.name} has no {name}", place=place, mend=mend) from fault


def _meant(machine: Machine, name: str) -> str:
    """Return the objects that a user may have meant by a name, devices first."""
    devices = {at.partition(":")[2]: at for at in machine.of_kind("device")}
    near = [devices[at] for at in get_close_matches(name, devices, n=3)]
    near = near or get_close_matches(name, machine.objects, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    have = sorted(devices.values(), key=object_order)[:8]
    few = f"; its devices are: {', '.join(have)}" if have else "; it states no devices"
    return f"write kind:index, such as numa:0, or the name of a device{few}"


def _pus(machine: Machine, pus: Iterable[int], place: str) -> None:
    known = set(machine.pus)
    for pu in pus:
        if pu not in known:
            raise RequestError(
                f"{machine.name} has no pu:{pu}",
                place=place,
                mend=f"PUs are {machine.pus[0]} to {machine.pus[-1]}" if machine.pus else "",
            )


def check_busy(machine: Machine, parts: Iterable[str]) -> None:
    """Raise `RequestError` where a part is not known or nothing can run there."""
    for index, part in enumerate(parts):
        known_object(machine, part, f"busy[{index}]")
        if kind_of(part) not in {*CPU_KINDS, "numa"}:
            mend = "name a PU or what holds PUs, such as pu:5, l3:3 or numa:1"
            raise RequestError(f"nothing runs on {part}", place=f"busy[{index}]", mend=mend)


def known_level(machine: Machine, level: str, place: str) -> None:
    if level not in {"machine", "core"} and not machine.of_kind(level):
        raise RequestError(
            f"{machine.name} has no {level}", place=place, mend="name a level that it has"
        )

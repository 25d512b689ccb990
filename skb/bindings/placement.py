"""What all targets read: the tasks of a placement decision, in the order of the request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from skb.errors import CheckError, RequestError
from skb.machine import Machine, kind_of
from skb.wording import spans

# no program takes these in an argument
_IMPOSSIBLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Seat:
    """One task and its place.

    `pus` are OS indexes in the order of the answer, the home PU first; `numa` is an OS index, None
    on a machine without nodes. `strict` tells that the task asked for memory, so that the node is
    more than the nearest one. `devices` are those that the request assigns (`per`, `at`). `load` is
    the share of each PU, `memory_mib` 0 where not stated.
    """

    name: str
    pus: tuple[int, ...]
    numa: int | None
    strict: bool
    exclusive: bool
    load: float
    memory_mib: float
    devices: tuple[str, ...]

    @property
    def cpu_list(self) -> str:
        """The PUs as Linux writes them: `0-3,8`."""
        return spans(self.pus)


@dataclass(frozen=True)
class Placement:
    """A placement decision with the snapshot that it read."""

    id: str
    machine: Machine
    seats: tuple[Seat, ...]

    @property
    def short(self) -> str:
        """The beginning of the decision's id, as people type it."""
        return self.id[:8]

    @cached_property
    def used(self) -> tuple[int, ...]:
        """The PUs of all tasks."""
        return tuple(sorted({pu for seat in self.seats for pu in seat.pus}))

    @cached_property
    def shared(self) -> bool:
        """Tell whether two tasks run on one PU."""
        counts = Counter(pu for seat in self.seats for pu in seat.pus)
        return any(count > 1 for count in counts.values())

    def whole_cores(self, seat: Seat) -> bool:
        """Tell whether a task has every usable PU of each core that it touches."""
        cores = {self.machine.core_of[pu] for pu in seat.pus}
        whole = {pu for pu in self.machine.usable_pus if self.machine.core_of[pu] in cores}
        return whole == set(seat.pus)


@dataclass(frozen=True, slots=True)
class Written:
    """What a target's module returns; the fields are those of a binding."""

    text: str
    tasks: Mapping[str, tuple[str, ...]]
    undo: str = ""
    notes: tuple[str, ...] = ()


def placement_of(machine: Machine, decision: Mapping[str, Any]) -> Placement:
    """Read a decision as it is stored; raise `RequestError` where it places nothing."""
    id_ = str(decision["id"])
    if decision["question"] != "placement":
        raise RequestError(
            f"decision {id_} answers {decision['question']}; only a placement can be bound",
            mend="skb ask placement",
        )
    answer = decision["answer"].get("tasks")
    if not answer:
        raise RequestError(
            f"decision {id_} is {decision['status']}: it places nothing that could be bound",
            mend=f"skb why {id_[:8]}",
        )
    tasks = list(_tasks(machine, decision["request"]))
    if {name for name, _task, _devices in tasks} != set(answer):
        raise CheckError(f"the tasks of decision {id_} are not those of its request")
    seats = []
    for name, task, devices in tasks:
        if _IMPOSSIBLE.search(name):
            raise RequestError(
                f"the task's name {name!r} has a character that no command can take",
                mend="rename the task and ask again",
            )
        seats.append(_seat(name, task, answer[name], devices))
    return Placement(id_, machine, tuple(seats))


def _seat(
    name: str, task: Mapping[str, Any], place: Mapping[str, Any], devices: tuple[str, ...]
) -> Seat:
    node = place.get("numa_node")
    asked = any(task.get(key) for key in ("memory_mib", "memory_kind", "bandwidth_mbps"))
    return Seat(
        name=name,
        pus=tuple(place["pus"]),
        numa=node,
        strict=asked and node is not None,
        exclusive=bool(task.get("exclusive")),
        load=float(task.get("load", 1.0)),
        memory_mib=float(task.get("memory_mib") or 0),
        devices=devices,
    )


def _tasks(
    machine: Machine, request: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any], tuple[str, ...]]]:
    """Yield name, task and assigned devices, `per` expanded as the question does it."""
    for task in request["task"]:
        at = task.get("at") or ()
        named = [_device(machine, name) for name in ([at] if isinstance(at, str) else at)]
        # several devices under `at` are alternatives, none of them is assigned
        fixed = _assigned(machine, named[0]) if len(named) == 1 else ()
        if task.get("per") is None:
            yield task["name"], task, fixed
            continue
        for number, device in enumerate(machine.of_device_kind(task["per"])):
            yield f"{task['name']}{number}", task, (device, *fixed)


def _assigned(machine: Machine, name: str) -> tuple[str, ...]:
    """Return the device that `at` names, by itself or by its PCI function."""
    parts = machine.children(name) if kind_of(name) == "pci" else (name,)
    return tuple(part for part in parts if kind_of(part) == "device")[:1]


def _device(machine: Machine, name: str) -> str:
    bare = not machine.has(name) and machine.has(f"device:{name}")
    return f"device:{name}" if bare else name

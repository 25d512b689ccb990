"""The request of `interrupts`: devices with queues, the PUs that may take them, what is now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.question import Raw

MOST_QUEUES = 4096
VECTORS_PER_PU = 200
"""Vectors of an x86 PU that devices get: 256 less exceptions and those of the kernel."""
UNLIMITED = 2**20
"""Vectors of a PU of another processor, whose interrupt controller counts none by PU."""

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Irq = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Load = Annotated[float, Meta(gt=0, le=1e12)]
Place = int | str
Queues = Annotated[int, Meta(ge=1, le=MOST_QUEUES)]
Number = Annotated[int, Meta(ge=0, lt=MOST_QUEUES)]
Spill = Literal["share", "next-nearest", "other-package", "refuse"]


class DeviceRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One device. What is absent comes from the facts: `queues` (how many), `vectors` (interrupt
    numbers in the order of the queues).

    `load` is that of each queue, or one number for every queue; `packets_per_s` that of the device,
    spread evenly. `workers` are the PUs that may take its queues, "near" is every PU.
    """

    name: Name
    queues: Queues | None = None
    direction: Literal["rx", "tx", "combined"] = "combined"
    vectors: Annotated[list[Irq], Meta(min_length=1, max_length=MOST_QUEUES)] | None = None
    load: Load | Annotated[list[Load], Meta(min_length=1)] | None = None
    packets_per_s: Load | None = None
    workers: str | list[Place] | None = None


class LimitsRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How many vectors a PU holds (absent: as its processor does), and how many queues it takes
    before they spill.
    """

    vectors_per_pu: Annotated[int, Meta(ge=0, le=UNLIMITED)] | None = None
    fill: Annotated[int, Meta(ge=1, le=2**20)] = 1


class CurrentRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is in force: PUs by interrupt, masks as Linux writes them by device and queue."""

    affinity: dict[str, str | int | list[int]] = {}
    rps: dict[str, dict[str, str]] = {}
    xps: dict[str, dict[str, str]] = {}


class TaskPlace(msgspec.Struct, forbid_unknown_fields=False):
    """The place of a task, as the answer of a placement has it."""

    pus: list[int]


class RequireRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A queue whose PU is given."""

    device: Name
    queue: Number
    pu: Annotated[int, Meta(ge=0)]


class SteerRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Packets of a flow for a pinned consumer: they get the queue nearest to it."""

    device: Name
    flow_type: Literal["tcp4", "udp4", "tcp6", "udp6", "sctp4", "sctp6"] = "tcp4"
    dst_port: Annotated[int, Meta(ge=0, le=65535)]
    consumer: Place


class InterruptsRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Queues of devices to be given a PU each. Without `device` all that have queues.

    `exclude` are PUs or parts that no queue gets, `spare` those kept for everything else. Isolated
    PUs are left alone unless `isolated` allows them. `managed` interrupts stay where they are.
    `smt` "one" uses one PU of each core, "all" all of them, one of a core first. `spill` says where
    queues go that the nearest cores do not take: "share" has them share those, the others fill each
    PU with `limits.fill` queues and go on to the next nearest core, to other packages, or refuse.
    `tasks` are places by task, as a placement gives them; `ipi_groups` groups of PUs that get an
    interrupt together.
    """

    device: Annotated[list[DeviceRequest], Meta(max_length=512)] = []
    workers: str | list[Place] = "near"
    tasks: dict[str, TaskPlace | list[int]] = {}
    exclude: list[Place] = []
    spare: list[Place] = []
    isolated: Literal["avoid", "allow"] = "avoid"
    managed: list[Irq] = []
    limits: LimitsRequest = msgspec.field(default_factory=LimitsRequest)
    smt: Literal["one", "all"] = "one"
    spill: Spill = "share"
    current: CurrentRequest = msgspec.field(default_factory=CurrentRequest)
    require: list[RequireRequest] = []
    steer: list[SteerRequest] = []
    ipi_groups: list[Annotated[list[Place], Meta(min_length=1)]] = []


def pus_of(
    place: str | list[Place],
    machine: Machine,
    tasks: Mapping[str, TaskPlace | list[int]],
    path: str,
) -> frozenset[int]:
    """Return the PUs that a text or list names: numbers, parts, tasks, or "near" for all."""
    if place == "near":
        return frozenset(machine.pus)
    found: set[int] = set()
    for one in [place] if isinstance(place, str) else place:
        found |= _pus(one, machine, tasks, path)
    if not found:
        raise RequestError("no PU is named", place=path, mend='name PUs, parts, or "near"')
    return frozenset(found)


def _pus(
    one: Place, machine: Machine, tasks: Mapping[str, TaskPlace | list[int]], path: str
) -> frozenset[int]:
    text = str(one)
    if text in tasks:
        task = tasks[text]
        return _numbers(task if isinstance(task, list) else task.pus, machine, path)
    if text.isascii() and text.isdigit() and len(text) < 9:
        return _numbers([int(text)], machine, path)
    if machine.has(text):
        if inside := machine.pus_of(text):
            return inside
        raise RequestError(f"{text} has no PUs", place=path, mend="name a part with PUs")
    known = f"; tasks are: {', '.join(tasks)}" if tasks else ""
    raise RequestError(
        f"{machine.name} has no {text}",
        place=path,
        mend=f'give PUs such as 5, parts such as "numa:0", tasks that `tasks` places{known}',
    )


def _numbers(numbers: list[int], machine: Machine, path: str) -> frozenset[int]:
    for number in numbers:
        if not machine.has(f"pu:{number}"):
            last = max(machine.pus, default=0)
            raise RequestError(
                f"{machine.name} has no pu:{number}", place=path, mend=f"PUs go up to {last}"
            )
    return frozenset(numbers)


def device_of(name: str, machine: Machine, path: str) -> str:
    """Return the device or PCI function that a name, with or without its kind, stands for."""
    for known in (name, f"device:{name}", f"pci:{name}", f"pci:0000:{name}"):
        if known.startswith(("device:", "pci:")) and machine.has(known):
            return known
    have = ", ".join(machine.of_kind("device")[:20])
    raise RequestError(
        f"{machine.name} has no device {name}",
        place=path,
        mend=f"it has {have}" if have else "it describes no devices",
    )


def force(machine: Machine, raw: Raw, clause: Mapping[str, str]) -> dict[str, Any]:
    """Return the request with a queue's PU forced: `device=eth0 queue=3 pu=5`."""
    number, pu = clause.get("queue", ""), clause.get("pu", "").removeprefix("pu:")
    good = set(clause) == {"device", "queue", "pu"} and number.isdecimal() and pu.isdecimal()
    if not good:
        raise RequestError(
            "the alternative names no queue and PU",
            place="not",
            mend='write "device=eth0 queue=3 pu=5"',
        )
    wanted = {"device": clause["device"], "queue": int(number), "pu": int(pu)}
    name = device_of(clause["device"], machine, "not")
    rest = [
        row
        for row in raw.get("require", [])
        if row["queue"] != wanted["queue"] or device_of(row["device"], machine, "not") != name
    ]
    return {**raw, "require": [*rest, wanted]}

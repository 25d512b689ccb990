"""The request of the replicas question: state objects, who uses them how often, and limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from skb.errors import NotFoundError, RequestError
from skb.machine import CPU_KINDS, Machine, kind_of
from skb.questions.question import Raw

MOST_RATE = 1e9
"""Operations per second of one PU: none is faster than its clock."""
LEAST_RATE = 1e-6
"""Operations per second below which there are none: one in eleven days."""
LARGEST = 1024
"""Most PUs that use one object: costs of pairs grow with the square."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.\-]+$")]
Rate = Annotated[float, msgspec.Meta(ge=0, le=MOST_RATE)]
Rates = Rate | dict[str, Rate]
Nanoseconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=1e12)]
Count = Annotated[int, msgspec.Meta(ge=1, le=LARGEST)]
Bytes = Annotated[int, msgspec.Meta(ge=1, le=2**50)]
Amount = Annotated[int, msgspec.Meta(ge=0, le=2**60)]
Consistency = Literal["single-phase", "two-phase", "consensus"]
Agreement = Literal["single-phase-commit", "two-phase-commit", "multi-paxos", "raft"]
Level = Literal["machine", "package", "die", "numa", "l4", "l3", "l2", "l1", "core", "pu"]

PROTOCOLS: Mapping[str, tuple[str, ...]] = {
    "single-phase": ("single-phase-commit",),
    "two-phase": ("two-phase-commit",),
    "consensus": ("raft", "multi-paxos"),
}
"""What may keep each consistency between replicas, the first one where nothing is said."""


class Operation(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A class of updates: how often each PU makes one, and what it takes to agree on it.

    `refused` is the share of two-phase proposals that conflict and are made again.
    """

    name: Name
    rate: Rates
    consistency: Consistency = "single-phase"
    work_ns: Nanoseconds = 0.0
    refused: Annotated[float, msgspec.Meta(ge=0, le=0.99)] = 0.0
    protocol: Agreement | None = None


class StateObject(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One object: rates per PU and second are a number for all, or a table by PU or part.

    `update_rate`, `consistency` and `work_ns` are one class of updates; `operations` are several.
    `members` are PUs and parts, by default those with a rate. `at` and `not_at` say where the
    coordinator may be. `level`, `domains` and `sharing` force what is decided otherwise.
    """

    name: Name
    bytes: Bytes = 64
    lines: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    read_rate: Rates = 0.0
    update_rate: Rates | None = None
    consistency: Consistency = "single-phase"
    work_ns: Nanoseconds = 0.0
    operations: list[Operation] = []
    members: list[int | str] | None = None
    sharing: Literal["lock", "combining", "either"] = "either"
    faults: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    max_read_ns: Positive | None = None
    max_update_ns: Positive | None = None
    max_replicas: Count | None = None
    memory_bytes: Amount | dict[str, Amount] | None = None
    at: list[int | str] = []
    not_at: list[int | str] = []
    level: Level | None = None
    domains: list[str] = []


class ReplicasRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """State objects that the PUs of a machine share."""

    object: Annotated[list[StateObject], msgspec.Meta(min_length=1, max_length=256)]


def operations_of(asked: StateObject) -> list[Operation]:
    """Return the classes of updates of an object."""
    if asked.operations:
        return asked.operations
    return [
        Operation(
            name="update",
            rate=asked.update_rate or 0.0,
            consistency=asked.consistency,
            work_ns=asked.work_ns,
        )
    ]


def require_sound(request: ReplicasRequest) -> None:
    """Refuse objects that contradict themselves; raises `RequestError`."""
    seen: set[str] = set()
    for at, each in enumerate(request.object):
        place = f"replicas request $.object[{at}]"
        if each.name in seen:
            raise RequestError(
                f"two objects are called {each.name}", place=place, mend="give each its own name"
            )
        seen.add(each.name)
        if each.operations and each.update_rate is not None:
            raise RequestError(
                "update_rate and operations both say how often the object is updated",
                place=f"{place}.update_rate",
                mend="give the rate of each operation, and leave update_rate out",
            )
        names = [operation.name for operation in each.operations]
        for number, operation in enumerate(each.operations):
            own = f"{place}.operations[{number}]"
            if operation.name in names[:number]:
                text = f"two operations are called {operation.name}"
                raise RequestError(text, place=own, mend="give each its own name")
            if operation.refused and operation.consistency != "two-phase":
                raise RequestError(
                    f"{operation.consistency} operations are not refused",
                    place=f"{own}.refused",
                    mend='leave it out, or write consistency = "two-phase"',
                )
            known = PROTOCOLS[operation.consistency]
            if operation.protocol is not None and operation.protocol not in known:
                raise RequestError(
                    f"{operation.protocol} is no protocol for {operation.consistency} operations",
                    place=f"{own}.protocol",
                    mend=f"give {' or '.join(known)}",
                )


# ---------------------------------------------------------------- parts and PUs
def pus_named(machine: Machine, named: int | str, place: str) -> tuple[int, ...]:
    """Return the usable PUs of a PU or a part; raise `RequestError` where there is none."""
    name = f"pu:{named}" if isinstance(named, int) or named.isdecimal() else named
    try:
        machine.require(name)
    except NotFoundError as fault:
        raise RequestError(fault.message, place=place, mend=fault.mend) from fault
    if kind_of(name) not in CPU_KINDS and kind_of(name) != "numa":
        text = f"{name} is no part of the processors"
        raise RequestError(text, place=place, mend="name a PU, core, cache, NUMA node or package")
    inside = sorted(machine.pus_of(name))
    found = tuple(pu for pu in inside if not machine.unusable(f"pu:{pu}"))
    if not found:
        why = machine.unusable(f"pu:{inside[0]}") if inside else f"{name} has no PU"
        raise RequestError(f"{name} cannot be used: {why}", place=place, mend="leave it out")
    return found


def rates_of(machine: Machine, rates: Rates, place: str) -> dict[int, float]:
    """Return the rate of each PU that has one; the smallest part around a PU decides."""
    stated = rates.values() if isinstance(rates, dict) else [rates]
    if lowest := [rate for rate in stated if 0 < rate < LEAST_RATE]:
        raise RequestError(
            f"{lowest[0]:g} operations per second are fewer than {LEAST_RATE:g}",
            place=place,
            mend="write 0 where there are none",
        )
    if not isinstance(rates, dict):
        return dict.fromkeys(machine.usable_pus, rates)
    found: dict[int, tuple[int, float, str]] = {}
    for name, rate in rates.items():
        pus = pus_named(machine, name, f"{place}[{name!r}]")
        for pu in pus:
            known = found.get(pu)
            if known is not None and known[0] == len(pus) and known[1] != rate:
                raise RequestError(
                    f"{known[2]} and {name} hold the same PUs and have different rates",
                    place=place,
                    mend="state one of them",
                )
            if known is None or len(pus) < known[0]:
                found[pu] = (len(pus), rate, name)
    return {pu: rate for pu, (_size, rate, _name) in found.items()}


def members_of(
    machine: Machine, asked: StateObject, rates: list[dict[int, float]], place: str
) -> tuple[int, ...]:
    """Return the PUs that use an object, ascending."""
    if asked.members is not None:
        chosen: set[int] = set()
        for at, named in enumerate(asked.members):
            chosen.update(pus_named(machine, named, f"{place}.members[{at}]"))
    else:
        chosen = {pu for table in rates for pu, rate in table.items() if rate > 0}
    if not chosen:
        raise RequestError(
            f"no PU uses {asked.name}",
            place=place,
            mend="give a read_rate, an update_rate or members",
        )
    if len(chosen) > LARGEST:
        raise RequestError(
            f"{len(chosen)} PUs use {asked.name}, more than {LARGEST}",
            place=f"{place}.members",
            mend="name fewer, for example one PU of each core",
        )
    return tuple(sorted(chosen))


# ---------------------------------------------------------------- alternatives
def force(machine: Machine, raw: Raw, clause: Mapping[str, str]) -> dict[str, Any]:
    """Return the request with an alternative forced: `object=x level=package`, `object=x
    domain=package:0`, `object=x at=pu:3`, `object=x sharing=lock`.
    """
    wish = {key: value for key, value in clause.items() if key != "object"}
    names = [each["name"] for each in raw["object"]]
    if len(wish) != 1 or not set(wish) <= {"level", "domain", "at", "sharing"}:
        raise RequestError(
            "the alternative does not say what should be otherwise",
            place="not",
            mend='write "object=NAME level=package", or domain=package:0, at=pu:3, sharing=lock',
        )
    name = clause.get("object", names[0] if len(names) == 1 else "")
    if name not in names:
        text = f"there is no object {name!r}" if name else "the alternative names no object"
        raise RequestError(text, place="not", mend=f"objects are: {', '.join(names)}")
    [(key, value)] = wish.items()
    rows = []
    for each in raw["object"]:
        row = dict(each)
        if each["name"] == name:
            if key == "domain":
                row["domains"] = [*row.get("domains", []), value]
            elif key == "at":
                row["at"] = [value]
            else:
                row[key] = value
        rows.append(row)
    return {**raw, "object": rows}

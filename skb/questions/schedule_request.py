"""The request of `schedule`: parallel applications, their threads and how often these synchronise.

What does not fit the machine is refused with place and mend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from skb.errors import NotFoundError, RequestError
from skb.machine import Machine
from skb.questions.question import Raw, read_request

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Count = Annotated[int, Meta(ge=1, le=2**20)]
# rates are decimal fractions; what is finer than this is rounded
FINEST = 10**6


class Application(Struct, forbid_unknown_fields=True, frozen=True):
    """One parallel application: `sync` is its barriers per second, 0 for independent threads."""

    name: Name
    threads: Count | None = None
    threads_min: Count | None = None
    threads_max: Count | None = None
    sync: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    memory_mib: Annotated[float, Meta(ge=0, le=1e12)] | None = None
    isa: str | None = None
    kind: str | None = None
    at: str | list[str] | None = None


class Forced(Struct, forbid_unknown_fields=True, frozen=True):
    """An alternative that `why not` forces: the application runs inside the object."""

    application: str
    at: str


class Request(Struct, forbid_unknown_fields=True, frozen=True):
    """Applications to run in gangs; `slots` = 0 asks for the fewest time slots per period."""

    application: Annotated[list[Application], Meta(min_length=1, max_length=128)]
    slots: Annotated[int, Meta(ge=0, le=64)] = 0
    slot_ms: Annotated[float, Meta(gt=0, le=1e6)] = 10.0
    unit: Literal["cores", "pus"] = "cores"
    forced: list[Forced] = []


@dataclass(frozen=True, slots=True)
class Wanted:
    """An application with everything decided that the request left open."""

    name: str
    least: int
    most: int
    sync: Fraction
    memory_bytes: int
    isa: str | None
    kind: str | None
    at: tuple[str, ...]
    forced: tuple[str, ...]


def read(raw: Raw, machine: Machine) -> tuple[Request, tuple[Wanted, ...]]:
    """Return the request and its applications; raise `RequestError` for what does not fit."""
    request = read_request(raw, Request, "schedule")
    names = [application.name for application in request.application]
    for position, name in enumerate(names):
        if name in names[:position]:
            raise RequestError(
                f"two applications are named {name!r}", place=_at(position), mend="rename one"
            )
    for position, forced in enumerate(request.forced):
        if forced.application not in names:
            raise _stranger(forced.application, names, f"schedule request $.forced[{position}]")
        _known(machine, forced.at, f"schedule request $.forced[{position}].at")
    return request, tuple(
        _wanted(machine, application, request, _at(position))
        for position, application in enumerate(request.application)
    )


def _at(position: int) -> str:
    return f"schedule request $.application[{position}]"


def _stranger(name: str, names: list[str], place: str) -> RequestError:
    known = ", ".join(names[:20])
    return RequestError(
        f"there is no application {name!r}", place=place, mend=f"applications are: {known}"
    )


def _known(machine: Machine, name: str, place: str) -> str:
    try:
        return machine.require(name)
    except NotFoundError as fault:
        raise RequestError(fault.message, place=place, mend=fault.mend) from fault


def _wanted(machine: Machine, asked: Application, request: Request, place: str) -> Wanted:
    least, most = _threads(asked, place)
    at = (asked.at,) if isinstance(asked.at, str) else tuple(asked.at or ())
    if asked.at == []:
        raise RequestError("the list is empty", place=f"{place}.at", mend="name an object")
    memory = Fraction(str(asked.memory_mib or 0)) * 2**20
    return Wanted(
        name=asked.name,
        least=least,
        most=most,
        sync=Fraction(str(asked.sync)).limit_denominator(FINEST),
        memory_bytes=int(memory),
        isa=asked.isa,
        kind=asked.kind,
        at=tuple(_known(machine, name, f"{place}.at") for name in at),
        forced=tuple(one.at for one in request.forced if one.application == asked.name),
    )


def _threads(asked: Application, place: str) -> tuple[int, int]:
    if asked.threads is not None:
        if asked.threads_min is not None or asked.threads_max is not None:
            raise RequestError(
                "threads is given beside threads_min or threads_max",
                place=place,
                mend="give threads, or the two limits",
            )
        return asked.threads, asked.threads
    if asked.threads_min is None and asked.threads_max is None:
        raise RequestError(
            f"application {asked.name!r} says no number of threads",
            place=place,
            mend="add threads = 8, or threads_min and threads_max",
        )
    least = asked.threads_min or 1
    most = asked.threads_max or least
    if least > most:
        raise RequestError(
            f"threads_min {least} is above threads_max {most}", place=place, mend="swap them"
        )
    return least, most


def force(machine: Machine, raw: Raw, clause: Mapping[str, str]) -> dict[str, Any]:
    """Return the request with an application forced into a part: `application=a package=1`."""
    others = [(key, value) for key, value in clause.items() if key != "application"]
    if "application" not in clause or len(others) != 1:
        raise RequestError(
            "the alternative names no application and place",
            place="not",
            mend='write "application=NAME package=1"',
        )
    names = [str(one.get("name")) for one in raw.get("application", [])]
    if clause["application"] not in names:
        raise _stranger(clause["application"], names, "not")
    key, value = others[0]
    at = _known(machine, value if key == "at" else f"{key}:{value}", f"not {key}={value}")
    entry = {"application": clause["application"], "at": at}
    return {**raw, "forced": [*raw.get("forced", []), entry]}

"""The wishes of a power request by name: each can be dropped, so that a minimal clash is found."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from msgspec.structs import replace as structs_replace

from skb.decision import Limits, Reason
from skb.errors import RequestError
from skb.questions.power_instance import Power
from skb.questions.power_load import Load
from skb.questions.power_request import Keep, PowerRequest
from skb.questions.power_saving import Choice, Wanted, chosen, wanted
from skb.wording import counted

Drop = Callable[[PowerRequest], PowerRequest]
_KEEP = {
    "pus": "{:,} PUs keep running",
    "memory_mib": "the load has {:,.12g} MiB of memory",
    "bandwidth_mib_s": "its memory delivers {:,.12g} MiB/s",
    "max_latency_ns": "its PUs are within {:g} ns of each other and of its devices",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """One of the user's own wishes, its words, and the request without it."""

    id: str
    text: str
    items: tuple[str, ...]
    drop: Drop

    @property
    def reason(self) -> Reason:
        """The wish as a reason."""
        return Reason(self.id, self.text, self.items)


@dataclass(frozen=True, slots=True)
class Solved:
    """What came of a request: `possible` is None where nothing was found and nothing excluded."""

    possible: bool | None
    asked: Wanted | None = None
    choice: Choice | None = None
    load: Load | None = None


def solved(power: Power, request: PowerRequest, limits: Limits, deadline: float) -> Solved:
    """Decide whether a request can be, and with `save` or `keep` the largest saving."""
    keep = request.keep or Keep()
    off = power.off(request.off, "$.off")
    devices = [power.part(name, f"$.keep.devices[{at}]") for at, name in enumerate(keep.devices)]
    never = [power.part(name, f"$.never[{at}]") for at, name in enumerate(request.never)]
    if keep.memory_mib and not power.size:
        raise RequestError(
            f"{power.machine.name} states no memory sizes",
            place="power request $.keep.memory_mib",
            mend="add memory_size facts, or leave it out",
        )
    seconds = max(0.05, min(limits.seconds / 4, deadline - time.monotonic()))
    spent = replace(limits, seconds=seconds, begun=None)
    occupied = frozenset(pu for seat in request.current.values() for pu in seat.pus)
    load = Load(power, structs_replace(keep, devices=devices), never, spent, occupied, deadline)
    if request.save is None:
        runs = load.fit(off) is not None
        return Solved(None if not runs and load.loose else runs, load=load)
    asked = wanted(power, request)
    choice = chosen(power, load, asked, off, limits, deadline)
    if choice is None:
        return Solved(None if load.loose else False, asked, None, load)
    if asked.target is None or choice.saved >= asked.target:
        return Solved(True, asked, choice, load)
    excluded = choice.bound < asked.target and not load.loose
    return Solved(False if excluded else None, asked, choice, load)


def wishes(request: PowerRequest) -> list[Wish]:
    """Return what the user asked for, one by one."""
    found = [_listed("off", name, f"{name} goes") for name in request.off]
    found += [_listed("never", name, f"{name} stays on and reachable") for name in request.never]
    keep = request.keep
    if keep is not None:
        for key, text in _KEEP.items():
            value = getattr(keep, key)
            if value is not None:
                said = "1 PU keeps running" if (key, value) == ("pus", 1) else text.format(value)
                found.append(Wish(f"keep.{key}", said, (), _without(key)))
        for name in keep.devices:
            text = f"the load reaches {name}"
            found.append(Wish(f"keep.devices:{name}", text, (name,), _no_device(name)))
        if keep.placement is not None:
            tasks = [str(row.get("name", "")) for row in keep.placement.get("task", [])]
            text = (
                f"the tasks {', '.join(tasks[:8])}{' ...' if len(tasks) > 8 else ''} keep running"
            )
            items = tuple(f"task:{name}" for name in tasks)
            found.append(Wish("keep.placement", text, items, _without("placement")))
    save = request.save
    if save is not None and (save.parts or save.watts):
        amount = counted(save.parts, "part") if save.parts else f"{save.watts:g} W"
        kind = f" of kind {save.kind}" if save.kind else ""

        def open_(asked: PowerRequest) -> PowerRequest:
            assert asked.save is not None
            return structs_replace(asked, save=structs_replace(asked.save, parts=None, watts=None))

        found.append(Wish("save", f"{amount}{kind} go at the least", (), open_))
    return found


def _listed(key: str, name: str, text: str) -> Wish:
    def drop(asked: PowerRequest) -> PowerRequest:
        rest = [other for other in getattr(asked, key) if other != name]
        return structs_replace(asked, **{key: rest})

    return Wish(f"{key}:{name}", text, (name,), drop)


def _without(key: str) -> Drop:
    def drop(asked: PowerRequest) -> PowerRequest:
        assert asked.keep is not None
        return structs_replace(asked, keep=structs_replace(asked.keep, **{key: None}))

    return drop


def _no_device(name: str) -> Drop:
    def drop(asked: PowerRequest) -> PowerRequest:
        assert asked.keep is not None
        rest = [other for other in asked.keep.devices if other != name]
        return structs_replace(asked, keep=structs_replace(asked.keep, devices=rest))

    return drop


def clash(
    power: Power, request: PowerRequest, limits: Limits, deadline: float
) -> tuple[tuple[Wish, ...], bool]:
    """Return a minimal set of wishes that cannot be together, and whether that it is minimal is
    proven.
    """
    kept = wishes(request)
    asked, exact, fewer = request, True, True
    while fewer:
        # again where links may be cut: another piece of the interconnect may count with less off
        fewer, exact = False, True
        for wish in tuple(kept):
            if time.monotonic() >= deadline:
                return tuple(kept), False
            without = wish.drop(asked)
            possible = solved(power, without, limits, deadline).possible
            if possible is False:
                asked = without
                kept.remove(wish)
                fewer = bool(power.net.links)
            elif possible is None:
                exact = False
    return tuple(kept), exact


def binding(
    power: Power,
    request: PowerRequest,
    found: Solved,
    limits: Limits,
    deadline: float,
) -> tuple[list[Reason], list[str]]:
    """Return the wishes without which more could be saved, and how much; and which were not tried
    in time.
    """
    assert found.asked is not None and found.choice is not None
    reasons, open_ = [], []
    for wish in wishes(request):
        if wish.id == "save" or wish.id.startswith("off:"):
            continue
        if time.monotonic() >= deadline:
            open_.append(wish.text)
            continue
        other = solved(power, wish.drop(request), limits, deadline).choice
        if other is not None and other.saved > found.choice.saved:
            more = found.asked.shown(other.saved - found.choice.saved)
            amount = (
                f"{more:g} W" if found.asked.unit == "W" else counted(int(more), found.asked.kind)
            )
            text = f"{wish.text}: without that {amount} more could go"
            reasons.append(Reason(wish.id, text, wish.items))
    return reasons, open_


def priced(
    power: Power,
    request: PowerRequest,
    found: Solved,
    limits: Limits,
    deadline: float,
) -> list[dict[str, Any]]:
    """Return for each part of the kind what is left on where it goes, or stays, instead."""
    assert found.asked is not None and found.choice is not None
    asked, gone = found.asked, set(found.choice.off)
    rows: list[dict[str, Any]] = []
    for name in asked.parts:
        if time.monotonic() >= deadline:
            break
        key, word = ("never", "stays") if name in gone else ("off", "goes")
        if name in request.off or name in request.never:
            continue
        raw = structs_replace(request, **{key: [*getattr(request, key), name]})
        other = solved(power, raw, limits, deadline)
        row: dict[str, Any] = {"name": f"{name} {word}", "unit": asked.unit, "value": None}
        if other.choice is not None and other.possible is not False:
            row["value"] = left_on(asked, other.choice.saved)
        else:
            row["note"] = "the load does not run then" if other.possible is False else "not decided"
        rows.append(row)
    return rows


def left_on(asked: Wanted, saved: int) -> float:
    """Return how much stays on where so much is saved; more than was asked for counts no more."""
    most = saved if asked.target is None else min(saved, asked.target)
    return asked.shown(asked.total - most)

"""The request of the power question: what goes, what must keep running, what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.question import Raw

Amount = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
Watts = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10**6)]


class Keep(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A load that keeps running: PUs, memory, memory bandwidth, and devices that it reaches.

    `max_latency_ns` holds between each two of the PUs, and from each of them to each device.
    `placement` is a request of the placement question, which has to have an answer; `decision` is
    the id of one that is stored, whose tasks are the load and run where it says.
    """

    pus: Count | None = None
    memory_mib: Amount | None = None
    bandwidth_mib_s: Amount | None = None
    devices: list[str] = []
    max_latency_ns: Amount | None = None
    placement: dict[str, Any] | None = None
    decision: str | None = None


class Save(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How much to save: parts of a `kind`, as many as possible, or so many `parts` or `watts`."""

    kind: str | None = None
    parts: Count | None = None
    watts: Watts | None = None


class Seat(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where a task runs now, and how much memory it has there."""

    pus: Annotated[list[int], msgspec.Meta(min_length=1)]
    numa_node: int | None = None
    memory_mib: Amount | None = None


class PowerRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What goes (`off`), what a load needs (`keep`) while parts are saved, what comes back.

    Parts are named as in the facts, a link "link:package:0-package:1" (both directions), a device
    also without "device:". The parts of `never` stay on and reachable. `watts` is the power of
    parts, or of each part of a kind, in W. `current` says which tasks run where, for their
    evacuation; with a `keep.placement` it is where its tasks run. `resume` are parts that are off
    and come back. With `off` and no `save` exactly these parts go.
    """

    off: list[str] = []
    keep: Keep | None = None
    save: Save | None = None
    never: list[str] = []
    watts: dict[str, Watts] = {}
    current: dict[str, Seat] = {}
    resume: list[str] = []


EXAMPLE = """\
never = ["device:eth0"]

[keep]
pus = 8
memory_mib = 1024
max_latency_ns = 300

[save]
kind = "package"
"""


def force(machine: Machine, raw: Raw, clause: Mapping[str, str]) -> dict[str, Any]:
    """Return the request with a part forced off (`off=package:1`) or on (`on=package:1`)."""
    if not clause or not set(clause) <= {"off", "on"}:
        raise RequestError(
            "the alternative names no part to be off or on",
            place="not",
            mend='write "off=package:1" or "on=package:1"',
        )
    found = dict(raw)
    if raw.get("keep") and not raw.get("off"):
        found.setdefault("save", {})
    if part := clause.get("off"):
        found["off"] = list(dict.fromkeys([*raw.get("off", []), part]))
        found["never"] = [name for name in raw.get("never", []) if name != part]
    if part := clause.get("on"):
        found["never"] = list(dict.fromkeys([*found.get("never", []), part]))
        found["off"] = [name for name in found.get("off", []) if name != part]
    return found

"""The request of the pci question: windows, pins, reserved ranges, room, and what is to be laid."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.question import Raw

MOST_BYTES = 1 << 64
MEBI = 1 << 20
IO_GRAIN = 4096
Space = Literal["memory", "prefetchable", "io"]
BarSpace = Literal["memory32", "memory64", "prefetchable32", "prefetchable64", "io"]
# a whole number, or text such as "0xd4000000" or "64 MiB"
Bytes = Annotated[int, msgspec.Meta(ge=0)] | Annotated[str, msgspec.Meta(max_length=40)]
# how many bits a number is moved by a unit
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50}
_TEXT = re.compile(r"(0[xX][0-9a-fA-F]+|[0-9]+)\s*(?:([kKmMgGtTpP])(?:i?B)?|B)?")


class WindowRow(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A window of a host bridge; `bridge` may be left out where there is one host bridge."""

    bridge: str | None = None
    space: Space = "memory"
    base: Bytes
    size: Bytes


class PinRow(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A register that must lie at `base`, or keep the address that it has."""

    pci: str
    bar: int
    base: Bytes | None = None
    keep: Literal["current"] | None = None


class ReservedRow(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Addresses where nothing may lie, of memory or of I/O ports, and what for."""

    base: Bytes
    size: Bytes
    what: str = "reserved"
    space: Literal["memory", "io"] = "memory"


class BarRow(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A register that the facts lack or state otherwise; `at` is the bridge of a new function.

    A register of size 0 is taken away.
    """

    pci: str
    bar: int
    size: Bytes
    space: BarSpace = "memory32"
    at: str | None = None


class BridgeRow(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A bridge that the facts lack, and the bridge that it is behind; absent: a host bridge."""

    name: str
    at: str | None = None


class RoomRow(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Room behind a bridge for what may be plugged in later, by space."""

    bridge: str
    memory: Bytes = 0
    prefetchable: Bytes = 0
    io: Bytes = 0


class AlignRow(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a bridge's windows begin and end at multiples of: powers of two."""

    memory: Bytes = MEBI
    prefetchable: Bytes = MEBI
    io: Bytes = IO_GRAIN


class PciRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Addresses for all registers below the host bridges `below`, default all with windows.

    `window` takes the place of the windows that the facts state for that host bridge and space.
    `keep` are kinds of registers that stay where they are: "usb" (class 0c03, which firmware may
    drive), "ioapic" (that hold an I/O APIC), "all". With `keep_current` registers keep the address
    they have wherever that is possible. `prefetchable = "with-memory"` puts prefetchable registers
    into the memory windows of bridges.
    """

    window: list[WindowRow] = []
    pin: list[PinRow] = []
    reserved: list[ReservedRow] = []
    bar: list[BarRow] = []
    bridge: list[BridgeRow] = []
    hotplug: list[RoomRow] = []
    below: list[str] = []
    space: list[Space] = []
    align: AlignRow = msgspec.field(default_factory=AlignRow)
    keep: tuple[Literal["usb", "ioapic", "all"], ...] = ("ioapic",)
    keep_current: bool = False
    prefetchable: Literal["apart", "with-memory"] = "apart"


def number(value: int | str, place: str) -> int:
    """Return bytes written as a number, in hexadecimal, or with a binary unit (`64 MiB`, `4K`)."""
    if isinstance(value, int):
        return _in_range(value, value, place)
    found = _TEXT.fullmatch(value.strip())
    if not found:
        raise RequestError(
            f"{value!r} is no number of bytes",
            place=f"pci request {place}",
            mend='write 67108864, "0x4000000" or "64 MiB"',
        )
    total = int(found[1], 0 if found[1][:2].lower() == "0x" else 10)
    return _in_range(total << _UNITS[(found[2] or "").lower()], value, place)


def _in_range(total: int, written: int | str, place: str) -> int:
    if total >= MOST_BYTES:
        raise RequestError(
            f"{written} does not fit 64 bits",
            place=f"pci request {place}",
            mend="addresses and sizes are below 2^64",
        )
    return total


def force(machine: Machine, raw: Raw, clause: Mapping[str, str]) -> dict[str, Any]:
    """Return the request with an address forced: `pci=0000:01:00.0 bar=0 base=0xd8000000`."""
    if set(clause) != {"pci", "bar", "base"} or not clause["bar"].isdecimal():
        raise RequestError(
            "the alternative names no address of a register",
            place="not",
            mend='write "pci=0000:01:00.0 bar=0 base=0xd8000000"',
        )
    at = int(clause["bar"])
    number(clause["base"], "not")
    row = {"pci": clause["pci"], "bar": at, "base": clause["base"]}
    rows = [r for r in raw.get("pin", []) if (r.get("pci"), r.get("bar")) != (row["pci"], at)]
    return {**raw, "pin": [*rows, row]}


EXAMPLE = """\
keep = ["usb", "ioapic"]

[[window]]
base = "0xd4000000"
size = "128 MiB"

[[hotplug]]
bridge = "bridge:2"
memory = "2 MiB"
"""

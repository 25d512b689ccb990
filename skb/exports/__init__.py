"""Exports: a machine in the formats of other programs, one module for each, and their registry.

Adding a format is one module with `MEDIA_TYPE`, `SUFFIX` and `write(machine)`, a line in `FORMATS`,
and its tests. What a format cannot say is never dropped silently: it stands in the notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Protocol, cast

from skb.errors import RequestError
from skb.machine import Machine

FORMATS = {
    "native": "native",
    "json": "facts_json",
    "asp": "facts_asp",
    "hwloc": "hwloc",
    "nccl": "nccl",
    "dot": "dot",
}


@dataclass(frozen=True, slots=True)
class Export:
    """A machine as text in one format; `notes` say what the format could not take."""

    text: str
    media_type: str
    suffix: str
    notes: tuple[str, ...] = ()


class Writer(Protocol):
    """What a module of a format offers; `write` returns the text and the notes."""

    MEDIA_TYPE: str
    SUFFIX: str

    def write(self, machine: Machine) -> tuple[str, tuple[str, ...]]: ...


def export(machine: Machine, to: str) -> Export:
    """Write a machine in a format; raise `RequestError` for a format that there is not."""
    if to not in FORMATS:
        near = get_close_matches(to, FORMATS, n=1)
        known = f"formats are: {', '.join(FORMATS)}"
        raise RequestError(
            f"cannot export to {to!r}", mend=f"did you mean {near[0]}? {known}" if near else known
        )
    writer = cast(Writer, import_module(f"skb.exports.{FORMATS[to]}"))
    text, notes = writer.write(machine)
    return Export(text, writer.MEDIA_TYPE, writer.SUFFIX, notes)

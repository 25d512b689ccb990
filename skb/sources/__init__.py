"""Sources: one module per kind of description, recognised by content, never by file name.

A source module has `FORMAT` (a name), `recognises(head)` on the first 64 KiB, and `read(data,
place)`, which returns a `Description` or raises a `DescriptionError` that names place and mend.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from skb.errors import DescriptionError, TooLargeError
from skb.relations import Fact, check_set
from skb.sources.description import Description

SIZE_LIMIT_BYTES = 64 * 1024 * 1024
HEAD_BYTES = 65536
_MODULES = ("hwloc", "native", "sysfs")


class Source(Protocol):
    """What a source module offers."""

    FORMAT: str

    def recognises(self, head: bytes) -> bool: ...
    def read(self, data: bytes, place: str) -> Description: ...


def read(data: bytes, place: str) -> Description:
    """Read a description of any known format; `place` names it in errors."""
    if len(data) > SIZE_LIMIT_BYTES:
        raise TooLargeError(
            f"the description has {len(data)} bytes, the limit is {SIZE_LIMIT_BYTES}",
            place=place,
            mend="describe one machine per file",
        )
    for name in _MODULES:
        source = cast(Source, import_module(f"skb.sources.{name}"))
        if source.recognises(data[:HEAD_BYTES]):
            description = source.read(data, place)
            check_set(description.facts, place)
            if not any(_is_pu(f) for f in description.facts):
                raise DescriptionError(
                    "the description has no PU", place=place, mend="describe one: core:1 pu:1"
                )
            return description
    raise DescriptionError(
        "this is no machine description that we know" if data else "the description is empty",
        place=place,
        mend="give hwloc XML (lstopo FILE.xml), a sysfs archive, or the native TOML format",
    )


def _is_pu(fact: Fact) -> bool:
    return fact.predicate == "contains" and str(fact.args[-1]).startswith("pu:")


def read_path(path: Path) -> Description:
    """Read a description from a file, or from a folder that holds a captured sysfs tree."""
    if path.is_dir():
        from skb.sources import sysfs

        return sysfs.discover(path)
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT_BYTES + 1)
    except OSError as fault:
        raise DescriptionError(
            f"cannot be read: {fault.strerror}", place=str(path), mend="check the path"
        ) from fault
    return read(data, str(path))

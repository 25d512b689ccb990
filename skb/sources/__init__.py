"""Sources: one module per kind of description, recognised by content, never by file name.

A source module has `FORMAT` (a name), `recognises(head)` on the first 64 KiB, and `read(data,
place)`, which returns a `Description` or raises a `DescriptionError` that names place and mend.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from skb.errors import DescriptionError, TooLargeError
from skb.relations import Fact, check_set
from skb.sources.description import Description, TableOptions

if TYPE_CHECKING:
    from skb.sources.link_tables import LinkTables

SIZE_LIMIT_BYTES = 64 * 1024 * 1024
HEAD_BYTES = 65536
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_MODULES = (
    *("hwloc", "nccl", "native", "opensm", "dot", "links_json"),
    *("sysfs", "mctop", "barrelfish"),
    *("pair_list", "latency_matrix"),
)
# their numbers state no unit
_TABLES = frozenset({"mctop", "barrelfish", "pair_list", "latency_matrix"})
TABLE_FORMATS = frozenset({"MCTOP", "pair list", "latency matrix"})


class Source(Protocol):
    """What a source module offers."""

    FORMAT: str

    def recognises(self, head: bytes) -> bool: ...
    def read(self, data: bytes, place: str) -> Description: ...


class TableSource(Protocol):
    """A source whose numbers have the unit that the reader is told."""

    def read(self, data: bytes, place: str, options: TableOptions | None = None) -> Description: ...


def read(data: bytes, place: str, options: TableOptions | None = None) -> Description:
    """Read a description of any known format; `place` names it in errors.

    `options` say what the numbers of a bare table mean; other formats refuse them. Forwarding
    tables beside the network that they are of become facts of it.
    """
    found = _described(data, place, options)
    if found.tables is None or not found.facts:
        return found
    from skb.machine import Machine
    from skb.sources.link_tables import facts_of

    told = facts_of(Machine(place, found.facts, checked=True), found.tables, place)
    return replace(found, facts=check_set((*found.facts, *told), place))


def _described(data: bytes, place: str, options: TableOptions | None = None) -> Description:
    if len(data) > SIZE_LIMIT_BYTES:
        raise TooLargeError(
            f"the description has {len(data)} bytes, the limit is {SIZE_LIMIT_BYTES}",
            place=place,
            mend="describe one machine per file",
        )
    notes: tuple[str, ...] = ()
    if data[:2] in _UTF16:
        data, notes = _from_utf16(data, place), ("the file was UTF-16 and was read as such",)
    for name in _MODULES:
        source = cast(Source, import_module(f"skb.sources.{name}"))
        if source.recognises(data[:HEAD_BYTES]):
            description = _read_by(source, name, data, place, options)
            facts = check_set(description.facts, place)
            if not description.partial and not any(map(_is_pu, description.facts)):
                raise DescriptionError(
                    "the description has no PU", place=place, mend="describe one: core:1 pu:1"
                )
            return replace(description, facts=facts, notes=(*notes, *description.notes))
    from skb.sources.unknown import unknown_format

    raise unknown_format(data[:HEAD_BYTES], place)


def _read_by(
    source: Source, name: str, data: bytes, place: str, options: TableOptions | None
) -> Description:
    if name in _TABLES:
        return cast(TableSource, source).read(data, place, options)
    if options is not None and options != TableOptions():
        raise DescriptionError(
            f"this is {source.FORMAT}, which states its units and structure",
            place=place,
            mend="leave out --unit, --clock-mhz and --structure; they are for tables of numbers",
        )
    return source.read(data, place)


def _from_utf16(data: bytes, place: str) -> bytes:
    """UTF-16 text, as some shells of Windows redirect it, in UTF-8."""
    try:
        return data.decode("utf-16").encode()
    except UnicodeError as fault:
        raise DescriptionError(
            "the file begins as UTF-16 text, but is none",
            place=place,
            mend="convert it to UTF-8, or export it again",
        ) from fault


def _is_pu(fact: Fact) -> bool:
    return fact.predicate == "contains" and str(fact.args[-1]).startswith("pu:")


def read_path(path: Path, options: TableOptions | None = None) -> Description:
    """Read a description from a file, from standard input (`-`), or from a folder.

    A folder holds a captured sysfs tree. Anything else than a file is refused: a pipe or a device
    may never end.
    """
    if _is_folder(path):
        from skb.sources import sysfs

        return sysfs.discover(path)
    data, place = _bytes_of(path)
    return read(data, place, options)


def read_link_tables(path: Path) -> LinkTables:
    """Read the forwarding tables of a file, whether or not they deliver.

    Raises `DescriptionError` where it holds none.
    """
    data, place = _bytes_of(path)
    tables = _described(data, place).tables
    if tables is None:
        raise DescriptionError(
            "there are no forwarding tables",
            place=place,
            mend="give what `skb bind --to opensm` or `dot` writes, or a links decision as JSON",
        )
    return tables


def read_tables(paths: Mapping[str, Path], options: TableOptions | None = None) -> Description:
    """Read tables of message costs by role (`send`, `receive`, `rtt`) as one description."""
    from skb.sources import pair_roles

    tables = {}
    for role, path in paths.items():
        data, place = _bytes_of(path)
        if data[:2] in _UTF16:
            data = _from_utf16(data, place)
        tables[role] = (data, place)
    description = pair_roles.describe_roles(tables, options or TableOptions())
    places = ", ".join(place for _data, place in tables.values())
    return replace(description, facts=check_set(description.facts, places))


def _is_folder(path: Path) -> bool:
    """Tell whether a path is a folder; one that cannot be looked at is reported when it is read."""
    try:
        return str(path) != "-" and path.is_dir()
    except (OSError, ValueError):
        return False


def _bytes_of(path: Path) -> tuple[bytes, str]:
    """Return what a file or standard input (`-`) holds, and its name in errors."""
    if str(path) == "-":
        return sys.stdin.buffer.read(SIZE_LIMIT_BYTES + 1), "standard input"
    try:
        if path.exists() and not path.is_file():
            raise DescriptionError(
                "this is neither a file nor a folder",
                place=str(path),
                mend="give a file, or - for standard input",
            )
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT_BYTES + 1)
    except (OSError, ValueError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else str(fault)
        raise DescriptionError(
            f"cannot be read: {why}", place=str(path), mend="check the path"
        ) from fault
    return data, str(path)

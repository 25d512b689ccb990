"""Requests as people type them: a file, standard input, or short options."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from skb.errors import RequestError

if TYPE_CHECKING:
    from skb.machine import Machine

SIZE_LIMIT = 4 * 1024 * 1024
# what holds the name of a task or an application is text, also where it looks like a number
_TEXTS = frozenset({"name", "from", "to", "task"})
# and lists of these are of numbers
_NUMBERS = frozenset({"vectors", "load"})
MOST_PUS = 100_000


def read_request(where: str | None, question: str = "") -> dict[str, Any]:
    """Read a request from TOML, JSON or (for `query`) rules; None is an empty request."""
    if where is None:
        return {}
    place = "standard input" if where == "-" else where
    try:
        data = sys.stdin.buffer.read(SIZE_LIMIT + 1) if where == "-" else _file(Path(where))
        text = data.decode()
    except OSError as fault:
        raise RequestError(
            f"cannot be read: {fault.strerror}", place=place, mend="check the path"
        ) from fault
    except UnicodeDecodeError as fault:
        raise RequestError("is not UTF-8 text", place=place, mend="give TOML or JSON") from fault
    if len(data) > SIZE_LIMIT:
        raise RequestError(f"is larger than {SIZE_LIMIT} bytes", place=place)
    if where.endswith(".lp"):
        return {"rules": text}
    try:
        return parse_request(text, place)
    except RequestError:
        if question == "query":
            return {"rules": text}
        raise


def _file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(SIZE_LIMIT + 1)


def read_current(machine: Machine, path: Path) -> dict[str, Any]:
    """Read forwarding tables as the `current` of a links request, in the machine's words."""
    from skb.sources import read_link_tables
    from skb.sources.link_tables import resolve

    found = resolve(machine, read_link_tables(path), str(path))
    return {"next_hop": found.next_hop, "channel": found.channel}


def parse_request(text: str, place: str) -> dict[str, Any]:
    """Read TOML or, where it begins with a brace, JSON."""
    try:
        if text.lstrip().startswith("{"):
            found = msgspec.json.decode(text.encode())
        else:
            found = tomllib.loads(text)
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, RecursionError) as fault:
        raise RequestError(str(fault), place=place, mend="mend the TOML or JSON") from fault
    if not isinstance(found, dict):
        raise RequestError("is no table of keys", place=place, mend='{"root": 0}')
    return found


def read_pus(text: str) -> list[int]:
    """Read `0,4,8-11`."""
    found: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            more = range(int(first), int(last or first) + 1)
            if len(found) + more.stop - more.start > MOST_PUS:
                raise ValueError
            found += more
    except ValueError as fault:
        raise RequestError(f"cannot read {text!r} as PU numbers", mend="write 0,4,8-11") from fault
    return found


def read_pairs(text: str, place: str) -> dict[str, Any]:
    """Read `name=rx cores=2 exclusive=true`; numbers and true/false are typed, names are not."""
    found: dict[str, Any] = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if any("=" in part for part in value.split(",")[1:]):
            raise RequestError(
                f"cannot read {word!r}", place=place, mend="put blanks between pairs, no commas"
            )
        if not equals or not key or key in found:
            wrong = f"{key!r} is given twice" if key in found else f"cannot read {word!r}"
            mend = f'write "{word}=true"' if word.isidentifier() else 'write "name=rx cores=2"'
            raise RequestError(wrong, place=place, mend=mend)
        found[key] = value if key in _TEXTS else _typed(value)
        if key in _NUMBERS and isinstance(found[key], list):
            found[key] = [_typed(part) for part in found[key]]
    return found


def read_tables(text: str, place: str, tables: Mapping[str, str]) -> dict[str, Any]:
    """Read pairs of which `need.speed=10` goes into a table: `tables` maps `need` to its name.

    `wish.KEY` and `worth.KEY` make the entry of one wish.
    """
    found: dict[str, Any] = {}
    for key, value in read_pairs(text, place).items():
        first, dot, rest = key.partition(".")
        if not dot and key in {*tables.values(), *tables}:
            mend = f"write {next(iter(tables))}.KEY={value}"
            raise RequestError(f"{key!r} is a table", place=place, mend=mend)
        if not dot:
            found[key] = value
        elif first in {"wish", "worth"} and "wish" in tables:
            entry = found.setdefault(tables["wish"], {}).setdefault(rest, {})
            entry["is" if first == "wish" else "worth_ns"] = value
        elif first in tables:
            found.setdefault(tables[first], {})[rest] = value
        else:
            known = ", ".join(f"{name}.KEY" for name in tables)
            raise RequestError(f"unknown key {key!r}", place=place, mend=f"tables are {known}")
    return found


def _typed(value: str) -> str | int | float | bool | list[str]:
    if value in {"true", "false"}:
        return value == "true"
    for convert in (int, float):
        try:
            return convert(value)
        except ValueError:
            continue
    return value.split(",") if "," in value else value

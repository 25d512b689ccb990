"""Machines for `skb bench routing`: folders of measured pair tables, with or without an index.

An index `machines.json` names for each machine its NUMA nodes, its series of tables and the primary
one, relative to itself; without one, files whose names differ in `send` and `receive` alone belong
together. Broadcasts that were measured on a machine come from `hardware_results*.json` beside the
index (cycles) and from `ab-bench.csv` beside the tables (thousands of cycles).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skb.errors import DescriptionError, NotFoundError
from skb.machine import Machine
from skb.resources import measured_tables
from skb.sources import read_path, read_tables
from skb.sources.description import TableOptions

INDEX = "machines.json"
DEEPEST = 3
# what the measurements call the trees that are predicted here, and what we call them; the "mst" and
# "badtree" of 2013 had degree limits that nobody recorded
TREES = {"sequential": "sequential", "cluster": "cluster", "bintree": "binary"}
LATER_TREES = {**TREES, "fibonacci": "fibonacci", "mst": "mst"}
Plain = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """A machine to bench on; `unit` is that of its costs, `took` what a measured acknowledged
    broadcast from the first PU took over each tree, in the same unit, `notes` what the reader of
    its tables doubts.
    """

    name: str
    machine: Machine
    unit: str = "ns"
    took: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return len(self.machine.usable_pus)


def subjects(places: Sequence[str], known: Callable[[str], Machine]) -> list[Subject]:
    """Return the machines of these places: folders and files of tables, descriptions, names.

    `known` finds a stored or bundled machine by name, or raises `NotFoundError`; then it may be one
    of the bundled measured ones. Without places it is all of these. Raises `DescriptionError` for
    what cannot be read.
    """
    found: list[Subject] = []
    for place in places or [str(measured_tables())]:
        found += _of_place(place, known)
    return found


def bundled_series(name: str, series: str) -> Subject:
    """Return a bundled measured machine with the tables of a series beside its primary one."""
    entry = _index(measured_tables())[name]
    return _indexed(measured_tables(), name, {**entry, "primary": series})


def _of_place(place: str, known: Callable[[str], Machine]) -> list[Subject]:
    path = Path(place)
    try:
        if not path.exists():
            return [_named(place, known)]
        if path.is_dir():
            return _of_folder(path)
    except (OSError, ValueError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else str(fault)
        raise DescriptionError(
            f"cannot be read: {why}", place=place, mend="check the path"
        ) from fault
    roles = _partner(path)
    if roles:
        name = path.resolve().parent.name
        return [_subject(name, roles, [], "cycles", _later_results(path.parent))]
    description = read_path(path)
    name = description.name or path.name.partition(".")[0]
    return [Subject(name, Machine(name, description.facts))]


def _named(name: str, known: Callable[[str], Machine]) -> Subject:
    try:
        return Subject(name, known(name))
    except NotFoundError:
        index = _index(measured_tables())
        if name not in index:
            raise
    return _indexed(measured_tables(), name, index[name])


def _of_folder(folder: Path) -> list[Subject]:
    """Read what the index names, there or one folder up; else every pair of tables inside."""
    above = folder.resolve().parent
    name = folder.resolve().name
    if not (folder / INDEX).exists() and (above / INDEX).is_file():
        index = _index(above)
        if name in index:
            return [_indexed(above, name, index[name])]
    found = list(_inside(folder, DEEPEST))
    if not found:
        raise DescriptionError(
            "there are no tables of pairs here",
            place=str(folder),
            mend=f"give a folder of send* and receive* tables, or one whose {INDEX} names them",
        )
    return found


def _inside(folder: Path, deep: int) -> Iterator[Subject]:
    """Yield the machines of a folder, and of the folders in it where it has no index."""
    if (folder / INDEX).is_file():
        for name, entry in _index(folder).items():
            yield _indexed(folder, name, entry)
        return
    pairs = _pairs(folder)
    for roles in pairs:
        name = folder.resolve().name
        if len(pairs) > 1:
            name += f"/{roles['send'].name}"
        yield _subject(name, roles, [], "cycles", _later_results(folder))
    for path in sorted(folder.iterdir()) if deep else ():
        if path.is_dir() and not path.name.startswith("."):
            yield from _inside(path, deep - 1)


def _pairs(folder: Path) -> list[dict[str, Path]]:
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    return [roles for path in paths if (roles := _partner(path)) and roles["send"] == path]


def _partner(path: Path) -> dict[str, Path]:
    """Return a table and the one of the other role; nothing where there is none."""
    for role, other in (("send", "receive"), ("receive", "send")):
        stem, found, tail = path.name.rpartition(role)
        # "pairwise-nsend_send" and "pairwise-nsend_receive": the last word is the role
        beside = path.with_name(f"{stem}{other}{tail}")
        if found and beside.is_file():
            both = {role: path, other: beside}
            return {"send": both["send"], "receive": both["receive"]}
    return {}


# ------------------------------------------------------------------ with an index
def _index(folder: Path) -> Plain:
    found = _json(folder / INDEX)
    if not found:
        raise DescriptionError(
            "the index names no machine", place=str(folder / INDEX), mend="name one"
        )
    return found


def _json(path: Path) -> Plain:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as fault:
        raise DescriptionError(
            f"this is no JSON: {fault}", place=str(path), mend="mend it, or leave it out"
        ) from fault
    if not isinstance(found, dict):
        raise DescriptionError(
            "this is no JSON object", place=str(path), mend="write a key for each machine"
        )
    return found


def _indexed(folder: Path, name: str, entry: Any) -> Subject:
    place = f"{folder / INDEX} {name}"
    try:
        series = entry["series"]
        one = series[entry.get("primary", next(iter(series)))]
        roles = {role: folder / one[role] for role in ("send", "receive")}
        groups = [[int(core) for core in group] for group in entry.get("numa", [])]
        unit = str(entry.get("unit", "cycles"))
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as fault:
        raise DescriptionError(
            f"the index is not understood: {type(fault).__name__}: {fault}",
            place=place,
            mend='write "numa" (lists of cores), "series" (each with "send" and "receive") and '
            '"primary" (one of the series)',
        ) from fault
    took = dict(_first_results(folder, name))
    took |= _later_results(roles["send"].parent)
    return _subject(name, roles, groups, unit, took)


def _subject(
    name: str,
    roles: Mapping[str, Path],
    groups: Sequence[Sequence[int]],
    unit: str,
    took: Mapping[str, float],
) -> Subject:
    # a number of the table stands for a nanosecond, so that values stay in the table's unit
    options = TableOptions(unit="ns", structure=_structure(groups))
    description = read_tables(roles, options)
    machine = Machine(name, description.facts)
    return Subject(name, machine, unit, took, description.notes)


def _structure(groups: Sequence[Sequence[int]]) -> str:
    """Return NUMA nodes in hwloc's synthetic notation; nothing where they differ in size."""
    sizes = {len(group) for group in groups}
    if len(sizes) != 1 or not all(sizes):
        return ""
    indexes = ",".join(str(core) for group in groups for core in group)
    return f"package:{len(groups)} numa:1 core:{sizes.pop()} pu:1(indexes={indexes})"


# ------------------------------------------------------------------ what was measured
def _first_results(folder: Path, name: str) -> Iterator[tuple[str, float]]:
    for path in sorted(folder.glob("hardware_results*.json")):
        entry = _json(path).get(name)
        cycles = entry.get("hw_cycles") if isinstance(entry, dict) else None
        for tree, told in (cycles if isinstance(cycles, dict) else {}).items():
            value = told[0] if isinstance(told, list) and told else told
            if tree in TREES and isinstance(value, int | float) and value > 0:
                yield TREES[tree], float(value)


def _later_results(folder: Path) -> dict[str, float]:
    """Return the row `ab` (acknowledged broadcast) of `ab-bench.csv`, from thousands of cycles."""
    path = folder / "ab-bench.csv"
    if not path.is_file():
        return {}
    try:
        rows = list(csv.DictReader(path.read_text().splitlines()))
        row = next(row for row in rows if row["algorithm"] == "ab")
        return {to: float(row[key]) * 1000 for key, to in LATER_TREES.items() if row.get(key)}
    except (OSError, ValueError, KeyError, StopIteration) as fault:
        raise DescriptionError(
            f"the measured broadcasts cannot be read: {type(fault).__name__}: {fault}",
            place=str(path),
            mend="it has a column `algorithm` with a row `ab`, and a column for each tree",
        ) from fault

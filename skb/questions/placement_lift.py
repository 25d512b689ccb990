"""A placement request without some of its constraints, as the user could have written it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from skb.machine import Machine
from skb.questions.placement_request import Request, listed, resolved
from skb.questions.question import Raw, read_request

_RULE = re.compile(r"(?P<part>\w+)(?:\[(?P<index>\d+)\])?(?:\((?P<name>.*)\))?(?:\.(?P<key>\w+))?")
_NEEDS = ("pus", "cores")
# constraints of a key of their own
_WHOLE = ("allowed", "busy", "busy_above")


def words(rule: str, names: Mapping[str, str]) -> str:
    """Say how a constraint is lifted; `names` has the task of each rule of a task."""
    if rule not in names:
        return f"drop {rule}"
    key = rule.rpartition(".")[2]
    if key in _NEEDS:
        return f"leave out task {names[rule]}"
    return f"drop {key} of task {names[rule]}"


def without(machine: Machine, raw: Raw, rules: Iterable[str]) -> dict[str, Any]:
    """Return the request with these constraints lifted; a task without its need is left out."""
    found: dict[str, Any] = deepcopy(dict(raw))
    rows: list[list[dict[str, Any]]] = [[row] for row in found["task"]]
    apart: set[int] = set()
    gone: set[str] = set()
    dropped: dict[str, set[int]] = {"together": set(), "apart": set(), "forced": set()}
    for rule in rules:
        at = _RULE.fullmatch(rule)
        assert at is not None, f"{rule} is no rule of a placement"
        part, index = at["part"], int(at["index"] or 0)
        if part in _WHOLE:
            found.pop(part, None)
        elif rule.startswith("current.keep("):
            name = rule.removeprefix("current.keep(").removesuffix(")")
            found["current"]["keep"].remove(name)
        elif part != "task":
            dropped[part].add(index)
        else:
            if at["name"] is not None and index not in apart:
                rows[index] = _each(machine, raw, index)
                apart.add(index)
            row = next(r for r in rows[index] if at["name"] in {None, r["name"]})
            if at["key"] in _NEEDS:
                gone.add(row["name"])
            else:
                row.pop(at["key"], None)
    for index in apart:
        rows[index] = [_kept_to(machine, row) for row in rows[index]]
    found["task"] = [row for group in rows for row in group if row["name"] not in gone]
    for key, indices in dropped.items():
        if key in found:
            found[key] = [row for n, row in enumerate(found[key]) if n not in indices]
    return _unnamed(found, gone)


def _each(machine: Machine, raw: Raw, index: int) -> list[dict[str, Any]]:
    """Return one row for each device of a row with `per`, which then has the device itself."""
    task = resolved(machine, read_request(raw, Request, "placement")).task[index]
    rows = []
    for number, device in enumerate(machine.of_device_kind(str(task.per))):
        row = {**deepcopy(dict(raw["task"][index])), "name": f"{task.name}{number}", "per": device}
        if task.at is not None:
            row["at"] = list(listed(task.at))
        rows.append(row)
    return rows


def _kept_to(machine: Machine, row: dict[str, Any]) -> dict[str, Any]:
    """Return the row of one device with the PUs that are local to it, and where else it may be."""
    device = row.pop("per", None)
    if device is not None and "at" in row:
        allowed = frozenset().union(*(machine.pus_of(name) for name in row["at"]))
        row["at"] = [f"pu:{pu}" for pu in sorted(machine.pus_of(device) & allowed)]
    elif device is not None:
        row["at"] = device
    return row


def _unnamed(found: dict[str, Any], gone: set[str]) -> dict[str, Any]:
    """Return the request without what it says about tasks that are left out."""
    if not gone:
        return found
    if "traffic" in found:
        found["traffic"] = [
            row for row in found["traffic"] if row["from"] not in gone and row["to"] not in gone
        ]
    for key in ("together", "apart"):
        for row in found.get(key, []):
            row["tasks"] = [name for name in row["tasks"] if name not in gone]
    if "forced" in found:
        found["forced"] = [row for row in found["forced"] if row["task"] not in gone]
    if found.get("current"):
        now = found["current"]
        now["placement"] = {n: seat for n, seat in now["placement"].items() if n not in gone}
        if "keep" in now:
            now["keep"] = [name for name in now["keep"] if name not in gone]
    return found

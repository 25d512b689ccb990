"""Random tasks, traffic and groups for the tests of resident placements and of repairs."""

from __future__ import annotations

import random
from typing import Any

from skb.machine import Machine
from tests.questions.placement_machines import machine

Row = dict[str, Any]
MACHINES = (
    machine(2, 2, 1),
    machine(2, 2, 2),
    machine(3, 2, 1),
    machine(2, 3, 2),
    machine(
        1, 2, 2, extra=(("contains", ("package:0", "numa:1")), ("memory_size", ("numa:1", 2**31)))
    ),
)


def task(draw: random.Random, small: Machine, name: str) -> Row:
    """Return a task with any of the needs."""
    row: Row = {"name": name}
    kind = draw.random()
    if kind < 0.2:
        row["pus"] = draw.choice([1, 2])
    elif kind < 0.4:
        row["cores"] = draw.choice([1, 1, 2])
    wishes: dict[str, list[Any]] = {
        "memory_mib": [300, 700, 1500],
        "bandwidth_mbps": [3000, 9000],
        "at": ["package:0", "numa:1", "pu:1", ["pu:0", "core:1"]],
        "not_at": ["pu:0", "l3:1"],
        "near": ["pu:1", "numa:1", {"package:0": 2.5}, {"pu:0": 3, "core:1": 1}],
        "exclusive": [True],
        "load": [0.5, 0.25],
        "cache_mib": [1, 3],
    }
    for key, values in wishes.items():
        if draw.random() < 0.2:
            row[key] = draw.choice(values)
    for key in ("at", "not_at", "near"):
        named = row.get(key, [])
        if not all(map(small.has, [named] if isinstance(named, str) else named)):
            del row[key]
    return row


def talk(draw: random.Random, name: str, others: list[str]) -> list[Row]:
    """Return traffic between a task and some of the others."""
    rows = []
    for other in others:
        if draw.random() < 0.5:
            a, b = draw.choice([(name, other), (other, name)])
            rows.append({"from": a, "to": b, "messages_per_s": draw.choice([1, 2.5, 1000])})
    return rows


def company(draw: random.Random, name: str, others: list[str]) -> dict[str, list[Row]]:
    """Return now and then a group of a task and another one."""
    if not others or draw.random() > 0.2:
        return {}
    level = draw.choice(["core", "l3", "package"])
    kind = draw.choice(["together", "apart"])
    return {kind: [{"tasks": [name, draw.choice(others)], "within": level}]}


def request(draw: random.Random, small: Machine) -> Row:
    """Return a request of two to five tasks."""
    found: Row = {"task": [], "traffic": [], "together": [], "apart": []}
    names: list[str] = []
    for number in range(draw.randint(2, 5)):
        name = f"a{number}"
        found["task"].append(task(draw, small, name))
        found["traffic"] += talk(draw, name, names)
        for kind, rows in company(draw, name, names).items():
            found[kind] += rows
        names.append(name)
    if draw.random() < 0.3:
        found["current"] = {"placement": {}, "migration_cost": draw.choice([10, 5000])}
    return found

"""The cases of `skb bench decisions` about power: each answer is judged by the checker.

Savings that counting alone gives are compared with it; small random machines with every set of
parts that can go, of which the checker's walk says what is left.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from skb.benching.routing_rows import Check, Row, in_time, proven, row_of, timed
from skb.checkers.power import check
from skb.checkers.power_reach import Floor
from skb.decision import Decision, Limits
from skb.machine import Machine
from skb.questions.power import decide
from skb.relations import Fact
from skb.resources import bundled_machines
from skb.sources import read_path

SECONDS = 10.0
RANDOM = 8
# parts that stay on, counted by hand: 8 PUs of packages with 4, one of them with eth0; and so on
COUNTED: Mapping[str, tuple[str, dict[str, Any], float]] = {
    "8 PUs and eth0 on the 2009 board": (
        "tyan-s4985",
        {"keep": {"pus": 8, "devices": ["eth0"]}, "save": {"kind": "package"}},
        2,
    ),
    "40 PUs of 256, cores with two PUs": (
        "epyc-7773x-2p",
        {"keep": {"pus": 40}, "save": {"kind": "core"}},
        20,
    ),
    "200 PUs of 1024, packages with 64": (
        "mesh-1024",
        {"keep": {"pus": 200}, "save": {"kind": "package"}},
        4,
    ),
    "24 PUs of groups with 12": (
        "epyc-7401-2p",
        {"keep": {"pus": 24}, "save": {"kind": "group"}},
        2,
    ),
}
OFF: Mapping[str, tuple[str, list[str], int]] = {
    "two packages around a third": ("tyan-s4985", ["package:1", "package:7"], 12),
    "both links of a package": (
        "tyan-s4985",
        ["link:package:0-package:1", "link:package:0-package:7"],
        4,
    ),
    "four packages of a mesh": ("mesh-1024", ["package:1", "package:4"], 192),
}


def rows(limit: float = SECONDS) -> Iterator[Row]:
    """Return a row for every case; `limit` is in seconds."""
    for title, (name, raw, left) in COUNTED.items():
        yield _row(title, _bundled(name), raw, limit, left)
    for title, (name, off, pus) in OFF.items():
        yield _row(title, _bundled(name), {"off": off}, limit, None, pus)
    for seed in range(RANDOM):
        machine = _random(seed)
        raw = {"keep": {"pus": 3}, "save": {"kind": "package"}, "never": ["device:nic"]}
        yield _row(f"random board, seed {seed}", machine, raw, limit, _least(machine, 3))


def _bundled(name: str) -> Machine:
    return Machine(name, read_path(bundled_machines()[name]).facts)


def _row(
    title: str,
    machine: Machine,
    raw: Mapping[str, Any],
    limit: float,
    left: float | None,
    pus: int | None = None,
) -> Row:
    answer = timed(lambda: decide(machine, raw, Limits(seconds=limit)))
    found = answer.found
    checks: list[Check] = [proven(found), in_time(answer, limit)]
    if left is not None:
        good = found.objective.value == left
        checks.append((f"{left:g} stay on", "" if good else f"not {left:g} parts stay on"))
    if pus is not None:
        good = found.answer.get("lost", {}).get("pus") == pus
        checks.append((f"{pus} PUs lost", "" if good else f"not {pus} PUs are lost"))
    wrong = check(machine, found)
    return row_of(
        "power", title, found.objective.unit, answer, checks, beside=_beside(found), faults=wrong
    )


def _beside(found: Decision) -> str:
    lost = found.answer.get("lost")
    return f"{lost['parts']} parts lost" if lost else ""


def _random(seed: int) -> Machine:
    """Return six packages with one or two PUs each, joined by random links, and a device."""
    rng = random.Random(seed)
    facts: list[Fact] = []
    pus = 0
    for package in range(6):
        facts.append(Fact("contains", ("machine:0", f"package:{package}")))
        for _ in range(rng.randint(1, 2)):
            facts.append(Fact("contains", (f"package:{package}", f"core:{pus}")))
            facts.append(Fact("contains", (f"core:{pus}", f"pu:{pus}")))
            pus += 1
    facts.append(Fact("contains", (f"package:{rng.randrange(6)}", "device:nic")))
    pairs = [(package, rng.randrange(package)) for package in range(1, 6)]
    pairs += [pair for pair in combinations(range(6), 2) if rng.random() < 0.2]
    for a, b in dict.fromkeys(tuple(sorted(pair)) for pair in pairs):
        facts.append(Fact("link", (f"package:{a}", f"package:{b}", "wire")))
        facts.append(Fact("link", (f"package:{b}", f"package:{a}", "wire")))
    return Machine(f"random board {seed}", facts)


def _least(machine: Machine, needed: int) -> float | None:
    """Return how few packages may stay, by trying every set."""
    floor, packages = Floor(machine), machine.of_kind("package")
    for many in range(len(packages) + 1):
        for stay in combinations(packages, many):
            there, _home = floor.there([name for name in packages if name not in stay])
            if sum(name.startswith("pu:") for name in there) >= needed and "device:nic" in there:
                return float(many)
    return None

"""Random small machines of odd shape, and random requests with everything that a request may hold.

A machine is drawn as plain tables first; its facts are written from them, and the oracles read the
tables alone. So neither a latency nor a cache nor a state of power goes through the product's eyes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from skb.machine import Machine
from skb.relations import Fact, Value

Row = tuple[str, tuple[Value, ...]]
MOST_PUS = 9
KINDS = ("dram", "hbm")
STEPS_NS = {"core": (2, 9), "l2": (5, 15), "l3": (5, 20), "numa": (10, 40), "package": (20, 60)}


@dataclass
class Node:
    """A NUMA node: what it is made of, how much it holds and gives, whether it can be used."""

    kind: str
    size: int
    bandwidth: int
    usable: bool = True


@dataclass
class Small:
    """A machine as tables; `part` names the object of each level around a PU, latencies are in ps,
    `local` the PUs of each object that a task may be at or near.
    """

    rows: list[Row] = field(default_factory=list)
    part: dict[int, dict[str, str]] = field(default_factory=dict)
    usable: set[int] = field(default_factory=set)
    latency: dict[tuple[int, int], int] = field(default_factory=dict)
    nodes: dict[int, Node] = field(default_factory=dict)
    memory: dict[tuple[int, int], int] = field(default_factory=dict)
    cache: dict[int, tuple[str, int]] = field(default_factory=dict)
    isa: dict[int, str] = field(default_factory=dict)
    kind: dict[int, str] = field(default_factory=dict)
    local: dict[str, set[int]] = field(default_factory=dict)
    devices: list[str] = field(default_factory=list)

    @property
    def pus(self) -> list[int]:
        return sorted(self.part)

    def core(self, pu: int) -> str:
        return self.part[pu]["core"]

    def of_core(self, pu: int) -> set[int]:
        return {other for other in self.part if self.core(other) == self.core(pu)}

    def machine(self) -> Machine:
        return Machine("drawn", [Fact(name, args) for name, args in self.rows])


def drawn(chance: random.Random) -> Small:
    """Return a machine of two to nine PUs."""
    while True:
        small = Small()
        _structure(small, chance)
        if 2 <= len(small.part) <= MOST_PUS:
            break
    _latencies(small, chance)
    _memory(small, chance)
    _kinds(small, chance)
    _devices(small, chance)
    _states(small, chance)
    return small


def _structure(small: Small, chance: random.Random) -> None:
    packages, nodes = chance.choice([(1, 1), (1, 2), (2, 1), (2, 1), (2, 2), (3, 1)])
    level = chance.choice(["l3", "l3", "l3", "l2"])
    threads = chance.choice([1, 1, 2, 3])
    numbers = {"cache": 0, "core": 0, "pu": 0}
    for package in range(packages):
        outer = f"package:{package}"
        small.rows.append(("contains", ("machine:0", outer)))
        for node in range(package * nodes, (package + 1) * nodes):
            home = outer
            if nodes > 1:
                home = f"group:{node}"
                small.rows.append(("contains", (outer, home)))
            small.rows.append(("contains", (home, f"numa:{node}")))
            for _ in range(chance.choice([1, 1, 2])):
                _complex(small, chance, numbers, (outer, home, f"numa:{node}", level, threads))


def _complex(
    small: Small,
    chance: random.Random,
    numbers: dict[str, int],
    around: tuple[str, str, str, str, int],
) -> None:
    """Add a last-level cache with its cores; some cores have fewer threads than others."""
    outer, home, node, level, threads = around
    cache = f"{level}:{numbers['cache']}"
    numbers["cache"] += 1
    size = chance.choice([2, 3, 4, 8]) * 2**20
    small.rows += [("contains", (home, cache)), ("cache_size", (cache, size))]
    for _ in range(chance.choice([1, 2, 2, 3])):
        core = f"core:{numbers['core']}"
        numbers["core"] += 1
        small.rows.append(("contains", (cache, core)))
        for _ in range(1 if threads == 1 else chance.choice([1, 2, 2])):
            pu = numbers["pu"]
            numbers["pu"] += 1
            small.rows.append(("contains", (core, f"pu:{pu}")))
            small.part[pu] = {
                "core": core,
                level: cache,
                "numa": node,
                "package": outer,
                "machine": "machine:0",
                "home": home,
            }
            small.cache[pu] = (cache, size)
            small.usable.add(pu)
            for name in (f"pu:{pu}", core, cache, node, home, outer, "machine:0"):
                small.local.setdefault(name, set()).add(pu)


def _latencies(small: Small, chance: random.Random) -> None:
    packages = sorted({part["package"] for part in small.part.values()})
    levels = [level for level in STEPS_NS if any(level in p for p in small.part.values())]
    within, total = {}, 0
    for level in levels:
        total += chance.randint(*STEPS_NS[level])
        within[level] = total
    if any(f"group:{n}" in small.local for n in range(8)) is False:
        within["numa"] = within["package"]
    steps = [total + chance.randint(50, 150)]
    linked = len(packages) > 2 or (len(packages) == 2 and chance.random() < 0.5)
    if linked:
        steps.append(steps[0] + chance.randint(20, 90))
        for one, next_ in pairwise(packages):
            small.rows += [("link", (one, next_, "line")), ("link", (next_, one, "line"))]
        small.rows += [("latency_hops", (hops + 1, float(ns))) for hops, ns in enumerate(steps)]
    else:
        small.rows.append(("latency_within", ("machine", float(steps[0]))))
    small.rows += [("latency_within", (level, float(ns))) for level, ns in within.items()]
    own = chance.choice([0, 0, 1.5])
    if own:
        small.rows.append(("cache_latency", ("l1d", own)))
    stated = chance.random() < 0.3
    for a in small.pus:
        for b in small.pus:
            small.latency[a, b] = round(own * 1000) if a == b else _ps(small, a, b, within, steps)
            if stated and a != b:
                ns = round(chance.uniform(0.5, 2.0) * small.latency[a, b] / 1000, 1)
                small.latency[a, b] = round(ns * 1000)
                small.rows.append(("latency", (f"pu:{a}", f"pu:{b}", ns)))


def _ps(small: Small, a: int, b: int, within: dict[str, int], steps: list[int]) -> int:
    first, second = small.part[a], small.part[b]
    for level in ("core", "l2", "l3", "numa", "package"):
        if level in first and first[level] == second[level]:
            return within[level] * 1000
    numbers = [int(part["package"].partition(":")[2]) for part in (first, second)]
    return steps[abs(numbers[0] - numbers[1]) - 1] * 1000


def _memory(small: Small, chance: random.Random) -> None:
    homes = sorted({part["home"] for part in small.part.values()})
    nodes = sorted({int(part["numa"].partition(":")[2]) for part in small.part.values()})
    at = {node: homes[number] for number, node in enumerate(nodes)}
    if chance.random() < 0.4:
        extra, home = max(nodes) + 1, chance.choice(homes)
        at[extra] = home
        small.rows.append(("contains", (home, f"numa:{extra}")))
        small.local[f"numa:{extra}"] = set(small.local[home])
    for node, home in at.items():
        kind = chance.choice(KINDS) if node not in nodes or chance.random() < 0.2 else "dram"
        size = chance.choice([512, 1024, 2048]) * 2**20
        give = chance.choice([1000, 4000, 20000])
        small.nodes[node] = Node(kind, size, give * 2**20)
        small.rows += [
            ("memory_size", (f"numa:{node}", size)),
            ("memory_bandwidth", (home, f"numa:{node}", "read", float(give))),
        ]
        if kind != "dram" or chance.random() < 0.5:
            small.rows.append(("memory_kind", (f"numa:{node}", kind)))
        for other in homes:
            ns = float(chance.randint(70, 110) if other == home else chance.randint(111, 250))
            small.rows.append(("memory_latency", (other, f"numa:{node}", "access", ns)))
            for pu in small.pus:
                if small.part[pu]["home"] == other:
                    small.memory[pu, node] = round(ns * 1000)


def _kinds(small: Small, chance: random.Random) -> None:
    two_isas, two_kinds = chance.random() < 0.4, chance.random() < 0.4
    small.rows.append(("isa", ("machine:0", "x86_64")))
    small.isa = dict.fromkeys(small.pus, "x86_64")
    if two_isas:
        name = chance.choice(sorted(small.local, key=str))
        if not name.startswith(("numa", "machine")):
            small.rows.append(("isa", (name, "aarch64")))
            small.isa.update(dict.fromkeys(small.local[name], "aarch64"))
    for core in sorted({small.core(pu) for pu in small.pus}):
        if two_kinds:
            kind = chance.choice(["big", "little"])
            small.rows.append(("core_kind", (core, kind)))
            small.kind.update(dict.fromkeys(small.local[core], kind))


def _devices(small: Small, chance: random.Random) -> None:
    places = [
        name for name in sorted(small.local) if not name.startswith(("pu", "core", "machine"))
    ]
    for number in range(chance.choice([0, 0, 1, 2])):
        name, at = f"device:gpu{number}", chance.choice(places)
        small.rows += [("contains", (at, name)), ("device_kind", (name, "gpu"))]
        small.local[name] = set(small.local[at])
        small.devices.append(name)


def _states(small: Small, chance: random.Random) -> None:
    if chance.random() < 0.35:
        name = chance.choice(
            [name for name in sorted(small.local) if name.startswith(("pu", "core"))]
        )
        state = chance.choice([("power", "off"), ("power", "sleep"), ("presence", "absent")])
        small.rows.append((state[0], (name, state[1])))
        small.usable -= small.local[name]
    if chance.random() < 0.1:
        pu = chance.choice(small.pus)
        small.rows.append(("disallowed", (f"pu:{pu}", "cgroup")))
        small.usable.discard(pu)
    if len(small.nodes) > 1 and chance.random() < 0.15:
        node = chance.choice(sorted(small.nodes))
        small.rows.append(("disallowed", (f"numa:{node}", "cgroup")))
        small.nodes[node].usable = False


# ------------------------------------------------------------ requests
def wished(small: Small, chance: random.Random) -> dict[str, Any]:
    """Return a request of two to six tasks; four or five in ten cannot be met."""
    count = chance.choice([2, 2, 3, 3, 4, 4, 5, 6])
    strict = chance.choice([0.1, 0.25, 0.6])
    rows = [_task(small, chance, f"t{n}", strict) for n in range(count)]
    request: dict[str, Any] = {"task": rows}
    if count > len(small.usable) - 1:
        for row in rows:
            row.setdefault("load", 0.3)
    per = bool(small.devices) and chance.random() < 0.4
    if per:
        request["task"][0]["per"] = "gpu"
    names = [f"t{n}" for n in range(per, count)]
    if per:
        names = [f"t0{n}" for n in range(len(small.devices))] + names
    if len(names) > 1:
        _among(small, chance, request, names)
    if chance.random() < 0.25:
        placement = {
            name: {"pus": sorted(chance.sample(small.pus, chance.choice([1, 1, 2])))}
            for name in chance.sample(names, chance.randint(1, len(names)))
        }
        cost = chance.choice([0, 30, 1500, 1e6])
        request["current"] = {"placement": placement, "migration_cost": cost}
    if chance.random() < 0.15:
        request["allowed"] = chance.sample(small.pus, chance.randint(2, len(small.pus)))
    return request


def _among(small: Small, chance: random.Random, request: dict[str, Any], names: list[str]) -> None:
    request["traffic"] = []
    for _ in range(chance.randint(0, 2 * len(names))):
        a, b = chance.choice(names), chance.choice(names)
        rate = chance.choice([1, 2.5, 40, 1000, 0.25])
        request["traffic"].append({"from": a, "to": b, "messages_per_s": rate})
    levels = [level for level in ("core", "l2", "l3", "numa", "package", "machine")
              if any(level in part for part in small.part.values())]  # fmt: skip
    for kind, often in (("together", 0.2), ("apart", 0.3)):
        if chance.random() < often:
            size = chance.choice([2, 2, 3])
            tasks = chance.sample(names, min(size, len(names)))
            request[kind] = [{"tasks": tasks, "within": chance.choice(levels[:-1])}]


def _task(small: Small, chance: random.Random, name: str, strict: float) -> dict[str, Any]:
    """Return a task; each hard need is there with its share times `strict`."""

    def often(share: float) -> bool:
        return chance.random() < share * strict

    row: dict[str, Any] = {"name": name}
    places = sorted(small.local)
    if often(0.4):
        row["pus"] = 2
    elif often(0.35):
        row["cores"] = chance.choice([1, 1, 2])
    if often(0.3):
        row["exclusive"] = True
    if chance.random() < 0.5:
        row["load"] = chance.choice([0.5, 0.25, 0.3])
    if often(0.6):
        row["memory_mib"] = chance.choice([100, 300, 700, 1500])
    if often(0.2):
        row["memory_kind"] = chance.choice(sorted({n.kind for n in small.nodes.values()}))
    if often(0.3):
        row["bandwidth_mbps"] = chance.choice([500, 3000, 15000])
    if often(0.4):
        row["cache_mib"] = chance.choice([1, 1, 2, 3])
    if often(0.2):
        row["isa"] = chance.choice(sorted(set(small.isa.values())))
    if often(0.3) and small.kind:
        row["kind"] = chance.choice(sorted(set(small.kind.values())))
    if often(0.25):
        row["at"] = chance.sample(places, chance.choice([1, 2]))
    if often(0.3):
        row["not_at"] = chance.choice([p for p in places if p != "machine:0"])
    if chance.random() < 0.3:
        row["near"] = {chance.choice(places): chance.choice([1, 2.5, 100])}
    return row

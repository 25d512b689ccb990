"""Random placement requests on four synthetic machines: services of about five tasks that talk
among themselves, and sparse talk between services.

Latencies are above those within one last-level cache, which cost nothing here; so a price in units
of 10 ns is the sum over pairs of rate times distance.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from skb.machine import Machine
from skb.relations import Fact, Value


@dataclass(frozen=True, slots=True)
class Shape:
    """A machine: packages in a grid of `rows` x `columns`, each with `caches` of `cores` cores."""

    rows: int
    columns: int
    caches: int
    cores: int = 8
    threads: int = 1
    avx: int = 0  # packages with AVX-512, 0 for all
    cache_mib: int = 32

    @property
    def packages(self) -> int:
        return self.rows * self.columns

    def hops(self, a: int, b: int) -> int:
        return abs(a // self.columns - b // self.columns) + abs(a % self.columns - b % self.columns)


SHAPES = {
    "m32": Shape(4, 2, 1, 4, avx=4, cache_mib=6),
    "m128": Shape(2, 1, 8),
    "m256": Shape(2, 1, 8, threads=2),
    "m1024": Shape(4, 4, 8, avx=8),
}
CACHE_NS, PACKAGE_NS, HOP_NS = 60, 60, 50


def distance_ns(shape: Shape, a: int, b: int) -> int:
    """Return the latency between two last-level caches, numbered through all packages."""
    if a == b:
        return 0
    apart = a // shape.caches, b // shape.caches
    inside = CACHE_NS if shape.caches > 1 else 0
    if apart[0] == apart[1]:
        return inside
    return inside + PACKAGE_NS + HOP_NS * shape.hops(*apart)


def machine_of(name: str) -> Machine:
    """Return a machine of this shape; PUs are numbered thread by thread."""
    shape = SHAPES[name]
    rows: list[tuple[str, tuple[Value, ...]]] = []
    cores = shape.packages * shape.caches * shape.cores
    for package in range(shape.packages):
        wide = package < (shape.avx or shape.packages)
        rows.append(("contains", ("machine:0", f"package:{package}")))
        rows.append(("contains", (f"package:{package}", f"numa:{package}")))
        rows.append(("isa", (f"package:{package}", "avx512" if wide else "base")))
        for cache in range(package * shape.caches, (package + 1) * shape.caches):
            rows.append(("contains", (f"package:{package}", f"l3:{cache}")))
            rows.append(("cache_size", (f"l3:{cache}", shape.cache_mib * 2**20)))
            for core in range(cache * shape.cores, (cache + 1) * shape.cores):
                rows.append(("contains", (f"l3:{cache}", f"core:{core}")))
                for thread in range(shape.threads):
                    rows.append(("contains", (f"core:{core}", f"pu:{core + thread * cores}")))
    inside = float(CACHE_NS if shape.caches > 1 else 0)
    for level, latency in (("core", 0.0), ("l3", 0.0), ("numa", inside), ("package", inside)):
        rows.append(("latency_within", (level, latency)))
    for a, b in product(range(shape.packages), repeat=2):
        if shape.hops(a, b) == 1:
            rows.append(("link", (f"package:{a}", f"package:{b}", "grid")))
    for hops in range(1, shape.rows + shape.columns - 1):
        rows.append(("latency_hops", (hops, inside + PACKAGE_NS + HOP_NS * hops)))
    return Machine(name, [Fact(predicate, args) for predicate, args in rows])


def prices(name: str, request: Mapping[str, Any], tasks: Mapping[str, Any]) -> tuple[int, int]:
    """Return rate times distance over all traffic, and over devices as the prototype counts them,
    from the answer and the shape alone.
    """
    shape = SHAPES[name]
    cores = shape.packages * shape.caches * shape.cores
    cache = {task: place["pus"][0] % cores // shape.cores for task, place in tasks.items()}
    total = sum(
        row["messages_per_s"] * distance_ns(shape, cache[row["from"]], cache[row["to"]])
        for row in request["traffic"]
    )
    devices = 0
    for row in request["task"]:
        for package, weight in row.get("near", {}).items():
            own, other = cache[row["name"]] // shape.caches, int(package.removeprefix("package:"))
            if own != other:
                devices += weight * (PACKAGE_NS + HOP_NS * shape.hops(own, other))
    return int(total), devices


def request_of(name: str, tasks: int, seed: int = 0) -> dict[str, Any]:
    """Return a request; the draws are in the order of the prototype, so its seeds give its
    instances.
    """
    shape, chance = SHAPES[name], random.Random(seed * 1000 + tasks)
    service = _services(tasks, chance)
    rates = _rates(tasks, service, chance)
    rows: list[dict[str, Any]] = []
    nics = [0, shape.packages - 1]
    for task in range(tasks):
        row: dict[str, Any] = {"name": f"t{task}"}
        if chance.random() < 0.10 and shape.avx:
            row["isa"] = "avx512"
        if shape.threads == 2 and chance.random() < 0.15:
            row["exclusive"] = True
        memory = chance.choice([0, 0, 1, 1, 2, 4])
        row["cache_mib"] = chance.choice([0, 1, 1, 2, 3])
        if memory:
            chance.choice([0, 0, 1, 2, 3, 5])  # a weight that the product does not know
        if chance.random() < 0.06:
            near = nics[chance.randrange(2)]
            row["near"] = {f"package:{near}": chance.randint(4, 15)}
        rows.append({key: value for key, value in row.items() if value})
    return {
        "task": rows,
        "traffic": [
            {"from": f"t{a}", "to": f"t{b}", "messages_per_s": rate}
            for (a, b), rate in rates.items()
        ],
        "apart": [
            {"tasks": [f"t{a}", f"t{b}"], "within": "l3"} for a, b in _apart(tasks, service, chance)
        ],
    }


def _services(tasks: int, chance: random.Random) -> list[int]:
    found: list[int] = []
    number = 0
    while len(found) < tasks:
        size = max(2, int(chance.gauss(5, 1.5)))
        found += [number] * min(size, tasks - len(found))
        number += 1
    return found


def _rates(tasks: int, service: list[int], chance: random.Random) -> dict[tuple[int, int], int]:
    rates: dict[tuple[int, int], int] = {}

    def add(a: int, b: int, rate: int) -> None:
        if a != b:
            pair = (min(a, b), max(a, b))
            rates[pair] = rates.get(pair, 0) + rate

    for number in range(service[-1] + 1):
        members = [task for task in range(tasks) if service[task] == number]
        for place in range(1, len(members)):
            add(members[place], members[chance.randrange(place)], chance.randint(5, 12))
        for _ in range(int(1.5 * len(members))):
            if len(members) > 1:
                first, second = chance.sample(members, 2)
                add(first, second, chance.randint(3, 10))
    for _ in range(int(0.8 * tasks)):
        first, second = chance.sample(range(tasks), 2)
        add(first, second, chance.randint(1, 3))
    return rates


def _apart(tasks: int, service: list[int], chance: random.Random) -> list[tuple[int, int]]:
    found: dict[tuple[int, int], None] = {}
    for _ in range(max(1, tasks // 16)):
        first, second = chance.sample(range(tasks), 2)
        if service[first] != service[second]:
            found[min(first, second), max(first, second)] = None
    return list(found)

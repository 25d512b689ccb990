"""Small machines with many parts alike, and requests of tasks that talk much: where a wrong rule
about interchangeable parts, or about what follows from the others, would show.

As in `placement_small`, a machine is drawn as tables, from which its facts are written.
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

from tests.questions.placement_small import Node, Small, wished

MOST_PUS, MOST_TASKS = 9, 6
WITHIN_NS = {"core": 3, "l3": 10, "package": 25}
# packages by shape: pairs that are one hop apart
SHAPES: dict[str, tuple[int, tuple[tuple[int, int], ...]]] = {
    "one": (1, ()),
    "two": (2, ((0, 1),)),
    "line": (3, ((0, 1), (1, 2))),
    "triangle": (3, ((0, 1), (1, 2), (0, 2))),
    "square": (4, ((0, 1), (1, 2), (2, 3), (3, 0))),
    "star": (4, ((0, 1), (0, 2), (0, 3))),
}


def regular(chance: random.Random) -> Small:
    """Return a machine of two to nine PUs, all of whose packages, caches and cores are alike."""
    while True:
        shape = chance.choice(sorted(SHAPES))
        sizes = (chance.choice([1, 1, 2, 3]), chance.choice([1, 2, 3]), chance.choice([1, 1, 2]))
        packages = SHAPES[shape][0]
        if 2 <= packages * sizes[0] * sizes[1] * sizes[2] <= MOST_PUS:
            break
    small = Small()
    _parts(small, packages, sizes)
    _ways(small, shape, chance)
    _nodes(small, packages)
    if chance.random() < 0.35:
        # a package that is off takes its links with it, which is another matter
        name = chance.choice([n for n in sorted(small.local) if n.startswith(("pu", "core", "l3"))])
        small.rows.append(("power", (name, "off")))
        small.usable -= small.local[name]
        if not small.usable:
            return regular(chance)
    return small


def _parts(small: Small, packages: int, sizes: tuple[int, int, int]) -> None:
    caches, cores, threads = sizes
    total = packages * caches * cores
    for core in range(total):
        cache = core // cores
        package = cache // caches
        around = ("machine:0", f"package:{package}", f"l3:{cache}", f"core:{core}")
        for pu in range(core, total * threads, total):
            small.part[pu] = {
                "core": around[3],
                "l3": around[2],
                "numa": f"numa:{package}",
                "package": around[1],
                "machine": "machine:0",
                "home": around[1],
            }
            small.cache[pu] = (around[2], 2**21)
            small.usable.add(pu)
            small.isa[pu] = "x86_64"
            for name in (*around, f"numa:{package}", f"pu:{pu}"):
                small.local.setdefault(name, set()).add(pu)
            small.rows.append(("contains", (around[3], f"pu:{pu}")))
        small.rows += [("contains", pair) for pair in pairwise(around)]
    small.rows = list(dict.fromkeys(small.rows))
    small.rows += [("cache_size", (name, 2**21)) for name in small.local if name.startswith("l3")]
    small.rows.append(("isa", ("machine:0", "x86_64")))


def _ways(small: Small, shape: str, chance: random.Random) -> None:
    packages, links = SHAPES[shape]
    hops = _hops(packages, links)
    far = [0, chance.choice([40, 60, 100])]
    far.append(far[1] + chance.choice([15, 50]))
    within = dict(WITHIN_NS)
    if chance.random() < 0.3:
        # caches that are no nearer inside than between them
        within["l3"] = within["package"]
    small.rows += [("latency_within", (level, float(ns))) for level, ns in within.items()]
    for one, other in links:
        small.rows += [("link", (f"package:{a}", f"package:{b}", "wire"))
                       for a, b in ((one, other), (other, one))]  # fmt: skip
    small.rows += [("latency_hops", (n, float(far[n]))) for n in (1, 2)]
    for a in small.pus:
        for b in small.pus:
            first, second = small.part[a], small.part[b]
            level = next((name for name in within if first[name] == second[name]), "")
            here, there = (int(part["package"].partition(":")[2]) for part in (first, second))
            ns = within[level] if level else far[hops[here, there]]
            small.latency[a, b] = 0 if a == b else ns * 1000


def _hops(packages: int, links: tuple[tuple[int, int], ...]) -> dict[tuple[int, int], int]:
    beside = {frozenset(pair) for pair in links}
    return {
        (a, b): 0 if a == b else 1 if frozenset((a, b)) in beside else 2
        for a in range(packages)
        for b in range(packages)
    }


def _nodes(small: Small, packages: int) -> None:
    for node in range(packages):
        small.nodes[node] = Node("dram", 2**30, 4000 * 2**20)
        small.rows += [
            ("contains", (f"package:{node}", f"numa:{node}")),
            ("memory_size", (f"numa:{node}", 2**30)),
            ("memory_bandwidth", (f"package:{node}", f"numa:{node}", "read", 4000.0)),
        ]
        for other in range(packages):
            ns = 80.0 if other == node else 130.0
            small.rows.append(
                ("memory_latency", (f"package:{other}", f"numa:{node}", "access", ns))
            )
            for pu in small.local[f"package:{other}"]:
                small.memory[pu, node] = round(ns * 1000)


def talking(small: Small, chance: random.Random) -> dict[str, Any]:
    """Return a request: for two in five everything may be asked, else tasks that mostly talk."""
    if chance.random() < 0.4:
        return wished(small, chance)
    count = chance.randint(2, min(MOST_TASKS, max(2, len(small.usable))))
    rows: list[dict[str, Any]] = [{"name": f"t{n}"} for n in range(count)]
    names = [row["name"] for row in rows]
    for row in rows:
        if chance.random() < 0.15:
            row["at"] = chance.choice(sorted(small.local))
        if chance.random() < 0.15:
            row["near"] = {chance.choice(sorted(small.local)): chance.choice([1, 7])}
        if chance.random() < 0.15:
            row["cache_mib"] = 1
        if chance.random() < 0.1:
            row["exclusive"] = True
    pairs = [(a, b) for a in names for b in names if a < b and chance.random() < 0.7]
    request: dict[str, Any] = {
        "task": rows,
        "traffic": [
            {"from": a, "to": b, "messages_per_s": chance.choice([1, 1, 2, 3, 5, 8])}
            for a, b in (chance.sample(pair, 2) for pair in pairs)
        ],
    }
    if chance.random() < 0.2:
        within = chance.choice(["core", "l3", "package"])
        request["apart"] = [{"tasks": chance.sample(names, 2), "within": within}]
    return request

"""Impossible placement requests of many named constraints: a hidden placement keeps all but a
conflict that is planted among them.
"""

from __future__ import annotations

import random
from typing import Any

from skb.benching.random_requests import SHAPES, machine_of
from skb.machine import Machine
from skb.relations import Fact

KINDS = (
    "chain",
    "pins",
    "gathered",
    "isa",
    "spread",
    "exclusive",
    "memory",
    "cache",
    "packing",
    "random",
)
TASKS = 100
FULL = 0.85
NODE_MIB = 65_536
FRESH = 18  # of the tasks: only a planted conflict constrains them


def bench_machine(name: str = "m128") -> Machine:
    """Return the machine with memory, and an instruction set that only some packages have."""
    plain = machine_of(name)
    packages = SHAPES[name].packages
    facts = [fact for fact in plain.facts if fact.predicate != "isa"]
    for package in range(packages):
        isa = "avx512" if package < packages // 2 else "base"
        facts.append(Fact("isa", (f"package:{package}", isa)))
        facts.append(Fact("memory_size", (f"numa:{package}", NODE_MIB * 2**20)))
    return Machine(name, facts)


class Draw:
    """One request under construction: constraints that a hidden placement keeps, then a conflict.

    A named constraint is whatever the answer can name: the need of each task counts as one.
    """

    def __init__(self, name: str, rules: int, tasks: int, seed: int) -> None:
        self.shape, self.chance = SHAPES[name], random.Random(f"{name} {rules} {tasks} {seed}")
        self.caches = self.shape.packages * self.shape.caches
        self.tasks: list[dict[str, Any]] = [{"name": f"t{task}"} for task in range(tasks)]
        self.groups: dict[str, list[dict[str, Any]]] = {"together": [], "apart": []}
        self.count = tasks
        room = [round(self.shape.cores * FULL)] * self.caches
        self.home: list[int] = []
        for _task in range(tasks):
            cache = self.chance.choice([c for c in range(self.caches) if room[c]])
            room[cache] -= 1
            self.home.append(cache)
        while self.count < rules:
            self._satisfied()

    def package(self, cache: int) -> int:
        return cache // self.shape.caches

    def key(self, task: int, key: str, value: Any) -> bool:
        """Give a task a key that it does not have."""
        if key in self.tasks[task]:
            return False
        self.tasks[task][key] = value
        self.count += 1
        return True

    def group(self, kind: str, tasks: list[int], within: str) -> None:
        names = [f"t{task}" for task in tasks]
        if {"tasks": names, "within": within} not in self.groups[kind]:
            self.groups[kind].append({"tasks": names, "within": within})
            self.count += 1

    def _satisfied(self) -> None:
        """Add a constraint that the hidden placement keeps."""
        chance = self.chance
        a, b = chance.sample(range(len(self.tasks) - FRESH), 2)
        x, y = self.home[a], self.home[b]
        apart = self.package(x) != self.package(y)
        kind = chance.choice(("at", "not_at", "isa", "memory_mib", "cache_mib", *("group",) * 4))
        if kind == "at":
            others = chance.sample(range(self.caches), chance.randrange(3))
            near = [f"package:{self.package(x)}"] if chance.random() < 0.5 else []
            self.key(a, "at", near or sorted({f"l3:{c}" for c in (x, *others)}))
        elif kind == "not_at" and x != y:
            self.key(a, "not_at", f"package:{self.package(y)}" if apart else f"l3:{y}")
        elif kind == "isa" and self.package(x) < self.shape.packages // 2:
            self.key(a, "isa", "avx512")
        elif kind == "memory_mib":
            self.key(a, "memory_mib", chance.choice((256, 512, 1024)))
        elif kind == "cache_mib":
            self.key(a, "cache_mib", chance.choice((1, 2, 3)))
        elif kind == "group" and x == y:
            self.group("together", [a, b], chance.choice(("l3", "package", "numa")))
        elif kind == "group":
            self.group("apart", [a, b], chance.choice(("l3", "package")) if apart else "l3")

    # ------------------------------------------------------------ conflicts
    def plant(self, conflict: str) -> None:
        """Add constraints that cannot all be kept."""
        getattr(self, f"_{conflict}")()

    def _picked(self, count: int) -> list[int]:
        """Return tasks without other constraints."""
        return self.chance.sample(range(len(self.tasks) - FRESH, len(self.tasks)), count)

    def _chain(self) -> None:
        a, b, c, d = self._picked(4)
        for pair in ([a, b], [b, c], [c, d]):
            self.group("together", pair, "package")
        self.group("apart", [a, d], "package")

    def _pins(self) -> None:
        for task in self._picked(self.shape.cores + 1):
            self.key(task, "at", "l3:0")

    def _gathered(self) -> None:
        first, *others = self._picked(self.shape.cores + 1)
        for task in others:
            self.group("together", [first, task], "l3")

    def _isa(self) -> None:
        task = self._picked(1)[0]
        self.key(task, "isa", "avx512")
        self.key(task, "at", f"package:{self.shape.packages - 1}")

    def _spread(self) -> None:
        tasks = self._picked(self.shape.caches + 1)
        self.group("apart", tasks, "l3")
        for task in tasks:
            self.key(task, "at", "package:0")

    def _exclusive(self) -> None:
        """Two exclusive tasks of half an L3 each, and a third there."""
        cores = self.shape.cores
        for task, pus in zip(self._picked(3), (cores // 2, cores // 2, 1), strict=True):
            self.key(task, "at", f"l3:{self.caches - 1}")
            self.tasks[task] |= {"exclusive": True, "pus": pus}

    def _memory(self) -> None:
        """Three of which a node holds one."""
        for task in self._picked(self.shape.packages + 1):
            self.key(task, "memory_mib", NODE_MIB * 0.6)

    def _cache(self) -> None:
        for task in self._picked(2):
            self.key(task, "at", "l3:1")
            self.key(task, "cache_mib", self.shape.cache_mib * 0.6)

    def _packing(self) -> None:
        """Three groups of more than half an L3 each, kept to two of them."""
        tasks, half = self._picked(3 * (self.shape.cores // 2 + 1)), self.shape.cores // 2 + 1
        for first in range(0, len(tasks), half):
            self.group("together", tasks[first : first + half], "l3")
            self.key(tasks[first], "at", ["l3:0", "l3:1"])

    def _random(self) -> None:
        """Groups that no hidden placement vouches for."""
        for _ in range(30):
            a, b = self.chance.sample(range(len(self.tasks)), 2)
            self.group(self.chance.choice(("together", "apart")), [a, b], "l3")

    def request(self) -> dict[str, Any]:
        rows = {key: self.chance.sample(group, len(group)) for key, group in self.groups.items()}
        return {"task": self.tasks, **rows}


def clashing_request(
    conflict: str, seed: int, rules: int = 400, name: str = "m128", tasks: int = TASKS
) -> dict[str, Any]:
    """Return an impossible request with about so many named constraints."""
    draw = Draw(name, rules - 10, tasks, seed)
    draw.plant(conflict)
    return draw.request()

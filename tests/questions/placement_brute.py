"""Brute force for small placements: every seat of every task in turn, and what is dearer than the
best so far is left.

Written from what README and DESIGN say of a request; it reads the tables of the machine as drawn.
A task speaks, remembers and is near from its first PU.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import Any

from tests.questions.placement_small import Small

# rates are quarters, loads hundredths
QUARTERS, HUNDREDTHS = 4, 100


@dataclass(frozen=True)
class Seat:
    """Where a task may sit, its first PU and memory node, and what it pays there by itself."""

    pus: frozenset[int]
    first: int
    node: int | None
    cost: int


class Brute:
    """The search for one request; `best` is in ps/s times four, None where nothing fits."""

    def __init__(self, small: Small, request: dict[str, Any]) -> None:
        self.small, self.request = small, request
        self.tasks = expanded(small, request)
        self.names = list(self.tasks)
        self.seats = {name: list(self._seats(name)) for name in self.names}
        self.names.sort(key=lambda name: len(self.seats[name]))
        self.best: int | None = None

    @property
    def size(self) -> int:
        """How many placements there are if no two tasks disturbed each other."""
        return prod(len(seats) for seats in self.seats.values())

    def value_ns(self) -> float | None:
        """Try everything; return the least price in ns/s."""
        self._try(0, {}, 0)
        return None if self.best is None else self.best / QUARTERS / 1000

    def _try(self, depth: int, taken: dict[str, Seat], cost: int) -> None:
        if self.best is not None and cost >= self.best:
            return
        if depth == len(self.names):
            self.best = cost
            return
        name = self.names[depth]
        for seat in sorted(self.seats[name], key=lambda one: one.cost):
            if self._fits(name, seat, taken):
                taken[name] = seat
                self._try(depth + 1, taken, cost + seat.cost + self._talk(name, taken))
                del taken[name]

    def _talk(self, name: str, taken: dict[str, Seat]) -> int:
        total = 0
        for row in self.request.get("traffic", ()):
            pair = row["from"], row["to"]
            if name in pair and pair[0] in taken and pair[1] in taken:
                latency = self.small.latency[taken[pair[0]].first, taken[pair[1]].first]
                total += round(row["messages_per_s"] * QUARTERS) * latency
        return total

    # ------------------------------------------------------------ one task
    def _seats(self, name: str) -> Iterator[Seat]:
        task, small = self.tasks[name], self.small
        may = {pu for pu in small.usable if self._may(name, pu)}
        for pus in self._sets(task, may):
            for first in pus:
                for node in self._nodes(task):
                    yield Seat(frozenset(pus), first, node, self._alone(name, pus, first, node))

    def _sets(self, task: dict[str, Any], may: set[int]) -> Iterator[tuple[int, ...]]:
        if "cores" not in task:
            yield from combinations(sorted(may), task.get("pus", 1))
            return
        cores = sorted({self.small.core(pu) for pu in may})
        whole = [core for core in cores if self.small.local[core] <= may]
        for some in combinations(whole, task["cores"]):
            yield tuple(sorted(set().union(*(self.small.local[core] for core in some))))

    def _may(self, name: str, pu: int) -> bool:
        task, small = self.tasks[name], self.small
        at = task.get("at", [])
        at = [at] if isinstance(at, str) else at
        if at and not any(pu in small.local[place] for place in at):
            return False
        if "device" in task and pu not in small.local[task["device"]]:
            return False
        if "not_at" in task and pu in small.local[task["not_at"]]:
            return False
        if "allowed" in self.request and pu not in self.request["allowed"]:
            return False
        if "isa" in task and small.isa[pu] != task["isa"]:
            return False
        return "kind" not in task or small.kind.get(pu) == task["kind"]

    def _nodes(self, task: dict[str, Any]) -> list[int | None]:
        if not task.keys() & {"memory_mib", "memory_kind", "bandwidth_mbps"}:
            return [None]
        return [
            number
            for number, node in self.small.nodes.items()
            if node.usable and task.get("memory_kind", node.kind) == node.kind
        ]

    def _alone(self, name: str, pus: tuple[int, ...], first: int, node: int | None) -> int:
        task, small = self.tasks[name], self.small
        total = sum(small.latency[first, pu] for pu in pus if pu != first) * QUARTERS
        if node is not None and task.keys() & {"memory_mib", "memory_kind"}:
            total += small.memory[first, node] * QUARTERS
        for place, weight in task.get("near", {}).items():
            if first not in small.local[place]:
                nearest = min(small.latency[first, pu] for pu in small.local[place])
                total += round(weight * QUARTERS) * nearest
        current = self.request.get("current", {"placement": {}})
        now = current["placement"].get(name)
        if now is not None and set(now["pus"]) != set(pus):
            total += round(current["migration_cost"] * QUARTERS) * 1000
        return total

    # ------------------------------------------------------------ tasks beside each other
    def _fits(self, name: str, seat: Seat, taken: dict[str, Seat]) -> bool:
        both = {**taken, name: seat}
        return (
            self._loads(both)
            and self._memory(both)
            and self._caches(both)
            and all(self._pair(name, seat, other, taken[other]) for other in taken)
            and self._lone(name, seat)
        )

    def _loads(self, taken: dict[str, Seat]) -> bool:
        load = dict.fromkeys(self.small.pus, 0)
        for name, seat in taken.items():
            for pu in seat.pus:
                load[pu] += round(self.tasks[name].get("load", 1) * HUNDREDTHS)
        return max(load.values()) <= HUNDREDTHS

    def _memory(self, taken: dict[str, Seat]) -> bool:
        for number, node in self.small.nodes.items():
            here = [self.tasks[name] for name, seat in taken.items() if seat.node == number]
            if sum(task.get("memory_mib", 0) for task in here) * 2**20 > node.size:
                return False
            if sum(task.get("bandwidth_mbps", 0) for task in here) * 10**6 > node.bandwidth:
                return False
        return True

    def _caches(self, taken: dict[str, Seat]) -> bool:
        used: dict[str, int] = {}
        for name, seat in taken.items():
            cache, size = self.small.cache[seat.first]
            used[cache] = used.get(cache, 0) + self.tasks[name].get("cache_mib", 0) * 2**20
            if used[cache] > size:
                return False
        return True

    def _pair(self, a: str, one: Seat, b: str, other: Seat) -> bool:
        cores = [{self.small.core(pu) for pu in seat.pus} for seat in (one, other)]
        if cores[0] & cores[1] and any(self.tasks[n].get("exclusive") for n in (a, b)):
            return False
        for kind in ("together", "apart"):
            for group in self.request.get(kind, ()):
                if a in group["tasks"] and b in group["tasks"]:
                    parts = [self._parts(group["within"], seat) for seat in (one, other)]
                    if kind == "apart" and parts[0] & parts[1]:
                        return False
                    if kind == "together" and len(parts[0] | parts[1]) > 1:
                        return False
        return True

    def _lone(self, name: str, seat: Seat) -> bool:
        """Whether the PUs of one task share an object where it is to be together with others."""
        return all(
            len(self._parts(group["within"], seat)) == 1
            for group in self.request.get("together", ())
            if name in group["tasks"]
        )

    def _parts(self, level: str, seat: Seat) -> set[str]:
        return {self.small.part[pu][level] for pu in seat.pus}


def expanded(small: Small, request: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the tasks by name; `per` makes one for each device of the kind."""
    found = {}
    for task in request["task"]:
        if "per" not in task:
            found[task["name"]] = task
            continue
        for number, device in enumerate(small.devices):
            found[f"{task['name']}{number}"] = {**task, "device": device}
    return found

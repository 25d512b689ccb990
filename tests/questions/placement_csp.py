"""A second opinion by python-constraint: three variables for each task (its PUs, which of them is
the first, its memory node) and one constraint for each sentence of the request.

It shares nothing with the brute force but the tables of the machine. Branch and bound: a partial
assignment that costs as much as the best is dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from itertools import chain, combinations
from typing import Any

import constraint

from tests.questions.placement_small import Small

Chosen = Mapping[tuple[str, str], Any]
MIB = 2**20


class _Whole(constraint.Constraint):  # type: ignore[misc]
    """A test of everything that is assigned so far; once false it stays false."""

    def __init__(self, holds: Any) -> None:
        self.holds = holds

    def __call__(
        self,
        variables: Any,
        domains: Any,
        assignments: Any,
        forwardcheck: bool = False,
        _unassigned: Any = None,
    ) -> bool:
        return bool(self.holds(assignments))


class Model:
    """One request as a constraint problem."""

    def __init__(self, small: Small, request: dict[str, Any]) -> None:
        self.small, self.request = small, request
        self.tasks: dict[str, dict[str, Any]] = {}
        for task in request["task"]:
            if task.get("per"):
                for number, device in enumerate(small.devices):
                    only = sorted(small.local[device])
                    self.tasks[f"{task['name']}{number}"] = {**task, "only": only}
            else:
                self.tasks[task["name"]] = dict(task)
        self.limit: Fraction | None = None

    def cheapest(self) -> Fraction | None:
        """Return the least price in ns/s, None where nothing is admissible."""
        problem: Any = constraint.Problem(constraint.BacktrackingSolver())
        for name, task in self.tasks.items():
            domains = self._domains(name, task)
            if not all(domains.values()):
                return None
            for what, values in domains.items():
                problem.addVariable((name, what), values)
            problem.addConstraint(lambda pus, first: first in pus, [(name, "pus"), (name, "first")])
        for holds in (
            self._not_overloaded,
            self._alone_on_core,
            self._fits_memory,
            self._fits_cache,
            self._together,
            self._apart,
            self._cheaper,
        ):
            problem.addConstraint(_Whole(holds))
        for solution in problem.getSolutionIter():
            price = self.price(solution)
            if self.limit is None or price < self.limit:
                self.limit = price
        return self.limit

    def _domains(self, name: str, task: dict[str, Any]) -> dict[str, list[Any]]:
        small = self.small
        good = [pu for pu in small.pus if pu in small.usable]
        if "allowed" in self.request:
            good = [pu for pu in good if pu in self.request["allowed"]]
        if "only" in task:
            good = [pu for pu in good if pu in task["only"]]
        if "at" in task:
            places = set(chain.from_iterable(small.local[at] for at in task["at"]))
            good = [pu for pu in good if pu in places]
        if "not_at" in task:
            good = [pu for pu in good if pu not in small.local[task["not_at"]]]
        if "isa" in task:
            good = [pu for pu in good if small.isa[pu] == task["isa"]]
        if "kind" in task:
            good = [pu for pu in good if pu in small.kind and small.kind[pu] == task["kind"]]
        if "cores" in task:
            cores = {frozenset(small.of_core(pu)) for pu in good}
            cores = {core for core in cores if core.issubset(good)}
            sets = [frozenset().union(*some) for some in combinations(
                sorted(cores, key=min), task["cores"])]  # fmt: skip
        else:
            sets = [frozenset(some) for some in combinations(good, task.get("pus", 1))]
        nodes = [number for number, node in small.nodes.items() if node.usable]
        if "memory_kind" in task:
            nodes = [n for n in nodes if small.nodes[n].kind == task["memory_kind"]]
        wants = {"memory_mib", "memory_kind", "bandwidth_mbps"} & set(task)
        return {"pus": sets, "first": good, "node": nodes if wants else ["any"]}

    # ------------------------------------------------------------ the sentences
    def _of(self, chosen: Chosen, what: str) -> dict[str, Any]:
        return {name: value for (name, key), value in chosen.items() if key == what}

    def _not_overloaded(self, chosen: Chosen) -> bool:
        load: Counter[int] = Counter()
        for name, pus in self._of(chosen, "pus").items():
            for pu in pus:
                load[pu] += round(100 * self.tasks[name].get("load", 1.0))
        return all(share <= 100 for share in load.values())

    def _alone_on_core(self, chosen: Chosen) -> bool:
        on: dict[str, list[str]] = {}
        for name, pus in self._of(chosen, "pus").items():
            for core in {self.small.part[pu]["core"] for pu in pus}:
                on.setdefault(core, []).append(name)
        return not any(
            len(names) > 1 and any(self.tasks[name].get("exclusive") for name in names)
            for names in on.values()
        )

    def _fits_memory(self, chosen: Chosen) -> bool:
        held: Counter[int] = Counter()
        moved: Counter[int] = Counter()
        for name, node in self._of(chosen, "node").items():
            if node != "any":
                held[node] += self.tasks[name].get("memory_mib", 0)
                moved[node] += self.tasks[name].get("bandwidth_mbps", 0)
        nodes = self.small.nodes
        return all(Fraction(mib) * MIB <= nodes[n].size for n, mib in held.items()) and all(
            mb * 1_000_000 <= nodes[n].bandwidth for n, mb in moved.items()
        )

    def _fits_cache(self, chosen: Chosen) -> bool:
        kept: Counter[tuple[str, int]] = Counter()
        for name, first in self._of(chosen, "first").items():
            kept[self.small.cache[first]] += self.tasks[name].get("cache_mib", 0)
        return all(mib * MIB <= size for (_cache, size), mib in kept.items())

    def _objects(self, chosen: Chosen, group: Mapping[str, Any]) -> list[set[str]]:
        pus = self._of(chosen, "pus")
        level = group["within"]
        return [
            {self.small.part[pu][level] for pu in pus[name]}
            for name in group["tasks"]
            if name in pus
        ]

    def _together(self, chosen: Chosen) -> bool:
        groups = self.request.get("together", [])
        return all(len(set().union(*self._objects(chosen, group))) <= 1 for group in groups)

    def _apart(self, chosen: Chosen) -> bool:
        for group in self.request.get("apart", []):
            objects = self._objects(chosen, group)
            if len(set().union(*objects)) < sum(len(some) for some in objects):
                return False
        return True

    def _cheaper(self, chosen: Chosen) -> bool:
        return self.limit is None or self.price(chosen) < self.limit

    # ------------------------------------------------------------ the price
    def price(self, chosen: Chosen) -> Fraction:
        """Return what the chosen part costs in ns/s; it only grows as more is chosen."""
        first, pus = self._of(chosen, "first"), self._of(chosen, "pus")
        nodes = self._of(chosen, "node")
        ps = Fraction(0)
        for row in self.request.get("traffic", []):
            if row["from"] in first and row["to"] in first:
                way = self.small.latency[first[row["from"]], first[row["to"]]]
                ps += Fraction(row["messages_per_s"]) * way
        for name, home in first.items():
            for place, weight in self.tasks[name].get("near", {}).items():
                local = self.small.local[place]
                if home not in local:
                    ps += Fraction(weight) * min(self.small.latency[home, pu] for pu in local)
            if name in pus:
                ps += sum(self.small.latency[home, pu] for pu in pus[name] - {home})
            if {"memory_mib", "memory_kind"} & set(self.tasks[name]) and name in nodes:
                ps += self.small.memory[home, nodes[name]]
        current = self.request.get("current")
        if current:
            moved = [
                name
                for name, now in current["placement"].items()
                if name in pus and pus[name] != frozenset(now["pus"])
            ]
            ps += Fraction(current["migration_cost"]) * len(moved) * 1000
        return ps / 1000

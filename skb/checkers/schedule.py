"""Judge of `schedule`: recomputes admissibility, idle units and price from snapshot and request.

Latencies are looked up in `skb.costs`; units, sums and the search for something better are its own.
The defaults of the request are restated here on purpose: the judge shares nothing with the
question. An optimum is tried by every single move of one application; a refusal by counting and,
where few applications clash, by all ways to pack them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from math import isclose
from typing import Any

from skb.costs import Costs
from skb.decision import Decision, Status
from skb.machine import Machine

TOLERANCE = 1e-9
# applications of a clash that are packed in all ways
TRY_ALL = 8


def check(machine: Machine, decision: Decision) -> list[str]:
    """Return what is wrong with a decision of `schedule`, in words."""
    judge = _Judge(machine, decision.request)
    if decision.status is Status.INFEASIBLE:
        return judge.infeasible(decision)
    if decision.status is Status.UNKNOWN:
        return ["an unknown answer holds slots"] if decision.answer else []
    slots = decision.answer.get("slots")
    if not isinstance(slots, list) or not slots:
        return ["the answer has no slots"]
    wrong = judge.shape(slots)
    wrong = wrong or judge.gangs(slots) + judge.sharing(slots)
    if wrong:
        return wrong
    wrong = judge.table(decision, slots) + judge.price(decision, slots)
    if decision.status is Status.OPTIMAL:
        wrong += judge.better(slots)
    return wrong


class _Judge:
    def __init__(self, machine: Machine, request: Mapping[str, Any]) -> None:
        self.machine = machine
        self.request = request
        self.costs = Costs(machine)
        self.asked = {str(one["name"]): one for one in request["application"]}
        self.whole = request.get("unit", "cores") == "cores"
        self.unit_of: dict[int, str] = {}
        for pu in machine.pus:
            if not machine.unusable(f"pu:{pu}"):
                self.unit_of[pu] = machine.core_of[pu] if self.whole else f"pu:{pu}"
        self.pus: dict[str, list[int]] = {}
        for pu in sorted(self.unit_of):
            self.pus.setdefault(self.unit_of[pu], []).append(pu)
        self.seen: dict[tuple[str, str], int] = {}
        self.lies = {unit: self._lies(unit) for unit in self.pus}
        self.allowed = {name: self._allowed(name) for name in self.asked}

    def threads(self, name: str) -> tuple[int, int]:
        one = self.asked[name]
        if one.get("threads") is not None:
            return one["threads"], one["threads"]
        least = one.get("threads_min") or 1
        return least, one.get("threads_max") or least

    def sync(self, name: str) -> Fraction:
        return Fraction(str(self.asked[name].get("sync", 0))).limit_denominator(10**6)

    def _allowed(self, name: str) -> set[str]:
        """Return the units that an application may use."""
        one, machine = self.asked[name], self.machine
        found = set(self.pus)
        at = one.get("at")
        walls = [[at] if isinstance(at, str) else at] if at else []
        walls += [[f["at"]] for f in self.request.get("forced", []) if f["application"] == name]
        for wall in walls:
            inside = {pu for part in wall for pu in machine.pus_of(part)}
            found = {unit for unit in found if inside.issuperset(self.pus[unit])}
        if one.get("isa") is not None:
            isa = {u: machine.inherited("isa", f"pu:{self.pus[u][0]}") for u in found}
            found = {unit for unit in found if isa[unit] == one["isa"]}
        if one.get("kind") is not None:
            core = {u: machine.core_of[self.pus[u][0]] for u in found}
            found = {u for u in found if machine.value("core_kind", core[u]) == one["kind"]}
        return found

    # -------------------------------------------------------------- admissible
    def shape(self, slots: Sequence[Any]) -> list[str]:
        """Return what in the rows cannot be read, or is unknown or unusable."""
        wrong = []
        for number, row in enumerate(slots, 1):
            if not isinstance(row, Mapping):
                return [f"slot {number} is not a table"]
            for name, entry in row.items():
                pus = entry.get("pus") if isinstance(entry, Mapping) else None
                if name not in self.asked:
                    wrong.append(f"slot {number}: {name} was not asked for")
                elif not isinstance(pus, list) or not pus or len(set(pus)) != len(pus):
                    wrong.append(f"slot {number}: {name} has no list of PUs")
                elif unusable := [pu for pu in pus if pu not in self.unit_of]:
                    wrong.append(f"slot {number}: {name} uses unusable PUs {unusable}")
        return wrong

    def gangs(self, slots: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return which applications do not run whole, where they may, on units that stay."""
        wrong = []
        for name in self.asked:
            sets = {tuple(sorted(row[name]["pus"])) for row in slots if name in row}
            if not sets:
                wrong.append(f"{name} never runs")
                continue
            if len(sets) > 1:
                wrong.append(f"{name} migrates between slots")
            runs = sum(name in row for row in slots)
            if runs not in (1, len(slots)):
                wrong.append(f"{name} runs in {runs} of {len(slots)} slots, not in one or all")
            for pus in sets:
                units = {self.unit_of[pu] for pu in pus}
                if sum(len(self.pus[unit]) for unit in units) != len(pus):
                    wrong.append(f"{name} has a part of a core")
                least, most = self.threads(name)
                if not least <= len(units) <= most:
                    wrong.append(f"{name} has {len(units)} threads, not {least} to {most}")
                if outside := sorted(units - self.allowed[name]):
                    wrong.append(f"{name} may not use {', '.join(outside)}")
        return wrong

    def sharing(self, slots: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return where a PU has two threads at once, and whether the memory is exceeded."""
        wrong = []
        for number, row in enumerate(slots, 1):
            seen: dict[int, str] = {}
            for name, entry in row.items():
                for pu in entry["pus"]:
                    if pu in seen:
                        wrong.append(f"slot {number}: {seen[pu]} and {name} share pu:{pu}")
                    seen[pu] = name
        if self.request.get("slots") and len(slots) != self.request["slots"]:
            wrong.append(f"there are {len(slots)} slots, not {self.request['slots']}")
        if self._memory_exceeded(list(self.asked)):
            wrong.append("the memory is exceeded")
        return wrong

    def _memory_exceeded(self, names: Sequence[str]) -> bool:
        nodes = self.machine.usable_numa
        sizes = [self.machine.number("memory_size", f"numa:{node}") for node in nodes]
        if not sizes or None in sizes:
            return False
        wanted = sum(Fraction(str(self.asked[n].get("memory_mib") or 0)) * 2**20 for n in names)
        return wanted > sum(Fraction(str(size)) for size in sizes)

    # -------------------------------------------------------------- price
    def latency(self, first: str, second: str) -> int:
        if (first, second) not in self.seen:
            a, b = self.pus[first][0], self.pus[second][0]
            there, back = self.costs.latency_ps(a, b), self.costs.latency_ps(b, a)
            self.seen[first, second] = max(there, back)
        return self.seen[first, second]

    def spread(self, units: set[str]) -> int:
        """Return the largest latency of all pairs; of units that lie alike two are enough."""
        groups: dict[object, list[str]] = {}
        for unit in sorted(units):
            groups.setdefault(self.lies[unit], []).append(unit)
        few = [unit for group in groups.values() for unit in group[:2]]
        return max((self.latency(a, b) for a, b in combinations(few, 2)), default=0)

    def _lies(self, unit: str) -> object:
        """Return what the latencies of a unit depend on: itself, where pairs are stated."""
        machine, own = self.machine, frozenset(self.pus[unit])
        if machine.facts_of("latency") or machine.facts_of("message_cost"):
            return unit
        pu = self.pus[unit][0]
        around = next((a for a in machine.ancestors(f"pu:{pu}") if machine.pus_of(a) - own), unit)
        return around, machine.package_of[pu], machine.numa_of_pu[pu]

    def sets(self, slots: Sequence[Mapping[str, Any]]) -> dict[str, set[str]]:
        """Return the units of each application."""
        return {
            name: {self.unit_of[pu] for row in slots if name in row for pu in row[name]["pus"]}
            for name in self.asked
        }

    def table(self, decision: Decision, slots: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return what the table of applications says wrongly."""
        rows, sets, wrong = decision.answer.get("applications", {}), self.sets(slots), []
        if set(rows) != set(self.asked):
            return ["the table of applications does not name them"]
        for name, units in sets.items():
            spread = self.spread(units)
            packages = {self.machine.package_of[self.pus[unit][0]] for unit in units}
            wanted = {
                "threads": len(units),
                "slots": [number for number, row in enumerate(slots, 1) if name in row],
                "packages": len(packages),
            }
            for key, value in wanted.items():
                if rows[name].get(key) != value:
                    wrong.append(f"{name}: {key} is {value}, not {rows[name].get(key)}")
            value = float(self.sync(name) * spread / 1000)
            if not isclose(rows[name].get("value", -1), value, rel_tol=TOLERANCE):
                wrong.append(f"{name} costs {value}, not {rows[name].get('value')} ns/s")
            if not isclose(rows[name].get("spread_ns", -1), spread / 1000, rel_tol=TOLERANCE):
                wrong.append(f"{name} spreads over {spread / 1000} ns")
        return wrong

    def price(self, decision: Decision, slots: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return where value, terms, idle units or bound do not add up."""
        sets, wrong = self.sets(slots), []
        busy = sum(len(sets[name]) for row in slots for name in row)
        idle = len(slots) * len(self.pus) - busy
        sync = sum(
            (self.sync(n) * self.spread(u) for n, u in sets.items() if self.sync(n)), Fraction(0)
        )
        widest = self.spread(set(self.pus))
        worst = sum((self.sync(name) for name in self.asked), Fraction(0)) * widest
        each = max(Fraction(10**12, len(slots)), worst)
        wanted = {"idle": float(idle * each / 1000), "synchronisation": float(sync / 1000)}
        terms = {cost.term: cost.value for cost in decision.costs}
        for term, value in wanted.items():
            if not isclose(terms.get(term, -1), value, rel_tol=TOLERANCE):
                wrong.append(f"the term {term} is {value}, not {terms.get(term)}")
        if decision.answer.get("idle") != idle:
            wrong.append(f"{idle} units are idle, not {decision.answer.get('idle')}")
        price, bound = decision.objective.value, decision.bound
        if price is None or not isclose(price, sum(wanted.values()), rel_tol=TOLERANCE):
            wrong.append(f"the value is {sum(wanted.values())}, not {price}")
        elif bound is None or bound > price * (1 + TOLERANCE):
            wrong.append(f"the bound {bound} is above the value")
        elif decision.status is Status.OPTIMAL and bound != price:
            wrong.append("an optimum has a gap")
        return wrong

    # -------------------------------------------------------------- better
    def better(self, slots: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return a single move that would improve what is called optimal."""
        sets, wrong = self.sets(slots), []
        for name, units in sets.items():
            of = [row for row in slots if name in row]
            taken = {u for row in of for other in row if other != name for u in sets[other]}
            free = self.allowed[name] - taken
            _least, most = self.threads(name)
            if len(units) < min(most, len(free)):
                wrong.append(f"{name} could have {len(units) + 1} threads")
            now = self.spread(units)
            if self.sync(name) and any(s < now for s in self._tighter(free, len(units))):
                wrong.append(f"{name} could run closer together")
        if not self.request.get("slots") and len(slots) > 1:
            names = list(self.asked)
            if len(names) <= TRY_ALL and self._packs(names, len(slots) - 1):
                wrong.append(f"{len(slots) - 1} slots are enough")
        return wrong

    def _tighter(self, free: set[str], count: int) -> Iterator[int]:
        for seed in sorted(free):
            near = sorted(free - {seed}, key=lambda unit: (self.latency(seed, unit), unit))
            if len(near) >= count - 1:
                yield self.spread({seed, *near[: count - 1]})

    # -------------------------------------------------------------- refusals
    def infeasible(self, decision: Decision) -> list[str]:
        """Return why the refusal is not one, or not minimal."""
        if decision.answer or decision.objective.value is not None:
            return ["a refusal holds an answer"]
        names = [r.id.partition(":")[2] for r in decision.reasons if r.id.startswith("threads:")]
        memory = [r.id.partition(":")[2] for r in decision.reasons if r.id.startswith("memory:")]
        if not set(names + memory) <= set(self.asked) or not names + memory:
            return ["the refusal names no application of the request"]
        if memory:
            fits = not self._memory_exceeded(memory)
            extra = any(self._memory_exceeded([m for m in memory if m != n]) for n in memory)
            return ["the memory is enough"] * fits + ["not each memory is needed"] * extra
        if not any(reason.id == "slots" for reason in decision.reasons):
            name = names[0]
            return [f"{name} fits"] if len(self.allowed[name]) >= self.threads(name)[0] else []
        slots = self.request.get("slots", 0)
        if not slots:
            return ["slots are short, but none are given"]
        if len(names) > TRY_ALL:
            return []
        wrong = [f"the applications fit into {slots} slots"] if self._packs(names, slots) else []
        if not decision.warnings:
            rest = [[m for m in names if m != n] for n in names]
            wrong += ["not each application is needed"] * (
                not all(self._packs(own, slots) for own in rest)
            )
        return wrong

    def _packs(self, names: Sequence[str], slots: int) -> bool:
        """Try all ways to put applications into slots; a slot holds them by Hall's condition."""
        order = sorted(names, key=lambda name: -self.threads(name)[0])

        def holds(group: Sequence[str]) -> bool:
            return all(
                sum(self.threads(n)[0] for n in part)
                <= len(set().union(*(self.allowed[n] for n in part)))
                for size in range(1, len(group) + 1)
                for part in combinations(group, size)
            )

        def place(index: int, groups: list[list[str]]) -> bool:
            if index == len(order):
                return True
            for number, group in enumerate(groups):
                grown = [*group, order[index]]
                rest = [*groups[:number], grown, *groups[number + 1 :]]
                if holds(grown) and place(index + 1, rest):
                    return True
                if not group:
                    break
            return False

        return place(0, [[] for _ in range(slots)])

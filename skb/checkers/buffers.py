"""Judge of `buffers`: recomputes admissibility, price and crossover from snapshot and request.

The request, prices and loads are read by `buffers_model` and `buffers_loads`, the judge's own.
Where there are few assignments it tries them all, so that it also judges `optimal` and
`infeasible`; else it tries every single change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import isclose, prod
from typing import Any

from skb.checkers.buffers_curves import crossover_faults, flip_faults
from skb.checkers.buffers_loads import Load, Loads
from skb.checkers.buffers_model import Buffer, Model, Stream
from skb.checkers.buffers_shape import UNIT, shape
from skb.decision import Decision, Status
from skb.machine import Machine

TRY_ALL = 2000
# prices are sums of whole picoseconds; what floats lose is far below this
TOLERANCE = 1e-9
TERMS = ("dma", "read", "forward")


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to serve the flows of a unit: the PU, a place for each ring, price and loads."""

    pu: int | None
    places: tuple[str, ...]
    price: Fraction
    loads: tuple[Load, ...]


@dataclass(frozen=True, slots=True)
class _Unit:
    """Flows with one consumer, and their rings in order."""

    flows: tuple[Stream, ...]
    rings: tuple[tuple[Stream, Buffer], ...]


def check(machine: Machine, decision: Decision) -> list[str]:
    """Return what is wrong with a decision of `buffers`, in words."""
    judge = _Judge(machine, decision.request)
    if decision.status is Status.INFEASIBLE:
        return judge.infeasible(decision)
    if decision.status is Status.UNKNOWN:
        return ["an unknown answer holds flows"] if decision.answer else []
    rows: Mapping[str, Any] = decision.answer.get("flows", {})
    names = {flow.name for flow in judge.model.streams}
    wrong = [f"flow {name} is missing" for name in sorted(names - set(rows))]
    wrong += [f"flow {name} was not asked for" for name in sorted(set(rows) - names)]
    wrong += [text for name in sorted(names & set(rows)) for text in shape(name, rows[name])]
    if wrong:
        return wrong
    for flow in judge.model.streams:
        wrong += [f"flow {flow.name}: {text}" for text in judge.flow(flow, rows[flow.name])]
    if wrong:
        return wrong
    ways, wrong = judge.ways(rows)
    if wrong:
        return wrong
    wrong += [f"{name} is exceeded" for name in judge.exceeded(ways)]
    wrong += judge.holds(rows, ways)
    return wrong + judge.objective(decision, ways) + judge.better(decision, ways)


class _Judge:
    def __init__(self, machine: Machine, request: Mapping[str, Any]) -> None:
        self.machine = machine
        self.model = Model(machine, request)
        self.loads = Loads(self.model)
        self._fitting: dict[tuple[str, str, str | None], list[str]] = {}
        shared: dict[str, list[Stream]] = defaultdict(list)
        for flow in self.model.streams:
            shared[f"task {flow.task}" if flow.task else f"flow {flow.name}"].append(flow)
        self.units = [
            _Unit(tuple(flows), tuple((flow, b) for flow in flows for b in flow.buffers))
            for flows in shared.values()
        ]

    # -------------------------------------------------------------- one flow
    def flow(self, flow: Stream, row: Mapping[str, Any]) -> list[str]:
        pu = self._pu(flow, row)
        if flow.chosen and (pu not in flow.pus or self.machine.unusable(f"pu:{pu}")):
            return [f"pu:{pu} may not consume it"]
        wrong = ["its device or consumer is off"] if self._gone(flow, pu) else []
        rings = {"payload": row, **row.get("rings", {})}
        if set(rings) != {buffer.kind for buffer in flow.buffers}:
            kinds = sorted(buffer.kind for buffer in flow.buffers)
            return [*wrong, f"its rings are {kinds}, not {sorted(rings)}"]
        for buffer in flow.buffers:
            found = self._ring(flow, buffer, rings[buffer.kind], pu)
            wrong += [t if buffer.kind == "payload" else f"{buffer.kind}: {t}" for t in found]
        if wrong:
            return wrong
        place = self._place(row)
        if row["near"] != self._near(flow, place, pu):
            wrong.append(f"{place} is near {self._near(flow, place, pu)}, not {row['near']}")
        if not isclose(row["touched"], flow.touched, abs_tol=TOLERANCE):
            wrong.append(f"touches {float(flow.touched)}, not {row['touched']}")
        if row["forwarded"] != flow.forwarded:
            wrong.append(f"has forwarded {flow.forwarded}, not {row['forwarded']}")
        if len(flow.buffers) > 1:
            whole = sum(rings[buffer.kind]["value"] for buffer in flow.buffers)
            if not isclose(row["total"], whole, rel_tol=TOLERANCE):
                wrong.append(f"costs {whole} in all, not {row['total']}")
        if flow.chosen:
            wrong += self._consumers(flow, row)
        return wrong + self._curves(flow, row, pu)

    def _pu(self, flow: Stream, row: Mapping[str, Any]) -> int | None:
        if flow.chosen:
            return int(row["consumer_pu"])
        return flow.pus[0] if flow.pus else None

    def _place(self, row: Mapping[str, Any]) -> str:
        return str(row["place"])

    def _ring(
        self, flow: Stream, buffer: Buffer, row: Mapping[str, Any], pu: int | None
    ) -> list[str]:
        place, node = self._place(row), row["numa_node"]
        allowed = self.model.places(flow, buffer)
        if node is not None and not place.endswith(f"numa:{node}"):
            return [f"its place {place} is not at numa:{node}"]
        if place not in allowed:
            return [f"{place} is not allowed"]
        wrong = []
        price = self.model.price(flow, buffer, place, pu)
        if not isclose(row["value"], price, rel_tol=TOLERANCE):
            wrong.append(f"costs {float(price)}, not {row['value']} ns/s")
        if row["bytes"] != buffer.size:
            wrong.append(f"has {buffer.size} bytes, not {row['bytes']}")
        units = {row["unit"], *(a["unit"] for a in row["alternatives"])}
        wrong += [f"its unit is {UNIT}, not {unit}" for unit in sorted(units - {UNIT})]
        own = self._own(flow, buffer, pu)
        prices = {str(a["place"]): a["value"] for a in row["alternatives"]}
        if sorted(prices) != sorted(own) or len(row["alternatives"]) != len(own):
            return [*wrong, f"its alternatives are {sorted(own)}, not {sorted(prices)}"]
        for other in own:
            price = self.model.price(flow, buffer, other, pu)
            if not isclose(prices[other], price, rel_tol=TOLERANCE):
                wrong.append(f"costs {float(price)} at {other}, not {prices[other]}")
        return wrong

    def _own(self, flow: Stream, buffer: Buffer, pu: int | None) -> list[str]:
        """Return the places of a ring that no limit alone refuses."""
        key = (flow.name, buffer.kind, self.machine.package_of.get(-1 if pu is None else pu))
        if key not in self._fitting:
            self._fitting[key] = self._fits(flow, buffer, pu)
        return self._fitting[key]

    def _fits(self, flow: Stream, buffer: Buffer, pu: int | None) -> list[str]:
        return [
            place
            for place in self.model.places(flow, buffer)
            if not self.loads.alone_exceeds(self.loads.of(flow, buffer, place, pu))
        ]

    def _near(self, flow: Stream, place: str, pu: int | None) -> str:
        if place == flow.gpu:
            return "core"
        node = int(place.rpartition(":")[2])
        if node in self.machine.numa_of(flow.device):
            return "device"
        at = (
            self.machine.numa_of(flow.gpu) if flow.gpu else self.machine.numa_of_pu.get(pu or 0, ())
        )
        return "core" if node in at and (flow.gpu or pu is not None) else "other"

    def _consumers(self, flow: Stream, row: Mapping[str, Any]) -> list[str]:
        """The list of PUs has each candidate that can be used, at the price of its best places."""
        given = {int(one["pu"]): one["value"] for one in row["consumers"]}
        wrong = []
        for pu in flow.pus:
            if self.machine.unusable(f"pu:{pu}"):
                continue
            rings = [
                [self.model.price(flow, b, place, pu) for place in self._own(flow, b, pu)]
                for b in flow.buffers
            ]
            if all(rings):
                value = sum((min(ring) for ring in rings), Fraction(0))
                if pu not in given:
                    wrong.append(f"pu:{pu} is not among its consumers")
                elif not isclose(given[pu], value, rel_tol=TOLERANCE):
                    wrong.append(f"costs {float(value)} at pu:{pu}, not {given[pu]}")
            if len(wrong) > 3:
                break
        return wrong

    def _curves(self, flow: Stream, row: Mapping[str, Any], pu: int | None) -> list[str]:
        if flow.split or pu is None:
            empty = row["crossover"] is None and not row["flips"]
            return [] if empty else ["has a crossover where none is told"]
        buffer = flow.buffers[0]
        lines = {}
        for place in self._own(flow, buffer, pu):
            dma, forward, whole = self.model.parts(flow, buffer, place, pu)
            lines[place] = (dma + forward, whole)
        return [*crossover_faults(lines, row["crossover"]), *flip_faults(lines, row)]

    # -------------------------------------------------------------- the whole
    def _way(self, unit: _Unit, pu: int | None, places: Sequence[str]) -> _Way:
        model, price, loads = self.model, Fraction(0), []
        for (flow, buffer), place in zip(unit.rings, places, strict=True):
            price += model.price(flow, buffer, place, pu)
            loads.append(self.loads.of(flow, buffer, place, pu))
        if busy := self._busy(unit):
            loads.append({f"busy pu:{pu}": busy})
        return _Way(pu, tuple(places), price, tuple(loads))

    def _busy(self, unit: _Unit) -> Fraction:
        """Return the share of a PU that the flows of a unit take, and their task."""
        found = sum((flow.load for flow in unit.flows), Fraction(0))
        if task := unit.flows[0].task:
            found += Fraction(str(self.model.tasks[task].get("load", 1)))
        return found

    def ways(self, rows: Mapping[str, Any]) -> tuple[list[_Way], list[str]]:
        """Return the answer unit by unit; all flows of a task have one PU."""
        found, wrong = [], []
        for unit in self.units:
            pus = {self._pu(flow, rows[flow.name]) for flow in unit.flows}
            if len(pus) > 1:
                wrong.append(
                    f"the flows of task {unit.flows[0].task} have the PUs {sorted(map(str, pus))}"
                )
            places = []
            for flow, buffer in unit.rings:
                row = rows[flow.name]
                places.append(
                    self._place(row if buffer.kind == "payload" else row["rings"][buffer.kind])
                )
            found.append(self._way(unit, next(iter(pus)), places))
        return found, wrong

    def exceeded(self, ways: Sequence[_Way]) -> list[str]:
        return self.loads.exceeded([load for way in ways for load in way.loads])

    def holds(self, rows: Mapping[str, Any], ways: Sequence[_Way]) -> list[str]:
        """The rate and the ring size up to which a flow may stay, from what is left of limits."""
        sums = self.loads.sums([load for way in ways for load in way.loads])
        wrong = []
        for unit, way in zip(self.units, ways, strict=True):
            for flow in unit.flows:
                own = [
                    load
                    for (one, _), load in zip(unit.rings, way.loads, strict=False)
                    if one is flow
                ]
                mine = self.loads.sums(own)
                for key, now, sizes in (
                    ("packets_per_s", flow.rate, False),
                    ("ring_bytes", Fraction(flow.ring), True),
                ):
                    most = [
                        now * (1 + (limit - sums[k]) / mine[k])
                        for _, k, limit in self.model.limits
                        if k in mine and k.startswith(("ring ", "llc ")) == sizes
                    ]
                    told = rows[flow.name]["holds"].get(key)
                    if bool(most) != bool(told):
                        wrong.append(f"flow {flow.name} holds without a limit of {key}, or not")
                    elif most and not isclose(told["most"], min(most), rel_tol=1e-6, abs_tol=1e-6):
                        wrong.append(f"flow {flow.name} holds up to {float(min(most))} {key}")
        return wrong

    def objective(self, decision: Decision, ways: Sequence[_Way]) -> list[str]:
        sums = dict.fromkeys(TERMS, Fraction(0))
        for unit, way in zip(self.units, ways, strict=True):
            for (flow, buffer), place in zip(unit.rings, way.places, strict=True):
                values = self.model.terms(flow, buffer, place, way.pu)
                for term, value in zip(TERMS, values, strict=True):
                    name = "descriptors" if buffer.kind == "descriptors" else term
                    sums[name] = sums.get(name, Fraction(0)) + value
        given = {cost.term: cost.value for cost in decision.costs}
        wrong = [
            f"the term {term} is {float(value)}, not {given.get(term)} ns/s"
            for term, value in sums.items()
            if not isclose(given.get(term, -1), value, rel_tol=TOLERANCE)
        ]
        wrong += [f"the term {term} was not asked for" for term in sorted(set(given) - set(sums))]
        if len(decision.costs) != len(given):
            wrong.append("a cost term stands twice")
        units = {decision.objective.unit, *(cost.unit for cost in decision.costs)}
        wrong += [f"the unit is {UNIT}, not {unit}" for unit in sorted(units - {UNIT})]
        total, given_value, bound = sum(sums.values()), decision.objective.value, decision.bound
        if given_value is None or not isclose(given_value, total, rel_tol=TOLERANCE):
            wrong.append(f"the objective is {float(total)}, not {given_value} ns/s")
        if bound is None or bound > float(total) * (1 + TOLERANCE):
            wrong.append(f"the bound {bound} lies above the value")
        elif (decision.status is Status.OPTIMAL) != (bound == given_value):
            wrong.append(f"the status {decision.status} does not fit the bound")
        return wrong

    def better(self, decision: Decision, ways: Sequence[_Way]) -> list[str]:
        """Return a cheaper admissible assignment where the answer claims that there is none."""
        if decision.status is not Status.OPTIMAL:
            return []
        total = sum((way.price for way in ways), Fraction(0)) * (1 - Fraction(TOLERANCE))
        for other in self._others(ways):
            if sum((w.price for w in other), Fraction(0)) < total and not self.exceeded(other):
                return ["cheaper: " + self._words(other)]
        return []

    def _words(self, ways: Sequence[_Way]) -> str:
        return ", ".join(
            f"{flow.name} at {place}"
            for unit, way in zip(self.units, ways, strict=True)
            for (flow, buffer), place in zip(unit.rings, way.places, strict=True)
            if buffer.kind == "payload"
        )

    def _choices(self, unit: _Unit) -> Iterator[tuple[int | None, tuple[str, ...]]]:
        """Yield PU and places of a unit by its own constraints."""
        pus: Sequence[int | None] = [
            pu
            for pu in unit.flows[0].pus
            if all(pu in flow.pus for flow in unit.flows) and not self._off(pu)
        ] or [None]
        rings = [self.model.places(flow, buffer) for flow, buffer in unit.rings]
        for pu in pus:
            for places in product(*rings):
                yield pu, places

    def _count(self, unit: _Unit) -> int:
        rings = [len(self.model.places(flow, buffer)) for flow, buffer in unit.rings]
        return prod(rings) * max(1, len(unit.flows[0].pus))

    def _off(self, pu: int) -> bool:
        return bool(self.machine.unusable(f"pu:{pu}"))

    def _others(self, ways: Sequence[_Way]) -> Iterator[Sequence[_Way]]:
        """Yield all assignments where they are few, else single changes that would pay less."""
        if prod(self._count(unit) for unit in self.units) <= TRY_ALL:
            yield from self._every()
            return
        for index, unit in enumerate(self.units):
            at = ways[index]
            others: Iterator[_Way] = self._single(unit, at)
            if self._count(unit) <= TRY_ALL // len(self.units):
                others = (self._way(unit, *choice) for choice in self._choices(unit))
            for way in others:
                if way.price < at.price:
                    yield [*ways[:index], way, *ways[index + 1 :]]

    def _single(self, unit: _Unit, at: _Way) -> Iterator[_Way]:
        for position, (flow, buffer) in enumerate(unit.rings):
            for place in self.model.places(flow, buffer):
                places = [*at.places[:position], place, *at.places[position + 1 :]]
                yield self._way(unit, at.pu, places)

    def _every(self) -> Iterator[Sequence[_Way]]:
        if not all(self._count(unit) for unit in self.units):
            return
        rows = [[self._way(u, *choice) for choice in self._choices(u)] for u in self.units]
        yield from product(*rows)

    # -------------------------------------------------------------- infeasible
    def infeasible(self, decision: Decision) -> list[str]:
        if decision.answer or not decision.reasons:
            return ["an infeasible answer has reasons and no flows"]
        if any(self._gone(flow, flow.pus[0] if flow.pus else None) for flow in self.model.streams):
            return []
        if prod(self._count(unit) for unit in self.units) <= TRY_ALL:
            for ways in self._every():
                if not self.exceeded(ways):
                    return [f"not infeasible: {self._words(ways)} fits"]
        return []

    def _gone(self, flow: Stream, pu: int | None) -> bool:
        ends = [flow.device, *([flow.gpu] if flow.gpu else [])]
        ends += [] if pu is None else [f"pu:{pu}"]
        return any(self.machine.unusable(end) for end in ends)

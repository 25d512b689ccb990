"""Judge of `buffers`: recomputes admissibility, price and crossover from snapshot and request.

Latencies and bandwidths are looked up in `skb.costs` and `skb.bandwidth`; formulas, sums and the
search for something better are its own. The defaults of the request are restated here on purpose:
the judge shares nothing with the question. Where there are few assignments it tries them all, so
that it also judges `optimal` and `infeasible`; else it tries every single move.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, product
from math import ceil, isclose, prod
from typing import Any

from skb.bandwidth import Bandwidths
from skb.checkers.ways import Walker
from skb.costs import Costs, defaults
from skb.decision import Decision, Status
from skb.machine import Machine

PACKET_BYTES = 1500
PACKETS_PER_S = 50_000
RING_BYTES = 262_144
HEADER_BYTES = 64
TRY_ALL = 2000
# prices are sums of whole picoseconds; what floats lose is far below this
TOLERANCE = 1e-9


UNIT = "ns/s"
_NUMBER = (int, float)
_ALTERNATIVE: Mapping[str, tuple[type, ...]] = {
    "numa_node": (int,),
    "value": _NUMBER,
    "unit": (str,),
}
_FLIP: Mapping[str, tuple[type, ...]] = {"touched": _NUMBER, "from": (int,), "to": (int,)}
_ROW: Mapping[str, tuple[type, ...]] = {
    **_ALTERNATIVE,
    "near": (str,),
    "touched": _NUMBER,
    "forwarded": (bool,),
    "crossover": (int, float, type(None)),
    "flips": (list, tuple),
    "alternatives": (list, tuple),
}


@dataclass(frozen=True, slots=True)
class _Flow:
    name: str
    device: str
    outgoing: bool
    pu: int | None
    touched: Fraction
    forwarded: bool
    packet: int
    rate: Fraction
    ring: int
    allowed: tuple[int, ...]


def check(machine: Machine, decision: Decision) -> list[str]:
    """Return what is wrong with a decision of `buffers`, in words."""
    judge = _Judge(machine, decision.request)
    if decision.status is Status.INFEASIBLE:
        return judge.infeasible(decision)
    if decision.status is Status.UNKNOWN:
        return ["an unknown answer holds flows"] if decision.answer else []
    rows: Mapping[str, Any] = decision.answer.get("flows", {})
    names = {flow.name for flow in judge.flows}
    wrong = [f"flow {name} is missing" for name in sorted(names - set(rows))]
    wrong += [f"flow {name} was not asked for" for name in sorted(set(rows) - names)]
    wrong += [text for name in sorted(names & set(rows)) for text in _shape(name, rows[name])]
    if wrong:
        return wrong
    nodes = [int(rows[flow.name]["numa_node"]) for flow in judge.flows]
    for flow in judge.flows:
        wrong += [f"flow {flow.name}: {text}" for text in judge.flow(flow, rows[flow.name])]
    if wrong:
        return wrong
    wrong += [f"{name} is exceeded" for name in judge.exceeded(nodes)]
    return wrong + judge.objective(decision, nodes) + judge.better(decision, nodes)


def _shape(name: str, row: Any) -> list[str]:
    """Return what a row of a flow lacks, in words, so that the rest may read it."""
    wrong = _lacks(f"flow {name}", row, _ROW)
    if wrong:
        return wrong
    for key, wanted in (("alternatives", _ALTERNATIVE), ("flips", _FLIP)):
        for position, entry in enumerate(row[key]):
            wrong += _lacks(f"flow {name}: {key}[{position}]", entry, wanted)
    return wrong


def _lacks(what: str, entry: Any, wanted: Mapping[str, tuple[type, ...]]) -> list[str]:
    if not isinstance(entry, Mapping):
        return [f"{what} is not a table"]
    wrong = [f"{what} has no {key}" for key in wanted if key not in entry]
    for key, types in wanted.items():
        if key in entry and type(entry[key]) not in types:
            wrong.append(f"{what}: {key} is {entry[key]!r}")
    return wrong


class _Judge:
    def __init__(self, machine: Machine, request: Mapping[str, Any]) -> None:
        self.machine = machine
        self.costs = Costs(machine)
        self.rates = Bandwidths(machine)
        self.walker = Walker(machine)
        self.line = self.rates.line_bytes()
        self.flows = [self._flow(entry) for entry in request["flow"]]
        self.limits = self._limits(request.get("capacity", []))
        self._packets = {
            (flow.name, node): self._packet(flow, node)
            for flow in self.flows
            for node in machine.numa
        }
        limited = {key for _, key, _ in self.limits}
        self._loads = {
            (flow.name, node): {k: v for k, v in self._load(flow, node).items() if k in limited}
            for flow in self.flows
            for node in machine.numa
        }

    # -------------------------------------------------------------- request
    def _flow(self, entry: Mapping[str, Any]) -> _Flow:
        consumer = entry.get("consumer")
        pu = None if consumer in (None, "none") else int(str(consumer).replace("pu:", ""))
        packet = entry.get("packet_bytes", PACKET_BYTES)
        pattern = entry.get("pattern")
        if pattern is None and "touched" not in entry:
            pattern = "forward" if pu is None else "consume"
        if entry.get("touched") is not None:
            touched = Fraction(str(entry["touched"]))
        elif pattern == "headers":
            touched = Fraction(min(packet, entry.get("header_bytes", HEADER_BYTES)), packet)
        else:
            touched = Fraction(int(pattern == "consume"))
        forwarded = entry.get("forward")
        if forwarded is None:
            forwarded = pattern in ("forward", "headers") or (pattern is None and pu is None)
        device = str(entry["device"])
        return _Flow(
            name=str(entry["name"]),
            device=device if device.startswith(("device:", "pci:")) else f"device:{device}",
            outgoing=entry.get("direction") == "tx",
            pu=pu,
            touched=touched,
            forwarded=bool(forwarded),
            packet=packet,
            rate=Fraction(str(entry.get("packets_per_s", PACKETS_PER_S))),
            ring=entry.get("ring_bytes", RING_BYTES),
            allowed=self._allowed(entry),
        )

    def _allowed(self, entry: Mapping[str, Any]) -> tuple[int, ...]:
        wanted, refused = entry.get("numa_node"), entry.get("not_numa_node", [])
        never = {str(n) for n in (refused if isinstance(refused, list) else [refused])}
        return tuple(
            node
            for node in self.machine.usable_numa
            if wanted is None or str(wanted) in (str(node), f"numa:{node}")
            if not never & {str(node), f"numa:{node}"}
            if self.machine.value("memory_size", f"numa:{node}") != 0
            if self.machine.value("memory_kind", f"numa:{node}") not in ("gpu", "special")
        )

    def _limits(self, capacities: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, Fraction]]:
        """Return (what, resource, most) in bytes or bytes per second."""
        found = []
        for entry in capacities:
            name = str(entry["object"])
            if entry.get("bytes") is not None:
                found.append((f"capacity of {name}", f"ring {name}", Fraction(entry["bytes"])))
            if entry.get("mib_s") is not None:
                most = Fraction(str(entry["mib_s"])) * 2**20
                keys = (
                    [f"node {name}"] if name.startswith("numa:") else [f"rx {name}", f"tx {name}"]
                )
                found += [(f"bandwidth of {name}", key, most) for key in keys]
        for name, value in self._stated("memory_size"):
            found.append((f"memory of {name}", f"ring {name}", value))
        for node in self.machine.numa:
            if (rate := self.rates.stated_node_mib_s(node)) is not None:
                found.append((f"numa:{node}", f"node numa:{node}", Fraction(rate) * 2**20))
        for name, value in self._stated("link_bandwidth"):
            found.append((f"link {name}", name, value * 2**20))
        for name, value in self._stated("pci_link_speed"):
            if value:
                most = value * 10**9
                found += [(f"PCI link of {name}", f"{way} {name}", most) for way in ("rx", "tx")]
        return found

    def _stated(self, predicate: str) -> list[tuple[str, Fraction]]:
        """Return (part, or "part to part", value) of every fact of a predicate."""
        rows = (fact.args for fact in self.machine.facts_of(predicate))
        return [(" to ".join(map(str, args[:-1])), Fraction(str(args[-1]))) for args in rows]

    # -------------------------------------------------------------- price and load
    def _packet(self, flow: _Flow, node: int) -> tuple[int, int, int]:
        """Return dma, forward, and the read of a whole packet, in picoseconds."""
        lines = ceil(flow.packet / self.line)
        dma = self.costs.dma_ps(flow.device, node)
        dma += round(lines * self._line_ps(self.rates.dma_mib_s(flow.device, node)))
        if flow.pu is None:
            return dma, dma * flow.forwarded, 0
        latency = Fraction(self.costs.memory_ps(flow.pu, node))
        each = max(
            latency / int(defaults()["memory"]["lines_in_flight"]),
            self._line_ps(self.rates.memory_mib_s(flow.pu, node)),
        )
        return dma, dma * flow.forwarded, round(each * lines)

    def _line_ps(self, mib_s: float) -> Fraction:
        return Fraction(10**12 * self.line, 2**20) / Fraction(mib_s)

    def terms(self, flow: _Flow, node: int) -> tuple[Fraction, Fraction, Fraction]:
        """Return dma, read and forward of a flow at a node, in ns/s."""
        dma, forward, whole = self._packets[flow.name, node]
        scale = flow.rate / 1000
        return dma * scale, round(whole * flow.touched) * scale, forward * scale

    def price(self, flow: _Flow, node: int) -> Fraction:
        return sum(self.terms(flow, node), Fraction(0))

    def _load(self, flow: _Flow, node: int) -> dict[str, Fraction]:
        bytes_s = flow.rate * flow.packet
        touched, again = bytes_s * flow.touched, bytes_s if flow.forwarded else Fraction(0)
        to_memory, to_device = (again, bytes_s) if flow.outgoing else (bytes_s, again)
        rates: dict[str, Fraction] = defaultdict(Fraction)
        rates[f"node numa:{node}"] = bytes_s + touched + again
        for at in (flow.device, *self.machine.ancestors(flow.device)):
            rates[f"rx {at}"] = to_memory
            rates[f"tx {at}"] = to_device
        ends = [(flow.device, f"numa:{node}", to_memory), (f"numa:{node}", flow.device, to_device)]
        if flow.pu is not None:
            pair = (f"numa:{node}", f"pu:{flow.pu}")
            ends.append((*(pair[::-1] if flow.outgoing else pair), touched))
        for start, end, rate in ends:
            packages = (self.machine.package_around(start), self.machine.package_around(end))
            for a, b in self.walker.links(*packages) or ():
                rates[f"{a} to {b}"] += rate
        return {f"ring numa:{node}": Fraction(flow.ring), **rates}

    def exceeded(self, nodes: Sequence[int]) -> list[str]:
        """Return what an assignment overloads."""
        sums: dict[str, Fraction] = defaultdict(Fraction)
        for flow, node in zip(self.flows, nodes, strict=True):
            for key, amount in self._loads[flow.name, node].items():
                sums[key] += amount
        return sorted({what for what, key, most in self.limits if sums.get(key, 0) > most})

    # -------------------------------------------------------------- one flow
    def flow(self, flow: _Flow, row: Mapping[str, Any]) -> list[str]:
        node = int(row["numa_node"])
        if node not in flow.allowed:
            return [f"numa:{node} is not allowed"]
        wrong = ["its device or consumer is off"] if self._gone(flow) else []
        if not isclose(row["value"], self.price(flow, node), rel_tol=TOLERANCE):
            wrong.append(f"costs {float(self.price(flow, node))}, not {row['value']} ns/s")
        if row["near"] != self._near(flow, node):
            wrong.append(f"numa:{node} is near {self._near(flow, node)}, not {row['near']}")
        if not isclose(row["touched"], flow.touched, abs_tol=TOLERANCE):
            wrong.append(f"touches {float(flow.touched)}, not {row['touched']}")
        if row["forwarded"] != flow.forwarded:
            wrong.append(f"has forwarded {flow.forwarded}, not {row['forwarded']}")
        units = {row["unit"], *(a["unit"] for a in row["alternatives"])}
        wrong += [f"its unit is {UNIT}, not {unit}" for unit in sorted(units - {UNIT})]
        own = [n for n in flow.allowed if not self._alone_exceeds(flow, n)]
        prices = {int(a["numa_node"]): a["value"] for a in row["alternatives"]}
        if sorted(prices) != sorted(own) or len(row["alternatives"]) != len(own):
            return [*wrong, f"its alternatives are {sorted(own)}, not {sorted(prices)}"]
        for n in own:
            if not isclose(prices[n], self.price(flow, n), rel_tol=TOLERANCE):
                wrong.append(f"costs {float(self.price(flow, n))} at numa:{n}, not {prices[n]}")
        wrong += self._crossover(flow, own, row["crossover"])
        return wrong + self._flips(flow, own, row)

    def _near(self, flow: _Flow, node: int) -> str:
        if node in self.machine.numa_of(flow.device):
            return "device"
        local = flow.pu is not None and node in self.machine.numa_of_pu[flow.pu]
        return "core" if local else "other"

    def _alone_exceeds(self, flow: _Flow, node: int) -> bool:
        load = self._loads[flow.name, node]
        return any(load.get(key, 0) > most for _, key, most in self.limits)

    def _crossover(self, flow: _Flow, own: Sequence[int], crossover: float | None) -> list[str]:
        """Evaluate the lines at 0, at the crossover and at 1; the best of lines is concave."""
        lines = {
            n: (dma + forward, whole)
            for n in own
            for dma, forward, whole in [self._packets[flow.name, n]]
        }
        start = min(lines.values())

        def best(at: float) -> float:
            return min(fixed + slope * at for fixed, slope in lines.values())

        def first(at: float) -> float:
            return start[0] + start[1] * at

        if crossover is None:
            stays = isclose(best(1), first(1), rel_tol=TOLERANCE)
            return [] if stays else ["has a crossover, but none is given"]
        if not 0 < crossover < 1 or not isclose(
            best(crossover), first(crossover), rel_tol=TOLERANCE
        ):
            return [f"does not keep its first node up to {crossover}"]
        meets = any(
            slope < start[1]
            and isclose(fixed + slope * crossover, first(crossover), rel_tol=TOLERANCE)
            for fixed, slope in lines.values()
        )
        return [] if meets else [f"does not flip at {crossover}"]

    def _flips(self, flow: _Flow, own: Sequence[int], row: Mapping[str, Any]) -> list[str]:
        """Walk along the flips: each piece between two is the lower envelope of all lines."""
        lines = {n: self._packets[flow.name, n] for n in own}

        def at(node: int, share: float) -> float:
            dma, forward, whole = lines[node]
            return dma + forward + whole * share

        flips = row["flips"]
        first = flips[0]["touched"] if flips else None
        if row["crossover"] != first:
            return [f"its first flip is at {first}, not at its crossover {row['crossover']}"]
        if unknown := {f[end] for f in flips for end in ("from", "to")} - set(own):
            return [f"flips to or from nodes that it may not use: {sorted(unknown)}"]
        if any(a["to"] != b["from"] for a, b in pairwise(flips)):
            return ["its flips do not follow one another"]
        corners = [0.0, *(f["touched"] for f in flips), 1.0]
        if any(a > b for a, b in pairwise(corners)):
            return ["its flips are not in order between 0 and 1"]
        pieces = [f["from"] for f in flips] + [f["to"] for f in flips[-1:]]
        for node, (start, end) in zip(pieces, pairwise(corners), strict=bool(flips)):
            for share in (start, end):
                best = min(at(n, share) for n in own)
                if not isclose(at(node, share), best, rel_tol=TOLERANCE):
                    return [f"flips wrongly: numa:{node} is not the best at {share}"]
        return []

    # -------------------------------------------------------------- the whole
    def objective(self, decision: Decision, nodes: Sequence[int]) -> list[str]:
        parts = [self.terms(flow, node) for flow, node in zip(self.flows, nodes, strict=True)]
        dma, read, forward = (sum(column, Fraction(0)) for column in zip(*parts, strict=True))
        sums = {"dma": dma, "read": read, "forward": forward}
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
        total, value, bound = sum(sums.values()), decision.objective.value, decision.bound
        if value is None or not isclose(value, total, rel_tol=TOLERANCE):
            wrong.append(f"the objective is {float(total)}, not {value} ns/s")
        if bound is None or bound > float(total) * (1 + TOLERANCE):
            wrong.append(f"the bound {bound} lies above the value")
        elif (decision.status is Status.OPTIMAL) != (bound == value):
            wrong.append(f"the status {decision.status} does not fit the bound")
        return wrong

    def better(self, decision: Decision, nodes: Sequence[int]) -> list[str]:
        """Return a cheaper admissible assignment where the answer claims that there is none."""
        if decision.status is not Status.OPTIMAL:
            return []
        total = self._total(nodes) * (1 - Fraction(TOLERANCE))
        for other in self._others(nodes):
            if self._total(other) < total and not self.exceeded(other):
                named = zip(self.flows, other, strict=True)
                return ["cheaper: " + ", ".join(f"{f.name} at numa:{n}" for f, n in named)]
        return []

    def _total(self, nodes: Sequence[int]) -> Fraction:
        return sum(
            (self.price(flow, node) for flow, node in zip(self.flows, nodes, strict=True)),
            Fraction(0),
        )

    def _others(self, nodes: Sequence[int]) -> Iterator[Sequence[int]]:
        """Yield all assignments where they are few, else the single moves that would pay less."""
        if prod(len(flow.allowed) for flow in self.flows) <= TRY_ALL:
            yield from product(*(flow.allowed for flow in self.flows))
            return
        for index, (flow, at) in enumerate(zip(self.flows, nodes, strict=True)):
            for node in flow.allowed:
                if self.price(flow, node) < self.price(flow, at):
                    yield [*nodes[:index], node, *nodes[index + 1 :]]

    def infeasible(self, decision: Decision) -> list[str]:
        if decision.answer or not decision.reasons:
            return ["an infeasible answer has reasons and no flows"]
        if any(self._gone(flow) for flow in self.flows):
            return []
        if prod(len(flow.allowed) for flow in self.flows) <= TRY_ALL:
            for nodes in product(*(flow.allowed for flow in self.flows)):
                if not self.exceeded(nodes):
                    return [f"not infeasible: the nodes {list(nodes)} fit"]
        return []

    def _gone(self, flow: _Flow) -> bool:
        ends = [flow.device] if flow.pu is None else [flow.device, f"pu:{flow.pu}"]
        return any(self.machine.unusable(end) for end in ends)

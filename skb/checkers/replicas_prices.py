"""Prices of one object's domains, straight from its request and the machine (docs/replicas.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skb.costs import Costs
from skb.machine import Machine

MESSAGES: dict[str, tuple[int, int, int]] = {
    "single-phase-commit": (1, 1, 1),
    "two-phase-commit": (2, 1, 0),
    "raft": (1, 1, 1),
    "multi-paxos": (2, 1, 0),
}
UNKNOWN = 2**40
"""Replicas in memory whose size nobody states."""
DEFAULT = {
    "single-phase": "single-phase-commit",
    "two-phase": "two-phase-commit",
    "consensus": "raft",
}


def classes(each: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the classes of updates of an object of the request."""
    own = {key: each[key] for key in ("consistency", "work_ns") if key in each}
    return each.get("operations") or [
        {"name": "update", "rate": each.get("update_rate") or 0.0, **own}
    ]


def _rate(machine: Machine, rates: Any, pu: int) -> float:
    """Return the rate of a PU: that of the smallest part around it which states one."""
    if not isinstance(rates, Mapping):
        return float(rates)
    around = []
    for name, rate in rates.items():
        pus = machine.pus_of(f"pu:{name}" if name.isdecimal() else name)
        usable = [p for p in pus if not machine.unusable(f"pu:{p}")]
        if pu in usable:
            around.append((len(usable), float(rate)))
    return min(around)[1] if around else 0.0


def asked_members(machine: Machine, each: Mapping[str, Any]) -> list[int]:
    """Return the PUs that use an object."""
    usable = [pu for pu in machine.pus if not machine.unusable(f"pu:{pu}")]
    if each.get("members") is not None:
        named: set[int] = set()
        for row in each["members"]:
            plain = isinstance(row, int) or row.isdecimal()
            named |= machine.pus_of(f"pu:{row}" if plain else row)
        return [pu for pu in usable if pu in named]
    tables = [each.get("read_rate", 0.0), *(row["rate"] for row in classes(each))]
    return [pu for pu in usable if any(_rate(machine, table, pu) > 0 for table in tables)]


@dataclass(frozen=True, slots=True)
class Domain:
    """What a domain costs inside: ns/s for reads and updates, share of time, latencies in ns."""

    reads: float
    updates: float
    busy: float
    read_ns: float
    apply_ns: float


class Prices:
    """The rates and costs of one object; `seats` are the PUs where its coordinator may be."""

    def __init__(self, machine: Machine, each: Mapping[str, Any]) -> None:
        self._machine, self.each = machine, each
        costs = Costs(machine)
        self.pus = asked_members(machine, each)
        self._at = {pu: at for at, pu in enumerate(self.pus)}
        self._pairs = costs.message_pairs(self.pus)
        self._own = costs.own_ps() / 1000
        self._lines: int = each.get("lines", 1)
        self._line = self._laid_out(costs)
        self._reads = {pu: _rate(machine, each.get("read_rate", 0.0), pu) for pu in self.pus}
        self.rates: dict[str, dict[int, float]] = {}
        self._work: dict[str, float] = {}
        self._ways: dict[str, tuple[int, int, int]] = {}
        for row in classes(each):
            name, share = row["name"], 1 - row.get("refused", 0.0)
            self.rates[name] = {pu: _rate(machine, row["rate"], pu) / share for pu in self.pus}
            self._work[name] = row.get("work_ns", 0.0)
            kind = row.get("consistency", "single-phase")
            self._ways[name] = MESSAGES[row.get("protocol") or DEFAULT[kind]]
        self._total = {name: sum(rates.values()) for name, rates in self.rates.items()}
        self._lowest = self._lowest_costs()
        self.seats = self._seats()

    def _seats(self) -> list[int]:
        def named(rows: Sequence[Any]) -> set[int]:
            found: set[int] = set()
            for row in rows:
                plain = isinstance(row, int) or row.isdecimal()
                found |= self._machine.pus_of(f"pu:{row}" if plain else row)
            return found

        wanted = named(self.each.get("at", [])) or set(self.pus)
        return [pu for pu in self.pus if pu in wanted - named(self.each.get("not_at", []))]

    def _laid_out(self, costs: Costs) -> Any:
        """Return what it takes to fetch a line from another PU, in ns by place."""
        kinds = self._pairs.send.kinds
        count = int(kinds.max(initial=0)) + 1
        pair = np.zeros(count, dtype=np.int64)
        pair[kinds.ravel()] = np.arange(kinds.size)
        priced = np.full(count, self._own)
        for kind in range(1, count):
            u, v = divmod(int(pair[kind]), len(self.pus))
            priced[kind] = costs.line_ps(self.pus[u], self.pus[v]) / 1000
        return priced[kinds]

    def _lowest_costs(self) -> tuple[float, float]:
        rows = [self._pairs.send, self._pairs.receive]
        first, second = (min(table.values_of[1:], default=0) / 1000 for table in rows)
        return first, second

    # ------------------------------------------------------------ messages
    def send(self, u: int, v: int) -> float:
        return self._pairs.send[u, v] / 1000

    def receive(self, u: int, v: int) -> float:
        return self._pairs.receive[u, v] / 1000

    def flight(self, u: int, v: int) -> float:
        return self._pairs.propagation[u, v] / 1000

    def gap(self, u: int, v: int) -> float:
        return self._pairs.gap[u, v] / 1000

    def way(self, u: int, v: int) -> float:
        """Return how long one message takes, nothing to oneself."""
        return 0.0 if u == v else self.send(u, v) + self.flight(u, v) + self.receive(u, v)

    def leader(self, pus: Sequence[int], seat: int) -> int:
        """Return who takes part for a domain."""
        if seat in pus:
            return seat
        return min(
            pus, key=lambda pu: (round(1000 * (self.way(seat, pu) + self.way(pu, seat))), pu)
        )

    def _load(self, pus: Sequence[int], leader: int, seat: int) -> float:
        """Return the share of its time that messages surely take a leader."""
        asked = sum(rates[pu] for rates in self.rates.values() for pu in pus)
        if leader == seat:
            if len(pus) == len(self.pus):
                return 0.0
            out = sum(self._total[name] * way[0] for name, way in self._ways.items())
            back = sum(self._total[name] * way[1] for name, way in self._ways.items())
            others = sum(self._total.values()) - asked
            return (out * self._lowest[0] + (back + others) * self._lowest[1]) / 1e9
        busy = 0.0
        for name, (down, up, replies) in self._ways.items():
            own = sum(self.rates[name][pu] for pu in pus)
            busy += (self._total[name] * down + own * replies) * self.receive(seat, leader)
            busy += (self._total[name] * up + own) * self.send(leader, seat)
        return busy / 1e9

    def messages(self, pus: Sequence[int], leader: int, seat: int) -> float:
        """Return what messages between a domain and the coordinator keep both ends busy."""
        if leader == seat:
            return 0.0
        there = self.send(seat, leader) + self.receive(seat, leader)
        back = self.send(leader, seat) + self.receive(leader, seat)
        found = 0.0
        for name, (down, up, replies) in self._ways.items():
            own = sum(self.rates[name][pu] for pu in pus)
            found += (self._total[name] * down + own * replies) * there
            found += (self._total[name] * up + own) * back
        return found

    # ------------------------------------------------------------ inside
    def line(self, pus: Sequence[int]) -> float:
        """Return what it takes to fetch a line that some user of a domain had last."""
        weight, table = self._weighed(pus)
        return float(weight @ table @ weight)

    def _varies(self, pus: Sequence[int]) -> float:
        """Return the variance of what `line` is the mean of."""
        weight, table = self._weighed(pus)
        return float(weight @ (table - self.line(pus)) ** 2 @ weight)

    def _weighed(self, pus: Sequence[int]) -> tuple[Any, Any]:
        """Return the share of each user in all operations, and the lines between them."""
        places = [self._at[pu] for pu in pus]
        weight = np.array(
            [self._reads[pu] + sum(rates[pu] for rates in self.rates.values()) for pu in pus]
        )
        if not weight.any():
            weight = np.ones(len(pus))
        return weight / weight.sum(), self._line[np.ix_(places, places)]

    def _seconds(self, pus: Sequence[int], way: str) -> float:
        """Return the mean of squared times that all updates keep the replica, times their rate."""
        spread = 0.0
        if len(pus) > 1:
            spread = (1 + self._lines if way == "lock" else 2) ** 2 * self._varies(pus)
        times = {name: self._service(pus, way, name) for name in self._total}
        return sum(self._total[name] * (times[name] ** 2 + spread) for name in times) / 1e9

    def _service(self, pus: Sequence[int], way: str, name: str) -> float:
        if len(pus) == 1:
            return self._lines * self._own + self._work[name]
        if way == "lock":
            return (1 + self._lines) * self.line(pus) + self._work[name]
        own = (self._lines + len(pus)) * self._own
        return 2 * self.line(pus) + own + self._work[name]

    def inside(self, pus: Sequence[int], way: str) -> Domain:
        """Return what a domain costs inside."""
        rates, total = self._total, sum(self._total.values())
        times = {name: self._service(pus, way, name) for name in rates}
        busy = sum(rates[name] * times[name] for name in rates) / 1e9
        if busy >= 1:
            return Domain(float("inf"), float("inf"), busy, float("inf"), float("inf"))
        second = self._seconds(pus, way)
        wait = second / (2 * (1 - busy))
        away = 0.0 if len(pus) == 1 else self._lines * (self.line(pus) - self._own)
        reads = worst = 0.0
        for pu in pus:
            if rate := self._reads[pu]:
                each = self._lines * self._own + away * total / (total + rate) + wait
                reads, worst = reads + rate * each, max(worst, each)
        updates = sum(rates[name] * (times[name] + wait) for name in rates)
        apply = max(times[name] for name in times if rates[name]) + wait if total else 0.0
        return Domain(reads, updates, busy, worst, apply)

    def applied(self, pus: Sequence[int], way: str, name: str) -> float:
        """Return how long an update of a class takes in a replica, waiting included."""
        times = {other: self._service(pus, way, other) for other in self._total}
        busy = sum(self._total[other] * times[other] for other in times) / 1e9
        second = self._seconds(pus, way)
        return times[name] + second / (2 * (1 - busy))

    def cheapest(self, pus: Sequence[int], seat: int) -> float:
        """Return the least price of some users as one domain; infinite where they may not be."""
        leader = self.leader(pus, seat)
        if self._load(pus, leader, seat) >= 1:
            return float("inf")
        wanted = self.each.get("sharing", "either")
        ways = ("lock", "combining") if wanted == "either" or len(pus) == 1 else (wanted,)
        best = float("inf")
        for way in ways:
            own = self.inside(pus, way)
            slow = own.read_ns > self.each.get("max_read_ns", float("inf"))
            if not slow and own.apply_ns <= self.each.get("max_update_ns", float("inf")):
                best = min(best, own.reads + own.updates)
        if (level := self.each.get("level")) and not self._is(pus, level):
            return float("inf")
        return best + self.messages(pus, leader, seat)

    def _is(self, pus: Sequence[int], level: str) -> bool:
        users = set(self.pus)
        near = [n for n in self._machine.objects if level in self._machine.levels(n)]
        near = [n for n in near if self._machine.pus_of(n) & set(pus)]
        return not near or any(self._machine.pus_of(n) & users == set(pus) for n in near)

    def rooms(self) -> dict[str, int]:
        """Return how many replicas the memory that hangs under each part holds, where known."""
        found: dict[str, int] = {}
        limit = self.each.get("memory_bytes")
        for node in self._machine.usable_numa:
            name = f"numa:{node}"
            size = self._machine.value("memory_size", name)
            own = limit.get(name) if isinstance(limit, Mapping) else limit
            known = [int(str(amount)) for amount in (size, own) if amount is not None]
            if size is not None and not int(str(size)):
                continue
            held = min(known) // self.each.get("bytes", 64) if known else UNKNOWN
            part = self._machine.anchor(name)
            found[part] = found.get(part, 0) + held
        return found

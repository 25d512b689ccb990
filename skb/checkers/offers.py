"""Judge of `offers`: recomputes who may use what, the price, and whether something is better.

Latencies between PUs are looked up in `skb.costs`; conditions, places, sums and the search are its
own. Where there are few matches it tries them all, so that it also judges `optimal` and
`infeasible`; else it tries every change of one client.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import combinations
from math import comb, isclose, prod
from typing import Any

from skb.costs import Costs, to_ps
from skb.decision import Decision, Status
from skb.machine import CPU_KINDS, Machine, kind_of

TRY_ALL = 20_000
TOLERANCE = 1e-9
Choice = tuple[str, tuple[str, ...], Fraction]


def check(machine: Machine, decision: Decision) -> list[str]:
    """Return what is wrong with a decision of `offers`, in words."""
    judge = _Judge(machine, decision.request)
    if decision.status is Status.UNKNOWN:
        return ["an unknown answer holds clients"] if decision.answer else []
    if decision.status is Status.INFEASIBLE:
        wrong = [] if decision.reasons else ["nothing is said to clash"]
        wrong += ["an infeasible answer holds clients"] if decision.answer else []
        possible = judge.few() and judge.cheapest() is not None
        return [*wrong, "there is a match, so nothing clashes"] if possible else wrong
    rows = decision.answer.get("clients")
    if not isinstance(rows, Mapping) or set(rows) != set(judge.clients):
        return ["the answer does not name exactly the clients of the request"]
    wrong = [text for name in judge.clients for text in judge.row(name, rows[name])]
    return wrong or judge.whole(decision, rows)


class _Judge:
    def __init__(self, machine: Machine, request: Mapping[str, Any]) -> None:
        self.machine = machine
        self.costs = Costs(machine)
        self.request = request
        self.where: dict[str, str] = {}
        self.offered: dict[str, dict[str, str]] = {}
        self.capacity: dict[str, int] = {}
        self._read_services()
        self.clients = self._read_clients()
        self._seen: dict[tuple[str, str], Fraction] = {}
        self._every: dict[str, list[Choice]] = {}

    # -------------------------------------------------------------- request
    def _read_services(self) -> None:
        for fact in self.machine.facts_of("service"):
            self.where[str(fact.args[0])] = str(fact.args[1])
        for fact in self.machine.facts_of("offer"):
            self.offered.setdefault(str(fact.args[0]), {})[str(fact.args[1])] = str(fact.args[2])
        for entry in self.request.get("offer", []):
            name = entry["name"]
            if entry.get("at") is not None:
                self.where[name] = self._part(entry["at"])
            for key, value in entry.get("properties", {}).items():
                self.offered.setdefault(name, {})[key] = _text(value)
        for name in self.where:
            stated = self.offered.get(name, {}).get("capacity")
            if stated is not None:
                self.capacity[name] = int(stated)
        for entry in self.request.get("offer", []):
            if entry.get("capacity") is not None:
                self.capacity[entry["name"]] = entry["capacity"]

    def _read_clients(self) -> dict[str, dict[str, Any]]:
        needs: dict[str, dict[str, Any]] = {}
        for fact in self.machine.facts_of("need"):
            needs.setdefault(str(fact.args[0]), {})[str(fact.args[1])] = fact.args[2]
        asked = self.request.get("client") or [{"name": name} for name in needs]
        return {
            entry["name"]: {
                **entry,
                "needs": {**needs.get(entry["name"], {}), **entry.get("needs", {})},
            }
            for entry in asked
        }

    def _part(self, at: str | int) -> str:
        if isinstance(at, int):
            return f"pu:{at}"
        if at.startswith("service:") and at[8:] in self.where:
            return self.where[at[8:]]
        return at if self.machine.has(at) else f"device:{at}"

    # -------------------------------------------------------------- places
    def _pus(self, part: str) -> set[int]:
        if self.machine.unusable(part):
            return set()
        return {p for p in self.machine.pus_of(part) if not self.machine.unusable(f"pu:{p}")}

    def _runs(self, part: str) -> set[str]:
        """Return the parts that may run the code of somebody who is at this one."""
        if not self._pus(part):
            return set()
        if kind_of(part) in CPU_KINDS or kind_of(part) == "numa":
            return {f"pu:{pu}" for pu in self._pus(part)}
        return {part}

    def spots(self, name: str) -> list[str]:
        """Return where a client may run, by its place and its program."""
        client = self.clients[name]
        at = self._part(client["at"]) if client.get("at") is not None else self.where.get(name)
        if at is None:
            devices = {str(f.args[0]) for f in self.machine.facts_of("programmable")}
            found = {f"pu:{p}" for p in self.machine.pus if self._pus(f"pu:{p}")}
            found |= {device for device in devices if self._pus(device)}
        else:
            found = self._runs(at)
        for forced in self.request.get("forced", []):
            if forced["client"] == name and forced.get("at") is not None:
                found &= self._runs(self._part(forced["at"]))
        program = client.get("program")
        return sorted(s for s in found if program is None or self._executes(program, s))

    def _executes(self, program: str, spot: str) -> bool:
        images = {f.args[1] for f in self.machine.facts_of("image") if f.args[0] == program}
        images |= set(self.request.get("images", {}).get(program, []))
        if kind_of(spot) == "pu":
            return self.machine.inherited("isa", spot) in images
        isas = {f.args[1] for f in self.machine.facts_of("programmable") if f.args[0] == spot}
        return bool(isas & images)

    def latency(self, spot: str, service: str) -> Fraction:
        """Return picoseconds from a spot to a service."""
        key = (spot, service)
        if key not in self._seen:
            self._seen[key] = Fraction(self._way(spot, self.where[service]))
        return self._seen[key]

    def _way(self, spot: str, at: str) -> int:
        near, far = self._pus(spot), self._pus(at)
        inside = kind_of(at) in CPU_KINDS and kind_of(spot) == "pu" and near <= far
        if spot == at or inside:
            return 0
        plain = kind_of(spot) == "pu" == kind_of(at)
        stated = None if plain else self.machine.number("latency", spot, at)
        if stated is not None:
            return to_ps(stated)
        return 0 if near & far else min(self.costs.latency_ps(a, b) for a in near for b in far)

    # -------------------------------------------------------------- one client
    def takes(self, name: str) -> int:
        client = self.clients[name]
        if client.get("services") is not None:
            return int(client["services"])
        asks = client["needs"] or client.get("wishes") or client.get("max_latency_ns") is not None
        return 1 if asks else 0

    def suits(self, name: str, service: str) -> str:
        """Return why a service does not suit a client, or an empty string."""
        if not self._pus(self.where[service]):
            return f"{service} runs at {self.where[service]}, which cannot be used"
        have = self.offered.get(service, {})
        for prop, wanted in self.clients[name]["needs"].items():
            if prop not in have or not _satisfies(have[prop], wanted):
                return f"{service} does not offer {prop} {wanted}"
        return ""

    def missed(self, name: str, service: str) -> list[str]:
        have = self.offered.get(service, {})
        return [
            prop
            for prop, wish in sorted(self.clients[name].get("wishes", {}).items())
            if prop not in have or not _satisfies(have[prop], wish["is"])
        ]

    def price(self, name: str, spot: str, service: str) -> Fraction:
        """Return the price of one service in picoseconds."""
        client = self.clients[name]
        lost = self.missed(name, service)
        worth = sum(_exact(client["wishes"][prop]["worth_ns"]) * 1000 for prop in lost)
        return _exact(client.get("weight", 1)) * self.latency(spot, service) + worth

    def near(self, name: str, spot: str, service: str) -> bool:
        limit = self.clients[name].get("max_latency_ns")
        return limit is None or self.latency(spot, service) <= _exact(limit) * 1000

    def row(self, name: str, row: Any) -> list[str]:
        """Return what is wrong with the row of one client."""
        try:
            used = [entry["service"] for entry in row["services"]]
            spot, ranked = row["at"], row["ranking"]
            wrong = [] if spot in self.spots(name) else [f"client {name} cannot run at {spot}"]
            if wrong:
                return wrong
            known = [service for service in used if service in self.where]
            if len(set(known)) != self.takes(name) or len(used) != len(known):
                return [f"client {name} does not have {self.takes(name)} services"]
            for entry in row["services"]:
                wrong += self._entry(name, spot, entry)
            return wrong or self._ranking(name, ranked, [r["service"] for r in row["refused"]])
        except (KeyError, TypeError, AttributeError) as fault:
            return [f"client {name}: the row is not whole: {fault!r}"]

    def _entry(self, name: str, spot: str, entry: Mapping[str, Any]) -> list[str]:
        service = entry["service"]
        if why := self.suits(name, service):
            return [f"client {name}: {why}"]
        wrong = []
        if entry["from"] != spot or entry["at"] != self.where[service]:
            wrong.append(f"client {name}: {service} is said to be elsewhere")
        if not self.near(name, spot, service):
            wrong.append(f"client {name}: {service} is too far")
        return wrong + self._stated(name, spot, entry)

    def _stated(self, name: str, spot: str, entry: Mapping[str, Any]) -> list[str]:
        service = entry["service"]
        pairs = (
            ("latency_ns", float(self.latency(spot, service) / 1000)),
            ("value", float(self.price(name, spot, service) / 1000)),
        )
        wrong = [
            f"client {name}: {key} of {service} is {value:g}, not {entry[key]:g}"
            for key, value in pairs
            if not isclose(entry[key], value, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        ]
        if sorted(entry["missed"]) != self.missed(name, service):
            wrong.append(f"client {name}: {service} misses {self.missed(name, service)}")
        return wrong

    def _ranking(
        self, name: str, ranked: Sequence[Mapping[str, Any]], refused: Sequence[str]
    ) -> list[str]:
        spots = self.spots(name) if self.takes(name) else []
        best: dict[str, Fraction] = {}
        for service in self.where:
            prices = [self.price(name, s, service) for s in spots if self._fits(name, s, service)]
            if prices:
                best[service] = min(prices)
        wrong = [text for entry in ranked for text in self._stated(name, entry["from"], entry)]
        if sorted(entry["service"] for entry in ranked) != sorted(best):
            wrong.append(f"client {name}: the ranking does not name exactly what suits")
        elif self.takes(name) and set(refused) != set(self.where) - set(best):
            wrong.append(f"client {name}: what is refused is not what does not suit")
        values = [entry["value"] for entry in ranked]
        if values != sorted(values):
            wrong.append(f"client {name}: the ranking is out of order")
        for entry in ranked:
            least = float(best.get(entry["service"], Fraction(0)) / 1000)
            if not isclose(entry["value"], least, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
                wrong.append(f"client {name}: {entry['service']} costs {least:g} at best")
        return wrong

    def _fits(self, name: str, spot: str, service: str) -> bool:
        return not self.suits(name, service) and self.near(name, spot, service)

    # -------------------------------------------------------------- the whole
    def whole(self, decision: Decision, rows: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with capacities, sums, bound and optimality."""
        used = {n: tuple(e["service"] for e in rows[n]["services"]) for n in self.clients}
        load = Counter(service for services in used.values() for service in services)
        wrong = [f"{s} takes {self.capacity[s]} clients" for s in load if self._over(s, load[s])]
        wrong += self._forced(used)
        total = sum((self.price(n, rows[n]["at"], s) for n in used for s in used[n]), Fraction(0))
        value = decision.objective.value
        if value is None or not isclose(value, float(total / 1000), rel_tol=TOLERANCE):
            return [*wrong, f"the objective is {float(total / 1000):g} ns, not {value}"]
        if not isclose(sum(cost.value for cost in decision.costs), value, rel_tol=TOLERANCE):
            wrong.append("the terms do not sum to the objective")
        if decision.bound is None or decision.bound > value:
            wrong.append("the bound is missing, or above the value")
        elif decision.status is Status.OPTIMAL and decision.bound < value:
            wrong.append("optimal, but the bound is below the value")
        return wrong + self._better(decision, rows, used, total)

    def _over(self, service: str, clients: int) -> bool:
        return service in self.capacity and clients > self.capacity[service]

    def _forced(self, used: Mapping[str, tuple[str, ...]]) -> list[str]:
        return [
            f"client {entry['client']} does not use {entry['service']}, as it was forced to"
            for entry in self.request.get("forced", [])
            if entry.get("service") is not None and entry["service"] not in used[entry["client"]]
        ]

    def _better(
        self,
        decision: Decision,
        rows: Mapping[str, Any],
        used: Mapping[str, tuple[str, ...]],
        total: Fraction,
    ) -> list[str]:
        if self.few():
            least = self.cheapest()
            if least is None:
                return ["no match is admissible"]
            if decision.bound is not None and decision.bound > float(least / 1000) * (1 + 1e-9):
                return [f"the bound is above a match that costs {float(least / 1000):g} ns"]
            return []
        if decision.status is not Status.OPTIMAL:
            return []
        for name in self.clients:
            others = Counter(s for n, services in used.items() if n != name for s in services)
            own = sum(self.price(name, rows[name]["at"], s) for s in used[name])
            for _, services, price in self.choices(name):
                fits = not any(self._over(s, others[s] + 1) for s in services)
                if fits and price < own and not self._forced({**used, name: services}):
                    return [f"client {name} is better off with {', '.join(services)}"]
        return []

    def few(self) -> bool:
        """Tell whether all matches can be tried."""
        sizes = [
            max(1, comb(len(self.where), self.takes(n)) * len(self.spots(n))) for n in self.clients
        ]
        return prod(sizes) <= TRY_ALL

    def choices(self, name: str) -> list[Choice]:
        """Return every spot with every set of services that fit there, cheapest first."""
        if name not in self._every:
            found: list[Choice] = []
            for spot in self.spots(name):
                fit = [s for s in sorted(self.where) if self._fits(name, spot, s)]
                for services in combinations(fit, self.takes(name)):
                    cost = sum((self.price(name, spot, s) for s in services), Fraction(0))
                    found.append((spot, services, cost))
            self._every[name] = sorted(found, key=lambda choice: (choice[2], choice[1]))
        return self._every[name]

    def cheapest(self) -> Fraction | None:
        """Return the least price of all matches, None where there is none."""
        prices = (price for used, price in self._matches(list(self.clients)) if self._legal(used))
        return min(prices, default=None)

    def _legal(self, used: Mapping[str, tuple[str, ...]]) -> bool:
        load = Counter(service for services in used.values() for service in services)
        return not self._forced(used) and not any(self._over(s, load[s]) for s in load)

    def _matches(
        self, names: Sequence[str]
    ) -> Iterator[tuple[dict[str, tuple[str, ...]], Fraction]]:
        if not names:
            yield {}, Fraction(0)
            return
        for used, price in self._matches(names[1:]):
            for _, services, own in self.choices(names[0]):
                yield {**used, names[0]: services}, price + own


# ------------------------------------------------------------------ values
def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value == value // 1:
        return str(int(value))
    return str(value).strip()


def _exact(value: float) -> Fraction:
    return Fraction(str(value)).limit_denominator(10**6)


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _satisfies(value: str, wanted: Any) -> bool:
    if isinstance(wanted, list | tuple):
        return any(_same(value, _text(each)) for each in wanted)
    text = _text(wanted)
    if text[:1] in {"<", ">"}:
        strict = text[1:2] != "="
        have, bound = _number(value), _number(text[1 if strict else 2 :].strip())
        if have is None or bound is None or (strict and have == bound):
            return False
        return have <= bound if text[0] == "<" else have >= bound
    if text.startswith("in [") and text.endswith("]"):
        return any(_same(value, part.strip()) for part in text[4:-1].split(",") if part.strip())
    return _same(value, text)


def _same(first: str, second: str) -> bool:
    a, b = _number(first), _number(second)
    return first == second if a is None or b is None else a == b

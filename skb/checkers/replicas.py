"""Judge of replicas: prices every domain anew, walks the tree of messages, and looks for better.

Shares no code with engine or question. On machines with few users every choice of domains is
priced, by a recursion over the containment tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from skb.checkers.replicas_prices import MESSAGES, Prices, asked_members, classes
from skb.decision import Decision
from skb.machine import Machine, kind_of

ALL_SEATS, ONE_SEAT, TRIED = 24, 128, 32
"""Most users for which every choice is priced from every coordinator, and from the chosen one, and
for which a refusal is tried.
"""
NEAR = 1e-6


def check(machine: Machine, decision: Decision) -> list[str]:
    """Return what is wrong with a decision, in words; empty where all is well."""
    asked = decision.request["object"]
    if decision.status in ("infeasible", "unknown"):
        wrong = ["there is an answer although there is none"] if decision.answer else []
        if not decision.reasons:
            wrong.append("no reason is given")
        if decision.status == "infeasible" and all(map(_possible(machine), asked)):
            wrong.append("each object has a choice that keeps to all of its limits")
        return wrong
    try:
        return _check_answer(machine, decision, asked)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as fault:
        return [f"the answer lacks {fault}"]


def _check_answer(machine: Machine, decision: Decision, asked: list[Any]) -> list[str]:
    objects = decision.answer["objects"]
    if set(objects) != {each["name"] for each in asked}:
        return ["the answer is not about the objects that were asked for"]
    wrong: list[str] = []
    least = 0.0
    used: dict[int, int] = {}
    for each in asked:
        told = objects[each["name"]]
        prices = Prices(machine, each)
        found = _check_object(machine, prices, each, told)
        wrong += [f"{each['name']}: {text}" for text in found]
        if not found:
            proven = decision.status == "optimal"
            wrong += [f"{each['name']}: {t}" for t in _check_best(machine, prices, told, proven)]
        least += told["value"]
        for row in told["domains"]:
            if row["numa_node"] is not None:
                numa = row["numa_node"]
                used[numa] = used.get(numa, 0) + each.get("bytes", 64)
    value, bound = decision.objective.value, decision.bound
    if value is None or not _close(value, least):
        wrong.append(f"the objects cost {least} together, the objective says {value}")
    elif bound is None or bound > value or (decision.status == "optimal") != (bound == value):
        wrong.append(f"a bound of {bound} does not make {value} {decision.status}")
    for numa, amount in used.items():
        size = _memory(machine, numa)
        if size is not None and amount > size:
            wrong.append(f"numa:{numa} holds {size} bytes, its replicas take {amount}")
    return wrong


def _close(one: float, two: float) -> bool:
    return abs(one - two) <= NEAR * max(1.0, abs(one), abs(two))


def _memory(machine: Machine, numa: int) -> int | None:
    found = machine.value("memory_size", f"numa:{numa}")
    return None if found is None else int(str(found))


# ---------------------------------------------------------------- one object
def _check_object(
    machine: Machine, prices: Prices, each: Mapping[str, Any], told: Mapping[str, Any]
) -> list[str]:
    rows = told["domains"]
    covered = sorted(pu for row in rows for pu in row["pus"])
    if covered != sorted(prices.pus):
        return ["the domains do not hold each user exactly once"]
    wrong = []
    for row in rows:
        inside = machine.pus_of(row["part"]) & set(prices.pus)
        if not machine.has(row["part"]) or inside != set(row["pus"]):
            wrong.append(f"{row['part']} does not hold the users {row['pus']}")
        if row["leader"] not in row["pus"]:
            wrong.append(f"pu:{row['leader']} leads a domain that it is not in")
        if row["numa_node"] is not None and row["numa_node"] not in machine.usable_numa:
            wrong.append(f"numa:{row['numa_node']} cannot hold a replica")
        if len(row["pus"]) == 1 and row["inside"] != "alone":
            wrong.append(f"{row['part']} has one user, who shares with nobody")
        if len(row["pus"]) > 1 and row["inside"] not in ("lock", "combining"):
            wrong.append(f"{row['part']} orders its users by nothing")
    seat = told["coordinator"]
    if not any(row["leader"] == seat for row in rows):
        wrong.append(f"the coordinator pu:{seat} leads no domain")
    if wrong:
        return wrong
    return [
        *_check_price(prices, told),
        *_check_limits(machine, prices, each, told),
        *_check_operations(each, told),
        *_check_tree(prices, told),
        *_check_latencies(prices, each, told),
    ]


def _check_price(prices: Prices, told: Mapping[str, Any]) -> list[str]:
    seat, wrong, total = told["coordinator"], [], 0.0
    for row in told["domains"]:
        own = prices.inside(row["pus"], row["inside"])
        messages = prices.messages(row["pus"], row["leader"], seat)
        if own.busy >= 1:
            wrong.append(f"updates keep the replica of {row['part']} busy {own.busy:.2f}")
        for key, value in (
            ("reads", own.reads),
            ("updates", own.updates),
            ("messages", messages),
            ("busy", own.busy),
            ("worst_read_ns", own.read_ns),
            ("apply_ns", own.apply_ns),
        ):
            if not _close(row[key], value):
                wrong.append(f"{key} of {row['part']} are {value}, not {row[key]}")
        total += own.reads + own.updates + messages
        leader = prices.leader(row["pus"], seat)
        if row["leader"] != leader:
            wrong.append(f"pu:{leader} is nearer to pu:{seat} than the leader of {row['part']}")
    if not _close(total, told["value"]):
        wrong.append(f"the domains cost {total}, not {told['value']}")
    return wrong


def _check_limits(
    machine: Machine, prices: Prices, each: Mapping[str, Any], told: Mapping[str, Any]
) -> list[str]:
    rows, wrong = told["domains"], []
    count = len(rows)
    if told["replicas"] != count or count > each.get("max_replicas", count):
        wrong.append(f"{count} replicas are not as many as told or allowed")
    if count < 2 * each.get("faults", 0) + 1:
        wrong.append(f"{count} replicas do not survive {each['faults']} failures")
    if max(row["worst_read_ns"] for row in rows) > each.get("max_read_ns", float("inf")):
        wrong.append("a read takes longer than it may")
    times = [told["operations"][name]["latency_ns"]["worst"] for name in told["operations"]]
    if max(times) > each.get("max_update_ns", float("inf")):
        wrong.append("an update takes longer than it may")
    for row in rows:
        if each.get("sharing", "either") not in ("either", row["inside"]) and len(row["pus"]) > 1:
            wrong.append(f"{row['part']} does not share as wanted")
    seats = _parts(machine, each.get("at", [])) or set(prices.pus)
    if told["coordinator"] not in seats - _parts(machine, each.get("not_at", [])):
        wrong.append(f"the coordinator may not be at pu:{told['coordinator']}")
    held = {frozenset(row["pus"]) for row in rows}
    for name in each.get("domains", []):
        if frozenset(machine.pus_of(name) & set(prices.pus)) not in held:
            wrong.append(f"{name} is no domain")
    if level := each.get("level"):
        wrong += [
            f"{row['part']} is not one {level}"
            for row in rows
            if not _of_level(machine, row, level, prices)
        ]
    limit = each.get("memory_bytes")
    taken: dict[int, int] = {}
    for row in rows:
        if row["numa_node"] is not None:
            taken[row["numa_node"]] = taken.get(row["numa_node"], 0) + each.get("bytes", 64)
    for numa, amount in taken.items():
        most = limit.get(f"numa:{numa}") if isinstance(limit, dict) else limit
        if most is not None and amount > most:
            wrong.append(f"replicas take {amount} bytes at numa:{numa}, {most} are allowed")
    return wrong


def _of_level(machine: Machine, row: Mapping[str, Any], level: str, prices: Prices) -> bool:
    """Whether the users of a domain are those of one part of a level, or of none such."""
    users = set(prices.pus)
    alike = [
        name
        for name in machine.objects
        if level in machine.levels(name) and machine.pus_of(name) & set(row["pus"])
    ]
    return not alike or any(machine.pus_of(n) & users == set(row["pus"]) for n in alike)


def _parts(machine: Machine, rows: Iterable[int | str]) -> set[int]:
    found: set[int] = set()
    for row in rows:
        plain = isinstance(row, int) or row.isdecimal()
        found |= machine.pus_of(f"pu:{row}" if plain else str(row))
    return found


def _check_operations(each: Mapping[str, Any], told: Mapping[str, Any]) -> list[str]:
    wrong = []
    for stream in classes(each):
        name, protocol = stream["name"], told["operations"][stream["name"]]["protocol"]
        kind = stream.get("consistency", "single-phase")
        known = (
            MESSAGES if len(told["domains"]) > 1 else {"shared-lock": (), "node-replication": ()}
        )
        fits = {
            "single-phase": ("single-phase-commit",),
            "two-phase": ("two-phase-commit",),
            "consensus": ("raft", "multi-paxos"),
        }[kind]
        if protocol not in known or (len(told["domains"]) > 1 and protocol not in fits):
            wrong.append(f"{name}: {protocol} does not keep {kind} updates")
    return wrong


# ---------------------------------------------------------------- messages
def _check_tree(prices: Prices, told: Mapping[str, Any]) -> list[str]:
    """Walk the tree: it reaches each leader once, and its phases end when they are said to."""
    leaders = {row["leader"] for row in told["domains"]}
    kids = {row["from"]: list(row["to"]) for row in told["tree"]["sends"]}
    reached = [told["coordinator"]]
    for pu in reached:
        reached.extend(kids.get(pu, []))
        if len(reached) > len(leaders):
            break
    if sorted(reached) != sorted(leaders):
        return ["the tree of messages does not reach each leader once"]
    wrong = []
    down = {told["coordinator"]: 0.0}
    for pu in reached:
        sent = down[pu]
        for at, child in enumerate(kids.get(pu, [])):
            sent += prices.gap(pu, child) if at else prices.send(pu, child)
            down[child] = sent + prices.flight(pu, child) + prices.receive(pu, child)
    if not _close(max(down.values()), told["tree"]["broadcast_ns"]):
        wrong.append(f"the broadcast ends at {max(down.values())}")
    up: dict[int, float] = {}
    for pu in reversed(reached):
        rows = sorted(
            up[child] + prices.send(child, pu) + prices.flight(child, pu)
            for child in kids.get(pu, [])
        )
        order = sorted(
            kids.get(pu, []),
            key=lambda child: (
                up[child] + prices.send(child, pu) + prices.flight(child, pu),
                child,
            ),
        )
        done = 0.0
        for arrival, child in zip(rows, order, strict=True):
            done = max(done, arrival) + prices.receive(child, pu)
        up[pu] = done
    if not _close(up[told["coordinator"]], told["tree"]["reduction_ns"]):
        wrong.append(f"the reduction ends at {up[told['coordinator']]}")
    return wrong


def _check_latencies(prices: Prices, each: Mapping[str, Any], told: Mapping[str, Any]) -> list[str]:
    """Add up what an update waits for, domain by domain."""
    wrong = []
    rows, seat, tree = told["domains"], told["coordinator"], told["tree"]
    for stream in classes(each):
        rate = prices.rates[stream["name"]]
        own = told["operations"][stream["name"]]
        applied = max(prices.applied(row["pus"], row["inside"], stream["name"]) for row in rows)
        found = []
        for row in rows:
            asked = sum(rate[pu] for pu in row["pus"])
            time = applied
            if len(rows) > 1:
                down, _up, replies = MESSAGES[own["protocol"]]
                time += down * tree["broadcast_ns"] + tree["reduction_ns"]
                time += 2 * prices.line(row["pus"]) * (len(row["pus"]) > 1)
                time += prices.way(row["leader"], seat) + replies * prices.way(seat, row["leader"])
            found.append((asked, time))
        total = sum(asked for asked, _time in found)
        worst = max((time for asked, time in found if asked > 0), default=0.0)
        mean = sum(asked * time for asked, time in found) / total if total else 0.0
        latency = own["latency_ns"]
        if not _close(latency["worst"], worst) or not _close(latency["mean"], mean):
            wrong.append(f"{stream['name']} takes {mean} and {worst} ns, not {latency}")
    return wrong


# ---------------------------------------------------------------- is there better
def _check_best(
    machine: Machine, prices: Prices, told: Mapping[str, Any], proven: bool
) -> list[str]:
    """Price every choice where there are few users; an update's limit only lessens them."""
    if not proven or len(prices.pus) > ONE_SEAT:
        return []
    seats = [told["coordinator"]] if len(prices.pus) > ALL_SEATS else prices.seats
    best = min(Choices(machine, prices, seat).least for seat in seats)
    if best < told["value"] * (1 - NEAR) - NEAR and "max_update_ns" not in prices.each:
        return [f"there is a choice that costs {best}, not {told['value']}"]
    return []


def _possible(machine: Machine) -> Any:
    """Return what tells whether an object surely has a choice that keeps to its limits."""

    def possible(each: Mapping[str, Any]) -> bool:
        if len(asked_members(machine, each)) > TRIED or "max_update_ns" in each:
            return False
        prices = Prices(machine, each)
        return any(Choices(machine, prices, s).least < float("inf") for s in prices.seats)

    return possible


class Choices:
    """The least price of each number of domains below each part, for one coordinator."""

    def __init__(self, machine: Machine, prices: Prices, seat: int) -> None:
        self._machine, self._prices, self._seat = machine, prices, seat
        self._users = frozenset(prices.pus)
        each = prices.each
        self._must = [machine.pus_of(n) & self._users for n in each.get("domains", [])]
        rooms = prices.rooms()
        self._rooms = {p: room for p, room in rooms.items() if machine.pus_of(p) & self._users}
        self._most = sum((self._rooms or rooms).values()) if rooms else len(self._users)
        by_count = self._below("machine:0")
        low = 2 * each.get("faults", 0) + 1
        high = each.get("max_replicas", len(self._users))
        self.least = min((v for k, v in by_count.items() if low <= k <= high), default=float("inf"))

    def _below(self, name: str) -> dict[int, float]:
        users = self._machine.pus_of(name) & self._users
        found: dict[int, float] = {}
        inner = [
            part
            for part in self._machine.children(name)
            if kind_of(part) not in ("numa", "memcache", "bridge", "pci", "device", "misc")
            and self._machine.pus_of(part) & self._users
        ]
        if inner:
            found = {0: 0.0}
            for part in inner:
                found = _sums(found, self._below(part))
        price = self._price(name, users)
        if price < found.get(1, float("inf")):
            found[1] = price
        room = self._held(name) or 0 if name in self._rooms else self._most
        return {k: v for k, v in found.items() if k <= room}

    def _held(self, name: str) -> int | None:
        """Return how many replicas the memory inside a part holds, None without any."""
        inside = [r for p, r in self._rooms.items() if name in (p, *self._machine.ancestors(p))]
        return sum(inside) if inside else None

    def _price(self, name: str, users: frozenset[int]) -> float:
        if any(must & users and must != users for must in self._must):
            return float("inf")
        held = self._held(name)
        if held is None:
            near = [part for part in self._machine.ancestors(name) if part in self._rooms]
            held = self._rooms[near[0]] if near else None
        if held == 0:
            return float("inf")
        return self._prices.cheapest(sorted(users), self._seat)


def _sums(one: Mapping[int, float], two: Mapping[int, float]) -> dict[int, float]:
    found: dict[int, float] = {}
    for k, value in one.items():
        for n, more in two.items():
            found[k + n] = min(found.get(k + n, float("inf")), value + more)
    return found

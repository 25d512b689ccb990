"""Judge of placements: reads the request and the answer as plain values and recomputes all from
the snapshot.

It shares no code with the question or its engines. `faults` says what is not admissible, `price`
what a placement costs by term; `check` compares both with what a decision claims.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import combinations
from typing import Any

from skb.checkers.placement_load import load_faults
from skb.costs import Costs, defaults
from skb.decision import Decision, Status
from skb.machine import Machine

TOLERANCE = 1e-9
Plain = Mapping[str, Any]


def check(machine: Machine, decision: Decision) -> list[str]:
    """Return what is wrong with a decision in words, empty where all is well."""
    request = decision.request
    if decision.status is Status.INFEASIBLE:
        return _check_infeasible(machine, request, decision)
    if decision.status is Status.UNKNOWN:
        return ["an unknown decision has an answer"] if decision.answer else []
    answer = decision.answer.get("tasks")
    if not isinstance(answer, Mapping):
        return ["the answer has no tasks"]
    found = faults(machine, request, answer)
    found = found or _check_price(machine, request, decision, answer)
    return found or _check_policies(machine, request, decision)


def _check_policies(machine: Machine, request: Plain, decision: Decision) -> list[str]:
    """Return what is wrong with the known policies that stand beside an answer with a price."""
    found = []
    judged: list[tuple[Plain, float]] = []  # many policies agree
    nearest = _Nearest(machine)
    for row in decision.alternatives:
        if "tasks" not in row:
            continue
        value = next((value for tasks, value in judged if tasks == row["tasks"]), None)
        if value is None:
            wrong = faults(machine, request, row["tasks"], nearest)
            found += [f"{row['name']}: {text}" for text in wrong]
            if found:
                break
            value = sum(price(machine, request, row["tasks"]).values())
            judged.append((row["tasks"], value))
        if not _close(row["value"], value):
            found.append(f"{row['name']} costs {value} ns/s, not {row['value']}")
        if row["value"] < (decision.objective.value or 0):
            found.append(f"{row['name']} costs less than the answer: {row['value']} ns/s")
    return found


def _check_price(machine: Machine, request: Plain, decision: Decision, answer: Plain) -> list[str]:
    found = []
    terms = price(machine, request, answer)
    value = sum(terms.values())
    claimed = decision.objective.value
    if claimed is None or not _close(claimed, value):
        found.append(f"the objective is {value} ns/s, not {claimed}")
    for cost in decision.costs:
        if cost.term not in terms:
            found.append(f"there is no term {cost.term!r}")
        elif not _close(cost.value, terms[cost.term]):
            found.append(f"{cost.term} is {terms[cost.term]} ns/s, not {cost.value}")
    missing = {term for term, cost in terms.items() if cost} - {c.term for c in decision.costs}
    found += [f"the term {term} is missing from the costs" for term in sorted(missing)]
    if decision.bound is not None and decision.bound > value * (1 + TOLERANCE) + TOLERANCE:
        found.append(f"the bound {decision.bound} is above the price {value}")
    if decision.status is Status.OPTIMAL and (
        decision.bound is None or not _close(decision.bound, value)
    ):
        found.append(f"called optimal with the bound {decision.bound} at a price of {value}")
    return found


def _close(first: float, second: float) -> bool:
    return abs(first - second) <= TOLERANCE * max(1.0, abs(first), abs(second))


# ------------------------------------------------------------ the request as the user wrote it
def tasks_of(machine: Machine, request: Plain) -> dict[str, dict[str, Any]]:
    """Return the tasks by name, `per` expanded: each then has its own `device`."""
    found: dict[str, dict[str, Any]] = {}
    for task in request.get("task", ()):
        if task.get("per") is None:
            found[task["name"]] = dict(task)
            continue
        for index, device in enumerate(machine.of_device_kind(task["per"])):
            found[f"{task['name']}{index}"] = {**task, "device": device}
    return found


def _names(machine: Machine, value: Any) -> list[str]:
    if value is None:
        return []
    rows = [value] if isinstance(value, str) else value
    return [_named(machine, row) for row in rows]


def _named(machine: Machine, name: str) -> str:
    """Return the object that a name stands for: `eth0` alone is the device of that name."""
    device = f"device:{name}"
    return device if machine.has(device) and not machine.has(name) else name


def _wishes(value: Any) -> list[tuple[str, Any]]:
    if value is None:
        return []
    if isinstance(value, Mapping):
        return list(value.items())
    rows = [value] if isinstance(value, str) else value
    return [
        (row, 1) if isinstance(row, str) else (row["object"], row.get("weight", 1)) for row in rows
    ]


def _exact(number: Any) -> Fraction:
    return Fraction(str(number)).limit_denominator(10**6)


# ------------------------------------------------------------ admissible?
def faults(
    machine: Machine, request: Plain, answer: Plain, nearest: _Nearest | None = None
) -> list[str]:
    """Return every rule of the request or the hardware that an answer breaks, in words."""
    tasks = tasks_of(machine, request)
    if set(tasks) != set(answer):
        odd = sorted(set(tasks) ^ set(answer))
        return [f"tasks of the request and of the answer differ: {', '.join(odd)}"]
    found: list[str] = []
    for name, task in tasks.items():
        found += _task_faults(machine, request, name, task, answer[name])
    if found:
        return found
    found += _sharing_faults(machine, tasks, answer)
    found += _memory_faults(machine, tasks, answer, nearest or _Nearest(machine))
    found += _cache_faults(machine, tasks, answer)
    return found + _group_faults(machine, request, answer)


def _task_faults(
    machine: Machine, request: Plain, name: str, task: Plain, seat: Plain
) -> list[str]:
    pus = list(seat["pus"])
    if not pus or len(set(pus)) < len(pus):
        return [f"{name}: no PU, or a PU twice: {pus}"]
    found = [f"{name}: pu:{pu} cannot be used" for pu in pus if pu not in machine.usable_pus]
    if found:
        return found
    cores = {machine.core_of[pu] for pu in pus}
    if task.get("cores") is not None:
        whole = {pu for pu in machine.pus if machine.core_of[pu] in cores}
        if len(cores) != task["cores"] or whole != set(pus):
            found.append(f"{name}: {pus} are not {task['cores']} whole cores")
    elif len(pus) != (task.get("pus") or 1):
        found.append(f"{name}: {len(pus)} PUs instead of {task.get('pus') or 1}")
    for key, names in (
        ("at", _names(machine, task.get("at"))),
        ("per", _names(machine, task.get("device"))),
    ):
        local = set().union(*(machine.pus_of(at) for at in names))
        if names and not local.issuperset(pus):
            found.append(f"{name}: {sorted(set(pus) - local)} are not at {names} ({key})")
    for at in _names(machine, task.get("not_at")):
        if machine.pus_of(at) & set(pus):
            found.append(f"{name}: runs at {at}, which not_at forbids")
    if request.get("allowed") is not None and not set(pus) <= set(request["allowed"]):
        found.append(f"{name}: uses PUs that are not allowed")
    found += load_faults(machine, request, name, pus)
    for forced in request.get("forced", ()):
        if forced["task"] == name and pus[0] not in machine.pus_of(_named(machine, forced["at"])):
            found.append(f"{name}: does not start at {forced['at']}")
    found += _keep_faults(request, name, task, seat)
    for pu in pus:
        isa = machine.inherited("isa", f"pu:{pu}")
        if task.get("isa") is not None and isa != task["isa"]:
            found.append(f"{name}: pu:{pu} executes {isa}, not {task['isa']}")
        kind = machine.value("core_kind", machine.core_of[pu])
        if task.get("kind") is not None and kind != task["kind"]:
            found.append(f"{name}: pu:{pu} is of kind {kind}, not {task['kind']}")
    return found


def _keep_faults(request: Plain, name: str, task: Plain, seat: Plain) -> list[str]:
    """Return where a task that has to stay as it was has moved, its memory included."""
    current = request.get("current") or {}
    if name not in current.get("keep", ()):
        return []
    before = current["placement"][name]
    pus, was = seat["pus"], before["pus"]
    if pus[0] != was[0] or set(pus) != set(was):
        return [f"{name}: runs on {pus}, but stays on {was}"]
    asks = _asks_memory(task)
    node = before.get("numa_node")
    if asks and node is not None and seat["numa_node"] != node:
        return [f"{name}: its memory is at numa:{seat['numa_node']}, but stays at numa:{node}"]
    return []


def _sharing_faults(machine: Machine, tasks: Mapping[str, Plain], answer: Plain) -> list[str]:
    found = []
    load: dict[int, Fraction] = defaultdict(Fraction)
    on_core: dict[str, set[str]] = defaultdict(set)
    for name, task in tasks.items():
        for pu in answer[name]["pus"]:
            load[pu] += _exact(task.get("load", 1))
            on_core[machine.core_of[pu]].add(name)
    found += [f"pu:{pu} is loaded to {float(sum_)}" for pu, sum_ in load.items() if sum_ > 1]
    for core, names in on_core.items():
        alone = [name for name in sorted(names) if tasks[name].get("exclusive")]
        if alone and len(names) > 1:
            found.append(f"{core} is shared by {sorted(names)}, but {alone[0]} is exclusive")
    return found


def _memory_faults(
    machine: Machine, tasks: Mapping[str, Plain], answer: Plain, nearest: _Nearest
) -> list[str]:
    found = []
    memory: dict[int, Fraction] = defaultdict(Fraction)
    bandwidth: dict[int, Fraction] = defaultdict(Fraction)
    for name, task in tasks.items():
        node = answer[name]["numa_node"]
        if node is None:
            if machine.usable_numa or _asks_memory(task):
                found.append(f"{name}: has no memory node")
            continue
        if node not in machine.usable_numa:
            found.append(f"{name}: numa:{node} cannot be used")
            continue
        kind = machine.value("memory_kind", f"numa:{node}") or "dram"
        if task.get("memory_kind") is not None and kind != task["memory_kind"]:
            found.append(f"{name}: numa:{node} is {kind}, not {task['memory_kind']}")
        memory[node] += Fraction(str(task.get("memory_mib") or 0)) * 2**20
        bandwidth[node] += Fraction(str(task.get("bandwidth_mbps") or 0)) * 10**6
        if not _asks_memory(task):
            pu = answer[name]["pus"][0]
            if node not in nearest(pu):
                found.append(f"{name}: numa:{node} is not the nearest node of pu:{pu}")
    for node, amount in memory.items():
        size = machine.number("memory_size", f"numa:{node}")
        if size is not None and amount > Fraction(str(size)):
            mib, most = float(amount / 2**20), float(size) / 2**20
            found.append(f"numa:{node} holds {mib:.10g} MiB, more than its {most:.10g}")
    for node, amount in bandwidth.items():
        if amount > _bandwidth(machine, node):
            mbps = float(amount / 10**6)
            found.append(f"numa:{node} delivers {mbps:.10g} MB/s, more than it can")
    return found


def _asks_memory(task: Plain) -> bool:
    return any(task.get(key) for key in ("memory_mib", "memory_kind", "bandwidth_mbps"))


class _Nearest:
    """The nearest usable memory nodes of PUs, worked out once for each."""

    def __init__(self, machine: Machine) -> None:
        self.nodes = machine.usable_numa
        self.costs = Costs(machine)
        self.known: dict[int, set[int]] = {}

    def __call__(self, pu: int) -> set[int]:
        if pu not in self.known:
            ps = {node: self.costs.memory_ps(pu, node) for node in self.nodes}
            least = min(ps.values())
            self.known[pu] = {node for node in self.nodes if ps[node] == least}
        return self.known[pu]


def _bandwidth(machine: Machine, node: int) -> Fraction:
    """Return the bytes per second that a node gives."""
    stated = [
        Fraction(str(fact.args[3]))
        for fact in machine.facts_of("memory_bandwidth")
        if fact.args[1] == f"numa:{node}" and fact.args[2] != "write"
    ]
    default = Fraction(str(defaults()["memory"]["local_bandwidth_mib_s"]))
    return max(stated, default=default) * 2**20


def _cache_faults(machine: Machine, tasks: Mapping[str, Plain], answer: Plain) -> list[str]:
    used: dict[str, Fraction] = defaultdict(Fraction)
    found = []
    for name, task in tasks.items():
        if not task.get("cache_mib"):
            continue
        cache = _last_cache(machine, answer[name]["pus"][0])
        if cache is None:
            found.append(f"{name}: no cache of known size at its first PU")
        else:
            used[cache] += Fraction(str(task["cache_mib"])) * 2**20
    for cache, amount in used.items():
        size = machine.number("cache_size", cache) or 0
        if amount > Fraction(str(size)):
            found.append(f"{cache} holds {float(amount):.10g} bytes, more than its {size:.10g}")
    return found


def _last_cache(machine: Machine, pu: int) -> str | None:
    around = machine.ancestors(f"pu:{pu}")
    for kind in ("l5", "l4", "l3", "l2", "l1d"):
        for at in around:
            if at.startswith(f"{kind}:") and machine.fact("cache_size", at) is not None:
                return at
    return None


def _group_faults(machine: Machine, request: Plain, answer: Plain) -> list[str]:
    found = []
    for group in request.get("together", ()):
        objects = {
            _object(machine, group["within"], pu)
            for name in group["tasks"]
            for pu in answer[name]["pus"]
        }
        if len(objects) > 1:
            found.append(f"{group['tasks']} do not share one {group['within']}")
    for group in request.get("apart", ()):
        for first, second in combinations(group["tasks"], 2):
            a, b = (
                {_object(machine, group["within"], pu) for pu in answer[name]["pus"]}
                for name in (first, second)
            )
            if a & b:
                found.append(f"{first} and {second} share a {group['within']}")
    return found


def _object(machine: Machine, level: str, pu: int) -> str:
    if level == "machine":
        return "machine:0"
    if level == "numa":
        nodes = machine.numa_of_pu[pu]
        return f"numa:{nodes[0]}" if nodes else "machine:0"
    if level == "package":
        return machine.package_of[pu]
    around = [at for at in machine.ancestors(f"pu:{pu}") if at.startswith(f"{level}:")]
    return around[0] if around else machine.core_of[pu]


# ------------------------------------------------------------ the price
def price(machine: Machine, request: Plain, answer: Plain) -> dict[str, float]:
    """Return the price of an admissible answer by term, in ns/s.

    A task speaks, remembers and is near from its first PU; `spread` is one message per second from
    there to each of its other PUs, `memory` one access per second to its node where it asks for
    memory.
    """
    costs = Costs(machine)
    total: dict[str, Fraction] = {
        term: Fraction(0) for term in ("communication", "near", "memory", "spread", "migration")
    }
    first = {name: seat["pus"][0] for name, seat in answer.items()}
    for row in request.get("traffic", ()):
        latency = costs.latency_ps(first[row["from"]], first[row["to"]])
        total["communication"] += _exact(row["messages_per_s"]) * latency
    current = request.get("current") or {}
    for name, task in tasks_of(machine, request).items():
        home, *others = answer[name]["pus"]
        for near, weight in _wishes(task.get("near")):
            total["near"] += _exact(weight) * _distance(
                costs, home, machine.pus_of(_named(machine, near))
            )
        asks = task.get("memory_mib") or task.get("memory_kind")
        if asks and answer[name]["numa_node"] is not None:
            total["memory"] += costs.memory_ps(home, answer[name]["numa_node"])
        total["spread"] += sum(costs.latency_ps(home, pu) for pu in others)
        before = current.get("placement", {}).get(name)
        if before is not None and set(before["pus"]) != set(answer[name]["pus"]):
            total["migration"] += _exact(current.get("migration_cost", 0)) * 1000
    return {term: float(value / 1000) for term, value in total.items()}


def _distance(costs: Costs, pu: int, local: Iterable[int]) -> int:
    local = set(local)
    return 0 if pu in local else min(costs.latency_ps(pu, other) for other in local)


# ------------------------------------------------------------ infeasible
def _check_infeasible(machine: Machine, request: Plain, decision: Decision) -> list[str]:
    found = []
    if decision.answer or decision.objective.value is not None:
        found.append("an infeasible decision has an answer or a price")
    if not decision.reasons:
        found.append("an infeasible decision has no reason")
    known = {f"task:{name}" for name in tasks_of(machine, request)} | {"machine:0"}
    for reason in decision.reasons:
        if not reason.text:
            found.append(f"the reason {reason.id} has no words")
        if not any(item in known for item in reason.items):
            found.append(f"the reason {reason.id} names nothing of the request")
    return found

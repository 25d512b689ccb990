"""Protocols that do the same job, run side by side on one machine, and where they change places.

`alternatives` asks which protocol, over which route, is best here. `against` varies the number of
members and says from how many on the protocols of one side are better than those of the other:
messages than locks over shared memory, messages than inter-processor interrupts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from skb.errors import RequestError
from skb.simulation import domains, prepared
from skb.simulation_options import DECIDED

if TYPE_CHECKING:
    from simulator import Result, Scenario
    from skb.machine import Machine
    from skb.simulation import Decide, Routes

CLASSIC = ("numa-aware", "cluster", "binary", "fibonacci", "mst", "sequential")
OPERATIONS, BUSY_LOAD, PER_MEMBER = 100, 16, 20
FEWEST, MOST_MEMBERS = 2, 128
SAME = 1e-3
"""Routes whose mean latencies are this near are the same for a protocol: it does not use them."""

AGREEMENT = (
    *("two-phase-commit", "multi-paxos", "raft", "one-paxos", "chain-replication", "pbft"),
)
LOCKS = ("shared-lock", "queue-lock")
MESSAGES = ("rpc-server", "node-replication", "replicated-state")
NEITHER = ("shared-update",)
JOBS: Mapping[str, tuple[str, ...]] = {
    "agree on the order or the outcome of operations": AGREEMENT,
    "share a state": (*LOCKS, *NEITHER, *MESSAGES, "partitioned-fleet", "page-sharing"),
    "change all translation buffers": ("ipi-shootdown", "single-phase-commit"),
    "tell all members": ("atomic-broadcast", "single-phase-commit"),
}
"""What protocols are for, those with the same use together; the first job of a name is its job."""


@dataclass(frozen=True, slots=True)
class Versus:
    """Two sides that are compared over the number of members, by throughput or by latency.

    `beside` is shown, but on no side. With `full` every client always has an operation under way,
    without it one is at a time.
    """

    question: str
    one: str
    other: str
    ones: tuple[str, ...]
    others: tuple[str, ...]
    by: str
    full: bool
    beside: tuple[str, ...] = ()


SHARING = Versus(
    "sharing", "locks", "messages", LOCKS, MESSAGES,
    by="throughput_per_s", full=True, beside=NEITHER,
)  # fmt: skip
SHOOTDOWN = Versus(
    "shootdown", "interrupts", "messages",
    ("ipi-shootdown",), ("single-phase-commit", "two-phase-commit"), by="mean_ns", full=False,
)  # fmt: skip
Step = Callable[[str], None]


def known(names: Sequence[str]) -> list[str]:
    """Return the names that are protocols of this simulator."""
    from simulator import PROTOCOLS

    return [name for name in names if name in PROTOCOLS]


def job_of(protocol: str) -> tuple[str, list[str]]:
    """Return what a protocol is for, and all protocols that do the same."""
    for job, names in JOBS.items():
        if protocol in names:
            return job, known(names)
    return f"what {protocol} does", [protocol]


# ------------------------------------------------------------ which protocol, over which route
def alternatives(
    machine: Machine,
    raw: Mapping[str, Any],
    decide: Decide,
    step: Step = lambda words: None,
) -> tuple[dict[str, Any], Mapping[str, Sequence[int]]]:
    """Run every protocol with the job of `raw["protocol"]`, each over all routes.

    Latency, messages and busy time are those of one operation at a time, over the route with the
    least mean latency; throughput is that of many under way at once. Returns the table under its
    names, and the latencies in picoseconds by protocol.
    """
    job, names = job_of(str(raw.get("protocol", AGREEMENT[0])))
    routes: Routes = {}
    rows: list[dict[str, Any]] = []
    latencies: dict[str, Sequence[int]] = {}
    for name in names:
        step(name)
        asked = _fitting(raw, name)
        try:
            row, found = _best(machine, asked, decide, routes)
        except RequestError as fault:
            rows.append({"protocol": name, "refused": str(fault)})
            continue
        rows.append(row)
        latencies[f"{name}, {row['route']}"] = found.latency_ps
    rows.sort(key=lambda row: (row.get("mean_ns") is None, row.get("mean_ns")))
    return {"question": "protocols", "job": job, "machine": machine.name, "rows": rows}, latencies


def _fitting(raw: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a request for another protocol: without what that has no use for, nor a load."""
    from simulator.protocols import require_protocol
    from simulator.protocols.protocol import parameters_of

    protocol = require_protocol(name)
    useful = {*protocol.options, *parameters_of(protocol)}
    optional = {
        "conflict_per_mille": "conflict_per_mille",
        "reads_per_mille": "reads_per_mille",
        "items": "items",
        "work_ns": "work_ps",
        "timeout_ns": "timeout_ps",
        "overlap": "overlap",
    }
    asked = {
        key: value for key, value in raw.items() if key not in optional or optional[key] in useful
    }
    if isinstance(own := asked.get("parameters"), Mapping):
        exact = {key: f"{key[:-3]}_ps" if key.endswith("_ns") else key for key in own}
        asked["parameters"] = {key: own[key] for key, name in exact.items() if name in useful}
    if protocol.starts != "client":
        asked.pop("clients", None)
    asked["protocol"] = name
    asked.setdefault("operations", OPERATIONS)
    for key in ("trees", "interval_ns", "rate_per_s", "arrivals", "burst"):
        asked.pop(key, None)
    return asked


def _best(
    machine: Machine, asked: dict[str, Any], decide: Decide, routes: Routes
) -> tuple[dict[str, Any], Result]:
    """Return the row of a protocol over its best route, and the run of one operation at a time."""
    wanted = asked.get("route", DECIDED)
    decided = prepared(machine, {**asked, "route": wanted}, decide, routes=routes).scenario
    root = {**asked, "root": decided.tree.root, "model": decided.model}
    scenarios = {wanted: decided}
    if wanted == DECIDED:
        for name in CLASSIC:
            each = prepared(machine, {**root, "route": name}, decide, routes=routes)
            scenarios[name] = each.scenario
    single = {name: _one_at_a_time(scenario) for name, scenario in scenarios.items()}
    means = {name: _mean(result) for name, result in single.items()}
    ended = {name: mean for name, mean in means.items() if mean is not None}
    if not ended:
        raise RequestError("no operation ended", place="simulation", mend="fewer faults")
    best = min(ended, key=lambda name: ended[name])
    spread = max(ended.values()) - ended[best]
    scenario, result = scenarios[best], single[best]
    load = max(BUSY_LOAD, asked.get("outstanding", 1))
    loaded = _run(replace(scenario, outstanding=load, operations=max(10 * load, OPERATIONS)))
    told = result.to_json()["latency"]
    assert isinstance(told, dict)
    row = {
        "protocol": asked["protocol"],
        "route": best if spread > SAME * ended[best] else "any",
        "root": scenario.tree.root,
        "mean_ns": told["mean"],
        "p99_ns": told["p99"],
        "throughput_per_s": loaded.throughput_per_s,
        **_price(result),
        "survives": sorted(_protocol(scenario).survives),
        "violations": len(result.violations) + len(loaded.violations),
    }
    return row, result


def _one_at_a_time(scenario: Scenario) -> Result:
    return _run(replace(scenario, outstanding=1, trace=True))


def _run(scenario: Scenario) -> Result:
    from simulator import SimulatorError, run
    from skb.engines.compiling_simulator import folder_for

    try:
        return run(scenario, None, folder_for(scenario))
    except SimulatorError as fault:
        raise RequestError(str(fault), place=f"simulation of {scenario.protocol}") from fault


def _mean(result: Result) -> float | None:
    return sum(result.latency_ps) / len(result.latency_ps) if result.latency_ps else None


def _protocol(scenario: Scenario) -> Any:
    from simulator.protocols import require_protocol

    return require_protocol(scenario.protocol)


def _price(result: Result) -> dict[str, float]:
    """Return the messages between members, and the time of all of them, that an operation takes.

    With one operation at a time the run is as long as all of them; what happens behind the last
    one, such as heartbeats, is left out.
    """
    active = sum(result.latency_ps)
    rows = [row for row in result.trace if row[0] < active and row[2] >= 0]
    messages = sum(source != pu and source >= 0 for _, _, pu, _, _, source in rows)
    busy = sum(end - begin for begin, end, *_ in rows)
    count = len(result.latency_ps)
    return {"messages": messages / count, "busy_ns": busy / count / 1000}


# ------------------------------------------------------------ from how many members on
def against(
    machine: Machine,
    raw: Mapping[str, Any],
    decide: Decide,
    versus: Versus,
    step: Step = lambda words: None,
) -> dict[str, Any]:
    """Run the protocols of both sides among more and more members.

    Where all members are busy, all but the first of each NUMA domain are clients, and operate on
    one item unless the request says how many there are. Without `members` at most 128 of the
    usable PUs take part, and `left_out` says how many do not.
    `crossover` is the least number of members from which on the best of the other side is better
    than the best of the first, None where that never comes; `ahead` says which side is better at
    each number.
    """
    from simulator.protocols import require_protocol

    members = list(dict.fromkeys(raw.get("members") or machine.usable_pus))
    left_out = 0 if "members" in raw else max(0, len(members) - MOST_MEMBERS)
    del members[len(members) - left_out :]
    if len(members) < FEWEST:
        raise RequestError(
            f"{versus.question} is a question about at least {FEWEST} members",
            place="simulation $.members",
            mend="name more PUs, or leave members out",
        )
    names = known((*versus.ones, *versus.beside, *versus.others))
    if not known(versus.ones) or not known(versus.others):
        raise RequestError(f"one side of {versus.question} is unknown here", place="simulation")
    routes: Routes = {}
    rows: list[dict[str, Any]] = []
    refused: dict[str, str] = {}
    for count in counts(len(members)):
        step(f"{count} members")
        for name in names:
            asked = {**_fitting(raw, name), "members": members[:count]}
            if asked.get("root") not in asked["members"]:
                asked["root"] = members[0]
            asked.setdefault("route", CLASSIC[0])
            if versus.full:
                clients = _clients(machine, members[:count])
                asked["operations"] = max(asked["operations"], PER_MEMBER * count)
                asked["outstanding"] = len(clients)
                if require_protocol(name).starts == "client":
                    asked["clients"] = clients
                asked.setdefault("items", 1)
            try:
                rows.append(_measured(machine, asked, decide, routes, count))
            except RequestError as fault:
                refused[name] = str(fault)
    found = _crossover(rows, versus)
    return {
        "question": versus.question,
        "machine": machine.name,
        "by": versus.by,
        "sides": {versus.one: known(versus.ones), versus.other: known(versus.others)},
        "rows": rows,
        "refused": refused,
        "left_out": left_out,
        **found,
    }


def _clients(machine: Machine, members: list[int]) -> list[int]:
    """Return the members that serve nobody: all but the first of each NUMA domain.

    A server that is its own client pays nothing for a message.
    """
    servers = {domain[0] for domain in domains(machine, tuple(sorted(members)))}
    return [pu for pu in members if pu not in servers] or members[1:] or members


def counts(most: int) -> list[int]:
    """Return the numbers of members that are tried: powers of two, and all of them."""
    powers = [1 << at for at in range(1, most.bit_length()) if 1 << at < most]
    return [*powers, most]


def _measured(
    machine: Machine, asked: dict[str, Any], decide: Decide, routes: Routes, count: int
) -> dict[str, Any]:
    scenario = prepared(machine, asked, decide, routes=routes).scenario
    result = _run(scenario)
    mean = _mean(result)
    told = result.to_json()["latency"]
    assert isinstance(told, dict)
    return {
        "members": count,
        "protocol": scenario.protocol,
        "route": scenario.route_name,
        "mean_ns": None if mean is None else mean / 1000,
        "p99_ns": told["p99"],
        "throughput_per_s": result.throughput_per_s,
        "violations": len(result.violations),
    }


def _crossover(rows: Sequence[Mapping[str, Any]], versus: Versus) -> dict[str, Any]:
    """Compare the best of each side at each number of members."""
    sign = -1 if versus.by == "throughput_per_s" else 1
    better: dict[int, bool] = {}
    for count in sorted({row["members"] for row in rows}):
        best = []
        for side in (versus.ones, versus.others):
            values = [
                sign * row[versus.by]
                for row in rows
                if row["members"] == count and row["protocol"] in side
                and row[versus.by] is not None
            ]  # fmt: skip
            best.append(min(values, default=None))
        if best[0] is not None and best[1] is not None:
            better[count] = best[1] < best[0]
    crossover = None
    for count, good in sorted(better.items(), reverse=True):
        if not good:
            break
        crossover = count
    ahead = {str(count): versus.other if good else versus.one for count, good in better.items()}
    return {
        "crossover": crossover,
        "better": versus.other if crossover else versus.one,
        "ahead": ahead,
    }

"""A failure as plain values, and back: all that is needed to run it again, bit for bit."""

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from simulator.costs import MessageCosts, PairTable
from simulator.errors import ScenarioError
from simulator.faults import Fault
from simulator.planted import planted
from simulator.playing import Played
from simulator.protocols import require_protocol
from simulator.protocols.protocol import Protocol
from simulator.scenario import Scenario, observe
from simulator.swarm import broken
from simulator.trees import Tree

TABLES = ("send_ps", "receive_ps", "propagation_ps", "gap_ps", "transfer_ps")


def protocol_hash(protocol: type[Protocol]) -> str:
    """Return the SHA-256 of the sources of a protocol: its class and all that it inherits from."""
    modules = {inspect.getmodule(kind) for kind in protocol.__mro__[:-1]}
    sources = sorted(inspect.getsource(module) for module in modules if module is not None)
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


def report(
    scenario: Scenario, protocol: type[Protocol], violations: tuple[str, ...], version: str
) -> dict[str, Any]:
    """Return a failure as plain values: what ran, on what, what it broke, and its trace's digest.

    `planted` is the class of a planted fault, empty for a protocol itself.
    """
    shipped = require_protocol(protocol.name)
    _, played, _ = observe(replace(scenario, digest=True), protocol)
    return {
        "version": version,
        "protocol": protocol.name,
        "planted": "" if protocol is shipped else protocol.__name__,
        "protocol_hash": protocol_hash(protocol),
        "seed": scenario.seed,
        "trace_digest": played.digest,
        "violations": list(violations),
        "scenario": plain(scenario),
    }


@dataclass(frozen=True, slots=True)
class Rerun:
    """What ran again, and what came of it."""

    protocol: type[Protocol]
    scenario: Scenario
    played: Played
    violations: tuple[str, ...]


def rerun(raw: Mapping[str, Any]) -> Rerun:
    """Run what a report describes on the reference engine.

    Raises `SimulatorError` where the report describes nothing that can be run.
    """
    try:
        name, wanted, table = raw["protocol"], raw["planted"], raw["scenario"]
        protocol = require_protocol(name)
        if wanted:
            classes = {fault.protocol.__name__: fault.protocol for fault in planted()[name]}
            protocol = classes[wanted]
        scenario = replace(scenario_of(table), digest=True)
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise ScenarioError(f"this is no report of a failure: {fault!r}") from fault
    nodes, played, history = observe(scenario, protocol)
    said = broken(scenario, protocol, history, nodes[0].round_ps)
    return Rerun(protocol, scenario, played, said)


def plain(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as values of JSON; one with links has none, random plans draw none."""
    if scenario.links is not None:
        raise ScenarioError("a scenario with links cannot be written down")
    found: dict[str, Any] = {}
    for field in fields(scenario):
        value = getattr(scenario, field.name)
        if field.name == "costs":
            found["costs"] = _plain_costs(value)
        elif isinstance(value, Tree):
            rows = {str(pu): list(children) for pu, children in value.children.items()}
            found[field.name] = {"root": value.root, "children": rows}
        elif field.name == "faults":
            found["faults"] = [[f.time_ps, f.pu, f.state, f.value] for f in value]
        elif field.name == "domains":
            found["domains"] = [list(domain) for domain in value]
        elif field.name == "parameters":
            found["parameters"] = dict(value)
        elif isinstance(value, tuple):
            found[field.name] = list(value)
        elif value is not None:
            found[field.name] = value
    return found


def scenario_of(raw: Mapping[str, Any]) -> Scenario:
    """Return the scenario that plain values describe; raises as `Scenario` does."""
    given: dict[str, Any] = dict(raw)
    given["costs"] = _costs_of(raw["costs"])
    for name in ("tree", "up_tree"):
        if name in raw:
            rows = raw[name]["children"]
            children = {int(pu): tuple(below) for pu, below in rows.items()}
            given[name] = Tree(raw[name]["root"], children)
    given["faults"] = tuple(Fault(*row) for row in raw.get("faults", ()))
    given["domains"] = tuple(tuple(domain) for domain in raw.get("domains", ()))
    for name in ("clients", "arrivals_ps"):
        given[name] = tuple(raw.get(name, ()))
    return Scenario(**given)


def _plain_costs(costs: MessageCosts) -> dict[str, Any]:
    """Return costs as rows of tables, 0 on the diagonal."""
    found: dict[str, Any] = {"members": list(costs.members), "hit_ps": costs.hit_ps}
    for name in TABLES:
        table: PairTable | None = getattr(costs, name)
        if table is not None:
            found[name] = [[table.get((u, v), 0) for v in costs.members] for u in costs.members]
    return found


def _costs_of(raw: Mapping[str, Any]) -> MessageCosts:
    members = tuple(raw["members"])
    tables = {
        name: {
            (u, v): cost
            for u, row in zip(members, raw[name], strict=True)
            for v, cost in zip(members, row, strict=True)
            if u != v
        }
        for name in TABLES
        if name in raw
    }
    return MessageCosts(members, hit_ps=raw.get("hit_ps", 0), **tables)

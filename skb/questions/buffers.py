"""`buffers`: the NUMA node of each flow's ring, so that packets spend the least time on their way.

The model is in `buffers_price`, the rules in `rules/buffers/`. Receive-and-forward near the device
and consume near the core are results, with the touched fraction at which the choice flips.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from skb.bandwidth import Bandwidths
from skb.checkers import buffers as checker
from skb.costs import Costs
from skb.decision import Assumption, Cost, Decision, Limits, Objective, Reason, Status
from skb.engines.asp import Atom, Model, Outcome, Program, engine_name, minimal_core, rules_digest
from skb.engines.buffers_greedy import Assignment, greedy, lower_bound
from skb.engines.choices import Rule, choices
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.buffers_instance import Instance, atoms, build, near, scaled, unavailable
from skb.questions.buffers_price import TERMS, flips, lines_in_flight, packet_costs, per_second
from skb.questions.buffers_request import BuffersRequest, Flow, defaulted, read_buffers
from skb.questions.question import Question, Raw

FILES = tuple(f"buffers/{part}.lp" for part in ("define", "guess", "check", "optimise"))
UNIT = "ns/s"
EXACT_FLOWS = 60


@dataclass(frozen=True, slots=True)
class _Found:
    """A node for each flow (None without one), a lower bound of the weights, and what proved it."""

    nodes: list[int] | None
    bound: int
    proven: bool
    engine: str
    refused: tuple[Reason, ...] = ()


def decide(machine: Machine, raw: Raw, limits: Limits) -> Decision:
    """Return the decision; raise `RequestError` for a bad request."""
    started = time.monotonic()
    flows, capacities = read_buffers(raw, machine)
    costs, rates = Costs(machine), Bandwidths(machine)
    packets = [packet_costs(flow, costs, rates) for flow in flows]
    instance = build(machine, flows, capacities, rates, packets)
    model = Model(Program(FILES, tuple(atoms(instance))), seed=limits.seed)
    found = _search(instance, model, limits)
    assumed = (*costs.assumed, *rates.assumed, *_parallelism(flows), *defaulted(raw))
    provenance = {
        "facts": machine.digest,
        "rules": rules_digest(FILES),
        "engine": found.engine,
        "seed": limits.seed,
        "limit_s": limits.seconds,
    }
    decision = _answer(instance, found, dict(raw), assumed, provenance)
    return decision.stamped(seconds=round(time.monotonic() - started, 6))


def _parallelism(flows: Sequence[Flow]) -> tuple[Assumption, ...]:
    if all(flow.consumer is None for flow in flows):
        return ()
    why = "nobody measured it; line-fill buffers of common cores"
    return (Assumption(f"lines in flight per core = {lines_in_flight()}", why),)


# ------------------------------------------------------------------ search
def _search(instance: Instance, model: Model, limits: Limits) -> _Found:
    acts: list[Atom] = [("act", (name,)) for name in sorted(instance.reasons)]
    if len(instance.flows) <= EXACT_FLOWS:
        outcome = model.solve([(act, True) for act in acts], limits)
        if outcome.satisfiable is False:
            return _refused(instance, model, acts, outcome, limits)
        if outcome.satisfiable and outcome.proven:
            nodes = _nodes(instance, outcome)
            return _Found(nodes, outcome.cost[0], True, engine_name())
        return _greedy(instance, model, acts, limits, outcome)
    return _greedy(instance, model, acts, limits, None)


def _nodes(instance: Instance, outcome: Outcome) -> list[int]:
    at = {str(args[0]): int(str(args[1])) for name, args in outcome.atoms if name == "buffer"}
    return [at[flow.name] for flow in instance.flows]


def _refused(
    instance: Instance, model: Model, acts: Sequence[Atom], outcome: Outcome, limits: Limits
) -> _Found:
    core, exact = minimal_core(model, acts, limits, first=outcome.core)
    reasons = [instance.reasons[str(args[0])] for _, args in core]
    if not exact:
        reasons.append(Reason("limit", "the set may not be minimal: the limit was reached"))
    return _Found(None, 0, True, engine_name(), tuple(reasons))


def _greedy(
    instance: Instance, model: Model, acts: Sequence[Atom], limits: Limits, outcome: Outcome | None
) -> _Found:
    """Choose by regret greedy, let the rules confirm the choice, and bound it by Lagrange."""
    problem = _assignment(instance)
    candidates = [] if outcome is None or not outcome.atoms else [_nodes(instance, outcome)]
    if all(problem.prices) and (nodes := greedy(problem)) is not None:
        chosen = [
            (("buffer", (flow.name, node)), True)
            for flow, node in zip(instance.flows, nodes, strict=True)
        ]
        kept = [(act, True) for act in acts]
        if model.solve([*kept, *chosen], limits, models=1).satisfiable:
            candidates.append(nodes)
    if not candidates:
        outcome = model.solve([(act, True) for act in acts], limits, models=1)
        if outcome.satisfiable is False:
            return _refused(instance, model, acts, outcome, limits)
        if outcome.satisfiable is None:
            return _Found(None, 0, False, engine_name())
        candidates.append(_nodes(instance, outcome))
    best = min(candidates, key=lambda nodes: (_weight(instance, nodes), nodes))
    value = _weight(instance, best)
    bound = max([lower_bound(problem, value), *(outcome.bound[:1] if outcome else ())])
    return _Found(best, bound, bound >= value, f"regret greedy, {engine_name()}")


def _weight(instance: Instance, nodes: Sequence[int]) -> int:
    return sum(row[node] for row, node in zip(instance.weights, nodes, strict=True))


def _assignment(instance: Instance) -> Assignment:
    uses, limits = scaled(instance)
    rows = [
        {node: row[node] for node in _own_nodes(instance, index)}
        for index, row in enumerate(instance.weights)
    ]
    return Assignment(rows, uses, limits)


def _own_nodes(instance: Instance, index: int) -> list[int]:
    """Return the nodes that a flow may use under its own constraints, others left aside."""
    flow, machine = instance.flows[index], instance.machine
    limits = instance.tightest

    def fits(node: int) -> bool:
        amounts = instance.uses[index][node].items()
        return all(amount <= limits.get(resource, amount) for resource, amount in amounts)

    rules: list[Rule] = [
        (lambda node: not unavailable(machine, node), ["node"]),
        (lambda node: not flow.only or node in flow.only, ["node"]),
        (lambda node: node not in flow.never, ["node"]),
        (fits, ["node"]),
    ]
    found = choices({"node": machine.numa}, rules)
    return sorted(int(str(choice["node"])) for choice in found)


# ------------------------------------------------------------------ answer
def _answer(
    instance: Instance,
    found: _Found,
    request: dict[str, Any],
    assumed: tuple[Assumption, ...],
    provenance: dict[str, Any],
) -> Decision:
    nodes = found.nodes
    price = None if nodes is None else _total(instance, nodes)
    bound = instance.cheapest + found.bound * instance.unit
    if price is not None:
        bound = price if found.proven and instance.exact else min(bound, price)
    status = Status.INFEASIBLE if found.refused else Status.UNKNOWN
    if price is not None:
        status = Status.OPTIMAL if bound == price else Status.FEASIBLE
    return Decision(
        question="buffers",
        machine=instance.machine.name,
        revision=instance.machine.revision,
        status=status,
        objective=Objective("latency", None if price is None else float(price), UNIT),
        bound=None if found.refused else float(bound),
        answer={} if nodes is None else {"flows": _flows(instance, nodes)},
        costs=() if nodes is None else _terms(instance, nodes),
        reasons=found.refused or (() if nodes is None else _binding(instance, nodes)),
        assumed=assumed,
        provenance=provenance,
        request=request,
        warnings=tuple(instance.warnings),
    )


def _total(instance: Instance, nodes: Sequence[int]) -> Fraction:
    return sum((instance.price(f, n) for f, n in enumerate(nodes)), Fraction(0))


def _flows(instance: Instance, nodes: Sequence[int]) -> dict[str, Any]:
    rows = {}
    for index, (flow, node) in enumerate(zip(instance.flows, nodes, strict=True)):
        own = _own_nodes(instance, index)
        corners = flips({n: instance.costs[index][n] for n in own})
        prices = sorted((instance.price(index, n), n) for n in own)
        rows[flow.name] = {
            "numa_node": node,
            "near": near(instance.machine, flow, node),
            "value": float(instance.price(index, node)),
            "unit": UNIT,
            "touched": float(flow.touched),
            "forwarded": flow.forwarded,
            "crossover": float(corners[0].touched) if corners else None,
            "flips": [
                {"touched": float(c.touched), "from": c.before, "to": c.after} for c in corners
            ],
            "alternatives": [
                {"numa_node": n, "value": float(price), "unit": UNIT} for price, n in prices
            ],
        }
    return rows


def _terms(instance: Instance, nodes: Sequence[int]) -> tuple[Cost, ...]:
    sums = dict.fromkeys(TERMS, Fraction(0))
    for index, (flow, node) in enumerate(zip(instance.flows, nodes, strict=True)):
        for term, value in instance.costs[index][node].terms_ps(flow.touched).items():
            sums[term] += per_second(flow, value)
    return tuple(Cost(term, float(sums[term]), UNIT) for term in TERMS)


def _binding(instance: Instance, nodes: Sequence[int]) -> tuple[Reason, ...]:
    """Return, for each flow that is not at its cheapest node, the constraints that keep it away."""
    used: dict[str, int] = {}
    for row, node in zip(instance.uses, nodes, strict=True):
        for resource, amount in row[node].items():
            used[resource] = used.get(resource, 0) + amount
    found: dict[str, Reason] = {}
    for index, node in enumerate(nodes):
        weights = instance.weights[index]
        for cheaper in sorted(n for n in weights if weights[n] < weights[node]):
            for reason in _keeps_away(instance, index, node, cheaper, used):
                found.setdefault(reason.id, reason)
    return tuple(found[name] for name in sorted(found))


def _keeps_away(
    instance: Instance, index: int, node: int, cheaper: int, used: Mapping[str, int]
) -> list[Reason]:
    flow, reasons = instance.flows[index], instance.reasons
    now, then = instance.uses[index][node], instance.uses[index][cheaper]
    names = [f"at:{flow.name}"] * bool(flow.only and cheaper not in flow.only)
    names += [f"not_at:{cheaper}:{flow.name}", f"unavailable:numa:{cheaper}"]
    names += [
        limit.id
        for limit in instance.limits
        if used.get(limit.resource, 0) - now.get(limit.resource, 0) + then.get(limit.resource, 0)
        > limit.limit
    ]
    return [reasons[name] for name in names if name in reasons]


# ------------------------------------------------------------------ why not
def force(machine: Machine, raw: Raw, clause: Mapping[str, str]) -> dict[str, Any]:
    """Return the request with one flow forced to a node: `flow=rx node=1`."""
    name, node = clause.get("flow"), clause.get("node", clause.get("numa_node"))
    if name is None or node is None or not set(clause) <= {"flow", "node", "numa_node"}:
        raise RequestError("say which flow and where", mend='write "flow=NAME node=NUMBER"')
    flows = [dict(flow) for flow in raw.get("flow", [])]
    wanted = [flow for flow in flows if flow.get("name") == name]
    if not wanted:
        known = ", ".join(str(flow.get("name")) for flow in flows)
        raise RequestError(f"there is no flow {name!r}", mend=f"flows are: {known}")
    machine_node = node.removeprefix("numa:")
    wanted[0]["numa_node"] = int(machine_node) if machine_node.isdigit() else node
    return {**raw, "flow": flows}


EXAMPLE = """\
[[flow]]
name = "router"
device = "eth0"
consumer = 20
pattern = "forward"

[[flow]]
name = "sink"
device = "eth0"
consumer = 20
pattern = "consume"

[[capacity]]
object = "numa:0"
bytes = 1048576
"""

QUESTION = Question(
    name="buffers",
    summary="the NUMA node of each packet ring, its price, and where the choice flips",
    request=BuffersRequest,
    decide=decide,
    check=checker.check,
    force=force,
    example=EXAMPLE,
)

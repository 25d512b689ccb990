"""`buffers`: the NUMA node of each flow's ring, so that packets spend the least time on their way.

The model is in `buffers_price`, the rules in `rules/buffers/`. Receive-and-forward near the device
and consume near the core are results, with the touched fraction at which the choice flips.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import inf, nextafter
from typing import Any

from skb.bandwidth import Bandwidths
from skb.checkers import buffers as checker
from skb.costs import Costs
from skb.decision import Assumption, Cost, Decision, Limits, Objective, Reason, Status
from skb.engines.asp import rules_digest
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.buffers_assumed import assumptions
from skb.questions.buffers_instance import Instance, build, near
from skb.questions.buffers_price import TERMS, flips, packet_costs, per_second
from skb.questions.buffers_request import BuffersRequest, defaulted, read_buffers
from skb.questions.buffers_search import FILES, Found, own_nodes, search
from skb.questions.question import Question, Raw

UNIT = "ns/s"


def decide(machine: Machine, raw: Raw, limits: Limits) -> Decision:
    """Return the decision; raise `RequestError` for a bad request."""
    started = time.monotonic()
    flows, capacities = read_buffers(raw, machine)
    costs, rates = Costs(machine), Bandwidths(machine)
    # what only the crossover of flows that read nothing needs is kept apart
    idle_costs, idle_rates = Costs(machine), Bandwidths(machine)
    packets = [
        packet_costs(
            flow, costs, rates, *((costs, rates) if flow.touched else (idle_costs, idle_rates))
        )
        for flow in flows
    ]
    instance = build(machine, flows, capacities, rates, packets)
    found = search(instance, limits)
    used = (*costs.assumed, *rates.assumed)
    idle = (*idle_costs.assumed, *idle_rates.assumed)
    assumed = (*assumptions(instance, used, idle), *defaulted(raw))
    provenance = {
        "facts": machine.digest,
        "rules": rules_digest(FILES),
        "engine": found.engine,
        "seed": limits.seed,
        "limit_s": limits.seconds,
    }
    decision = _answer(instance, found, dict(raw), assumed, provenance)
    return decision.stamped(seconds=round(time.monotonic() - started, 6))


# ------------------------------------------------------------------ answer
def _answer(
    instance: Instance,
    found: Found,
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
        if bound < price and float(bound) >= float(price):
            bound = Fraction(nextafter(float(price), -inf))
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
        own = own_nodes(instance, index)
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
    used = instance.used(nodes)
    found: dict[str, Reason] = {}
    for index, node in enumerate(nodes):
        weights = instance.weights[index]
        for cheaper in sorted(n for n in weights if weights[n] < weights[node]):
            for reason in _keeps_away(instance, index, node, cheaper, used):
                found.setdefault(reason.id, reason)
    return tuple(found[name] for name in sorted(found))


def _keeps_away(
    instance: Instance, index: int, node: int, cheaper: int, used: Mapping[str, Fraction]
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

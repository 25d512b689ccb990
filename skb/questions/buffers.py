"""`buffers`: the NUMA node of each flow's ring, so that packets spend the least time on their way.

The model is in `buffers_price`, the rules in `rules/buffers/`. Receive-and-forward near the device
and consume near the core are results, with the touched fraction at which the choice flips.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import inf, nextafter
from typing import Any

from skb.bandwidth import Bandwidths
from skb.checkers import buffers as checker
from skb.costs import Costs
from skb.decision import Assumption, Decision, Limits, Objective, Status
from skb.engines.asp import rules_digest
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.buffers_answer import PS_PER_NS, UNIT, binding, flows, terms, total
from skb.questions.buffers_assumed import assumptions
from skb.questions.buffers_instance import Instance, build
from skb.questions.buffers_price import Prices
from skb.questions.buffers_request import BuffersRequest, defaulted, read_buffers
from skb.questions.buffers_rings import Sites
from skb.questions.buffers_search import FILES, Found, search
from skb.questions.question import Question, Raw

# the key of a request that demands a node for a ring
KEYS = {
    "payload": "numa_node",
    "headers": "headers_numa_node",
    "descriptors": "descriptors_numa_node",
}


def decide(machine: Machine, raw: Raw, limits: Limits) -> Decision:
    """Return the decision; raise `RequestError` for a bad request."""
    started = time.monotonic()
    asked = read_buffers(raw, machine)
    costs, rates = Costs(machine), Bandwidths(machine)
    # what only the crossover of flows that read nothing needs is kept apart
    idle = Costs(machine), Bandwidths(machine)
    sites = Sites(machine, asked.capacities)
    instance = build(machine, asked, Prices(costs, rates, idle), sites)
    begun = started if limits.begun is None else limits.begun
    found = search(instance, replace(limits, begun=begun))
    assumed = assumptions(
        instance,
        sites,
        (*costs.assumed, *rates.assumed),
        (*idle[0].assumed, *idle[1].assumed),
    )
    provenance = {
        "facts": machine.digest,
        "rules": rules_digest(FILES),
        "engine": found.engine,
        "seed": limits.seed,
        "limit_s": limits.seconds,
    }
    decision = _answer(instance, found, dict(raw), (*assumed, *defaulted(raw)), provenance)
    return decision.stamped(seconds=round(time.monotonic() - started, 6))


def _answer(
    instance: Instance,
    found: Found,
    request: dict[str, Any],
    assumed: tuple[Assumption, ...],
    provenance: dict[str, Any],
) -> Decision:
    chosen = found.chosen
    price = None if chosen is None else total(chosen)
    bound = (instance.base + found.bound * instance.unit) / PS_PER_NS
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
        answer={} if chosen is None else {"flows": flows(instance, chosen)},
        costs=() if chosen is None else terms(instance, chosen),
        reasons=found.refused or (() if chosen is None else binding(instance, chosen)),
        assumed=assumed,
        provenance=provenance,
        request=request,
        warnings=tuple(instance.warnings),
    )


# ------------------------------------------------------------------ why not
def force(machine: Machine, raw: Raw, clause: Mapping[str, str]) -> dict[str, Any]:
    """Return the request with a ring forced to a node, or a consumer to a PU.

    `flow=rx node=1`, `flow=rx ring=descriptors numa=1`, `flow=rx pu=5`.
    """
    name = clause.get("flow")
    nodes = [clause[key] for key in ("node", "numa_node", "numa") if key in clause]
    ring, pu = clause.get("ring", "payload"), clause.get("pu")
    known = {"flow", "node", "numa_node", "numa", "ring", "pu"}
    if name is None or len(nodes) + (pu is not None) != 1 or not set(clause) <= known:
        raise RequestError(
            "say which flow and where",
            mend='write "flow=NAME numa=NUMBER", with ring=descriptors or ring=headers for those,'
            ' or "flow=NAME pu=NUMBER"',
        )
    if ring not in KEYS:
        raise RequestError(f"there is no ring {ring!r}", mend=f"rings are: {', '.join(KEYS)}")
    rows = [dict(flow) for flow in raw.get("flow", [])]
    wanted = [flow for flow in rows if flow.get("name") == name]
    if not wanted:
        names = ", ".join(str(flow.get("name")) for flow in rows)
        raise RequestError(f"there is no flow {name!r}", mend=f"flows are: {names}")
    if pu is not None:
        wanted[0]["pu"] = _number(pu.removeprefix("pu:"))
    else:
        wanted[0][KEYS[ring]] = _number(nodes[0].removeprefix("numa:"))
    return {**raw, "flow": rows}


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text


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

"""`links`: forwarding tables of an interconnect that cannot deadlock and spread the load evenly.

Routers look at the destination alone. A table is free of deadlock where in each virtual channel no
links wait for each other in a circle; all messages to one destination use one channel. First come
the fewest channels (where the request gives no number), then the least largest load of a link, then
the least mean.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from skb.checkers import links as checker
from skb.decision import Cost, Decision, Limits, Objective, Reason, Status
from skb.engines.asp import engine_name, rules_digest
from skb.engines.links_exact import EXPLAIN_FILES, FILES, clash
from skb.engines.links_net import Table
from skb.engines.links_solve import Solution, solve
from skb.machine import Machine
from skb.questions.links_answer import (
    binding,
    bound_of,
    clash_reason,
    ring_reason,
    table_of,
)
from skb.questions.links_current import has_current, with_current
from skb.questions.links_instance import Instance, blocking, instance
from skb.questions.links_more import failures, helps
from skb.questions.links_queues import expected, queues, simulated
from skb.questions.links_request import LinksRequest, force
from skb.questions.question import Question, Raw, read_request, unanswered
from skb.wording import counted

SPARE = 0.05  # seconds of the limit for output
CHECKING = 1.2e-5  # and for each pair of nodes, which answer, checker and output write and read
CUTTING = 1e-6  # and for each node of the network without each link
MEASURED = 0.005  # seconds of its own by which a process sees whether it is alone
CROWDED = 3.0  # times as long as alone that is reckoned with at most
FIRST = 0.06  # seconds after which a small network has a table, which are given in any case


def decide(machine: Machine, raw: Raw, limits: Limits) -> Decision:
    """Decide tables; raise `RequestError` for a bad request."""
    begin = limits.begun if limits.begun is not None else time.monotonic()
    started, used = time.monotonic(), time.process_time()
    request = read_request(raw, LinksRequest, "links")
    asked = instance(machine, request)
    walk = CHECKING * asked.net.size**2
    # where others use the processor too, all takes so much longer than its own time
    crowd = (time.monotonic() - started) / max(time.process_time() - used, MEASURED)
    spare = SPARE + walk * (1 + 2 * has_current(machine, request)) * min(max(crowd, 1.0), CROWDED)
    if request.failures:
        spare += len(asked.net.arcs) * asked.net.size * CUTTING
    deadline = begin + limits.seconds - spare
    small = walk <= FIRST  # it has its table at once, whatever the limit
    if small:
        deadline = max(started + FIRST, deadline)
    decision = _begun(machine, raw, asked, request, limits)
    apart = _apart(machine, asked, request)
    if apart:
        decision = replace(decision, status=Status.INFEASIBLE, reasons=apart)
    elif time.monotonic() >= deadline and not small:
        text = f"the limit leaves no time for tables of {asked.net.size} nodes"
        decision = replace(decision, reasons=(Reason("limit", text),))
    else:
        share = 0.5 if request.failures else 1.0
        now = time.monotonic()
        left = deadline - now - expected(asked, limits.seconds)
        found = solve(
            asked.net,
            request.virtual_channels or None,
            limits,
            now + max(FIRST / 2, left) * share,
        )
        if found.table is not None:
            decision = _with_table(machine, decision, asked, found, limits)
            decision = _with_backlog(
                machine, decision, asked, request, found.table, limits, deadline
            )
            if request.failures:
                rows = failures(asked, found.channels, found.table, limits, deadline, walk)
                decision = replace(decision, answer={**decision.answer, "failures": rows})
        elif found.exists is False:
            decision = _without(decision, asked, found, limits, deadline)
        else:
            text = f"the limit came before a table on {counted(found.channels, 'virtual channel')}"
            reason = Reason("limit", f"{text} was found or excluded")
            decision = replace(decision, reasons=(reason,))
    decision = with_current(machine, decision, asked, request)
    return decision.stamped(seconds=round(time.monotonic() - started, 4))


def _begun(
    machine: Machine, raw: Raw, asked: Instance, request: LinksRequest, limits: Limits
) -> Decision:
    """Return a decision without an answer yet."""
    unit = "pairs" if request.traffic == "uniform" else "traffic"
    objective = Objective("maximum link load", None, unit)
    engine = f"tables, search and bounds, {engine_name()}"
    rules = rules_digest((*FILES, *EXPLAIN_FILES))
    decision = unanswered(
        "links", machine, raw, limits, objective, engine, rules, conflicts=limits.conflicts
    )
    return replace(decision, assumed=asked.assumed, warnings=asked.warnings)


# ------------------------------------------------------------------ no table
def _apart(machine: Machine, asked: Instance, request: LinksRequest) -> tuple[Reason, ...]:
    """Return why some node is not reached, or an entry cannot be; empty where all is well."""
    net = asked.net
    nodes = range(net.size)
    lost = next(((s, d) for s in nodes for d in nodes if net.distance[s][d] < 0), None)
    if lost is not None:
        s, d = (asked.nodes[at] for at in lost)
        off, minimal = blocking(machine, request, s, d)
        text = "" if minimal else "; not all that is off is needed for that"
        reasons = [Reason("unreachable", f"no links lead from {s} to {d}{text}", (s, d))]
        for part in off:
            items = (part,) if isinstance(part, str) else part
            words = " - ".join(items)
            reasons.append(Reason(f"off:{words}", f"{words} is off", items))
        return tuple(reasons)
    for given in net.forced:
        if not net.steps[given[1]][given[0]]:
            same = [_required(asked, entry) for entry in net.forced if entry[:2] == given[:2]]
            if len(same) == 1 and net.minimal:
                same.append(Reason("minimal", "only shortest paths are allowed"))
            return tuple(same[:2])
    return ()


def _required(asked: Instance, entry: tuple[int, int, int]) -> Reason:
    start, end, step = (asked.nodes[at] for at in entry)
    text = f"{start} forwards to {step} what goes to {end}"
    return Reason("require", text, (start, end, step))


def _without(
    decision: Decision, asked: Instance, found: Solution, limits: Limits, deadline: float
) -> Decision:
    """Say which links wait for each other, which wishes lead to that, and what would help."""
    channels = found.channels
    warnings = decision.warnings
    if found.ring is not None and channels == 1:
        reasons = [ring_reason(asked, found.ring)]
    else:
        half = time.monotonic() + (deadline - time.monotonic()) / 2
        core, exact = clash(asked.net, channels, limits, half)
        if core:
            reasons = [clash_reason(asked, channels, core, exact)]
        else:
            reasons = []
            warnings = (*warnings, "the limit came before it was found what clashes")
    reasons.append(
        Reason("virtual_channels", f"{counted(channels, 'virtual channel')} may be used")
    )
    if asked.net.minimal:
        reasons.append(Reason("minimal", "only shortest paths are allowed"))
    reasons += [_required(asked, entry) for entry in asked.net.forced]
    unit = decision.objective.unit
    return replace(
        decision,
        status=Status.INFEASIBLE,
        reasons=tuple(reasons),
        alternatives=tuple(helps(asked, channels, limits, deadline, unit)),
        warnings=warnings,
    )


# ------------------------------------------------------------------ a table
def _with_table(
    machine: Machine, decision: Decision, asked: Instance, found: Solution, limits: Limits
) -> Decision:
    assert found.table is not None
    told = table_of(asked, found.table)
    depth, assumed = queues(machine, asked)
    value, bound = asked.value(found.value), asked.value(found.bound.value)
    if found.searched:
        bound = value
    unit = decision.objective.unit
    answer: dict[str, Any] = {
        "level": asked.level,
        "nodes": list(asked.nodes),
        "minimal": asked.net.minimal,
        "deadlock_free": True,
        "least_channels": found.least_channels,
        **told,
        "queue_depth": depth,
        "proof": bound_of(asked, found.bound, found.value, found.searched),
    }
    reasons = binding(asked, told, found.bound, found.searched)
    if found.ring is not None:
        reasons.append(ring_reason(asked, found.ring))
    if found.least_channels > (1 if found.ring is None else 2):
        fewer = counted(found.least_channels - 1, "virtual channel")
        reasons.append(Reason("channels", f"no table fits on {fewer}: searched whole"))
    warnings = decision.warnings
    fewest = bool(decision.request.get("virtual_channels")) or (
        found.least_channels == found.channels
    )
    if not fewest:
        text = f"fewer virtual channels are not excluded: at least {found.least_channels}"
        warnings = (*warnings, text)
    return replace(
        decision,
        status=Status.OPTIMAL if found.proven and fewest else Status.FEASIBLE,
        objective=replace(decision.objective, value=value),
        bound=bound,
        answer=answer,
        costs=(
            Cost("mean link load", told["mean_load"], unit),
            Cost("mean hops", told["hops"]["mean"], "hops"),
            Cost("virtual channels", told["virtual_channels"], ""),
        ),
        reasons=tuple(reasons),
        assumed=(*decision.assumed, *assumed),
        warnings=warnings,
    ).stamped(found_by=", ".join(found.methods))


def _with_backlog(
    machine: Machine,
    decision: Decision,
    asked: Instance,
    request: LinksRequest,
    table: Table,
    limits: Limits,
    deadline: float,
) -> Decision:
    """Add what waits for links, where the limit has time to simulate that."""
    until = max(deadline, time.monotonic() + FIRST / 2)
    told = simulated(machine, asked, request, table, limits, until)
    if told:
        return replace(decision, answer={**decision.answer, **told})
    text = "the limit left no time to simulate how many packets wait for a link"
    return replace(decision, warnings=(*decision.warnings, text))


QUESTION = Question(
    name="links",
    summary="forwarding tables of the interconnect, free of deadlock, with the load spread evenly",
    request=LinksRequest,
    decide=decide,
    check=checker.check,
    force=force,
    needs_pus=False,
)

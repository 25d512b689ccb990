"""Checker of routes: walks the tree, keeps the clock and compares; no rules, no engine.

Everything is recomputed in picoseconds from the snapshot's message costs and the request, by the
formulas of docs/message-model.md (send, gap or send, propagation, receive; reductions serve in
order of arrival).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from skb.checkers.route_links import check_links
from skb.checkers.route_varied import check_varied
from skb.costs import Costs
from skb.decision import Decision
from skb.machine import Machine
from skb.messages import MessagePairs

_COUNTS = {
    "broadcast": {"broadcast": 1},
    "broadcast-ack": {"broadcast": 1, "report": 1},
    "reduce": {"reduction": 1},
    "barrier": {"reduction": 1, "broadcast": 1},
    "two-phase-commit": {"report": 1, "broadcast": 2, "reduction": 1},
}
_EPSILON_NS = 1e-6
Rows = dict[int, list[int]]


def check(machine: Machine, decision: Decision) -> list[str]:
    """Return what is wrong with a route in words, empty where all is well."""
    if decision.status in ("infeasible", "unknown"):
        return _check_no_answer(decision)
    wrong = _check_shape(decision.answer)
    if wrong:
        return wrong
    root = decision.answer["root"]
    members = _members(machine, decision.request, root)
    rows = {row["from"]: list(row["to"]) for row in decision.answer["sends"]}
    wrong = _check_tree(decision.answer["sends"], rows, root, members)
    wrong += _check_request(decision.request, decision.answer, rows, root)
    back, wrong_back = _back(decision, members, root, rows)
    wrong += wrong_back
    if wrong:
        return wrong
    transport = decision.request.get("transport", "cache_line")
    messages = Costs(machine).message_pairs(tuple(sorted(members)), transport)
    wrong = check_links(machine, decision, rows, back)
    wrong += check_varied(machine, decision, messages, rows, back)
    wrong += _check_prices(messages, decision, members, root, rows, back)
    wrong += _check_occupancy(messages, decision, root, rows, back)
    return wrong + _check_frontier(messages, decision, members)


def _back(decision: Decision, members: set[int], root: int, rows: Rows) -> tuple[Rows, list[str]]:
    """Return the tree of the reduction, and what is wrong with it where it is one of its own."""
    stated = decision.answer.get("reduction_sends")
    if stated is None:
        return rows, []
    wrong = []
    if decision.request.get("trees", "one") != "per-phase":
        wrong.append("there is a tree for the reduction, asked for was one tree")
    back = {row["from"]: list(row["to"]) for row in stated}
    wrong += _check_tree(stated, back, root, members)
    wrong += _check_request(decision.request, decision.answer, back, root)
    return back, [f"reduction: {text}" for text in wrong]


def _check_no_answer(decision: Decision) -> list[str]:
    wrong = []
    if decision.objective.value is not None or decision.answer:
        wrong.append(f"the status is {decision.status} but there is an answer")
    if decision.status == "infeasible" and not decision.reasons:
        wrong.append("infeasible without a reason")
    return wrong


def _check_shape(answer: dict[str, Any]) -> list[str]:
    lost = [
        key
        for key in ("root", "sends", "arrivals", "critical_path", "completion_ps")
        if key not in answer
    ]
    return [f"the answer lacks {', '.join(lost)}"] if lost else []


def _members(machine: Machine, request: dict[str, Any], root: int) -> set[int]:
    """Return who is to be reached: with `per`, one of each part, the asked root for its own."""
    named = request.get("members")
    members = set(machine.usable_pus if named is None else named)
    asked = request.get("root")
    if asked is not None:
        members.add(asked)
    if request.get("per") is None:
        return members
    parts: dict[frozenset[int], int] = {}
    for pu in sorted(members):
        part = _part(machine, pu, request["per"])
        parts[part] = asked if asked in part else min(pu, parts.get(part, pu))
    return set(parts.values())


def _part(machine: Machine, pu: int, level: str) -> frozenset[int]:
    """Return the PUs of the part of a level around a PU."""
    if level == "numa":
        return machine.pus_of(f"numa:{machine.numa_of_pu[pu][0]}") | {pu}
    around = (f"pu:{pu}", *machine.ancestors(f"pu:{pu}"))
    return next(machine.pus_of(at) for at in around if level in machine.levels(at))


def _check_tree(sends: list[dict[str, Any]], rows: Rows, root: int, members: set[int]) -> list[str]:
    """Walk the tree: everybody is reached from the root, once."""
    wrong = []
    if len(rows) != len(sends):
        wrong.append("a sender is listed twice")
    if root not in members:
        wrong.append(f"the root pu:{root} is not a member")
    reached, waiting = {root}, [root]
    while waiting:
        sender = waiting.pop()
        for receiver in rows.get(sender, []):
            if receiver in reached:
                wrong.append(f"pu:{receiver} is reached twice, again from pu:{sender}")
                continue
            reached.add(receiver)
            waiting.append(receiver)
    wrong += [f"pu:{pu} is a member and never reached" for pu in sorted(members - reached)]
    wrong += [f"pu:{pu} is reached and not a member" for pu in sorted(reached - members)]
    idle = sorted(set(rows) - reached)
    wrong += [f"pu:{pu} sends and is never reached" for pu in idle]
    return wrong


def _check_request(
    request: dict[str, Any], answer: dict[str, Any], rows: Rows, root: int
) -> list[str]:
    wrong = []
    used = {(sender, receiver) for sender, row in rows.items() for receiver in row}
    if request.get("root") is not None and request["root"] != root:
        wrong.append(f"the root is pu:{root}, asked for was pu:{request['root']}")
    for u, v in request.get("forbid", []):
        if (u, v) in used:
            wrong.append(f"pu:{u} sends to pu:{v}, which is forbidden")
    for u, v in request.get("require", []):
        if (u, v) not in used:
            wrong.append(f"pu:{u} does not send to pu:{v}, which is required")
    most = request.get("max_fan_out")
    for sender, row in sorted(rows.items()):
        if most is not None and len(row) > most:
            wrong.append(f"pu:{sender} sends to {len(row)} others, allowed are {most}")
    for key, default in (("operation", "broadcast"), ("model", "logp")):
        if answer.get(key) != request.get(key, default):
            wrong.append(f"the {key} is {answer.get(key)!r}, asked for was another")
    return wrong


# ---------------------------------------------------------------- clock
def _informed(messages: MessagePairs, model: str, root: int, rows: Rows) -> dict[int, int]:
    """Return when each PU has finished receiving a broadcast."""
    clock = {root: 0}
    order = [root]
    for sender in order:
        now = clock[sender]
        for place, receiver in enumerate(rows.get(sender, [])):
            pair = (sender, receiver)
            burst = place > 0 and model == "logp"
            now += messages.gap[pair] if burst else messages.send[pair]
            clock[receiver] = now + messages.propagation[pair] + messages.receive[pair]
            order.append(receiver)
    return clock


def _gathered(messages: MessagePairs, root: int, rows: Rows) -> dict[int, int]:
    """Return when each PU has all of its subtree in a reduction."""
    order = [root]
    for node in order:
        order.extend(rows.get(node, []))
    clock: dict[int, int] = {}
    for node in reversed(order):
        incoming = [
            (clock[c] + messages.send[c, node] + messages.propagation[c, node], c)
            for c in rows.get(node, [])
        ]
        now = 0
        for arrival, child in sorted(incoming):
            now = max(now, arrival) + messages.receive[child, node]
        clock[node] = now
    return clock


def _report(
    messages: MessagePairs, informed: dict[int, int], root: int, rows: Rows
) -> tuple[int, int]:
    """Return the last leaf (of equals the smallest PU) and its message's time to the root."""
    leaves = [pu for pu in informed if not rows.get(pu)]
    last = max(leaves, key=lambda pu: (informed[pu], -pu))
    if last == root:
        return last, 0
    pair = (last, root)
    return last, messages.send[pair] + messages.propagation[pair] + messages.receive[pair]


def _times(
    messages: MessagePairs, request: dict[str, Any], root: int, rows: Rows, back: Rows
) -> tuple[dict[str, int], int, dict[int, int], dict[int, int], int]:
    """Return the phases, their total, when each PU is informed and gathered, and the last leaf."""
    informed = _informed(messages, request.get("model", "logp"), root, rows)
    gathered = _gathered(messages, root, back)
    last, report = _report(messages, informed, root, rows)
    phases = {"broadcast": max(informed.values()), "reduction": gathered[root], "report": report}
    counts = _COUNTS[request.get("operation", "broadcast")]
    total = sum(times * phases[name] for name, times in counts.items())
    return phases, total, informed, gathered, last


def _check_prices(
    messages: MessagePairs,
    decision: Decision,
    members: set[int],
    root: int,
    rows: Rows,
    back: Rows,
) -> list[str]:
    answer, request = decision.answer, decision.request
    operation = request.get("operation", "broadcast")
    phases, total, informed, gathered, last = _times(messages, request, root, rows, back)
    wrong = []
    if answer["completion_ps"] != total:
        wrong.append(f"the completion is {total} ps, stated is {answer['completion_ps']}")
    if request.get("objective", "completion") != "occupancy":
        varied = answer.get("varied") if request.get("robust") else None
        name = "completion_p95" if varied else "completion"
        wrong += _check_objective(decision, name, varied["p95_ps"] if varied else total)
    for name in _COUNTS[operation]:
        if not _same(answer.get("phases", {}).get(name), phases[name]):
            wrong.append(f"the phase {name} takes {phases[name] / 1000:g} ns")
    shift = total - phases["broadcast"] if operation in ("barrier", "two-phase-commit") else 0
    ends = gathered if operation == "reduce" else {pu: shift + t for pu, t in informed.items()}
    if set(answer["arrivals"]) != {str(pu) for pu in members}:
        wrong.append("the arrivals do not name exactly the members")
    for pu in sorted(members):
        stated = answer["arrivals"].get(str(pu))
        if stated is not None and not _same(stated, ends[pu]):
            wrong.append(f"pu:{pu} is done at {ends[pu] / 1000:g} ns, stated is {stated}")
    return wrong + _check_path(answer, operation, root, rows, back, informed, last)


def _same(stated: object, exact_ps: int) -> bool:
    return isinstance(stated, int | float) and stated == exact_ps / 1000


def _check_objective(decision: Decision, name: str, total: int) -> list[str]:
    wrong = []
    stated, bound = decision.objective.value, decision.bound
    if decision.objective.name != name or not _same(stated, total):
        wrong.append(f"the {name} is {total} ps, stated is {stated} ns")
    paid = sum(cost.value for cost in decision.costs)
    if abs(paid - total / 1000) > _EPSILON_NS * max(1.0, total / 1000):
        wrong.append(f"the costs add up to {paid:g} ns, the {name} is {total / 1000:g} ns")
    if bound is not None and bound > total / 1000:
        wrong.append(f"the bound {bound} ns lies above the {name} {total / 1000:g} ns")
    if decision.status == "optimal" and bound != total / 1000:
        wrong.append(f"optimal, but the bound is not the {name}")
    return wrong


# ---------------------------------------------------------------- occupancy
def _loads(
    messages: MessagePairs, request: dict[str, Any], root: int, rows: Rows, back: Rows
) -> dict[int, int]:
    """Return how long one operation keeps each PU busy with sending and receiving."""
    counts, logp = _COUNTS[request.get("operation", "broadcast")], request.get("model") != "postal"
    loads = dict.fromkeys(messages.members, 0)
    for sender, row in rows.items():
        for place, receiver in enumerate(row):
            pair = (sender, receiver)
            sent = messages.gap[pair] if place and logp else messages.send[pair]
            loads[sender] += counts.get("broadcast", 0) * sent
            loads[receiver] += counts.get("broadcast", 0) * messages.receive[pair]
    for above, row in back.items():
        for below in row:
            loads[below] += counts.get("reduction", 0) * messages.send[below, above]
            loads[above] += counts.get("reduction", 0) * messages.receive[below, above]
    informed = _informed(messages, request.get("model", "logp"), root, rows)
    last, _ = _report(messages, informed, root, rows)
    if "report" in counts and last != root:
        loads[last] += messages.send[last, root]
        loads[root] += messages.receive[last, root]
    return loads


def _check_occupancy(
    messages: MessagePairs, decision: Decision, root: int, rows: Rows, back: Rows
) -> list[str]:
    answer = decision.answer
    loads = _loads(messages, decision.request, root, rows, back)
    most = max(loads.values())
    wrong = []
    if answer.get("occupancy_ps") != most or loads.get(answer.get("busiest", -1)) != most:
        wrong.append(f"the busiest PU is busy for {most} ps, stated is another, or another PU")
    if decision.request.get("objective") == "occupancy":
        wrong += _check_objective(decision, "occupancy", most)
    return wrong


def _check_frontier(messages: MessagePairs, decision: Decision, members: set[int]) -> list[str]:
    """Walk each tree of a frontier; none may be as good as another in both."""
    wrong = []
    asked = decision.request.get("objective") == "frontier"
    points = decision.answer.get("frontier", [])
    if asked != bool(points):
        wrong.append("a frontier is stated without being asked for, or the other way round")
    for number, point in enumerate(points):
        rows = {row["from"]: list(row["to"]) for row in point["sends"]}
        answer = {**decision.answer, "root": point["root"]}
        here = _check_tree(point["sends"], rows, point["root"], members)
        here += _check_request(decision.request, answer, rows, point["root"])
        if not here:
            _, total, *_ = _times(messages, decision.request, point["root"], rows, rows)
            most = max(_loads(messages, decision.request, point["root"], rows, rows).values())
            if (total, most) != (point["completion_ps"], point["occupancy_ps"]):
                here.append(f"it takes {total} ps and keeps a PU busy for {most} ps")
            if point["completion_bound_ps"] > total or point["occupancy_bound_ps"] > most:
                here.append("a bound lies above the value")
        wrong += [f"frontier[{number}]: {text}" for text in here]
    for one, two in pairwise(points):
        if not (
            one["occupancy_ps"] > two["occupancy_ps"]
            and one["completion_ps"] < two["completion_ps"]
        ):
            wrong.append("the frontier does not fall in occupancy while it rises in completion")
    if points and points[0]["completion_ps"] != decision.answer["completion_ps"]:
        wrong.append("the frontier does not begin with the tree that is answered")
    return wrong


def _check_path(
    answer: dict[str, Any],
    operation: str,
    root: int,
    rows: Rows,
    back: Rows,
    informed: dict[int, int],
    last: int,
) -> list[str]:
    """Follow the critical path hop by hop: tree edges down or up, or the report to the root."""
    path = list(answer["critical_path"])
    down = {(u, v) for u, row in rows.items() for v in row}
    up = {(v, u) for u, row in back.items() for v in row}
    usable = up if operation == "reduce" else down if operation == "broadcast" else down | up
    if operation in ("broadcast-ack", "two-phase-commit"):
        usable = usable | {(last, root)}
    if operation == "two-phase-commit":
        # the votes start at a leaf of their own, once the last one is prepared
        ready = [pu for pu in informed if informed[pu] == max(informed.values())]
        leaves = [pu for pu in informed if not back.get(pu)]
        usable = usable | {(u, v) for u in ready for v in leaves}
    wrong = [
        f"the critical path goes from pu:{u} to pu:{v}, which is no message of the operation"
        for u, v in pairwise(path)
        if (u, v) not in usable
    ]
    if root not in path:
        wrong.append("the critical path does not touch the root")
    elif operation in ("reduce", "broadcast-ack") and path[-1] != root:
        wrong.append("the critical path does not end at the root")
    elif operation in ("broadcast", "barrier", "two-phase-commit") and (
        informed.get(path[-1]) != max(informed.values())
    ):
        wrong.append("the critical path does not end at the PU that is informed last")
    return wrong

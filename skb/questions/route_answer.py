"""What a route's decision says: the trees, their price and proof, and why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from skb.decision import Cost, Decision, Objective, Reason, Status
from skb.engines.asp import Term
from skb.engines.route_frontier import Point
from skb.engines.route_rules import Verdict
from skb.engines.route_tree import Task, Tree, ordered, value
from skb.engines.route_tree import admissible as keeps_to
from skb.errors import RequestError
from skb.machine import object_order
from skb.questions.route_objectives import Found
from skb.questions.route_price import Pairs, Price, busy_terms, occupancy, price
from skb.questions.route_request import Wanted
from skb.questions.route_robust import Varied


def without_tree(decision: Decision, judged: Verdict) -> Decision:
    """Say that there is no tree and what clashes, or that the limit came first."""
    if judged.exists is not False:
        reason = Reason("limit", "the limit came before a tree was found")
        return replace(decision, reasons=(reason,))
    reasons = tuple(
        Reason(":".join(map(str, clash)), _in_words(clash), _items(clash)) for clash in judged.clash
    )
    warnings = decision.warnings
    if not judged.minimal:
        warnings = (*warnings, "the limit came before the reasons were proven minimal")
    return replace(decision, status=Status.INFEASIBLE, reasons=reasons, warnings=warnings)


def _in_words(clash: tuple[Term, ...]) -> str:
    name, numbers = clash[0], clash[1:]
    if name == "forbid":
        return f"forbidden {numbers[0]}->{numbers[1]}"
    if name == "require":
        return f"required {numbers[0]}->{numbers[1]}"
    if name == "root":
        return f"the root is pu:{numbers[0]}"
    if name == "forbid_link":
        return f"forbidden link {numbers[0]} - {numbers[1]}"
    return f"{name} {numbers[0]}"


def _items(clash: tuple[Term, ...]) -> tuple[str, ...]:
    if clash[0] in ("max_fan_out", "max_link_load"):
        return ()
    return tuple(f"pu:{part}" if isinstance(part, int) else str(part) for part in clash[1:])


def in_order(task: Task, pairs: Pairs, tree: Tree) -> Tree:
    """Return a tree with its children in an order that messages down it are best sent in."""
    return tree if task.in_order else ordered(pairs.down, tree.root, tree.kids)


def with_tree(
    decision: Decision,
    wanted: Wanted,
    pairs: Pairs,
    task: Task,
    found: Found,
) -> Decision:
    """Fill in answer, price, proof and reasons."""
    operation, back = wanted.request.operation, found.back
    tree = in_order(task, pairs, found.tree)
    paid = price(pairs, operation, tree, back)
    busy = busy_terms(pairs, operation, tree, back)
    times = [sum(terms.values()) for terms in busy]
    busiest = times.index(max(times))
    by_occupancy = wanted.request.objective == "occupancy"
    total, terms = (times[busiest], busy[busiest]) if by_occupancy else (paid.total, paid.terms)
    answer = _answer(wanted, tree, paid)
    answer["occupancy_ps"] = times[busiest]
    answer["busiest"] = wanted.members[busiest]
    if back is not None:
        answer["reduction_sends"] = _sends(wanted, back)
    loads = _link_loads(wanted, tree, back)
    if loads is not None:
        answer["link_load"] = loads
    if found.points:
        answer["frontier"] = [_point(wanted, pairs, task, found, at) for at in found.points]
    return replace(
        decision,
        status=Status.OPTIMAL if found.bound == total else Status.FEASIBLE,
        objective=Objective("occupancy" if by_occupancy else "completion", total / 1000, "ns"),
        bound=found.bound / 1000,
        answer=answer,
        costs=tuple(Cost(term, value / 1000, "ns") for term, value in terms.items()),
        reasons=(
            *_reasons(wanted, paid, found, busiest if by_occupancy else None),
            *_tight(wanted, answer),
        ),
    )


def _link_loads(wanted: Wanted, tree: Tree, back: Tree | None) -> list[dict[str, Any]] | None:
    """Return how many messages of one operation cross each link, the most first.

    None where the machine states no links, or no links lead from one member to another.
    """
    try:
        loads = wanted.ways.loads(tree, back)
    except RequestError:
        return None
    rows = sorted(
        loads.items(), key=lambda row: (-row[1], object_order(row[0][0]), object_order(row[0][1]))
    )
    return [{"from": a, "to": b, "messages": load} for (a, b), load in rows] or None


def _tight(wanted: Wanted, answer: dict[str, Any]) -> list[Reason]:
    """Name the limits of the request that leave no room in the answer."""
    request, rows = wanted.request, []
    for send in answer["sends"]:
        if len(send["to"]) == request.max_fan_out:
            text = f"max_fan_out {request.max_fan_out} binds at pu:{send['from']}"
            rows.append(Reason("max_fan_out", text, (f"pu:{send['from']}",)))
            break
    for link in answer.get("link_load", [])[:1]:
        if link["messages"] == request.max_link_load:
            ends = (link["from"], link["to"])
            text = f"max_link_load {request.max_link_load} binds from {ends[0]} to {ends[1]}"
            rows.append(Reason("max_link_load", text, ends))
    return rows


def _sends(wanted: Wanted, tree: Tree) -> list[dict[str, Any]]:
    pus = wanted.members
    senders = [node for node, row in enumerate(tree.kids) if row]
    senders.sort(key=lambda node: (node != tree.root, node))
    return [
        {"from": pus[node], "to": [pus[child] for child in tree.kids[node]]} for node in senders
    ]


def _answer(wanted: Wanted, tree: Tree, paid: Price) -> dict[str, Any]:
    pus, request = wanted.members, wanted.request
    return {
        "root": pus[tree.root],
        "sends": _sends(wanted, tree),
        "arrivals": {str(pu): at / 1000 for pu, at in zip(pus, paid.arrivals, strict=True)},
        "critical_path": [pus[node] for node in paid.path],
        "model": request.model,
        "operation": request.operation,
        "completion_ps": paid.total,
        "phases": {name: at / 1000 for name, at in paid.phases.items()},
    }


def _point(wanted: Wanted, pairs: Pairs, task: Task, found: Found, point: Point) -> dict[str, Any]:
    """Return a tree of the frontier; `proven` says that no tree is better in one, as good in both.

    `completion_bound_ps` is what no tree of at most this occupancy ends before.
    """
    tree = in_order(task, pairs, point.tree)
    return {
        "occupancy_ps": occupancy(pairs, wanted.request.operation, tree),
        "completion_ps": point.worth,
        "completion_bound_ps": point.bound,
        "occupancy_bound_ps": found.load_bound,
        "proven": found.whole or (point.worth == point.bound and point.load == found.load_bound),
        "root": wanted.members[tree.root],
        "sends": _sends(wanted, tree),
    }


def _reasons(wanted: Wanted, paid: Price, found: Found, busiest: int | None) -> tuple[Reason, ...]:
    pus = wanted.members
    path = [pus[node] for node in paid.path]
    rows = [
        Reason(
            "critical-path",
            "the operation ends with the messages " + " -> ".join(map(str, path)),
            tuple(f"pu:{pu}" for pu in dict.fromkeys(path)),
        )
    ]
    words = "ends before"
    if busiest is not None:
        words = "keeps its busiest PU busy for less than"
        busy = f"pu:{pus[busiest]}"
        rows.append(Reason("busiest", f"{busy} is busy longest in each operation", (busy,)))
    if found.methods:
        text = f"no admissible tree {words} {found.bound / 1000:g} ns"
        rows.append(Reason("bound", f"{text}: {', '.join(found.methods)}"))
    return tuple(rows)


def best_of_each(task: Task, classics: Sequence[tuple[str, Tree]]) -> dict[str, Tree]:
    """Return the tree of each name that ends first, an admissible one where there is one."""
    best: dict[str, tuple[bool, int, Tree]] = {}
    for name, tree in classics:
        row = (not keeps_to(task, tree), value(task, tree), tree)
        if name not in best or row[:2] < best[name][:2]:
            best[name] = row
    return {name: tree for name, (_, _, tree) in best.items()}


def alternatives(
    task: Task,
    pairs: Pairs,
    wanted: Wanted,
    classics: Sequence[tuple[str, Tree]],
    root: int,
    p95_of: Callable[[Tree], int] | None = None,
) -> tuple[dict[str, Any], ...]:
    """Price the classic trees with the decided root and, where the root is free, the best one.

    With `p95_of` the best one of each is priced by its 95 percent point, which was compared.
    """
    request = wanted.request
    if p95_of is not None:
        classics, root = list(best_of_each(task, classics).items()), -1
    best: dict[tuple[str, bool], tuple[int, int, Tree]] = {}
    for name, tree in classics:
        ends = worth = value(task, tree)
        if request.objective == "occupancy":
            worth = occupancy(pairs, request.operation, tree)
        elif p95_of is not None:
            worth = p95_of(in_order(task, pairs, tree))
        for key in ((name, False), (name, True)):
            if key[1] and tree.root != root:
                continue
            if key not in best or worth < best[key][0]:
                best[key] = (worth, ends, tree)
    rows = []
    for (name, _), (worth, ends, tree) in sorted(best.items(), key=lambda row: (row[1][0], row[0])):
        row = {"name": name, "value": worth / 1000, "unit": "ns", "root": wanted.members[tree.root]}
        load = occupancy(pairs, request.operation, tree)
        row |= {"completion_ns": ends / 1000, "occupancy_ns": load / 1000}
        most = request.max_link_load
        if not keeps_to(task, tree):
            row["breaks"] = "forbid, require, forbid_links or max_fan_out"
        elif most is not None and wanted.ways.excess(tree, most):
            row["breaks"] = "max_link_load"
        if row not in rows:
            rows.append(row)
    return tuple(rows)


def with_spread(
    decision: Decision, wanted: Wanted, varied: Varied | None, compared: int
) -> Decision:
    """Add how the operation varies; where trees were chosen by it, make it the objective.

    Nothing bounds the 95 percent point of all trees, so such a choice is not proven. None says that
    no cost of the machine carries a spread.
    """
    if varied is None:
        if not wanted.request.robust:
            return decision
        text = "no cost of these messages carries a spread: the 95 percent point is the completion"
        return replace(decision, warnings=(*decision.warnings, text))
    answer = {**decision.answer, "varied": varied.answer}
    if not wanted.request.robust:
        return replace(decision, answer=answer)
    added = (varied.p95 - answer["completion_ps"]) / 1000
    text = f"of {compared} trees that end nearly first, this one has the least 95 percent point"
    return replace(
        decision,
        status=Status.FEASIBLE,
        objective=Objective("completion_p95", varied.p95 / 1000, "ns"),
        bound=None,
        answer=answer,
        costs=(*decision.costs, Cost("spread", added, "ns")),
        reasons=(Reason("robust", text), *decision.reasons),
    )

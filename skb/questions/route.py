"""Route: over which tree a message reaches a group of PUs soonest, with proof and price.

The rules derive which pairs are admissible; the engines search and prove over what they left. For a
reduction the tree is used upwards: `sends` still names parents first, each with its children.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from skb.costs import Costs
from skb.decision import Assumption, Cost, Decision, Limits, Objective, Reason, Status
from skb.engines.asp import Term, engine_name, rules_digest
from skb.engines.route_rules import FILES, Verdict, admissible, verdict
from skb.engines.route_solve import Solution, solve
from skb.engines.route_tree import Task, Tree, ordered, value
from skb.engines.route_tree import admissible as keeps_to
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.question import Question, Raw
from skb.questions.route_price import Pairs, Price, pairs_of, price, task_of
from skb.questions.route_request import RouteRequest, Wanted, read
from skb.questions.route_trees import classic_trees

CLASSIC_ROOTS = 64
"""With a free root, the classic trees are priced from at most so many roots."""
CLASSIC_WORK = 64_000
FULL_EFFORT_SIZE = 32
"""Up to so many members the whole effort is spent; above, what keeps a first answer quick."""
DEFAULT_CONFLICTS = 20_000
MOST_SECONDS = 600.0
LEVELS = ("core", "l2", "l3", "die", "numa", "package")


def decide(machine: Machine, raw: Raw, limits: Limits) -> Decision:
    """Decide a route; raise `RequestError` for a bad request."""
    begin = time.monotonic()
    wanted = read(machine, raw)
    costs = Costs(machine)
    pairs = pairs_of(costs.message_pairs(wanted.members), wanted.request.model)
    task = _task(wanted, pairs)
    domains = _domains(machine, wanted.members)
    spent = _fuse(begin + limits.seconds - 0.05)
    classics = _classics(task, pairs, domains, spent)
    solution, judged = _solve(machine, wanted, task, classics, limits, spent)
    decision = Decision(
        question="route",
        machine=machine.name,
        revision=machine.revision,
        status=Status.UNKNOWN,
        objective=Objective("completion", None, "ns"),
        answer={},
        assumed=_assumed(costs, wanted.request.model),
        provenance=_provenance(machine, limits, solution),
        request=dict(raw),
        warnings=wanted.warnings,
    )
    if solution is None:
        decision = _without_tree(decision, judged)
    else:
        decision = _with_tree(decision, wanted, pairs, task, solution)
        if wanted.request.compare:
            found = _alternatives(task, pairs, wanted, classics, solution.tree.root)
            decision = replace(decision, alternatives=found)
    return decision.stamped(seconds=round(time.monotonic() - begin, 4))


def _fuse(deadline: float) -> Callable[[], bool]:
    return lambda: time.monotonic() >= deadline


def _provenance(machine: Machine, limits: Limits, solution: Solution | None) -> dict[str, Any]:
    methods = "" if solution is None else ", ".join(solution.methods)
    return {
        "facts": machine.digest,
        "rules": rules_digest(FILES),
        "engine": f"route search and bounds, {engine_name()}",
        "bound_by": methods,
        "seed": limits.seed,
        "limit_s": limits.seconds,
        "conflicts": limits.conflicts,
    }


def _assumed(costs: Costs, model: str) -> tuple[Assumption, ...]:
    """Return what was assumed; the gap only where the model uses it."""
    return tuple(
        row for row in costs.assumed if model == "logp" or not row.fact.startswith("message gap")
    )


# ---------------------------------------------------------------- task
def _task(wanted: Wanted, pairs: Pairs) -> Task:
    """Build the engine's task from what the rules derive."""
    members = wanted.members
    ground = admissible(wanted.atoms)
    allowed = tuple(tuple(u != v and (u, v) not in ground.barred for v in members) for u in members)
    roots = tuple(at for at, pu in enumerate(members) if pu not in ground.barred_roots)
    fan_out = wanted.request.max_fan_out or len(members)
    return task_of(pairs, wanted.request.operation, allowed, roots, fan_out)


def _domains(machine: Machine, members: Sequence[int]) -> list[list[int]]:
    """Return the nodes of each NUMA node, by the first one that is local to each PU."""
    rows: dict[int, list[int]] = {}
    for at, pu in enumerate(members):
        rows.setdefault((machine.numa_of_pu[pu] or (-1,))[0], []).append(at)
    return list(rows.values())


def _partitions(machine: Machine, members: Sequence[int]) -> list[list[tuple[int, ...]]]:
    """Return the groupings of the members by each level of the machine, and one node for each."""
    found: list[list[tuple[int, ...]]] = []
    for level in LEVELS:
        rows: dict[str, list[int]] = {}
        for at, pu in enumerate(members):
            around = next(
                (name for name in machine.ancestors(f"pu:{pu}") if level in machine.levels(name)),
                f"pu:{pu}",
            )
            rows.setdefault(around, []).append(at)
        partition = [tuple(nodes) for nodes in rows.values()]
        if partition not in found:
            found.append(partition)
    alone: list[tuple[int, ...]] = [(at,) for at in range(len(members))]
    return found if alone in found else [alone, *found]


def _classics(
    task: Task, pairs: Pairs, domains: Sequence[Sequence[int]], spent: Callable[[], bool]
) -> list[tuple[str, Tree]]:
    """Return the classic trees from all roots that may be, or from an even choice of them."""
    roots = task.roots
    if len(roots) > CLASSIC_ROOTS:
        wanted = max(4, CLASSIC_WORK // task.size**2)
        roots = roots[:: -(-len(roots) // wanted)]
    found: list[tuple[str, Tree]] = []
    for root in roots:
        if found and spent():
            break
        found.extend(classic_trees(pairs.down, root, domains).items())
    return found


def _solve(
    machine: Machine,
    wanted: Wanted,
    task: Task,
    classics: Sequence[tuple[str, Tree]],
    limits: Limits,
    spent: Callable[[], bool],
) -> tuple[Solution | None, Verdict]:
    """Search; where nothing was found let the rules find a tree, or say what clashes."""
    partitions = _partitions(machine, wanted.members)
    effort = limits.conflicts / DEFAULT_CONFLICTS * min(limits.seconds, MOST_SECONDS) / 10.0
    # every step is dearer on a large machine: a first answer within about a second everywhere
    effort *= min(1.0, FULL_EFFORT_SIZE / task.size)
    starts = [tree for _, tree in classics]
    starts += [ordered(task.phases[0][0], tree.root, tree.kids) for tree in starts]
    judged = Verdict(None)
    for _ in range(2):
        if task.roots:
            found = solve(task, starts, partitions, seed=limits.seed, effort=effort, spent=spent)
            if found is not None:
                return found, judged
        if judged.exists is not None:
            break
        judged = verdict(wanted.atoms, limits)
        if not judged.exists:
            break
        starts = [_as_tree(task, wanted.members, judged)]
    return None, judged


def _as_tree(task: Task, members: Sequence[int], judged: Verdict) -> Tree:
    place = {pu: at for at, pu in enumerate(members)}
    kids: list[list[int]] = [[] for _ in members]
    for sender, receiver in judged.sends:
        kids[place[sender]].append(place[receiver])
    return ordered(task.phases[0][0], place[judged.root], kids)


# ---------------------------------------------------------------- answer
def _without_tree(decision: Decision, judged: Verdict) -> Decision:
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
    return f"max_fan_out {numbers[0]}"


def _items(clash: tuple[Term, ...]) -> tuple[str, ...]:
    return () if clash[0] == "max_fan_out" else tuple(f"pu:{number}" for number in clash[1:])


def _with_tree(
    decision: Decision, wanted: Wanted, pairs: Pairs, task: Task, solution: Solution
) -> Decision:
    """Fill in answer, price, proof and reasons."""
    tree = solution.tree
    if not task.in_order:
        tree = ordered(pairs.down, tree.root, tree.kids)
    paid = price(pairs, wanted.request.operation, tree)
    proven = solution.bound == paid.total
    return replace(
        decision,
        status=Status.OPTIMAL if proven else Status.FEASIBLE,
        objective=Objective("completion", paid.total / 1000, "ns"),
        bound=solution.bound / 1000,
        answer=_answer(wanted, tree, paid),
        costs=tuple(Cost(term, value / 1000, "ns") for term, value in paid.terms.items()),
        reasons=_reasons(wanted, tree, paid, solution),
    )


def _answer(wanted: Wanted, tree: Tree, paid: Price) -> dict[str, Any]:
    pus, request = wanted.members, wanted.request
    senders = [node for node, row in enumerate(tree.kids) if row]
    senders.sort(key=lambda node: (node != tree.root, node))
    return {
        "root": pus[tree.root],
        "sends": [
            {"from": pus[node], "to": [pus[child] for child in tree.kids[node]]} for node in senders
        ],
        "arrivals": {str(pu): at / 1000 for pu, at in zip(pus, paid.arrivals, strict=True)},
        "critical_path": [pus[node] for node in paid.path],
        "model": request.model,
        "operation": request.operation,
        "completion_ps": paid.total,
        "phases": {name: at / 1000 for name, at in paid.phases.items()},
    }


def _reasons(wanted: Wanted, tree: Tree, paid: Price, solution: Solution) -> tuple[Reason, ...]:
    pus = wanted.members
    path = [pus[node] for node in paid.path]
    rows = [
        Reason(
            "critical-path",
            "the operation ends with the messages " + " -> ".join(map(str, path)),
            tuple(f"pu:{pu}" for pu in dict.fromkeys(path)),
        )
    ]
    if solution.methods:
        rows.append(
            Reason(
                "bound",
                f"no admissible tree ends before {solution.bound / 1000:g} ns:"
                f" {', '.join(solution.methods)}",
            )
        )
    return tuple(rows)


def _alternatives(
    task: Task,
    pairs: Pairs,
    wanted: Wanted,
    classics: Sequence[tuple[str, Tree]],
    root: int,
) -> tuple[dict[str, Any], ...]:
    """Price the classic trees with the decided root and, where the root is free, the best one."""
    best: dict[tuple[str, bool], tuple[int, Tree]] = {}
    for name, tree in classics:
        worth = value(task, tree)
        for key in ((name, False), (name, True)):
            if key[1] and tree.root != root:
                continue
            if key not in best or worth < best[key][0]:
                best[key] = (worth, tree)
    rows = []
    for (name, _), (worth, tree) in sorted(best.items(), key=lambda row: (row[1][0], row[0])):
        row = {"name": name, "value": worth / 1000, "unit": "ns", "root": wanted.members[tree.root]}
        if not keeps_to(task, tree):
            row["breaks"] = "forbid, require or max_fan_out"
        if row not in rows:
            rows.append(row)
    return tuple(rows)


# ---------------------------------------------------------------- what if
def force(machine: Machine, raw: Raw, clause: Mapping[str, str]) -> dict[str, Any]:
    """Return the request with `from=U to=V` required, or `root=R` set."""
    if set(clause) not in ({"from", "to"}, {"root"}) or not all(
        word.isascii() and word.isdigit() for word in clause.values()
    ):
        raise RequestError(
            f"cannot force {' '.join(f'{k}={v}' for k, v in clause.items())!r}",
            place="route alternative",
            mend="write from=U to=V or root=R with PU numbers",
        )
    forced = {**raw, "root": int(clause["root"])} if "root" in clause else dict(raw)
    if "from" in clause:
        pair = [int(clause["from"]), int(clause["to"])]
        forced["require"] = [*raw.get("require", []), pair]
    read(machine, forced)
    return forced


def check(machine: Machine, decision: Decision) -> list[str]:
    """Let the checker judge a decision."""
    from skb.checkers.route import check as judge

    return judge(machine, decision)


EXAMPLE = """\
# a broadcast from PU 0 to all PUs, nobody sending to more than four others
root = 0
operation = "broadcast"
max_fan_out = 4
"""

QUESTION = Question(
    name="route",
    summary="over which tree a message reaches a group of PUs soonest",
    request=RouteRequest,
    decide=decide,
    check=check,
    force=force,
    example=EXAMPLE,
)

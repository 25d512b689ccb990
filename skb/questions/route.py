"""Route: over which tree a message reaches a group of PUs soonest, with proof and price.

The rules derive which pairs are admissible; the engines search and prove over what they left. For a
reduction the tree is used upwards: `sends` still names parents first, each with its children.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from skb.costs import Costs
from skb.decision import Assumption, Decision, Limits, Objective, Status
from skb.engines.asp import engine_name, rules_digest
from skb.engines.compiling import UNCOMPILED
from skb.engines.route_arms import uncompiled
from skb.engines.route_bounds import Fuse
from skb.engines.route_busy_proof import FILES as BUSY_FILES
from skb.engines.route_nest import trees as nested_trees
from skb.engines.route_rules import FILES, Verdict, admissible, verdict
from skb.engines.route_solve import GREEDY_LARGEST, Solution, solve
from skb.engines.route_tree import Task, Tree, ordered
from skb.errors import RequestError
from skb.machine import Machine
from skb.messages import MessagePairs
from skb.noise import Noise
from skb.questions.question import Question, Raw
from skb.questions.route_answer import (
    alternatives,
    best_of_each,
    in_order,
    with_spread,
    with_tree,
    without_tree,
)
from skb.questions.route_objectives import Found, found_for, within_links
from skb.questions.route_price import Pairs, pairs_of, task_of
from skb.questions.route_request import RouteRequest, Wanted, read
from skb.questions.route_robust import Samples, sturdiest
from skb.questions.route_trees import Classics

CLASSIC_ROOTS = 64
"""With a free root, the classic trees are priced from at most so many roots."""
CLASSIC_WORK, FEW_CLASSIC = 64_000, 2_000_000
"""Pairs that the roots are looked at for together, of many roots and of the last four."""
FIRST_TREES = 0.15
"""Share of the time that is left which the classic trees of a large machine, or its first trees of
nested levels, may take."""
FULL_EFFORT_SIZE = 32
"""Up to so many members the whole effort is spent; above, what keeps a first answer quick."""
DEFAULT_CONFLICTS = 20_000
MOST_SECONDS = 600.0
FIRST_SHARE = 0.4
"""Share of the seconds for the first tree where more than the completion over one tree is asked."""
PRICING_S = 1e-7
"""Seconds for each pair that pricing and writing down an answer may take."""
LEAST_RULES_S = 0.1
LARGEST_LINKED = 256
"""Members up to which the rules judge a limit of the load of links."""
LEVELS = ("core", "l2", "l3", "die", "numa", "package")


def decide(machine: Machine, raw: Raw, limits: Limits) -> Decision:
    """Decide a route; raise `RequestError` for a bad request."""
    begin = time.monotonic() if limits.begun is None else limits.begun
    wanted = read(machine, raw)
    costs = Costs(machine)
    messages = costs.message_pairs(wanted.members, wanted.request.transport)
    pairs = pairs_of(messages, wanted.request.model)
    task = _task(wanted, pairs)
    domains = _domains(machine, wanted.members)
    # pricing the answer takes longer the more pairs there are
    spent = _fuse(begin + limits.seconds - 0.05 - PRICING_S * len(wanted.members) ** 2)
    classics = _classics(task, pairs, domains, spent)
    case = _Case(machine, wanted, costs, messages, pairs, task, classics, limits, spent)
    first = spent if _plain(wanted) else _fuse(begin + FIRST_SHARE * limits.seconds)
    solution, judged = _solve(machine, wanted, task, classics, limits, first)
    found = None
    if solution is not None:
        found, later = _found(case, solution)
        judged = later if found is None else judged
    decision = Decision(
        question="route",
        machine=machine.name,
        revision=machine.revision,
        status=Status.UNKNOWN,
        objective=Objective(_objective(wanted), None, "ns"),
        answer={},
        assumed=_assumed(costs, wanted.request.model),
        provenance=_provenance(machine, limits, found),
        request=dict(raw),
        warnings=wanted.warnings,
    )
    if found is None:
        decision = without_tree(decision, judged)
    else:
        decision = _decided(decision, case, found)
    rows = [Assumption(*row) for row in wanted.ways.assumed.items()]
    fresh = [row for row in rows if row not in decision.assumed]
    decision = replace(decision, assumed=(*decision.assumed, *fresh))
    if decision.status is Status.FEASIBLE and uncompiled():
        decision = replace(decision, warnings=(*decision.warnings, UNCOMPILED))
    return decision.stamped(seconds=round(time.monotonic() - begin, 4))


def _objective(wanted: Wanted) -> str:
    return "occupancy" if wanted.request.objective == "occupancy" else "completion"


def _plain(wanted: Wanted) -> bool:
    """Whether the tree of least completion is all that was asked."""
    request = wanted.request
    extra = request.robust or request.max_link_load is not None
    return request.objective == "completion" and request.trees == "one" and not extra


@dataclass(frozen=True, slots=True)
class _Case:
    """A request on a machine, ready to be searched."""

    machine: Machine
    wanted: Wanted
    costs: Costs
    messages: MessagePairs
    pairs: Pairs
    task: Task
    classics: Sequence[tuple[str, Tree]]
    limits: Limits
    spent: Callable[[], bool]

    @property
    def starts(self) -> list[Tree]:
        return [tree for _, tree in self.classics]

    @property
    def effort(self) -> float:
        seconds = min(self.limits.seconds, MOST_SECONDS)
        effort = self.limits.conflicts / DEFAULT_CONFLICTS * seconds / 10.0
        return effort * min(1.0, FULL_EFFORT_SIZE / self.task.size)


def _found(case: _Case, first: Solution) -> tuple[Found | None, Verdict]:
    """Go on from the tree of least completion to what was asked for."""
    wanted, task, limits = case.wanted, case.task, case.limits

    def seek(part: Task, starts: Sequence[Tree]) -> Solution | None:
        known = [*case.classics, *(("known", tree) for tree in starts)]
        return _solve(case.machine, wanted, part, known, limits, case.spent)[0]

    def by_rules() -> tuple[Tree | None, Verdict]:
        judged = _verdict(wanted, limits, case.spent)
        return _as_tree(task, wanted.members, judged) if judged.exists else None, judged

    rest = (limits, case.effort, case.spent)
    if wanted.request.max_link_load is not None:
        return within_links(wanted, task, first, case.starts, by_rules, *rest)
    return (
        found_for(wanted.request, case.pairs, task, first, case.starts, seek, *rest),
        Verdict(None),
    )


def _decided(decision: Decision, case: _Case, found: Found) -> Decision:
    """Fill in the answer, what it becomes where costs vary, and the classic trees beside it."""
    wanted, task, pairs = case.wanted, case.task, case.pairs
    request = wanted.request
    noise = Noise(case.costs, case.messages, case.limits.seed, request.transport)
    samples = Samples(noise, wanted.members, request.operation, request.model == "logp")
    compared, varies = 0, noise.varies()
    robust = request.robust and varies
    if robust:
        always = list(best_of_each(task, case.classics).values())
        rest = (always, samples, case.effort, case.limits.seed, case.spent)
        found, compared = sturdiest(wanted, pairs, task, found, case.starts, *rest)
    decision = with_tree(decision, wanted, pairs, task, found)
    varied = samples.of(in_order(task, pairs, found.tree), found.back) if varies else None
    decision = with_spread(decision, wanted, varied, compared)
    if not request.compare:
        return decision
    p95_of = (lambda tree: samples.of(tree).p95) if robust else None
    rows = alternatives(task, pairs, wanted, case.classics, found.tree.root, p95_of)
    return replace(decision, alternatives=rows)


def _fuse(deadline: float) -> Callable[[], bool]:
    return Fuse(deadline)


def _hurry(task: Task, spent: Callable[[], bool]) -> Callable[[], bool]:
    """Return the fuse of first trees: on a large machine they leave time for a bound."""
    if task.size > GREEDY_LARGEST and isinstance(spent, Fuse):
        return spent.part(FIRST_TREES)
    return spent


def _provenance(machine: Machine, limits: Limits, found: Found | None) -> dict[str, Any]:
    methods = "" if found is None else ", ".join(found.methods)
    return {
        "facts": machine.digest,
        "rules": rules_digest((*FILES, *BUSY_FILES)),
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
    place = {pu: at for at, pu in enumerate(members)}
    may = [[True] * len(members) for _ in members]
    for at in range(len(members)):
        may[at][at] = False
    for u, v in ground.barred:
        may[place[u]][place[v]] = False
    allowed = tuple(map(tuple, may))
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
    """Return the classic trees from all roots that may be, or from an even choice of them.

    Where time is up only those that take a search are missing, from all roots but the first one,
    and from that one too where it would take long.
    """
    roots = task.roots
    if len(roots) > CLASSIC_ROOTS:
        wanted = max(1, min(4, FEW_CLASSIC // task.size**2), CLASSIC_WORK // task.size**2)
        roots = roots[:: -(-len(roots) // wanted)]
    classics = Classics(pairs.down, domains)
    large, hurry = task.size > GREEDY_LARGEST, _hurry(task, spent)
    found = {root: classics.quick(root, hurry if large else None) for root in roots}
    for at, root in enumerate(roots):
        if (at or large) and hurry():
            break
        found[root] |= classics.slow(root)
    return [row for trees in found.values() for row in trees.items()]


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
    if task.in_order and not spent():
        starts += [ordered(task.phases[0][0], tree.root, tree.kids) for tree in starts]
    starts += nested_trees(task, partitions, _hurry(task, spent))
    judged = Verdict(None)
    for _ in range(2):
        if task.roots:
            found = solve(task, starts, partitions, seed=limits.seed, effort=effort, spent=spent)
            if found is not None:
                return found, judged
        if judged.exists is not None:
            break
        judged = _verdict(wanted, limits, spent)
        if not judged.exists:
            break
        starts = [_as_tree(task, wanted.members, judged)]
    return None, judged


def _verdict(wanted: Wanted, limits: Limits, spent: Callable[[], bool]) -> Verdict:
    """Ask the rules in the time that is left, but at least in what a small group takes.

    Link limits of groups whose crossings would fill the memory are left open.
    """
    if wanted.request.max_link_load is not None and len(wanted.members) > LARGEST_LINKED:
        return Verdict(None)
    left = spent.deadline - time.monotonic() if isinstance(spent, Fuse) else limits.seconds
    return verdict(wanted.all_atoms, replace(limits, seconds=max(LEAST_RULES_S, left)))


def _as_tree(task: Task, members: Sequence[int], judged: Verdict) -> Tree:
    place = {pu: at for at, pu in enumerate(members)}
    kids: list[list[int]] = [[] for _ in members]
    for sender, receiver in judged.sends:
        kids[place[sender]].append(place[receiver])
    return ordered(task.phases[0][0], place[judged.root], kids)


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

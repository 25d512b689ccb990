"""The search of `buffers`: the rules, where many flows are few steps too far greedy and Lagrange.

Amounts that do not fit 31 bits reach the rules rounded down: a relaxed instance, whose optimum is a
bound and whose refusal is a refusal. An answer counts only if it keeps the exact limits; one that
does not is cut off, and the rules are asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from skb.decision import Limits, Reason
from skb.engines.asp import Atom, Model, Outcome, Program, engine_name, minimal_core
from skb.engines.buffers_greedy import Assignment, greedy, lower_bound
from skb.engines.choices import Rule, choices
from skb.questions.buffers_instance import Instance, atoms, scaled, unavailable

FILES = tuple(f"buffers/{part}.lp" for part in ("define", "guess", "check", "optimise"))
EXACT_FLOWS = 60
CUT_ROUNDS = 12


@dataclass(frozen=True, slots=True)
class Found:
    """A node for each flow (None without one), a lower bound of the weights, and what proved it."""

    nodes: list[int] | None
    bound: int
    proven: bool
    engine: str
    refused: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    """The last model and its outcome; `nodes` only where they keep the exact limits."""

    model: Model
    acts: list[tuple[Atom, bool]]
    outcome: Outcome
    nodes: list[int] | None


def search(instance: Instance, limits: Limits) -> Found:
    """Return the best nodes that were found, and what is proven of them."""
    few = len(instance.flows) <= EXACT_FLOWS
    asked = _ask(instance, limits, models=0 if few else 1)
    outcome = asked.outcome
    if outcome.satisfiable is False:
        return _refused(instance, asked, limits)
    if few and asked.nodes is not None and outcome.proven:
        return Found(asked.nodes, outcome.cost[0], True, engine_name())
    return _greedy(instance, asked, limits, few=few)


def _ask(instance: Instance, limits: Limits, models: int) -> _Asked:
    """Ask the rules; cut off answers that break an exact limit, for some rounds."""
    base, cuts = tuple(atoms(instance)), list[Atom]()
    acts: list[tuple[Atom, bool]] = [(("act", (name,)), True) for name in sorted(instance.reasons)]
    share = replace(limits, seconds=limits.seconds / CUT_ROUNDS) if instance.relaxed else limits
    for count in range(CUT_ROUNDS):
        model = Model(Program(FILES, (*base, *cuts)), seed=limits.seed)
        outcome = model.solve(acts, share, models=models)
        nodes = _nodes(instance, outcome) if outcome.atoms else None
        new = [] if nodes is None else _cuts(instance, nodes, count)
        if not new:
            return _Asked(model, acts, outcome, nodes)
        cuts += new
    return _Asked(model, acts, outcome, None)


def _cuts(instance: Instance, nodes: Sequence[int], count: int) -> list[Atom]:
    """Return the atoms that forbid the pairs of flow and node which exceed a limit together."""
    found: list[Atom] = []
    for number, limit in enumerate(instance.exceeded(nodes)):
        name = f"{count}:{number}"
        found.append(("cut", (limit.id, name)))
        found += [
            ("cut_pair", (name, flow.name, node))
            for flow, row, node in zip(instance.flows, instance.uses, nodes, strict=True)
            if row[node].get(limit.resource)
        ]
    return found


def _nodes(instance: Instance, outcome: Outcome) -> list[int]:
    at = {str(args[0]): int(str(args[1])) for name, args in outcome.atoms if name == "buffer"}
    return [at[flow.name] for flow in instance.flows]


def _refused(instance: Instance, asked: _Asked, limits: Limits) -> Found:
    names = [act for act, _ in asked.acts]
    core, exact = minimal_core(asked.model, names, limits, first=asked.outcome.core)
    reasons = [instance.reasons[str(args[0])] for _, args in core]
    if not exact:
        reasons.append(Reason("limit", "the set may not be minimal: the limit was reached"))
    elif instance.relaxed:
        reasons.append(Reason("limit", "the set may not be minimal: amounts were rounded"))
    return Found(None, 0, True, engine_name(), tuple(reasons))


def _greedy(instance: Instance, asked: _Asked, limits: Limits, *, few: bool) -> Found:
    """Choose by regret greedy, let the rules confirm the choice, and bound it by Lagrange."""
    candidates = [] if asked.nodes is None else [asked.nodes]
    exact = _assignment(instance, exact=True)
    if all(exact.prices) and (nodes := greedy(exact)) is not None:
        chosen = [
            (("buffer", (flow.name, node)), True)
            for flow, node in zip(instance.flows, nodes, strict=True)
        ]
        if asked.model.solve([*asked.acts, *chosen], limits, models=1).satisfiable:
            candidates.append(nodes)
    if not candidates and instance.relaxed:
        program = Program(FILES, tuple(atoms(instance, up=True)))
        outcome = Model(program, seed=limits.seed).solve(asked.acts, limits, models=1)
        candidates += [_nodes(instance, outcome)] if outcome.atoms else []
    candidates = [nodes for nodes in candidates if not instance.exceeded(nodes)]
    proven = asked.outcome.bound[:1] if few else ()
    if not candidates:
        return Found(None, max([0, *proven]), False, engine_name())
    best = min(candidates, key=lambda nodes: (_weight(instance, nodes), nodes))
    value = _weight(instance, best)
    bound = max([lower_bound(_assignment(instance, exact=False), value), *proven])
    return Found(best, bound, bound >= value, f"regret greedy, {engine_name()}")


def _weight(instance: Instance, nodes: Sequence[int]) -> int:
    return sum(row[node] for row, node in zip(instance.weights, nodes, strict=True))


def _assignment(instance: Instance, *, exact: bool) -> Assignment:
    """Return the assignment with exact amounts, or the relaxed one of amounts within 31 bits."""
    uses, limits = scaled(instance, instance.fine if exact else instance.steps)
    rows = [
        {node: row[node] for node in own_nodes(instance, index)}
        for index, row in enumerate(instance.weights)
    ]
    return Assignment(rows, uses, limits)


def own_nodes(instance: Instance, index: int) -> list[int]:
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

"""Judge of `query`: what can be said about answer sets without a solver.

It does not judge that an answer set is stable, nor that it is the best: that would need a second
solver. It judges the form, the counts, the promises of the status, that the rules hold nothing
forbidden, and that every shown atom of a stored predicate is a fact of the machine. What the rows
of a named query must keep is judged by `skb.checkers.query_named`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from skb.checkers.query_named import check_named
from skb.decision import Decision, Status
from skb.machine import Machine
from skb.relations import relations

FORBIDDEN = re.compile(r"#\s*(script|include|program|external|theory|edge|heuristic|project)|\x00")
MOST = 1000


def check(machine: Machine, decision: Decision) -> list[str]:
    """Return what is wrong with a decision of `query`, in words."""
    rules = str(decision.request.get("rules") or "")
    models: list[dict[str, Any]] = decision.answer.get("models", [])
    wrong = [f"the rules hold {found.group()!r}" for found in FORBIDDEN.finditer(rules)]
    wrong += _counts(decision, models)
    if decision.request.get("named"):
        return wrong + check_named(machine, decision)
    for number, model in enumerate(models):
        for atom in model["atoms"]:
            wrong += [f"model {number}: {text}" for text in _atom(machine, rules, decision, atom)]
    return wrong


def _counts(decision: Decision, models: list[dict[str, Any]]) -> list[str]:
    wrong = []
    count, wanted = decision.answer.get("count"), decision.request.get("models", 1) or MOST
    if count != len(models):
        wrong.append(f"count is {count}, there are {len(models)} models")
    if len(models) > wanted:
        wrong.append(f"{len(models)} models, {wanted} were asked for")
    if (decision.status is Status.INFEASIBLE) != (not models):
        wrong.append(f"{len(models)} models do not fit the status {decision.status}")
    if decision.status is Status.INFEASIBLE and not decision.answer.get("exhausted"):
        wrong.append("no answer set is claimed, but the search is not exhausted")
    if decision.status is Status.OPTIMAL and len({tuple(model["cost"]) for model in models}) > 1:
        wrong.append("models of different cost are all called optimal")
    plain = decision.status is Status.OPTIMAL and not any(model["cost"] for model in models)
    if plain and len(models) < wanted and not decision.answer.get("exhausted"):
        wrong.append("fewer models than asked for, but the search is not exhausted")
    return wrong


def _atom(machine: Machine, rules: str, decision: Decision, atom: Mapping[str, Any]) -> list[str]:
    name, args = str(atom["predicate"]), tuple(atom["args"])
    relation = relations().get(name)
    if relation is not None and len(relation.args) == len(args):
        held = (tuple(_text(a) for a in fact.args) for fact in machine.facts_of(name))
        if tuple(_text(a) for a in args) not in set(held):
            return [f"{name}{args} is not a fact of {machine.name}"]
        return []
    asked = [str(text).partition("/")[0] for text in decision.request.get("show") or []]
    if name and name.lstrip("-") not in rules and name not in asked:
        return [f"{name} stands neither in the rules nor in show"]
    return []


def _text(value: object) -> str:
    """Compare numbers as they are told to a query: whole ones without a fraction."""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(float(str(value)))) if whole else str(value)

"""`query`: a user's own rules in clingo syntax over the facts of a machine.

What a query may use stands in the header of `rules/query/prelude.lp`. Where a query optimises, the
answer sets are the best ones; clingo gives the sum of `#maximize` with the opposite sign.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from skb.checkers import query as checker
from skb.costs import Costs
from skb.decision import Cost, Decision, Limits, Objective, Reason, Status
from skb.engines.asp import INTEGER_MAX, engine_name, rules_digest
from skb.engines.query import Answers, Work, ask
from skb.engines.query_text import needed_rules, vet_text, words
from skb.errors import RequestError, RulesError
from skb.machine import Machine, index_of, kind_of
from skb.questions.question import Question, Raw, read_request
from skb.relations import Relation, Value, relations
from skb.resources import rules_file

PRELUDE = "query/prelude.lp"
DEFAULT_LIMIT_S = 5.0
MAX_LIMIT_S = 60.0
MAX_MODELS = 1000
MAX_PAIR_PUS = 256
SUFFIXES = {"ns": ("_ps", 1000), "bytes": ("_kib", 0)}
_SIGNATURE = re.compile(r"^(-?[a-z_][A-Za-z0-9_']*)/([0-9]{1,2})$")

Row = tuple[str | int, ...]


class QueryRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Rules in clingo syntax; how long and how many; `show` lists predicates as `name/arity`."""

    rules: Annotated[str, Meta(min_length=1)]
    limit_s: Annotated[float, Meta(gt=0, le=MAX_LIMIT_S)] | None = None
    models: Annotated[int, Meta(ge=0, le=MAX_MODELS)] = 1
    show: list[str] = []


def decide(machine: Machine, raw: Raw, limits: Limits) -> Decision:
    """Return the answer sets as a decision.

    Raises `RequestError` or `RulesError` for what is refused, `LimitError` where nothing was found.
    """
    started = time.monotonic()
    request = read_request(raw, QueryRequest, "query")
    vet_text(request.rules)
    limit_s = _limit(request, limits)
    costs = Costs(machine)
    work, warnings = _work(machine, request, costs, limits.seed)
    begun = started if limits.begun is None else min(started, limits.begun)
    answers = ask(work, limit_s, time.monotonic() - begun)
    provenance = {
        "facts": machine.digest,
        "rules": rules_digest((PRELUDE,)),
        "engine": engine_name(),
        "seed": limits.seed,
        "limit_s": limit_s,
    }
    decision = _decision(machine, answers, dict(raw), (*warnings, *answers.messages), provenance)
    decision = replace(decision, assumed=costs.assumed)
    return decision.stamped(seconds=round(time.monotonic() - started, 6))


def _limit(request: QueryRequest, limits: Limits) -> float:
    """Return the seconds to spend: the request's, else the caller's where it is not the default."""
    if request.limit_s is not None:
        return request.limit_s
    silent = limits.seconds == Limits().seconds
    return DEFAULT_LIMIT_S if silent else min(limits.seconds, MAX_LIMIT_S)


# ------------------------------------------------------------------ what the rules may use
@cache
def known() -> tuple[tuple[str, int], ...]:
    """Return every predicate that a query may use and may not define."""
    found = {(name, len(relation.args)) for name, relation in relations().items()}
    found |= {(_companion(r)[0], len(r.args)) for r in relations().values() if _companion(r)[0]}
    found |= {("object", 3), ("hops", 3), ("pu_latency_ps", 3), ("pu_memory_ps", 3)}
    for line in _prelude().splitlines():
        if line and not line.startswith("%"):
            head = line.partition(" :-")[0].rstrip(".")
            name, _, args = head.partition("(")
            found.add((name, args.count(",") + 1))
    return tuple(sorted(found))


@cache
def _prelude() -> str:
    return rules_file(PRELUDE).read_text(encoding="utf-8")


def _work(
    machine: Machine, request: QueryRequest, costs: Costs, seed: int
) -> tuple[Work, tuple[str, ...]]:
    show = [_signature(text) for text in request.show]
    wanted = words(request.rules) | {name.lstrip("-") for name, _ in show}
    prelude, names = needed_rules(_prelude(), wanted)
    facts = [row for relation in relations().values() for row in _facts(machine, relation, names)]
    for name, given in _GIVEN.items():
        if name in names:
            facts += [(name, *row) for row in given(machine, costs)]
    fitting = [tuple(_fit(value) for value in row) for row in facts]
    text = [row[0] for row, fit in zip(facts, fitting, strict=True) if row != fit]
    warnings = tuple(
        f"{name}: {text.count(name)} numbers beyond 31 bits are given as strings"
        for name in sorted({str(name) for name in text})
    )
    work = Work(
        rules=request.rules,
        prelude=prelude,
        facts=fitting,
        known=known(),
        show=show,
        models=request.models or MAX_MODELS,
        seed=seed,
    )
    return work, warnings


def _signature(text: str) -> tuple[str, int]:
    match = _SIGNATURE.match(text)
    if match is None:
        raise RequestError(
            f"{text!r} is not a predicate", place="query request $.show", mend="write name/arity"
        )
    return match.group(1), int(match.group(2))


def _facts(machine: Machine, relation: Relation, names: frozenset[str]) -> Iterator[Row]:
    """Yield the facts of a relation, and of its companion with whole numbers, as far as named."""
    companion, scale = _companion(relation)
    if relation.name in names:
        for fact in machine.facts_of(relation.name):
            yield (relation.name, *(_term(value) for value in fact.args))
    if companion and companion in names:
        for fact in machine.facts_of(relation.name):
            *rest, last = fact.args
            value = round(float(last) * scale) if scale else int(last) // 1024
            yield (companion, *(_term(value) for value in rest), value)


def _companion(relation: Relation) -> tuple[str, int]:
    """Return the name and the scale of the companion with whole numbers; empty without one."""
    last = relation.args[-1]
    if last.type not in {"int", "number"} or (last.type == "int" and last.unit != "bytes"):
        return "", 0
    suffix, scale = SUFFIXES.get(last.unit, ("_milli", 1000))
    return relation.name + suffix, scale


def _term(value: Value) -> str | int:
    if isinstance(value, float):
        return int(value) if value.is_integer() else str(value)
    return value


def _fit(value: str | int) -> str | int:
    return str(value) if isinstance(value, int) and abs(value) > INTEGER_MAX else value


# ------------------------------------------------------------------ given with the facts
def _objects(machine: Machine, _costs: Costs) -> Iterator[Row]:
    for name in machine.objects:
        index = name.partition(":")[2]
        number = index.isascii() and index.isdigit() and kind_of(name) not in {"device", "misc"}
        yield (name, kind_of(name), index_of(name) if number else index)


def _hops(machine: Machine, _costs: Costs) -> Iterator[Row]:
    ends = sorted({end for start, ends in machine.links.items() for end in (start, *ends)})
    for first in ends:
        for second in ends:
            hops = machine.hops(first, second)
            if hops is not None:
                yield (first, second, hops)


def _pu_latencies(machine: Machine, costs: Costs) -> Iterator[Row]:
    if len(machine.pus) > MAX_PAIR_PUS:
        raise RulesError(
            f"pu_latency_ps has {len(machine.pus) ** 2} atoms on {machine.name}",
            place="rules",
            mend=f"use hops/3 and within/2; pairs are given up to {MAX_PAIR_PUS} PUs",
        )
    for first in machine.pus:
        for second in machine.pus:
            yield (f"pu:{first}", f"pu:{second}", costs.latency_ps(first, second))


def _pu_memory(machine: Machine, costs: Costs) -> Iterator[Row]:
    for pu in machine.pus:
        for node in machine.numa:
            yield (f"pu:{pu}", f"numa:{node}", costs.memory_ps(pu, node))


_GIVEN: dict[str, Callable[[Machine, Costs], Iterator[Row]]] = {
    "object": _objects,
    "hops": _hops,
    "pu_latency_ps": _pu_latencies,
    "pu_memory_ps": _pu_memory,
}


# ------------------------------------------------------------------ answer
def _decision(
    machine: Machine,
    answers: Answers,
    request: dict[str, Any],
    warnings: tuple[str, ...],
    provenance: dict[str, Any],
) -> Decision:
    models = [{"atoms": m["atoms"], "cost": m["cost"]} for m in answers.models]
    count = len(models)
    status = Status.OPTIMAL if answers.finished and answers.proven else Status.FEASIBLE
    if request.get("models", 1) == 0 and not answers.exhausted:
        status = Status.FEASIBLE
        warnings = (*warnings, f"cut off after {count} answer sets; there are more")
    if not models:
        status = Status.INFEASIBLE
    last = answers.models[-1] if models else {"cost": [], "levels": []}
    return Decision(
        question="query",
        machine=machine.name,
        revision=machine.revision,
        status=status,
        objective=Objective("models", float(count) if models else None, ""),
        bound=float(count) if status is Status.OPTIMAL else None,
        answer={"models": models, "count": count, "exhausted": answers.exhausted},
        costs=tuple(
            Cost(f"level {level}", value, "")
            for level, value in zip(last["levels"], last["cost"], strict=True)
        ),
        reasons=() if models else (Reason("query", "no answer set"),),
        provenance=provenance,
        request=request,
        warnings=warnings,
    )


EXAMPLE = '''\
# cores that share the memory of the NIC
rules = """
near(P) :- local("device:eth0", P).
#show near/1.
"""
'''

QUESTION = Question(
    name="query",
    summary="answer sets of your own rules over the facts of a machine",
    request=QueryRequest,
    decide=decide,
    check=checker.check,
    example=EXAMPLE,
)

"""`query`: a user's own rules in clingo syntax over the facts of a machine.

What a query may use stands in the header of `rules/query/prelude.lp`. Where a query optimises, the
answer sets are the best ones; clingo gives the sum of `#maximize` with the opposite sign. Instead
of rules, a request may name a query of `rules/query/named/` and give its parameters.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from skb.atoms import Row, companion, companion_rows, fit, plain_rows
from skb.checkers import query as checker
from skb.costs import Costs
from skb.decision import Assumption, Cost, Decision, Limits, Objective, Reason, Status
from skb.engines.asp import engine_name, rules_digest
from skb.engines.query import Answers, Work, ask
from skb.engines.query_text import needed_rules, vet_text, words
from skb.errors import RequestError
from skb.machine import Machine
from skb.named import FOLDER, Named, Value
from skb.questions.query_given import GIVEN, given_rows, restricted_rows
from skb.questions.query_named import find, parameter_rows, read_values, rows_of
from skb.questions.question import Question, Raw, read_request
from skb.relations import relations
from skb.resources import rules_file

PRELUDE = ("machine.lp", "query/prelude.lp")
NAMED_PRELUDE = "query/named.lp"
DEFAULT_LIMIT_S = 5.0
MAX_LIMIT_S = 60.0
MAX_MODELS = 1000
NAMED_GIVEN = (("param", 2), ("link_end", 2))
_SIGNATURE = re.compile(r"^(-?[a-z_][A-Za-z0-9_']*)/([0-9]{1,2})$")


class QueryRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Rules in clingo syntax, or the name of a query with its parameters; how long and how many.

    `show` lists predicates as `name/arity`; a named query has its own, and one answer set.
    """

    rules: Annotated[str, Meta(min_length=1)] | None = None
    named: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    with_: dict[str, str | int | float | bool | list[Any]] = msgspec.field(
        name="with", default_factory=dict
    )
    limit_s: Annotated[float, Meta(gt=0, le=MAX_LIMIT_S)] | None = None
    models: Annotated[int, Meta(ge=0, le=MAX_MODELS)] = 1
    show: list[str] = []


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked: rules, and for a named query its description and parameters."""

    rules: str
    query: Named | None = None
    values: dict[str, Value] = field(default_factory=dict)
    files: tuple[str, ...] = PRELUDE


def decide(machine: Machine, raw: Raw, limits: Limits) -> Decision:
    """Return the answer sets as a decision.

    Raises `RequestError` or `RulesError` for what is refused, `LimitError` where nothing was found.
    """
    started = time.monotonic()
    request = read_request(raw, QueryRequest, "query")
    asked = _asked(machine, request)
    limit_s = _limit(request, limits)
    costs = Costs(machine)
    work, warnings = _work(machine, request, asked, costs, limits.seed)
    begun = started if limits.begun is None else min(started, limits.begun)
    answers = ask(work, limit_s, time.monotonic() - begun)
    provenance = {
        "facts": machine.digest,
        "rules": rules_digest(asked.files),
        "engine": engine_name(),
        "seed": limits.seed,
        "limit_s": limit_s,
    }
    decision = _decision(machine, answers, dict(raw), (*warnings, *answers.messages), provenance)
    decision = replace(decision, assumed=costs.assumed)
    if asked.query is not None:
        decision = _with_rows(decision, asked.query, asked.values)
    return decision.stamped(seconds=round(time.monotonic() - started, 6))


def _asked(machine: Machine, request: QueryRequest) -> _Asked:
    """Return what is asked; raise `RequestError` unless it is either rules or a named query."""
    if (request.rules is None) == (request.named is None):
        both = "both rules and named are given" if request.rules else "no rules are given"
        raise RequestError(
            both, place="query request", mend="give rules, or named and with; `skb queries` lists"
        )
    if request.named is None:
        if request.with_:
            raise RequestError(
                "with goes with named", place="query request $.with", mend="write it into the rules"
            )
        vet_text(request.rules or "")
        return _Asked(request.rules or "")
    if request.models != 1 or request.show:
        raise RequestError(
            "a named query has one answer set and shows its own rows",
            place="query request",
            mend="leave out models and show",
        )
    query = find(request.named)
    values = read_values(query, request.with_, machine)
    files = (*PRELUDE, NAMED_PRELUDE, f"{FOLDER}/{query.name}.lp")
    return _Asked(query.rules, query, values, files)


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
    found |= {(companion(r)[0], len(r.args)) for r in relations().values() if companion(r)[0]}
    found |= set(GIVEN)
    for line in _prelude().splitlines():
        if line and line[0] not in "%#":
            head = line.partition(" :-")[0].rstrip(".")
            name, _, args = head.partition("(")
            found.add((name, args.count(",") + 1))
    return tuple(sorted(found))


@cache
def _prelude() -> str:
    return "\n".join(rules_file(name).read_text(encoding="utf-8") for name in PRELUDE)


def _work(
    machine: Machine, request: QueryRequest, asked: _Asked, costs: Costs, seed: int
) -> tuple[Work, tuple[str, ...]]:
    show = [_signature(text) for text in request.show]
    wanted = words(asked.rules) | {name.lstrip("-") for name, _ in show}
    rules = _prelude() if asked.query is None else f"{_prelude()}\n{_named_prelude()}"
    prelude, names = needed_rules(rules, wanted)
    facts: list[Row] = []
    for relation in relations().values():
        if relation.name in names:
            facts += plain_rows(machine, relation)
        if companion(relation)[0] in names:
            facts += companion_rows(machine, relation)
    facts += _given(machine, asked, costs, names)
    fitting = [tuple(fit(value) for value in row) for row in facts]
    text = [row[0] for row, fitted in zip(facts, fitting, strict=True) if row != fitted]
    warnings = tuple(
        f"{name}: {text.count(name)} numbers beyond 31 bits are given as strings"
        for name in sorted({str(name) for name in text})
    )
    work = Work(
        rules=asked.rules,
        prelude=prelude,
        facts=fitting,
        known=(*known(), *NAMED_GIVEN) if asked.query else known(),
        show=show,
        models=request.models or MAX_MODELS,
        seed=seed,
    )
    return work, warnings


@cache
def _named_prelude() -> str:
    return rules_file(NAMED_PRELUDE).read_text(encoding="utf-8")


def _given(machine: Machine, asked: _Asked, costs: Costs, names: Collection[str]) -> list[Row]:
    """Return the atoms that are given with the facts, for a named query those of its header."""
    if asked.query is None:
        wanted = (name for name, _ in GIVEN if name in names)
        return [row for name in wanted for row in given_rows(name, machine, costs)]
    rows = [
        row
        for name in ("object", "interconnect_home")
        if name in names
        for row in given_rows(name, machine, costs)
    ]
    rows += restricted_rows(asked.query, asked.values, machine, costs)
    return [*rows, *parameter_rows(asked.values)]


def _signature(text: str) -> tuple[str, int]:
    match = _SIGNATURE.match(text)
    if match is None:
        raise RequestError(
            f"{text!r} is not a predicate", place="query request $.show", mend="write name/arity"
        )
    return match.group(1), int(match.group(2))


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


def _with_rows(decision: Decision, query: Named, values: Mapping[str, Value]) -> Decision:
    """Return the decision of a named query with its rows, and what its rules assumed."""
    models = decision.answer["models"]
    atoms = models[0]["atoms"] if models else []
    rows = rows_of(query, values, atoms)
    said = [Assumption(*atom["args"]) for atom in atoms if atom["predicate"] == "assumed"]
    told = {"named": query.name, "with": dict(values)}
    columns = [column.name for column in query.columns]
    return replace(
        decision,
        answer={**decision.answer, **told, "columns": columns, "rows": rows},
        assumed=(*decision.assumed, *said),
        reasons=decision.reasons if rows else (Reason("query", "no part fits"),),
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
    needs_pus=False,
)

"""Judge of named queries: what their rows must keep, whatever the rules derive.

Every atom is of the query's own predicates, every row comes from one atom, every part in a row is
there and usable, and what the request names is what was asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from skb.decision import Decision
from skb.errors import NotFoundError
from skb.machine import Machine, kind_of
from skb.named import Named, named
from skb.relations import KINDS

_OFFERS = frozenset({"pu", "core", "numa", "device", "first", "second"})


def check_named(machine: Machine, decision: Decision) -> list[str]:
    """Return what is wrong with the answer of a named query, in words."""
    request, answer = decision.request, decision.answer
    try:
        query = named(str(request["named"]))
    except NotFoundError as fault:
        return [fault.message]
    wrong = []
    if answer.get("named") != query.name:
        wrong.append(f"{query.name} was asked, {answer.get('named')} is answered")
    columns = [column.name for column in query.columns]
    if answer.get("columns") != columns:
        wrong.append(f"the columns are not {', '.join(columns)}")
    if set(request.get("with") or {}) - {p.name for p in query.parameters}:
        wrong.append("the request has parameters that the query has not")
    wrong += [
        f"{query.name} has no {atom['predicate']}"
        for model in answer["models"]
        for atom in model["atoms"]
        if atom["predicate"] not in {query.predicate, "assumed"}
    ]
    wrong += _rows(query, answer)
    for row in answer.get("rows", []):
        wrong += [text for key, value in row.items() if (text := _offered(machine, key, value))]
    return wrong


def _rows(query: Named, answer: Mapping[str, Any]) -> list[str]:
    """Say where the rows are not those of the atoms, or fewer than they must be."""
    models, rows = answer["models"], answer.get("rows", [])
    derived = Counter(
        tuple(
            _number(value, column.divisor)
            for column, value in zip(query.columns, atom["args"], strict=True)
        )
        for model in models[:1]
        for atom in model["atoms"]
        if atom["predicate"] == query.predicate
    )
    shown = Counter(tuple(_number(value, 1) for value in row.values()) for row in rows)
    if extra := shown - derived:
        return [f"the row {next(iter(extra))} has no atom"]
    most = int(answer.get("with", {}).get(query.first, 0)) if query.first else 0
    wanted = min(most, derived.total()) if most else derived.total()
    return [] if len(rows) == wanted else [f"{len(rows)} rows, {wanted} follow from the atoms"]


def _number(value: Any, divisor: int) -> Any:
    """Return a number as nanoseconds and the like would be told, a text as it is."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, int | float):
        return float(Fraction(value) / divisor)
    return value


def _offered(machine: Machine, column: str, value: Any) -> str:
    """Say why a value of a row may not be offered, or an empty text.

    Other columns say where something is: memory may hang at a core that sleeps,
    and a part that is merely named is not offered.
    """
    if not isinstance(value, str) or kind_of(value) not in KINDS or ":" not in value:
        return ""
    if not machine.has(value):
        return f"{value} is no part of {machine.name}"
    reason = machine.unusable(value) if column in _OFFERS else ""
    return f"{value} is offered: {reason}" if reason else ""

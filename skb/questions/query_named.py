"""Named queries as requests: their parameters checked against the machine, their rows decoded.

Parameters become `param(name, value)` atoms; no text of a user ever becomes part of the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from skb.atoms import Row, fit
from skb.errors import NotFoundError, RequestError
from skb.machine import Machine, kind_of, natural_order, object_order
from skb.named import Column, Named, Parameter, Value, named
from skb.questions.query_given import processor_pus
from skb.relations import KINDS

_DEVICES = ("device", "pci", "bridge")
_PROCESSORS = ("pu", "core")
_KINDS = {"processor": _PROCESSORS, "device": _DEVICES, "numa": ("numa",)}


def find(name: str) -> Named:
    """Return a named query; raise `RequestError` that lists near names."""
    try:
        return named(name)
    except NotFoundError as fault:
        raise RequestError(fault.message, place="query request $.named", mend=fault.mend) from fault


def read_values(query: Named, given: Mapping[str, Any], machine: Machine) -> dict[str, Value]:
    """Return the parameters with their defaults, each checked against the machine.

    Raises `RequestError` for a parameter that is unknown, missing, of another type, or that names
    a part which is not there or cannot be used.
    """
    for name in given:
        if query.parameter(name) is None:
            known = ", ".join(p.name for p in query.parameters) or "none"
            raise RequestError(
                f"{query.name} has no parameter {str(name)[:60]!r}",
                place="query request $.with",
                mend=f"its parameters are: {known}",
            )
    values: dict[str, Value] = {}
    for parameter in query.parameters:
        raw = given.get(parameter.name, parameter.default)
        if raw is None:
            raise _wrong(query, parameter, "is missing", f"it is {parameter.meaning}")
        if raw == "none" and parameter.default == "none":
            continue
        values[parameter.name] = _value(query, parameter, raw, machine)
    return values


def _value(query: Named, parameter: Parameter, raw: Any, machine: Machine) -> Value:
    if isinstance(raw, bool) or not isinstance(raw, str | int):
        mend = f"it is {parameter.meaning}, one part or number"
        raise _wrong(query, parameter, f"is {str(raw)[:60]!r}, not one value", mend)
    if parameter.type == "int":
        return _integer(query, parameter, raw)
    if parameter.type == "word" and raw not in parameter.words:
        words = ", ".join(parameter.words)
        raise _wrong(query, parameter, f"is {str(raw)[:60]!r}", f"one of {words}")
    if parameter.type == "core_kind":
        return _core_kind(query, parameter, str(raw), machine)
    if parameter.type in _KINDS or parameter.type == "part":
        return _part(query, parameter, raw, machine)
    return raw


def _wrong(query: Named, parameter: Parameter, what: str, mend: str) -> RequestError:
    place = f"query request $.with.{parameter.name}"
    return RequestError(f"{query.name}: {parameter.name} {what}", place=place, mend=mend)


def _integer(query: Named, parameter: Parameter, raw: Value) -> int:
    text = str(raw)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else -1
    if not parameter.least <= number <= parameter.most:
        mend = f"a whole number from {parameter.least} to {parameter.most}"
        raise _wrong(query, parameter, f"is {text[:60]!r}", mend)
    return number


def _core_kind(query: Named, parameter: Parameter, raw: str, machine: Machine) -> str:
    known = sorted({str(fact.args[1]) for fact in machine.facts_of("core_kind")})
    if raw != "any" and raw not in known:
        near = get_close_matches(raw, known, n=1)
        mend = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none stated'}"
        raise _wrong(query, parameter, f"{raw[:60]!r} is no kind of core of {machine.name}", mend)
    return raw


def _part(query: Named, parameter: Parameter, raw: Value, machine: Machine) -> str:
    """Return the part that a value names: a number is a PU or NUMA node, a bare word a device."""
    kinds = _KINDS.get(parameter.type, ())
    name = _lowest(query, parameter, machine) if raw == "lowest" else _full(str(raw), parameter)
    if kinds and kind_of(name) not in kinds:
        raise _wrong(query, parameter, f"is {name[:60]!r}", f"a {' or '.join(kinds)}")
    if not machine.has(name):
        raise _wrong(query, parameter, f"is {name[:60]!r}", _known_parts(machine, name))
    if reason := machine.unusable(name):
        raise _wrong(
            query, parameter, f"cannot be {name}: {reason}", "switch it on, or ask about another"
        )
    if parameter.type == "processor" and not processor_pus(machine, name):
        raise _wrong(query, parameter, f"{name} has no usable PU", "ask about another")
    return name


def _full(text: str, parameter: Parameter) -> str:
    if parameter.type in {"processor", "numa"} and text.isascii() and text.isdigit():
        return f"{'pu' if parameter.type == 'processor' else 'numa'}:{int(text[:9])}"
    if parameter.type == "device" and kind_of(text) not in KINDS:
        return f"device:{text}"
    return text


def _lowest(query: Named, parameter: Parameter, machine: Machine) -> str:
    if not machine.usable_pus:
        raise _wrong(query, parameter, f"{machine.name} has no usable PU", "switch one on")
    return f"pu:{machine.usable_pus[0]}"


def _known_parts(machine: Machine, name: str) -> str:
    """Return which parts of that kind there are, the near names first."""
    named = kind_of(name) in {"device", "pci", "misc"}
    have = [other for other in machine.objects if kind_of(other) == kind_of(name)]
    if named and (near := get_close_matches(name, have, n=3, cutoff=0.6)):
        return f"{machine.name} has {len(have)} of them; near names: {', '.join(near)}"
    try:
        machine.require(name)
    except NotFoundError as fault:
        return f"{fault.message}: {fault.mend}"
    return ""


def parameter_rows(values: Mapping[str, Value]) -> list[Row]:
    """Return the parameters as atoms."""
    return [("param", name, fit(value)) for name, value in sorted(values.items())]


# ------------------------------------------------------------------ answer
def rows_of(
    query: Named, values: Mapping[str, Value], atoms: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the rows of an answer set in their order, cut where the query says so."""
    rows = [
        {
            column.name: _cell(column, value)
            for column, value in zip(query.columns, atom["args"], strict=True)
        }
        for atom in atoms
        if atom["predicate"] == query.predicate
    ]
    keys = query.order or tuple(column.name for column in query.columns)
    every = dict.fromkeys((*keys, *(column.name for column in query.columns)))
    rows.sort(key=lambda row: tuple(_order(row[key]) for key in every))
    most = int(values.get(query.first, 0)) if query.first else 0
    return rows[:most] if most else rows


def _cell(column: Column, value: Any) -> Any:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        # a number beyond 31 bits travels as a text
        value = int(value)
    if isinstance(value, int) and column.divisor > 1:
        whole, rest = divmod(value, column.divisor)
        return value / column.divisor if rest else whole
    return value


def _order(value: Any) -> tuple[Any, ...]:
    """Sort key: numbers, then parts from the machine inwards, then words."""
    if isinstance(value, int | float):
        return (0, value)
    kind, colon, _ = str(value).partition(":")
    return (1, object_order(value), natural_order(value)) if colon and kind else (2, str(value))

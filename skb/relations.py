"""Relations and facts: what may be said about a machine, and by whom.

`facts/relations.toml` is the single place that knows a predicate. Everything that is written is
validated here: predicate, arity, type, unit, range, and that one source does not contradict itself.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from typing import Any

import msgspec

from skb.errors import ContradictionError, FactError
from skb.resources import relations_file

Value = str | int | float

KINDS = (
    "machine",
    "package",
    "die",
    "group",
    "numa",
    "memcache",
    "l5",
    "l4",
    "l3",
    "l3i",
    "l2",
    "l2i",
    "l1d",
    "l1i",
    "core",
    "pu",
    "bridge",
    "pci",
    "device",
    "misc",
)
_OBJECT = re.compile(rf"^({'|'.join(KINDS)}):([^\s,()\"'<>&]{{1,200}})$")
_NUMBERED = frozenset(KINDS) - {"pci", "device", "misc"}
INTEGER_LIMIT = 2**63
_FACT = re.compile(r"^\s*([a-z_]+)\s*\((.*)\)\s*\.?\s*$", re.DOTALL)
_ARGUMENT = re.compile(r'\s*(?:"([^"]*)"|([^",]+?))\s*(?:,|$)')


class Source(StrEnum):
    """Who says so, strongest first (docs/design.md)."""

    ASSERTED = "asserted"
    MEASURED = "measured"
    DISCOVERED = "discovered"
    FIRMWARE = "firmware"
    DATASHEET = "datasheet"
    DEFAULT = "default"


PRECEDENCE: Mapping[str, int] = {source.value: rank for rank, source in enumerate(Source)}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a relation: its name, type and unit, and what it is limited to."""

    name: str
    type: str
    unit: str = ""
    kinds: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None

    def check(self, value: Value) -> str:
        """Return what is wrong with a value, or an empty string."""
        if self.type in {"int", "number"}:
            return self._check_number(value)
        if not isinstance(value, str):
            return f"{value!r} is not {self.type}"
        if self.type == "object":
            return self._check_object(value)
        if self.type == "word" and value not in self.values:
            return f"{value!r} is not one of {', '.join(self.values)}"
        return "the text is longer than 4096 characters" if len(value) > 4096 else ""

    def _check_number(self, value: Value) -> str:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{value!r} is not a number" + (f" of {self.unit}" if self.unit else "")
        if self.type == "int" and not isinstance(value, int):
            return f"{value!r} is not a whole number"
        if not math.isfinite(value) or abs(value) >= INTEGER_LIMIT:
            return f"{value!r} is beyond 63 bits"
        if self.min is not None and value < self.min:
            return f"{value} is below {self.min:g} {self.unit}".rstrip()
        if self.max is not None and value > self.max:
            return f"{value} is above {self.max:g} {self.unit}".rstrip()
        return ""

    def _check_object(self, value: str) -> str:
        match = _OBJECT.match(value)
        if match is None:
            return f"{value!r} is not an object such as pu:0, numa:1 or device:eth0"
        kind, index = match.groups()
        if kind in _NUMBERED and not (index.isascii() and index.isdigit()):
            return f"{value!r}: the index of a {kind} is a number"
        if self.kinds and kind not in self.kinds:
            return f"{value!r} is not a {' or '.join(self.kinds)}"
        return ""


@dataclass(frozen=True, slots=True)
class Relation:
    """A predicate: meaning, typed arguments, and the arguments that identify a fact."""

    name: str
    family: str
    meaning: str
    args: tuple[Argument, ...]
    key: tuple[int, ...]

    @property
    def signature(self) -> str:
        return f"{self.name}({', '.join(argument.name for argument in self.args)})"

    @property
    def unit(self) -> str:
        """The unit of the relation's value: that of its last argument with one."""
        return next((argument.unit for argument in reversed(self.args) if argument.unit), "")


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement with its provenance.

    `source` is one of `Source`; `by` names the file, tool or person; `when` is an ISO date or
    empty; `samples` and `spread` (same unit as the value) are there where it was measured.
    """

    predicate: str
    args: tuple[Value, ...]
    source: str = Source.ASSERTED.value
    by: str = ""
    when: str = ""
    samples: int | None = None
    spread: float | None = None

    @property
    def key(self) -> tuple[Value, ...]:
        """The predicate with its key arguments: what the fact is about."""
        relation = relations()[self.predicate]
        return (self.predicate, *(self.args[index] for index in relation.key))

    @property
    def text(self) -> str:
        return f"{self.predicate}({', '.join(str(argument) for argument in self.args)})"


@cache
def relations() -> Mapping[str, Relation]:
    """Read `facts/relations.toml`; return relations by name."""
    with relations_file().open("rb") as file:
        document = tomllib.load(file)
    return {name: _relation(name, entry) for name, entry in document.items()}


def _relation(name: str, entry: Mapping[str, Any]) -> Relation:
    args = msgspec.convert(entry["args"], tuple[Argument, ...])
    names = [argument.name for argument in args]
    key = tuple(names.index(word) for word in entry["key"])
    return Relation(name, entry["family"], entry["meaning"], args, key)


def validate(fact: Fact, place: str = "") -> None:
    """Raise `FactError` unless the fact fits its relation; the error names place and mend."""
    relation = relations().get(fact.predicate)
    if relation is None:
        near = get_close_matches(fact.predicate, relations(), n=1)
        mend = (
            f"did you mean {near[0]}?" if near else "`skb facts --relations` lists the known ones"
        )
        raise FactError(f"unknown predicate {fact.predicate!r}", place=place, mend=mend)
    if len(fact.args) != len(relation.args):
        raise FactError(
            f"{fact.predicate} takes {len(relation.args)} arguments, not {len(fact.args)}",
            place=place,
            mend=f"write {relation.signature}",
        )
    for argument, value in zip(relation.args, fact.args, strict=True):
        if wrong := argument.check(value):
            raise FactError(
                f"{fact.predicate}: {argument.name}: {wrong}",
                place=place,
                mend=f"write {relation.signature}, {argument.name} as {_expects(argument)}",
            )
    if fact.source not in PRECEDENCE:
        raise FactError(
            f"unknown source {fact.source!r}", place=place, mend=f"one of {', '.join(PRECEDENCE)}"
        )


def _expects(argument: Argument) -> str:
    limits = " or ".join(argument.kinds or argument.values)
    return " ".join(word for word in (argument.type, limits, argument.unit) if word)


def check_set(facts: Iterable[Fact], place: str = "") -> tuple[Fact, ...]:
    """Validate facts together; return them in canonical order.

    A source is a kind of source and who it is (`source` and `by`): two files may disagree, and both
    stay visible. Raises `ContradictionError` where one source gives one key two values, or states a
    fact twice.
    """
    known: dict[tuple[tuple[Value, ...], str, str], Fact] = {}
    for fact in facts:
        validate(fact, place)
        slot = (fact.key, fact.source, fact.by)
        other = known.setdefault(slot, fact)
        if other is fact:
            continue
        if other.args != fact.args:
            raise ContradictionError(
                f"{fact.text} contradicts {other.text}, both {fact.source}",
                place=place,
                mend="state one of them, or give them different sources",
            )
        raise ContradictionError(
            f"{fact.text} is stated twice, both {fact.source}", place=place, mend="leave one out"
        )
    return tuple(sorted(known.values(), key=_order))


def _order(fact: Fact) -> tuple[str, tuple[tuple[int, float, str], ...], int, str]:
    args = tuple(
        (1, 0.0, value) if isinstance(value, str) else (0, float(value), "") for value in fact.args
    )
    return (fact.predicate, args, PRECEDENCE[fact.source], fact.by)


def split_object(name: str) -> tuple[str, str]:
    """Split `kind:index`; raise `FactError` where the name is not an object's."""
    if wrong := Argument("object", "object").check(name):
        raise FactError(wrong)
    kind, _, index = name.partition(":")
    return kind, index


def parse_fact(text: str, source: str) -> Fact:
    """Read `predicate(arg, …)`; arguments are typed by the relation."""
    match = _FACT.match(text)
    if match is None:
        raise FactError(f"cannot read {text!r}", mend='write "load(pu:3, 50)"')
    predicate, inside = match.groups()
    raw = [a if a else b for a, b in _ARGUMENT.findall(inside)]
    relation = relations().get(predicate)
    args: list[Any] = list(raw)
    if relation is not None:
        kinds = [argument.type for argument in relation.args]
        args = [_typed(a, k) for a, k in zip(raw, kinds, strict=False)] + raw[len(kinds) :]
    fact = Fact(predicate, tuple(args), source)
    validate(Fact(predicate, tuple(args), source or "asserted"), text)
    return fact


def _typed(text: str, kind: str) -> str | int | float:
    if kind in {"int", "number"}:
        for convert in (int, float):
            try:
                return convert(text)
            except ValueError:
                continue
    return text


def reference_page() -> str:
    """Return the page of the docs that lists every predicate, in Markdown."""
    lines = ["# Predicates", "", "Made from `facts/relations.toml`; do not edit."]
    for family in dict.fromkeys(relation.family for relation in relations().values()):
        lines += ["", f"## {family}", "", "| predicate | meaning | arguments |", "|---|---|---|"]
        for relation in relations().values():
            if relation.family == family:
                arguments = "; ".join(_described(argument) for argument in relation.args)
                lines.append(f"| `{relation.signature}` | {relation.meaning} | {arguments} |")
    return "\n".join(lines) + "\n"


def _described(argument: Argument) -> str:
    limits = ", ".join(argument.kinds or argument.values)
    unit = f" in {argument.unit}" if argument.unit else ""
    return f"{argument.name}: {argument.type}{unit}" + (f" ({limits})" if limits else "")

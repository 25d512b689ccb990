"""Relations and facts: what may be said about a machine, and by whom.

`facts/relations.toml` is the single place that knows a predicate. Everything that is written is
validated here: predicate, arity, type, unit, range, and that one source does not contradict itself.

Facts come by the hundred thousand and are nearly always right. So `check_set` looks at whole
columns first (all values of one argument of one predicate); only where a column is not plainly
right does it look at fact after fact, which finds the words for the error. Both accept the same
facts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import chain, count, groupby, repeat
from operator import add, attrgetter, itemgetter, mul
from typing import Any

import msgspec

from skb.arguments import KINDS, Argument, Value, column_check
from skb.errors import ContradictionError, FactError
from skb.resources import relations_file

__all__ = [
    "KINDS",
    "PRECEDENCE",
    "Argument",
    "Checked",
    "Fact",
    "Relation",
    "Source",
    "Value",
    "args_of",
    "by_predicate",
    "check_set",
    "in_order",
    "joined",
    "key_picker",
    "parse_fact",
    "reference_page",
    "relations",
    "right_in_order",
    "source_of",
    "split_object",
    "validate",
]
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


class Fact(msgspec.Struct, frozen=True, gc=False):
    """One statement with its provenance.

    A struct instead of a dataclass: it is made six times faster, and read and written as it is.

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
        return (self.predicate, *key_picker(self.predicate)(self.args))

    @property
    def text(self) -> str:
        """The fact as a person writes it: `load(pu:3, 50)`."""
        return f"{self.predicate}({', '.join(str(argument) for argument in self.args)})"


@cache
def relations() -> Mapping[str, Relation]:
    """Read `facts/relations.toml`; return relations by name."""
    import tomllib

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
        from difflib import get_close_matches

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


class Checked(tuple[Fact, ...]):
    """Facts that `check_set` has passed, in canonical order: they need not pass it again."""

    __slots__ = ()


def check_set(facts: Iterable[Fact], place: str = "") -> Checked:
    """Validate facts together; return them in canonical order.

    A source is a kind of source and who it is (`source` and `by`): two files may disagree, and both
    stay visible. Raises `ContradictionError` where one source gives one key two values, or states a
    fact twice.
    """
    if isinstance(facts, Checked):
        return facts
    given = tuple(facts)
    ordered: dict[str, list[Fact]] = {}
    for predicate, facts_of_it in by_predicate(given).items():
        rows = right_in_order(predicate, facts_of_it)
        if rows is None:
            checked = by_predicate(_check_each(given, place))
            return Checked(joined({name: in_order(group) for name, group in checked.items()}))
        ordered[predicate] = rows
    return Checked(joined(ordered))


def _check_each(facts: Iterable[Fact], place: str) -> Iterable[Fact]:
    """Validate fact after fact; the first that is wrong, or clashes, is told."""
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
    return known.values()


args_of: Callable[[Fact], tuple[Value, ...]] = attrgetter("args")
source_of: Callable[[Fact], str] = attrgetter("source")
_predicate_of = attrgetter("predicate")
_by_of = attrgetter("by")


def by_predicate(facts: Iterable[Fact]) -> dict[str, list[Fact]]:
    """Return the facts of each predicate, in their order."""
    groups: dict[str, list[Fact]] = {}
    for predicate, run in groupby(facts, _predicate_of):
        groups.setdefault(predicate, []).extend(run)
    return groups


def in_order(facts: Iterable[Fact]) -> list[Fact]:
    """Return valid facts of one predicate in canonical order.

    That is by arguments, then by precedence of the source, then by who it is. The arguments of one
    place are all texts or all numbers, so that they compare as they are.
    """
    rows = list(facts)
    return _sorted(rows, _ranks([*_columns(rows), *_provenance(rows)])) if rows else rows


def _columns(facts: Sequence[Fact]) -> list[list[Value]]:
    """Return the arguments of facts of one arity, place by place."""
    rows = list(map(args_of, facts))
    return [list(map(itemgetter(place), rows)) for place in range(len(rows[0]))]


def _provenance(facts: Sequence[Fact]) -> tuple[list[int], list[str]]:
    sources = map(PRECEDENCE.__getitem__, map(source_of, facts))
    return list(sources), list(map(_by_of, facts))


def _ranks(columns: Iterable[Sequence[Any]]) -> list[int]:
    """Return a whole number for each row that compares as the row would; equal for equal rows.

    Numbers are hashed and sorted several times faster than tuples of texts.
    """
    ranks: list[int] = []
    for column in columns:
        distinct = sorted(set(column))
        place = map(dict(zip(distinct, count(), strict=False)).__getitem__, column)
        weight = repeat(len(distinct))
        ranks = list(map(add, map(mul, ranks, weight), place)) if ranks else list(place)
    return ranks


def _sorted(facts: Sequence[Fact], ranks: Sequence[int]) -> list[Fact]:
    return [facts[at] for at in sorted(range(len(facts)), key=ranks.__getitem__)]


def joined(groups: Mapping[str, Iterable[Fact]]) -> tuple[Fact, ...]:
    """Return facts that are given by predicate, each in canonical order, as one canonical set."""
    return tuple(chain.from_iterable(groups[predicate] for predicate in sorted(groups)))


@cache
def key_picker(predicate: str) -> Callable[[tuple[Value, ...]], tuple[Value, ...]]:
    """Return what picks the key out of the arguments of a predicate."""
    key = relations()[predicate].key
    if key == tuple(range(len(key))):
        return itemgetter(slice(0, len(key)))
    return lambda args: tuple([args[index] for index in key])


def right_in_order(predicate: str, facts: Sequence[Fact]) -> list[Fact] | None:
    """Return facts of a predicate in order where they are valid and distinct.

    None where it takes a look at each of them.
    """
    relation = relations().get(predicate)
    if relation is None or set(map(len, map(args_of, facts))) != {len(relation.args)}:
        return None
    columns = _columns(facts)
    checks = zip(_column_checks(predicate), columns, strict=True)
    if not all(check(column) for check, column in checks):
        return None
    if not PRECEDENCE.keys() >= set(map(source_of, facts)):
        return None
    provenance = _provenance(facts)
    ranks = _ranks([*(columns[place] for place in relation.key), *provenance])
    if len(set(ranks)) < len(facts):
        return None
    ordered_by_key = relation.key == tuple(range(len(relation.key)))
    if not ordered_by_key or any(len(set(column)) > 1 for column in provenance):
        ranks = _ranks([*columns, *provenance])
    return _sorted(facts, ranks)


@cache
def _column_checks(predicate: str) -> tuple[Callable[[list[Any]], bool], ...]:
    return tuple(column_check(argument) for argument in relations()[predicate].args)


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

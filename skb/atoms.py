"""Facts as atoms: how a predicate, an object and a number look to rules in clingo syntax.

Objects and words are strings. Whole numbers that fit are integers; clingo wraps integers at 31 bits
silently, so that larger numbers and fractions are strings, and every such relation has a companion
whose last argument is scaled to whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

from skb.engines.query_text import INTEGER_MAX
from skb.machine import Machine, index_of, kind_of
from skb.relations import Relation, Value

Row = tuple[str | int, ...]
SUFFIXES = {"ns": ("_ps", 1000), "bytes": ("_kib", 0)}
_TEXT_INDEXED = frozenset({"device", "misc"})


def companion(relation: Relation) -> tuple[str, int]:
    """Return the name and the scale of the companion with whole numbers; empty without one.

    A scale of 0 means whole KiB, rounded down.
    """
    last = relation.args[-1]
    if last.type not in {"int", "number"} or (last.type == "int" and last.unit != "bytes"):
        return "", 0
    suffix, scale = SUFFIXES.get(last.unit, ("_milli", 1000))
    return relation.name + suffix, scale


def plain_rows(machine: Machine, relation: Relation) -> Iterator[Row]:
    """Yield the facts of a relation that hold."""
    for fact in machine.facts_of(relation.name):
        yield (relation.name, *(term(value) for value in fact.args))


def companion_rows(machine: Machine, relation: Relation) -> Iterator[Row]:
    """Yield the facts of a relation that hold with the last argument as a whole number."""
    name, scale = companion(relation)
    if not name:
        return
    for fact in machine.facts_of(relation.name):
        *rest, last = fact.args
        value = round(float(last) * scale) if scale else int(last) // 1024
        yield (name, *(term(value) for value in rest), value)


def object_rows(machine: Machine) -> Iterator[Row]:
    """Yield `object(O, Kind, Index)` for every part, the index as a number where it is one."""
    for name in machine.objects:
        kind, index = kind_of(name), name.partition(":")[2]
        number = index.isascii() and index.isdigit() and kind not in _TEXT_INDEXED
        yield ("object", name, kind, index_of(name) if number else index)


def link_ends(machine: Machine) -> list[str]:
    """Return every part that a link begins or ends at."""
    return sorted({end for start, ends in machine.links.items() for end in (start, *ends)})


def hop_rows(machine: Machine, ends: list[str]) -> Iterator[Row]:
    """Yield `hops(A, B, N)` between these ends of links, where links lead from one to the other."""
    for first in ends:
        for second in ends:
            hops = machine.hops(first, second)
            if hops is not None:
                yield ("hops", first, second, hops)


def term(value: Value) -> str | int:
    """Return a value as rules see it: a whole number, or a text."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else str(value)
    return value


def fit(value: str | int) -> str | int:
    """Return a number beyond 31 bits as a string."""
    return str(value) if isinstance(value, int) and abs(value) > INTEGER_MAX else value

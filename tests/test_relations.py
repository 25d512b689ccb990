"""Facts are validated against `facts/relations.toml`, the single place that knows a predicate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.arguments import column_check
from skb.errors import ContradictionError, FactError
from skb.relations import (
    KINDS,
    PRECEDENCE,
    Argument,
    Fact,
    check_set,
    relations,
    split_object,
    validate,
)

BAD = [
    (Fact("contain", ("machine:0", "pu:0")), "did you mean contains"),
    (Fact("contains", ("machine:0",)), "takes 2 arguments, not 1"),
    (Fact("contains", ("machine:0", "pu:0", "pu:1")), "takes 2 arguments, not 3"),
    (Fact("contains", ("machine:0", "cpu:0")), "is not an object"),
    (Fact("contains", ("machine:0", "pu:x")), "the index of a pu is a number"),
    (Fact("contains", ("machine:0", "device:<script>")), "is not an object"),
    (Fact("memory_size", ("pu:0", 5)), "is not a numa"),
    (Fact("memory_size", ("numa:0", "5")), "is not a number of bytes"),
    (Fact("memory_size", ("numa:0", 5.5)), "is not a whole number"),
    (Fact("memory_size", ("numa:0", True)), "is not a number"),
    (Fact("memory_size", ("numa:0", 2**63)), "beyond 63 bits"),
    (Fact("memory_size", ("numa:0", 10**400)), "beyond 63 bits"),
    (Fact("contains", ("machine:0", "pu:0\n")), "is not an object"),
    (Fact("isa", ("pu:0", "\ud800")), "holds half a character"),
    (Fact("memory_latency", ("numa:0", "numa:0", "read", -1.0)), "below 0 ns"),
    (Fact("memory_latency", ("numa:0", "numa:0", "read", float("nan"))), "beyond 63 bits"),
    (Fact("load", ("pu:0", 101)), "above 100 percent"),
    (Fact("power", ("pu:0", "dim")), "is not one of on, off, sleep"),
    (Fact("power", ("pu:0", "on"), source="hearsay"), "unknown source"),
]


@pytest.mark.parametrize(("fact", "words"), BAD)
def test_validate_names_place_and_mend(fact: Fact, words: str) -> None:
    """A bad fact is refused in words that say where it stood and what would be right."""
    with pytest.raises(FactError, match=words) as caught:
        validate(fact, "board.toml: fact[3]")
    assert caught.value.place == "board.toml: fact[3]"
    assert caught.value.mend


def test_relations_are_complete() -> None:
    """Every predicate has a meaning, typed arguments, a key, and only known kinds."""
    for relation in relations().values():
        assert relation.meaning.endswith("."), relation.name
        assert relation.family and relation.key, relation.name
        for argument in relation.args:
            assert argument.type in {"object", "int", "number", "word", "text"}
            assert set(argument.kinds) <= set(KINDS)
            assert (argument.type == "word") == bool(argument.values)


def test_check_set_reports_contradictions_of_one_source() -> None:
    """One source may not give a key two values; two sources may."""
    first = Fact("load", ("pu:0", 10))
    with pytest.raises(ContradictionError, match=r"load\(pu:0, 20\) contradicts load\(pu:0, 10\)"):
        check_set([first, Fact("load", ("pu:0", 20))])
    assert len(check_set([first, Fact("load", ("pu:0", 20), source="measured")])) == 2


def test_check_set_reports_what_is_stated_twice() -> None:
    """The same fact from the same source twice is a slip that the writer wants to know."""
    fact = Fact("load", ("pu:0", 10))
    with pytest.raises(ContradictionError, match=r"load\(pu:0, 10\) is stated twice"):
        check_set([fact, Fact("load", ("pu:0", 10))])


def test_check_set_refuses_two_parents() -> None:
    """A part has one parent."""
    facts = [Fact("contains", ("machine:0", "pu:0")), Fact("contains", ("package:0", "pu:0"))]
    with pytest.raises(ContradictionError, match="contradicts"):
        check_set(facts)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["asserted", "measured"])), max_size=9)
)
def test_check_set_does_not_depend_on_order(rows: list[tuple[int, str]]) -> None:
    """The canonical order is the same however the facts came."""
    facts = list({Fact("load", (f"pu:{n}", n), source=source) for n, source in rows})
    assert check_set(facts) == check_set(reversed(facts))


@pytest.mark.parametrize("name", ["pu:0", "pci:0000:81:00.0", "device:eth0", "l1d:12"])
def test_split_object_accepts_the_documented_forms(name: str) -> None:
    """Kinds and indexes come apart at the first colon."""
    assert ":".join(split_object(name)) == name


VALUES = st.one_of(
    st.sampled_from(KINDS).flatmap(lambda kind: st.integers(0, 3).map(lambda n: f"{kind}:{n}")),
    st.sampled_from(
        ["pci:0000:81:00.0", "device:eth0", "misc:a", "pu:0\n", "pu:²", "pu:", "cpu:0"]
    ),
    st.sampled_from(["on", "off", "read", "cache_line", "gap", "dram", "dim", "l3", "", "\ud800"]),
    st.sampled_from([0, 1, -1, 2.5, 100, 101, True, 2**63 - 1, 2**63, -(2**63), 10**400]),
    st.sampled_from([float("nan"), float("inf"), -float("inf"), 1e308, -0.0, "x" * 5000]),
    st.text(max_size=3),
    st.integers(),
    st.floats(),
)


@st.composite
def facts_of_any_kind(draw: st.DrawFn) -> Fact:
    """A fact whose values mostly fit, of a predicate that mostly exists."""
    name = draw(st.sampled_from(["contain", *relations(), "load", "power", "latency", "contains"]))
    relation = relations().get(name)
    if relation is None or draw(st.integers(0, 9)) == 0:
        args = tuple(draw(st.lists(VALUES, max_size=3)))
    else:
        args = tuple(draw(_fitting(argument)) for argument in relation.args)
    source = draw(st.sampled_from(["asserted", "measured", "default", "asserted", "hearsay"]))
    return Fact(name, args, source, draw(st.sampled_from(["", "a", "b"])))


def _fitting(argument: Argument) -> st.SearchStrategy[str | int | float]:
    if argument.type == "object":
        kinds = st.sampled_from(argument.kinds or KINDS)
        fit: Any = kinds.flatmap(lambda kind: st.integers(0, 2).map(lambda n: f"{kind}:{n}"))
    elif argument.type == "word":
        fit = st.sampled_from(argument.values)
    elif argument.type == "text":
        fit = st.sampled_from(["a", "ü", "a b"])
    else:
        fit = st.sampled_from([1, 2, 50] if argument.type == "int" else [1, 2.0, 50.5])
    return st.one_of(fit, fit, fit, fit, fit, fit, fit, fit, fit, VALUES)


def one_by_one(facts: list[Fact]) -> list[Fact]:
    """What `check_set` promises, in the plainest way."""
    known: dict[tuple[object, ...], Fact] = {}
    for fact in facts:
        validate(fact, "here")
        other = known.setdefault((fact.key, fact.source, fact.by), fact)
        if other is not fact:
            same = other.args == fact.args
            raise ContradictionError(f"{fact.text} is stated twice" if same else fact.text)
    return sorted(known.values(), key=_rank)


def _rank(fact: Fact) -> tuple[object, ...]:
    return (fact.predicate, fact.args, PRECEDENCE[fact.source], fact.by)


def outcome(work: Callable[[], Iterable[Fact]]) -> tuple[list[Fact], str]:
    """What was accepted, or in which words it was not."""
    try:
        return list(work()), ""
    except FactError as fault:
        return [], str(fault)


@settings(max_examples=300, deadline=None)
@given(st.lists(facts_of_any_kind(), max_size=6))
def test_check_set_by_columns_agrees_with_one_by_one(facts: list[Fact]) -> None:
    """Looking at whole columns accepts what looking at each fact accepts, in the same order."""
    accepted, told = outcome(lambda: check_set(facts, "here"))
    expected, wanted = outcome(lambda: one_by_one(facts))
    assert accepted == expected
    assert told.startswith(wanted) if wanted.startswith("here") else wanted in told
    assert bool(told) == bool(wanted)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(relations())), st.data())
def test_a_column_is_right_where_each_value_is(name: str, data: st.DataObject) -> None:
    """For every argument of every predicate; so the fast way is also taken where it may be."""
    for argument in relations()[name].args:
        values = data.draw(st.lists(_fitting(argument), min_size=1, max_size=4))
        assert column_check(argument)(values) == (not any(map(argument.check, values)))


def test_check_set_does_not_look_twice() -> None:
    """What has passed is known by its type, and passes as it is."""
    once = check_set([Fact("load", ("pu:1", 10)), Fact("load", ("pu:0", 10))])
    assert check_set(once) is once
    assert [fact.args[0] for fact in once] == ["pu:0", "pu:1"]


def test_validate_names_a_number_of_a_thousand_digits_by_its_size() -> None:
    """Python refuses to write such a number; the error must not."""
    with pytest.raises(FactError, match="a number of 33220 bits is beyond 63 bits"):
        validate(Fact("memory_size", ("numa:0", 10**10000)))

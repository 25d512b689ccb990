"""Facts are validated against `facts/relations.toml`, the single place that knows a predicate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skb.errors import ContradictionError, FactError
from skb.relations import KINDS, Fact, check_set, relations, split_object, validate

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

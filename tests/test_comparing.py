"""What differs between machines: renumbering does not, another place does, provenance apart."""

from __future__ import annotations

import json
from dataclasses import replace as changed

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from skb.comparing import Same, compare, document, same_shape
from skb.knowledge import machine_of
from skb.machine import Machine
from skb.relations import Fact
from tests.machines import bundled, grown
from tests.test_merging import described, renumbered


def test_comparing_a_machine_with_itself_finds_nothing() -> None:
    """Equal machines have the same facts and an empty difference."""
    board = bundled("tyan-s4985")
    found = compare(board, board)
    assert (found.same, found.headline) == (Same.FACTS, "the same facts")
    empty = (found.counts, found.moved, found.changed, found.facts_only_a, found.provenance)
    assert not any(empty)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_comparing_does_not_see_logical_numbers(seed: int) -> None:
    """The same machine with its cores and caches shuffled has the same facts."""
    kinds = tuple(Fact("core_kind", (f"core:{n}", f"kind {n}")) for n in range(8))
    one = described("package:2 numa:1 l3:2 core:2 pu:2", *kinds)
    found = compare(machine_of(one, "a"), machine_of(renumbered(one, seed), "b"))
    assert found.same is Same.FACTS


def test_comparing_says_where_a_pu_moved_and_where_it_was() -> None:
    """A PU in another core is a difference of structure, by name."""
    pairs = [("machine:0", f"core:{n}") for n in range(2)]
    trees = [
        [*pairs, *((f"core:{at}", f"pu:{pu}") for pu, at in enumerate(places))]
        for places in ((0, 0, 0, 1, 1, 1), (0, 0, 1, 1, 1, 1))
    ]
    a, b = (Machine("m", [Fact("contains", pair) for pair in tree]) for tree in trees)
    found = compare(a, b)
    assert [(m.id, m.was, m.now) for m in found.moved] == [("pu:2", "core:0", "core:1")]
    assert found.same is Same.DIFFERENT


def test_comparing_lists_parts_and_facts_that_one_machine_has() -> None:
    """Parts by name, counts by kind, facts with their values and sources."""
    a = grown("package:2 core:2 pu:1", Fact("load", ("pu:0", 5)), Fact("load", ("pu:1", 7)))
    b = grown("package:3 core:2 pu:1", Fact("load", ("pu:0", 9), by="agent"))
    found = compare(a, b)
    assert found.counts == {"pu": (4, 6), "core": (4, 6), "package": (2, 3)}
    assert found.parts_only_a == ()
    assert set(found.parts_only_b) == {"package:2", "core:4", "core:5", "pu:4", "pu:5"}
    ((was, now),) = found.changed
    assert (was.args, now.args, now.by) == (("pu:0", 5), ("pu:0", 9), "agent")
    assert [fact.args for fact in found.facts_only_a] == [("pu:1", 7)]


def test_comparing_tells_other_provenance_apart() -> None:
    """The same value from another source is no change of facts, and is listed."""
    a = grown("core:2 pu:1", Fact("load", ("pu:0", 5), source="measured"))
    b = grown("core:2 pu:1", Fact("load", ("pu:0", 5), source="firmware"))
    found = compare(a, b)
    assert (found.same, found.headline) == (Same.FACTS, "the same facts, 1 said by others")
    assert [(x.source, y.source) for x, y in found.provenance] == [("measured", "firmware")]


def test_comparing_knows_the_shape_up_to_numbering() -> None:
    """Trees that differ only in their numbers have one shape; one core more makes another."""
    facts = grown("package:2 core:2 pu:2").facts
    swapped = {f"pu:{n}": f"pu:{7 - n}" for n in range(8)}
    other = Machine("other", [
        replace(f, args=tuple(swapped.get(str(arg), arg) for arg in f.args)) for f in facts
    ])  # fmt: skip
    assert same_shape(Machine("one", facts), other)
    assert not same_shape(grown("package:2 core:2 pu:2"), grown("package:1 core:4 pu:2"))
    assert not same_shape(grown("package:2 core:2 pu:2"), grown("package:4 core:1 pu:2"))


def test_comparing_can_be_limited_to_one_predicate() -> None:
    """With a predicate only its facts count; contains is the structure alone."""
    a = grown("core:2 pu:1", Fact("load", ("pu:0", 5)), Fact("power", ("core:1", "off")))
    b = grown("core:3 pu:1", Fact("load", ("pu:0", 6)))
    assert [one.predicate for one, _ in compare(a, b, "load").changed] == ["load"]
    assert compare(a, b, "load").facts_only_a == ()
    structure = compare(a, b, "contains")
    assert structure.changed == () and structure.parts_only_b


def test_comparing_document_is_json() -> None:
    """What the command line and the service print holds both values and both sources."""
    a = grown("core:2 pu:1", Fact("load", ("pu:0", 5)))
    b = grown("core:2 pu:1", Fact("load", ("pu:0", 6), by="agent"))
    printed = json.loads(json.dumps(document(a, b, compare(a, b))))
    (row,) = printed["changed"]
    assert (row["predicate"], row["key"]) == ("load", ["pu:0"])
    assert (row["a"]["args"][-1], row["b"]["args"][-1], row["b"]["by"]) == (5, 6, "agent")
    assert printed["same"] == "shape"


def test_comparing_writes_foreign_parts_with_their_machine() -> None:
    """A part that has the name of another one is not mistaken for it."""
    one = described("group:2 pu:2")
    crossing = [("machine:0", "group:0"), *(("group:0", f"pu:{pu}") for pu in (1, 2))]
    crossing += [("machine:0", "pu:0"), ("machine:0", "pu:3")]
    facts = [Fact("contains", pair) for pair in crossing] + [Fact("load", ("group:0", 5))]
    other = machine_of(changed(one, facts=tuple(facts)), "other")
    found = compare(machine_of(one, "one"), other)
    assert [fact.args for fact in found.facts_only_b] == [("group:0 of other", 5)]

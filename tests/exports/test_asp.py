"""Export to answer-set programs: clingo loads it silently, and it says what a query is told."""

from __future__ import annotations

from typing import Any

import clingo
import pytest

from skb.decision import Limits
from skb.exports import export
from skb.machine import Machine
from skb.questions import question
from tests.exports.machines import BUNDLED, exported, odd


def ground(text: str) -> tuple[set[tuple[Any, ...]], list[str]]:
    """Ground a program with clingo; return its facts as plain values, and the warnings."""
    messages: list[str] = []
    control = clingo.Control(["--warn=all"], logger=lambda _code, said: messages.append(said))
    control.add("base", [], text)
    control.ground([("base", [])])
    atoms = {
        (atom.symbol.name, *(_plain(argument) for argument in atom.symbol.arguments))
        for atom in control.symbolic_atoms
        if atom.is_fact
    }
    return atoms, messages


def _plain(symbol: clingo.Symbol) -> Any:
    return symbol.number if symbol.type == clingo.SymbolType.Number else symbol.string


@pytest.mark.parametrize("name", [*BUNDLED, "uv-24s384t.v3.xml"])
def test_asp_is_loaded_without_a_warning_and_holds_every_fact(name: str) -> None:
    """As many atoms as facts that hold, and no message of clingo."""
    machine = exported(name)
    made = export(machine, "asp")
    atoms, messages = ground(made.text)
    assert messages == []
    for predicate in {fact.predicate for fact in machine.facts}:
        count = sum(atom[0] == predicate for atom in atoms)
        assert count == len(machine.facts_of(predicate)), predicate
    assert {atom[1] for atom in atoms if atom[0] == "object"} == set(machine.objects)


@pytest.mark.parametrize("machine", [odd(), exported("tyan-s4985")], ids=["odd", "tyan"])
def test_asp_atoms_are_those_that_a_query_is_given(machine: Machine) -> None:
    """Each predicate and companion has the same rows in the export and in `skb ask query`."""
    atoms, _ = ground(export(machine, "asp").text)
    signatures = {(atom[0], len(atom) - 1) for atom in atoms}
    request = {"rules": "a.", "show": sorted(f"{name}/{arity}" for name, arity in signatures)}
    decision = question("query").decide(machine, request, Limits())
    given = decision.answer["models"][0]["atoms"]
    assert atoms == {(atom["predicate"], *atom["args"]) for atom in given}


def test_asp_numbers_beyond_31_bits_are_texts_with_a_companion() -> None:
    """clingo would wrap them silently; the companion has whole KiB, and cycles whole ps."""
    atoms, _ = ground(export(odd(), "asp").text)
    assert ("memory_size", "numa:0", str(2**62)) in atoms
    assert ("memory_size_kib", "numa:0", str(2**52)) in atoms
    assert ("latency", "pu:0", "pu:1", "95.25") in atoms
    assert ("latency_ps", "pu:0", "pu:1", 95250) in atoms


def test_asp_carries_rules_of_a_user() -> None:
    """A user's rules behind the facts see them, and absent predicates raise no warning."""
    rules = "far(A,B) :- hops(A,B,3), A < B. none(X) :- image(X,_), load(X,_). #show far/2."
    atoms, messages = ground(export(exported("tyan-s4985"), "asp").text + rules)
    assert messages == []
    assert sum(atom[0] == "far" for atom in atoms) == 6

"""The wrapper of clingo: instances are symbols, numbers fit 31 bits, cores are minimal."""

from __future__ import annotations

from pathlib import Path

import pytest

from skb.decision import Limits
from skb.engines import asp
from skb.engines.asp import Atom, EncodingError, Model, Program, minimal_core
from skb.errors import RequestError

RULES = """% three tasks on numbered seats, for the tests of the wrapper
{ act(X) } :- name(X).
{ at(T, G) : seat(G) } = 1 :- task(T).
:- #count { T : at(T, G) } > 1, seat(G), act("one each").
:- at(T, 1), act("not the first").
:~ at(T, G). [G * 3, T]
#show at/2.
"""
NAMED: list[Atom] = [("act", (name,)) for name in ("one each", "not the first", "idle")]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """Three tasks, three seats, three constraints that can be switched on."""
    (tmp_path / "seats.lp").write_text(RULES)
    monkeypatch.setattr(asp, "rules_file", lambda name: tmp_path / name)
    atoms: list[Atom] = [("task", (f"t{n}",)) for n in range(3)]
    atoms += [("seat", (n,)) for n in (1, 2, 3)]
    atoms += [("name", args) for _act, args in NAMED]
    return Model(Program(("seats.lp",), tuple(atoms)))


def test_asp_proves_the_optimum_under_assumptions(model: Model) -> None:
    """Free tasks crowd the cheapest seat; with the constraint they spread, and both are proven."""
    free = model.solve([(atom, False) for atom in NAMED])
    spread = model.solve([(NAMED[0], True), (NAMED[1], False)])
    assert (free.cost, free.proven) == ((9,), True)
    assert (spread.cost, spread.bound, spread.proven) == ((18,), (18,), True)


def test_asp_core_is_minimal(model: Model) -> None:
    """Two constraints clash; the third, idle one is not blamed."""
    core, exact = minimal_core(model, NAMED, Limits())
    assert (set(core), exact) == (set(NAMED[:2]), True)


def test_asp_keeps_user_text_as_text(model: Model) -> None:
    """A name that looks like a rule is a string."""
    hostile = 'x"). #script(lua) os.exit() #end. p("'
    assert asp.term(asp.symbol(hostile)) == hostile


@pytest.mark.parametrize("number", [2**31, -(2**31), 2**40])
def test_asp_refuses_what_clingo_would_wrap(number: int) -> None:
    """clingo wraps beyond 31 bits without a word; we refuse."""
    with pytest.raises(RequestError, match="beyond 31 bits"):
        asp.symbol(number)


def test_asp_warnings_of_clingo_are_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own rules ground without a message, or not at all."""
    (tmp_path / "odd.lp").write_text("a(X) :- b(X).\n")
    monkeypatch.setattr(asp, "rules_file", lambda name: tmp_path / name)
    with pytest.raises(EncodingError, match=r"b\(X\)"):
        Model(Program(("odd.lp",), ()))

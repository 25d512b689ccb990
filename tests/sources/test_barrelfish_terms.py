"""Prolog text: every kind of term read back, faults with line and column, and hostile texts."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.errors import DescriptionError, SkbError, TooLargeError
from skb.sources import barrelfish_grammar
from skb.sources.barrelfish_terms import (
    DEPTH_LIMIT,
    TOKEN_LIMIT,
    Compound,
    Term,
    Text,
    Variable,
    read_clauses,
)

OPERATORS = frozenset({"is", "mod", "rem", "div", "xor"})


def written(term: Term) -> str:
    """Write a term as Prolog does."""
    if isinstance(term, Compound):
        inside = ", ".join(written(arg) for arg in term.args)
        return f"[{inside}]" if term.functor == "[]" else f"{quoted(term.functor)}({inside})"
    if isinstance(term, Text):
        return '"' + escaped(term.value).replace('"', '""') + '"'
    if isinstance(term, Variable):
        return term.name
    return quoted(term) if isinstance(term, str) else repr(term)


def quoted(name: str) -> str:
    plain = name.isascii() and name.isidentifier() and name[0].islower()
    if plain and name not in OPERATORS:
        return name
    return "'" + escaped(name).replace("'", "''") + "'"


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


words = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1, max_size=8)
plain = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    words,
    words.map(Text),
    st.sampled_from(["_", "X", "_G12", "Bus"]).map(Variable),
)
terms: st.SearchStrategy[Term] = st.recursive(
    plain,
    lambda inner: st.builds(
        Compound, words | st.just("[]"), st.lists(inner, min_size=1, max_size=4).map(tuple)
    ),
    max_leaves=12,
)
facts = st.builds(
    Compound, st.from_regex(r"\A[a-z]\w{0,8}\Z"), st.lists(terms, min_size=1).map(tuple)
)


@settings(max_examples=40)
@given(st.lists(facts, max_size=5), st.sampled_from(["\n", " ", " % c\n", "/* c */ ", ""]))
def test_barrelfish_terms_written_are_read_back_equal(found: list[Compound], between: str) -> None:
    """Any terms, printed with any layout between the clauses, come back."""
    text = "".join(f"{written(term)}.{between}" for term in found)
    if between.startswith("/"):
        text = text.replace("./*", ". /*")
    assert [term for term, _line in read_clauses(text, "t").facts] == found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("16'ff", 255),
        ("2'101", 5),
        ("36'Zz", 35 * 36 + 35),
        ("0xFF", 255),
        ("0b11", 3),
        ("0o17", 15),
        ("0'a", 97),
        ("0'\\n", 10),
        ("0'''", 39),
        ("-7", -7),
        ("- 7", -7),
        ("+7", 7),
        ("1.5e3", 1500.0),
        ("-0.25", -0.25),
        ("18446744073709551616", 2**64),
        ("'a b'", "a b"),
        ("'it''s'", "it's"),
        ("'\"\"\\n'", '""\n'),
        ("\"it''s\\n\"", Text("it''s\n")),
        ('"\\\\_SB_.LNKA"', Text("\\_SB_.LNKA")),
        ("'\\x41\\b'", "Ab"),
        ("[]", Compound("[]", ())),
        ("[1, a|T]", Compound("[|]", (1, "a", Variable("T")))),
        ("(a, b)", Compound(",", ("a", "b"))),
        ("(a)", "a"),
        ("1-2", Compound("", (1, "-", 2))),
        ("x is 3 mod 2", Compound("", ("x", "is", 3, "mod", 2))),
        ("card{ id: 16'10 }", Compound("card{}", (Compound("", ("id", ":", 16)),))),
    ],
)
def test_barrelfish_terms_of_every_kind(text: str, value: Term) -> None:
    """ECLiPSe's literals stand for what its manual says."""
    ((term, line),) = read_clauses(f"\nf({text}).", "t").facts
    assert term == Compound("f", (value,))
    assert line == 2


def test_barrelfish_terms_clauses_may_share_lines_and_be_commented() -> None:
    """Facts one or several a line, both kinds of comment, and names without arguments."""
    text = "/* a\n % b */ a(1). b(2).c(3). % d(4).\n%e(5).\ndone. done_too."
    found = read_clauses(text, "t").facts
    assert [written(term) for term, _line in found] == ["a(1)", "b(2)", "c(3)", "done", "done_too"]
    assert [line for _term, line in found] == [2, 2, 2, 4, 4]


def test_barrelfish_terms_rules_and_directives_are_told_apart() -> None:
    """Bodies are not looked into, whatever is in them."""
    text = (
        ":- dynamic(currentbar/5).\n:- lib(ic).\n"
        "p(X) :- q(X, Y), !, ( foreach(E, L) do r ; \\+ s ), Z::[0..3], Y =\\= 1.\nf(1)."
    )
    found = read_clauses(text, "t")
    assert (found.directives, found.rules, len(found.facts)) == ((1, 2), (3,), 1)


FAULTS = [
    ("a(1 2).", "1:5", "no Prolog from '2"),
    ("a(1).\n b(,).", "2:4", "no Prolog from ',"),
    ("a(1)).", "1:5", "no Prolog from ')"),
    ("a(1)", "1:5", "ends inside a clause"),
    ("a(1,\n  'b", "2:3", "never closed"),
    ('a("b).', "1:3", "never closed"),
    ("a(16'fg).", "1:3", "16'fg is no number"),
    ("a(1'0).", "1:3", "is no number"),
    ("a(€).", "1:3", "'€' is no part of Prolog"),
    ("a(b\x00).", "1:4", "no part of Prolog"),
    ("a(1]. ", "1:4", "no Prolog from ']"),
]


@pytest.mark.parametrize(("text", "where", "words"), FAULTS, ids=[text for text, *_rest in FAULTS])
def test_barrelfish_terms_fault_has_line_and_column(text: str, where: str, words: str) -> None:
    """A syntax error is one error with its place and how a fact is written."""
    with pytest.raises(DescriptionError) as caught:
        read_clauses(text, "f")
    assert caught.value.place == f"f:{where}"
    assert words in caught.value.message
    assert "full stop" in caught.value.mend


HOSTILE = {
    "brackets": "(" * 2**20,
    "lists": "a(" + "[" * 2**20,
    "structures": "a{" * 2**19,
    "terms": "f(" * 2**19 + "1" + ")" * 2**19 + ".",
    "operators": "\\ " * (DEPTH_LIMIT + 5) + "a.",
    "digits": "9" * 2**20 + ".",
    "size": " " * (16 * 2**20 + 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_barrelfish_terms_hostile_text_is_too_large(name: str) -> None:
    """Depth, digits and size end at their limits, before memory does."""
    with pytest.raises(TooLargeError):
        read_clauses(HOSTILE[name], "f")


def test_barrelfish_terms_too_many_words_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tokens are counted as they come; the limit itself is still read."""
    assert TOKEN_LIMIT >= 100_000
    monkeypatch.setattr(barrelfish_grammar, "TOKEN_LIMIT", 1000)
    assert len(read_clauses("a." * 500, "f").facts) == 500
    with pytest.raises(TooLargeError, match="more than 1000 words"):
        read_clauses("a." * 502, "f")


@pytest.mark.parametrize("text", ["'" * 2**20, '"\\' * 2**19, "/*" * 2**19, "0'" * 2**19])
def test_barrelfish_terms_unclosed_text_ends_cleanly(text: str) -> None:
    """A mebibyte of open quotes or comments is one error."""
    with pytest.raises(DescriptionError):
        read_clauses(text, "f")


@given(st.text(alphabet="ab(),.[]{}|'\"\\ \n%/*:-_X1'0", max_size=40))
def test_barrelfish_terms_any_text_is_clauses_or_our_error(text: str) -> None:
    """No text ends in another error."""
    with suppress(SkbError):
        read_clauses(text, "f")

"""The guards of a query: hostile rules get one clear error in time, and leave no process behind."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from skb.engines.query import Work, ask
from skb.engines.query_text import TEXT_BYTES, needed_rules, vet_text, words
from skb.errors import LimitError, RulesError, SkbError

LIMIT_S = 1.0
GRACE_S = 0.5
PIGEONS = "{in(P,H) : H=1..12} = 1 :- P=1..13. :- in(P,H), in(Q,H), P<Q."


def work(rules: str, models: int = 1) -> Work:
    """Return work over two facts; `pu/1` belongs to the knowledge base."""
    return Work(rules, "", [("pu", "pu:0"), ("pu", "pu:1")], [("pu", 1)], models=models)


def workers() -> list[str]:
    """Return the query children of this process that are still alive."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                command = (entry / "cmdline").read_text()
            except (OSError, IndexError, ValueError):
                continue
            if parent == os.getpid() and "query_child" in command:
                found.append(entry.name)
    return found


REFUSED = {
    "python": ("#script(python) import os #end. a.", "#script"),
    "lua": ("#script (lua) x #end.", "#script"),
    "include": ('a.\n#include "/etc/passwd".', "rules line 2: #include"),
    "include angle": ("#include <incmode>.", "#include"),
    "include in a comment": ('% #include "x"\na.', "#include"),
    "include in a block comment": ("a. %* *% #include </etc/passwd>.", "#include"),
    "include in a string": ('a("#include").', "#include"),
    "split include": ("#inc%* *%lude <x>.", "#inc"),
    "function": ("a(@f()).", "@ is not allowed"),
    "function with space": ("a(@ f(1)).", "@ is not allowed"),
    "function behind a comment": ("a(@%**%f(1)).", "@ is not allowed"),
    "nul": ("a.\x00", "not allowed"),
    "program part": ("#program base(t). a.", "#program"),
    "external": ("#external a.", "#external"),
    "edge": ("#edge (1,2).", "#edge"),
    "heuristic": ("#heuristic a. [1,sign]", "#heuristic"),
    "theory": ("&diff{a-b}<=3.", "TheoryAtom is not allowed"),
    "a megabyte": ("a. " * 350_000, f"the limit is {TEXT_BYTES}"),
    "surrogate": ('a("\ud800").', "Unicode"),
    "number": ("a(99999999999).", "99999999999 is beyond 31 bits"),
    "hex number": ("a(0xffffffff).", "0xffffffff is beyond 31 bits"),
    "interval": ("p(1..2000000000).", "intervals end at"),
    "variables": (f"a :- {', '.join(f'pu(X{n})' for n in range(20))}.", "variables in one rule"),
    "statements": ("a. " * 3000, "statements"),
    "fact of ours": ("pu(7).", "pu/1 belongs to the knowledge base"),
    "choice of ours": ("{x : pu(7); pu(8)}.", "pu/1 belongs"),
    "pool of ours": ("pu(1;2).", "pu/1 belongs"),
    "negated ours": ("-pu(1).", "pu/1 belongs"),
    "disjunction of ours": ("x ; pu(1).", "pu/1 belongs"),
    "conditional of ours": ("pu(1) : x ; y.", "pu/1 belongs"),
    "aggregate of ours": ("#sum{1,X : pu(X) : x(X)} 1.", "pu/1 belongs"),
    "syntax": ("a :- b.\nc(", "syntax error"),
    "unsafe": ("a(X) :- pu(Y).", "'X' is unsafe"),
}

EXPLOSIONS = {
    "join": "a(1..4000). b(X,Y,Z) :- a(X), a(Y), a(Z).",
    "two joins": "a(1..4000). b(X,Y) :- a(X), a(Y). c(X,Y,Z) :- b(X,Y), a(Z).",
    "successor": "p(0). p(X+1) :- p(X).",
    "term": "p(0). p(f(X)) :- p(X).",
    "tree of terms": "p(0). p(f(X,X)) :- p(X).",
    "hidden interval": "p(1..20*100000000).",
    "pigeons": PIGEONS,
    "pools": "a(" + "(1;2)," * 40 + "1).",
    "deep minus": "a(" + "-" * 60_000 + "1).",
    "deep sum": "a(1" + "+1" * 30_000 + ").",
    "wide answer": "a(1..100000). b(X,Y) :- a(X), Y=1..9.",
}


@pytest.mark.parametrize("name", REFUSED)
def test_query_hostile_rules_are_refused(name: str) -> None:
    """Each is refused at once, with the word that did it."""
    rules, said = REFUSED[name]
    start = time.monotonic()
    with pytest.raises(RulesError) as refused:
        ask(work(rules), LIMIT_S)
    assert said in str(refused.value)
    assert refused.value.mend
    assert time.monotonic() - start < LIMIT_S + GRACE_S
    assert workers() == []


@pytest.mark.parametrize("name", EXPLOSIONS)
def test_query_explosions_end_in_time(name: str) -> None:
    """Whatever explodes is over half a second after the limit, and its process is gone."""
    start = time.monotonic()
    with pytest.raises((LimitError, RulesError)) as ended:
        ask(work(EXPLOSIONS[name]), LIMIT_S)
    assert time.monotonic() - start < LIMIT_S + GRACE_S
    assert ended.value.mend
    assert workers() == []


@pytest.mark.parametrize("name", ["join", "successor", "term", "hidden interval", "pigeons"])
def test_query_explosions_are_a_limit(name: str) -> None:
    """Running out of time or memory is exit code 4, not bad input."""
    with pytest.raises(LimitError) as ended:
        ask(work(EXPLOSIONS[name]), LIMIT_S)
    assert ended.value.exit_code == 4


def test_query_memory_is_limited() -> None:
    """A child with little memory says so before its time is up."""
    small = Work("a(1..4000). b(X,Y) :- a(X), a(Y).", "", [], [], memory_bytes=200 * 2**20)
    with pytest.raises(LimitError, match="200 MiB of memory"):
        ask(small, 20)
    assert workers() == []


def test_query_output_is_limited() -> None:
    """An answer that is too long is not sent."""
    with pytest.raises(LimitError, match="of output"):
        ask(Work("a(1..50000).", "", [], [], output_bytes=2**20), 20)


def test_query_keeps_what_it_found_before_the_limit() -> None:
    """Answer sets found in time are kept, and marked as not all."""
    slow = ask(Work("{x(1..24)}. #show.", "", [], [], models=10**7), LIMIT_S)
    assert slow.models
    assert not slow.finished
    assert workers() == []


def test_query_limits_of_the_child_are_not_ours() -> None:
    """The child limits itself; this process may still write files."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert ask(work("a."), 10).models[0]["atoms"] == [{"predicate": "a", "args": []}]
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == before


def test_query_child_is_confined() -> None:
    """A confined process can open no more files to write, and has little memory."""
    code = (
        "import os, resource; from skb.engines.query_child import confine; confine(2**30, 5);"
        "limits = [resource.getrlimit(r)[0] for r in (resource.RLIMIT_AS, resource.RLIMIT_CPU,"
        " resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)]; print(limits)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([2**30, 5, 0, 8, 0])


@pytest.mark.parametrize(
    "rules",
    [
        "a. :~ a. [1@2]",
        "#minimize{X@3,X : p(X)}. p(1..2).",
        "#const n = 3. a(n).",
        "a(#inf). b(#sup).",
        "a(X) :- X = #sum+{1,P : pu(P)}.",
        '% a comment\na("a string with \\" and 12345678901").',
        "#defined b/1. a :- b(1).",
        "a(X) :- pu(X), not b(X). #show a/1. #show X : a(X).",
    ],
)
def test_query_honest_rules_pass(rules: str) -> None:
    """What an honest query writes is accepted."""
    assert ask(work(rules), 10).finished


def test_query_text_guard_never_lets_a_directive_through() -> None:
    """The text is vetted before any parser sees it, so an include never opens a file."""
    for text in ("#include", "#INCLUDE", "# include", "#script", "#\u0131nclude", "#\n"):
        with pytest.raises(SkbError):
            vet_text(text)


def test_query_prelude_rules_are_chosen_by_need() -> None:
    """Only the rules that a query needs are loaded, with all that they need in turn."""
    prelude = "% words\na(X) :- b(X).\nb(X) :- c(X).\nd(X) :- e(X)."
    kept, names = needed_rules(prelude, words("x :- a(1)."))
    assert kept == "a(X) :- b(X).\nb(X) :- c(X)."
    assert {"a", "b", "c", "x"} <= names
    assert "e" not in names

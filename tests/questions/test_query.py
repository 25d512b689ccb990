"""Query: honest questions to a machine get right answers, quickly, as a decision."""

from __future__ import annotations

import time
from typing import Any

import pytest

from skb.decision import Decision, Limits, Status
from skb.errors import LimitError, RequestError, RulesError
from skb.machine import Machine
from skb.questions import question
from skb.questions.query import PRELUDE, known
from skb.relations import Fact, relations
from skb.resources import rules_file
from tests.machines import bundled, grown

QUERY = question("query")
BOARD = bundled("tyan-s4985")


def ask(rules: str, machine: Machine = BOARD, **more: Any) -> Decision:
    """Decide and let the checker agree."""
    decision = QUERY.decide(machine, {"rules": rules, **more}, Limits())
    assert QUERY.check(machine, decision) == []
    return decision


def rows(decision: Decision, predicate: str, model: int = 0) -> list[tuple[Any, ...]]:
    atoms = decision.answer["models"][model]["atoms"]
    return sorted(tuple(atom["args"]) for atom in atoms if atom["predicate"] == predicate)


def test_query_finds_the_pus_of_a_nic() -> None:
    """Barrelfish's question 1: the cores nearest to a PCI device."""
    decision = ask('near(P) :- local("device:eth1", P).')
    assert rows(decision, "near") == [(f"pu:{n}",) for n in (28, 29, 30, 31)]
    assert decision.status is Status.OPTIMAL
    assert decision.objective.name == "models"


@pytest.mark.parametrize("name", ["tyan-s4985", "epyc-7773x-2p", "odroid-n2", "ex235a"])
def test_query_prelude_agrees_with_the_snapshot(name: str) -> None:
    """The rules of the prelude derive what the typed views of the machine say."""
    machine = bundled(name)
    rules = "a. #show memory_near/2. #show within/2. #show local/2. #show ancestor/2."
    decision = ask(rules, machine)
    parts = [part for part in machine.objects if part != "misc"]
    cpu = [part for part in parts if machine.anchor(part) == part]
    near = {(part, f"numa:{n}") for part in parts for n in machine.numa_of(part)}
    assert set(rows(decision, "memory_near")) == near
    inside = {(f"pu:{p}", part) for part in cpu for p in machine.pus_of(part)}
    assert set(rows(decision, "within")) == inside
    outside = {(part, f"pu:{p}") for part in parts if part not in cpu for p in machine.pus_of(part)}
    assert set(rows(decision, "local")) == outside
    above = {(over, part) for part in parts for over in machine.ancestors(part)}
    assert set(rows(decision, "ancestor")) == above


def test_query_hops_are_those_of_the_board() -> None:
    """V3: of the board's ordered pairs 22 are one hop apart, 22 two and 12 three."""
    rules = "count(D,N) :- D=1..3, N = #count{A,B : hops(A,B,D)}."
    assert rows(ask(rules), "count") == [(1, 22), (2, 22), (3, 12)]


def test_query_latencies_are_whole_picoseconds() -> None:
    """The companion of a latency in ns holds whole picoseconds."""
    assert rows(ask("a(H,L) :- latency_hops_ps(H,L)."), "a") == [(1, 95000), (2, 130000)]
    assert rows(ask('a(L) :- cache_latency_ps("l3",L).'), "a") == [(37500,)]
    assert rows(ask('a(L) :- cache_latency("l3",L).'), "a") == [("37.5",)]


def test_query_pu_latency_is_that_of_placement() -> None:
    """The given pair latency is what the costs of the snapshot say, defaults listed."""
    from skb.costs import Costs

    found = rows(ask('a(V,L) :- pu_latency_ps("pu:0",V,L).'), "a")
    costs = Costs(BOARD)
    assert dict(found) == {f"pu:{v}": costs.latency_ps(0, v) for v in BOARD.pus}


def test_query_large_numbers_become_strings_with_a_warning() -> None:
    """Numbers beyond 31 bits are strings, said once for each predicate; KiB fit."""
    machine = bundled("epyc-7773x-2p")
    decision = ask("a(N,S,K) :- memory_size(N,S), memory_size_kib(N,K).", machine)
    assert rows(decision, "a")[0] == ("numa:0", str(2**38), 2**28)
    assert decision.warnings == ("memory_size: 2 numbers beyond 31 bits are given as strings",)
    assert ask("a.", machine).warnings == ()


def test_query_of_disagreeing_facts_the_one_that_holds_is_given() -> None:
    """An asserted fact overrules a datasheet's."""
    machine = Machine(
        "m", [*BOARD.facts, Fact("load", ("pu:3", 50)), Fact("power", ("package:7", "off"))]
    )
    assert rows(ask("a(P,L) :- load(P,L).", machine), "a") == [("pu:3", 50)]
    assert len(rows(ask("a(P) :- usable(P), pu(P).", machine), "a")) == 28


def test_query_enumerates_and_says_whether_that_is_all() -> None:
    """Zero models means all; fewer are not exhausted."""
    every = ask("1 {a(1..3)} 1.", models=0)
    assert (every.answer["count"], every.answer["exhausted"]) == (3, True)
    assert sorted(rows(every, "a", n)[0][0] for n in range(3)) == [1, 2, 3]
    two = ask("1 {a(1..3)} 1.", models=2)
    assert (two.answer["count"], two.answer["exhausted"]) == (2, False)
    assert (
        QUERY.decide(BOARD, {"rules": "{a(1..12)}.", "models": 0}, Limits()).answer["count"] == 1000
    )


def test_query_optimises_with_proof() -> None:
    """The cheapest pair of PUs on different packages is one hop apart; the cost is the proof's."""
    rules = """
    1 {first(P) : pu(P)} 1.  1 {second(P) : pu(P)} 1.
    :- first(P), second(Q), within(P,A), within(Q,A), package(A).
    :~ first(P), second(Q), within(P,A), within(Q,B), hops(A,B,N). [N@1]
    """
    decision = ask(rules)
    assert decision.status is Status.OPTIMAL
    assert decision.answer["models"][0]["cost"] == [1]


def test_query_without_an_answer_set_is_infeasible() -> None:
    """A contradiction is an answer: infeasible, with its reason."""
    decision = ask(':- pu(P), P = "pu:0".')
    assert decision.status is Status.INFEASIBLE
    assert [reason.text for reason in decision.reasons] == ["no answer set"]
    assert decision.answer == {"models": [], "count": 0, "exhausted": True}


def test_query_shows_what_is_asked_for() -> None:
    """The request's list, else the rules' #show, else what the rules define."""
    assert {a["predicate"] for a in ask("a. b :- a.").answer["models"][0]["atoms"]} == {"a", "b"}
    only = ask("a. b :- a. #show b/0.").answer["models"][0]["atoms"]
    assert only == [{"predicate": "b", "args": []}]
    listed = ask("a. #show a/0.", show=["package/1"])
    assert len(rows(listed, "package")) == 8
    terms = ask("a(f(1), (2,3)). -b(on). #show X : a(_,X).").answer["models"][0]["atoms"]
    assert terms == [{"predicate": "", "args": [[2, 3]]}]
    values = ask("a(f(1), (2,3)). -b(on).").answer["models"][0]["atoms"]
    assert {"predicate": "a", "args": ["f(1)", [2, 3]]} in values
    assert {"predicate": "-b", "args": ["on"]} in values


def test_query_misspelt_predicate_is_warned_about() -> None:
    """A body atom that nothing defines is said; a known relation without facts is not."""
    decision = ask("a(X) :- pux(X). b(X) :- image(X,_).")
    assert len(decision.warnings) == 1
    assert "pux(X)" in decision.warnings[0]
    assert "line 1, column 9" in decision.warnings[0]


def test_query_known_predicates_stand_in_the_header() -> None:
    """Every predicate that is given or derived is explained in the header of the prelude."""
    texts = [rules_file(name).read_text().splitlines() for name in PRELUDE]
    header = "\n".join(line for text in texts for line in text if line.startswith("%"))
    for name, _ in known():
        base = name.removesuffix("_ps").removesuffix("_kib").removesuffix("_milli")
        assert base in relations() or f" {name}(" in header, name


@pytest.mark.parametrize("name", ["pu", "contains", "latency_ps", "hops", "memory_size_kib"])
def test_query_known_predicates_cannot_be_defined(name: str) -> None:
    """A head of the knowledge base is refused by name, whichever way it came there."""
    arity = dict(known())[name]
    with pytest.raises(RulesError, match=f"{name}/{arity} belongs to the knowledge base"):
        ask(f"{name}({', '.join('1' * arity)}).")


def test_query_limits_come_from_the_request_then_the_caller() -> None:
    """`limit_s` wins; a caller's own limit comes next; five seconds else."""
    assert ask("a.", limit_s=3).provenance["limit_s"] == 3
    assert ask("a.").provenance["limit_s"] == 5
    spent = QUERY.decide(BOARD, {"rules": "a."}, Limits(seconds=2))
    assert spent.provenance["limit_s"] == 2
    with pytest.raises(LimitError, match=r"within 0\.5 s"):
        ask("p(0). p(X+1) :- p(X).", limit_s=0.5)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "rules"),
        ({"rules": ""}, "length"),
        ({"rules": "a.", "limit_s": 61}, "<= 60"),
        ({"rules": "a.", "models": 1001}, "<= 1000"),
        ({"rules": "a.", "show": ["a"]}, "'a' is not a predicate"),
        ({"rules": "a.", "show": ["a/1. #include <x>"]}, "is not a predicate"),
        ({"rules": "a.", "options": []}, "options"),
    ],
)
def test_query_bad_request_names_what_was_typed(request_: dict[str, Any], words: str) -> None:
    """Each bad request is refused with what was wrong."""
    with pytest.raises(RequestError) as refused:
        QUERY.decide(BOARD, request_, Limits())
    assert words in str(refused.value)


def test_query_pairs_of_a_large_machine_are_refused_with_the_way_round() -> None:
    """A million pair latencies are not sent; the error says what to use."""
    with pytest.raises(RulesError, match="use hops/3"):
        ask("a(L) :- pu_latency_ps(_,_,L).", bundled("mesh-1024"))


def test_query_small_and_honest_is_quick() -> None:
    """A small query is answered within half a second, also on 1024 PUs."""
    for machine in (BOARD, bundled("mesh-1024"), grown("numa:1 core:2 pu:1")):
        ask("a(P) :- pu(P).", machine)
        start = time.perf_counter()
        ask("a(N) :- N = #count{P : pu(P)}.", machine)
        assert time.perf_counter() - start < 0.5


def test_query_same_query_gives_the_same_decision() -> None:
    """Same snapshot, rules and seed: same identifier and answer."""
    first, second = (ask("1 {a(1..9)} 1.") for _ in range(2))
    assert (first.id, first.answer) == (second.id, second.answer)

"""Links: tables that exist are walked and judged beside our own answer."""

from __future__ import annotations

import random
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from typing import Any

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.checkers.links import check
from skb.decision import Decision, Limits
from skb.errors import RequestError
from skb.knowledge import decide
from skb.questions.links_current import circle_of
from tests.questions.interconnects import interconnect, joined
from tests.tables import Next, fabric, random_tables, walked

SEEDS = st.integers(0, 10**6)
SQUARE = joined("square", 4, [(0, 1), (1, 2), (2, 3), (3, 0)])
ROUND = {  # everything clockwise
    f"package:{a}": {f"package:{b}": f"package:{(a + 1) % 4}" for b in range(4) if b != a}
    for a in range(4)
}


def asked(machine: Any, next_hop: Next | None = None, **request: Any) -> Decision:
    """Return the decision beside given tables; the checker has accepted it."""
    if next_hop is not None:
        request["current"] = {"next_hop": next_hop, **request.pop("more", {})}
    return decide("links", machine, request, Limits(conflicts=500))


def text(decision: Decision) -> str:
    """Return the sentence about the tables."""
    return next(reason.text for reason in decision.reasons if reason.id == "current")


def test_current_tables_that_go_round_can_deadlock() -> None:
    """Clockwise on a square: the four links wait for each other, each carries 1 + 2 + 3 pairs."""
    decision = asked(SQUARE, ROUND)
    told = decision.answer["current"]
    assert (told["delivered"], told["pairs"], told["longer"]) == (12, 12, 4)
    assert told["deadlock_free"] is False and len(told["circle"]["links"]) == 4
    assert (told["max_load"], told["mean_load"]) == (6, 3)
    assert told["hops"] == {"max": 3, "mean": 1.5, "pairs": {"1": 4, "2": 4, "3": 4}}
    assert decision.objective.value == 2
    said = text(decision)
    assert said.startswith("the tables given: all 12 pairs arrive; they can deadlock: on channel 0")
    assert "package:0 -> package:1 -> package:2 -> package:3 -> package:0" in said
    assert "ours 2, no table of shortest ways has less than 2" in said
    assert "4 ways are longer than the shortest" in said


def test_current_tables_with_a_channel_each_cannot_deadlock() -> None:
    """One channel for each destination breaks every circle."""
    more = {"channel": {f"package:{at}": at for at in range(4)}}
    told = asked(SQUARE, ROUND, more=more).answer["current"]
    assert told["deadlock_free"] is True and told["virtual_channels"] == 4


def test_current_tables_that_lose_messages_are_told() -> None:
    """A missing entry, a circle and a link that is not there, each for its pair."""
    table = deepcopy(ROUND)
    del table["package:3"]["package:0"]
    table["package:2"]["package:1"] = "package:0"
    table["package:0"]["package:3"] = "package:1"
    table["package:1"]["package:3"] = "package:0"
    told = asked(SQUARE, table).answer["current"]
    why = {(row["from"][8:], row["to"][8:]): row["why"] for row in told["lost"]}
    assert why["3", "0"] == "package:3 has no entry for it"
    assert why["2", "1"] == "package:2 forwards it to package:0, over no link that may be used"
    assert why["0", "3"] == "it turns in a circle at package:1"
    assert set(why) == {
        *{("3", "0"), ("2", "0"), ("1", "0")},
        *{("2", "1")},
        *{("0", "3"), ("1", "3")},
    }
    assert told["delivered"] == 12 - len(why) and told["pairs"] == 12


def test_current_tables_over_what_is_off() -> None:
    """Without a link the same tables lose what crosses it."""
    told = asked(SQUARE, ROUND, off=[["package:0", "package:1"]]).answer["current"]
    assert told["delivered"] == 6 and "package:0 forwards it" in told["lost"][0]["why"]


def test_current_tables_are_those_in_force_where_none_are_given() -> None:
    """Facts are judged; where there is no answer of our own, in a warning."""
    made = fabric(3)
    decision = asked(made.with_tables())
    assert decision.answer["current"]["by"] == "facts"
    assert text(decision).startswith("the tables in force: all ")
    assert "current" not in asked(made.machine).answer
    board = interconnect("board")
    own = asked(board).answer["next_hop"]
    refused = asked(board, own, virtual_channels=1)
    assert refused.status == "infeasible" and not refused.answer
    assert any(w.startswith("the tables given: all 56 pairs arrive") for w in refused.warnings)


def test_current_tables_of_another_machine_are_refused() -> None:
    """The error names the part, and where."""
    with pytest.raises(RequestError, match="has no package:9") as fault:
        asked(SQUARE, {"package:0": {"package:9": "package:1"}})
    assert fault.value.place == "links request $.current.next_hop.package:0"


def test_current_tables_that_turn_in_a_circle_wait_in_it() -> None:
    """What never arrives holds one link while it waits for the other: that is no table free of
    deadlock, although all that arrives could."""
    table = deepcopy(ROUND)
    for node in ("package:2", "package:3"):
        table[node] = dict.fromkeys(table[node], "package:1" if node == "package:2" else node)
    table["package:0"]["package:3"] = "package:1"
    table["package:1"]["package:3"] = "package:0"
    decision = asked(SQUARE, table)
    told = decision.answer["current"]
    assert told["deadlock_free"] is False
    assert {(a[8:], b[8:]) for a, b in told["circle"]["links"]} == {("0", "1"), ("1", "0")}
    assert "no table of shortest ways that delivers all has less" in text(decision)


@settings(max_examples=40, deadline=None)
@given(SEEDS, SEEDS)
def test_current_tables_are_held_against_tables_like_those_asked_for(seed: int, other: int) -> None:
    """No bound is told of a kind of tables that those given belong to and go below."""
    made, draw = fabric(seed, 6), random.Random(other)
    required = [
        {"from": a, "to": d, "next": n}
        for a, row in made.next_hop.items()
        for d, n in row.items()
        if draw.random() < 0.1
    ]
    table = random_tables(made.links, draw)
    required = required if draw.random() < 0.5 else []
    decision = asked(made.machine, table, minimal=draw.random() < 0.5, require=required)
    if not decision.answer or decision.bound is None:
        return
    told, said = decision.answer["current"], text(decision)
    if told["max_load"] < decision.bound:
        others = [row for row in required if table[row["from"]][row["to"]] != row["next"]]
        assert (
            ("of shortest ways" in said and told["longer"])
            or ("with the required entries" in said and others)
            or ("free of deadlock on" in said and not told["deadlock_free"])
        )


@settings(max_examples=40, deadline=None)
@given(SEEDS, SEEDS)
def test_current_numbers_are_those_of_the_walks(seed: int, other: int) -> None:
    """Loads, hops and circles of random tables on random networks, against plain walks."""
    made, draw = fabric(seed, 7), random.Random(other)
    channel = {node: draw.randrange(2) for node in made.links}
    told = asked(made.machine, made.next_hop, more={"channel": channel}).answer["current"]
    load = {(a, b): 0 for a, ends in made.links.items() for b in ends}
    waits = [networkx.DiGraph(), networkx.DiGraph()]
    for a, row in made.next_hop.items():
        for d in row:
            way = walked(made.next_hop, a, d)
            links = list(pairwise(way))
            for link in links:
                load[link] += 1
            waits[channel[d]].add_edges_from(pairwise(links))
    assert {(a, b): x for a, row in told["load"].items() for b, x in row.items()} == load
    assert told["max_load"] == max(load.values())
    free = all(networkx.is_directed_acyclic_graph(graph) for graph in waits)
    assert told["deadlock_free"] is free
    if not free:
        circle = [tuple(link) for link in told["circle"]["links"]]
        graph = waits[told["circle"]["channel"]]
        for one, then in zip(circle, [*circle[1:], circle[0]], strict=True):
            assert graph.has_edge(one, then)
    assert told["delivered"] == told["pairs"] and told["lost"] == []


def test_current_circle_is_found_behind_many_links_that_lead_to_it() -> None:
    """More links wait for the circle than are tried as its start."""
    tail = {(at, at + 1): {(at + 1, at + 2)} for at in range(200)}
    circle = {(201, 202): {(202, 203)}, (202, 203): {(203, 201)}, (203, 201): {(201, 202)}}
    found = circle_of({**tail, (200, 201): {(201, 202)}, **circle})
    assert sorted(found) == sorted(circle)
    assert circle_of(tail) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"delivered": 11}, "12 of 12 pairs arrive"),
        ({"longer": 0}, "4 ways of the tables are longer"),
        ({"deadlock_free": True}, "free of deadlock is False"),
        ({"virtual_channels": 2}, "use 1 virtual channels"),
        ({"max_load": 5}, "largest load of the tables is 6"),
        ({"mean_load": 5.0}, "mean load of the tables"),
        ({"fullest": []}, "fullest links of the tables"),
        ({"load": {}}, "loads of the tables"),
        ({"lost": [{"from": "package:0", "to": "package:1", "why": "x"}]}, "do not arrive"),
        ({"hops": {}}, "hops of the tables"),
        ({"circle": {"channel": 0, "links": [["package:0", "package:1"]]}}, "do not wait"),
    ],
)
def test_current_checker_refuses(wrong: dict[str, Any], words: str) -> None:
    """Each number is counted anew by the judge."""
    decision = asked(SQUARE, ROUND)
    answer = {**decision.answer, "current": {**decision.answer["current"], **wrong}}
    assert any(words in fault for fault in check(SQUARE, replace(decision, answer=answer)))
    without = {key: value for key, value in decision.answer.items() if key != "current"}
    assert "the tables are not judged" in check(SQUARE, replace(decision, answer=without))

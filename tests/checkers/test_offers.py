"""The judge of offers: it passes what is right and finds every mutation."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from skb.checkers.offers import check
from skb.decision import Decision, Limits, Objective, Reason, Status
from skb.questions.offers import decide
from skb.relations import Fact
from tests.machines import grown

MACHINE = grown(
    "package:2 core:2 pu:1",
    Fact("latency_within", ("package", 10.0)),
    Fact("latency_within", ("machine", 100.0)),
    Fact("isa", ("package:0", "x86_64")),
    Fact("isa", ("package:1", "riscv")),
    Fact("disallowed", ("pu:3", "test")),
)
NET = {"kind": "net", "copies": 0}
REQUEST: dict[str, Any] = {
    "client": [
        {
            "name": "a",
            "at": "pu:0",
            "needs": {"kind": "net"},
            "wishes": {"copies": {"is": 0, "worth_ns": 5}},
            "max_latency_ns": 100,
        },
        {"name": "b", "program": "p", "needs": {"kind": ["net", "log"]}},
    ],
    "offer": [
        {"name": "near", "at": "pu:1", "properties": {"kind": "net"}, "capacity": 1},
        {"name": "far", "at": "pu:2", "properties": NET},
        {"name": "gone", "at": "pu:3", "properties": NET},
        {"name": "log", "at": "pu:0", "properties": {"kind": "log"}},
    ],
    "images": {"p": ["riscv"]},
}
RIGHT = decide(MACHINE, REQUEST, Limits())


def _row(client: str, **changes: Any) -> Callable[[Decision], Decision]:
    def apply(decision: Decision) -> Decision:
        answer = deepcopy(decision.answer)
        answer["clients"][client].update(changes)
        return replace(decision, answer=answer)

    return apply


def _used(client: str, **changes: Any) -> Callable[[Decision], Decision]:
    def apply(decision: Decision) -> Decision:
        answer = deepcopy(decision.answer)
        answer["clients"][client]["services"][0].update(changes)
        return replace(decision, answer=answer)

    return apply


def _ranked(client: str, place: int, **changes: Any) -> Callable[[Decision], Decision]:
    def apply(decision: Decision) -> Decision:
        answer = deepcopy(decision.answer)
        answer["clients"][client]["ranking"][place].update(changes)
        return replace(decision, answer=answer)

    return apply


def _swapped(decision: Decision) -> Decision:
    """A whole and honest answer that is only dearer: a takes the far service."""
    forced = {**REQUEST, "forced": [{"client": "a", "service": "far"}]}
    return replace(decide(MACHINE, forced, Limits()), request=REQUEST)


def _crowded(decision: Decision) -> Decision:
    """Both on the service that takes one client, as if it took two."""
    offers = [{**offer, "capacity": 2} for offer in REQUEST["offer"]]
    forced = [{"client": name, "service": "near"} for name in "ab"]
    free = decide(MACHINE, {**REQUEST, "offer": offers, "forced": forced}, Limits())
    return replace(free, request=REQUEST)


MUTATIONS: dict[str, Callable[[Decision], Decision]] = {
    "client missing": lambda d: replace(d, answer={"clients": {}}),
    "place without code": _row("b", at="pu:0"),
    "place not asked for": _row("a", at="pu:1"),
    "place not usable": _row("b", at="pu:3"),
    "no service": _row("a", services=[]),
    "row not whole": _row("a", services=[{"service": "near"}]),
    "row no table": _row("a", ranking=None),
    "service unknown": _used("a", service="other"),
    "service that does not suit": _used("a", service="log"),
    "service on an unusable part": _used("a", service="gone"),
    "service elsewhere": _used("a", at="pu:2"),
    "latency": _used("a", latency_ns=9.0),
    "value": _used("a", value=10.0),
    "missed wishes": _used("a", missed=[]),
    "ranking lacks one": _row("a", ranking=[]),
    "ranking value": _ranked("a", 1, value=99.0),
    "refused lacks one": _row("a", refused=[]),
    "objective": lambda d: replace(d, objective=Objective("latency", 14.0, "ns")),
    "terms": lambda d: replace(d, costs=d.costs[:1]),
    "bound above": lambda d: replace(d, bound=16.0),
    "bound missing": lambda d: replace(d, bound=None),
    "optimal below its bound": lambda d: replace(d, bound=1.0),
    "dearer match": _swapped,
    "capacity": _crowded,
    "said to be impossible": lambda d: replace(
        d, status=Status.INFEASIBLE, answer={}, reasons=(Reason("x", "x"),)
    ),
    "impossible without reason": lambda d: replace(d, status=Status.INFEASIBLE, answer={}),
    "unknown with an answer": lambda d: replace(d, status=Status.UNKNOWN),
}


def test_offers_judge_passes_the_decision() -> None:
    """What the question decided stands."""
    assert (RIGHT.status, RIGHT.objective.value) == (Status.OPTIMAL, 15.0)
    assert check(MACHINE, RIGHT) == []


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_offers_judge_finds(mutation: str) -> None:
    """Every mutation of a right decision is found, in words."""
    assert check(MACHINE, MUTATIONS[mutation](RIGHT))


def test_offers_judge_of_many_clients_finds_a_change_for_the_better() -> None:
    """Where not all matches can be tried, one client that is better off elsewhere is found."""
    clients = [{"name": f"c{n}", "at": "pu:0", "needs": {"kind": "net"}} for n in range(20)]
    offers = [{"name": f"s{n}", "at": f"pu:{n % 2}", "properties": NET} for n in range(4)]
    request = {"client": clients, "offer": offers}
    right = decide(MACHINE, request, Limits())
    assert check(MACHINE, right) == []
    forced = {**request, "forced": [{"client": "c0", "service": "s1"}]}
    dearer = replace(decide(MACHINE, forced, Limits()), request=request)
    assert check(MACHINE, dearer) == ["client c0 is better off with s0"]

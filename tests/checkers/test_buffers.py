"""The judge of buffers: it passes what is right and finds every mutation."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from skb.checkers.buffers import check
from skb.decision import Cost, Decision, Limits, Objective, Reason, Status
from skb.questions.buffers import decide
from tests.machines import bundled

BOARD = bundled("tyan-s4985")
REQUEST = {
    "flow": [
        {"name": "router", "device": "eth0", "consumer": 20, "pattern": "forward"},
        {"name": "sink", "device": "eth0", "consumer": 20, "pattern": "consume"},
    ],
    "capacity": [{"object": "numa:5", "bytes": 300_000}],
}
RIGHT = decide(BOARD, REQUEST, Limits())


def _edit(name: str, **changes: Any) -> Callable[[Decision], Decision]:
    def apply(decision: Decision) -> Decision:
        answer = deepcopy(decision.answer)
        answer["flows"][name].update(changes)
        return replace(decision, answer=answer)

    return apply


def _without(name: str) -> Callable[[Decision], Decision]:
    def apply(decision: Decision) -> Decision:
        answer = deepcopy(decision.answer)
        del answer["flows"][name]
        return replace(decision, answer=answer)

    return apply


def _whole(name: str, row: Any) -> Callable[[Decision], Decision]:
    def apply(decision: Decision) -> Decision:
        flows = {**decision.answer["flows"], name: row}
        return replace(decision, answer={**decision.answer, "flows": flows})

    return apply


def _lacking(decision: Decision, key: str) -> Decision:
    answer = deepcopy(decision.answer)
    del answer["flows"]["sink"][key]
    return replace(decision, answer=answer)


def _flipped(decision: Decision, **changes: Any) -> Decision:
    answer = deepcopy(decision.answer)
    answer["flows"]["sink"]["flips"][-1].update(changes)
    return replace(decision, answer=answer)


def _cheaper_alternative(decision: Decision) -> Decision:
    answer = deepcopy(decision.answer)
    answer["flows"]["sink"]["alternatives"][3]["value"] *= 0.99
    return replace(decision, answer=answer)


def _fewer_alternatives(decision: Decision) -> Decision:
    answer = deepcopy(decision.answer)
    answer["flows"]["sink"]["alternatives"].pop()
    return replace(decision, answer=answer)


def _moved(decision: Decision) -> Decision:
    """Move the sink, with all prices right: only the claim of being optimal is wrong."""
    forced = deepcopy(REQUEST)
    forced["flow"][1]["numa_node"] = 1
    moved = decide(BOARD, forced, Limits())
    answer = deepcopy(moved.answer)
    answer["flows"]["sink"]["alternatives"] = decision.answer["flows"]["sink"]["alternatives"]
    for key in ("crossover", "flips"):
        answer["flows"]["sink"][key] = decision.answer["flows"]["sink"][key]
    return replace(moved, answer=answer, request=decision.request)


MUTATIONS: dict[str, tuple[Callable[[Decision], Decision], str]] = {
    "missing flow": (_without("sink"), "flow sink is missing"),
    "wrong node": (_edit("sink", numa_node=3, place="numa:3"), "costs"),
    "no such node": (_edit("sink", numa_node=9, place="numa:9"), "numa:9 is not allowed"),
    "wrong price": (_edit("sink", value=1.0), "costs"),
    "wrong nearness": (_edit("sink", near="device"), "is near core"),
    "wrong share": (_edit("sink", touched=0.5), "touches 1.0"),
    "crossover too early": (_edit("sink", crossover=0.2), "does not flip at 0.2"),
    "crossover too late": (_edit("sink", crossover=0.9), "does not keep its first node"),
    "no node": (lambda d: _lacking(d, "numa_node"), "flow sink has no numa_node"),
    "no flips": (lambda d: _lacking(d, "flips"), "flow sink has no flips"),
    "node as text": (_edit("sink", numa_node="here"), "numa_node is 'here'"),
    "row as text": (_whole("sink", "here"), "flow sink is not a table"),
    "flip without end": (_edit("sink", flips=[{"touched": 0.5, "from": 0}]), "has no to"),
    "lost flips": (_edit("sink", flips=[]), "its first flip is at None"),
    "wrong flip": (lambda d: _flipped(d, to=3), "flips"),
    "wrong forwarding": (_edit("sink", forwarded=True), "has forwarded False"),
    "wrong unit of a flow": (_edit("sink", unit="ms"), "its unit is ns/s, not ms"),
    "wrong unit of a term": (
        lambda d: replace(d, costs=(replace(d.costs[0], unit="ms"), *d.costs[1:])),
        "the unit is ns/s, not ms",
    ),
    "further term": (
        lambda d: replace(d, costs=(*d.costs, Cost("tax", 1.0, "ns/s"))),
        "the term tax was not asked for",
    ),
    "no crossover": (_edit("sink", crossover=None), "none is given"),
    "cheap alternative": (_cheaper_alternative, "at numa:"),
    "lost alternative": (_fewer_alternatives, "its alternatives are"),
    "not the best": (_moved, "cheaper: "),
    "wrong total": (lambda d: replace(d, objective=Objective("latency", 1.0, "ns/s")), "objective"),
    "wrong term": (lambda d: replace(d, costs=(Cost("dma", 1.0, "ns/s"), *d.costs[1:])), "dma"),
    "high bound": (lambda d: replace(d, bound=1e18), "bound"),
    "false claim": (lambda d: replace(d, bound=1.0), "does not fit the bound"),
    "false refusal": (
        lambda d: replace(d, status=Status.INFEASIBLE, answer={}, reasons=(Reason("x", "y"),)),
        "not infeasible",
    ),
    "refusal without reason": (
        lambda d: replace(d, status=Status.INFEASIBLE, answer={}, reasons=()),
        "has reasons",
    ),
}


def test_buffers_checker_passes_what_is_right() -> None:
    """The decision as decided has no fault."""
    assert RIGHT.status is Status.OPTIMAL
    assert check(BOARD, RIGHT) == []


@pytest.mark.parametrize("name", MUTATIONS)
def test_buffers_checker_finds_a_mutation(name: str) -> None:
    """One wrong thing in the answer is found and named."""
    mutate, words = MUTATIONS[name]
    assert words in "; ".join(check(BOARD, mutate(RIGHT)))


def test_buffers_checker_finds_a_broken_capacity() -> None:
    """The same answer is refused once the request gives the node less room."""
    tight = deepcopy(REQUEST)
    tight["capacity"] = [{"object": "numa:5", "mib_s": 100}]
    wrong = check(BOARD, replace(RIGHT, request=tight))
    words = "flow sink: its alternatives are ['numa:0', 'numa:1', 'numa:2', 'numa:3'"
    assert any(words in text for text in wrong)
    small = deepcopy(REQUEST)
    small["flow"].append({**small["flow"][1], "name": "other"})
    both = deepcopy(RIGHT.answer)
    both["flows"]["other"] = both["flows"]["sink"]
    wrong = check(BOARD, replace(RIGHT, request=small, answer=both))
    assert any("capacity of numa:5 is exceeded" in text for text in wrong)


# a consumer to choose, three rings, and a cache that holds one ring
WIDE_REQUEST = {
    "flow": [
        {
            "name": "rx",
            "device": "eth0",
            "consumer": "package:5",
            "pattern": "headers",
            "header_split": True,
            "descriptor_bytes": 16,
        },
        {"name": "a", "device": "eth0", "consumer": "w"},
        {"name": "b", "device": "eth0", "consumer": "w", "pattern": "forward"},
    ],
    "task": [{"name": "w", "at": [0, 1, 2]}],
    "capacity": [{"object": "numa:0", "cache_bytes": 300_000, "bytes": 1 << 30}],
}
WIDE = decide(BOARD, WIDE_REQUEST, Limits())


def _deep(*way: str, to: Any) -> Callable[[Decision], Decision]:
    """Put a value where a way of keys leads in the flows of the wide answer."""

    def apply(decision: Decision) -> Decision:
        answer = deepcopy(decision.answer)
        at = answer["flows"]
        for key in way[:-1]:
            at = at[key]
        at[way[-1]] = to
        return replace(decision, answer=answer)

    return apply


WIDE_MUTATIONS: dict[str, tuple[Callable[[Decision], Decision], str]] = {
    "ring elsewhere": (
        _deep("rx", "rings", "headers", "place", to="numa:7"),
        "its place numa:7 is not at numa:0",
    ),
    "wrong bytes of a ring": (_deep("rx", "rings", "headers", "bytes", to=1), "headers: has 11185"),
    "wrong price of a ring": (
        _deep("rx", "rings", "descriptors", "value", to=1.0),
        "descriptors: costs",
    ),
    "lost ring": (_deep("rx", "rings", to={}), "its rings are"),
    "wrong sum": (_deep("rx", "total", to=1.0), "in all, not 1.0"),
    "no such consumer": (_deep("rx", "consumer_pu", to=3), "pu:3 may not consume it"),
    "two PUs of a task": (_deep("b", "consumer_pu", to=1), "the flows of task w have the PUs"),
    "lost consumer": (_deep("rx", "consumers", to=[]), "is not among its consumers"),
    "wrong room": (
        _deep("a", "holds", "ring_bytes", to={"most": 1e18, "because": "capacity:0"}),
        "flow a holds up to",
    ),
    "lost room": (_deep("a", "holds", "ring_bytes", to=None), "flow a holds without a limit"),
    "place as number": (_deep("a", "place", to=3), "flow a: place is 3"),
    "lost term": (
        lambda d: replace(d, costs=tuple(c for c in d.costs if c.term != "descriptors")),
        "the term descriptors",
    ),
}


def test_buffers_checker_passes_rings_and_consumers() -> None:
    """The wide decision as decided has no fault."""
    assert WIDE.status is Status.OPTIMAL
    assert check(BOARD, WIDE) == []


@pytest.mark.parametrize("name", WIDE_MUTATIONS)
def test_buffers_checker_finds_a_mutation_of_rings_and_consumers(name: str) -> None:
    """One wrong thing about rings, consumers or room is found and named."""
    mutate, words = WIDE_MUTATIONS[name]
    assert words in "; ".join(check(BOARD, mutate(WIDE)))


def test_buffers_checker_counts_the_load_of_a_pu() -> None:
    """Two whole tasks on one PU exceed it."""
    flows = [{"name": n, "device": "eth0", "consumer": [4, 5]} for n in ("x", "y")]
    right = decide(BOARD, {"flow": flows}, Limits())
    assert check(BOARD, right) == []
    answer = deepcopy(right.answer)
    answer["flows"]["y"] = {**answer["flows"]["x"]}
    assert any("load of pu:" in text for text in check(BOARD, replace(right, answer=answer)))


def test_buffers_checker_ends_where_one_ring_has_no_place() -> None:
    """A flow without any place makes all assignments none, however many another one has."""
    wide = {"name": "wide", "device": "eth0", "consumer": "any", "header_split": True}
    nowhere = {"name": "x", "device": "eth0", "consumer": 1, "numa_node": 2, "not_numa_node": 2}
    asked = {"flow": [{**wide, "descriptor_bytes": 16}, nowhere]}
    refused = decide(BOARD, asked, Limits())
    assert refused.status is Status.INFEASIBLE
    assert check(BOARD, refused) == []

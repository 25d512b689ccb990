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
    "wrong node": (_edit("sink", numa_node=3), "costs"),
    "no such node": (_edit("sink", numa_node=9), "numa:9 is not allowed"),
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
    assert any("flow sink: its alternatives are [0, 1, 2, 3, 4, 6, 7]" in text for text in wrong)
    small = deepcopy(REQUEST)
    small["flow"].append({**small["flow"][1], "name": "other"})
    both = deepcopy(RIGHT.answer)
    both["flows"]["other"] = both["flows"]["sink"]
    wrong = check(BOARD, replace(RIGHT, request=small, answer=both))
    assert any("capacity of numa:5 is exceeded" in text for text in wrong)

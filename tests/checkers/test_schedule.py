"""The judge of schedules: it passes what is right and finds every mutation."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from skb.checkers.schedule import check
from skb.decision import Decision, Limits, Objective, Reason, Status
from skb.questions.schedule import decide
from skb.relations import Fact
from tests.machines import bundled, grown

BOARD = bundled("tyan-s4985")
REQUEST: dict[str, Any] = {
    "application": [
        {"name": "solver", "threads": 4, "sync": 1000},
        {"name": "render", "threads_min": 20, "threads_max": 28},
        {"name": "encode", "threads_min": 20, "threads_max": 28},
    ]
}
RIGHT = decide(BOARD, REQUEST, Limits())
Change = Callable[[Decision], Decision]


def _answer(change: Callable[[dict[str, Any]], object]) -> Change:
    def apply(decision: Decision) -> Decision:
        answer = deepcopy(decision.answer)
        change(answer)
        return replace(decision, answer=answer)

    return apply


def _pus(name: str, pus: list[int], slots: tuple[int, ...] = (0, 1)) -> Change:
    def change(answer: dict[str, Any]) -> None:
        for slot in slots:
            if name in answer["slots"][slot]:
                answer["slots"][slot][name] = {"pus": pus}

    return _answer(change)


def _row(name: str, **changes: Any) -> Change:
    return _answer(lambda answer: answer["applications"][name].update(changes))


def _asked(**changes: Any) -> Change:
    return lambda decision: replace(decision, request={**decision.request, **changes})


def test_checker_passes_what_is_right() -> None:
    """The decision as it was made has nothing wrong."""
    assert RIGHT.status is Status.OPTIMAL
    assert len(RIGHT.answer["slots"]) == 2
    assert check(BOARD, RIGHT) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_answer(lambda a: a.pop("slots")), "no slots"),
        (_answer(lambda a: a["slots"].append({})), "slots"),
        (_answer(lambda a: a["slots"].__setitem__(0, 5)), "not a table"),
        (_answer(lambda a: a["slots"][0].update(x={"pus": [0]})), "not asked for"),
        (_answer(lambda a: [slot.pop("render", 0) for slot in a["slots"]]), "never runs"),
        (_answer(lambda a: a.pop("applications")), "table of applications"),
        (_answer(lambda a: a.update(idle=3)), "units are idle"),
        (_pus("solver", []), "no list"),
        (_pus("solver", [0, 0, 1, 2]), "no list"),
        (_pus("solver", [0, 1, 2, 99]), "unusable"),
        (_pus("solver", [0, 1, 2]), "3 threads, not 4"),
        (_pus("solver", [0, 8, 16, 24]), "share"),
        (_pus("solver", [0, 8, 16, 24], (1,)), "migrates"),
        (_row("solver", packages=2), "packages"),
        (_row("solver", threads=5), "threads"),
        (_row("solver", value=1.0), "costs"),
        (_row("solver", spread_ns=1.0), "spreads"),
        (_row("solver", slots=[2]), "slots"),
        (_asked(slots=3), "not 3"),
        (_asked(forced=[{"application": "solver", "at": "pu:31"}]), "may not use"),
        (lambda d: replace(d, objective=Objective("lost time", 1.0, "ns/s")), "the value"),
        (lambda d: replace(d, bound=1.0), "has a gap"),
        (lambda d: replace(d, bound=1e12), "above the value"),
        (lambda d: replace(d, costs=()), "the term"),
    ],
)
def test_checker_finds_a_mutation(change: Change, words: str) -> None:
    """Each thing that is changed is named."""
    assert words in "; ".join(check(BOARD, change(RIGHT)))


def test_checker_finds_parts_that_are_unusable() -> None:
    """A schedule for the whole board does not hold once a package is off."""
    off = grown("package:8 numa:1 l3:1 core:4 pu:1", Fact("power", ("package:0", "off")))
    assert "unusable" in "; ".join(check(off, RIGHT))


def test_checker_finds_an_optimum_that_is_none() -> None:
    """A gang across packages that fits into one, and threads that could grow, are no optimum."""
    machine = grown("package:2 core:4 pu:1")
    request = {"application": [{"name": "a", "threads_min": 2, "threads_max": 3, "sync": 100}]}
    right = decide(machine, request, Limits())
    assert check(machine, right) == []
    wide = replace(right, answer={**right.answer, "slots": [{"a": {"pus": [0, 1, 4]}}]})
    assert "closer together" in "; ".join(check(machine, wide))
    few = replace(right, answer={**right.answer, "slots": [{"a": {"pus": [0, 1]}}]})
    assert "could have 3 threads" in "; ".join(check(machine, few))


def _refused(*ids: str) -> tuple[Reason, ...]:
    return tuple(Reason(name, name) for name in ids)


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        (_refused("slots", "threads:p", "threads:q"), "fit into 2 slots"),
        (_refused("slots", "threads:p", "threads:q", "threads:r", "threads:s"), "is needed"),
        (_refused("threads:p"), "p fits"),
        (_refused("memory:p"), "memory is enough"),
        (_refused("slots"), "names no application"),
        (_refused("threads:nobody"), "names no application"),
    ],
)
def test_checker_finds_a_wrong_refusal(reasons: tuple[Reason, ...], words: str) -> None:
    """Reasons that do not refuse, or hold more than is needed, are found."""
    gangs = [{"name": name, "threads": 20} for name in "pqr"] + [{"name": "s", "threads": 1}]
    right = decide(BOARD, {"application": gangs, "slots": 2}, Limits())
    assert right.status is Status.INFEASIBLE
    assert check(BOARD, right) == []
    assert words in "; ".join(check(BOARD, replace(right, reasons=reasons)))
    assert check(BOARD, replace(right, answer={"slots": []})) == ["a refusal holds an answer"]

"""The judge of queries: what it can say without a solver, it says."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from skb.checkers.query import check
from skb.decision import Limits, Status
from skb.questions.query import decide
from tests.machines import bundled

BOARD = bundled("tyan-s4985")
RIGHT = decide(BOARD, {"rules": "1 {a(1..3)} 1.", "show": ["a/1", "cache_line/2"]}, Limits())


def test_query_checker_passes_what_is_right() -> None:
    """The decision as decided has no fault."""
    assert check(BOARD, RIGHT) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"count": 2}, "count is 2, there are 1 models"),
        ({"models": [], "count": 0}, "do not fit the status"),
    ],
)
def test_query_checker_finds_wrong_counts(changes: dict[str, Any], words: str) -> None:
    """Counts that do not fit the models or the status are found."""
    wrong = check(BOARD, replace(RIGHT, answer={**RIGHT.answer, **changes}))
    assert words in "; ".join(wrong)


def test_query_checker_finds_invented_facts_and_names() -> None:
    """An atom of a stored predicate must be a fact; any other must stand in the request."""
    for atom, words in (
        ({"predicate": "cache_line", "args": ["l1d:0", 128]}, "is not a fact of tyan-s4985"),
        ({"predicate": "secret", "args": []}, "stands neither in the rules nor in show"),
    ):
        answer = deepcopy(RIGHT.answer)
        answer["models"][0]["atoms"].append(atom)
        assert words in "; ".join(check(BOARD, replace(RIGHT, answer=answer)))


def test_query_checker_finds_too_many_unequal_or_unproven_models() -> None:
    """More models than asked for, of different cost, or a refusal that was not exhausted."""
    answer = deepcopy(RIGHT.answer)
    answer["models"].append({"atoms": [], "cost": [1]})
    answer["count"] = 2
    wrong = "; ".join(check(BOARD, replace(RIGHT, answer=answer)))
    assert "1 were asked for" in wrong
    assert "different cost" in wrong
    nothing = {"models": [], "count": 0, "exhausted": False}
    refused = replace(RIGHT, status=Status.INFEASIBLE, answer=nothing)
    assert "not exhausted" in "; ".join(check(BOARD, refused))


def test_query_checker_finds_forbidden_rules() -> None:
    """A decision whose rules hold a script was never ours."""
    hostile = replace(RIGHT, request={**RIGHT.request, "rules": "#script (lua) #end. a."})
    assert "#script" in "; ".join(check(BOARD, hostile))

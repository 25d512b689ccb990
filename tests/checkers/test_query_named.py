"""The judge of named queries: rows that no rule gave, or that offer what cannot be used."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from skb.checkers.query import check
from skb.decision import Decision, Limits
from skb.machine import Machine
from skb.questions.query import decide
from skb.relations import Fact
from tests.machines import bundled

BOARD = bundled("tyan-s4985")
ASKED = {"named": "cores-near-core", "with": {"core": "pu:0", "count": 4}}
RIGHT = decide(BOARD, ASKED, Limits())


def changed(**changes: Any) -> Decision:
    return replace(RIGHT, answer={**deepcopy(RIGHT.answer), **changes})


def test_named_checker_passes_what_is_right() -> None:
    """The decision as decided has no fault, cut to the four that were asked for."""
    assert check(BOARD, RIGHT) == []
    assert len(RIGHT.answer["rows"]) == 4


ROWS = RIGHT.answer["rows"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": ROWS[:3]}, "3 rows, 4 follow"),
        ({"rows": [*ROWS, ROWS[0]]}, "has no atom"),
        ({"rows": [{**ROWS[0], "latency_ns": 1}, *ROWS[1:]]}, "has no atom"),
        ({"rows": [{**ROWS[0], "pu": "pu:77"}, *ROWS[1:]]}, "pu:77 is no part"),
        ({"named": "load-of-core"}, "load-of-core is answered"),
        ({"columns": ["pu"]}, "columns are not pu, core, latency_ns"),
    ],
)
def test_named_checker_finds_rows_that_are_wrong(changes: dict[str, Any], words: str) -> None:
    """Rows must be those of the atoms: none lost, none invented, none of parts that are not."""
    assert words in "; ".join(check(BOARD, changed(**changes)))


def test_named_checker_finds_foreign_atoms_and_requests() -> None:
    """Atoms of other predicates, unknown names and parameters are faults."""
    models = deepcopy(RIGHT.answer["models"])
    models[0]["atoms"].append({"predicate": "secret", "args": []})
    assert "has no secret" in "; ".join(check(BOARD, changed(models=models)))
    for request, words in (
        ({"named": "nothing-such"}, "no named query"),
        ({**ASKED, "with": {"core": "pu:0", "odd": 1}}, "parameters that the query has not"),
    ):
        assert words in "; ".join(check(BOARD, replace(RIGHT, request=request)))


def test_named_checker_finds_parts_that_cannot_be_used() -> None:
    """The same answer is wrong on a machine on which an offered core is off."""
    core = RIGHT.answer["rows"][0]["core"]
    off = Machine("m", [*BOARD.facts, Fact("power", (core, "off"))])
    assert "is offered" in "; ".join(check(off, RIGHT))

"""Applications in a placement request: their threads are tasks that speak in a pattern."""

from __future__ import annotations

from typing import Any

import pytest

from skb.decision import Status
from skb.errors import RequestError
from skb.knowledge import decide
from skb.questions.placement_applications import written_out
from tests.questions.placement_machines import machine

SMALL = machine(2, 4)


def pairs(pattern: str, threads: int = 4) -> set[tuple[str, str]]:
    """Return who speaks to whom in an application called w."""
    row = {"name": "w", "threads": threads, "pattern": pattern, "messages_per_s": 7}
    found = written_out(SMALL, {"application": [row]})
    assert all(one["messages_per_s"] == 7 for one in found["traffic"])
    return {(one["from"][1:], one["to"][1:]) for one in found["traffic"]}


def test_placement_application_patterns_say_who_speaks_to_whom() -> None:
    """Every one to every other, each to the next, all with the first and back, or nobody."""
    assert pairs("all", 3) == {(a, b) for a in "012" for b in "012" if a != b}
    assert pairs("ring") == {("0", "1"), ("1", "2"), ("2", "3"), ("3", "0")}
    assert pairs("master", 3) == {("1", "0"), ("0", "1"), ("2", "0"), ("0", "2")}
    assert pairs("none") == set()
    assert pairs("ring", 1) == set()


def test_placement_application_is_the_same_as_its_tasks_by_hand() -> None:
    """Tasks, rules and price are those of the request that spells every thread out."""
    short = {
        "task": [{"name": "log"}],
        "application": [
            {"name": "w", "threads": 3, "pattern": "ring", "messages_per_s": 10, "exclusive": True}
        ],
        "traffic": [{"from": "w", "to": "log", "messages_per_s": 2}],
        "apart": [{"tasks": ["w", "log"], "within": "core"}],
    }
    names = ["w0", "w1", "w2"]
    spelled: dict[str, Any] = {
        "task": [{"name": "log"}, *({"name": name, "exclusive": True} for name in names)],
        "traffic": [
            *({"from": name, "to": "log", "messages_per_s": 2} for name in names),
            {"from": "w0", "to": "w1", "messages_per_s": 10},
            {"from": "w1", "to": "w2", "messages_per_s": 10},
            {"from": "w2", "to": "w0", "messages_per_s": 10},
        ],
        "apart": [{"tasks": ["w0", "w1", "w2", "log"], "within": "core"}],
    }
    first, second = decide("placement", SMALL, short), decide("placement", SMALL, spelled)
    assert first.status is second.status is Status.OPTIMAL
    assert first.objective == second.objective
    assert first.answer == second.answer
    assert first.request == spelled


def test_placement_application_keeps_the_numbers_of_rows_of_traffic() -> None:
    """A fault in a later row is still named by the number that the row has in the file."""
    request = {
        "application": [{"name": "w", "threads": 3}],
        "task": [{"name": "log"}],
        "traffic": [
            {"from": "w", "to": "log", "messages_per_s": 1},
            {"from": "lag", "to": "log", "messages_per_s": 1},
        ],
    }
    with pytest.raises(RequestError) as refused:
        decide("placement", SMALL, request)
    assert refused.value.place == "traffic[1].from"


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ({"name": "w"}, "application[0]"),
        ({"name": "w", "threads": 0}, "application[0].threads"),
        ({"name": "w", "threads": 10**9}, "application[0].threads"),
        ({"name": "w", "threads": 2, "pattern": "star"}, "application[0].pattern"),
        ({"name": "w", "threads": 2, "at": "numa:9"}, "application[0].at"),
        ({"name": "w", "threads": 2, "per": "gpu"}, "application[0].per"),
        ({"name": "log", "threads": 2}, "application[0].name"),
        ({"name": "lo", "threads": 2, "messages_per_s": -1}, "application[0].messages_per_s"),
    ],
)
def test_placement_application_refuses_bad_rows_by_their_place(
    row: dict[str, Any], place: str
) -> None:
    """The user finds the row and the key."""
    with pytest.raises(RequestError) as refused:
        decide("placement", SMALL, {"task": [{"name": "log"}], "application": [row]})
    assert place in refused.value.place

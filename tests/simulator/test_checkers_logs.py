"""The checks of replicated logs on histories written by hand."""

import re
from dataclasses import replace

import pytest

from simulator.checkers import judge
from simulator.history import (
    APPLIED,
    CAME,
    COMMIT,
    LED,
    LOST,
    RESUMED,
    VIEWED,
    Entry,
    History,
    Proposal,
)


def told(*entries: Entry, finished: int = 0) -> History:
    """Return a history of PUs 0 to 2 and four updates; `finished` of them ended at time 50."""
    return History(
        members=(0, 1, 2),
        reporter=2,
        proposals={op: Proposal(op, 0, 5, 40 + op, 0) for op in range(4)},
        entries=entries,
        finished=dict.fromkeys(range(finished), (50, COMMIT)),
        failed=frozenset(),
        held=(),
        drained=True,
    )


def applied(pu: int, *ops: int, first: int = 1, time: int = 1) -> tuple[Entry, ...]:
    """Return the entries of a member that applies operations at positions from `first` on."""
    return tuple((time + at, pu, op, APPLIED, first + at) for at, op in enumerate(ops))


def fallen(history: History, pu: int) -> History:
    """Return a history whose plan took a PU down, healed it, and was survived."""
    return replace(history, failed=frozenset({pu}), kinds=frozenset({"crash"}), lively=True)


AWAY = ((1, 2, 0, LOST, 0), (5, 2, 0, CAME, 0))
EVERYBODY = (*applied(0, 0, 1), *applied(1, 0, 1), *applied(2, 0, 1))

BAD: list[tuple[str, History, str]] = [
    (
        "prefix",
        told(*applied(0, 0, 1), *applied(1, 1)),
        "PU 1 applied operation 1 at position 1, PU 0 operation 0",
    ),
    ("prefix", told(*applied(0, 0, 1), *applied(1, 1, first=2)), "skipped position 1, operation 0"),
    (
        "prefix",
        told((1, 0, 0, RESUMED, 1), (1, 0, 0, APPLIED, 2), (2, 0, 1, APPLIED, 1)),
        "it had reached position 2",
    ),
    (
        "prefix",
        told(*applied(0, 0, 1), (1, 1, 0, RESUMED, 2), (2, 1, 1, APPLIED, 2)),
        "when it had reached position 2",
    ),
    ("leadership", told((1, 0, 3, LED, 0), (2, 1, 3, LED, 0)), "PU 0 and PU 1 both.* of term 3"),
    ("leadership", told((1, 0, 3, LED, 0), (2, 0, 3, LED, 0)), "leader of term 3 twice"),
    (
        "views",
        told((1, 0, 1, VIEWED, 0b111), (1, 1, 1, VIEWED, 0b011)),
        r"PU 1 installed view 1 with members \[0, 1\], PU 0 with \[0, 1, 2\]",
    ),
    ("views", told((1, 0, 2, VIEWED, 7), (2, 0, 1, VIEWED, 3)), "view 1 after view 2"),
    ("views", told((1, 0, 2, VIEWED, 7), (2, 0, 2, VIEWED, 7)), "view 2 after view 2"),
    (
        "resumption",
        told(*AWAY, (6, 2, 0, APPLIED, 1), (7, 2, 0, RESUMED, 1)),
        "PU 2 came up and applied operation 0 at 1 before it had resumed",
    ),
    (
        "resumption",
        fallen(told(*AWAY, (6, 2, 0, RESUMED, 0), (7, 2, 0, APPLIED, 1)), 2),
        "nobody but PU 2",
    ),
    ("durability", told(finished=1), "operation 0 ended at 50 ps, but nobody ever applied it"),
    ("durability", told(*EVERYBODY, (9, 2, 0, RESUMED, 3), finished=4), "nobody ever applied"),
    ("durability", told(*applied(0, 0), *applied(1, 0), finished=1), r"PUs \[2\] never applied it"),
    (
        "durability",
        replace(
            told(*applied(0, 0), finished=1),
            failed=frozenset({1, 2}),
            kinds=frozenset({"power"}),
            lively=True,
        ),
        r"only PUs \[0\] have applied it",
    ),
    ("liveness", told(finished=3), "operation 3 of PU 0 never ended"),
    ("liveness", replace(told(finished=3), drained=False, stalled=True), "operation 3"),
    ("liveness", fallen(told(finished=3), 2), "operation 3"),
    ("termination", replace(told(finished=3), drained=False, stalled=True), "operation 3"),
    ("delivery", told(finished=1), r"never reached PUs \[0, 1, 2\]"),
]


@pytest.mark.parametrize(("check", "history", "words"), BAD)
def test_check_of_logs_names_the_violation(check: str, history: History, words: str) -> None:
    """One sentence with operations, PUs and positions, under the name of the check."""
    violations = judge(history, [check])
    assert len(violations) == 1
    assert re.search(words, violations[0])


GOOD: list[tuple[str, History]] = [
    ("prefix", told(*EVERYBODY)),
    ("prefix", told(*applied(0, 0, 1, 2), *applied(1, 0))),
    ("prefix", told((1, 0, 0, APPLIED, 2), (1, 1, 0, APPLIED, 2), (2, 1, 1, APPLIED, 5))),
    ("prefix", told(*applied(0, 0, 1, 2), (1, 1, 0, RESUMED, 2), *applied(1, 2, first=3))),
    ("leadership", told((1, 0, 3, LED, 0), (2, 1, 4, LED, 0))),
    ("views", told((1, 0, 1, VIEWED, 7), (2, 0, 2, VIEWED, 3), (1, 1, 1, VIEWED, 7))),
    ("resumption", told(*AWAY, (6, 2, 0, RESUMED, 0), (7, 2, 0, APPLIED, 1))),
    ("resumption", told((1, 2, 0, APPLIED, 1), *AWAY)),
    (
        "resumption",
        fallen(told(*AWAY, (6, 2, 0, RESUMED, 0), (7, 2, 0, APPLIED, 1), *applied(0, 0)), 2),
    ),
    ("durability", told(*EVERYBODY, finished=2)),
    ("durability", fallen(told(*applied(0, 0), *applied(1, 0), finished=1), 2)),
    (
        "durability",
        told(*applied(0, 0), *applied(1, 0), (9, 2, 0, RESUMED, 1), finished=1),
    ),
    ("durability", replace(told(*applied(1, 0), finished=1), drained=False)),
    ("durability", told(*EVERYBODY, (9, 2, 0, RESUMED, 3), finished=3)),
    ("liveness", told(finished=4)),
    ("liveness", replace(told(finished=3), drained=False)),
    ("liveness", replace(fallen(told(finished=3), 2), lively=False)),
    ("liveness", fallen(told(finished=3), 0)),
]


@pytest.mark.parametrize(("check", "history"), GOOD)
def test_check_of_logs_is_silent_on_a_good_history(check: str, history: History) -> None:
    """What is allowed is not reported: gaps that all share, snapshots, faults that last."""
    assert judge(history, [check]) == ()

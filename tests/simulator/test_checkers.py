"""Each checker on histories written by hand: silent on a good one, one sentence on a bad one."""

import re
from dataclasses import replace

import pytest

from simulator.checkers import MOST_VIOLATIONS, judge
from simulator.errors import UnknownNameError
from simulator.history import (
    ABORT,
    COMMIT,
    DECIDED,
    DELIVERED,
    ENTERED,
    LEFT,
    NO,
    REDUCED,
    SUSPECTED,
    VOTED,
    YES,
    Entry,
    HeldLock,
    History,
    Proposal,
)

TWO = {op: Proposal(op, 0, 5, 40 + op, 0) for op in (0, 1)}


def told(*entries: Entry, finished: int = 0) -> History:
    """Return a history of PUs 0 and 1; `finished` operations ended at time 50."""
    return History(
        members=(0, 1),
        reporter=1,
        proposals=TWO,
        entries=entries,
        finished=dict.fromkeys(range(finished), (50, COMMIT)),
        failed=frozenset(),
        held=(),
        drained=True,
    )


BOTH = ((1, 0, 0, DELIVERED, 40), (2, 1, 0, DELIVERED, 40))
VOTES = ((1, 0, 0, VOTED, YES), (2, 1, 0, VOTED, YES))
COMMITS = ((3, 0, 0, DECIDED, COMMIT), (4, 1, 0, DECIDED, COMMIT))
FALLEN = frozenset({1})

BAD: list[tuple[str, History, str]] = [
    ("integrity", told(*BOTH, BOTH[0]), "PU 0 delivered operation 0 more than once"),
    ("integrity", told((1, 0, 9, DELIVERED, 0)), "operation 9, which nobody proposed"),
    ("validity", told((1, 0, 0, DELIVERED, 41)), "delivered 41 in operation 0, proposed was 40"),
    ("sums", told((1, 0, 1, REDUCED, 40)), "reduced operation 1 to 40, the sum is 41"),
    ("agreement", told(BOTH[0], (2, 1, 0, DELIVERED, 7)), r"different values \[7, 40\]"),
    ("delivery", told(BOTH[0], finished=1), r"never reached PUs \[1\]"),
    (
        "order",
        told(
            (1, 0, 0, DELIVERED, 40),
            (3, 0, 1, DELIVERED, 41),
            (2, 1, 1, DELIVERED, 41),
            (4, 1, 0, DELIVERED, 40),
        ),
        "PU 1 delivered 1 before 0, PU 0 the other way round",
    ),
    ("acknowledged", told(BOTH[0], (51, 1, 0, DELIVERED, 40), finished=1), r"before PUs \[1\]"),
    ("confirmed", told(BOTH[0], finished=1), "before its last core, PU 1"),
    ("atomicity", told(*VOTES, COMMITS[0], (4, 1, 0, DECIDED, ABORT)), "aborted by others"),
    ("atomicity", told(VOTES[0], *COMMITS), r"without a yes of PUs \[1\]"),
    ("atomicity", told(VOTES[0], (9, 1, 0, VOTED, YES), *COMMITS), r"without a yes of PUs \[1\]"),
    ("atomicity", told(*VOTES, (3, 0, 0, DECIDED, ABORT)), "aborted though nobody refused"),
    ("isolation", told(*VOTES, (3, 0, 1, VOTED, YES)), r"yes to operation 1 while bound to \[0\]"),
    ("isolation", told((1, 0, 0, VOTED, NO)), "refused operation 0 though the item was free"),
    ("locks", replace(told(), held=(HeldLock(1, 5, 0),)), "PU 1 still locks item 5"),
    (
        "locks",
        replace(told(finished=1), held=(HeldLock(1, 5, 0),), failed=FALLEN),
        "PU 1 still locks item 5",
    ),
    ("separation", told((1, 0, 0, ENTERED, 0), (2, 0, 0, LEFT, 0)), r"before PUs \[1\]"),
    ("termination", told(finished=1), "operation 1 never ended"),
]


@pytest.mark.parametrize(("check", "history", "words"), BAD)
def test_checker_names_the_violation(check: str, history: History, words: str) -> None:
    """One sentence with the operation and the PU, under the name of the check."""
    violations = judge(history, [check])
    assert len(violations) == 1
    assert violations[0].startswith(f"{check}: ")
    assert re.search(words, violations[0])


GOOD: list[tuple[str, History]] = [
    ("integrity", told(*BOTH)),
    ("validity", told(*BOTH)),
    ("agreement", told(*BOTH)),
    ("delivery", told(*BOTH, finished=1)),
    ("delivery", replace(told(BOTH[0], finished=1), failed=FALLEN)),
    ("delivery", told(BOTH[0])),
    ("order", told(*BOTH, (3, 0, 1, DELIVERED, 41))),
    ("acknowledged", told(*BOTH, finished=1)),
    ("confirmed", told(*BOTH, finished=1)),
    ("atomicity", told(*VOTES, *COMMITS)),
    ("atomicity", told(VOTES[0], (2, 1, 0, VOTED, NO), (3, 0, 0, DECIDED, ABORT))),
    ("atomicity", told((3, 0, 0, SUSPECTED, 0), (3, 0, 0, DECIDED, ABORT))),
    ("atomicity", replace(told((3, 0, 0, DECIDED, ABORT)), failed=FALLEN)),
    ("isolation", told(*VOTES, *COMMITS, (5, 0, 1, VOTED, YES))),
    ("isolation", told(*VOTES, (3, 0, 1, VOTED, NO))),
    ("locks", replace(told(), held=(HeldLock(1, 5, 0),), failed=FALLEN)),
    ("separation", told((1, 0, 0, ENTERED, 0), (2, 1, 0, ENTERED, 0), (2, 0, 0, LEFT, 0))),
    ("termination", told(finished=2)),
    ("termination", replace(told(), failed=FALLEN)),
    ("termination", replace(told(), drained=False)),
]


@pytest.mark.parametrize(("check", "history"), GOOD)
def test_checker_is_silent_on_a_good_history(check: str, history: History) -> None:
    """What is allowed is not reported, faults and unfinished operations included."""
    assert judge(history, [check]) == ()


def test_judge_cuts_a_flood() -> None:
    """A hundred sentences and the number of the rest."""
    flood = told(*[(1, 0, 9, DELIVERED, 0)] * (MOST_VIOLATIONS + 20))
    violations = judge(flood, ["integrity"])
    assert len(violations) == MOST_VIOLATIONS + 1
    assert violations[-1] == "and 20 violations more"


def test_judge_unknown_check_lists_the_known() -> None:
    """A protocol that promises what nobody checks is found out."""
    with pytest.raises(UnknownNameError, match="'honesty': known are acknowledged, agreement"):
        judge(told(), ["honesty"])


def test_judge_lets_every_check_speak() -> None:
    """A flood of one check does not hide the single sentence of another."""
    flood = told(*[(1, 0, 9, DELIVERED, 0)] * (MOST_VIOLATIONS + 20), finished=1)
    violations = judge(flood, ["integrity", "termination"])
    assert violations[-2].startswith("termination: operation 1")
    assert violations[-1] == f"and {MOST_VIOLATIONS // 2 + 20} violations more"

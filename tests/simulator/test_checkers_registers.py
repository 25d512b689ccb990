"""Locks and registers: hand-made histories, and random ones against brute force."""

import re
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.checkers import judge
from simulator.checkers_registers import NEVER, Call, calls_of, search, undecided
from simulator.history import (
    ABORT,
    ACQUIRED,
    APPLIED,
    COMMIT,
    LOST,
    ORDERED,
    RELEASED,
    Entry,
    History,
    Proposal,
)

Row = tuple[int, int, int, int, int, int | None]
"""(operation, client, write, value or result, begin, end or None)."""


def told(*rows: Row, entries: tuple[Entry, ...] = ()) -> History:
    """Return the history of operations on item 0."""
    return History(
        members=(0, 1, 2),
        reporter=2,
        proposals={op: Proposal(op, pu, 0, v, begin, w) for op, pu, w, v, begin, _ in rows},
        entries=entries,
        finished={op: (end, COMMIT if w else v) for op, _, w, v, _, end in rows if end is not None},
        failed=frozenset(),
        held=(),
        drained=True,
        sequential=True,
    )


def ordered(*ops: int, event: int = ORDERED) -> tuple[Entry, ...]:
    """Return entries that put operations at positions from 1 on."""
    return tuple((0, 0, op, event, at) for at, op in enumerate(ops, 1))


FIRST, SECOND = (0, 0, 1, 7, 0, 10), (1, 1, 1, 8, 20, 30)

BAD_REGISTERS: list[tuple[tuple[Row, ...], tuple[Entry, ...], str]] = [
    ((FIRST, (1, 1, 0, 0, 20, 30)), (), "operation 1 of PU 1 reading 0"),
    ((FIRST, (1, 1, 0, 0, 20, 30)), ordered(0), "reading 0 from item 0.* from position 1 on"),
    ((FIRST, (1, 1, 0, 0, 20, 30)), ordered(0, event=APPLIED), "from position 1 on"),
    ((FIRST, (1, 1, 0, 9, 20, 30)), (), "reading 9"),
    ((FIRST, SECOND), ordered(1, 0), "operation 1 stands at position 1.* not behind operation 0"),
    ((FIRST, SECOND, (2, 2, 0, 7, 31, 40)), ordered(0, 1), "from position 2 on"),
    ((FIRST, (1, 0, 0, 0, 10, 10)), (), "operation 1 of PU 0 reading 0"),
    ((FIRST, (2, 0, 0, 0, 10, 10)), ordered(0), "reading 0"),
    ((FIRST, SECOND), ordered(0, 1, 0), "position 3, which had 1"),
    ((FIRST, SECOND), (*ordered(0), (0, 0, 1, ORDERED, 1)), "position 1, that of 0"),
    ((FIRST, (1, 1, 0, 7, 20, 30)), ordered(1, 0), "reading 7 from item 0"),
    (((0, 0, 0, 7, 0, 10), (1, 1, 1, 7, 20, 30)), ordered(1), "from position 0 to 1"),
]


@pytest.mark.parametrize(("rows", "entries", "words"), BAD_REGISTERS)
def test_linearizability_names_the_operation(
    rows: tuple[Row, ...], entries: tuple[Entry, ...], words: str
) -> None:
    """Stale reads, values from nowhere, an order against time, with a witness and without."""
    violations = judge(told(*rows, entries=entries), ["linearizability"])
    assert len(violations) >= 1
    assert re.search(words, violations[0])


GOOD_REGISTERS: list[tuple[tuple[Row, ...], tuple[Entry, ...]]] = [
    ((FIRST, (1, 1, 0, 7, 20, 30)), ()),
    ((FIRST, (1, 1, 0, 7, 20, 30)), ordered(0)),
    ((FIRST, (1, 1, 0, 0, 10, 10)), ()),
    ((FIRST, (1, 1, 0, 0, 10, 10)), ordered(0)),
    (((0, 0, 1, 7, 0, None), (1, 1, 0, 7, 20, 30)), ()),
    (((0, 0, 1, 7, 0, None), (1, 1, 0, 0, 20, 30)), ()),
    ((FIRST, (1, 1, 1, 8, 0, 10), (2, 2, 0, 7, 20, 30)), ordered(1, 0)),
    ((FIRST, (1, 1, 0, 0, 5, 6), (2, 2, 0, 7, 5, 6)), ordered(0)),
]


@pytest.mark.parametrize(("rows", "entries"), GOOD_REGISTERS)
def test_linearizability_allows_what_runs_at_the_same_time(
    rows: tuple[Row, ...], entries: tuple[Entry, ...]
) -> None:
    """Overlapping calls take effect in any order, unfinished updates may or may not."""
    assert judge(told(*rows, entries=entries), ["linearizability"]) == ()


def test_aborted_update_has_no_effect() -> None:
    """A read of its value is a violation, a read of the value before is none."""
    aborted = told(FIRST, (1, 1, 0, 7, 20, 30))
    aborted.finished[0] = (10, ABORT)
    assert judge(aborted, ["linearizability"])
    aborted.finished[1] = (30, 0)
    assert judge(aborted, ["linearizability"]) == ()


def test_clients_with_several_calls_may_overlap_at_one_instant() -> None:
    """With more than one call under way, one may begin before another ends, at one instant."""
    rows: tuple[Row, ...] = (FIRST, (1, 0, 0, 0, 10, 10))
    for entries in ((), ordered(0)):
        history = told(*rows, entries=entries)
        assert judge(history, ["linearizability"]) != ()
        assert judge(replace(history, sequential=False), ["linearizability"]) == ()


def test_items_are_registers_of_their_own() -> None:
    """Each item has its own order; one bad item is one violation."""
    calls = calls_of(told(FIRST, SECOND))
    assert [call.op for call in calls[0]] == [0, 1]


@st.composite
def genuine(draw: st.DrawFn) -> list[Row]:
    """Draw calls that take effect at instants of their own, with begin and end around these."""
    rows: list[Row] = []
    value = 0
    for op in range(draw(st.integers(1, 6))):
        begin = 10 * op - draw(st.integers(0, 25))
        end = 10 * op + draw(st.integers(0, 25))
        write = draw(st.integers(0, 1))
        if write:
            value = draw(st.integers(1, 3))
        lost = write and draw(st.integers(0, 5)) == 0
        rows.append((op, 100 + op, write, value, begin, None if lost else end))
    return rows


@given(genuine())
def test_real_histories_pass_with_and_without_their_order(rows: list[Row]) -> None:
    """A history that was made from an order is explained by that order, and by the search."""
    assert judge(told(*rows), ["linearizability"]) == ()
    updates = [op for op, _, write, *_ in rows if write]
    assert judge(told(*rows, entries=ordered(*updates)), ["linearizability"]) == ()
    everything = [op for op, *_ in rows]
    assert judge(told(*rows, entries=ordered(*everything)), ["linearizability"]) == ()


@st.composite
def doubtful(draw: st.DrawFn) -> list[Row]:
    """Draw calls of two clients with any times and results."""
    rows: list[Row] = []
    for op in range(draw(st.integers(1, 6))):
        begin = draw(st.integers(0, 9))
        end = draw(st.one_of(st.none(), st.integers(begin, begin + 5)))
        write, value = draw(st.integers(0, 1)), draw(st.integers(0, 2))
        rows.append((op, draw(st.integers(0, 1)), write, value, begin, end))
    return rows


def explains(order: tuple[Call, ...]) -> bool:
    """Say whether an order keeps to time and gives every read its value."""
    value = 0
    for at, call in enumerate(order):
        if any(later.precedes(call) for later in order[at + 1 :]):
            return False
        if call.write:
            value = call.value
        elif call.value != value:
            return False
    return True


def by_brute_force(calls: list[Call]) -> bool:
    """Try every order of every choice of the updates that never returned."""
    ended = [call for call in calls if call.end != NEVER]
    open_ = [call for call in calls if call.end == NEVER]
    return any(
        explains(order)
        for chosen in range(1 << len(open_))
        for order in permutations(
            [*ended, *(call for at, call in enumerate(open_) if chosen >> at & 1)]
        )
    )


@given(doubtful())
def test_search_agrees_with_brute_force(rows: list[Row]) -> None:
    """All orders of up to six calls, tried one by one."""
    calls = calls_of(told(*rows)).get(0, [])
    assert search(calls) is by_brute_force(calls)


@given(doubtful(), st.permutations(range(6)))
def test_witness_agrees_with_brute_force(rows: list[Row], order: list[int]) -> None:
    """With the order of the updates fixed, the one pass finds what all orders find."""
    updates = [op for op in order if op < len(rows) and rows[op][2]]
    history = told(*rows, entries=ordered(*updates))
    place = {op: at for at, op in enumerate(updates)}
    calls = calls_of(history).get(0, [])
    fits = any(
        explains(tried)
        for tried in permutations(calls)
        if [call.op for call in tried if call.write]
        == sorted((call.op for call in calls if call.write), key=lambda op: place[op])
    )
    if updates:
        assert (judge(history, ["linearizability"]) == ()) is fits


def test_search_gives_up_and_says_so() -> None:
    """Too many steps are no violation, but they are counted."""
    rows: list[Row] = [(op, op, 1, op, 0, 100) for op in range(30)]
    rows += [(30 + at, 30 + at, 0, 99 if at else 3, 101 + at, 102 + at) for at in range(2)]
    history = told(*rows)
    assert search(calls_of(history)[0], steps=1000) is None
    assert judge(history, ["linearizability"]) == ()
    assert undecided(history) == 1


def held(*rows: tuple[int, int, int, int | None], falls: tuple[Entry, ...] = ()) -> History:
    """Return a history of (PU, operation, acquired, released) of item 0."""
    entries = [*falls]
    for pu, op, begin, end in rows:
        entries.append((begin, pu, op, ACQUIRED, 0))
        if end is not None:
            entries.append((end, pu, op, RELEASED, 0))
    calls = [(op, pu, 1, 0, 0, None) for pu, op, _, _ in rows]
    return told(*calls, entries=tuple(sorted(entries)))


@pytest.mark.parametrize(
    ("history", "said"),
    [
        (held((0, 0, 1, 5), (1, 1, 5, 9)), 0),
        (held((0, 0, 1, 5), (1, 1, 4, 9)), 1),
        (held((0, 0, 1, None), (1, 1, 4, 9)), 1),
        (held((0, 0, 1, None), (1, 1, 4, 9), falls=((3, 0, 0, LOST, 0),)), 0),
        (held((0, 0, 1, 6), (1, 1, 4, 9), falls=((3, 0, 0, LOST, 0),)), 1),
        (held((0, 0, 1, 9), (1, 1, 2, 3), (2, 2, 4, 5)), 2),
        (held((0, 0, 3, 3), (1, 1, 3, 3)), 0),
    ],
)
def test_exclusion_finds_overlaps(history: History, said: int) -> None:
    """Two that hold at once are one violation; handing over at one instant is none."""
    violations = judge(history, ["exclusion"])
    assert len(violations) == said
    assert all("while PU 0 held it for operation 0" in sentence for sentence in violations)

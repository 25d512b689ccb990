"""The log as others follow it, and bulk writes."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from skb.errors import ContradictionError, NotFoundError, SkbError
from skb.relations import Fact
from skb.store import Change, Store
from tests.machines import grown

BASE = grown("package:2 core:2 pu:1").facts


def _load(pu: int, value: int) -> Fact:
    return Fact("load", (f"pu:{pu}", value))


def test_changes_are_read_on_from_a_revision(store: Store) -> None:
    """Of all machines or of one, as many as asked for."""
    assert store.head() == 0
    for name in ("m", "n"):
        store.load(name, "", BASE)
    for value in (1, 2):
        store.write("m", [_load(value, value)])
    assert store.head() == 4
    assert [change.revision for change in store.changes(1, 2)] == [2, 3]
    assert [change.revision for change in store.changes(0, 9, "m")] == [1, 3, 4]
    assert store.changes(3, 9)[0].asserted == (_load(2, 2),)


def test_listeners_hear_each_commit_once_and_in_order(
    store: Store, opened: Callable[[str], Store]
) -> None:
    """From this process before the write returns, from others soon; a bad listener harms none."""
    other = opened(store.url)
    heard: list[Change] = []
    enough = threading.Event()

    def listen(change: Change) -> None:
        heard.append(change)
        if len(heard) == 41:
            enough.set()

    def fail(change: Change) -> None:
        raise ValueError(change.kind)

    leave_bad = store.on_commit(fail)
    leave = store.on_commit(listen)
    store.load("m", "", BASE)
    assert [change.revision for change in heard] == [1]

    def write(by: Store, letter: str) -> None:
        for count in range(20):
            by.write("m", [Fact("service", (f"{letter}{count}", "pu:0"))])

    threads = [threading.Thread(target=write, args=pair) for pair in ((store, "a"), (other, "b"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert enough.wait(20)
    assert [change.revision for change in heard] == list(range(1, 42))
    leave()
    leave_bad()
    store.delete("m")
    assert len(heard) == 41


def test_bulk_puts_facts_of_many_machines_in_one_transaction(store: Store) -> None:
    """One change for each machine; what was said before is replaced, or known."""
    for name in ("m", "n"):
        store.load(name, "", BASE)
    store.write("m", [_load(0, 5), _load(1, 6)])
    rows = [("m", _load(0, 5)), ("n", _load(0, 1)), ("m", _load(1, 7)), ("m", _load(2, 8))]
    assert store.bulk(rows) == ["known", "asserted", "replaced", "asserted"]
    assert [change.revision for change in store.changes(3, 9)] == [4, 5]
    assert {fact.args[1] for fact in store.machine("m").all("load")} == {5, 7, 8}
    assert store.changes(3, 1)[0].retracted == (_load(1, 6),)
    assert store.bulk(rows) == ["known"] * 4
    assert store.head() == 5
    assert store.write("n", [_load(1, 1)]).revision == 6


def test_bulk_is_all_or_none_or_row_by_row(store: Store) -> None:
    """A bad row undoes all, or is left out alone and told."""
    store.load("m", "", BASE)
    rows = [
        *(("m", _load(pu, 1)) for pu in (0, 1)),
        ("m", _load(99, 1)),
        ("nobody", _load(0, 1)),
        ("m", _load(2, 1)),
        ("m", Fact("load", ("pu:3", 1_000_000))),
    ]
    with pytest.raises(NotFoundError, match="pu:99"):
        store.bulk(rows[:3])
    assert store.head() == 1
    results = store.bulk(rows, atomic=False)
    words = [word if isinstance(word, str) else type(word).__name__ for word in results]
    assert words[:5] == ["asserted", "asserted", "NotFoundError", "NotFoundError", "asserted"]
    assert isinstance(results[5], SkbError)
    assert {fact.args[0] for fact in store.machine("m").all("load")} == {"pu:0", "pu:1", "pu:2"}


def test_bulk_refuses_two_values_of_one_key(store: Store) -> None:
    """Nobody can tell which of them was meant."""
    store.load("m", "", BASE)
    with pytest.raises(ContradictionError):
        store.bulk([("m", _load(0, 1)), ("m", _load(0, 2))])
    assert store.head() == 1

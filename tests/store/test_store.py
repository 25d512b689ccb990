"""The store: revisions, as-of reads, all-or-none writes, and nothing acknowledged lost."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.errors import (
    AddressError,
    ContradictionError,
    FactError,
    NameTakenError,
    NotFoundError,
    RevisionError,
    SkbError,
    StoreError,
)
from skb.relations import Fact
from skb.store import Store
from skb.store.sqlite import write_ahead
from tests.machines import grown

BASE = grown("package:2 core:2 pu:1").facts
LOAD = [Fact("load", ("pu:0", value)) for value in range(101)]


def test_store_load_gives_back_the_facts_with_provenance(store: Store) -> None:
    """What goes in comes out, who said it included."""
    fact = Fact("load", ("pu:0", 7), source="measured", by="probe", when="2026", samples=9)
    kept = store.load("m", "a machine", [*BASE, fact])
    assert store.machine("m").facts == kept.facts
    assert store.machine("m").fact("load", "pu:0") == fact
    assert store.machine("m").title == "a machine"


def test_store_load_of_other_facts_needs_replace(store: Store) -> None:
    """A name is not overwritten by accident; equal facts change nothing."""
    first = store.load("m", "", BASE)
    assert store.load("m", "", BASE).revision == first.revision
    with pytest.raises(NameTakenError, match="--replace"):
        store.load("m", "", [*BASE, LOAD[1]])
    second = store.load("m", "", [*BASE, LOAD[1]], replace=True)
    assert second.revision > first.revision
    assert store.machine("m", first.revision).facts == first.facts


def test_store_write_moves_from_revision_to_revision(store: Store) -> None:
    """Each write is a revision; every older one stays readable."""
    seen: dict[int, Fact | None] = {store.load("m", "", BASE).revision: None}
    for old, new in ((None, LOAD[5]), (LOAD[5], LOAD[6]), (LOAD[6], None)):
        machine = store.write("m", [new] if new else [], [old] if old else [])
        seen[machine.revision] = new
    for revision, fact in seen.items():
        assert store.machine("m", revision).fact("load", "pu:0") == fact
    assert [change.kind for change in store.history("m")] == ["load", "write", "write", "write"]


@pytest.mark.parametrize(
    ("asserted", "retracted", "error"),
    [
        ([LOAD[1], LOAD[2]], [], ContradictionError),
        ([LOAD[9]], [], ContradictionError),
        ([LOAD[3]], [], FactError),
        ([Fact("lod", ("pu:0", 3))], [], FactError),
        ([Fact("load", ("pu:1", 3)), Fact("load", ("pu:0", "x"))], [], FactError),
        ([], [LOAD[4]], FactError),
        ([], [Fact("contains", ("machine:0", "package:0"))], ContradictionError),
    ],
)
def test_store_write_is_all_or_none(
    store: Store, asserted: list[Fact], retracted: list[Fact], error: type[SkbError]
) -> None:
    """A change with one bad fact changes nothing, not even the revision."""
    before = store.load("m", "", [*BASE, LOAD[3]])
    with pytest.raises(error):
        store.write("m", asserted, retracted)
    after = store.machine("m")
    assert (after.revision, after.facts) == (before.revision, before.facts)
    assert len(store.history("m")) == 1


def test_store_write_refuses_a_stale_revision(store: Store) -> None:
    """Who read revision 1 cannot overwrite revision 2."""
    first = store.load("m", "", BASE)
    store.write("m", [LOAD[1]], [], if_revision=first.revision)
    with pytest.raises(RevisionError, match="not 1"):
        store.write("m", [Fact("load", ("pu:1", 1))], [], if_revision=first.revision)


def test_store_remembers_nothing_of_a_change_that_was_rolled_back(store: Store) -> None:
    """The revision of a failed first change goes to another machine; no snapshot stays behind."""
    base = grown("core:1 pu:1")
    with pytest.raises(ContradictionError):
        store.write("a", [Fact("contains", ("pu:0", "core:0"))], base=base)
    kept = store.load("a", "", BASE)
    assert store.machine("a").facts == kept.facts
    assert store.machine("a", 1).facts == kept.facts


def test_store_write_refuses_facts_about_parts_that_are_not_there(store: Store) -> None:
    """A typing slip in an object's number changes nothing."""
    store.load("m", "", BASE)
    with pytest.raises(NotFoundError, match="has no pu:99"):
        store.write("m", [Fact("load", ("pu:99", 1))])
    assert len(store.history("m")) == 1


def test_store_delete_forgets_the_name_and_keeps_the_log(store: Store) -> None:
    """A deleted machine is gone now and there as of before."""
    kept = store.load("m", "", BASE)
    store.delete("m")
    with pytest.raises(NotFoundError):
        store.machine("m")
    assert store.machine("m", kept.revision).facts == kept.facts
    assert store.load("m", "", BASE).revision > kept.revision


@pytest.mark.parametrize("name", ["", " m", "a/b", "..", "x" * 201, "a\nb", "a\\b", "m.svg"])
def test_store_refuses_names_that_are_none(store: Store, name: str) -> None:
    """A name is short, printable and no path."""
    with pytest.raises(SkbError):
        store.load(name, "", BASE)
    assert store.machines() == ()


def test_store_serialises_writers_of_several_threads(store: Store) -> None:
    """Eight threads with forty writes each: no loss, no gap, one order."""
    store.load("m", "", BASE)

    def work(number: int) -> None:
        for count in range(40):
            store.write("m", [Fact("service", (f"s{number}-{count}", "pu:0"))])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.machine("m").all("service")) == 320
    revisions = [change.revision for change in store.history("m")]
    assert revisions == list(range(1, 322))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=12))
def test_store_agrees_with_a_plain_dictionary(moves: list[tuple[int, int]]) -> None:
    """A random series of loads set and unset gives what a dictionary of PUs would hold."""
    store = Store("sqlite://")
    store.load("m", "", BASE)
    model: dict[int, int] = {}
    for pu, value in moves:
        old = [Fact("load", (f"pu:{pu}", model[pu]))] if pu in model else []
        new = [Fact("load", (f"pu:{pu}", value))] if model.get(pu) != value else []
        store.write("m", new, old)
        model.pop(pu, None)
        if new:
            model[pu] = value
    found = {str(fact.args[0]): fact.args[1] for fact in store.machine("m").all("load")}
    assert found == {f"pu:{pu}": value for pu, value in model.items()}
    store.close()


def test_store_says_what_is_wrong_with_its_address(tmp_path: Path) -> None:
    """An address that cannot be opened is one clear error."""
    for url in ("oracle+nothing://x", "sqlite+odd://"):
        with pytest.raises(AddressError, match="cannot open"):
            Store(url)
    with pytest.raises(StoreError, match="the database refused"):
        Store(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:s3cr/et@127.0.0.1:1/skb?connect_timeout=1",
        "oracle+nothing://me:s3cret@x",
        "nothing at all://me:s3@cret@x/y",
        "sqlite:///\0//me:s3cret@x",
    ],
)
def test_store_never_tells_a_password(url: str) -> None:
    """An address in an error bears stars instead."""
    with pytest.raises((AddressError, StoreError)) as caught:
        Store(url)
    assert "s3cr" not in str(caught.value) and "cret" not in str(caught.value)
    assert "***" in str(caught.value)


def test_store_finds_decisions_by_the_beginning_of_their_id(store: Store) -> None:
    """An id may be shortened as long as it is unique; wildcards of SQL mean nothing."""
    for name in ("abc1", "abd2"):
        store.keep({"id": name, "machine": "m", "revision": 1, "question": "route"})
    assert store.decision("abc")["id"] == "abc1"
    for wanted in ("ab", "x", "", "%", "_bc1"):
        with pytest.raises(NotFoundError):
            store.decision(wanted)
    assert [row["id"] for row in store.decisions()] == ["abd2", "abc1"]


def test_store_keeps_the_notes_of_a_description(store: Store) -> None:
    """What the reader of a description had to say stays with the machine, also after a write."""
    store.load("m", "", BASE, notes=("two pairs were not measured",))
    store.write("m", [LOAD[1]])
    assert store.machine("m").notes == ("two pairs were not measured",)


def test_store_statements_for_sqlite_are_those_of_the_tables() -> None:
    """`python -m skb.store.statements` writes the file; blanks are SQLAlchemy's own affair."""
    from skb.store import statements

    kept = Path(statements.__file__).with_name("sqlite.sql").read_text()
    assert kept.split() == statements.sqlite_text().split()


def test_store_opens_files_of_both_ways(tmp_path: Path) -> None:
    """What one way of speaking to SQLite has written, the other reads and goes on with."""
    for first, second in (("sqlite", "sqlite+pysqlite"), ("sqlite+pysqlite", "sqlite")):
        path = tmp_path / f"{first}.sqlite3"
        Store(f"{first}:///{path}").load("m", "", BASE)
        other = Store(f"{second}:///{path}")
        assert other.write("m", [LOAD[1]]).revision == 2
        assert Store(f"{first}:///{path}").machine("m").facts == other.machine("m").facts
        other.close()


def test_store_write_equals_a_fresh_load(store: Store, opened: Callable[[str], Store]) -> None:
    """A set that grew and shrank by writes is, fact for fact, the set loaded at once."""
    store.load("m", "", [*BASE, LOAD[1]])
    more = [Fact("latency", (f"pu:{a}", f"pu:{b}", 10.0 + a)) for a in (3, 0) for b in (1, 2)]
    store.write("m", more, [LOAD[1]])
    written = store.write("m", [LOAD[2], Fact("power", ("pu:0", "on"), "measured")])
    whole = store.load("n", "", [LOAD[2], Fact("power", ("pu:0", "on"), "measured"), *more, *BASE])
    assert written.facts == whole.facts
    assert opened(store.url).machine("m").facts == whole.facts
    assert written.digest == whole.digest


def test_store_lets_two_files_of_one_kind_disagree(store: Store) -> None:
    """Both facts stay visible, the newer one holds, and the pair is listed as a conflict."""
    said = [
        Fact("memory_size", ("numa:0", size), "discovered", by=by, when=when)
        for size, by, when in ((1024, "a.xml", "2025-01-01"), (2048, "b.xml", "2026-01-01"))
    ]
    node = Fact("contains", ("machine:0", "numa:0"), "discovered")
    machine = store.load("m", "", [*BASE, node, *said])
    assert machine.value("memory_size", "numa:0") == 2048
    assert machine.conflicts() == ((said[1], said[0]),)


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE shape SET facts = x'00ff'",
        "UPDATE shape SET facts = '[]'",
        "DELETE FROM shape",
        "UPDATE change SET asserted = 'nonsense' WHERE kind = 'write'",
        "UPDATE change SET retracted = x'5b7b7d5d' WHERE kind = 'write'",
    ],
)
def test_store_says_what_is_damaged_instead_of_reading_it(tmp_path: Path, harm: str) -> None:
    """Facts that are not those that were written are never given out, and no traceback is."""
    path = tmp_path / "k.sqlite3"
    with closing(Store(str(path))) as store:
        store.load("m", "", BASE)
        store.write("m", [LOAD[3]])
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(harm)
    with closing(Store(str(path))) as store, pytest.raises(StoreError, match="damaged"):
        store.machine("m")


class Contended(sqlite3.Connection):
    """A connection to a file that another process switches to WAL at the same time."""

    refusals: ClassVar = [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY]

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if "journal_mode" in statement and self.refusals:
            fault = sqlite3.OperationalError("database is locked")
            fault.sqlite_errorcode = self.refusals.pop()
            raise fault
        return super().execute(statement, *values)


def test_store_waits_for_others_who_open_a_new_file(tmp_path: Path) -> None:
    """SQLite's switch to WAL does not wait for others, so we do; other faults are told at once."""
    with closing(sqlite3.connect(tmp_path / "k.sqlite3", factory=Contended)) as connection:
        write_ahead(connection)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.refusals.append(sqlite3.SQLITE_IOERR)
        with pytest.raises(sqlite3.OperationalError):
            write_ahead(connection)

"""Migrations: old databases open and keep what they hold, newer ones are refused."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from skb.errors import StoreError
from skb.relations import Fact
from skb.store import Store
from skb.store.database import VERSION
from skb.store.tables import metadata

OLD = Path(__file__).with_name("version1.sql")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file that the program of before there were versions has written."""
    path = tmp_path / "old.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD.read_text())
    return path


def _schema(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name not in {"alembic_version", "sqlite_sequence"}
        ]
        return {
            name: [
                *connection.execute(f"PRAGMA table_info({name})"),
                *sorted(row[1:] for row in connection.execute(f"PRAGMA index_list({name})")),
                *connection.execute(f"PRAGMA foreign_key_list({name})"),
            ]
            for name in tables
        }


def test_a_file_of_the_first_program_opens_and_keeps_everything(
    old: Path, opened: Callable[[str], Store]
) -> None:
    """Facts, revisions, notes and decisions are there, and it goes on from where it was."""
    store = opened(str(old))
    machine = store.machine("m")
    assert (machine.revision, machine.title, machine.notes) == (2, "old one", ("kept",))
    assert machine.value("load", "pu:0") == 5
    assert store.machine("m", 1).fact("load", "pu:0") is None
    assert store.decision("old")["id"] == "old1"
    assert store.write("m", [Fact("load", ("pu:1", 7))]).revision == 3
    assert [(shape.machines, shape.example) for shape in store.shapes()] == [(1, "m")]


def test_an_upgraded_file_has_the_tables_of_a_new_one(
    old: Path, tmp_path: Path, opened: Callable[[str], Store]
) -> None:
    """The migrations and the definitions for a new file say the same, column by column."""
    opened(str(old))
    opened(str(tmp_path / "new.sqlite3"))
    assert _schema(old) == _schema(tmp_path / "new.sqlite3")


def test_migrations_make_what_the_tables_say(address: str, opened: Callable[[str], Store]) -> None:
    """Alembic finds no difference between a new database and `skb.store.tables`."""
    opened(address)
    engine = create_engine(address)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    assert found == []


def test_many_processes_upgrade_one_file_once(old: Path) -> None:
    """Whoever comes second finds the work done."""
    program = "import sys; from skb.store import Store; print(Store(sys.argv[1]).head())"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(old)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    assert [process.communicate()[0] for process in started] == ["2\n"] * 4


def test_a_database_of_a_newer_program_is_refused(
    address: str, opened: Callable[[str], Store]
) -> None:
    """It is left as it is, and the error says what to do."""
    opened(address).close()
    engine = create_engine(address)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA user_version={VERSION + 1}")
        else:
            newer = {"newer": f"{VERSION + 1:04}"}
            connection.execute(text("UPDATE alembic_version SET version_num=:newer"), newer)
    engine.dispose()
    with pytest.raises(StoreError, match="update the program"):
        opened(address)


def test_an_interrupted_upgrade_changes_nothing(
    old: Path, opened: Callable[[str], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the last step fails the file is as it was, and the next attempt succeeds."""
    before = _schema(old)
    monkeypatch.setattr("skb.store.migrating.VERSION", 99)
    with pytest.raises(Exception, match="0099"):
        opened(str(old))
    assert _schema(old) == before
    monkeypatch.undo()
    assert opened(str(old)).head() == 2


def test_an_up_to_date_file_is_opened_without_the_slow_imports(tmp_path: Path) -> None:
    """Neither a new file nor one of this version needs SQLAlchemy or Alembic."""
    program = (
        "import sys; from skb.store import Store; Store(sys.argv[1]).close();"
        "print(sorted({'alembic', 'sqlalchemy', 'logging.config'} & set(sys.modules)))"
    )
    for _ in range(2):
        command = [sys.executable, "-c", program, str(tmp_path / "k.sqlite3")]
        assert subprocess.run(command, capture_output=True, text=True).stdout == "[]\n"

"""SQLite through the standard library, with the statements of `sqlite.sql`."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from skb.store.database import VERSION, check_version, refused

_WAIT_S = 30.0
_RETRY_S = 0.01
_LOOK_S = 0.02
_DEFINITIONS = ("table ", "index ")


@cache
def _texts() -> Mapping[str, str]:
    """Read `sqlite.sql`: the text of each definition and statement under its name."""
    whole = (Path(__file__).parent / "sqlite.sql").read_text(encoding="utf-8")
    parts = (part.split("\n", 1) for part in whole.split("-- ")[2:])
    return {name: text.strip() for name, text in parts}


def write_ahead(connection: sqlite3.Connection) -> None:
    """Switch a file to WAL; several processes may open a new file at the same time."""
    until = time.monotonic() + _WAIT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            return
        except sqlite3.OperationalError as fault:
            # the switch alone does not wait for others, as every other lock of SQLite does
            busy = fault.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
            if not busy or time.monotonic() > until:
                raise
        time.sleep(_RETRY_S)


class _Session:
    """A transaction on one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def rows(self, statement: str, **values: Any) -> list[Any]:
        return self.connection.execute(_texts()[statement], values).fetchall()

    def many(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self.connection.executemany(_texts()[statement], rows)

    def announce(self, revision: int) -> None:
        """Nothing to do: the others poll `PRAGMA data_version`."""


class SqliteWaiter:
    """Sees by a number in memory that another connection has committed; a look takes 5 µs."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._version = self._look()

    def wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (found := self._look()) == self._version and time.monotonic() < until:
            time.sleep(_LOOK_S)
        self._version = found

    def close(self) -> None:
        self._connection.close()

    def _look(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])


class SqliteDatabase:
    """A file, or memory, with one connection for each transaction that runs at the same time."""

    def __init__(self, url: str, path: str) -> None:
        self._url = url
        self._path = path
        self._idle: list[sqlite3.Connection] = []
        # SQLite's own waiting is unfair between threads: they queue here first. What is in memory
        # has a single connection, so that readers queue as well.
        self._writing = threading.Lock()
        self._memory = path == ":memory:"
        self._define()

    def reading(self) -> AbstractContextManager[_Session]:
        return self._alone("BEGIN") if self._memory else self._transaction("BEGIN")

    def changing(self) -> AbstractContextManager[_Session]:
        # take the write lock at once, so that no upgrade can deadlock
        return self._alone("BEGIN IMMEDIATE")

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def waiter(self) -> SqliteWaiter:
        return SqliteWaiter(self._connection())

    @contextmanager
    def _alone(self, begin: str) -> Iterator[_Session]:
        with self._writing, self._transaction(begin) as session:
            yield session

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[_Session]:
        try:
            connection = self._connection()
            try:
                connection.execute(begin)
                yield _Session(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._idle.append(connection)
        except sqlite3.Error as fault:
            raise refused(self._url, fault) from fault

    def _connection(self) -> sqlite3.Connection:
        try:
            # a list's pop is one step: two threads never take the same connection
            return self._idle.pop()
        except IndexError:
            pass
        connection = sqlite3.connect(
            self._path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
        )
        try:
            write_ahead(connection)
            for pragma in ("synchronous=FULL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}").close()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _define(self) -> None:
        """Make the tables of a new file; bring those of an old one up to date."""
        with self.reading() as session:
            version = _version(session)
        check_version(self._url, version)
        if version == VERSION:
            return
        with self.changing() as session:
            run = session.connection.execute
            (known,) = run("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()
            if not known:
                for name in _texts():
                    if name.startswith(_DEFINITIONS):
                        session.rows(name)
                run(f"PRAGMA user_version={VERSION}")
                return
            version = _version(session)
        # another process may have made or upgraded the tables meanwhile
        if version != VERSION:
            from skb.store.engine import EngineDatabase

            EngineDatabase(f"sqlite:///{self._path}").close()


def _version(session: _Session) -> int:
    return int(session.connection.execute("PRAGMA user_version").fetchone()[0])

"""Any database that SQLAlchemy knows."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Insert, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from skb.errors import AddressError
from skb.store.database import MEND, Session, Waiter, refused, shown
from skb.store.migrating import migrate
from skb.store.sqlite import SqliteWaiter, write_ahead
from skb.store.statements import ELSEWHERE, STATEMENTS

_ALONE = text("SELECT pg_advisory_xact_lock(:lock)")
_NOTIFY = text("SELECT pg_notify(:channel, :revision)")


# what writers of PostgreSQL lock one after the other, so that revisions have the order of commits
_LOCK = int.from_bytes(b"skb", "big")
_CHANNEL = "skb"


class _Session:
    """A transaction on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lite = connection.dialect.name == "sqlite"

    def rows(self, statement: str, **values: Any) -> list[Any]:
        wanted = STATEMENTS[statement] if self._lite else ELSEWHERE[statement]
        result = self._connection.execute(wanted, values)
        return [tuple(row) for row in result] if result.returns_rows else []

    def many(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
        wanted = STATEMENTS[statement]
        if not rows:
            return
        if self._lite or not isinstance(wanted, Insert):
            self._connection.execute(wanted, rows)
            return
        columns = ", ".join(rows[0])
        cursor = self._connection.connection.cursor()
        with cursor.copy(f"COPY {wanted.table.name} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(tuple(row.values()))

    def announce(self, revision: int) -> None:
        if not self._lite:
            values = {"channel": _CHANNEL, "revision": str(revision)}
            self._connection.execute(_NOTIFY, values)


class EngineWaiter:
    """Waits on a connection of its own."""

    def __init__(self, url: str, connection: Any, error: type[Exception]) -> None:
        self._url, self._error = url, error
        self._connection = connection
        self._connection.execute(f"LISTEN {_CHANNEL}")

    def wait(self, seconds: float) -> None:
        try:
            for _notice in self._connection.notifies(timeout=seconds, stop_after=1):
                pass
        except self._error as fault:
            raise refused(self._url, fault) from fault

    def close(self) -> None:
        self._connection.close()


class EngineDatabase:
    """A database behind an engine with its pool of connections."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._writing = threading.Lock()
        try:
            parsed = make_url(url)
            self._lite = parsed.get_backend_name() == "sqlite"
            if self._lite and parsed.database not in (None, "", ":memory:"):
                Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
            self._engine = create_engine(parsed)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, OSError) as fault:
            raise AddressError(
                f"cannot open {shown(url)}: {shown(str(fault))}", mend=MEND
            ) from fault
        if self._lite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
            self._reader = self._engine.execution_options(skb_reading=True)
        else:
            self._reader = self._engine.execution_options(isolation_level="REPEATABLE READ")
        try:
            with self._writing, self._connected(self._engine) as connection:
                self._lock(connection)
                migrate(url, connection)
        except BaseException:
            self._engine.dispose()
            raise

    def waiter(self) -> Waiter:
        error: type[Exception] = self._engine.dialect.loaded_dbapi.Error
        try:
            connection = _connection_of(self._engine)
            if self._lite:
                return SqliteWaiter(connection)
            connection.autocommit = True
            return EngineWaiter(self._url, connection, error)
        except error as fault:
            raise refused(self._url, fault) from fault

    def _lock(self, connection: Connection) -> None:
        if not self._lite:
            connection.execute(_ALONE, {"lock": _LOCK})

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self._connected(self._reader) as connection:
            yield _Session(connection)

    @contextmanager
    def changing(self) -> Iterator[Session]:
        with self._writing, self._connected(self._engine) as connection:
            self._lock(connection)
            yield _Session(connection)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except DBAPIError as fault:
            raise refused(self._url, fault.orig) from fault


def _connection_of(engine: Engine) -> Any:
    """Return a connection of the driver's that the pool knows nothing of."""
    dialect = engine.dialect
    words, options = dialect.create_connect_args(engine.url)
    return dialect.connect(*words, **options)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout=30000").close()
    write_ahead(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once where we are going to write, so that no upgrade can deadlock."""
    reading = connection.get_execution_options().get("skb_reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

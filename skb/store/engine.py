"""Any database that SQLAlchemy knows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from skb.errors import AddressError
from skb.store import tables
from skb.store.database import MEND, Session, refused
from skb.store.sqlite import write_ahead
from skb.store.statements import STATEMENTS


class _Session:
    """A transaction on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, statement: str, **values: Any) -> list[Any]:
        result = self._connection.execute(STATEMENTS[statement], values)
        return [tuple(row) for row in result] if result.returns_rows else []


class EngineDatabase:
    """A database behind an engine with its pool of connections."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._writing = threading.Lock()
        try:
            parsed = make_url(url)
            lite = parsed.get_backend_name() == "sqlite"
            if lite and parsed.database not in (None, "", ":memory:"):
                Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
            self._engine = create_engine(parsed)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, OSError) as fault:
            raise AddressError(f"cannot open {url}: {fault}", mend=MEND) from fault
        if lite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        self._reader = self._engine.execution_options(skb_reading=True)
        with self._writing, self._connected(self._engine) as connection:
            tables.metadata.create_all(connection)

    def reading(self) -> AbstractContextManager[Session]:
        return self._transaction(self._reader)

    @contextmanager
    def changing(self) -> Iterator[Session]:
        with self._writing, self._transaction(self._engine) as session:
            yield session

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Session]:
        with self._connected(engine) as connection:
            yield _Session(connection)

    @contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except DBAPIError as fault:
            raise refused(self._url, fault.orig) from fault


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

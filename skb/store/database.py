"""What the store needs of a database: transactions that run statements by name.

SQLite is spoken to through the standard library, because importing SQLAlchemy takes longer than
most commands; every other database, and every address that is more than a plain file, through
SQLAlchemy. Both run the statements of `skb.store.statements`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from skb.errors import AddressError, StoreError

_FILE = "sqlite:///"
_MEMORY = frozenset({"sqlite://", "sqlite:///", "sqlite:///:memory:"})
MEND = "give --db sqlite:////path/to/file"


class Session(Protocol):
    """A transaction."""

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """Run a statement by name; return its rows as tuples."""
        ...


class Database(Protocol):
    """An open database; a transaction that is left by an error has changed nothing."""

    def reading(self) -> AbstractContextManager[Session]: ...
    def changing(self) -> AbstractContextManager[Session]: ...
    def close(self) -> None: ...


def open_database(url: str) -> Database:
    """Open a database by its address; raises `AddressError` or `StoreError`."""
    if url in _MEMORY or (url.startswith(_FILE) and "?" not in url):
        from skb.store.sqlite import SqliteDatabase

        if url in _MEMORY:
            return SqliteDatabase(url, ":memory:")
        path = Path(url.removeprefix(_FILE))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as fault:
            raise AddressError(f"cannot open {url}: {fault}", mend=MEND) from fault
        return SqliteDatabase(url, str(path))
    from skb.store.engine import EngineDatabase

    return EngineDatabase(url)


def refused(url: str, fault: object) -> StoreError:
    """Return the error for what a database refused."""
    return StoreError(
        f"the database refused: {fault}",
        place=url,
        mend="nothing was changed; check the file, its rights and the free space",
    )

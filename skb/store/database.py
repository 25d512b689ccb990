"""What the store needs of a database: transactions that run statements by name.

SQLite is spoken to through the standard library, because importing SQLAlchemy takes longer than
most commands; every other database, and every address that is more than a plain file, through
SQLAlchemy. Both run the statements of `skb.store.statements`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from skb.errors import AddressError, StoreError

_FILE = "sqlite:///"
_MEMORY = frozenset({"sqlite://", "sqlite:///", "sqlite:///:memory:"})
MEND = "give --db sqlite:////path/to/file"
VERSION = 2  # of the tables, that is of the last migration


class Session(Protocol):
    """A transaction."""

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """Run a statement by name; return its rows as tuples."""
        ...

    def many(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement once for each row, in the fastest way that the database has."""
        ...

    def announce(self, revision: int) -> None:
        """Wake those in other processes who wait for a commit, once this one is done."""
        ...


class Database(Protocol):
    """An open database; a transaction that is left by an error has changed nothing."""

    def reading(self) -> AbstractContextManager[Session]: ...
    def changing(self) -> AbstractContextManager[Session]: ...
    def close(self) -> None: ...

    def waiter(self) -> Waiter:
        """Return what notices the commits of other processes from now on."""
        ...


class Waiter(Protocol):
    """Notices commits; used by one thread, and closed by it."""

    def wait(self, seconds: float) -> None:
        """Return after a commit, or after so long."""
        ...

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
            raise AddressError(f"cannot open {shown(url)}: {fault}", mend=MEND) from fault
        return SqliteDatabase(url, str(path))
    from skb.store.engine import EngineDatabase

    return EngineDatabase(url)


def shown(url: str) -> str:
    """Return an address as errors show it, without a password."""
    import re

    return re.sub(r"(//[^/:@]*):.*@", r"\1:***@", url)


def check_version(url: str, version: int) -> None:
    """Raise `StoreError` where a database has tables that this program does not know."""
    if version > VERSION:
        raise StoreError(
            f"the database has version {version}, this program knows up to {VERSION}",
            place=shown(url),
            mend="update the program, or give another database with --db",
        )


def refused(url: str, fault: object) -> StoreError:
    """Return the error for what a database refused."""
    return StoreError(
        f"the database refused: {fault}",
        place=shown(url),
        mend="nothing was changed; check the file, its rights and the free space",
    )

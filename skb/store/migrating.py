"""Bring a database to the tables of this program, by Alembic; only an old one needs this module."""

from __future__ import annotations

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from skb.store.database import VERSION, check_version

# Alembic's environment is a module-wide variable
_ONE = threading.Lock()


def migrate(url: str, connection: Connection) -> None:
    """Upgrade inside a transaction that holds the lock of writers.

    SQLite counts its version in the file's head, where it is read without a table; every other
    database in Alembic's table. Raises `StoreError` for a database of a newer program.
    """
    lite = connection.dialect.name == "sqlite"
    if lite:
        version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    else:
        current = MigrationContext.configure(connection).get_current_revision()
        version = int(current or 0)
    check_version(url, version)
    if version == VERSION:
        return
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    with _ONE:
        if lite and version and not inspect(connection).has_table("alembic_version"):
            command.stamp(config, f"{version:04}")
        command.upgrade(config, f"{VERSION:04}")
    if lite:
        connection.exec_driver_sql(f"PRAGMA user_version={VERSION}")

"""Every statement of the store, by name, and its text for SQLite.

SQLAlchemy knows how to write them for each database and takes a tenth of a second to import. So the
texts for SQLite are written once to `sqlite.sql`, where `skb.store.sqlite` reads them; a test holds
the file to what is compiled here. `python -m skb.store.statements` writes it anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ClauseElement,
    Insert,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from skb.store import tables

_NONE: Any = literal_column("0")
_ONE: Any = literal_column("1")
_machine, _change, _decision = tables.machine, tables.change, tables.decision
_written = (
    *(_change.c.revision, _change.c.machine, _change.c.kind),
    *(_change.c.asserted, _change.c.retracted, _change.c.at),
)
_mine = _change.c.machine == bindparam("machine")
_after = _change.c.revision > bindparam("since")
_until = _change.c.revision <= bindparam("as_of")
_newest = (
    select(_decision.c.body)
    .order_by(_decision.c.number.desc())
    .limit(bindparam("count"))
    .offset(_NONE)
)

STATEMENTS: Mapping[str, Any] = {
    "machines": select(_machine).order_by(_machine.c.name),
    "machine": select(_machine).where(_machine.c.name == bindparam("name")),
    "add_machine": insert(_machine),
    "set_machine": update(_machine)
    .where(_machine.c.name == bindparam("which"))
    .values(title=bindparam("new_title"), revision=bindparam("new_revision")),
    "delete_machine": delete(_machine).where(_machine.c.name == bindparam("name")),
    "history": select(*_written).where(_mine, _after).order_by(_change.c.revision),
    "last_load": select(_change.c.revision, _change.c.kind, _change.c.title, _change.c.shape)
    .where(_mine, _until, _change.c.kind != bindparam("kind"))
    .order_by(_change.c.revision.desc())
    .limit(bindparam("count"))
    .offset(_NONE),
    "writes": select(_change.c.revision, _change.c.asserted, _change.c.retracted)
    .where(_mine, _after, _until, _change.c.kind == bindparam("kind"))
    .order_by(_change.c.revision),
    "add_change": insert(_change).returning(_change.c.revision),
    "shape": select(tables.shape.c.facts).where(tables.shape.c.digest == bindparam("digest")),
    "has_shape": select(tables.shape.c.digest).where(tables.shape.c.digest == bindparam("digest")),
    "add_shape": insert(tables.shape),
    "note": select(tables.note.c.body).where(tables.note.c.revision == bindparam("revision")),
    "add_note": insert(tables.note),
    "has_decision": select(_decision.c.id).where(_decision.c.id == bindparam("id")),
    "add_decision": insert(_decision),
    "decisions": _newest,
    "decisions_of": _newest.where(_decision.c.machine == bindparam("machine")),
    "decisions_beginning": select(_decision.c.body)
    .where(func.substr(_decision.c.id, _ONE, bindparam("length")) == bindparam("wanted"))
    .limit(bindparam("count"))
    .offset(_NONE),
}


def sqlite_text() -> str:
    """Return the definitions and statements for SQLite, each under a line with its name."""
    dialect = sqlite.dialect(paramstyle="named")
    parts: dict[str, ClauseElement] = {}
    for table in tables.metadata.sorted_tables:
        parts[f"table {table.name}"] = CreateTable(table, if_not_exists=True)
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            parts[f"index {index.name}"] = CreateIndex(index, if_not_exists=True)
    parts.update(STATEMENTS)
    lines = ["Compiled from skb/store/statements.py; do not edit."]
    for name, statement in parts.items():
        options: dict[str, Any] = {}
        if isinstance(statement, Insert):
            # a number that counts itself is not given
            columns = [c.name for c in statement.table.columns if c.autoincrement is not True]
            options["column_keys"] = columns
        text = str(statement.compile(dialect=dialect, **options))
        tidy = (line.replace("\t", "  ").rstrip() for line in text.strip().splitlines())
        lines.append(f"{name}\n" + "\n".join(line for line in tidy if line) + "\n")
    return "-- " + "\n-- ".join(lines)


def main() -> None:
    """Write `sqlite.sql` anew."""
    (Path(__file__).parent / "sqlite.sql").write_text(sqlite_text(), encoding="utf-8")


if __name__ == "__main__":
    main()

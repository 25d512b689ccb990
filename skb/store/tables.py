"""The tables: shapes, machines, an append-only log of changes, and decisions."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table

# every constraint has a name, so that migrations can change it on SQLite
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# a set of facts as one content-addressed document: equal machines share it
shape = Table(
    "shape",
    metadata,
    Column("digest", String(80), primary_key=True),
    Column("facts", LargeBinary, nullable=False),
)

machine = Table(
    "machine",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("title", String(400), nullable=False),
    Column("revision", Integer, nullable=False),
)

# the log is never changed; a machine at a revision is its last load up to there, and the writes
# after it
change = Table(
    "change",
    metadata,
    Column("revision", Integer, primary_key=True, autoincrement=True),
    Column("machine", String(200), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("title", String(400), nullable=False),
    Column("shape", String(80), ForeignKey("shape.digest"), nullable=True),
    Column("asserted", LargeBinary, nullable=False),
    Column("retracted", LargeBinary, nullable=False),
    Column("at", String(40), nullable=False),
    sqlite_autoincrement=True,
)
Index("ix_change_machine_revision", change.c.machine, change.c.revision)

# what the reader of a description had to say about it: left out, repaired, doubted
note = Table(
    "note",
    metadata,
    Column("revision", Integer, ForeignKey("change.revision"), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

decision = Table(
    "decision",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("machine", String(200), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("question", String(40), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

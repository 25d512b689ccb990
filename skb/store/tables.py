"""The tables: shapes, machines, a log of changes, decisions, and what the service keeps.

A change here needs a migration (`skb/store/migrations/versions`), a new `VERSION` in
`skb.store.database`, and `python -m skb.store.statements`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

# SQLite's integers are of 64 bits anyway, and only those named INTEGER count themselves
Number = BigInteger().with_variant(Integer, "sqlite")

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
    Column("revision", Number, nullable=False),
    # `Machine.digest` where it is known: a write forgets it
    Column("digest", String(80), nullable=True),
    # the agent that sends this machine's facts, and when it was heard of
    Column("owner", String(200), nullable=True),
    Column("seen", String(40), nullable=True),
)
Index("ix_machine_digest", machine.c.digest)

# the log is never changed; a machine at a revision is its last load up to there, and the writes
# after it
change = Table(
    "change",
    metadata,
    Column("revision", Number, primary_key=True, autoincrement=True),
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
    Column("revision", Number, ForeignKey("change.revision"), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

decision = Table(
    "decision",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("machine", String(200), nullable=False),
    Column("revision", Number, nullable=False),
    Column("question", String(40), nullable=False),
    Column("body", LargeBinary, nullable=False),
    # of the facts that it was made for
    Column("digest", String(80), nullable=True),
    # the first commit that touched what it read, and the fact that did
    Column("stale_revision", Number, nullable=True),
    Column("stale_fact", LargeBinary, nullable=True),
)
Index("ix_decision_machine", decision.c.machine, decision.c.number)

# one answer for all machines of the same facts
answer = Table(
    "answer",
    metadata,
    Column("digest", String(80), primary_key=True),
    Column("question", String(40), primary_key=True),
    Column("key", String(80), primary_key=True),
    Column("decision", String(40), ForeignKey("decision.id"), nullable=False),
)

# what a decision read: all facts of a predicate ("*"), or those about some objects (a JSON list)
reads = Table(
    "reads",
    metadata,
    Column("decision", String(40), ForeignKey("decision.id"), primary_key=True),
    Column("predicate", String(80), primary_key=True),
    Column("objects", LargeBinary, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("pepper", String(40), nullable=False),
    Column("scopes", String(200), nullable=False),
    Column("machines", String(400), nullable=False),
    Column("created", String(40), nullable=False),
    Column("expires", String(40), nullable=True),
    Column("revoked", String(40), nullable=True),
    Column("used", String(40), nullable=True),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("at", String(40), nullable=False),
    Column("who", String(200), nullable=False),
    Column("action", String(80), nullable=False),
    Column("machine", String(200), nullable=False),
    Column("revision", Number, nullable=True),
    Column("detail", LargeBinary, nullable=False),
)

# times in milliseconds since 1970
job = Table(
    "job",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("state", String(10), nullable=False),
    Column("priority", Number, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("result", LargeBinary, nullable=True),
    Column("error", LargeBinary, nullable=True),
    Column("done", Number, nullable=False),
    Column("total", Number, nullable=False),
    Column("created", Number, nullable=False),
    Column("leased_until", Number, nullable=False),
    Column("worker", String(80), nullable=False),
    Column("owner", String(200), nullable=False),
    Column("attempts", Number, nullable=False),
)
Index("ix_job_state", job.c.state, job.c.priority, job.c.created)

# a request that may be sent twice; without a status it is still being worked on
idempotency = Table(
    "idempotency",
    metadata,
    Column("who", String(200), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("fingerprint", String(80), nullable=False),
    Column("status", Number, nullable=True),
    Column("headers", LargeBinary, nullable=True),
    Column("body", LargeBinary, nullable=True),
    Column("at", String(40), nullable=False),
)

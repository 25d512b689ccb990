"""What the service keeps: tokens, audit log, jobs, replies, answers by shape, and what was read."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _needed(name: str, length: int) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length), nullable=False)


def _perhaps(name: str, length: int) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length), nullable=True)


def _number(name: str, nullable: bool = False) -> "sa.Column[int]":
    return sa.Column(name, _NUMBER, nullable=nullable)


def _bytes(name: str, nullable: bool = False) -> "sa.Column[bytes]":
    return sa.Column(name, sa.LargeBinary, nullable=nullable)


def upgrade() -> None:
    """Add the columns and tables."""
    _columns()
    _decisions()
    _access()
    _work()


def _columns() -> None:
    for column in (_perhaps("digest", 80), _perhaps("owner", 200), _perhaps("seen", 40)):
        op.add_column("machine", column)
    op.create_index("ix_machine_digest", "machine", ["digest"])
    op.add_column("decision", _perhaps("digest", 80))
    op.add_column("decision", _number("stale_revision", nullable=True))
    op.add_column("decision", _bytes("stale_fact", nullable=True))
    op.create_index("ix_decision_machine", "decision", ["machine", "number"])


def _decisions() -> None:
    op.create_table(
        "answer",
        *(_needed("digest", 80), _needed("question", 40), _needed("key", 80)),
        _needed("decision", 40),
        sa.PrimaryKeyConstraint("digest", "question", "key", name="pk_answer"),
        sa.ForeignKeyConstraint(["decision"], ["decision.id"], name="fk_answer_decision_decision"),
    )
    op.create_table(
        "reads",
        *(_needed("decision", 40), _needed("predicate", 80), _bytes("objects")),
        sa.PrimaryKeyConstraint("decision", "predicate", name="pk_reads"),
        sa.ForeignKeyConstraint(["decision"], ["decision.id"], name="fk_reads_decision_decision"),
    )


def _access() -> None:
    op.create_table(
        "token",
        *(_needed("id", 40), _needed("name", 200), _bytes("hash"), _needed("pepper", 40)),
        *(_needed("scopes", 200), _needed("machines", 400), _needed("created", 40)),
        *(_perhaps("expires", 40), _perhaps("revoked", 40), _perhaps("used", 40)),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
    )
    op.create_table(
        "audit",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        *(_needed("at", 40), _needed("who", 200), _needed("action", 80)),
        *(_needed("machine", 200), _number("revision", nullable=True), _bytes("detail")),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
    )
    op.create_table(
        "idempotency",
        *(_needed("who", 200), _needed("key", 200), _needed("fingerprint", 80)),
        *(_number("status", nullable=True), _bytes("headers", nullable=True)),
        *(_bytes("body", nullable=True), _needed("at", 40)),
        sa.PrimaryKeyConstraint("who", "key", name="pk_idempotency"),
    )


def _work() -> None:
    op.create_table(
        "job",
        *(_needed("id", 40), _needed("kind", 40), _needed("state", 10), _number("priority")),
        *(_bytes("request"), _bytes("result", nullable=True), _bytes("error", nullable=True)),
        *(_number("done"), _number("total"), _number("created"), _number("leased_until")),
        *(_needed("worker", 80), _needed("owner", 200), _number("attempts")),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
    )
    op.create_index("ix_job_state", "job", ["state", "priority", "created"])

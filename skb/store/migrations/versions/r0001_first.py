"""Shapes, machines, the log of changes, notes and decisions.

SQLite files of the first programs bear no version, and the oldest lack a table: what is there is
left as it is.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables that are not there."""
    op.create_table(
        "shape",
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("facts", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_shape"),
        if_not_exists=True,
    )
    op.create_table(
        "machine",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("title", sa.String(400), nullable=False),
        sa.Column("revision", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_machine"),
        if_not_exists=True,
    )
    op.create_table(
        "change",
        sa.Column("revision", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("machine", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("title", sa.String(400), nullable=False),
        sa.Column("shape", sa.String(80), nullable=True),
        sa.Column("asserted", sa.LargeBinary, nullable=False),
        sa.Column("retracted", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("revision", name="pk_change"),
        sa.ForeignKeyConstraint(["shape"], ["shape.digest"], name="fk_change_shape_shape"),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    op.create_index(
        "ix_change_machine_revision", "change", ["machine", "revision"], if_not_exists=True
    )
    op.create_table(
        "note",
        sa.Column("revision", _NUMBER, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("revision", name="pk_note"),
        sa.ForeignKeyConstraint(["revision"], ["change.revision"], name="fk_note_revision_change"),
        if_not_exists=True,
    )
    op.create_table(
        "decision",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("machine", sa.String(200), nullable=False),
        sa.Column("revision", _NUMBER, nullable=False),
        sa.Column("question", sa.String(40), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_decision"),
        sa.UniqueConstraint("id", name="uq_decision_id"),
        if_not_exists=True,
    )

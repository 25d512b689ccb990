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
_row = (_machine.c.name, _machine.c.title, _machine.c.revision)
_mine = _change.c.machine == bindparam("machine")
_after = _change.c.revision > bindparam("since")
_until = _change.c.revision <= bindparam("as_of")
_newest = (
    select(_decision.c.body)
    .order_by(_decision.c.number.desc())
    .limit(bindparam("count"))
    .offset(_NONE)
)
_answer, _reads, _token, _audit = tables.answer, tables.reads, tables.token, tables.audit
_job, _idempotency = tables.job, tables.idempotency
_same = (_idempotency.c.who == bindparam("by")) & (_idempotency.c.key == bindparam("under"))
_open: tuple[Any, Any] = (literal_column("'queued'"), literal_column("'running'"))
_lost = (_job.c.state == _open[1]) & (_job.c.leased_until < bindparam("now"))
_held = (
    (_job.c.id == bindparam("which"))
    & (_job.c.worker == bindparam("by"))
    & (_job.c.state == _open[1])
)
_next = (
    select(_job.c.id)
    .where((_job.c.state == _open[0]) | _lost)
    .order_by(_job.c.priority, _job.c.created, _job.c.id)
    .limit(_ONE)
    .offset(_NONE)
    .scalar_subquery()
)

STATEMENTS: Mapping[str, Any] = {
    "machines": select(*_row).order_by(_machine.c.name),
    "machine": select(*_row).where(_machine.c.name == bindparam("name")),
    "add_machine": insert(_machine),
    "set_machine": update(_machine)
    .where(_machine.c.name == bindparam("which"))
    .values(
        title=bindparam("new_title"),
        revision=bindparam("new_revision"),
        digest=bindparam("new_digest"),
    ),
    "delete_machine": delete(_machine).where(_machine.c.name == bindparam("name")),
    "seen": update(_machine)
    .where(_machine.c.name == bindparam("which"))
    .values(seen=bindparam("new_seen"), owner=func.coalesce(bindparam("sender"), _machine.c.owner))
    .returning(_machine.c.name),
    "last_seen": select(_machine.c.seen, _machine.c.owner).where(
        _machine.c.name == bindparam("name")
    ),
    "digest": select(_machine.c.digest).where(_machine.c.name == bindparam("name")),
    "head": select(func.coalesce(func.max(_change.c.revision), _NONE)),
    "changes": select(*_written)
    .where(_after)
    .order_by(_change.c.revision)
    .limit(bindparam("count"))
    .offset(_NONE),
    "changes_of": select(*_written)
    .where(_mine, _after)
    .order_by(_change.c.revision)
    .limit(bindparam("count"))
    .offset(_NONE),
    "add_changes": insert(_change),
    "undigested": select(_machine.c.name).where(_machine.c.digest.is_(None)),
    "set_digest": update(_machine)
    .where(_machine.c.name == bindparam("which"), _machine.c.revision == bindparam("as_of"))
    .values(digest=bindparam("new_digest")),
    "shapes": select(_machine.c.digest, func.count(), func.min(_machine.c.name))
    .where(_machine.c.digest.is_not(None))
    .group_by(_machine.c.digest)
    .order_by(func.count().desc(), _machine.c.digest),
    # facts as they were loaded: of a machine that has been written to since, they are others
    "shape_of": select(_machine.c.name, _machine.c.revision, _change.c.title, _change.c.shape)
    .join(_change, _change.c.revision == _machine.c.revision)
    .where(_machine.c.digest == bindparam("digest"), _change.c.shape.is_not(None))
    .limit(_ONE)
    .offset(_NONE),
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
    "answer": select(_decision.c.body)
    .join(_answer, _answer.c.decision == _decision.c.id)
    .where(
        _answer.c.digest == bindparam("digest"),
        _answer.c.question == bindparam("question"),
        _answer.c.key == bindparam("key"),
    ),
    "add_answer": insert(_answer),
    "add_reads": insert(_reads),
    "has_reads": select(_reads.c.predicate)
    .where(_reads.c.decision == bindparam("decision"))
    .limit(_ONE)
    .offset(_NONE),
    "readers": select(_decision.c.id, _decision.c.question, _reads.c.predicate, _reads.c.objects)
    .join(_reads, _reads.c.decision == _decision.c.id)
    .where(_decision.c.machine == bindparam("machine"), _decision.c.stale_revision.is_(None))
    .order_by(_decision.c.number),
    "mark_stale": update(_decision)
    .where(_decision.c.id == bindparam("which"))
    .values(stale_revision=bindparam("by_revision"), stale_fact=bindparam("by_fact")),
    "stale": select(_decision.c.stale_revision, _decision.c.stale_fact).where(
        _decision.c.id == bindparam("id"), _decision.c.stale_revision.is_not(None)
    ),
    "decisions": _newest,
    "decisions_of": _newest.where(_decision.c.machine == bindparam("machine")),
    "decisions_beginning": select(_decision.c.body)
    .where(func.substr(_decision.c.id, _ONE, bindparam("length")) == bindparam("wanted"))
    .limit(bindparam("count"))
    .offset(_NONE),
    "add_token": insert(_token),
    "token": select(_token).where(_token.c.id == bindparam("id")),
    "tokens": select(_token).order_by(_token.c.created, _token.c.id),
    "revoke_token": update(_token)
    .where(_token.c.id == bindparam("which"))
    .values(revoked=func.coalesce(_token.c.revoked, bindparam("at")))
    .returning(_token.c.id),
    "touch_token": update(_token)
    .where(_token.c.id == bindparam("which"))
    .values(used=bindparam("at")),
    "add_audit": insert(_audit),
    "audits": select(_audit)
    .where(_audit.c.number < bindparam("before"))
    .order_by(_audit.c.number.desc())
    .limit(bindparam("count"))
    .offset(_NONE),
    "reply": select(_idempotency).where(_same),
    "add_reply": insert(_idempotency),
    "set_reply": update(_idempotency)
    .where(_same)
    .values(
        status=bindparam("new_status"), headers=bindparam("new_headers"), body=bindparam("new_body")
    ),
    "forget_replies": delete(_idempotency).where(_idempotency.c.at < bindparam("before")),
    "add_job": insert(_job),
    "job": select(_job).where(_job.c.id == bindparam("id")),
    "jobs": select(_job)
    .order_by(_job.c.created.desc(), _job.c.id)
    .limit(bindparam("count"))
    .offset(_NONE),
    "fail_jobs": update(_job)
    .where(_lost, _job.c.attempts >= bindparam("most"))
    .values(state=bindparam("failed"), error=bindparam("why")),
    "lease_job": update(_job)
    .where(_job.c.id == _next)
    .values(
        state=bindparam("running"),
        worker=bindparam("by"),
        leased_until=bindparam("until"),
        attempts=_job.c.attempts + _ONE,
    )
    .returning(*_job.c),
    "progress_job": update(_job)
    .where(_held)
    .values(done=bindparam("now_done"), total=bindparam("of"), leased_until=bindparam("until"))
    .returning(_job.c.id),
    "finish_job": update(_job)
    .where(_held)
    .values(state=bindparam("end"), result=bindparam("told"), error=bindparam("why"))
    .returning(_job.c.id),
    "cancel_job": update(_job)
    .where(_job.c.id == bindparam("which"), _job.c.state.in_(_open))
    .values(state=bindparam("end"))
    .returning(_job.c.id),
}
# rows that come with their number
NUMBERED = frozenset({"add_changes"})
# other databases count on when a transaction is rolled back; the log has no gaps
ELSEWHERE: Mapping[str, Any] = {
    **STATEMENTS,
    "add_change": insert(_change)
    .values(
        revision=select(func.coalesce(func.max(_change.c.revision), _NONE) + _ONE).scalar_subquery()
    )
    .returning(_change.c.revision),
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
            numbered = name in NUMBERED
            columns = [
                c.name for c in statement.table.columns if numbered or c.autoincrement is not True
            ]
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

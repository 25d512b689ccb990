"""Facts by machine and revision, on SQLAlchemy Core; SQLite with WAL by default.

A write is one transaction that takes its revision from the log inside the write lock, so that the
order of revisions is the order of commits. A method that returns has committed; one that raises has
changed nothing.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import platformdirs
from sqlalchemy import Connection, Engine, create_engine, delete, event, insert, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from skb.errors import (
    AddressError,
    NameTakenError,
    NotFoundError,
    RevisionError,
    StoreError,
)
from skb.machine import Machine
from skb.relations import Fact, check_set
from skb.store import tables
from skb.store.changes import check_name, check_parts, find, merge

_FACTS = msgspec.json.Decoder(tuple[Fact, ...])
SNAPSHOTS_KEPT = 64


@dataclass(frozen=True, slots=True)
class StoredMachine:
    """A machine's row: its name, title and current revision."""

    name: str
    title: str
    revision: int


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the log: `kind` is load, write or delete."""

    revision: int
    machine: str
    kind: str
    asserted: tuple[Fact, ...]
    retracted: tuple[Fact, ...]
    at: str


def default_url() -> str:
    """Return the database's address: `SKB_DB`, else a file in the user's data folder."""
    if given := os.environ.get("SKB_DB"):
        return given
    return f"sqlite:///{Path(platformdirs.user_data_dir('skb')) / 'knowledge.sqlite3'}"


def is_default(url: str | None) -> bool:
    """Tell whether nobody named a database, so that it lies in the user's data folder."""
    return url is None and not os.environ.get("SKB_DB")


class Store:
    """A database of machines; safe to use from several threads and processes."""

    def __init__(self, url: str | None = None) -> None:
        self.url = url or default_url()
        # SQLite's own waiting is unfair between threads: they queue here first
        self._writing = threading.Lock()
        self._kept: OrderedDict[tuple[str, int], Machine] = OrderedDict()
        if "://" not in self.url:
            # a plain path is a file
            self.url = f"sqlite:///{self.url}"
        try:
            parsed = make_url(self.url)
            if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, ":memory:"):
                Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
            self._engine = create_engine(parsed)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, OSError) as fault:
            raise AddressError(
                f"cannot open {self.url}: {fault}", mend="give --db sqlite:////path/to/file"
            ) from fault
        if parsed.get_backend_name() == "sqlite":
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        self._reader = self._engine.execution_options(skb_reading=True)
        with self._changing() as connection:
            tables.metadata.create_all(connection)

    def close(self) -> None:
        self._engine.dispose()

    def _reading(self) -> AbstractContextManager[Connection]:
        return self._transaction(self._reader)

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        with self._writing, self._transaction() as connection:
            yield connection

    @contextmanager
    def _transaction(self, engine: Engine | None = None) -> Iterator[Connection]:
        try:
            with (engine or self._engine).begin() as connection:
                yield connection
        except DBAPIError as fault:
            raise StoreError(
                f"the database refused: {fault.orig}",
                place=self.url,
                mend="nothing was changed; check the file, its rights and the free space",
            ) from fault

    # ------------------------------------------------------------ machines
    def machines(self) -> tuple[StoredMachine, ...]:
        query = select(tables.machine).order_by(tables.machine.c.name)
        with self._reading() as connection:
            return tuple(StoredMachine(*row) for row in connection.execute(query))

    def load(
        self,
        name: str,
        title: str,
        facts: Iterable[Fact],
        *,
        notes: tuple[str, ...] = (),
        replace: bool = False,
    ) -> Machine:
        """Store a machine's facts as its first or, with `replace`, its next revision.

        Raises `NameTakenError` where the name is used for other facts; equal facts change nothing.
        """
        check_name(name)
        fresh = Machine(name, facts, title=title, notes=notes)
        with self._changing() as connection:
            known = self._row(connection, name)
            if known is not None:
                old = self._machine(connection, known, known.revision, keep=False)
                if old.facts == fresh.facts and old.title == title:
                    return old
                if not replace and old.facts != fresh.facts:
                    raise NameTakenError(
                        f"the name {name!r} is used by a machine with other facts",
                        mend="give --name NAME, or --replace to store this as its next revision",
                    )
            digest = self._keep_shape(connection, fresh)
            revision = self._log(connection, name, "load", title=title, shape=digest)
            self._set(connection, name, title, revision, known is None)
            self._keep_notes(connection, revision, notes)
        return Machine(name, fresh.facts, title=title, revision=revision, notes=notes, checked=True)

    def machine(self, name: str, as_of: int | None = None) -> Machine:
        """Return a machine now or as of a revision; raises `NotFoundError`."""
        with self._reading() as connection:
            row = self._row(connection, name)
            if as_of is None and row is None:
                raise NotFoundError(f"no machine {name!r} is stored", mend="see `skb machines`")
            known = row or StoredMachine(name, "", 0)
            return self._machine(connection, known, known.revision if as_of is None else as_of)

    def delete(self, name: str) -> int:
        """Forget a machine; its log stays, so that `as_of` still reads it."""
        with self._changing() as connection:
            if self._row(connection, name) is None:
                raise NotFoundError(f"no machine {name!r} is stored", mend="see `skb machines`")
            connection.execute(delete(tables.machine).where(tables.machine.c.name == name))
            return self._log(connection, name, "delete")

    def write(
        self,
        name: str,
        asserted: Iterable[Fact] = (),
        retracted: Iterable[Fact] = (),
        if_revision: int | None = None,
        *,
        base: Machine | None = None,
    ) -> Machine:
        """Assert and retract facts as one transaction; return the machine at its new revision.

        A machine that is not stored begins as `base`, at revision 0, in the same transaction.
        Raises `RevisionError` where the machine has changed since `if_revision`, `FactError` for a
        fact that is known already or not there to be retracted, `ContradictionError` where facts
        clash.
        """
        added, gone = check_set(asserted, name), tuple(retracted)
        with self._changing() as connection:
            row = self._row(connection, name)
            if row is None and base is None:
                raise NotFoundError(f"no machine {name!r} is stored", mend="import it first")
            current = 0 if row is None else row.revision
            if if_revision is not None and if_revision != current:
                raise RevisionError(
                    f"{name} is at revision {current}, not {if_revision}",
                    mend="read it again and repeat the change",
                )
            if row is None and base is not None:
                row = self._begin(connection, name, base)
            assert row is not None
            old = self._machine(connection, row, row.revision, keep=False)
            taken = find(old.facts, gone)
            fresh = Machine(
                name, merge(old.facts, taken, added), title=row.title, revision=row.revision
            )
            check_parts(fresh, added)
            if not added and not taken:
                return old
            revision = self._log(connection, name, "write", asserted=added, retracted=taken)
            self._set(connection, name, row.title, revision, False)
        written = Machine(
            name, fresh.facts, title=row.title, revision=revision, notes=old.notes, checked=True
        )
        self._keep_snapshot(written)
        return written

    def _begin(self, connection: Connection, name: str, base: Machine) -> StoredMachine:
        """Store a machine's first revision inside a transaction."""
        digest = self._keep_shape(connection, base)
        revision = self._log(connection, name, "load", title=base.title, shape=digest)
        self._set(connection, name, base.title, revision, True)
        self._keep_notes(connection, revision, base.notes)
        return StoredMachine(name, base.title, revision)

    def history(self, name: str, since: int = 0) -> tuple[Change, ...]:
        """Return the changes of a machine after a revision, oldest first."""
        log = tables.change
        query = (
            select(log.c.revision, log.c.machine, log.c.kind, log.c.asserted, log.c.retracted)
            .add_columns(log.c.at)
            .where(log.c.machine == name, log.c.revision > since)
            .order_by(log.c.revision)
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return tuple(
            Change(r.revision, r.machine, r.kind, _FACTS.decode(r.asserted),
                   _FACTS.decode(r.retracted), r.at)
            for r in rows
        )  # fmt: skip

    # ------------------------------------------------------------ decisions
    def keep(self, body: Mapping[str, Any]) -> None:
        """Store a decision; the same decision again changes nothing."""
        row = {key: body[key] for key in ("id", "machine", "revision", "question")}
        with self._changing() as connection:
            known = select(tables.decision.c.id).where(tables.decision.c.id == body["id"])
            if connection.execute(known).first() is None:
                row["body"] = msgspec.json.encode(body)
                connection.execute(insert(tables.decision).values(row))

    def decision(self, wanted: str) -> dict[str, Any]:
        """Return a decision by its id or a unique beginning of it; raises `NotFoundError`."""
        column = tables.decision.c.id
        query = select(tables.decision.c.body).where(column.startswith(wanted, autoescape=True))
        with self._reading() as connection:
            rows = connection.execute(query.limit(2)).all()
        if len(rows) != 1 or not wanted:
            many = "several decisions begin with" if len(rows) > 1 else "there is no decision"
            raise NotFoundError(f"{many} {wanted!r}", mend="`skb decisions` lists them")
        found: dict[str, Any] = msgspec.json.decode(rows[0].body)
        return found

    def decisions(self, machine: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
        """Return the newest decisions, newest first."""
        query = select(tables.decision.c.body).order_by(tables.decision.c.number.desc())
        if machine is not None:
            query = query.where(tables.decision.c.machine == machine)
        with self._reading() as connection:
            rows = connection.execute(query.limit(limit)).all()
        return [msgspec.json.decode(row.body) for row in rows]

    # ------------------------------------------------------------ rows
    def _row(self, connection: Connection, name: str) -> StoredMachine | None:
        query = select(tables.machine).where(tables.machine.c.name == name)
        row = connection.execute(query).first()
        return None if row is None else StoredMachine(*row)

    def _machine(
        self, connection: Connection, row: StoredMachine, as_of: int, *, keep: bool = True
    ) -> Machine:
        """Return a snapshot, one of the last few without reading the log again.

        A transaction that writes keeps none: it may be rolled back, and its revision used again.
        """
        known = self._kept.get((row.name, as_of))
        if known is None:
            known = self._replay(connection, row, as_of)
            if keep:
                self._keep_snapshot(known)
        return known

    def _keep_snapshot(self, machine: Machine) -> None:
        """Remember a snapshot by its revision; revisions are never reused, so it stays true."""
        self._kept[machine.name, machine.revision] = machine
        while len(self._kept) > SNAPSHOTS_KEPT:
            self._kept.popitem(last=False)

    def _replay(self, connection: Connection, row: StoredMachine, as_of: int) -> Machine:
        log = tables.change
        mine = select(log).where(log.c.machine == row.name, log.c.revision <= as_of)
        last = connection.execute(
            mine.where(log.c.kind != "write").order_by(log.c.revision.desc()).limit(1)
        ).first()
        if last is None or last.kind == "delete":
            raise NotFoundError(f"there was no machine {row.name!r} at revision {as_of}")
        body = select(tables.shape.c.facts).where(tables.shape.c.digest == last.shape)
        facts = _FACTS.decode(connection.execute(body).scalar_one())
        writes = mine.where(log.c.kind == "write", log.c.revision > last.revision)
        revision = last.revision
        for entry in connection.execute(writes.order_by(log.c.revision)):
            gone = frozenset(_FACTS.decode(entry.retracted))
            facts = merge(facts, gone, _FACTS.decode(entry.asserted))
            revision = entry.revision
        notes = self._notes(connection, last.revision)
        return Machine(
            row.name, facts, title=last.title, revision=revision, notes=notes, checked=True
        )

    def _keep_notes(self, connection: Connection, revision: int, notes: tuple[str, ...]) -> None:
        if notes:
            values = {"revision": revision, "body": msgspec.json.encode(notes)}
            connection.execute(insert(tables.note).values(values))

    def _notes(self, connection: Connection, revision: int) -> tuple[str, ...]:
        query = select(tables.note.c.body).where(tables.note.c.revision == revision)
        body = connection.execute(query).scalar()
        return () if body is None else msgspec.json.decode(body, type=tuple[str, ...])

    def _keep_shape(self, connection: Connection, fresh: Machine) -> str:
        """Store the facts with their provenance under the digest of that document."""
        body = msgspec.json.encode(fresh.facts)
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        known = select(tables.shape.c.digest).where(tables.shape.c.digest == digest)
        if connection.execute(known).first() is None:
            connection.execute(insert(tables.shape).values(digest=digest, facts=body))
        return digest

    def _log(
        self,
        connection: Connection,
        name: str,
        kind: str,
        *,
        title: str = "",
        shape: str | None = None,
        asserted: Iterable[Fact] = (),
        retracted: Iterable[Fact] = (),
    ) -> int:
        values = {
            "machine": name,
            "kind": kind,
            "title": title,
            "shape": shape,
            "asserted": msgspec.json.encode(tuple(asserted)),
            "retracted": msgspec.json.encode(tuple(retracted)),
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        result = connection.execute(insert(tables.change).values(values))
        key = result.inserted_primary_key
        assert key is not None
        return int(key[0])

    def _set(
        self, connection: Connection, name: str, title: str, revision: int, fresh: bool
    ) -> None:
        values = {"name": name, "title": title[:400], "revision": revision}
        if fresh:
            connection.execute(insert(tables.machine).values(values))
        else:
            mine = update(tables.machine).where(tables.machine.c.name == name)
            connection.execute(mine.values(values))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once where we are going to write, so that no upgrade can deadlock."""
    reading = connection.get_execution_options().get("skb_reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

"""Facts by machine and revision; SQLite with WAL by default.

A write is one transaction that takes its revision from the log inside the write lock, so that the
order of revisions is the order of commits. A method that returns has committed; one that raises has
changed nothing.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from skb.errors import NameTakenError, NotFoundError, RevisionError
from skb.factset import FactSet
from skb.machine import Machine
from skb.relations import Fact, check_set
from skb.store.changes import check_name, check_parts, find, merge
from skb.store.core import now
from skb.store.database import Session
from skb.store.log import Log

SNAPSHOTS_KEPT = 64


@dataclass(frozen=True, slots=True)
class StoredMachine:
    """A machine's row: its name, title and current revision."""

    name: str
    title: str
    revision: int


def _digest(body: bytes) -> str:
    """Name a document by its content."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


class Machines(Log):
    """Machines by name, revision by revision."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._kept: OrderedDict[tuple[str, int], Machine] = OrderedDict()

    # ------------------------------------------------------------ machines
    def machines(self) -> tuple[StoredMachine, ...]:
        with self._database.reading() as session:
            return tuple(StoredMachine(*row) for row in session.rows("machines"))

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
        with self._committing() as session:
            known = self._row(session, name)
            if known is not None:
                old = self._machine(session, known, known.revision, keep=False)
                if old.facts == fresh.facts and old.title == title:
                    return old
                if not replace and old.facts != fresh.facts:
                    raise NameTakenError(
                        f"the name {name!r} is used by a machine with other facts",
                        mend="give another name, or store it as the next revision: --replace, "
                        "in REST replace=true",
                    )
            digest = self._keep_shape(session, fresh)
            revision = self._log(session, name, "load", title=title, shape=digest)
            self._set(session, name, title, revision, known is None, fresh.digest)
            self._keep_notes(session, revision, notes)
        return fresh.at(revision)

    def machine(self, name: str, as_of: int | None = None) -> Machine:
        """Return a machine now or as of a revision; raises `NotFoundError`."""
        with self._database.reading() as session:
            row = self._row(session, name)
            if as_of is None and row is None:
                raise NotFoundError(f"no machine {name!r} is stored", mend="see `skb machines`")
            known = row or StoredMachine(name, "", 0)
            return self._machine(session, known, known.revision if as_of is None else as_of)

    def delete(self, name: str) -> int:
        """Forget a machine; its log stays, so that `as_of` still reads it."""
        with self._committing() as session:
            if self._row(session, name) is None:
                raise NotFoundError(f"no machine {name!r} is stored", mend="see `skb machines`")
            session.rows("delete_machine", name=name)
            return self._log(session, name, "delete")

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
        with self._committing() as session:
            row = self._row(session, name)
            if row is None and base is None:
                raise NotFoundError(f"no machine {name!r} is stored", mend="import it first")
            current = 0 if row is None else row.revision
            if if_revision is not None and if_revision != current:
                raise RevisionError(
                    f"{name} is at revision {current}, not {if_revision}",
                    mend="read it again and repeat the change",
                )
            if row is None and base is not None:
                row = self._begin(session, name, base)
            assert row is not None
            old = self._machine(session, row, row.revision, keep=False)
            taken = find(old, gone)
            fresh = Machine(
                name,
                merge(old, taken, added),
                title=row.title,
                notes=old.notes,
                checked=True,
            )
            check_parts(fresh, added)
            if not added and not taken:
                return old
            revision = self._log(session, name, "write", asserted=added, retracted=taken)
            self._set(session, name, row.title, revision, False)
        written = fresh.at(revision)
        self._keep_snapshot(written)
        return written

    def _begin(self, session: Session, name: str, base: Machine) -> StoredMachine:
        """Store a machine's first revision inside a transaction."""
        digest = self._keep_shape(session, base)
        revision = self._log(session, name, "load", title=base.title, shape=digest)
        self._set(session, name, base.title, revision, True, base.digest)
        self._keep_notes(session, revision, base.notes)
        return StoredMachine(name, base.title, revision)

    # ------------------------------------------------------------ rows
    def _row(self, session: Session, name: str) -> StoredMachine | None:
        rows = session.rows("machine", name=name)
        return StoredMachine(*rows[0]) if rows else None

    def _machine(
        self, session: Session, row: StoredMachine, as_of: int, *, keep: bool = True
    ) -> Machine:
        """Return a snapshot, one of the last few without reading the log again.

        A transaction that writes keeps none: it may be rolled back, and its revision used again.
        """
        known = self._kept.get((row.name, as_of))
        if known is None:
            known = self._replay(session, row, as_of)
            if keep:
                self._keep_snapshot(known)
        return known

    def _keep_snapshot(self, machine: Machine) -> None:
        """Remember a snapshot by its revision; revisions are never reused, so it stays true."""
        self._kept[machine.name, machine.revision] = machine
        while len(self._kept) > SNAPSHOTS_KEPT:
            self._kept.popitem(last=False)

    def _replay(self, session: Session, row: StoredMachine, as_of: int) -> Machine:
        name = row.name
        loads = session.rows("last_load", machine=name, as_of=as_of, kind="write", count=1)
        if not loads or loads[0][1] == "delete":
            raise NotFoundError(
                f"there was no machine {name!r} at revision {as_of}",
                mend=f"`skb history {name}` lists its revisions",
            )
        revision, _kind, title, digest = loads[0]
        notes = self._notes(session, revision)
        body = next((body for (body,) in session.rows("shape", digest=digest)), None)
        if not isinstance(body, bytes) or _digest(body) != digest:
            raise self._damaged(f"the facts of {name!r} at revision {revision}")
        known = FactSet(self._facts(body))
        writes = session.rows("writes", machine=name, since=revision, as_of=as_of, kind="write")
        for at, asserted, retracted in writes:
            revision = at
            gone = frozenset(self._facts(retracted))
            known = FactSet(merge(known, gone, self._facts(asserted)))
        return Machine(name, known.facts, title=title, revision=revision, notes=notes, checked=True)

    def _keep_notes(self, session: Session, revision: int, notes: tuple[str, ...]) -> None:
        if notes:
            session.rows("add_note", revision=revision, body=msgspec.json.encode(notes))

    def _notes(self, session: Session, revision: int) -> tuple[str, ...]:
        rows = session.rows("note", revision=revision)
        return msgspec.json.decode(rows[0][0], type=tuple[str, ...]) if rows else ()

    def _keep_shape(self, session: Session, fresh: Machine) -> str:
        """Store the facts with their provenance under the digest of that document."""
        body = msgspec.json.encode(fresh.facts)
        digest = _digest(body)
        if not session.rows("has_shape", digest=digest):
            session.rows("add_shape", digest=digest, facts=body)
        return digest

    def _log(
        self,
        session: Session,
        name: str,
        kind: str,
        *,
        title: str = "",
        shape: str | None = None,
        asserted: Iterable[Fact] = (),
        retracted: Iterable[Fact] = (),
    ) -> int:
        [(revision,)] = session.rows(
            "add_change",
            machine=name,
            kind=kind,
            title=title[:400],
            shape=shape,
            asserted=msgspec.json.encode(tuple(asserted)),
            retracted=msgspec.json.encode(tuple(retracted)),
            at=now(),
        )
        session.announce(int(revision))
        return int(revision)

    def _set(
        self, session: Session, name: str, title: str, revision: int, fresh: bool, digest: str = ""
    ) -> None:
        """Point a machine's row at its revision; a write does not work out the digest."""
        row = {"title": title[:400], "revision": revision, "digest": digest or None}
        if fresh:
            session.rows("add_machine", name=name, owner=None, seen=None, **row)
        else:
            session.rows("set_machine", which=name, **{f"new_{key}": row[key] for key in row})

    def _digest_of(self, session: Session, row: StoredMachine) -> str:
        """Return the digest of a machine's facts; work it out and note it where it is not known."""
        [(known,)] = session.rows("digest", name=row.name)
        if known is None:
            known = self._machine(session, row, row.revision, keep=False).digest
            session.rows("set_digest", which=row.name, as_of=row.revision, new_digest=known)
        return str(known)

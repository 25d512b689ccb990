"""Machines of the same facts, which a fleet sends and stores once; for the service and agents."""

from __future__ import annotations

import msgspec

from skb.errors import NameTakenError, NotFoundError
from skb.store.changes import check_name
from skb.store.machines import Machines


class Shape(msgspec.Struct, frozen=True):
    """A class of machines: the digest of their facts, how many they are, one of them."""

    digest: str
    machines: int
    example: str


class Shapes(Machines):
    """Machines by the digest of their facts (`Machine.digest`)."""

    def known_shape(self, digest: str) -> bool:
        """Tell whether `load_shape` would find facts of this digest."""
        with self._database.reading() as session:
            return bool(session.rows("shape_of", digest=digest))

    def load_shape(self, name: str, digest: str, *, title: str = "", replace: bool = False) -> int:
        """Store a machine that has the facts of one that was loaded before; return its revision.

        Raises `NotFoundError` where no machine has them as they were loaded, and `NameTakenError`
        where the name is used for other facts; equal facts change nothing.
        """
        check_name(name)
        with self._committing() as session:
            found = session.rows("shape_of", digest=digest)
            if not found:
                raise NotFoundError(f"there is no shape {digest!r}", mend="send the facts")
            like, _revision, known_title, document = found[0]
            known = self._row(session, name)
            if known is not None:
                if like == name or self._digest_of(session, known) == digest:
                    return known.revision
                if not replace:
                    raise NameTakenError(
                        f"the name {name!r} is used by a machine with other facts",
                        mend="give another name, or replace it",
                    )
            title = title or known_title
            revision = self._log(session, name, "load", title=title, shape=document)
            self._set(session, name, title, revision, known is None, digest)
            return revision

    def shapes(self) -> tuple[Shape, ...]:
        """Return the classes of machines, the largest first."""
        with self._database.reading() as session:
            unknown = [name for (name,) in session.rows("undigested")]
        for name in unknown:
            # a write has forgotten the digest, or an older program never knew it
            with self._database.changing() as session:
                row = self._row(session, name)
                if row is not None:
                    self._digest_of(session, row)
        with self._database.reading() as session:
            return tuple(Shape(*row) for row in session.rows("shapes"))

    def seen(self, name: str, at: str, owner: str | None = None) -> None:
        """Note when a machine was heard of, and through which agent; raises `NotFoundError`."""
        with self._database.changing() as session:
            if not session.rows("seen", which=name, new_seen=at, sender=owner):
                raise NotFoundError(f"no machine {name!r} is stored", mend="see `skb machines`")

    def last_seen(self, name: str) -> tuple[str | None, str | None]:
        """Return when a machine was heard of, and its agent; None where it never was."""
        with self._database.reading() as session:
            rows = session.rows("last_seen", name=name)
        return (rows[0][0], rows[0][1]) if rows else (None, None)

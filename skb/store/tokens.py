"""Who may come in, and who did what: tokens and the audit log, for the service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from skb.errors import NameTakenError, NotFoundError
from skb.store.core import Core, now

_END = 2**62


class Token(msgspec.Struct, frozen=True):
    """A token without its secret: `hash` is of the secret and the pepper.

    `scopes` are words with blanks between them, `machines` a pattern of names; times are ISO 8601,
    None where a token does not expire, is not revoked, was never used.
    """

    id: str
    name: str
    hash: bytes
    pepper: str
    scopes: str
    machines: str
    created: str
    expires: str | None = None
    revoked: str | None = None
    used: str | None = None


class Audit(msgspec.Struct, frozen=True):
    """A line of the audit log."""

    number: int
    at: str
    who: str
    action: str
    machine: str
    revision: int | None
    detail: Any


class Tokens(Core):
    """Tokens and the audit log."""

    def tokens(self) -> tuple[Token, ...]:
        with self._database.reading() as session:
            return tuple(Token(*row) for row in session.rows("tokens"))

    def add_token(self, row: Token) -> None:
        """Store a new token; raises `NameTakenError` where there is one of that id."""
        with self._database.changing() as session:
            if session.rows("token", id=row.id):
                raise NameTakenError(f"there is a token {row.id!r}", mend="give another id")
            session.rows("add_token", **msgspec.structs.asdict(row))

    def token(self, wanted: str) -> Token:
        """Return a token, also one that has expired or is revoked; raises `NotFoundError`."""
        with self._database.reading() as session:
            rows = session.rows("token", id=wanted)
        if not rows:
            raise NotFoundError(f"there is no token {wanted!r}")
        return Token(*rows[0])

    def revoke_token(self, wanted: str) -> None:
        """Revoke at once and for ever; raises `NotFoundError`."""
        with self._database.changing() as session:
            if not session.rows("revoke_token", which=wanted, at=now()):
                raise NotFoundError(f"there is no token {wanted!r}")

    def touch_token(self, wanted: str, at: str) -> None:
        """Note when a token was used last."""
        with self._database.changing() as session:
            session.rows("touch_token", which=wanted, at=at)

    def audit(
        self,
        who: str,
        action: str,
        machine: str = "",
        revision: int | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a line to the audit log."""
        with self._database.changing() as session:
            session.rows(
                "add_audit",
                at=now(),
                who=who[:200],
                action=action[:80],
                machine=machine[:200],
                revision=revision,
                detail=msgspec.json.encode(detail or {}),
            )

    def audits(self, limit: int = 50, before: int | None = None) -> tuple[Audit, ...]:
        """Return the newest lines of the audit log, newest first; `before` a number, a page on."""
        last = _END if before is None else before
        with self._database.reading() as session:
            rows = session.rows("audits", before=last, count=limit)
        return tuple(Audit(*(*row[:6], msgspec.json.decode(row[6]))) for row in rows)

"""What was answered to requests that may be sent twice (`Idempotency-Key`), for the service."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from skb.store.core import Core, now


class Reply(msgspec.Struct, frozen=True):
    """What is known of a request; `status` is None while it is being worked on."""

    fingerprint: str
    status: int | None
    headers: dict[str, str]
    body: bytes


class Replies(Core):
    """Replies by who asked and the key of the request."""

    def remember(self, who: str, key: str, fingerprint: str) -> Reply | None:
        """Note a request; return what is known of an earlier one of that key, else None.

        Whoever gets None does the work; of several at once only one does.
        """
        with self._database.changing() as session:
            for _who, _key, known, status, headers, body, _at in session.rows(
                "reply", by=who, under=key
            ):
                told = msgspec.json.decode(headers or b"{}", type=dict[str, str])
                return Reply(known, status, told, bytes(body or b""))
            row = dict.fromkeys(("status", "headers", "body"))
            session.rows("add_reply", who=who, key=key, fingerprint=fingerprint, at=now(), **row)
        return None

    def replied(
        self, who: str, key: str, status: int, headers: Mapping[str, str], body: bytes
    ) -> None:
        """Keep the answer to a request that `remember` has noted."""
        with self._database.changing() as session:
            session.rows(
                "set_reply",
                by=who,
                under=key,
                new_status=status,
                new_headers=msgspec.json.encode(dict(headers)),
                new_body=body,
            )

    def forget_replies(self, before: str) -> None:
        """Forget the requests of before a time (ISO 8601, UTC)."""
        with self._database.changing() as session:
            session.rows("forget_replies", before=before)

"""Decisions: one for all machines of the same facts, with what it read and what made it stale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from skb.errors import NotFoundError
from skb.relations import Fact
from skb.store.core import Core

# a predicate, and the objects that its facts were looked up by, or all
Read = tuple[str, "str | Sequence[str]"]
ALL = "*"


class Answers(Core):
    """Decisions by id, by machine, and by the digest of the facts that they are about."""

    def keep(self, body: Mapping[str, Any], reads: Iterable[Read] = (), key: str = "") -> None:
        """Store a decision; the same decision again changes nothing.

        With `reads` it is marked by the commit that touches them; with `key`, which stands for the
        request and its limits, it answers for every machine of the same facts. Both are for the
        service.
        """
        row = {key: body[key] for key in ("id", "revision", "question")}
        digest = body.get("provenance", {}).get("facts")
        with self._database.changing() as session:
            if not session.rows("has_decision", id=body["id"]):
                session.rows(
                    "add_decision",
                    **row,
                    machine=body["machine"][:200],
                    body=msgspec.json.encode(body),
                    digest=digest,
                    stale_revision=None,
                    stale_fact=None,
                )
            # a decision that was kept without them may be asked again with them
            if not session.rows("has_reads", decision=body["id"]):
                session.many("add_reads", _read_rows(body["id"], reads))
            if not key or not digest:
                return
            asked = {"digest": digest, "question": body["question"], "key": key}
            if not session.rows("answer", **asked):
                session.rows("add_answer", **asked, decision=body["id"])

    def answered(self, digest: str, question: str, key: str) -> dict[str, Any] | None:
        """Return the decision for these facts, question and key, whichever machine asked it.

        For the service, which stamps the machine that asks now.
        """
        with self._database.reading() as session:
            rows = session.rows("answer", digest=digest, question=question, key=key)
        return msgspec.json.decode(rows[0][0]) if rows else None

    def mark_stale(
        self, revision: int, machine: str, facts: Iterable[Fact]
    ) -> list[tuple[str, str, Fact]]:
        """Mark the machine's decisions that have read one of these facts; tell id, question, fact.

        For the service's watch hub: what was marked before is not told again.
        """
        changed: dict[str, list[Fact]] = {}
        for fact in facts:
            changed.setdefault(fact.predicate, []).append(fact)
        touched: dict[str, tuple[str, str, Fact]] = {}
        with self._database.changing() as session:
            for wanted, question, predicate, objects in session.rows("readers", machine=machine):
                if wanted in touched or predicate not in changed:
                    continue
                read = msgspec.json.decode(objects)
                names = set(read)
                for fact in changed[predicate]:
                    if read == ALL or not names.isdisjoint(fact.args):
                        touched[wanted] = (wanted, question, fact)
                        break
            for wanted, _question, fact in touched.values():
                by = msgspec.json.encode(fact)
                session.rows("mark_stale", which=wanted, by_revision=revision, by_fact=by)
        return list(touched.values())

    def stale(self, wanted: str) -> tuple[int, Fact] | None:
        """Return the revision and the fact that made a decision stale; None while it holds.

        For the service's decision pages; `wanted` is a whole id.
        """
        with self._database.reading() as session:
            rows = session.rows("stale", id=wanted)
        return (rows[0][0], msgspec.json.decode(rows[0][1], type=Fact)) if rows else None

    def decision(self, wanted: str) -> dict[str, Any]:
        """Return a decision by its id or a unique beginning of it; raises `NotFoundError`."""
        with self._database.reading() as session:
            rows = session.rows("decisions_beginning", wanted=wanted, length=len(wanted), count=2)
        if len(rows) != 1 or not wanted:
            many = "several decisions begin with" if len(rows) > 1 else "there is no decision"
            raise NotFoundError(f"{many} {wanted!r}", mend="`skb decisions` lists them")
        found: dict[str, Any] = msgspec.json.decode(rows[0][0])
        return found

    def decisions(self, machine: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
        """Return the newest decisions, newest first."""
        with self._database.reading() as session:
            if machine is None:
                rows = session.rows("decisions", count=limit)
            else:
                rows = session.rows("decisions_of", machine=machine, count=limit)
        return [msgspec.json.decode(body) for (body,) in rows]


def _read_rows(wanted: str, reads: Iterable[Read]) -> list[dict[str, Any]]:
    return [
        {"decision": wanted, "predicate": predicate, "objects": msgspec.json.encode(objects)}
        for predicate, objects in reads
    ]

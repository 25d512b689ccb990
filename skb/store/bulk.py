"""Facts of many machines at once: one transaction, one change for each machine. For the service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from skb.errors import NotFoundError, SkbError
from skb.machine import Machine
from skb.relations import Fact, by_predicate, check_set
from skb.store.changes import check_parts, merge
from skb.store.core import now
from skb.store.database import Session
from skb.store.machines import Machines

ASSERTED, REPLACED, KNOWN = "asserted", "replaced", "known"


class _Batch(msgspec.Struct):
    """What a transaction is going to write."""

    results: list[str | SkbError]
    revision: int
    machines: dict[str, Machine] = {}
    changes: list[dict[str, Any]] = []


class Bulk(Machines):
    """Upserts: a fact takes the place of what the same source said about the same key."""

    def bulk(self, rows: Iterable[tuple[str, Fact]], atomic: bool = True) -> list[str | SkbError]:
        """Store facts, each with the name of its machine; return what became of each row.

        That is `asserted`, `replaced`, `known`, or the error for which it was left out; with
        `atomic` the first error is raised and nothing is changed.
        """
        given = tuple(rows)
        groups: dict[str, list[int]] = {}
        for place, (name, _fact) in enumerate(given):
            groups.setdefault(name, []).append(place)
        facts = [fact for _name, fact in given]
        with self._committing() as session:
            batch = _Batch([KNOWN] * len(given), int(session.rows("head")[0][0]))
            for name, places in groups.items():
                self._upsert(session, batch, name, facts, places, atomic)
            if batch.changes:
                session.many("add_changes", batch.changes)
                session.many(
                    "set_machine",
                    [
                        {
                            "which": machine.name,
                            "new_title": machine.title[:400],
                            "new_revision": machine.revision,
                            "new_digest": None,
                        }
                        for machine in batch.machines.values()
                    ],
                )
                session.announce(batch.revision)
        for machine in batch.machines.values():
            self._keep_snapshot(machine)
        return batch.results

    def _upsert(
        self,
        session: Session,
        batch: _Batch,
        name: str,
        facts: Sequence[Fact],
        places: Sequence[int],
        atomic: bool,
    ) -> None:
        """Write facts of a machine; where that fails, half of them, down to the bad one."""
        try:
            self._change_machine(session, batch, name, facts, places)
        except SkbError as fault:
            if atomic:
                raise
            if len(places) == 1 or self._row(session, name) is None:
                for place in places:
                    batch.results[place] = fault
                return
            half = len(places) // 2
            for part in (places[:half], places[half:]):
                self._upsert(session, batch, name, facts, part, atomic)

    def _change_machine(
        self,
        session: Session,
        batch: _Batch,
        name: str,
        facts: Sequence[Fact],
        places: Sequence[int],
    ) -> None:
        added = check_set([facts[place] for place in places], name)
        old = batch.machines.get(name)
        if old is None:
            row = self._row(session, name)
            if row is None:
                raise NotFoundError(f"no machine {name!r} is stored", mend="import it first")
            old = self._machine(session, row, row.revision, keep=False)
        slots = {
            (fact.key, fact.source, fact.by): fact
            for predicate in by_predicate(added)
            for fact in old.all(predicate)
        }
        gone, fresh, outcome = [], [], {}
        for place in places:
            fact = facts[place]
            other = slots.get((fact.key, fact.source, fact.by)) if slots else None
            if other is not None and other == fact:
                continue
            if other is not None:
                gone.append(other)
            outcome[place] = ASSERTED if other is None else REPLACED
            fresh.append(fact)
        if not fresh:
            return
        put = added if len(fresh) == len(places) else check_set(fresh)
        machine = Machine(
            name, merge(old, frozenset(gone), put), title=old.title, notes=old.notes, checked=True
        )
        check_parts(machine, put)
        batch.revision += 1
        batch.machines[name] = machine.at(batch.revision)
        batch.changes.append(
            {
                "revision": batch.revision,
                "machine": name,
                "kind": "write",
                "title": "",
                "shape": None,
                "asserted": msgspec.json.encode(put),
                "retracted": msgspec.json.encode(gone),
                "at": now(),
            }
        )
        for place, word in outcome.items():
            batch.results[place] = word

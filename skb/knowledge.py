"""The facade: what the command line and the service build on.

`decide` and `simulate` are pure functions of a snapshot, so that a worker process can run them;
`KnowledgeBase` adds the store, the bundled machines and descriptions on disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skb.applying import apply
from skb.errors import NameTakenError, NotFoundError, RequestError
from skb.machine import Machine
from skb.powering import filled, hits
from skb.relations import Fact
from skb.repairing import repair
from skb.resources import bundled_machines

if TYPE_CHECKING:
    from skb.decision import Decision, Limits
    from skb.sources.description import Description
    from skb.store import Change, Store, StoredMachine


def decide(
    question: str, machine: Machine, raw: Mapping[str, Any], limits: Limits | None = None
) -> Decision:
    """Answer a question about a snapshot; the answer has passed its checker.

    Raises `RequestError` for a bad request, `LimitError` where nothing was found in time,
    `CheckError` where our own answer is wrong (it never leaves this function).
    """
    from skb.decision import Limits
    from skb.questions import question as find

    asked = find(question)
    if asked.needs_pus and not machine.pus:
        raise RequestError(
            f"{machine.name} describes no PU, only parts of a machine",
            place=question,
            mend="merge it with a description that has the PUs",
        )
    spent = limits or Limits()
    begin = time.perf_counter()
    decision = asked.decide(machine, raw, spent)
    # a question may have written out what its request says in short
    decision = replace(decision, request=decision.request or dict(raw)).stamped(
        facts=machine.digest,
        seed=spent.seed,
        limit_s=spent.seconds,
        seconds=round(time.perf_counter() - begin, 4),
    )
    asked.approve(machine, decision)
    return decision


def explain_alternative(
    machine: Machine,
    decision: Mapping[str, Any],
    clause: Mapping[str, str],
    limits: Limits | None = None,
) -> dict[str, Any]:
    """Return what forcing an alternative costs, or which constraints forbid it.

    `clause` is what a user types behind `--not`: `{"task": "rx", "pu": "5"}`; the limits are those
    of the decision where none are given. See `skb.questions.whynot.alternative` for what is told.
    """
    from skb.questions import question as find
    from skb.questions.whynot import alternative

    asked = find(decision["question"])
    if asked.force is None:
        raise RequestError(f"{asked.name} has no alternatives to force")
    return alternative(asked, machine, decision, clause, limits or limits_of(decision), decide)


def limits_of(decision: Mapping[str, Any]) -> Limits:
    """Return the limits under which a decision was made."""
    from skb.decision import Limits

    provenance = decision["provenance"]
    conflicts = provenance.get("conflicts", Limits().conflicts)
    return Limits(provenance["limit_s"], provenance["seed"], conflicts)


def explain_more(
    machine: Machine,
    decision: Mapping[str, Any],
    topics: Mapping[str, int],
    limits: Limits | None = None,
) -> dict[str, Any]:
    """Return further explanations of a decision by topic: `reasons` (so many minimal clashes),
    `mends` (what to lift), `sensitivity` (which change of a fact flips the choice).

    Raises `RequestError` where the question has no such explanation, or the decision gives no
    rise to it.
    """
    from skb.questions import explanations

    known = explanations(decision["question"])
    spent = limits or limits_of(decision)
    deadline = time.monotonic() + spent.seconds
    told = {}
    for place, (topic, count) in enumerate(topics.items()):
        if topic not in known:
            mend = f"it has: {', '.join(known)}" if known else "only placement has it"
            raise RequestError(f"{decision['question']} has no {topic}", mend=mend)
        left = max(0.0, deadline - time.monotonic()) / (len(topics) - place)
        told[topic] = known[topic](machine, decision, count, replace(spent, seconds=left))
    return told


def simulate(
    machine: Machine,
    options: Mapping[str, Any],
    decision: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Simulate a protocol over a route of a snapshot; see `skb.simulation.simulate`."""
    from skb import simulation

    return simulation.simulate(machine, options, decide, decision=decision, progress=progress)


_PRICED = ("objective", "bound", "gap")
NAMES_SHOWN = 12  # of the known machines, in the message about one that is not there


@cache
def _bundled(name: str) -> Machine:
    from skb.sources import read_path

    return machine_of(read_path(bundled_machines()[name]), name)


def machine_of(description: Description, name: str = "") -> Machine:
    """Build a snapshot at revision 0 from a description."""
    description.check_whole()
    return Machine(
        name or description.name or "machine",
        description.facts,
        title=description.title,
        notes=description.notes,
    )


class KnowledgeBase:
    """Machines by name, bundled machine, or path; questions, decisions and their history.

    The database is opened on first use: reading a bundled machine or a file touches none.
    """

    def __init__(self, url: str | None = None) -> None:
        self.url = url

    @classmethod
    def open(cls, url: str | None = None) -> KnowledgeBase:
        """Open by database URL; None takes `SKB_DB` or the user's data folder."""
        return cls(url)

    @cached_property
    def store(self) -> Store:
        """The database, opened on first use; raises `AddressError` or `StoreError`."""
        from skb.store import Store

        return Store(self.url)

    @cached_property
    def without_store(self) -> str:
        """Why there is no database to read, or an empty string.

        Only the default place may be missing, as in a home that cannot be written: then nothing
        can have been stored there, and bundled machines and files are still answered.
        """
        from skb.errors import AddressError, StoreError
        from skb.store import is_default

        try:
            self.store.machines()
        except (AddressError, StoreError) as fault:
            if not is_default(self.url):
                raise
            return str(fault)
        return ""

    def _stored(self) -> tuple[StoredMachine, ...]:
        return () if self.without_store else self.store.machines()

    def close(self) -> None:
        if "store" in self.__dict__:
            self.store.close()

    # ------------------------------------------------------------ machines
    def machines(self) -> list[dict[str, Any]]:
        """Return the stored and the bundled machines: name, title, revision, origin, counts."""
        rows = [(self.store.machine(row.name), "stored") for row in self._stored()]
        taken = {machine.name for machine, _origin in rows}
        rows += [(_bundled(n), "bundled") for n in bundled_machines() if n not in taken]
        return [
            {
                "name": machine.name,
                "title": machine.title,
                "revision": machine.revision,
                "origin": origin,
                "digest": machine.digest,
                "counts": machine.counts,
            }
            for machine, origin in rows
        ]

    def machine(self, ref: str, as_of: int | None = None, paths: bool = True) -> Machine:
        """Return a machine by stored name, bundled name or, with `paths`, path."""
        if paths and self.is_path(ref):
            return self._from_path(Path(ref))
        if as_of is not None and not 0 <= as_of < 2**62:
            raise RequestError(f"there is no revision {as_of}", mend="revisions begin at 1")
        if not self.without_store:
            try:
                return self.store.machine(ref, as_of)
            except NotFoundError:
                if as_of:
                    raise
        if ref in bundled_machines():
            return _bundled(ref)
        from difflib import get_close_matches

        known = sorted({row.name for row in self._stored()} | set(bundled_machines()))
        near = get_close_matches(ref, known, n=1)
        what = "machine or file" if paths else "machine"
        mend = f"did you mean {near[0]}?" if near else f"known are: {', '.join(known)}"
        if not near and len(known) > NAMES_SHOWN:
            mend = f"`skb machines` lists the {len(known)} that are known"
        if not paths and self.is_path(ref):
            mend = "it is a file; `skb import` stores the machine that it describes"
        raise NotFoundError(f"there is no {what} {ref!r}", mend=mend)

    def is_path(self, ref: str) -> bool:
        """Tell whether a reference means a file or folder: names of machines come first.

        A path with a suffix or a slash cannot be a bundled machine, so that no database is opened.
        """
        try:
            if not Path(ref).exists():
                return False
        except (OSError, ValueError):
            return False
        if Path(ref).suffix or "/" in ref:
            return True
        taken = {row.name for row in self._stored()} | set(bundled_machines())
        return ref not in taken

    def _from_path(self, path: Path) -> Machine:
        from skb.sources import read_path

        description = read_path(path)
        return machine_of(description, description.name or path.name.partition(".")[0])

    def load(self, name: str, description: Description, *, replace: bool = False) -> Machine:
        """Store a description under a name; return the machine at its revision."""
        description.check_whole()
        if name in bundled_machines() and description.facts != _bundled(name).facts:
            raise NameTakenError(
                f"{name!r} is the name of a bundled machine", mend="give --name NAME"
            )
        return self.store.load(
            name,
            description.title,
            description.facts,
            notes=description.notes,
            replace=replace,
        )

    def merge(
        self, name: str, descriptions: Sequence[Description], places: Sequence[str]
    ) -> Machine:
        """Add what further descriptions say to a stored or bundled machine, as its next revision.

        Raises `DescriptionError` where one of them is of another machine; nothing is changed then.
        """
        from skb.merging import merge_into

        merged = merge_into(self.machine(name, paths=False), descriptions, places)
        return self.store.load(name, merged.title, merged.facts, notes=merged.notes, replace=True)

    def rediscover(self, name: str, description: Description) -> Machine:
        """Store what was discovered anew; what people said and probes measured stays."""
        from skb.merging import refresh

        try:
            known = self.store.machine(name)
        except NotFoundError:
            return self.load(name, description)
        return self.load(name, refresh(known, description), replace=True)

    def revision(self, ref: str, paths: bool = True) -> Machine:
        """Return a machine by name, bundled name or path, or one of its revisions: `M@7`."""
        name, at, number = ref.rpartition("@")
        known = {row.name for row in self._stored()} if at else set()
        if not at or not number.isascii() or not number.isdigit() or ref in known:
            return self.machine(ref, paths=paths)
        if paths and self.is_path(ref):
            return self.machine(ref)
        return self.machine(name, int(number[:19]), paths=False)

    def delete(self, name: str) -> int:
        """Forget a stored machine; return the revision of the change."""
        return self.store.delete(name)

    def write(
        self,
        name: str,
        assert_facts: Iterable[Fact] = (),
        retract_facts: Iterable[Fact] = (),
        if_revision: int | None = None,
    ) -> Machine:
        """Assert and retract facts in one transaction; a bundled machine is stored first."""
        base = _bundled(name) if name in bundled_machines() else None
        return self.store.write(name, assert_facts, retract_facts, if_revision, base=base)

    def history(self, name: str, since: int = 0) -> tuple[Change, ...]:
        return self.store.history(name, since)

    def revisions(self, name: str) -> list[dict[str, Any]]:
        """Return the log of a machine: revision, when, kind, number of facts, and what changed."""
        if self.without_store:
            return []
        rows: list[dict[str, Any]] = []
        facts = 0
        for change in self.history(name):
            if change.kind == "load":
                facts = len(self.store.machine(name, change.revision).facts)
            else:
                deleted = change.kind == "delete"
                facts = 0 if deleted else facts + len(change.asserted) - len(change.retracted)
            rows.append(
                {
                    "revision": change.revision,
                    "when": change.at,
                    "kind": change.kind,
                    "facts": facts,
                    "asserted": change.asserted,
                    "retracted": change.retracted,
                }
            )
        return rows

    # ------------------------------------------------------------ decisions
    def ask(
        self,
        question: str,
        machine: Machine,
        raw: Mapping[str, Any],
        limits: Limits | None = None,
        *,
        ref: str = "",
        store: bool = True,
    ) -> Decision:
        """Answer a question and keep the decision; `ref` is how the machine was named."""
        decision = decide(question, machine, filled(self, question, machine.name, raw), limits)
        if ref:
            decision = decision.stamped(machine_ref=ref)
        if store:
            self.keep(decision)
        return decision

    def keep(self, decision: Decision) -> None:
        self.store.keep(decision.to_json())

    def decision(self, wanted: str) -> dict[str, Any]:
        """Return a decision by its id or a unique beginning of it."""
        return self.store.decision(wanted)

    def decisions(self, machine: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
        return self.store.decisions(machine, limit)

    def machine_of_decision(self, decision: Mapping[str, Any], paths: bool = True) -> Machine:
        """Return the snapshot that a decision read; raises `NotFoundError` where it has changed."""
        ref = decision["provenance"].get("machine_ref") or decision["machine"]
        # revision 0 is what is bundled, also where the machine is stored by now
        unstored = 0 if ref in bundled_machines() else None
        machine = self.machine(ref, decision["revision"] or unstored, paths=paths)
        if machine.digest != decision["provenance"]["facts"]:
            raise NotFoundError(
                f"{ref} no longer has the facts that decision {decision['id']} read",
                mend="ask again",
            )
        return machine

    repair = repair
    hits = hits
    apply = apply

    def why(
        self,
        wanted: str,
        clause: Mapping[str, str] | None = None,
        paths: bool = True,
        topics: Mapping[str, int] | None = None,
        limits: Limits | None = None,
    ) -> dict[str, Any]:
        """Return the reasons, price and assumptions of a decision, or of a forced alternative;
        with `topics` further explanations (`explain_more`).
        """
        decision = self.decision(wanted)
        keys = ("id", "question", "machine", "revision", "status", *_PRICED)
        told = {key: decision[key] for key in keys}
        if clause:
            machine = self.machine_of_decision(decision, paths)
            return {**told, "not": explain_alternative(machine, decision, clause, limits)}
        if topics:
            machine = self.machine_of_decision(decision, paths)
            return {**told, **explain_more(machine, decision, topics, limits)}
        rest = ("costs", "reasons", "alternatives", "assumed", "warnings", "provenance")
        return {**told, **{key: decision[key] for key in rest}}

"""What a change may be: names, parts that are there, and no clash with what is known."""

from __future__ import annotations

from collections.abc import Iterable

from skb.errors import ContradictionError, FactError, NotFoundError, SkbError
from skb.machine import Machine
from skb.relations import Fact, Value, check_set, relations

NAME_LIMIT = 200


def check_name(name: str) -> None:
    if not name or len(name) > NAME_LIMIT or name.strip() != name or not name.isprintable():
        raise SkbError(
            f"{name[:40]!r} is no name for a machine",
            mend=f"1 to {NAME_LIMIT} printable characters, no blanks around them",
        )
    if name.endswith(".svg"):
        raise SkbError(f"{name[:40]!r} is the address of a drawing", mend="leave the .svg out")
    if "/" in name or "\\" in name or name in {".", ".."}:
        raise SkbError(f"{name[:40]!r} looks like a path", mend="leave the slashes out")


def check_parts(machine: Machine, added: Iterable[Fact]) -> None:
    """Raise `NotFoundError` where a new fact is about a part that the machine does not have."""
    for fact in added:
        kinds = (argument.type for argument in relations()[fact.predicate].args)
        for kind, value in zip(kinds, fact.args, strict=True):
            if kind == "object":
                try:
                    machine.require(str(value))
                except NotFoundError as fault:
                    raise NotFoundError(f"{fact.text}: {fault.message}", mend=fault.mend) from fault


def find(facts: Iterable[Fact], wanted: Iterable[Fact]) -> frozenset[Fact]:
    """Return the stored facts that a retraction names; a source limits it to that source's fact."""
    index: dict[tuple[str, tuple[Value, ...]], list[Fact]] = {}
    for fact in facts:
        index.setdefault((fact.predicate, fact.args), []).append(fact)
    found: set[Fact] = set()
    for want in wanted:
        matching = [
            fact
            for fact in index.get((want.predicate, want.args), ())
            if want.source in ("", fact.source)
        ]
        if not matching:
            raise FactError(
                f"{want.text} is not there to be retracted", mend="`skb facts M` lists the facts"
            )
        found.update(matching)
    return frozenset(found)


def merge(facts: Iterable[Fact], gone: frozenset[Fact], added: Iterable[Fact]) -> tuple[Fact, ...]:
    kept = [fact for fact in facts if fact not in gone]
    slots = {(fact.key, fact.source, fact.by): fact for fact in kept}
    for fact in added:
        other = slots.get((fact.key, fact.source, fact.by))
        if other is not None and other.args == fact.args:
            raise FactError(
                f"{fact.text} is known already ({fact.source})", mend="nothing was changed"
            )
        if other is not None:
            raise ContradictionError(
                f"{fact.text} contradicts {other.text}, both {fact.source}",
                mend="retract the old one in the same change (--replace)",
            )
    return check_set((*kept, *added))

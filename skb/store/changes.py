"""What a change may be: names, parts that are there, and no clash with what is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from skb.errors import ContradictionError, FactError, NotFoundError, SkbError
from skb.factset import FactSet
from skb.machine import Machine
from skb.relations import Fact, Value, by_predicate, in_order, joined, relations, right_in_order

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
    for predicate, facts in by_predicate(added).items():
        arguments = enumerate(relations()[predicate].args)
        places = [place for place, argument in arguments if argument.type == "object"]
        for fact in facts:
            for place in places:
                name = str(fact.args[place])
                if not machine.has(name):
                    _refuse(machine, fact, name)


def _refuse(machine: Machine, fact: Fact, name: str) -> None:
    try:
        machine.require(name)
    except NotFoundError as fault:
        raise NotFoundError(f"{fact.text}: {fault.message}", mend=fault.mend) from fault


def find(known: FactSet, wanted: Iterable[Fact]) -> frozenset[Fact]:
    """Return the stored facts that a retraction names; a source limits it to that source's fact."""
    index: dict[str, dict[tuple[Value, ...], list[Fact]]] = {}
    found: set[Fact] = set()
    for want in wanted:
        if want.predicate not in index:
            rows = index[want.predicate] = {}
            for fact in known.all(want.predicate):
                rows.setdefault(fact.args, []).append(fact)
        matching = [
            fact
            for fact in index[want.predicate].get(want.args, ())
            if want.source in ("", fact.source)
        ]
        if not matching:
            raise FactError(
                f"{want.text} is not there to be retracted", mend="`skb facts M` lists the facts"
            )
        found.update(matching)
    return frozenset(found)


def merge(known: FactSet, gone: frozenset[Fact], added: Iterable[Fact]) -> tuple[Fact, ...]:
    """Return a canonical set without some facts and with others, which `check_set` has passed."""
    groups: dict[str, Sequence[Fact]] = dict(known.by_predicate)
    fresh = by_predicate(added)
    for predicate in {fact.predicate for fact in gone} | fresh.keys():
        rows = known.all(predicate)
        kept = [fact for fact in rows if fact not in gone] if gone else list(rows)
        asserted = fresh.get(predicate, [])
        both = [*kept, *asserted]
        ordered = right_in_order(predicate, both) if both else both
        if ordered is None:
            _check_clashes(kept, asserted)
            ordered = in_order(both)
        groups[predicate] = ordered
    return joined(groups)


def _check_clashes(kept: Sequence[Fact], asserted: Sequence[Fact]) -> None:
    """Raise where one source says about one key what it has said before, or something else."""
    slots = {(fact.key, fact.source, fact.by): fact for fact in kept} if asserted else {}
    for fact in asserted:
        other = slots.get((fact.key, fact.source, fact.by)) if slots else None
        if other is None:
            continue
        if other.args == fact.args:
            raise FactError(
                f"{fact.text} is known already ({fact.source})", mend="nothing was changed"
            )
        raise ContradictionError(
            f"{fact.text} contradicts {other.text}, both {fact.source}",
            mend="retract the old one in the same change (--replace)",
        )

"""What differs between two machines, or two revisions of one: parts, places, facts, provenance.

Parts are the same by identity (`skb.identity`), not by number: renumbered logical indexes are no
difference, a PU that moved to another core is one. Facts are compared as they hold after
precedence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from msgspec.structs import replace

from skb.containment import ROOT, kind_of
from skb.exports.facts_json import row_of
from skb.identity import matched
from skb.machine import Machine, object_order
from skb.relations import Fact, Value, relations


class Same(StrEnum):
    """How much alike two machines are; each word says less than the one before it."""

    FACTS = "facts"
    SHAPE = "shape"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Moved:
    """A part that both have in different places; names are those of the first."""

    id: str
    was: str
    now: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs. Facts are written in the names of the first machine, but those about parts
    that only the second has, which keep theirs.

    `renamed` gives the second's name of each part that both have under different names; `changed`
    pairs facts of one key with different values; `provenance` pairs facts that say the same by
    others; `counts` holds the kinds of parts whose numbers differ.
    """

    same: Same
    counts: Mapping[str, tuple[int, int]]
    parts_only_a: tuple[str, ...]
    parts_only_b: tuple[str, ...]
    renamed: Mapping[str, str]
    moved: tuple[Moved, ...]
    changed: tuple[tuple[Fact, Fact], ...]
    facts_only_a: tuple[Fact, ...]
    facts_only_b: tuple[Fact, ...]
    provenance: tuple[tuple[Fact, Fact], ...]

    @property
    def headline(self) -> str:
        """One sentence about the whole."""
        if self.same is Same.FACTS:
            more = f", {len(self.provenance)} said by others" if self.provenance else ""
            return f"the same facts{more}"
        if self.same is Same.SHAPE and not (self.parts_only_a or self.parts_only_b or self.moved):
            return "the same parts in the same places, with different facts"
        if self.same is Same.SHAPE:
            return "the same shape up to numbering, with different facts"
        return "different structures"


def compare(a: Machine, b: Machine, predicate: str = "") -> Difference:
    """Return what differs from `a` to `b`; with a predicate only its facts are compared.

    The predicate `contains` stands for the structure.
    """
    names = matched(a, b)
    structure = predicate in ("", "contains")
    known = set(names.values())
    here = {(p, *key): f for p, key, f in _facts(a, predicate, {})}
    there = {(p, *key): f for p, key, f in _facts(b, predicate, _own(b, a, names))}
    shared = [key for key in here if key in there]
    changed = tuple((here[k], there[k]) for k in shared if here[k].args != there[k].args)
    only_a = tuple(fact for key, fact in here.items() if key not in there)
    only_b = tuple(fact for key, fact in there.items() if key not in here)
    parts_a = tuple(name for name in a.objects if structure and name not in known)
    parts_b = tuple(name for name in b.objects if structure and name not in names)
    moved = tuple(_moved(a, b, names)) if structure else ()
    differs = changed or only_a or only_b or parts_a or parts_b or moved
    same = Same.SHAPE if same_shape(a, b) else Same.DIFFERENT
    return Difference(
        same=same if differs else Same.FACTS,
        counts={
            kind: (count, b.counts[kind])
            for kind, count in a.counts.items()
            if count != b.counts[kind]
        },
        parts_only_a=parts_a,
        parts_only_b=parts_b,
        renamed={ours: theirs for theirs, ours in names.items() if ours != theirs},
        moved=moved,
        changed=changed,
        facts_only_a=only_a,
        facts_only_b=only_b,
        provenance=tuple(
            (here[k], there[k])
            for k in shared
            if here[k].args == there[k].args and here[k] != there[k]
        ),
    )


def document(a: Machine, b: Machine, found: Difference) -> dict[str, Any]:
    """Return what differs as the command line and the service print it."""
    return {
        **{
            side: {"name": m.name, "revision": m.revision, "digest": m.digest}
            for side, m in (("a", a), ("b", b))
        },
        "same": found.same.value,
        "headline": found.headline,
        "counts": {kind: list(counts) for kind, counts in found.counts.items()},
        "parts_only_a": list(found.parts_only_a),
        "parts_only_b": list(found.parts_only_b),
        "renamed": dict(found.renamed),
        "moved": [{"id": part.id, "a": part.was, "b": part.now} for part in found.moved],
        "changed": [
            {"predicate": one.predicate, "key": list(one.key[1:])}
            | {"a": row_of(one), "b": row_of(other)}
            for one, other in found.changed
        ],
        "facts_only_a": [row_of(fact) for fact in found.facts_only_a],
        "facts_only_b": [row_of(fact) for fact in found.facts_only_b],
        "provenance": [{"a": row_of(one), "b": row_of(other)} for one, other in found.provenance],
    }


def same_shape(a: Machine, b: Machine) -> bool:
    """Tell whether two trees are equal up to numbering.

    By the canonical form of rooted trees (Aho, Hopcroft, Ullman: The Design and Analysis of
    Computer Algorithms, 1974, section 3.2): equal subtrees get equal codes, the leaves first.
    """
    codes: dict[tuple[str, tuple[int, ...]], int] = {}

    def code(machine: Machine) -> int:
        found: dict[str, int] = {}
        for name in sorted(machine.objects, key=lambda name: -len(machine.ancestors(name))):
            below = tuple(sorted(found[child] for child in machine.children(name)))
            found[name] = codes.setdefault((kind_of(name), below), len(codes))
        return found[ROOT]

    return code(a) == code(b)


def _own(b: Machine, a: Machine, names: Mapping[str, str]) -> dict[str, str]:
    """Return how parts of `b` are written: as in `a`, or marked where `a` means another part."""
    return {
        name: names.get(name) or (f"{name} of {b.name}" if a.has(name) else name)
        for name in b.objects
    }


def _facts(
    machine: Machine, predicate: str, names: Mapping[str, str]
) -> Iterable[tuple[str, tuple[Value, ...], Fact]]:
    """Yield what holds, but containment, which is compared as structure."""
    for relation in relations().values():
        if relation.name == "contains" or (predicate and relation.name != predicate):
            continue
        parts = [at for at, argument in enumerate(relation.args) if argument.type == "object"]
        for fact in machine.facts_of(relation.name):
            args = list(fact.args)
            for at in parts:
                args[at] = names.get(str(args[at]), args[at])
            renamed = replace(fact, args=tuple(args))
            yield relation.name, tuple(args[at] for at in relation.key), renamed


def _moved(a: Machine, b: Machine, names: Mapping[str, str]) -> Iterable[Moved]:
    """Yield parts whose places exclude each other; a parent that only one of them has does not."""
    back = {ours: theirs for theirs, ours in names.items()}
    for name in sorted(back, key=object_order):
        if name == ROOT:
            continue
        was = next(at for at in a.ancestors(name) if at in back)
        now = next(names[at] for at in b.ancestors(back[name]) if at in names)
        if was != now and not _nested(a, was, now) and not _nested(b, back[now], back[was]):
            yield Moved(name, was, now)


def _nested(machine: Machine, one: str, other: str) -> bool:
    """Tell whether two parts hold the same PUs, one inside the other: an order, not a place."""
    inside = one in machine.ancestors(other) or other in machine.ancestors(one)
    return inside and machine.pus_of(one) == machine.pus_of(other) != frozenset()

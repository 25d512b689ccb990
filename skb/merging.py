"""Several descriptions of one machine become one, each fact with who says so.

The names of the most structured description are kept; the others' parts are found in it by identity
(`skb.identity`) or added at their place (`skb.grafting`). Of two facts that say the same and are of
the same kind of source one is kept: the newer, else the first by name. Facts that disagree are all
kept; which one holds is decided by precedence, as everywhere. A coarser parent
(`machine:0` where another says `package:1`) is no disagreement and gives way to the finer one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as _replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from msgspec.structs import replace

from skb.errors import DescriptionError, FactError
from skb.grafting import Laying, goes_before
from skb.identity import matched
from skb.machine import CPU_KINDS, ROOT, Machine, kind_of
from skb.relations import Fact, Value, relations, validate
from skb.sources.description import Description
from skb.wording import counted

if TYPE_CHECKING:
    from skb.sources.link_tables import LinkTables

# what `info` says about the file and the program that wrote it, not about the machine
_OF_THE_FILE = frozenset({"hwlocVersion", "ProcessName", "Backend", "SyntheticDescription"})

# what a new discovery does not overwrite
_OUTLIVES = frozenset({"asserted", "measured", "datasheet"})

# two names of one instruction set
_ISAS = {"amd64": "x86_64", "x86-64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}


def merge(descriptions: Sequence[Description], places: Sequence[str] = ()) -> Description:
    """Return one description of the machine that all of them describe.

    `places` name them in facts, notes and errors. Raises `DescriptionError` where two clearly
    describe different machines.
    """
    named = list(zip(descriptions, _places(descriptions, places), strict=True))
    parts = _with_origin(named)
    first = min(range(len(parts)), key=lambda at: (_structure(parts[at].machine), at))
    order = [parts[first], *parts[:first], *parts[first + 1 :]]
    if not any(part.machine.pus for part in order):
        raise DescriptionError(
            "none of the descriptions has a PU",
            place=order[0].place,
            mend="add one that has, such as lstopo's",
        )
    return _fold(order)


def merge_into(
    machine: Machine, descriptions: Sequence[Description], places: Sequence[str] = ()
) -> Description:
    """Return what is known of a machine together with what further descriptions say.

    The machine's names are kept. Where a description was merged before and says something else by
    now (same fact, source and file), the new value takes the place of the old one.
    """
    named = list(zip(descriptions, _places(descriptions, places), strict=True))
    base = _Part(machine.name, machine, machine.title, machine.notes, told=True)
    return _fold([base, *_with_origin(named)])


def refresh(machine: Machine, found: Description) -> Description:
    """Return a fresh discovery together with what discovery cannot know about the parts it found.

    What was asserted, measured or taken from a data sheet stays with its part, also where the part
    has another logical index now; what is about a part that is gone is left out with a note. A
    machine of which no part is left is another one: nothing of it stays.
    """
    fresh = Machine(found.name, found.facts)
    names = matched(fresh, machine)
    stays = [f for f in machine.facts if f.source in _OUTLIVES and f.predicate != "contains"]
    if not set(machine.pus) & set(fresh.pus):
        names = {}
    taken = {(fact.key, fact.source, fact.by) for fact in fresh.facts}
    kept, lost = [], []
    for fact in stays:
        renamed = _renamed(fact, names)
        if renamed is None:
            lost.append(fact)
        elif (renamed.key, renamed.source, renamed.by) not in taken:
            kept.append(renamed)
    notes = found.notes
    if lost:
        words = "; ".join(fact.text for fact in lost[:5]) + ("; …" if len(lost) > 5 else "")
        notes = (*notes, f"no longer said, because the parts are gone: {words}")
    return _replace(found, facts=(*found.facts, *kept), notes=notes)


@dataclass(frozen=True, slots=True)
class _Part:
    """One description as a snapshot; `told` where its notes name their place already."""

    place: str
    machine: Machine
    title: str
    notes: tuple[str, ...]
    told: bool = False
    tables: LinkTables | None = None


@dataclass(slots=True)
class _Joined:
    """What two descriptions make: facts by what they say, and what is to be told."""

    facts: dict[tuple[tuple[Value, ...], str, str], Fact] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def _places(descriptions: Sequence[Description], places: Sequence[str]) -> list[str]:
    return list(places) or [d.name or f"description {n}" for n, d in enumerate(descriptions, 1)]


def _with_origin(named: Iterable[tuple[Description, str]]) -> list[_Part]:
    """Give each fact without an origin its place, and files of one name different origins."""
    used: set[str] = set()
    parts = []
    for description, place in named:
        short = PurePath(place).name or place
        clash = used & {fact.by or short for fact in description.facts}
        says = {by: f"{by} ({place})" for by in clash}
        facts = [
            replace(fact, by=says.get(by := fact.by or short, by)) for fact in description.facts
        ]
        used |= {fact.by for fact in facts}
        machine = Machine(place, facts, title=description.title)
        told = (description.title, description.notes, False, description.tables)
        parts.append(_Part(place, machine, *told))
    return parts


def _structure(machine: Machine) -> tuple[bool, int]:
    """Sort key: a structure that somebody saw, with most levels, comes first."""
    kinds = {kind_of(name) for name in machine.objects} & CPU_KINDS
    assumed = [f for f in machine.facts_of("contains") if f.source in {"default", "measured"}]
    return (2 * len(assumed) > len(machine.objects), -len(kinds))


def _fold(parts: Sequence[_Part]) -> Description:
    base = parts[0]
    machine = base.machine
    notes = [note if base.told else f"{base.place}: {note}" for note in base.notes]
    # tables are of the machine that the others make
    for part in sorted(parts[1:], key=lambda part: part.tables is not None):
        join = _join if part.tables is None else _join_tables
        joined = join(machine, base.place, part)
        notes += [f"{part.place}: {note}" for note in (*part.notes, *joined.notes)]
        machine = Machine(base.place, joined.facts.values())
    title = next((part.title for part in parts if part.title), "")
    return Description(
        name=base.machine.name if base.told else "",
        format="merged",
        facts=machine.facts,
        title=title,
        notes=tuple(dict.fromkeys(notes)),
    )


def _join(base: Machine, place: str, part: _Part) -> _Joined:
    names = matched(base, part.machine)
    _refuse_strangers(base, place, part, names)
    joined = _Joined()
    laying = Laying(base, part.machine, names, joined.notes)
    for fact in base.facts:
        if fact.predicate != "contains":
            joined.facts[fact.key, fact.source, fact.by] = fact
    lost = replaced = 0
    same = {(fact.predicate, fact.args, fact.source): slot for slot, fact in joined.facts.items()}
    for fact in part.machine.facts:
        if fact.predicate == "contains":
            continue
        renamed = _renamed(fact, names)
        if renamed is None:
            lost += 1
        elif not _is_about_the_file(renamed, base):
            replaced += _state(joined, same, renamed)
    if lost:
        joined.notes.append(f"left out with their parts: {counted(lost, 'fact')}")
    if replaced:
        joined.notes.append(f"replaced what it said before: {counted(replaced, 'fact')}")
    for fact in laying.claims():
        joined.facts[fact.key, fact.source, fact.by] = fact
    return joined


def _join_tables(base: Machine, _place: str, part: _Part) -> _Joined:
    """Put forwarding tables in force, in place of those that the same parts had.

    Of a network that they stand beside nothing is taken: the machine has to have it.
    """
    from skb.sources.link_tables import TABLES, facts_of

    assert part.tables is not None
    by = PurePath(part.place).name or part.place
    told = facts_of(base, part.tables, part.place, by)
    over = {fact.args[0] for fact in told}
    joined = _Joined()
    gone = [f for f in base.facts if f.predicate in TABLES and f.args[0] in over]
    lost = set(gone)
    for fact in (*(fact for fact in base.facts if fact not in lost), *told):
        joined.facts[fact.key, fact.source, fact.by] = fact
    if gone:
        joined.notes.append("these tables take the place of those that were in force")
    return joined


def _state(
    joined: _Joined,
    same: dict[tuple[str, tuple[Value, ...], str], tuple[tuple[Value, ...], str, str]],
    fact: Fact,
) -> bool:
    """Add a fact unless it is known; tell whether it takes the place of an older statement."""
    slot = (fact.key, fact.source, fact.by)
    said = (fact.predicate, fact.args, fact.source)
    old = joined.facts.get(slot)
    known = same.get(said)
    if known is not None and known != slot:
        if not goes_before(fact, joined.facts[known]):
            if old is not None:
                del joined.facts[slot]
            return old is not None
        del joined.facts[known]
    joined.facts[slot] = fact
    same[said] = slot
    return old is not None and old.args != fact.args


def _renamed(fact: Fact, names: Mapping[str, str]) -> Fact | None:
    """Return the fact about the parts' names in the base; None where one of them is left out."""
    args = list(fact.args)
    crossed = False
    for at, argument in enumerate(relations()[fact.predicate].args):
        if argument.type == "object":
            name = str(args[at])
            if name not in names:
                return None
            crossed = crossed or kind_of(names[name]) != kind_of(name)
            args[at] = names[name]
    renamed = fact if tuple(args) == fact.args else replace(fact, args=tuple(args))
    if crossed:
        try:
            validate(renamed)
        except FactError:
            return None
    return renamed


def _is_about_the_file(fact: Fact, base: Machine) -> bool:
    known = fact.predicate == "info" and fact.args[1] in _OF_THE_FILE
    return known and base.fact("info", *fact.args[:2]) is not None


# ------------------------------------------------------------------ the wrong machine
def _refuse_strangers(base: Machine, place: str, part: _Part, names: Mapping[str, str]) -> None:
    """Raise `DescriptionError` where two descriptions cannot be of one machine."""
    other = part.machine
    reason = ""
    if base.pus and other.pus and not set(base.pus) & set(other.pus):
        reason = f"has none of the PUs of {place}"
    isas = [str(m.value("isa", ROOT) or "") for m in (other, base)]
    if all(isas) and len({_ISAS.get(isa.lower(), isa.lower()) for isa in isas}) > 1:
        reason = f"has the ISA {isas[0]}, and {place} has {isas[1]}"
    if not reason and base.pus and other.pus:
        reason = _other_shape(base, place, other, names)
    if reason:
        raise DescriptionError(
            f"describes another machine: it {reason}",
            place=part.place,
            mend="import it alone, under a name of its own",
        )


def _other_shape(base: Machine, place: str, other: Machine, names: Mapping[str, str]) -> str:
    """Say how packages and cores disagree, where all of a kind do; empty where one agrees."""
    packages, cores = (_that_fit(kind, base, other, names) for kind in ("package", "core"))
    sizes = [(len(m.of_kind("package")), len(m.pus)) for m in (other, base)]
    said = [f"{counted(size[0], 'package')} and {counted(size[1], 'PU')}" for size in sizes]
    wrong = packages and (not any(packages) or (sizes[0][0] != sizes[1][0] and not all(packages)))
    if wrong and set(base.pus) != set(other.pus):
        return f"has {said[0]}, {place} has {said[1]}, in other places"
    if packages and cores and not any(packages) and not any(cores):
        return f"agrees with {place} about the PUs of no package and of no core"
    return ""


def _that_fit(kind: str, base: Machine, other: Machine, names: Mapping[str, str]) -> list[bool]:
    """Tell of each part whose PUs both know to be in parts of this kind whether they are the same.

    PUs that only one description knows are not counted.
    """
    common = set(base.pus) & set(other.pus)
    placed = common & {pu for name in base.of_kind(kind) for pu in base.pus_of(name)}
    return [
        name in names and base.pus_of(names[name]) & common == other.pus_of(name) & common
        for name in other.of_kind(kind)
        if other.pus_of(name) & placed
    ]

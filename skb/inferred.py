"""Inferred structure and machines: their pair facts as a matrix, levels as facts, and agreement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skb.containment import ROOT
from skb.errors import RequestError
from skb.machine import Machine, index_of, kind_of
from skb.relations import Fact, Source
from skb.sources.description import Description

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from skb.inference import Level, Structure

# which facts make a matrix, in the order in which they are preferred
COSTS = ("latency", "send+receive", "round_trip", "receive", "send")
# kinds that a level may stand for
_COUNTED = ("l3", "l2", "die", "package", "numa", "core", "group")


@dataclass(frozen=True, slots=True)
class Pairs:
    """What a machine states about pairs of PUs: OS indexes, and nanoseconds from row to column."""

    pus: tuple[int, ...]
    values: NDArray[np.float64]
    cost: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a level agrees with the objects of one kind of a description, over the common PUs.

    `differ` are the PUs whose group and object do not hold the same PUs.
    """

    level: int
    kind: str
    objects: int
    same: int
    differ: tuple[int, ...]


def pair_matrix(machine: Machine, cost: str = "") -> Pairs:
    """Return the matrix of a machine's pair facts; without `cost` the first kind that is stated.

    Raises `RequestError` where the machine states nothing about pairs of PUs.
    """
    import numpy as np

    tables = _tables(machine)
    chosen = cost or next((name for name in COSTS if tables.get(name)), "")
    pairs = tables.get(chosen, {})
    if not pairs:
        stated = [name for name in COSTS if tables.get(name)]
        raise RequestError(
            f"{machine.name} states no {cost or 'latency'} between PUs",
            mend=f"it states {', '.join(stated)}"
            if stated
            else "give a latency matrix, or measure one: skb measure",
        )
    pus = machine.pus
    place = {pu: at for at, pu in enumerate(pus)}
    values = np.full((len(pus), len(pus)), np.nan)
    for (a, b), value in pairs.items():
        values[place[a], place[b]] = value
    return Pairs(pus, values, chosen)


def _tables(machine: Machine) -> dict[str, dict[tuple[int, int], float]]:
    """Return nanoseconds by pair for each cost; a sum needs both of its parts."""
    found: dict[str, dict[tuple[int, int], float]] = {name: {} for name in COSTS}
    for fact in machine.facts_of("latency"):
        a, b, value = fact.args
        if kind_of(str(a)) == kind_of(str(b)) == "pu" and a != b:
            found["latency"][index_of(str(a)), index_of(str(b))] = float(value)
    for fact in machine.facts_of("message_cost"):
        a, b, transport, role, value = fact.args
        if transport == "cache_line" and role in found and a != b:
            found[str(role)][index_of(str(a)), index_of(str(b))] = float(value)
    send, receive = found["send"], found["receive"]
    found["send+receive"] = {p: send[p] + receive[p] for p in send.keys() & receive.keys()}
    return found


def spelled(groups: tuple[tuple[int, ...], ...], pus: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return groups of matrix indices as sorted OS indexes."""
    return sorted(tuple(sorted(pus[i] for i in group)) for group in groups)


def describe(machine: Machine, pairs: Pairs, structure: Structure, least: float) -> Description:
    """Return the machine with the inferred structure in place of its own; costs of pairs are kept.

    Levels below the confidence `least` are left out. A group of one PU becomes an object only as a
    core.
    """
    levels = [level for level in structure.levels if level.confidence >= least]
    inside: dict[int, str] = dict.fromkeys(pairs.pus, ROOT)
    facts: list[Fact] = []
    numbers: dict[str, int] = {}
    for level in reversed(levels):
        by = f"inferred from {pairs.cost} (confidence {level.confidence:.2f})"
        inner = {g for other in levels[: levels.index(level)] for g in other.groups}
        new = tuple(
            g for g in level.groups if g not in inner and (len(g) > 1 or level.kind == "core")
        )
        for group in spelled(new, pairs.pus):
            number = numbers.get(level.kind, 0)
            numbers[level.kind] = number + 1
            name = f"{level.kind}:{number}"
            facts.append(Fact("contains", (inside[group[0]], name), Source.MEASURED.value, by))
            inside.update(dict.fromkeys(group, name))
    told = f"inferred from {pairs.cost}"
    facts += [
        Fact("contains", (inside[pu], f"pu:{pu}"), Source.MEASURED.value, told)
        for pu in machine.pus
    ]
    kept = [f for f in machine.facts if f.predicate != "contains" and _about_pus(f)]
    notes = (
        *machine.notes,
        *(f"structure inferred from {pairs.cost}: {note}" for note in structure.notes),
        *(
            f"level {level.kind} left out: confidence {level.confidence:.2f}"
            for level in structure.levels
            if level.confidence < least
        ),
    )
    return Description(machine.name, "inferred", (*facts, *kept), machine.title, tuple(notes))


def _about_pus(fact: Fact) -> bool:
    """Tell whether a fact is still true without the machine's own structure."""
    from skb.relations import relations

    arguments = relations()[fact.predicate].args
    objects = [str(v) for v, a in zip(fact.args, arguments, strict=True) if a.type == "object"]
    return all(o == ROOT or kind_of(o) == "pu" for o in objects)


def agreement(pairs: Pairs, structure: Structure, other: Machine) -> tuple[Agreement, ...]:
    """Hold each level against the kind of object of another description that fits it best.

    Raises `RequestError` where the two have no PU in common.
    """
    common = set(pairs.pus) & set(other.pus)
    if not common:
        raise RequestError(
            f"{other.name} has none of the PUs of the matrix",
            mend="name a description of one machine",
        )
    return tuple(
        best
        for at, level in enumerate(structure.levels)
        if (best := _best(at, level, pairs, other, common)) is not None
    )


def _best(
    at: int, level: Level, pairs: Pairs, other: Machine, common: set[int]
) -> Agreement | None:
    groups = {frozenset(g) & common for g in spelled(level.groups, pairs.pus)} - {frozenset()}
    found: list[Agreement] = []
    for kind in _COUNTED:
        parts = {other.pus_of(name) & common for name in other.of_kind(kind)} - {frozenset()}
        parts |= {frozenset({pu}) for pu in common - set().union(*parts, set())}
        if len(parts) < 2 or not any(len(part) > 1 for part in parts):
            continue
        same = groups & parts
        agreed = set().union(*same, set())
        differ = tuple(sorted(common - agreed))
        found.append(Agreement(at, kind, len(parts), len(same), differ))
    # of kinds with the same PUs the one that the level is called
    return min(found, key=lambda a: (len(a.differ), a.kind != level.kind), default=None)

"""What cannot be reached because of the power and presence of parts, with reasons.

`rules/machine.lp` derives it and says why each kind of part takes which others along;
`Machine.unusable` is the fast path that every question uses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from skb.containment import CPU_KINDS, kind_of
from skb.engines.asp import Atom, Model, Program
from skb.errors import RequestError
from skb.machine import Machine, object_order
from skb.relations import Fact

RULES = ("machine.lp",)
STATES = {"off": "power", "sleep": "power", "absent": "presence"}
_WORDS = {"off": "off", "sleep": "asleep", "absent": "absent"}
_WAYS = ("lost_by", "still_by", "cut_by")


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A part or service that cannot be used, the nearest causes, and a sentence that says so."""

    id: str
    because: tuple[str, ...]
    text: str


def unreachable(machine: Machine) -> tuple[Unreachable, ...]:
    """Return all that power and presence make unusable, the causes themselves too.

    Parts come from the machine inwards, then services, as `service:NAME`.
    """
    if not machine.usability.because:
        return ()
    model = Model(Program(RULES, tuple(_atoms(machine))), options=())
    states = _states(machine)
    causes: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for way in _WAYS:
        for name, cause in sorted(model.atoms(way, 2), key=str):
            causes[str(name)].append((way, str(cause)))
    found = [_row(name, causes[name], states) for name in sorted(causes, key=object_order)]
    texts = {row.id: row for row in found}
    for service, part in sorted(model.atoms("service_gone", 2), key=str):
        row = texts[str(part)]
        because = row.text.partition(" is unreachable: ")[2] or row.text
        where = "" if str(part) in row.because else f"it runs on {part}, and "
        text = f"service {service} is unreachable: {where}{because}"
        found.append(Unreachable(f"service:{service}", row.because, text))
    return tuple(found)


def hypothetical(machine: Machine, part: str, state: str) -> Machine:
    """Return the machine as it would be with a part off, asleep (`sleep`) or absent."""
    if state not in STATES:
        raise RequestError(f"{state!r} is no state", mend=f"one of {', '.join(STATES)}")
    predicate = STATES[state]
    machine.require(part)
    kept = [f for f in machine.facts if f.predicate != predicate or f.args[0] != part]
    supposed = Fact(predicate, (part, state), by="supposed")
    return Machine(machine.name, [*kept, supposed], revision=machine.revision)


def dependents(machine: Machine, part: str, state: str = "off") -> tuple[Unreachable, ...]:
    """Return what would become unreachable besides what is already, the part itself left out."""
    known = {row.id for row in unreachable(machine)}
    after = unreachable(hypothetical(machine, part, state))
    return tuple(row for row in after if row.id not in known and row.id != part)


def _atoms(machine: Machine) -> Iterable[Atom]:
    for name in machine.objects:
        yield "object", (name, kind_of(name), name)
    for predicate in ("contains", "power", "presence", "link", "service"):
        for fact in machine.facts_of(predicate):
            yield predicate, tuple(str(value) for value in fact.args)
    if machine.usability.home:
        yield "interconnect_home", (machine.usability.home,)


def _states(machine: Machine) -> dict[str, str]:
    rows: dict[str, list[str]] = defaultdict(list)
    for predicate in ("power", "presence"):
        for fact in machine.facts_of(predicate):
            if fact.args[1] in _WORDS:
                rows[str(fact.args[0])].append(_WORDS[str(fact.args[1])])
    return {name: " and ".join(words) for name, words in rows.items()}


def _row(name: str, causes: list[tuple[str, str]], states: dict[str, str]) -> Unreachable:
    """Write the sentence; a part's own state says enough, a cut only where nothing else does."""
    if any(cause == name for _way, cause in causes):
        return Unreachable(name, (name,), f"{name} is {states[name]}")
    whole = [cause for cause in causes if cause[0] != "cut_by"] or causes
    side = "around" if kind_of(name) in CPU_KINDS else "above"
    because = tuple(dict.fromkeys(cause for _way, cause in whole))
    said = " and ".join(f"{cause} {side} it is {states[cause]}" for cause in because)
    if whole[0][0] == "cut_by":
        off = " and ".join(f"{cause} is {states[cause]}" for cause in because)
        said = f"no path over the links leads there any more, {off}"
    return Unreachable(name, because, f"{name} is unreachable: {said}")

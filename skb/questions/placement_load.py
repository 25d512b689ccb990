"""Parts that are busy with the work of others, which a placement leaves alone.

The load of a PU is the larger of its own and that of its core, whose units its PUs share; a load of
anything wider is a mean, so it speaks only for PUs of which neither is stated, the nearest part
first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from skb.containment import CPU_KINDS
from skb.decision import Assumption
from skb.machine import ROOT, Machine, kind_of, object_order
from skb.questions.placement_request import Request
from skb.wording import counted, spans

# so many parts are named in one sentence
NAMED = 4


@dataclass(frozen=True, slots=True)
class Busy:
    """A rule that keeps all tasks away from busy PUs: its key, its words, and those PUs.

    `items` are the parts that its words name, behind the machine.
    """

    key: str
    text: str
    items: tuple[str, ...]
    pus: frozenset[int]


def loads(machine: Machine) -> dict[int, tuple[str, float]]:
    """Return the part whose load counts for a PU, and its percent; PUs of unknown load are left
    out.
    """
    named = {str(fact.args[0]) for fact in machine.facts_of("load")}
    known = {at: load for at in named if (load := machine.number("load", at)) is not None}
    if not known:
        return {}
    found = {pu: _load(machine, pu, known) for pu in machine.pus}
    return {pu: load for pu, load in found.items() if load is not None}


def _load(machine: Machine, pu: int, known: Mapping[str, float]) -> tuple[str, float] | None:
    own = {at: known[at] for at in (f"pu:{pu}", machine.core_of[pu]) if at in known}
    if own:
        return max(own.items(), key=lambda row: row[1])
    nodes = [node for n in machine.numa_of_pu[pu] if (node := f"numa:{n}") in known]
    for at in machine.ancestors(f"pu:{pu}"):
        here = {node: known[node] for node in nodes if machine.anchor(node) == at}
        if at in known:
            here[at] = known[at]
        if here:
            return max(here.items(), key=lambda row: row[1])
    return None


def inside(machine: Machine, part: str) -> frozenset[int]:
    """Return the PUs of a part, or those that have a NUMA node as their nearest; none of others."""
    if kind_of(part) in CPU_KINDS:
        return machine.pus_of(part)
    return frozenset(
        pu for pu, nodes in machine.numa_of_pu.items() if part in {f"numa:{n}" for n in nodes}
    )


def busy_rules(
    machine: Machine, request: Request, known: Mapping[int, tuple[str, float]]
) -> Iterable[Busy]:
    """Yield what the request says about busy parts, where it bars a usable PU."""
    usable = frozenset(machine.usable_pus)
    if request.busy:
        pus = usable.intersection(frozenset().union(*(inside(machine, at) for at in request.busy)))
        text = f"{_busy(request.busy)} with other work"
        if pus:
            yield Busy("busy", text, (ROOT, *request.busy), pus)
    if request.busy_above is not None:
        above = {pu: known[pu] for pu in usable if pu in known and _above(known[pu], request)}
        if above:
            parts = dict(sorted(above.values(), key=lambda row: object_order(row[0])))
            items = (ROOT, *islice(parts, NAMED))
            yield Busy("busy_above", _words(parts, request), items, frozenset(above))


def why_busy(
    machine: Machine, request: Request, known: Mapping[int, tuple[str, float]], pu: int
) -> str:
    """Return why the load of a PU bars it, empty where it does not."""
    for part in request.busy:
        if pu in inside(machine, part):
            return f"{part} is busy with other work"
    if request.busy_above is not None and pu in known and _above(known[pu], request):
        return _words(dict([known[pu]]), request)
    return ""


def assumed_idle(
    pus: Collection[int], request: Request, known: Mapping[int, tuple[str, float]]
) -> tuple[Assumption, ...]:
    """Return that PUs of unknown load are taken as idle, where the request reads loads."""
    unknown = [pu for pu in pus if pu not in known]
    if request.busy_above is None or not unknown:
        return ()
    return (Assumption(f"load(pu:{spans(unknown)}) = 0", "nobody stated it"),)


def _above(load: tuple[str, float], request: Request) -> bool:
    return request.busy_above is not None and load[1] > request.busy_above


def _busy(parts: list[str]) -> str:
    *others, last = parts
    return f"{', '.join(others)} and {last} are busy" if others else f"{last} is busy"


def _words(parts: Mapping[str, float], request: Request) -> str:
    (first, percent), *others = parts.items()
    said = [f"{first} is {percent:g} % busy", *(f"{at} {load:g} %" for at, load in others)]
    more = len(said) - NAMED
    text = ", ".join(said[:NAMED])
    if more > 0:
        text += f" and {counted(more, 'more part')}"
    return f"{text}, the request asks for at most {request.busy_above:g} %"

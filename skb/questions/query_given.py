"""Atoms that a query is given besides the facts: parts, hops, latencies between PUs and to memory.

A user's rules get all of them, up to a limit of pairs; a named query only those between the parts
that its header names, so that it works on large machines too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from skb.atoms import Row, hop_rows, link_ends, object_rows
from skb.costs import Costs
from skb.errors import RequestError, RulesError
from skb.machine import Machine, index_of, kind_of
from skb.named import Named, Value

MAX_PAIR_PUS = 256
MAX_PAIRS = 150_000
GIVEN = (
    *(("object", 3), ("hops", 3), ("pu_latency_ps", 3), ("pu_memory_ps", 3)),
    ("interconnect_home", 1),
)


# ------------------------------------------------------------------ for a user's rules
def given_rows(name: str, machine: Machine, costs: Costs) -> Iterator[Row]:
    """Yield every atom of a given predicate; raise `RulesError` where there are too many."""
    made: dict[str, Callable[[], Iterator[Row]]] = {
        "object": lambda: object_rows(machine),
        "hops": lambda: hop_rows(machine, link_ends(machine)),
        "interconnect_home": lambda: _home(machine),
        "pu_latency_ps": lambda: _every_latency(machine, costs),
        "pu_memory_ps": lambda: _memory(costs, machine.pus, machine.numa),
    }
    return made[name]()


def _home(machine: Machine) -> Iterator[Row]:
    if machine.usability.home:
        yield ("interconnect_home", machine.usability.home)


def _every_latency(machine: Machine, costs: Costs) -> Iterator[Row]:
    if len(machine.pus) > MAX_PAIR_PUS:
        raise RulesError(
            f"pu_latency_ps has {len(machine.pus) ** 2} atoms on {machine.name}",
            place="rules",
            mend=f"use hops/3 and within/2; pairs are given up to {MAX_PAIR_PUS} PUs",
        )
    return _latency(costs, machine.pus, machine.pus)


def _latency(costs: Costs, ones: tuple[int, ...], others: tuple[int, ...]) -> Iterator[Row]:
    for first in ones:
        for second in others:
            yield (
                "pu_latency_ps",
                f"pu:{first}",
                f"pu:{second}",
                costs.latency_ps(first, second),
            )


def _memory(costs: Costs, pus: tuple[int, ...], nodes: tuple[int, ...]) -> Iterator[Row]:
    for pu in pus:
        for node in nodes:
            yield ("pu_memory_ps", f"pu:{pu}", f"numa:{node}", costs.memory_ps(pu, node))


# ------------------------------------------------------------------ for a named query
def restricted_rows(
    query: Named, values: dict[str, Value], machine: Machine, costs: Costs
) -> Iterator[Row]:
    """Yield the atoms that the header of a named query asks for, each once.

    Selectors are a parameter, `usable` PUs, `packages` (the lowest and highest usable PU of each),
    `numa` (usable nodes), `near-device` (nodes local to that parameter), and `far-device` (the
    usable PUs where none is local to it). Raises `RequestError` where there are too many.
    """
    seen: set[Row] = set()
    for what, one, other in query.given:
        first = _pus(one, values, machine)
        second = (_nodes if what == "memory" else _pus)(other, values, machine)
        if len(first) * len(second) > MAX_PAIRS:
            raise RequestError(
                f"{query.name} would need {len(first) * len(second)} pairs on {machine.name}",
                mend=f"at most {MAX_PAIRS}; ask about smaller parts",
            )
        rows = {
            "memory": lambda a, b: _memory(costs, a, b),
            "pairs": lambda a, b: _latency(costs, a, b),
            "hops": lambda a, b: _hops(machine, a, b),
        }[what](first, second)
        for row in rows:
            if row not in seen:
                seen.add(row)
                yield row


def _pus(selector: str, values: dict[str, Value], machine: Machine) -> tuple[int, ...]:
    usable = machine.usable_pus
    if selector == "usable":
        return usable
    if selector == "packages":
        ends: dict[str, tuple[int, int]] = {}
        for pu in usable:
            package = machine.package_of[pu]
            ends[package] = (ends.get(package, (pu, pu))[0], pu)
        return tuple(sorted({pu for pair in ends.values() for pu in pair}))
    inside = machine.pus_of(str(values[selector.removeprefix("far-")]))
    if selector.startswith("far-"):
        return () if inside.intersection(usable) else usable
    return tuple(pu for pu in usable if pu in inside)


def _nodes(selector: str, values: dict[str, Value], machine: Machine) -> tuple[int, ...]:
    if selector == "numa":
        return machine.usable_numa
    return machine.numa_of(str(values[selector.removeprefix("near-")]))


def _hops(machine: Machine, ones: tuple[int, ...], others: tuple[int, ...]) -> Iterator[Row]:
    ends = frozenset(link_ends(machine))
    at_end: list[list[str]] = [[], []]
    for side, pus in enumerate((ones, others)):
        for pu in pus:
            around = (f"pu:{pu}", *machine.ancestors(f"pu:{pu}"))
            end = next((at for at in around if at in ends), None)
            if end is not None:
                at_end[side].append(end)
                yield ("link_end", f"pu:{pu}", end)
    for first in dict.fromkeys(at_end[0]):
        for second in dict.fromkeys(at_end[1]):
            hops = machine.hops(first, second)
            if hops is not None:
                yield ("hops", first, second, hops)


def processor_pus(machine: Machine, name: str) -> tuple[int, ...]:
    """Return the usable PUs of a PU or core."""
    if kind_of(name) == "pu":
        return tuple(pu for pu in machine.usable_pus if pu == index_of(name))
    return tuple(pu for pu in machine.usable_pus if pu in machine.pus_of(name))

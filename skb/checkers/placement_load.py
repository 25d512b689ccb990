"""Judge of what a placement request says about busy parts; shares no code with the question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from skb.machine import Machine


def load_faults(
    machine: Machine, request: Mapping[str, Any], name: str, pus: Iterable[int]
) -> list[str]:
    """Return where a task runs on a part that is busy, by the request or by facts."""
    found: list[str] = []
    most = request.get("busy_above")
    if most is None and not request.get("busy"):
        return found
    for pu in pus:
        chain = _chain(machine, pu)
        for part in request.get("busy") or ():
            if any(part in parts for parts in chain):
                found.append(f"{name}: pu:{pu} is in {part}, which is busy")
        load = None if most is None else _load(machine, chain)
        if most is not None and load is not None and load > most:
            found.append(f"{name}: pu:{pu} is {load:g} % busy, more than {most:g} %")
    return found


def _chain(machine: Machine, pu: int) -> list[set[str]]:
    """Return the parts around a PU outwards, with memory where it hangs; its core counts as it."""
    inner = {f"pu:{pu}", machine.core_of[pu]}
    rest = [at for at in machine.ancestors(f"pu:{pu}") if at not in inner]
    near = {f"numa:{node}" for node in machine.numa_of_pu[pu]}
    around = [{at, *(node for node in near if machine.anchor(node) == at)} for at in rest]
    own = near - set().union(*around)
    return [inner, *([own] if own else []), *around]


def _load(machine: Machine, chain: Iterable[set[str]]) -> float | None:
    """Return the largest load that is stated at the innermost place where one is."""
    for parts in chain:
        stated = [load for at in parts if (load := machine.number("load", at)) is not None]
        if stated:
            return max(float(load) for load in stated)
    return None

"""Whether a machine of the knowledge base is the host that we would measure."""

from __future__ import annotations

from collections.abc import Iterable

from skb.errors import RequestError
from skb.machine import Machine

# words of the firmware that differ between models, where both sides state them
_MODEL = ("CPUModel", "CPUVendor", "DMIProductName", "DMIBoardName")


def require_host(machine: Machine, host: Machine) -> None:
    """Raise `RequestError` unless a stored machine's PUs, cores and nodes are this host's."""
    mend = "give this host another name, or leave --name out"
    if machine.pus != host.pus:
        raise RequestError(
            f"{machine.name} is not this host: it has {_count(machine.pus)}, "
            f"this host {_count(host.pus)}",
            mend=mend,
        )
    for what, theirs, ours in (
        ("cores", machine.core_of.values(), host.core_of.values()),
        ("NUMA nodes", _nodes(machine), _nodes(host)),
    ):
        if _parts(machine.pus, theirs) != _parts(host.pus, ours):
            raise RequestError(
                f"{machine.name} is not this host: the same PUs lie in other {what}", mend=mend
            )
    mine, known = _model(host), _model(machine)
    for key in sorted(mine.keys() & known.keys()):
        if mine[key] != known[key]:
            raise RequestError(
                f"{machine.name} is not this host: its {key} is {sorted(known[key])[0]!r}, "
                f"here {sorted(mine[key])[0]!r}",
                mend=mend,
            )


def _count(pus: tuple[int, ...]) -> str:
    return f"{len(pus)} PUs up to pu:{pus[-1]}" if pus else "no PU"


def _nodes(machine: Machine) -> list[str]:
    return [str(machine.numa_of_pu[pu][:1]) for pu in machine.pus]


def _parts(pus: tuple[int, ...], places: Iterable[str]) -> frozenset[frozenset[int]]:
    found: dict[str, set[int]] = {}
    for pu, place in zip(pus, places, strict=True):
        found.setdefault(place, set()).add(pu)
    return frozenset(frozenset(group) for group in found.values())


def _model(machine: Machine) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for fact in machine.all("info"):
        if str(fact.args[1]) in _MODEL:
            found.setdefault(str(fact.args[1]), set()).add(str(fact.args[2]))
    return {key: frozenset(values) for key, values in found.items()}

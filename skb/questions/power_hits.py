"""Which decisions use what is lost: found in their answers, whatever the question."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

# keys whose whole numbers are OS indexes, by the kind of part that they number
_PUS = frozenset(
    ("pus", "pu", "root", "consumer_pu", "leader", "coordinator", "members", "from", "to")
)
_NODES = frozenset(("numa_node", "numa", "numa_from", "numa_to"))
_DEVICES = frozenset(("device", "devices"))
# a decision about links forwards over all of them
_LINKS = "next_hop"


def hits(
    decisions: Iterable[Mapping[str, Any]], lost: Collection[str], skip: str = ""
) -> list[dict[str, Any]]:
    """Return the decisions that use lost parts or links, with these; `skip` is the asking one.

    Decisions about power are left out: they ask what would be.
    """
    rows = []
    for decision in decisions:
        if decision["question"] == "power" or decision["id"] == skip:
            continue
        # buffers tell from which node to which the best place changes
        nodes = _NODES | {"from", "to"} if decision["question"] == "buffers" else _NODES
        used = dict.fromkeys(_parts(decision.get("answer"), "", nodes))
        used.update(dict.fromkeys(_named(decision.get("request"), "")))
        parts = [name for name in used if name in lost]
        if parts:
            row = {key: decision[key] for key in ("id", "question", "machine", "revision")}
            rows.append({**row, "parts": parts})
    return rows


def lost_of(decision: Mapping[str, Any]) -> set[str]:
    """Return what is lost by a power decision, links both ways round."""
    answer = decision.get("answer") or {}
    found = {str(row["part"]) for row in answer.get("unreachable", ())}
    return found | {str(name) for name in answer.get("off", ())}


def _parts(value: Any, key: str, nodes: Collection[str]) -> Iterator[str]:
    """Yield the parts that an answer names."""
    if isinstance(value, Mapping):
        if key == _LINKS:
            yield from _forwarded(value)
        for name, inner in value.items():
            if ":" in str(name):
                yield str(name)
            yield from _parts(inner, str(name), nodes)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _parts(inner, key, nodes)
    elif isinstance(value, str) and ":" in value:
        yield value
    elif isinstance(value, int) and not isinstance(value, bool):
        if key in nodes:
            yield f"numa:{value}"
        elif key in _PUS:
            yield f"pu:{value}"


def _forwarded(tables: Mapping[str, Any]) -> Iterator[str]:
    for node, row in tables.items():
        for step in set(row.values()) if isinstance(row, Mapping) else ():
            yield f"link:{node}-{step}"


def _named(value: Any, key: str) -> Iterator[str]:
    """Yield the devices that a request names."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _named(inner, str(name))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _named(inner, key)
    elif isinstance(value, str) and key in _DEVICES:
        yield value if value.startswith(("device:", "pci:")) else f"device:{value}"

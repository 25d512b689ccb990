"""The shape that a row of a `buffers` answer must have, so that the judge may read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNIT = "ns/s"
_NUMBER = (int, float)
_NODE = (int, type(None))
Shape = Mapping[str, tuple[type, ...]]
_ALTERNATIVE: Shape = {"numa_node": _NODE, "place": (str,), "value": _NUMBER, "unit": (str,)}
_RING: Shape = {**_ALTERNATIVE, "bytes": (int,), "alternatives": (list, tuple)}
_FLIP: Shape = {
    "touched": _NUMBER,
    "from": _NODE,
    "to": _NODE,
    "from_place": (str,),
    "to_place": (str,),
}
_ROW: Shape = {
    **_RING,
    "near": (str,),
    "touched": _NUMBER,
    "forwarded": (bool,),
    "crossover": (int, float, type(None)),
    "flips": (list, tuple),
    "holds": (dict,),
}
_HOLD: Shape = {"most": _NUMBER, "because": (str,)}
_MORE: Shape = {
    "consumer_pu": (int,),
    "consumers": (list, tuple),
    "total": _NUMBER,
    "rings": (dict,),
}
_CONSUMER: Shape = {"pu": (int,), "value": _NUMBER, "unit": (str,)}


def shape(name: str, row: Any) -> list[str]:
    """Return what a row of a flow lacks, in words."""
    wrong = _lacks(f"flow {name}", row, _ROW)
    if wrong:
        return wrong
    wrong += _lacks(f"flow {name}", row, {key: _MORE[key] for key in _MORE if key in row})
    if wrong:
        return wrong
    for key, wanted in (
        ("alternatives", _ALTERNATIVE),
        ("flips", _FLIP),
        ("consumers", _CONSUMER),
    ):
        for position, entry in enumerate(row.get(key, ())):
            wrong += _lacks(f"flow {name}: {key}[{position}]", entry, wanted)
    for key, entry in row["holds"].items():
        if entry is not None:
            wrong += _lacks(f"flow {name}: holds.{key}", entry, _HOLD)
    for kind, ring in row.get("rings", {}).items():
        missing = _lacks(f"flow {name}: {kind}", ring, _RING)
        wrong += missing
        for position, entry in enumerate(() if missing else ring["alternatives"]):
            wrong += _lacks(f"flow {name}: {kind}[{position}]", entry, _ALTERNATIVE)
    return wrong


def _lacks(what: str, entry: Any, wanted: Shape) -> list[str]:
    if not isinstance(entry, Mapping):
        return [f"{what} is not a table"]
    wrong = [f"{what} has no {key}" for key in wanted if key not in entry]
    for key, types in wanted.items():
        if key in entry and type(entry[key]) not in types:
            wrong.append(f"{what}: {key} is {entry[key]!r}")
    return wrong

"""How the options of `skb simulate` become the keys of a simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from skb.cli.requests import read_pus, read_request
from skb.errors import RequestError
from skb.simulation_options import read_options


def merged(
    scenario: str | None,
    given: Mapping[str, Any],
    *,
    groups: Mapping[str, str | None],
    numbers: Sequence[str],
    faults: Path | None,
) -> dict[str, Any]:
    """Return the keys of a file and what the command line says instead of them or in addition.

    Of `given`, None and False say nothing; `groups` are PUs such as `0,4-7`, `numbers` the
    protocol's own, and `faults` is a file. Raises `RequestError`.
    """
    raw = read_request(scenario)
    _refuse_unread(raw, scenario)
    raw.update({k: value for k, value in given.items() if value is not None and value is not False})
    raw.update({key: read_pus(text) for key, text in groups.items() if text is not None})
    own = raw.get("parameters", {})
    if numbers and isinstance(own, Mapping):
        raw["parameters"] = {**own, **read_numbers(numbers)}
    if faults is not None:
        raw["faults"] = _faults(str(faults))
    return raw


def _refuse_unread(raw: Mapping[str, Any], scenario: str | None) -> None:
    """Raise `RequestError`, with the name of the file, for keys that no simulation has."""
    try:
        read_options({key: value for key, value in raw.items() if key != "machine"})
    except RequestError as fault:
        place = fault.place.removeprefix("simulation").strip()
        raise RequestError(
            fault.message, place=f"{scenario} {place}".strip(), mend=fault.mend
        ) from fault


def _faults(where: str) -> list[Any]:
    """Return the tables `fault` of a file; raises `RequestError` with the name of the file."""
    raw = read_request(where)
    rows = raw.pop("fault", None)
    if raw or not isinstance(rows, list):
        wrong = f"unknown key {next(iter(raw))!r}" if raw else "has no tables [[fault]]"
        raise RequestError(wrong, place=where, mend="write [[fault]], then time_ns, pu and state")
    try:
        for row in read_options({"faults": rows}).faults:
            row.fault()
    except RequestError as fault:
        place = fault.place.removeprefix("simulation").strip()
        raise RequestError(fault.message, place=f"{where} {place}", mend=fault.mend) from fault
    return rows


def read_numbers(texts: Sequence[str]) -> dict[str, float]:
    """Read `name=number` texts; raises `RequestError`."""
    found: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        name = name.strip()
        try:
            if not name or name in found:
                raise ValueError
            found[name] = float(value)
        except ValueError as fault:
            wrong = f"{name} is given twice" if name in found else f"cannot read {text!r}"
            raise RequestError(wrong, place="--set", mend="write --set defer_ns=500") from fault
    return found

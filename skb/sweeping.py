"""A sweep: the same simulation for every combination of parameters, each under many seeds.

Everything is decided before the first run: a run is a scenario of plain values and a seed, so any
process on any machine can do it, and the rows do not depend on who did.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from skb import __version__
from skb.errors import RequestError
from skb.simulation import prepared
from skb.simulation_options import Options
from skb.sweeping_runs import sources_hash

if TYPE_CHECKING:
    from simulator import Scenario
    from skb.machine import Machine
    from skb.simulation import Decide, Routes

MOST_RUNS = 1_000_000
PARAMETERS = "parameters."
# seeds have a number of their own, and these are no plain values
FIXED = ("seed", "faults", "clients", "parameters")
RATES = ("interval_ns", "rate_per_s")
Value = str | int | float | bool
Vary = Mapping[str, Sequence[Value]]


@dataclass(frozen=True, slots=True)
class Point:
    """One combination of what is varied, the scenario that it makes, and the facts it is about."""

    values: Mapping[str, Value]
    scenario: Scenario
    facts: str


@dataclass(frozen=True, slots=True)
class Run:
    """One row of a sweep: a point, by its number, under a seed; equal keys give equal rows."""

    key: str
    point: int
    seed: int


@dataclass(frozen=True, slots=True)
class Plan:
    """All runs of a sweep, point by point, ascending seeds."""

    names: tuple[str, ...]
    points: tuple[Point, ...]
    runs: tuple[Run, ...]


def read_vary(texts: Sequence[str]) -> dict[str, list[Value]]:
    """Read `name=a,b,c`, one text per name; raises `RequestError`."""
    found: dict[str, list[Value]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not name or not values or name in found:
            wrong = f"{name!r} is varied twice" if name in found else f"cannot read {text!r}"
            raise RequestError(wrong, place="--vary", mend="write --vary operations=1,10,100")
        found[name] = [_typed(value) for value in values.split(",")]
    return found


def plan(
    raw: Mapping[str, Any],
    vary: Vary,
    seeds: int,
    machine_of: Callable[[str], Machine],
    decide: Decide,
) -> Plan:
    """Make the scenario of every combination, each route decided once, and number all runs.

    `raw` holds the keys of a simulation and `machine`; its `seed` is the first of `seeds`. Raises
    `RequestError` for what cannot be simulated.
    """
    lengths = [len(values) for values in vary.values()]
    count = seeds
    for length in lengths:
        count *= length
    if seeds < 1 or not 1 <= count <= MOST_RUNS:
        raise RequestError(
            f"a sweep has 1 to {MOST_RUNS} runs, not {count}", place="sweep", mend="vary less"
        )
    first = raw.get("seed", 0)
    if not isinstance(first, int) or isinstance(first, bool):
        raise RequestError(f"the first seed is {first!r}", place="sweep seed", mend="seed = 0")
    routes: Routes = {}
    points = []
    for chosen in itertools.product(*vary.values()):
        values = dict(zip(vary, chosen, strict=True))
        points.append(_point(raw, values, machine_of, decide, routes))
    runs = tuple(
        Run(key, at, seed)
        for at, point in enumerate(points)
        for seed, key in _keys(point, range(first, first + seeds))
    )
    return Plan(tuple(vary), tuple(points), runs)


def _point(
    raw: Mapping[str, Any],
    values: Mapping[str, Value],
    machine_of: Callable[[str], Machine],
    decide: Decide,
    routes: Routes,
) -> Point:
    wanted = values.get("machine", raw.get("machine"))
    if not isinstance(wanted, str):
        raise RequestError("which machine?", place="sweep", mend="--machine M, or machine = M")
    machine = machine_of(wanted)
    asked = {key: value for key, value in raw.items() if key != "machine"}
    for name, value in values.items():
        if name != "machine":
            _set(asked, name, value, machine)
    found = prepared(machine, asked, decide, routes=routes)
    return Point(values, found.scenario, machine.digest)


def _set(asked: dict[str, Any], name: str, value: Value, machine: Machine) -> None:
    """Set what is varied: a key of the simulation, a number of the protocol, the members."""
    known = Options.__struct_fields__
    if name == "members":
        asked["members"] = _first(asked.get("members") or machine.usable_pus, value)
    elif name.startswith(PARAMETERS):
        key = name.removeprefix(PARAMETERS)
        asked["parameters"] = {**asked.get("parameters", {}), key: value}
    elif name in known and name not in FIXED:
        if name in RATES:
            # both say how often operations come, and what is varied overrules the file
            for other in RATES:
                asked.pop(other, None)
        asked[name] = value
    else:
        names = ", ".join(each for each in known if each not in FIXED)
        raise RequestError(
            f"{name!r} cannot be varied",
            place="--vary",
            mend=f"these can: machine, {names}, {PARAMETERS}NAME; seeds by --seeds",
        )


def _first(members: Sequence[int], count: Value) -> list[int]:
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= len(members):
        raise RequestError(
            f"members={count!r}: the number of members is 1 to {len(members)}", place="--vary"
        )
    return list(members[:count])


def _keys(point: Point, seeds: range) -> list[tuple[int, str]]:
    """Return the key of each seed: parameters, facts, the simulator's source, our version."""
    scenario = point.scenario
    plain = {
        field.name: repr(getattr(scenario, field.name))
        for field in fields(scenario)
        if field.name not in ("costs", "seed", "engine", "trace")
    }
    shared = hashlib.sha256(
        json.dumps([plain, point.facts, sources_hash(), __version__]).encode()
    ).hexdigest()
    return [(seed, hashlib.sha256(f"{shared} {seed}".encode()).hexdigest()[:32]) for seed in seeds]


def _typed(text: str) -> Value:
    if text in ("true", "false"):
        return text == "true"
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text

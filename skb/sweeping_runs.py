"""What a worker does: runs of scenarios under seeds, as plain rows.

A task names its scenarios by their numbers, since a scenario can be large and a worker gets all
of them once. Nothing in a row depends on who made it, how fast, or after which other row.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from skb.errors import SkbError

if TYPE_CHECKING:
    from simulator import Result, Scenario

Cell = str | int | float | None
Task = tuple[tuple[int, int], ...]
"""(number of the scenario, seed) for each run."""

Done = list[tuple[int, int, tuple[Cell, ...]]]
"""(number of the scenario, seed, the cells of RESULTS) for each run."""

RESULTS: dict[str, type[str] | type[int] | type[float]] = {
    "completed": int,
    "unfinished": int,
    "aborts": int,
    "violations": int,
    "ended": str,
    "mean_ns": float,
    "p50_ns": float,
    "p99_ns": float,
    "max_ns": float,
    "throughput_per_s": float,
    "busiest": float,
    "events": int,
    "trace_digest": str,
}
"""What each run gives: counts, latency, operations per second of simulated time, the share of time
for which its busiest PU is busy, and the digest of its trace.
"""


@cache
def sources_hash() -> str:
    """Return the SHA-256 of all source files of the simulator: protocols, engines, checkers."""
    import simulator

    assert simulator.__file__ is not None
    found = hashlib.sha256()
    for path in sorted(Path(simulator.__file__).parent.rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()


_shipped: list[Scenario] = []


def receive(scenarios: bytes) -> None:
    """Take in all scenarios of a sweep, once in the life of a worker process."""
    _shipped[:] = pickle.loads(scenarios)


def run_task(task: Task) -> Done:
    """Do some runs in a process that has received the scenarios."""
    return run_on(_shipped, task)


def run_afar(scenarios: Sequence[Scenario], task: Task, sources: str) -> Done:
    """Do some runs on another machine; raises `SkbError` where that has other sources."""
    if sources_hash() != sources:
        raise SkbError("a worker of the cluster has another version of the simulator",
                       place="--scheduler", mend="install the same everywhere")  # fmt: skip
    return run_on(scenarios, task)


def run_on(scenarios: Sequence[Scenario], task: Task) -> Done:
    """Do some runs."""
    from simulator import SimulatorError, run

    done: Done = []
    for at, seed in task:
        try:
            result = run(replace(scenarios[at], seed=seed), None, _engine(scenarios[at]))
        except SimulatorError as fault:
            raise SkbError(f"the run of point {at} under seed {seed} ended: {fault}") from fault
        done.append((at, seed, cells(result)))
    return done


def _engine(scenario: Scenario) -> str:
    """Load the compiled engine, unless the plain one is wanted, and return the folder that has it.

    The short runs of a sweep are worth it together: their sum was looked at before.
    """
    if scenario.engine == "plain":
        return ""
    from simulator.engines import player
    from simulator.protocols import require_protocol
    from skb.engines.compiling_simulator import folder

    found = folder()
    player(require_protocol(scenario.protocol), scenario.engine, found)
    return found


def cells(result: Result) -> tuple[Cell, ...]:
    """Return a result in the order of RESULTS."""
    told = result.to_json()
    latency = told["latency"]
    assert isinstance(latency, dict)
    return (
        result.completed,
        result.unfinished,
        result.aborts,
        len(result.violations),
        result.ended,
        *(latency[name] for name in ("mean", "p50", "p99", "max")),
        result.throughput_per_s,
        max(result.occupancy.values(), default=0.0),
        result.events,
        result.trace_digest,
    )

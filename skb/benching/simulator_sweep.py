"""The cases of `skb bench simulator` about sweeps: one worker, then two, and the same rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skb.benching.routing_rows import Check, Row
from skb.machine import Machine
from skb.questions import question
from skb.resources import bundled_machines
from skb.sources import read_path
from skb.sweeping import Plan, Value, plan
from skb.sweeping_files import Kept, digest
from skb.sweeping_pools import processes
from skb.sweeping_told import sweep

if TYPE_CHECKING:
    from skb.benching.simulator import Size
    from skb.decision import Decision, Limits

SUITE, MACHINE = "sweep", "tyan-s4985"
RUNS, FASTER, TURNS = 10_000, 1.6, 2
VARY: Mapping[str, Sequence[Value]] = {"route": ["binary", "numa-aware"], "outstanding": [1, 2]}
ASKED: Mapping[str, Any] = {
    "machine": MACHINE,
    "protocol": "two-phase-commit",
    "members": [0, 4, 8, 12],
    "root": 0,
    "operations": 3,
    "conflict_per_mille": 200,
}


@dataclass(frozen=True, slots=True)
class Swept:
    """One sweep: seconds by the clock, and the digest of its rows."""

    seconds: float
    digest: str


def rows(size: Size | None = None) -> Iterator[Row]:
    """Yield the sweep on one worker, and on as many as asked for (two), each the faster of two."""
    workers = 2 if size is None else max(2, size.workers)
    planned = planned_runs(RUNS)
    turns = [(swept(planned, 1), swept(planned, workers)) for _ in range(TURNS)]
    one = min((first for first, _ in turns), key=lambda found: found.seconds)
    more = min((second for _, second in turns), key=lambda found: found.seconds)
    yield _row(1, one, [])
    least = FASTER * workers / 2
    faster = one.seconds / more.seconds
    same = len({found.digest for turn in turns for found in turn}) == 1
    yield _row(
        workers,
        more,
        [
            (f">= {least:g} times one worker", "" if faster >= least else f"{faster:.2f} times"),
            ("same rows", "" if same else "other rows than one worker"),
        ],
        f"{faster:.2f} times one worker",
    )


def planned_runs(count: int) -> Plan:
    """Return a sweep of about so many small runs."""
    points = len(VARY["route"]) * len(VARY["outstanding"])
    return plan(ASKED, VARY, max(1, count // points), _machine, _decide)


def swept(planned: Plan, workers: int) -> Swept:
    """Do a sweep in this process (one worker) or on processes, start of these included."""
    kept = Kept(planned, None)
    begin = time.perf_counter()
    sweep(planned, kept, None if workers == 1 else processes(workers), workers)
    return Swept(time.perf_counter() - begin, digest(planned, kept.rows))


def _machine(name: str) -> Machine:
    return Machine(name, read_path(bundled_machines()[name]).facts)


def _decide(name: str, machine: Machine, raw: Mapping[str, Any], limits: Limits) -> Decision:
    return question(name).decide(machine, raw, limits)


def _row(workers: int, found: Swept, checks: list[Check], beside: str = "") -> Row:
    return Row(
        SUITE,
        f"{RUNS:,} runs, {workers} worker{'s' if workers > 1 else ''}",
        "runs/s",
        RUNS / found.seconds,
        None,
        None,
        "measured",
        round(found.seconds, 3),
        target=", ".join(text for text, _miss in checks),
        misses=tuple(miss for _text, miss in checks if miss),
        beside=beside,
        note=f"rows {found.digest[:16]}",
    )

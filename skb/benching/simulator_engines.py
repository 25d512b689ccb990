"""The suite engines of `skb bench simulator`: ours, SimPy and an engine in C on one workload.

Ours runs a protocol as it is written, single-phase commit, and writes down what each node delivers;
the C engine knows nothing but this workload. Times are those of the processor for the event loop,
the best of a few runs, without the digest of the trace. All must find the same latencies.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator import MessageCosts, Tree
from simulator.compiled import compiled
from simulator.compiled_run import play as play_compiled
from simulator.links import Links
from simulator.playing import Played, play
from simulator.protocols.single_phase_commit import SinglePhaseCommit
from simulator.scenario import Scenario, setting_of
from skb.benching import simulator_c, simulator_simpy
from skb.benching.routing_rows import Row
from skb.benching.simulator import Size
from skb.benching.simulator_workload import (
    OCCUPANCY_PS,
    RECEIVE_PS,
    SEND_PS,
    Workload,
    workload,
)
from skb.engines.compiling_simulator import folder_for
from skb.errors import SkbError

SUITE = "engines"
RUNS = 5
# million events per second of processor time, and how many times as fast as the others
SMALL_M, LARGE_M = 15.0, 8.0
TIMES_SIMPY, TIMES_C = 150.0, 0.2


@dataclass(frozen=True, slots=True)
class Load:
    """A size of the workload: operations for each kind of engine, and how many per microsecond."""

    name: str
    dimension: int
    cores: int
    per_us: float
    compiled: int
    plain: int
    simpy: int


LOADS = (
    Load("32 nodes, light load", 3, 4, 0.1, 40_000, 2000, 500),
    Load("32 nodes", 3, 4, 0.5, 40_000, 2000, 500),
    Load("32 nodes, root 95 % busy", 3, 4, 0.68, 40_000, 2000, 500),
    Load("1024 nodes", 6, 16, 0.05, 1500, 60, 0),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What an engine did: latencies in picoseconds, events, seconds of processor time."""

    took_ps: tuple[int, ...]
    events: int
    cpu_s: float

    @property
    def million_per_s(self) -> float:
        """Million events per second."""
        return self.events / self.cpu_s / 1e6


def rows(size: Size) -> Iterator[Row]:
    """Yield a row for each engine and load."""
    for load in LOADS:
        yield from _rows_of(load, size.c_engine)


def _rows_of(load: Load, c_engine: Path | None) -> Iterator[Row]:
    """Yield the rows of one load; the compiled engine's has the targets, and so comes last."""
    found: dict[str, Measured] = {}
    if load.simpy and simulator_simpy.installed():
        found["SimPy"] = _simpy(_work(load, load.simpy))
    if simulator_c.compiler() is not None:
        work = _work(load, load.compiled)
        sources = {"C": simulator_c.SOURCE} | ({"C given": c_engine} if c_engine else {})
        for name, source in sources.items():
            engine = simulator_c.built(source)
            found[name] = _best(lambda engine=engine, work=work: _c(engine, work))  # type: ignore[misc]
    found["plain"] = plain(_work(load, load.plain))
    ours = _compiled(_work(load, load.compiled))
    # an operation may have to wait for later ones, so the shorter runs are compared with their like
    like = {len(ours.took_ps): ours}
    for count in {len(other.took_ps) for other in found.values()} - like.keys():
        like[count] = _compiled(_work(load, count), runs=1)
    faults = [
        f"{name} finds other latencies"
        for name, other in found.items()
        if other.took_ps != like[len(other.took_ps)].took_ps
    ]
    for name, other in found.items():
        yield _row(f"{load.name}, {name}", other)
    yield judged(load, ours, found, faults)


def judged(load: Load, ours: Measured, found: dict[str, Measured], faults: Sequence[str]) -> Row:
    """Return the row of the compiled engine, held against targets and the other engines."""
    speed = ours.million_per_s
    small = load.cores * (1 << load.dimension) <= 32
    least = SMALL_M if small else LARGE_M
    # the targets are those of a load that keeps a queue filled, but does not yet stand in line
    targets, misses = [f">= {least:g} M/s"], []
    if speed < least:
        misses.append(f"{speed:.1f} M/s is below {least:g}")
    for name, times in (("SimPy", TIMES_SIMPY), ("C", TIMES_C), ("C given", TIMES_C)):
        if name in found and small:
            ratio = speed / found[name].million_per_s
            targets.append(f">= {times:g} x {name}")
            if ratio < times:
                misses.append(f"{ratio:.2f} x {name} is below {times:g}")
    beside = ", ".join(
        f"{speed / other.million_per_s:.3g} x {name}" for name, other in found.items()
    )
    return Row(
        SUITE, f"{load.name}, compiled", "M events/s", round(speed, 2), None, None, "measured",
        ours.cpu_s, ours.cpu_s, ", ".join(targets), tuple(misses), beside,
        f"{ours.events:,} events", tuple(faults),
    )  # fmt: skip


def _row(case: str, other: Measured) -> Row:
    return Row(
        SUITE, case, "M events/s", round(other.million_per_s, 2), None, None, "measured",
        other.cpu_s, other.cpu_s,
    )  # fmt: skip


def _work(load: Load, operations: int) -> Workload:
    return workload(load.dimension, load.cores, operations, load.per_us)


def _best(run: Callable[[], Measured], runs: int = RUNS) -> Measured:
    return min((run() for _ in range(runs)), key=lambda ran: ran.cpu_s)


def _simpy(work: Workload) -> Measured:
    """SimPy counts other events than ours: it is held against the number of the workload's."""
    begin = time.thread_time()
    took = simulator_simpy.latencies(work)
    spent = time.thread_time() - begin
    return Measured(tuple(took), work.events_per_operation * len(work.arrivals), spent)


def _c(engine: simulator_c.Engine, work: Workload) -> Measured:
    ran = engine(work)
    return Measured(tuple(ran.took_ps.tolist()), ran.events, ran.cpu_s)


# ------------------------------------------------------------ ours
def scenario_of(work: Workload) -> Scenario:
    """Return the workload as a scenario: one cost for all pairs, links on the way of each."""
    members = tuple(range(work.count))
    pairs = [(u, v) for u in members for v in members if u != v]
    costs = MessageCosts(members, dict.fromkeys(pairs, SEND_PS), dict.fromkeys(pairs, RECEIVE_PS))
    links = Links(
        tuple(f"link {number}" for number in range(work.links)),
        (OCCUPANCY_PS,) * work.links,
        tuple(work.latency_ps(number) for number in range(work.links)),
        work.routes,
    )
    tree = Tree(0, dict(enumerate(work.children)))
    return Scenario(
        costs, tree, "by hand", SinglePhaseCommit.name, operations=len(work.arrivals),
        links=links, arrivals_ps=work.arrivals, digest=False, model="postal",
        event_limit=1 << 60,
    )  # fmt: skip


def plain(work: Workload) -> Measured:
    scenario = scenario_of(work)
    setting = setting_of(scenario, SinglePhaseCommit)
    begin = time.thread_time()
    played = play(setting, None)
    return _measured(played, work, time.thread_time() - begin)


def _compiled(work: Workload, runs: int = RUNS) -> Measured:
    """Time the event loop alone, as in the C engine; what is read out of it afterwards is not."""
    scenario = scenario_of(work)
    folder = folder_for(scenario)
    run, dispatch = compiled(SinglePhaseCommit, folder)

    def once() -> Measured:
        spent = 0.0

        def timed(*arguments: Any) -> Any:
            nonlocal spent
            begin = time.thread_time()
            why = run(*arguments)
            spent += time.thread_time() - begin
            return why

        played = play_compiled(setting_of(scenario, SinglePhaseCommit), timed, dispatch)
        return _measured(played, work, spent)

    return _best(once, runs)


def _measured(played: Played, work: Workload, spent: float) -> Measured:
    """Return latencies and speed; raises `SkbError` where an operation did not end."""
    if len(played.finished) != len(work.arrivals):
        raise SkbError(f"the run ended as {played.ended}, with operations unfinished")
    took = tuple(played.finished[op][0] - arrival for op, arrival in enumerate(work.arrivals))
    return Measured(took, played.events, spent)

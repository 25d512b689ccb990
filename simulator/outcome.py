"""From what a run leaves behind to its `Result`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from simulator.checkers import judge
from simulator.driver import STALLED
from simulator.engine import FINISHED
from simulator.history import ABORT, History
from simulator.playing import Played
from simulator.protocols.protocol import Protocol
from simulator.result import Result

if TYPE_CHECKING:
    from simulator.scenario import Scenario


def phases_of(protocol: type[Protocol], history: History, operation: int) -> dict[str, int]:
    """Return when an operation reached each phase, from its begin; an unreached one is missing."""
    start = history.proposals[operation].start_ps
    phases: dict[str, int] = {}
    for phase in protocol.phases:
        entries = history.by_event[phase.event]
        times = [time for time, _, op, _, _ in entries if op == operation]
        if phase.when == "first" and times:
            phases[phase.name] = min(times) - start
        elif phase.when == "last" and len(times) >= len(history.members):
            phases[phase.name] = max(times) - start
    return phases


def outcome(
    scenario: Scenario,
    protocol: type[Protocol],
    nodes: Sequence[Protocol],
    played: Played,
    history: History,
) -> Result:
    """Put the numbers of a run together; `nodes` are its members and, behind them, its lines."""
    finished: Mapping[int, tuple[int, int]] = dict(sorted(history.finished.items()))
    unfinished = scenario.operations - len(finished)
    elapsed = played.now_ps
    lines = line_names(protocol, nodes, history.members)
    return Result(
        protocol=scenario.protocol,
        machine=scenario.machine,
        route=scenario.route_name,
        model=scenario.model,
        operations=scenario.operations,
        completed=len(finished),
        unfinished=unfinished,
        aborts=sum(
            outcome == ABORT and bool(history.proposals[op].write)
            for op, (_, outcome) in finished.items()
        ),
        ended=STALLED if played.ended == FINISHED and unfinished else played.ended,
        ended_ps=played.ended_ps,
        latency_ps=tuple(
            time - history.proposals[op].start_ps for op, (time, _) in finished.items()
        ),
        elapsed_ps=elapsed,
        phases_ps=phases_of(protocol, history, 0),
        violations=judge(history, protocol.promises),
        occupancy={
            pu: busy / elapsed if elapsed else 0.0
            for pu, busy in zip(history.members, played.busy_ps, strict=False)
        },
        line_occupancy={
            name: busy / elapsed
            for name, busy in zip(lines, played.busy_ps[len(history.members) :], strict=True)
            if busy
        },
        links=played.links,
        lost=played.lost,
        delayed=played.delayed,
        events=played.events,
        engine=played.engine,
        trace_digest=played.digest,
        seed=scenario.seed,
        trace=played.rows,
        came_ps=played.came_ps,
        worked_ps=max((time for time, _ in finished.values()), default=0)
        if protocol.endless
        else 0,
    )


def line_names(
    protocol: type[Protocol], nodes: Sequence[Protocol], pus: Sequence[int]
) -> list[str]:
    """Return a name for each cache line of a run, in order of their nodes."""
    rows = {
        "one": ["line"],
        "item": [f"item:{item}" for item in range(nodes[0].items)],
        "member": [f"pu:{pu}" for pu in pus],
        "domain": [f"domain:{domain}" for domain in range(nodes[0].domains)],
    }
    names: list[str] = []
    for number, kind in enumerate(protocol.cache_lines):
        again = f" ({number + 1})" if kind in protocol.cache_lines[:number] else ""
        names += [name + again for name in rows[kind]]
    return names

"""The facade: measure messages and memory of the host that this runs on.

A run has a budget of seconds. Pairs are visited twice, and again where the visits do not agree;
whatever happens, nothing waits beyond the budget and a fifth.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby

from skb.errors import RequestError
from skb.machine import Machine
from skb.probe.atomics import Kernels, compiled
from skb.probe.buffers import huge_pages
from skb.probe.memory import MemoryResult, MemoryRun, line_bytes
from skb.probe.messages import FLOORS, Bench, Series, clock_ns, visit, warm_up
from skb.probe.plan import Pair, Plan, Reach, plan_memory, plan_pairs, pooled
from skb.probe.statistics import Batches, Settled, settle

WHAT = ("messages", "memory")
MOST_VISITS = 5
# a pair deserves at most this long; below the least, batches are too few to judge
MOST_VISIT_S = 0.5
LEAST_VISIT_S = 0.04
WARM_UP_S = 0.1
OVERTIME = 1.2
UNBOUND_OVERTIME = 2.0

Progress = Callable[[float, str], None]
Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Options:
    """What is to be measured: PUs (None: all permitted), parts, a budget, how pairs are chosen."""

    pus: tuple[int, ...] | None = None
    what: tuple[str, ...] = WHAT
    seconds: float | None = None
    pairs: str | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured: message costs by (what, from, to), memory, and what was not."""

    when: str
    seconds: float
    clock_ns: float
    pus: tuple[int, ...]
    plan: Plan
    costs: Mapping[Key, Settled]
    memory: tuple[MemoryResult, ...]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Run:
    """One run: what it may use, and what it has to say."""

    machine: Machine
    options: Options
    pus: tuple[int, ...]
    kernels: Kernels
    clock_ns: float
    progress: Progress
    notes: list[str] = field(default_factory=list)


def measure(
    machine: Machine, options: Options, progress: Progress = lambda share, what: None
) -> Report:
    """Measure the host; `machine` describes it, `progress` is told the share done and what is next.

    Raises `RequestError` where too few PUs may be used or the options are impossible, `SkbError`
    where numba is missing.
    """
    began = time.monotonic()
    pus, notes = _permitted(machine, options)
    plan = plan_pairs(machine, pus, options.pairs, options.seed)
    if plan.sampled:
        notes += pooled(plan)
    reaches = plan_memory(machine, pus) if "memory" in options.what else ()
    if "memory" in options.what and not reaches:
        notes.append("memory was not measured: no NUMA node with a size is known")
    progress(0.0, "compiling")
    kernels = compiled()
    warm_up(kernels, pus, WARM_UP_S)
    run = _Run(machine, options, pus, kernels, clock_ns(kernels), progress, notes)
    messages_s, memory_s = shares(plan, reaches, options)
    share = messages_s / (messages_s + memory_s) if messages_s + memory_s else 0.0
    costs = _messages(run, plan, messages_s, share) if messages_s else {}
    memory = _memory(run, reaches, memory_s, share) if memory_s else []
    progress(1.0, "done")
    return Report(
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - began, 3),
        clock_ns=run.clock_ns,
        pus=pus,
        plan=plan,
        costs=costs,
        memory=tuple(memory),
        notes=tuple(run.notes),
    )


def shares(plan: Plan, reaches: Sequence[Reach], options: Options) -> tuple[float, float]:
    """Return the seconds for messages and for memory: the budget in proportion to the need."""
    wanted = "messages" in options.what
    messages = min(120.0, max(3.0, 0.5 * len(plan.pairs))) if wanted and plan.pairs else 0.0
    targets = len({reach.target for reach in reaches})
    memory = min(120.0, 2.0 * len(reaches) + 2.0 * targets)
    if options.seconds is None or messages + memory == 0:
        return messages, memory
    scale = options.seconds / (messages + memory)
    return messages * scale, memory * scale


def _permitted(machine: Machine, options: Options) -> tuple[tuple[int, ...], list[str]]:
    """Return the PUs that are measured, and notes about those that are not."""
    if unknown := sorted(set(options.what) - set(WHAT)):
        raise RequestError(f"cannot measure {unknown[0]!r}", mend=f"--what {','.join(WHAT)}")
    if options.seconds is not None and not 0 < options.seconds <= 86400:
        raise RequestError(f"{options.seconds:g} is no budget of seconds", mend="0 < S <= 86400")
    affinity = os.sched_getaffinity(0)
    usable = set(machine.usable_pus) & affinity
    notes = []
    if options.pus is None:
        wanted = set(machine.pus)
        if left := sorted(wanted - usable):
            notes.append(f"{len(left)} PUs were not measured, they may not be used: {_few(left)}")
    else:
        wanted = set(options.pus)
        for pu in sorted(wanted - usable):
            outside = "it is outside the affinity of this process"
            why = machine.unusable(f"pu:{pu}") if machine.has(f"pu:{pu}") else "it is not there"
            raise RequestError(
                f"pu:{pu} cannot be measured: {why or outside}",
                mend=f"this process may use {_few(sorted(usable))}",
            )
    pus = tuple(sorted(wanted & usable))
    if not pus or ("messages" in options.what and len(pus) < 2):
        raise RequestError(
            f"messages need two PUs, and this process may use {_few(pus) or 'none'}"
            if pus
            else "none of the PUs may be used by this process",
            mend="allow more (taskset, cpuset of the container), or measure --what memory",
        )
    return pus, notes


def _few(numbers: Sequence[int]) -> str:
    shown = ", ".join(str(number) for number in numbers[:12])
    return f"{shown}, …" if len(numbers) > 12 else shown


# ---------------------------------------------------------------- messages
def _messages(run: _Run, plan: Plan, seconds: float, share: float) -> dict[Key, Settled]:
    """Visit every pair twice, then again those that did not agree, within the budget."""
    begin = time.monotonic_ns()
    soft_ns = begin + int(seconds * 1e9)
    bench = Bench(
        run.kernels, run.clock_ns, line_bytes(run.machine), begin + int(OVERTIME * seconds * 1e9)
    )
    # two visits, and half of them once more
    each = seconds / len(plan.pairs) / 2.5
    each = min(MOST_VISIT_S, max(LEAST_VISIT_S, each))
    visits: dict[Pair, list[Series]] = defaultdict(list)

    def go(pairs: Sequence[Pair]) -> None:
        for first, second in pairs:
            if time.monotonic_ns() >= soft_ns:
                return
            done = (time.monotonic_ns() - begin) / (soft_ns - begin)
            run.progress(share * min(done, 1.0), f"pu:{first} and pu:{second}")
            visits[first, second].append(visit(bench, first, second, each))

    go(plan.pairs)
    for _ in range(MOST_VISITS - 1):
        go([pair for pair in plan.pairs if _unsettled(visits[pair])])
    _note_visits(run, plan, visits)
    return {
        key: settled for pair in plan.pairs for key, settled in settled_costs(visits[pair]).items()
    }


def settled_costs(visits: Sequence[Series]) -> dict[Key, Settled]:
    """Return what the visits to a pair say together, by what and direction."""
    found: dict[Key, list[Batches]] = defaultdict(list)
    for series in visits:
        for key, batches in series.items():
            found[key].append(batches)
    return {key: settle(batches, FLOORS[key[0]]) for key, batches in found.items()}


def _unsettled(visits: Sequence[Series]) -> bool:
    return len(visits) < 2 or any(row.disturbed for row in settled_costs(visits).values())


def _note_visits(run: _Run, plan: Plan, visits: Mapping[Pair, Sequence[Series]]) -> None:
    never = [pair for pair in plan.pairs if not any(visits[pair])]
    once = [pair for pair in plan.pairs if len(visits[pair]) == 1 and visits[pair][0]]
    if never:
        run.notes.append(
            f"{len(never)} of {len(plan.pairs)} pairs were not measured: the time was over, or one "
            "of the PUs did not get to run (more --seconds)"
        )
    if once:
        run.notes.append(
            f"{len(once)} of {len(plan.pairs)} pairs were visited once, so that no second visit "
            "confirms them (more --seconds)"
        )


# ---------------------------------------------------------------- memory
def _memory(
    run: _Run, reaches: Sequence[Reach], seconds: float, share: float
) -> list[MemoryResult]:
    begin = time.monotonic_ns()
    # a fresh virtual machine takes seconds to get its memory: waited for where nobody set a budget
    overtime = UNBOUND_OVERTIME if run.options.seconds is None else OVERTIME
    end_ns = begin + int(overtime * seconds * 1e9)
    memory = MemoryRun(run.kernels, run.machine, run.options.seed, end_ns, run.notes)

    def step(what: str) -> None:
        done = (time.monotonic_ns() - begin) / (seconds * 1e9)
        run.progress(share + (1 - share) * min(done, 1.0), what)

    found = []
    for _target, group in groupby(reaches, key=lambda reach: reach.target):
        same = list(group)
        step(f"memory of numa:{same[0].target}")
        found += memory.measure(same, seconds * len(same) / len(reaches), step)
    if not huge_pages():
        run.notes.append("the kernel gives no huge pages: memory latency contains page walks")
    return found

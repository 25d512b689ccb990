"""What is asked of a placement that stands: one more task, a repair when a part goes off, and which
constraints clash. Milliseconds of single answers; the checker judges them outside of the timing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any, TypeVar

from skb.benching.clashing_requests import KINDS, bench_machine, clashing_request
from skb.benching.random_requests import SHAPES, machine_of, request_of
from skb.checkers.placement import check
from skb.containment import kind_of
from skb.decision import Limits
from skb.machine import Machine
from skb.questions.placement import decide
from skb.questions.placement_clash import Judge, instance_of
from skb.questions.placement_repair import Event, Mended, Repair
from skb.questions.placement_resident import Resident

Result = TypeVar("Result")
Plain = dict[str, Any]
CASE = "m1024/512"
ASKS, WARM, EVENTS = 1000, 50, 8
CHECK_EVERY = 50
PLACING_S, REPAIRING_S, CLASHING_S = 10.0, 5.0, 10.0
# milliseconds
ASK_P50, ASK_P99, SAFE, PROVEN, CLASH = 0.5, 1.0, 5.0, 100.0, 25.0


@dataclass(frozen=True, slots=True)
class Figure:
    """Milliseconds of many answers of one kind, by the clock and by the processor.

    `most` is the target: the share of answers within so many milliseconds; `kept` is what else they
    must hold, in words, and `breaches` how many do not. `faults` is what the checker says.
    """

    what: str
    count: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    cpu_p50_ms: float
    most: tuple[tuple[float, float], ...]
    kept: str = ""
    breaches: int = 0
    faults: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Whether all shares are within their milliseconds, and everything holds."""
        by_share = {0.5: self.p50_ms, 0.99: self.p99_ms}
        return not self.breaches and all(by_share[share] <= ms for share, ms in self.most)

    @property
    def target(self) -> str:
        """The target in words."""
        words = [f"p{share * 100:g} at most {ms:g} ms" for share, ms in self.most]
        return f"{self.what}: {', '.join([*words, *([self.kept] if self.kept else [])])}"

    @property
    def figure(self) -> str:
        """What came of it in words."""
        text = f"p50 {self.p50_ms:.2f}, p99 {self.p99_ms:.2f}, worst {self.worst_ms:.2f} ms"
        missed = f"; {self.breaches} of {self.count} not so" * bool(self.breaches)
        return f"{text} of {self.count} (CPU p50 {self.cpu_p50_ms:.2f} ms){missed}"


class _Times:
    """A stopwatch for many answers."""

    def __init__(self) -> None:
        self.clock: list[float] = []
        self.processor: list[float] = []

    def of(self, work: Callable[[], Result]) -> Result:
        begin, spent = time.perf_counter(), time.process_time()
        found = work()
        self.processor.append(1e3 * (time.process_time() - spent))
        self.clock.append(1e3 * (time.perf_counter() - begin))
        return found

    def figure(self, what: str, most: tuple[tuple[float, float], ...], **more: Any) -> Figure:
        values = sorted(self.clock)
        return Figure(
            what,
            len(values),
            median(values),
            values[min(len(values) - 1, int(0.99 * len(values)))],
            values[-1],
            median(self.processor),
            most,
            **more,
        )


def placed(case: str = CASE) -> tuple[Machine, Plain]:
    """Return a machine and a decision to stand on."""
    name, _, tasks = case.partition("/")
    machine = machine_of(name)
    found = decide(machine, request_of(name, int(tasks)), Limits(seconds=PLACING_S))
    return machine, found.to_json()


def resident(machine: Machine, decision: Plain, case: str = CASE, asks: int = ASKS) -> Figure:
    """Return what one more task takes, asked again and again of a placement in memory."""
    draw = random.Random(1)
    standing = Resident.of(machine, decision)
    name, tasks = case.partition("/")[0], list(standing.told)
    questions = [question(name, tasks, draw) for _ in range(WARM + asks)]
    for row, talk in questions[:WARM]:
        standing.ask(row, talk)
    times = _Times()
    for row, talk in questions[WARM:]:
        times.of(partial(standing.ask, row, talk))
    faults = [
        fault
        for row, talk in questions[WARM::CHECK_EVERY]
        for fault in check(machine, standing.decision(row, talk))
    ]
    return times.figure(
        f"one more task beside {case.partition('/')[2]} on {name}",
        ((0.5, ASK_P50), (0.99, ASK_P99)),
        faults=tuple(faults),
    )


def question(name: str, tasks: Sequence[str], draw: random.Random) -> tuple[Plain, list[Plain]]:
    """Return a task with needs and wishes, and its traffic to one to seven of the others."""
    shape = SHAPES[name]
    caches = shape.packages * shape.caches
    row: Plain = {"name": "new", "cache_mib": draw.choice([1, 2, 3])}
    if draw.random() < 0.2:
        row["isa"] = "avx512"
    if draw.random() < 0.3:
        row["near"] = {f"package:{draw.randrange(shape.packages)}": draw.randint(4, 15)}
    if draw.random() < 0.2:
        part = draw.choice(["l3", "package", "pu"])
        count = {"l3": caches, "package": shape.packages, "pu": caches * shape.cores}[part]
        row[draw.choice(["at", "not_at"])] = f"{part}:{draw.randrange(count)}"
    if draw.random() < 0.3:
        row["load"] = draw.choice([0.25, 0.5])
    if draw.random() < 0.1:
        row["cores"] = draw.choice([1, 2, 4])
    talk = [
        {"from": "new", "to": draw.choice(tasks), "messages_per_s": draw.randint(1, 12)}
        for _ in range(draw.randint(1, 7))
    ]
    return row, talk


def repairs(
    machine: Machine, decision: Plain, case: str = CASE, events: int = EVENTS
) -> list[Figure]:
    """Return what a safe answer and a proven repair take after an L3 that holds tasks went off."""
    repair = Repair(machine, decision)
    safe_times, best_times = _Times(), _Times()
    faults: list[str] = []
    moved = open_ = 0
    for part in _parts(machine, decision, events):
        event, safe = safe_times.of(partial(_safe, repair, part))
        best = best_times.of(partial(event.best, Limits(seconds=REPAIRING_S), safe))
        for stage in (safe, best):
            if stage is not None:
                found = event.decision(stage)
                faults += check(event.resident.machine, found)
                moved += _others_moved(event, decision, found.answer["tasks"])
        last = best or safe
        open_ += last is None or event.decision(last).status.value != "optimal"
        event.undo()
        repair.on(part).undo()
    size = case.partition("/")[2]
    what = f"an L3 off under {size} tasks on {case.partition('/')[0]}"
    return [
        safe_times.figure(
            f"{what}, a safe answer",
            ((0.5, SAFE),),
            kept="only evicted tasks move",
            breaches=moved,
            faults=tuple(faults),
        ),
        best_times.figure(
            f"{what}, the proven repair", ((0.5, PROVEN),), kept="each proven", breaches=open_
        ),
    ]


def _safe(repair: Repair, part: str) -> tuple[Event, Mended | None]:
    event = repair.off(part)
    return event, event.safe()


def _others_moved(event: Event, decision: Plain, tasks: Plain) -> bool:
    """Whether a task moved that could have stayed."""
    before = decision["answer"]["tasks"]
    return any(tasks[name] != before[name] for name in before if name not in event.evicted)


def _parts(machine: Machine, decision: Plain, count: int) -> list[str]:
    used = {
        part
        for row in decision["answer"]["tasks"].values()
        for part in machine.ancestors(f"pu:{row['pus'][0]}")
        if kind_of(part) == "l3"
    }
    return random.Random(3).sample(sorted(used), min(count, len(used)))


def clashes(seeds: int = 1) -> Figure:
    """Return what it takes to name a minimal clash among 400 constraints on 128 cores."""
    machine, limits = bench_machine("m128"), Limits(seconds=CLASHING_S)
    times = _Times()
    loose = 0
    for number, kind in enumerate(("chain", *KINDS)):
        for seed in range(seeds if number else 1):
            instance = instance_of(machine, clashing_request(kind, seed))
            judge = Judge(instance, limits, time.monotonic() + limits.seconds)
            verdict = times.of(partial(judge.judge, tuple(instance.rules), clash=True))
            loose += not (verdict.exact and verdict.rules)
    # the first one compiles and imports
    times.clock, times.processor = times.clock[1:], times.processor[1:]
    return times.figure(
        "a clash among 400 constraints on m128",
        ((0.5, CLASH),),
        kept="each member proven to be needed",
        breaches=loose,
    )

"""A resident placement: what one more question takes, and a repair after a part went away.

`python -m tests.bench.resident [MACHINE/TASKS...] [--asks N] [--events N] [--limit SECONDS]
[--check-all]`; the machines are those of `tests.bench.placement`. Asks differ in devices, pins,
loads, needs and traffic. Milliseconds are of the clock, and of the processor where the column says
so; the checker judges the answers outside of the timing (every 20th ask on 1024 cores, unless
`--check-all`). Prices are in units of 10 ns/s. Ends with 1 where the checker disagrees.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from skb.benching.standing import question
from skb.checkers.placement import check
from skb.containment import kind_of
from skb.decision import Limits
from skb.machine import Machine
from skb.questions.placement import decide
from skb.questions.placement_repair import Repair
from skb.questions.placement_resident import Resident
from tests.bench.placement_requests import machine_of, request_of

CASES = ("m32/16", "m128/64", "m128/100", "m1024/512")
Result = TypeVar("Result")
Row = dict[str, Any]


def timed(work: Callable[[], Result]) -> tuple[Result, float, float]:
    """Return a result with the milliseconds of the clock and of this thread's processor."""
    clock, processor = time.perf_counter(), time.thread_time()
    found = work()
    return found, 1e3 * (time.perf_counter() - clock), 1e3 * (time.thread_time() - processor)


def share(values: Sequence[float], part: float) -> float:
    """Return the value below which this share of all lies."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def asks(case: str, machine: Machine, placed: Row, count: int, every: int) -> int:
    """Print what questions take; return how many answers the checker refused."""
    draw = random.Random(1)
    resident, built, _cpu = timed(lambda: Resident.of(machine, placed))
    name, tasks = case.partition("/")[0], list(resident.told)
    questions = [question(name, tasks, draw) for _ in range(count + 50)]
    for row, talk in questions[count:]:
        resident.ask(row, talk)
    clock, processor, free, wrong = [], [], 0, 0
    for row, talk in questions[:count]:
        place, wall, cpu = timed(partial(resident.ask, row, talk))
        clock.append(wall)
        processor.append(cpu)
        free += bool(place.pus)
    for row, talk in questions[:count:every]:
        wrong += bool(check(machine, resident.decision(row, talk)))
    cells = [share(clock, 0.5), share(clock, 0.99), share(processor, 0.5), share(processor, 0.99)]
    print(
        f"{case:<11}{count:>6}{free:>8}{built:>8.0f}",
        *(f"{value:>7.3f}" for value in cells),
        f"{-(-count // every):>9} checked, {wrong} wrong",
        flush=True,
    )
    return wrong


def parts(machine: Machine, placed: Row, kind: str, count: int) -> list[str]:
    """Return random parts of a kind that hold a task."""
    used = {
        part
        for row in placed["answer"]["tasks"].values()
        for part in machine.ancestors(f"pu:{row['pus'][0]}")
        if kind_of(part) == kind
    }
    return random.Random(3).sample(sorted(used), min(count, len(used)))


def events(case: str, machine: Machine, placed: Row, kind: str, count: int) -> int:
    """Print what repairs take, one line for each event; return how many were wrong."""
    repair = Repair(machine, placed)
    wrong = 0
    for part in parts(machine, placed, kind, count):
        (event, safe), wall, cpu = timed(partial(_safe, repair, part))
        if safe is None:
            print(f"{case:<11}{part:<12}{len(event.evicted):>4}  no room without moving others")
        else:
            best, more, more_cpu = timed(partial(event.best, Limits(), safe))
            first, last = event.decision(safe), event.decision(best or safe)
            wrong += bool(check(event.resident.machine, first))
            wrong += bool(check(event.resident.machine, last))
            values = [placed["objective"]["value"], first.objective.value, last.objective.value]
            print(
                f"{case:<11}{part:<12}{len(event.evicted):>4}{wall:>8.2f}{cpu:>8.2f}"
                f"{more:>8.1f}{more_cpu:>8.1f}  {last.status.value:<9}",
                *(f"{(value or 0) / 10:>7.0f}" for value in values),
                f"{last.gap or 0:>5.0%}",
                flush=True,
            )
        event.undo()
        repair.on(part).undo()
    return wrong


def _safe(repair: Repair, part: str) -> tuple[Any, Any]:
    event = repair.off(part)
    return event, event.safe()


def main() -> int:
    """Print a row for each case, then one for each event."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":", maxsplit=1)[0])
    parser.add_argument("cases", nargs="*", default=CASES, metavar="MACHINE/TASKS")
    parser.add_argument("--asks", type=int, default=2000)
    parser.add_argument("--events", type=int, default=8)
    parser.add_argument("--limit", type=float, default=5.0, help="seconds for the first placement")
    parser.add_argument("--check-all", action="store_true")
    asked = parser.parse_args()
    placed: dict[str, tuple[Machine, Row]] = {}
    for case in asked.cases:
        name, _, tasks = case.partition("/")
        machine = machine_of(name)
        request = request_of(name, int(tasks))
        found = decide(machine, request, Limits(seconds=asked.limit))
        placed[case] = machine, found.to_json()
    wrong = 0
    widths = (6, 8, 8, 8, 8, 8, 8)
    heads = ("asks", "placed", "build", "p50", "p99", "CPU50", "CPU99")
    print(f"{'case':<11}", *(f"{h:>{w}}" for h, w in zip(heads, widths, strict=True)), sep="")
    for case, (machine, row) in placed.items():
        every = 20 if len(machine.pus) > 256 and not asked.check_all else 1
        wrong += asks(case, machine, row, asked.asks, every)
    print(f"{'case':<11}{'off':<12} out    safe     CPU    best     CPU  ", end="")
    print("status     before    safe    best   gap")
    for kind in ("l3", "package"):
        for case, (machine, row) in placed.items():
            count = asked.events if kind == "l3" else 2
            wrong += events(case, machine, row, kind, count)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())

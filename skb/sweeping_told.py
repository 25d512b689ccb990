"""Doing a sweep, and what its rows say: one line per combination of parameters."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from skb.sweeping import Plan, Run, Value
from skb.sweeping_files import Kept, Rows
from skb.sweeping_pools import Work, here, seconds_of, tasks
from skb.sweeping_runs import RESULTS, Cell, Done

if TYPE_CHECKING:
    from simulator import Scenario

COMPILED_FROM = 100
"""Operations times members from which on a run is faster compiled, once that is loaded."""

AVERAGED = ("mean_ns", "p50_ns", "p99_ns", "throughput_per_s", "busiest")
SUMMED = ("completed", "unfinished", "aborts", "violations")


def sweep(
    plan: Plan,
    kept: Kept,
    work: Work | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Do the runs of a plan whose rows are not there yet; return how many that were.

    `work` does the tasks, this process where it is None. The first run is done here, to know how
    long they take.
    """
    left = [run for run in plan.runs if run.key not in kept.rows]
    scenarios = on_engines(plan, left, workers)
    if not left:
        kept.close()
        return 0
    keys = {(run.point, run.seed): run.key for run in left}
    seconds, done = seconds_of(scenarios, left[0])
    cut = tasks(left[1:], workers, seconds)
    finished = len(plan.runs) - len(left)
    for rows in _chained(done, (here if work is None else work)(scenarios, cut)):
        kept.add({keys[at, seed]: row for at, seed, row in rows})
        finished += len(rows)
        if progress is not None:
            progress(finished, len(plan.runs))
    kept.close()
    return len(left)


def on_engines(plan: Plan, left: Sequence[Run], workers: int) -> list[Scenario]:
    """Return the scenarios, on the plain engine where loading the compiled one is not worth it.

    Where it is asked for, or worth that too, it is compiled here, so that workers find it.
    """
    from simulator.engines import COMPILING, WORTH
    from skb.engines.compiling_simulator import compile_now, folder

    works = [point.scenario.operations * len(point.scenario.tree.members) for point in plan.points]
    counts = Counter(run.point for run in left)
    long = {at for at in counts if works[at] >= COMPILED_FROM}
    work = sum(works[at] * counts[at] for at in long)
    worth = work >= WORTH * workers
    asked = {
        point.scenario.protocol for point in plan.points if point.scenario.engine == "compiled"
    }
    if work >= COMPILING * workers and folder():
        autos = (plan.points[at].scenario for at in long)
        asked |= {scenario.protocol for scenario in autos if scenario.engine == "auto"}
    if asked:
        compile_now(sorted(asked))
    return [
        replace(point.scenario, engine="plain")
        if point.scenario.engine == "auto" and not (worth and at in long)
        else point.scenario
        for at, point in enumerate(plan.points)
    ]


def _chained(first: Done, others: Iterator[Done]) -> Iterator[Done]:
    yield first
    yield from others


def summary(plan: Plan, rows: Rows) -> list[dict[str, Any]]:
    """Return for each point what was varied, its runs, sums of counts and averages over seeds.

    An average leaves out runs in which no operation ended, and is None where none did.
    """
    groups: dict[int, list[Mapping[str, Cell]]] = defaultdict(list)
    for run in plan.runs:
        if run.key in rows:
            groups[run.point].append(dict(zip(RESULTS, rows[run.key], strict=True)))
    found = []
    for at, point in enumerate(plan.points):
        told: dict[str, Any] = {**point.values, "runs": len(groups[at])}
        told.update({name: sum(_numbers(groups[at], name)) for name in SUMMED})
        for name in AVERAGED:
            values = _numbers(groups[at], name)
            told[name] = fmean(values) if values else None
        found.append(told)
    return found


def _numbers(group: Sequence[Mapping[str, Cell]], name: str) -> list[float]:
    return [value for row in group if isinstance(value := row[name], int | float)]


def curves(
    plan: Plan, rows: Sequence[Mapping[str, Any]], name: str | None = None
) -> tuple[str, dict[str, list[Mapping[str, Any]]]]:
    """Return the number that is varied most, and the lines of a summary for each of the others.

    Raises `ValueError` where no number is varied.
    """
    numbers = [each for each in plan.names if all(is_number(row[each]) for row in rows)]
    if name is None and not numbers:
        raise ValueError("no number is varied")
    along = name or max(numbers, key=lambda each: len({row[each] for row in rows}))
    lines: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        rest = [_word(each, row[each]) for each in plan.names if each != along]
        lines[" ".join(rest) or str(row.get("protocol", "all"))].append(row)
    return along, {
        words: sorted(line, key=lambda row: float(row[along])) for words, line in lines.items()
    }


def is_number(value: Value) -> bool:
    """Tell whether what is varied is a number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _word(name: str, value: Value) -> str:
    return value if isinstance(value, str) else f"{name}={value}"

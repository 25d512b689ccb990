"""`skb bench placement`: the suites, what all engines say to them, and the judge.

Whoever answers, the cost is counted again by the rule-free checker, which shares no code with the
engines; on synthetic machines a second program counts it from the shape alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from skb.benching.peers import OURS, PEERS, Answer, asked
from skb.benching.random_requests import SHAPES, machine_of, prices, request_of
from skb.benching.rank_requests import PATTERNS, rank_request
from skb.benching.sites import Plain
from skb.checkers.placement import check, faults, price
from skb.machine import Machine
from skb.resources import bundled_machines

TOLERANCE = 1e-9
# what the ranks suite runs on, and how many seeds it takes there
RANKED = {"epyc-7401-2p": 5, "tyan-s4985": 1, "ex235a": 1, "epyc-7773x-2p": 1}
RANKS_SECONDS = 5.0
# random requests: seeds and seconds
RANDOM = {
    "m32/20": (20, 1.0),
    "m128/48": (8, 2.0),
    "m128/64": (4, 10.0),
    "m1024/512": (1, 1.0),
    "m1024/1000": (1, 5.0),
}
SUITES = ("random", "ranks")
# suites of single answers to a placement that stands (`skb.benching.standing`)
STANDING = ("resident", "repair", "explain")


@dataclass(frozen=True, slots=True)
class Case:
    """One request on one machine, and the seconds that an engine has for it."""

    suite: str
    name: str
    seed: int
    seconds: float
    shape: str = ""

    def instance(self, bundled: Callable[[str], Machine]) -> tuple[Machine, dict[str, Any]]:
        """Return machine and request; `bundled` reads a bundled machine."""
        machine_name, _, rest = self.name.partition("/")
        if self.suite == "random":
            return machine_of(machine_name), request_of(machine_name, int(rest), self.seed)
        machine = bundled(machine_name)
        return machine, rank_request(rest, machine.counts["core"], self.seed)


@dataclass(frozen=True, slots=True)
class Row:
    """What one engine made of one case; `breaks` counts the rules that its answer breaks, `faults`
    is what the checkers say against the product.
    """

    suite: str
    case: str
    seed: int
    engine: str
    value: float | None
    seconds: float
    breaks: int = 0
    cpu_s: float = 0.0
    note: str = ""
    status: str = ""
    bound: float | None = None
    gap: float | None = None
    prototype: float | None = None
    faults: tuple[str, ...] = ()


def cases(
    suites: Sequence[str], names: Sequence[str], seeds: int | None, limit: float | None
) -> list[Case]:
    """Return the cases of some suites, all or those of these names; raise `KeyError` for a name
    that no suite has.
    """
    found = []
    for suite in suites:
        for name, count, seconds in _listed(suite, names):
            shape = name.partition("/")[0] if suite == "random" else ""
            found += [
                Case(suite, name, seed, limit or seconds, shape)
                for seed in range(count if seeds is None else seeds)
            ]
    missing = [name for name in names if all(case.name != name for case in found)]
    if missing:
        raise KeyError(missing[0])
    return found


def _listed(suite: str, names: Sequence[str]) -> Iterator[tuple[str, int, float]]:
    if suite == "ranks":
        known = {f"{at}/{pattern}": count for at, count in RANKED.items() for pattern in PATTERNS}
        rows = {name: (count, RANKS_SECONDS) for name, count in known.items()}
    else:
        rows = dict(RANDOM)
    for name in names:
        machine, _, rest = name.partition("/")
        if suite == "random" and machine in SHAPES and rest.isdigit() and int(rest):
            rows.setdefault(name, (1, RANKS_SECONDS))
        if suite == "ranks" and machine in bundled_machines() and rest in PATTERNS:
            rows.setdefault(name, (1, RANKS_SECONDS))
    for name, (count, seconds) in rows.items():
        if not names or name in names:
            yield name, count, seconds


def rows_of(
    case: Case,
    machine: Machine,
    request: Plain,
    engines: Sequence[str],
    begun: Callable[[str], None],
) -> list[Row]:
    """Return a row for each engine that is here; `begun` is called with each engine's name."""
    rows = []
    for engine in engines:
        if engine in PEERS and not PEERS[engine].present():
            continue
        begun(engine)
        begin = time.perf_counter()
        try:
            answer = asked(engine, machine, request, case.seconds, case.seed)
            rows.append(_judged(case, machine, request, engine, answer))
        except Exception as fault:  # one engine's fault must not end the run of the others
            text = f"fault: {type(fault).__name__}: {fault}"
            ours = (text,) if engine == OURS else ()
            spent = time.perf_counter() - begin
            row = Row(case.suite, case.name, case.seed, engine, None, spent, note=text, faults=ours)
            rows.append(row)
    return _against_bound(rows)


def _judged(case: Case, machine: Machine, request: Plain, engine: str, answer: Answer) -> Row:
    tasks, value, broken = answer.tasks, None, 0
    proto: float | None = None
    wrong: list[str] = []
    if tasks:
        broken = len(faults(machine, request, tasks))
        terms = price(machine, request, tasks)
        value = sum(terms.values())
        if case.shape:
            paid, devices = prices(case.shape, request, tasks)
            proto = (paid + devices) / 10
            if not math.isclose(paid, terms["communication"], rel_tol=TOLERANCE):
                wrong.append(f"communication is {paid} by shape, {terms['communication']} by facts")
    row = Row(
        case.suite,
        case.name,
        case.seed,
        engine,
        value,
        answer.seconds,
        broken,
        answer.cpu_s,
        answer.note,
        prototype=proto,
    )
    found = answer.decision
    if found is not None:
        wrong += check(machine, found)
        claimed = found.objective.value or 0
        if value is not None and not math.isclose(value, claimed, rel_tol=TOLERANCE):
            wrong.append(f"the price is {value}, not {claimed}")
        row = replace(row, status=found.status.value, bound=found.bound, gap=found.gap)
    return replace(row, faults=tuple(wrong))


def _against_bound(rows: list[Row]) -> list[Row]:
    """Blame our row where somebody's admissible answer is below our bound."""
    ours = next((row for row in rows if row.engine == OURS), None)
    if ours is None:
        return rows
    fit = [row for row in rows if row.value is not None and not row.breaks and row is not ours]
    wrong = [
        f"{row.engine} has {row.value:g} ns/s, below the bound {ours.bound:g}"
        for row in fit
        if ours.bound is not None and (row.value or 0) < ours.bound * (1 - TOLERANCE)
    ]
    if ours.status == "infeasible" and fit:
        wrong.append(f"called infeasible, but {fit[0].engine} has an admissible answer")
    if not wrong:
        return rows
    blamed = replace(ours, faults=(*ours.faults, *wrong))
    return [blamed if row is ours else row for row in rows]

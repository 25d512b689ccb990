"""The suites of `skb bench routing` about trees, from groups of 12 cores to 1024 PUs.

Every tree is priced again by the checker, by the simulator's closed forms and by a simulated run,
to the picosecond, and stands beside the best classic tree.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from skb.benching import routing_judge as judge
from skb.benching.pair_tables import Subject
from skb.benching.routing_rows import (
    PUBLISHED,
    TOLERANCE,
    Check,
    Row,
    Timed,
    gap_below,
    in_time,
    no_dearer,
    proven,
    row_of,
    timed,
)
from skb.decision import Decision, Limits
from skb.engines.compiling import UNCOMPILED
from skb.machine import Machine
from skb.questions.route import decide
from skb.resources import bundled_machines
from skb.sources import read_path

OPERATIONS = ("broadcast", "reduce", "barrier")
# above so many PUs a machine is large: a bound is asked for, not a gap
LARGE = 64
LARGE_S = 5.0
SYNTHETIC, SYNTHETIC_SIZES = "mesh-1024", (256, 1024)
# classic trees that are built fast at any size
FAST = ("sequential", "binary", "fibonacci", "cluster")
# seconds within which up to so many cores are proven, and the gap up to so many
PROVEN = {14: 1.0, 16: 5.0}
GAPS = {32: 0.015, 48: 0.025}
# 20 unlike cores are proven in minutes
PROVING, PROVING_S = 20, 600.0
ANY_S = 60.0
FIRST_S, FIRST_SHARE = 1.0, 1.1
GROUPS = {12: 1.0, 14: 1.0, 16: 5.0}
MEASURED_S = 10.0
Job = Callable[[], Row]


@dataclass(slots=True)
class Bench:
    """The machines, the most seconds for an answer, and the best bound met so far of each, by the
    digest of its facts and the operation.
    """

    subjects: Sequence[Subject]
    limit: float | None = None
    bounds: dict[tuple[str, str], float] = field(default_factory=dict)

    def seconds(self, wanted: float) -> float:
        return wanted if self.limit is None else min(wanted, self.limit)

    def ask(self, subject: Subject, request: Mapping[str, Any], seconds: float) -> Timed:
        return timed(lambda: decide(subject.machine, request, Limits(seconds=seconds)))

    def learn(self, key: tuple[str, str], bound: float | None) -> float:
        """Keep the best bound, and return it; 0 where there is none."""
        self.bounds[key] = max(self.bounds.get(key, 0.0), bound or 0.0)
        return self.bounds[key]


def judged(
    bench: Bench,
    subject: Subject,
    suite: str,
    case: str,
    request: Mapping[str, Any],
    limit: float,
    checks: Callable[[Decision], list[Check]],
) -> Row:
    """Ask, let the judges speak, and return the row with these targets."""
    answer = bench.ask(subject, request, limit)
    found = answer.found
    wrong = judge.faults(subject.machine, found)
    classic = _classics(subject.machine, found, request.get("root"))
    best = min(classic, key=lambda name: (classic[name], name), default="")
    value = found.objective.value
    # a tree of anybody's below our bound shows that the bound is wrong
    if best and found.bound is not None and classic[best] < found.bound * (1 - TOLERANCE):
        wrong.append(f"the {best} tree takes {classic[best]:g}, below the bound {found.bound:g}")
    beside = f"best classic {best} {classic[best] / value - 1:+.1%}" if best and value else best
    always = [in_time(answer, limit), no_dearer(found, classic)]
    note = "; ".join(text for text in found.warnings if text == UNCOMPILED)
    told = [*checks(found), *always]
    unit = subject.unit
    return row_of(suite, case, unit, answer, told, beside=beside, note=note, faults=wrong)


def _classics(machine: Machine, found: Decision, root: int | None) -> dict[str, float]:
    """Return what each classic tree takes: as the answer says, and as the simulator builds it."""
    if "completion_ps" not in found.answer:
        return {}
    rows = [row for row in found.alternatives if "breaks" not in row]
    least: dict[str, float] = {}
    for row in rows:
        least[row["name"]] = min(row["value"], least.get(row["name"], row["value"]))
    names = FAST if len(found.answer["arrivals"]) > LARGE else ()
    for name, took in judge.classics(machine, found.to_json(), names, root).items():
        least[name] = min(took / 1000, least.get(name, took / 1000))
    return least


# ------------------------------------------------------------ trees
def trees(bench: Bench) -> Iterator[tuple[str, Job]]:
    """One tree, postal model, free root, for all cores of each machine that is not large."""
    for subject in bench.subjects:
        for operation in OPERATIONS if 1 < subject.size <= LARGE else ():
            title = f"{subject.name} {operation}"
            yield title, partial(_tree, bench, subject, operation, title)


def seconds_for(size: int, operation: str) -> float:
    """Return the seconds in which so many cores should be proven, or be near their bound."""
    for most, seconds in PROVEN.items():
        if size <= most and operation != "barrier":
            return seconds
    return PROVING_S if size <= PROVING and operation != "barrier" else ANY_S


def _tree(bench: Bench, subject: Subject, operation: str, title: str) -> Row:
    limit = bench.seconds(seconds_for(subject.size, operation))

    def checks(found: Decision) -> list[Check]:
        bench.learn((subject.machine.digest, operation), found.bound)
        known = PUBLISHED.get((subject.name, subject.size, operation))
        rows = known.checks(found) if known else []
        if operation != "barrier":
            rows += general(found, subject.size)
        return list(dict.fromkeys(rows))

    request = {"model": "postal", "operation": operation}
    return judged(bench, subject, "trees", title, request, limit, checks)


def general(found: Decision, size: int) -> list[Check]:
    """Return the target for any machine of a size: proven, or near its bound."""
    if size <= max(PROVEN):
        return [proven(found)]
    return [gap_below(found, gap) for cores, gap in GAPS.items() if size <= cores][:1]


# ------------------------------------------------------------ first
def first(bench: Bench) -> Iterator[tuple[str, Job]]:
    """What one second gives for all cores of each machine."""
    for subject in bench.subjects:
        for operation in OPERATIONS if 1 < subject.size <= LARGE else ():
            title = f"{subject.name} {operation}"
            yield title, partial(_first, bench, subject, operation, title)


def _first(bench: Bench, subject: Subject, operation: str, title: str) -> Row:
    def checks(found: Decision) -> list[Check]:
        bound = bench.learn((subject.machine.digest, operation), found.bound)
        value = found.objective.value
        good = value is not None and bound > 0 and value <= FIRST_SHARE * bound
        over = f"{value / bound - 1:.1%}" if value and bound else "unknown"
        text = f"within {FIRST_SHARE - 1:.0%} of bound {bound:,.1f}"
        return [(text, "" if good else f"{over} above the best bound")]

    request = {"model": "postal", "operation": operation}
    limit = bench.seconds(FIRST_S)
    return judged(bench, subject, "first", title, request, limit, checks)


# ------------------------------------------------------------ groups
def groups(bench: Bench) -> Iterator[tuple[str, Job]]:
    """Groups of 12 to 16 cores: the first ones, ones spread evenly, ones drawn from a seed."""
    for subject in bench.subjects:
        for size, limit in GROUPS.items():
            if not size < subject.size <= LARGE:
                continue
            for kind, members in group_of(subject.machine.usable_pus, size).items():
                title = f"{subject.name} {size} {kind}"
                yield title, partial(_group, bench, subject, members, limit, title)


def group_of(pus: Sequence[int], size: int) -> dict[str, list[int]]:
    """Return groups of so many PUs."""
    return {
        "first": list(pus[:size]),
        "spread": [pus[at * len(pus) // size] for at in range(size)],
        "random": sorted(random.Random(size).sample(list(pus), size)),
    }


def _group(bench: Bench, subject: Subject, members: list[int], seconds: float, title: str) -> Row:
    request = {"model": "postal", "members": members}
    limit = bench.seconds(seconds)
    return judged(bench, subject, "groups", title, request, limit, lambda found: [proven(found)])


# ------------------------------------------------------------ large
def large(bench: Bench) -> Iterator[tuple[str, Job]]:
    """Large machines, and 256 and 1024 PUs of a synthetic one: an answer with a bound."""
    for subject in bench.subjects:
        if subject.size > LARGE:
            title = f"{subject.name} broadcast"
            yield title, partial(_large, bench, subject, {}, title)
    machine = Machine(SYNTHETIC, read_path(bundled_machines()[SYNTHETIC]).facts)
    for size in SYNTHETIC_SIZES:
        # a machine of its own for each: what one has worked out must not quicken the other
        own = Subject(SYNTHETIC, Machine(SYNTHETIC, machine.facts))
        title = f"{SYNTHETIC} {size} PUs"
        yield title, partial(_large, bench, own, {"members": list(range(size))}, title)


def _large(bench: Bench, subject: Subject, asked: Mapping[str, Any], title: str) -> Row:
    def checks(found: Decision) -> list[Check]:
        good = found.bound is not None and found.bound > 0
        return [("answer with a bound", "" if good else "no bound")]

    limit = bench.seconds(LARGE_S)
    return judged(bench, subject, "large", title, asked, limit, checks)


# ------------------------------------------------------------ measured
def measured(bench: Bench) -> Iterator[tuple[str, Job]]:
    """Acknowledged broadcasts with derived gaps on machines where broadcasts were measured."""
    for subject in bench.subjects:
        if subject.took and subject.size > 1:
            title = f"{subject.name} broadcast-ack"
            yield title, partial(_measured, bench, subject, title)


def _measured(bench: Bench, subject: Subject, title: str) -> Row:
    root = min(subject.machine.usable_pus)
    predicted: dict[str, float] = {}

    def checks(found: Decision) -> list[Check]:
        if "completion_ps" not in found.answer:
            return [("an answer", "no answer")]
        told = found.to_json()
        trees_ = judge.classics(subject.machine, told, tuple(subject.took), root)
        predicted.update({name: took / 1000 for name, took in trees_.items()})
        return [_below(found, predicted), *_shape(subject, told["answer"])]

    request = {"root": root, "operation": "broadcast-ack", "model": "logp"}
    limit = bench.seconds(MEASURED_S)
    row = judged(bench, subject, "measured", title, request, limit, checks)
    words = ", ".join(
        f"{name} {predicted[name] / took - 1:+.0%}"
        for name, took in subject.took.items()
        if name in predicted
    )
    told = "; ".join(text for text in (row.note, f"predicted beside measured: {words}") if text)
    return replace(row, note=told)


def _below(found: Decision, predicted: Mapping[str, float]) -> Check:
    _text, miss = no_dearer(found, predicted)
    return f"<= each of {len(predicted)} measured trees", miss


def _shape(subject: Subject, answer: Mapping[str, Any]) -> list[Check]:
    """The target of no star, where sending to all one by one was measured worst."""
    worst = max(subject.took, key=lambda name: subject.took[name])
    if worst != "sequential":
        return []
    widest = max(len(row["to"]) for row in answer["sends"])
    miss = f"a PU sends to {widest} of {subject.size}" if widest > subject.size // 2 else ""
    return [("no star", miss)]

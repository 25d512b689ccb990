"""From a report to facts, and which earlier facts they replace.

Every fact says by which method it was measured; one that two visits did not agree on says so too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from skb.machine import Machine
from skb.probe.measure import Report
from skb.probe.memory import MemoryResult, mib_per_s
from skb.probe.plan import Group
from skb.probe.statistics import Batches, Settled, Summary
from skb.relations import Fact, Source, Value

MARK = "skb measure: "
DISTURBED = "; disturbed"
METHODS = {
    "round_trip": "ping-pong of a cache line",
    "send": "single messages, sender's clock",
    "receive": "single messages, receiver's clock",
    "propagation": "half a ping-pong less send and receive",
    "gap": "slope between bursts of 2 and 14 messages",
    "message": "stream through a ring of 64 cache lines",
    "latency": "pointer chase along a random cycle",
    "read": "stream of reads",
    "write": "stream of writes",
}
TRANSPORT = "cache_line"


def facts_of(report: Report) -> tuple[Fact, ...]:
    """Return the facts of a report: measured pairs, medians of sampled groups, memory."""
    found = [*_pairs(report), *_memory(report)]
    for group in _by_fact(report):
        found += _group(report, group)
    return tuple(found)


def replaced(machine: Machine, fresh: Iterable[Fact]) -> tuple[Fact, ...]:
    """Return the earlier facts of ours that new ones overtake: same key, whatever the method.

    What a run did not measure again stays, with the date of its own run.
    """
    keys = {fact.key for fact in fresh}
    return tuple(
        fact
        for fact in machine.facts
        if fact.source == Source.MEASURED.value and fact.by.startswith(MARK) and fact.key in keys
    )


def _fact(
    report: Report,
    predicate: str,
    args: tuple[Value, ...],
    summary: Summary,
    method: str,
    *,
    disturbed: bool,
    pairs: int = 0,
) -> Fact:
    by = MARK + METHODS[method] + (DISTURBED if disturbed else "")
    return Fact(
        predicate,
        (*args, _rounded(summary.median)),
        source=Source.MEASURED.value,
        by=f"{by}; median of {pairs} pairs" if pairs else by,
        when=report.when,
        samples=summary.samples,
        spread=_rounded(summary.spread),
    )


def _rounded(value: float) -> float:
    """Keep what a measurement can tell: thousandths, or of large values six digits."""
    return float(round(value, 3)) if abs(value) < 1000 else float(f"{value:.6g}")


# ---------------------------------------------------------------- pairs
def _pairs(report: Report) -> Iterator[Fact]:
    for (what, a, b), settled in report.costs.items():
        ways = ((a, b), (b, a)) if what == "round_trip" else ((a, b),)
        for first, second in ways:
            ends: tuple[Value, ...] = (f"pu:{first}", f"pu:{second}")
            for predicate, role, summary, method in _costs(what, settled):
                args = ends if predicate == "latency" else (*ends, TRANSPORT, *role)
                yield _fact(report, predicate, args, summary, method, disturbed=settled.disturbed)
            if what == "round_trip":
                yield from _propagation(report, settled, first, second)


def _costs(what: str, settled: Settled) -> Iterator[tuple[str, tuple[str, ...], Summary, str]]:
    """Yield the facts that one series states: predicate, role, summary, method."""
    if what == "round_trip":
        yield "latency", (), settled.turned(_half), what
    if what == "message":
        yield "message_throughput", (), settled.turned(_per_second), what
    else:
        yield "message_cost", (what,), settled.summary, what


def _half(batches: Batches) -> Batches:
    return batches / 2


def _per_second(batches: Batches) -> Batches:
    return np.asarray(1e9 / batches, np.float64)


def _propagation(report: Report, trip: Settled, first: int, second: int) -> Iterator[Fact]:
    """Yield the time in flight: what half a round trip takes beyond send and receive."""
    parts = [report.costs.get((what, first, second)) for what in ("send", "receive")]
    if any(part is None for part in parts):
        return
    busy = [part for part in parts if part is not None]
    left = trip.summary.median / 2 - sum(part.summary.median for part in busy)
    spread = trip.summary.spread / 2 + sum(part.summary.spread for part in busy)
    samples = min(part.summary.samples for part in (trip, *busy))
    ends: tuple[Value, ...] = (f"pu:{first}", f"pu:{second}", TRANSPORT, "propagation")
    yield _fact(
        report,
        "message_cost",
        ends,
        Summary(max(left, 0.0), spread, samples),
        "propagation",
        disturbed=any(part.disturbed for part in (trip, *busy)),
    )


# ---------------------------------------------------------------- groups
def _by_fact(report: Report) -> list[Group]:
    """Join groups that facts cannot tell apart; leave out those whose pairs are all measured."""
    joined: dict[tuple[str, str | int], Group] = {}
    measured = {(a, b) for what, a, b in report.costs if what == "round_trip"}
    for group in report.plan.groups:
        seen = tuple(pair for pair in group.sampled if pair in measured)
        complete = group.complete and len(seen) == len(group.sampled)
        here = replace(group, sampled=seen, complete=complete)
        other = joined.get((group.predicate, group.word))
        if other is not None:
            here = replace(
                here,
                sampled=other.sampled + here.sampled,
                complete=other.complete and here.complete,
            )
        joined[group.predicate, group.word] = here
    return [group for group in joined.values() if group.sampled and not group.complete]


def _group(report: Report, group: Group) -> Iterator[Fact]:
    """Yield the medians of a group over its measured pairs, disturbed ones left out."""
    for what in ("round_trip", "send", "receive", "gap"):
        pairs = group.sampled
        if what != "round_trip":
            pairs = tuple(way for a, b in pairs for way in ((a, b), (b, a)))
        rows = [report.costs[what, a, b] for a, b in pairs if (what, a, b) in report.costs]
        sound = [row for row in rows if not row.disturbed] or rows
        if not sound:
            continue
        summary = over_pairs([row.summary for row in sound])
        key: tuple[Value, ...] = (group.word,)
        stated = [(f"message_cost_{group.predicate}", (*key, TRANSPORT, what), summary)]
        if what == "round_trip":
            half = Summary(summary.median / 2, summary.spread / 2, summary.samples)
            stated.append((f"latency_{group.predicate}", key, half))
        for predicate, args, value in stated:
            yield _fact(
                report,
                predicate,
                args,
                value,
                what,
                disturbed=sound[0].disturbed,
                pairs=len(sound),
            )


def over_pairs(rows: list[Summary]) -> Summary:
    """Return the median of pairs' medians; the spread is half their 5 to 95 percent range."""
    medians = np.array([row.median for row in rows])
    low, high = np.percentile(medians, [5, 95])
    return Summary(float(np.median(medians)), float(high - low) / 2, sum(r.samples for r in rows))


# ---------------------------------------------------------------- memory
def _memory(report: Report) -> Iterator[Fact]:
    for result in report.memory:
        target = f"numa:{result.reach.target}"
        settled = result.settled
        if result.kind == "latency":
            # one PU stands for its node: they share the way to the memory
            args: tuple[Value, ...] = (f"numa:{result.reach.initiator}", target, "read")
            summary = settled.summary
            yield _fact(
                report, "memory_latency", args, summary, "latency", disturbed=settled.disturbed
            )
            continue
        summary = settled.turned(mib_per_s)
        for initiator in _initiators(result):
            yield _fact(
                report,
                "memory_bandwidth",
                (initiator, target, result.kind),
                summary,
                result.kind,
                disturbed=settled.disturbed,
            )


def _initiators(result: MemoryResult) -> tuple[str, ...]:
    """The PU where one was alone, and the node where all of its PUs took part."""
    found = []
    if len(result.pus) == 1:
        found.append(f"pu:{result.pus[0]}")
    if result.pus == result.reach.pus and result.reach.whole:
        found.append(f"numa:{result.reach.initiator}")
    return tuple(found)

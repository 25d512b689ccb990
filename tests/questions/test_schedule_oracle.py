"""Schedule against a second opinion: every set of PUs in every slot, by hand; and monotonicity."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from skb.costs import Costs
from skb.decision import Decision, Limits, Status
from skb.machine import Machine
from skb.questions import question
from skb.relations import Fact
from tests.machines import CHAIN, grown

SCHEDULE = question("schedule")
EVEN = grown("package:3 numa:1 core:2 pu:1", extra=CHAIN)
# every pair has its own latency, so that every PU is a class of its own
PAIRS = [
    Fact("latency", (f"pu:{a}", f"pu:{b}", 50 + 7 * ((3 * a + 5 * b) % 11) + 30 * abs(a - b)))
    for a in range(5)
    for b in range(5)
    if a != b
]
UNEVEN = grown("package:1 core:5 pu:1", *PAIRS)

applications = st.lists(
    st.fixed_dictionaries(
        {
            "threads_min": st.integers(1, 4),
            "more": st.integers(0, 2),
            "sync": st.sampled_from([0, 1, 10, 25.5]),
            "at": st.sampled_from([None, None, "package:0", ["pu:0", "pu:1", "pu:2"]]),
        }
    ),
    min_size=1,
    max_size=3,
)
Way = tuple[frozenset[int], tuple[int, ...], float]


def _request(entries: list[dict[str, Any]], slots: int) -> dict[str, Any]:
    rows = []
    for number, entry in enumerate(entries):
        row = {k: v for k, v in entry.items() if k != "more" and v is not None}
        most = entry["threads_min"] + entry["more"]
        rows.append({**row, "name": f"a{number}", "threads_max": most})
    return {"application": rows, "slots": slots, "unit": "pus"}


def _ways(machine: Machine, row: dict[str, Any], slots: int) -> list[Way]:
    """Return every set of PUs and slots of an application, with its price in ns/s."""
    costs, at = Costs(machine), row.get("at", "machine:0")
    names = [at] if isinstance(at, str) else at
    pus = sorted({pu for name in names for pu in machine.pus_of(name)})
    times: list[tuple[int, ...]] = [(slot,) for slot in range(slots)]
    times += [tuple(range(slots))] if slots > 1 else []
    found: list[Way] = []
    for count in range(row["threads_min"], row["threads_max"] + 1):
        for own in combinations(pus, count):
            pairs = [(a, b) for a in own for b in own if a != b]
            spread = max((costs.latency_ps(a, b) for a, b in pairs), default=0)
            found += [(frozenset(own), when, row["sync"] * spread / 1000) for when in times]
    return found


def _schedules(ways: list[list[Way]], taken: list[frozenset[int]]) -> Iterator[tuple[int, float]]:
    """Yield busy PUs and price of every schedule."""
    if not ways:
        yield sum(map(len, taken)), 0.0
        return
    for own, when, price in ways[0]:
        if all(not own & taken[slot] for slot in when):
            grown_ = [one | own if slot in when else one for slot, one in enumerate(taken)]
            for busy, rest in _schedules(ways[1:], grown_):
                yield busy, price + rest


def _oracle(machine: Machine, raw: dict[str, Any], slots: int) -> tuple[int, float] | None:
    """Return idle PUs and price of the best schedule in so many slots."""
    ways = [_ways(machine, row, slots) for row in raw["application"]]
    total = slots * len(machine.pus)
    every = ((total - busy, price) for busy, price in _schedules(ways, [frozenset()] * slots))
    return min(every, default=None)


def _agrees(machine: Machine, raw: dict[str, Any]) -> Decision:
    decision = SCHEDULE.decide(machine, raw, Limits())
    assert SCHEDULE.check(machine, decision) == []
    tried = [raw["slots"]] if raw["slots"] else range(1, len(raw["application"]) + 1)
    found = next(((n, best) for n in tried if (best := _oracle(machine, raw, n))), None)
    if found is None:
        assert decision.status is Status.INFEASIBLE
        return decision
    slots, (idle, price) = found
    assert decision.status is Status.OPTIMAL
    assert len(decision.answer["slots"]) == slots
    assert decision.answer["idle"] == idle
    terms = {cost.term: cost.value for cost in decision.costs}
    assert abs(terms["synchronisation"] - price) < 1e-6 * (1 + price)
    return decision


@settings(max_examples=25, deadline=None)
@given(applications, st.integers(0, 3))
def test_schedule_optimum_is_that_of_all_schedules(
    entries: list[dict[str, Any]], slots: int
) -> None:
    """On six PUs in three linked packages no schedule is better, and refusals have none."""
    _agrees(EVEN, _request(entries, slots))


@settings(max_examples=20, deadline=None)
@given(applications, st.integers(0, 2))
def test_schedule_optimum_holds_where_every_pair_differs(
    entries: list[dict[str, Any]], slots: int
) -> None:
    """Measured latencies that differ for every pair, and for both directions, are exact too."""
    _agrees(UNEVEN, _request(entries, slots))


@settings(max_examples=20, deadline=None)
@given(applications, st.integers(1, 3))
def test_schedule_more_slots_never_make_it_impossible(
    entries: list[dict[str, Any]], slots: int
) -> None:
    """What fits into some slots fits into more."""
    fewer = SCHEDULE.decide(EVEN, _request(entries, slots), Limits())
    more = SCHEDULE.decide(EVEN, _request(entries, slots + 1), Limits())
    assert SCHEDULE.check(EVEN, more) == []
    if fewer.status is Status.OPTIMAL:
        assert more.status is Status.OPTIMAL


@settings(max_examples=15, deadline=None)
@given(applications)
def test_schedule_fewest_slots_never_grow_with_more_room(entries: list[dict[str, Any]]) -> None:
    """A machine with one more package never needs more slots."""
    larger = grown("package:4 numa:1 core:2 pu:1")
    raw = _request([{**entry, "at": None} for entry in entries], 0)
    small = SCHEDULE.decide(EVEN, raw, Limits())
    large = SCHEDULE.decide(larger, raw, Limits())
    assert len(large.answer["slots"]) <= len(small.answer["slots"])

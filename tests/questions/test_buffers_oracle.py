"""Buffers against a second opinion: full enumeration by python-constraint; many flows at once."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from skb.decision import Limits, Status
from skb.engines.choices import choices
from skb.questions import question
from tests.machines import CHAIN, bundled, grown

BUFFERS = question("buffers")
RING = 65536
SMALL = grown(
    "package:3 numa:1 core:2 pu:1",
    extra=CHAIN
    + """
[[device]]
name = "nic"
kind = "network"
at = "package:0"
""",
)

flows = st.lists(
    st.fixed_dictionaries(
        {
            "consumer": st.sampled_from([0, 3, 5]),
            "touched": st.sampled_from([0, 0.25, 0.5, 1]),
            "forward": st.booleans(),
            "ring_bytes": st.integers(1, 4).map(lambda n: n * RING),
            "packets_per_s": st.sampled_from([1000, 2500, 100_000]),
            "not_numa_node": st.lists(st.integers(0, 2), max_size=2),
        }
    ),
    min_size=1,
    max_size=8,
)
rooms = st.lists(st.integers(0, 12), min_size=3, max_size=3)


def _request(entries: list[dict[str, Any]], room: list[int]) -> dict[str, Any]:
    named = [{"name": f"f{n}", "device": "nic", **entry} for n, entry in enumerate(entries)]
    limits = [{"object": f"numa:{n}", "bytes": size * RING} for n, size in enumerate(room)]
    return {"flow": named, "capacity": limits}


def _oracle(entries: list[dict[str, Any]], room: list[int]) -> float | None:
    """Return the least price over all assignments that fit, each flow priced alone, or None."""
    prices = []
    for entry in entries:
        free = {k: v for k, v in entry.items() if k != "not_numa_node"}
        alone = BUFFERS.decide(SMALL, {"flow": [{"name": "x", "device": "nic", **free}]}, Limits())
        rows = alone.answer["flows"]["x"]["alternatives"]
        prices.append({one["numa_node"]: one["value"] for one in rows})

    def fits(*nodes: int) -> bool:
        used = [0, 0, 0]
        for entry, node in zip(entries, nodes, strict=True):
            used[node] += entry["ring_bytes"]
        return all(u <= size * RING for u, size in zip(used, room, strict=True))

    names = [f"f{n}" for n in range(len(entries))]
    domains = {
        name: [n for n in range(3) if n not in entry["not_numa_node"]]
        for name, entry in zip(names, entries, strict=True)
    }
    found = [
        sum(prices[i][int(str(choice[name]))] for i, name in enumerate(names))
        for choice in choices(domains, [(fits, names)])
    ]
    return min(found, default=None)


@settings(max_examples=60, deadline=None)
@given(flows, rooms)
def test_buffers_agree_with_full_enumeration(
    entries: list[dict[str, Any]], room: list[int]
) -> None:
    """The engine's optimum is python-constraint's optimum, and they refuse the same requests."""
    decision = BUFFERS.decide(SMALL, _request(entries, room), Limits())
    assert BUFFERS.check(SMALL, decision) == []
    best = _oracle(entries, room)
    if best is None:
        assert decision.status is Status.INFEASIBLE
        return
    assert decision.status is Status.OPTIMAL
    assert decision.objective.value is not None
    assert abs(decision.objective.value - best) <= 1e-9 * best
    assert decision.bound == decision.objective.value


@settings(max_examples=25, deadline=None)
@given(flows, rooms)
def test_buffers_refusal_is_minimal(entries: list[dict[str, Any]], room: list[int]) -> None:
    """Of an infeasible request, every flow that the reasons name is needed for the clash."""
    request = _request(entries, room)
    decision = BUFFERS.decide(SMALL, request, Limits())
    if decision.status is not Status.INFEASIBLE:
        return
    named = {r.id.removeprefix("flow:") for r in decision.reasons if r.id.startswith("flow:")}
    assert named
    core = [one for one in request["flow"] if one["name"] in named]
    assert BUFFERS.decide(SMALL, {**request, "flow": core}, Limits()).status is Status.INFEASIBLE
    ids = {reason.id for reason in decision.reasons}
    kept = [
        {**one, "not_numa_node": [n for n in range(3) if f"not_at:{n}:{one['name']}" in ids]}
        for one in core
    ]
    limits = [one for n, one in enumerate(request["capacity"]) if f"capacity:{n}" in ids]
    for index in range(len(kept)):
        fewer = kept[:index] + kept[index + 1 :]
        if fewer:
            again = BUFFERS.decide(SMALL, {"flow": fewer, "capacity": limits}, Limits())
            assert again.status is Status.OPTIMAL


def _many(count: int, room: int) -> dict[str, Any]:
    named = [
        {
            "name": f"f{n}",
            "device": f"eth{n % 2}",
            "consumer": n * 7 % 32,
            "touched": n % 5 / 4,
            "packets_per_s": 1000 + n,
            "ring_bytes": RING * (1 + n % 3),
        }
        for n in range(count)
    ]
    limits = [{"object": f"numa:{n}", "bytes": room * RING} for n in range(8)]
    return {"flow": named, "capacity": limits}


def test_buffers_many_flows_have_a_close_bound() -> None:
    """More than sixty flows get an answer with a gap below 1 %."""
    machine = bundled("tyan-s4985")
    decision = BUFFERS.decide(machine, _many(120, 40), Limits())
    assert BUFFERS.check(machine, decision) == []
    assert decision.status in (Status.FEASIBLE, Status.OPTIMAL)
    assert decision.gap is not None
    assert decision.gap < 0.01


def test_buffers_many_flows_without_contention_are_proven() -> None:
    """Where nothing is short, each flow has its cheapest node, and that is a proof."""
    machine = bundled("tyan-s4985")
    assert BUFFERS.decide(machine, _many(120, 10_000), Limits()).status is Status.OPTIMAL


def test_buffers_many_flows_that_cannot_fit_are_refused() -> None:
    """More rings than memory is infeasible, not unknown."""
    decision = BUFFERS.decide(bundled("tyan-s4985"), _many(70, 2), Limits())
    assert decision.status is Status.INFEASIBLE
    assert decision.reasons

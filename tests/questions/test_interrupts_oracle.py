"""Interrupts against full enumeration by python-constraint, under each rule of spilling."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.decision import Limits, Status
from skb.engines.choices import choices
from skb.questions.interrupts import QUESTION
from tests.machines import CHAIN, grown

SMALL = grown(
    "package:3 numa:1 core:2 pu:1",
    extra=CHAIN
    + """
[[device]]
name = "a"
kind = "network"
at = "package:0"
[[device]]
name = "b"
kind = "network"
at = "package:1"
[[device]]
name = "c"
kind = "storage"
at = "package:1"
""",
)
PUS = range(6)

requests = st.fixed_dictionaries(
    {
        "device": st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True).flatmap(
            lambda names: st.tuples(
                *(
                    st.fixed_dictionaries(
                        {
                            "name": st.just(name),
                            "queues": st.integers(1, 2),
                            "load": st.sampled_from([1, 1, 2.5]),
                            "workers": st.sampled_from(["near", "near", "numa:1", [0, 2, 4], [1]]),
                        }
                    )
                    for name in names
                )
            ).map(list)
        ),
        "exclude": st.lists(st.integers(0, 5), max_size=2),
        "spill": st.sampled_from(["share", "next-nearest", "refuse"]),
        "limits": st.fixed_dictionaries({"vectors_per_pu": st.integers(1, 4)}),
    }
)


def latency(device: str, pu: int) -> float:
    """Return the latency of one queue of a device that must be on one PU."""
    alone = QUESTION.decide(
        SMALL, {"device": [{"name": device, "queues": 1, "workers": [pu]}]}, Limits()
    )
    return float(alone.objective.value or 0)


FAR = {(device, pu): latency(device, pu) for device in "abc" for pu in PUS}


def admissible(one: dict[str, Any], request: dict[str, Any]) -> list[int]:
    """Return the PUs of a device, with `refuse` the nearest of them."""
    workers = {"near": list(PUS), "numa:1": [2, 3]}.get(str(one["workers"]), one["workers"])
    found = [pu for pu in workers if pu not in request["exclude"]]
    if request["spill"] == "refuse" and found:
        least = min(FAR[one["name"], pu] for pu in found)
        found = [pu for pu in found if FAR[one["name"], pu] == least]
    return found


def oracle(request: dict[str, Any], fill: int | None) -> tuple[float, float] | None:
    """Return the least sum of distances, then the least largest load; None where none fits."""
    queues = [one for one in request["device"] for _ in range(one["queues"])]
    names = [str(at) for at in range(len(queues))]
    domains = {name: admissible(one, request) for name, one in zip(names, queues, strict=True)}
    most = min(request["limits"]["vectors_per_pu"], fill or 99)
    if not all(domains.values()):
        return None

    def roomy(*pus: int) -> bool:
        return all(count <= most for count in Counter(pus).values())

    found = []
    for choice in choices(domains, [(roomy, names)]):
        pus = [int(str(choice[name])) for name in names]
        load: Counter[int] = Counter()
        for one, pu in zip(queues, pus, strict=True):
            load[pu] += one["load"]
        far = sum(o["load"] * FAR[o["name"], pu] for o, pu in zip(queues, pus, strict=True))
        found.append((round(far, 6), max(load.values())))
    return min(found, default=None)


@settings(max_examples=80, deadline=None)
@given(requests)
def test_interrupts_equal_enumeration(request: dict[str, Any]) -> None:
    """Distance, then largest load are the least of all answers; none is none; the judge agrees."""
    decision = QUESTION.decide(SMALL, request, Limits())
    assert QUESTION.check(SMALL, decision) == []
    fills = [None] if request["spill"] == "share" else [1]
    if request["spill"] == "next-nearest":
        fills = list(range(1, 7))
    best = next((found for fill in fills if (found := oracle(request, fill))), None)
    if best is None:
        assert decision.status is Status.INFEASIBLE and decision.reasons
        return
    assert decision.status is Status.OPTIMAL
    assert (round(decision.objective.value or 0, 6), decision.answer["max_load"]) == best


@pytest.mark.parametrize("spill", ["share", "next-nearest"])
def test_interrupts_without_work_are_feasible(monkeypatch: pytest.MonkeyPatch, spill: str) -> None:
    """A search that may do nothing leaves a plan that the judge passes, not called optimal."""
    monkeypatch.setattr("skb.engines.interrupts_flow.MOST_STEPS", -1)
    rows = [{"name": name, "queues": 9} for name in "abc"]
    decision = QUESTION.decide(SMALL, {"device": rows, "spill": spill}, Limits())
    assert decision.status is Status.FEASIBLE
    assert QUESTION.check(SMALL, decision) == []
    assert decision.objective.value is not None and decision.bound is not None
    assert decision.bound <= decision.objective.value
    assert not decision.answer["proof"]["distance"]

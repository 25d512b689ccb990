"""Interrupts: what ethtool takes, and which thread of a core each device keeps."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machines import grown
from tests.questions.test_interrupts import ask, box, device, seats, vectors


@pytest.mark.parametrize("counts", [[1] * 40 + [7], [3, 2] * 20, [50, 1], [1] * 90 + [30]])
def test_interrupts_weights_fit_the_table_of_ethtool(counts: list[int]) -> None:
    """Weights of a larger sum than the table has entries are refused by ethtool; none is zero."""
    receives = dict(enumerate(pu for pu, count in enumerate(counts) for _ in range(count)))
    tree = f"package:1 core:{len(counts)} pu:1"
    machine = grown(tree, extra='[[device]]\nname="x"\nkind="network"\nat="package:0"\n')
    require = [{"device": "x", "queue": at, "pu": pu} for at, pu in receives.items()]
    decision = ask(machine, device=[device("x", len(receives))], require=require)
    weights = decision.answer["steering"]["device:x"]["rss"]["weights"]
    assert min(weights) >= 1 and sum(weights) <= 128
    share: Counter[int] = Counter()
    for at, weight in enumerate(weights):
        share[receives[at]] += weight
    assert max(share.values()) - min(share.values()) <= max(counts)


def test_interrupts_of_each_device_stay_on_its_thread_of_a_core() -> None:
    """Two devices that sit on different PUs of one core both stay: a PU is chosen for each."""
    irqs = {30 + at: (f"eth0-TxRx-{at}", pu) for at, pu in enumerate([0, 3])}
    more = {40 + at: (f"lost-TxRx-{at}", pu) for at, pu in enumerate([9, 2])}
    rows = [*vectors("eth0", irqs), *vectors("lost", more)]
    narrow = device("eth0", 2, workers=[0, 3])
    wide = device("lost", 2, workers=[2, 3, 8, 9])
    decision = ask(box(*rows), device=[narrow, wide])
    assert (seats(decision, "eth0"), seats(decision, "lost")) == ([0, 3], [9, 2])
    assert decision.answer["moves"] == [] and decision.answer["proof"]["moves"]


SMALL = grown(
    "package:2 numa:1 core:2 pu:2",
    extra="".join(
        f'[[device]]\nname="{name}"\nkind="network"\nat="{at}"\n'
        for name, at in (("a", "package:0"), ("b", "package:1"), ("c", "machine:0"))
    ),
)


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.sampled_from("abc"), st.sampled_from("abc")).map(lambda row: sorted(set(row))),
    st.lists(st.integers(0, 7), min_size=4, max_size=4),
    st.sampled_from(["one", "all"]),
    st.lists(st.integers(0, 7), max_size=2),
)
def test_interrupts_equal_enumeration_to_the_last_move(
    names: list[str], now: list[int], smt: str, exclude: list[int]
) -> None:
    """Distance, cores, PUs, queues of one device on a PU, and moves are least, in this order."""
    irqs = {str(30 + at): pu for at, pu in enumerate(now[: 2 * len(names)])}
    rows = [{"name": name, "vectors": [30 + 2 * at, 31 + 2 * at]} for at, name in enumerate(names)]
    decision = ask(SMALL, device=rows, smt=smt, exclude=exclude, current={"affinity": irqs})
    queues = [name for name in names for _ in range(2)]
    best = min(
        _key(pus, queues, now, smt)
        for pus in product(sorted(set(range(8)) - set(exclude)), repeat=len(queues))
        if smt == "all" or _one_of_each_core(pus, queues)
    )
    found = [row["pu"] for row in decision.answer["queues"]]
    assert _key(found, queues, now, smt) == best
    assert all(decision.answer["proof"].values())


def _one_of_each_core(pus: Any, queues: list[str]) -> bool:
    seats = {(name, pu) for name, pu in zip(queues, pus, strict=True)}
    return len({(name, pu // 2) for name, pu in seats}) == len(seats)


def _key(pus: Any, queues: list[str], now: list[int], smt: str) -> tuple[int, ...]:
    """Return how good seats are: PUs 0 to 3 are the package of a, two after each other a core."""
    home = {"a": 0, "b": 1}
    return (
        sum(pu // 4 != home.get(name, pu // 4) for name, pu in zip(queues, pus, strict=True)),
        _squares(pu // 2 for pu in pus),
        _squares(pus) if smt == "all" else 0,
        _squares(zip(queues, pus, strict=True)),
        sum(was != pu for was, pu in zip(now, pus, strict=False)),
    )


def _squares(what: Any) -> int:
    return sum(count * count for count in Counter(what).values())

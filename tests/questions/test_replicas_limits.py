"""Replicas under limits: every choice of a small machine is priced here, memory slot by slot."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from math import inf
from typing import Any

import networkx as nx
import pytest

from skb.checkers.replicas_prices import Prices
from skb.decision import Decision, Limits, Status
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.replicas import QUESTION
from skb.questions.replicas_wishes import Wanted
from skb.relations import Fact
from tests.machines import bundled, grown

LIMITS = Limits(seconds=5)
TREES = (
    "package:2 numa:1 l3:2 core:1 pu:2",
    "numa:2 package:1 l2:3 core:1 pu:1",
    "package:2 l3:2 numa:1 core:2 pu:1",
)
BYTES = 64
PLENTY = 1000


def decided(machine: Machine, *objects: dict[str, Any]) -> Decision:
    """Decide objects and let the checker judge the answer."""
    found = QUESTION.decide(machine, {"object": list(objects)}, LIMITS)
    assert QUESTION.check(machine, found) == []
    return found


def told(found: Decision) -> dict[str, Any]:
    """Return the answer about the one object."""
    [answer] = found.answer["objects"].values()
    return dict(answer)


# ---------------------------------------------------------------- every choice
def choices(machine: Machine, name: str) -> Iterator[tuple[str, ...]]:
    """Yield every set of parts inside a part that holds each of its PUs once."""
    inner = [part for part in machine.children(name) if not part.startswith("numa")]
    if inner:
        for rows in product(*(list(choices(machine, part)) for part in inner)):
            yield tuple(part for row in rows for part in row)
    if len(inner) != 1:
        yield (name,)


def near(machine: Machine, part: str) -> list[int]:
    """Return the nodes with memory inside a part, else the nearest around, else all."""
    has = {n: machine.anchor(f"numa:{n}") for n in machine.usable_numa}
    has = {n: at for n, at in has.items() if machine.value("memory_size", f"numa:{n}") != 0}
    inside = [n for n, at in has.items() if part in (at, *machine.ancestors(at))]
    if inside:
        return inside
    for above in machine.ancestors(part):
        if around := [n for n, at in has.items() if at == above]:
            return around
    return list(has)


def holds(machine: Machine, parts: tuple[str, ...], room: dict[int, int]) -> bool:
    """Whether each part finds a slot of its own in memory near it, as a flow."""
    graph = nx.DiGraph([("from", "to", {"capacity": 0})])
    for part in parts:
        graph.add_edge("from", part, capacity=1)
        for node in near(machine, part):
            graph.add_edge(part, node, capacity=1)
            graph.add_edge(node, "to", capacity=room.get(node, 0))
    return int(nx.maximum_flow_value(graph, "from", "to")) == len(parts)


def drawn(draw: random.Random, machine: Machine) -> dict[str, Any]:
    """Return an object with limits; updates are few or many."""
    rates = draw.choice([(-3, 1), (0, 5)])
    asked: dict[str, Any] = {
        "name": "x",
        "bytes": BYTES,
        "lines": draw.choice([1, 4]),
        "read_rate": {f"pu:{pu}": 10 ** draw.uniform(2, 7) for pu in machine.pus},
        "update_rate": {f"pu:{pu}": 10 ** draw.uniform(*rates) for pu in machine.pus},
        "memory_bytes": {f"numa:{n}": BYTES * draw.randint(0, 3) for n in machine.numa},
    }
    if draw.random() < 0.5:
        asked["max_replicas"] = draw.randint(1, 5)
    if draw.random() < 0.3:
        asked["faults"] = 1
    if draw.random() < 0.3:
        asked["not_at"] = [draw.choice(machine.pus)]
    return asked


def varied(draw: random.Random) -> Machine:
    """Return a small machine; some have memory for all, or none at one package."""
    tree = draw.choice(TREES)
    plain = grown(tree)
    extra = [
        [],
        [Fact("contains", ("machine:0", f"numa:{len(plain.numa)}"), "asserted")],
        [Fact("memory_size", ("numa:0", 0), "asserted")],
        [Fact("power", ("numa:0", "off"), "asserted")],
    ]
    return Machine("grown", [*plain.facts, *draw.choice(extra)])


@pytest.mark.parametrize("seed", range(40))
def test_replicas_is_the_least_of_all_choices_within_limits(seed: int) -> None:
    """No choice that keeps to memory, numbers and coordinator is cheaper, or there is none."""
    draw = random.Random(seed)
    machine = varied(draw)
    asked = drawn(draw, machine)
    found = decided(machine, asked)
    limits = asked["memory_bytes"]
    room = {n: limits.get(f"numa:{n}", PLENTY * BYTES) // BYTES for n in machine.numa}
    low, high = 2 * asked.get("faults", 0) + 1, asked.get("max_replicas", PLENTY)
    may = [
        parts
        for parts in choices(machine, "machine:0")
        if low <= len(parts) <= high and holds(machine, parts, room)
    ]
    prices = Prices(machine, asked)
    used = {part for parts in may for part in parts}
    least = inf
    for seat in prices.seats:
        price = {part: prices.cheapest(sorted(machine.pus_of(part)), seat) for part in used}
        least = min([least, *(sum(price[part] for part in parts) for parts in may)])
    if least == inf:
        assert found.status is Status.INFEASIBLE
    else:
        assert found.status is Status.OPTIMAL
        assert found.objective.value == pytest.approx(least, rel=1e-6)


# ---------------------------------------------------------------- memory of unlike places
READ = {"name": "x", "lines": 4, "read_rate": 1e7, "update_rate": 1.0, "bytes": BYTES}


def test_replicas_memory_for_all_does_not_crowd_out_memory_of_packages() -> None:
    """A node of the whole machine adds room; each package still has its own."""
    whole = Fact("contains", ("machine:0", "numa:2"), "asserted")
    machine = grown("package:2 numa:1 core:4 pu:1", whole)
    found = decided(machine, {**READ, "memory_bytes": 4 * BYTES, "faults": 2})
    assert told(found)["replicas"] >= 5


@pytest.mark.parametrize(
    "fact",
    [
        Fact("memory_size", ("numa:0", 0), "asserted"),
        Fact("power", ("numa:0", "off"), "asserted"),
    ],
)
def test_replicas_who_has_no_memory_takes_that_of_others(fact: Fact) -> None:
    """Cores whose own node has no memory may have replicas, which are elsewhere."""
    machine = grown("package:2 numa:1 core:4 pu:1", fact)
    rows = told(decided(machine, {**READ, "level": "core"}))["domains"]
    assert len(rows) == len(machine.pus)
    assert {row["numa_node"] for row in rows} == {1}


@pytest.mark.parametrize(
    ("tree", "limit", "words"),
    [
        ("package:2 numa:1 core:1 pu:1", {"numa:0": -5}, ">= 0"),
        ("package:1 core:2 pu:1", BYTES, "no NUMA node with memory"),
    ],
)
def test_replicas_memory_that_cannot_be_limited(tree: str, limit: Any, words: str) -> None:
    """A negative limit, and one where no memory is known, are refused."""
    with pytest.raises(RequestError, match=words) as caught:
        QUESTION.decide(grown(tree), {"object": [{**READ, "memory_bytes": limit}]}, LIMITS)
    assert "memory_bytes" in str(caught.value)


# ---------------------------------------------------------------- limits of time
def test_replicas_class_that_nobody_makes_limits_nothing() -> None:
    """An operation with rate 0 does not make updates late."""
    rows = [
        {"name": "often", "rate": 10.0, "work_ns": 10.0},
        {"name": "never", "rate": 0.0, "work_ns": 1e6},
    ]
    asked = {"name": "x", "read_rate": 1e4, "operations": rows}
    free = decided(bundled("tyan-s4985"), asked)
    bound = decided(bundled("tyan-s4985"), {**asked, "max_update_ns": 1e5})
    assert bound.status is Status.OPTIMAL
    assert bound.objective.value == free.objective.value


@pytest.mark.parametrize("seed", range(16))
def test_replicas_limit_that_the_best_choice_keeps_changes_nothing(seed: int) -> None:
    """With the latency of the best choice as the limit that choice is still the best."""
    draw = random.Random(seed)
    machine = grown(draw.choice(TREES))
    users = [f"pu:{pu}" for pu in machine.pus]
    rows = [
        {"name": f"o{n}", "rate": {draw.choice(users): 10.0}, "work_ns": draw.choice([0.0, 2000.0])}
        for n in range(3)
    ]
    asked = {"name": "x", "lines": 4, "read_rate": 1e6, "operations": rows}
    free = decided(machine, asked)
    late = max(row["latency_ns"]["worst"] for row in told(free)["operations"].values())
    bound = decided(machine, {**asked, "max_update_ns": late * (1 + 1e-9)})
    assert bound.status is Status.OPTIMAL
    assert bound.objective.value == free.objective.value


def test_replicas_who_asks_for_one_class_does_not_wait_for_another() -> None:
    """Long work that the coordinator's own domain asks for has no way to it, short work has."""
    rows = [
        {"name": "long", "rate": {"pu:0": 10.0}, "work_ns": 2000.0},
        {"name": "short", "rate": {"pu:1": 10.0}},
    ]
    asked = {"name": "x", "read_rate": 1e6, "operations": rows, "level": "core", "at": ["pu:0"]}
    machine = grown("package:2 core:1 pu:1")
    free = told(decided(machine, asked))["operations"]
    late = max(row["latency_ns"]["worst"] for row in free.values())
    bound = decided(machine, {**asked, "max_update_ns": late * (1 + 1e-9)})
    assert bound.status is Status.OPTIMAL


def test_replicas_short_of_time_names_a_few_objects() -> None:
    """Where the limit comes first, one reason says for how many objects."""
    many = [{**READ, "name": f"o{n}"} for n in range(200)]
    found = QUESTION.decide(bundled("tyan-s4985"), {"object": many}, Limits(seconds=0.01))
    assert found.status is Status.UNKNOWN
    assert len(found.reasons) == 1
    assert "more" in found.reasons[0].text


# ---------------------------------------------------------------- coordinators that are alike
@pytest.mark.parametrize("seed", range(10))
def test_replicas_of_coordinators_that_are_alike_one_is_enough(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every PU tried as coordinator the answer is the same one."""
    draw = random.Random(seed)
    plain = grown(draw.choice(["package:2 l3:2 core:2 pu:2", "package:3 core:4 pu:1", "pu:6"]))
    some = [f"pu:{pu}" for pu in draw.sample(plain.pus, 3)]
    stated = [Fact("latency", (some[0], some[1], 500), "measured")] * draw.randint(0, 1)
    machine = Machine("grown", [*plain.facts, *stated])
    asked = {
        "name": "x",
        "lines": 4,
        "read_rate": {"machine:0": 10 ** draw.uniform(3, 7), some[2]: 1e5},
        "update_rate": 10 ** draw.uniform(-1, 3),
        **draw.choice([{}, {"max_replicas": 3}, {"faults": 1}]),
    }
    found = decided(machine, asked)
    monkeypatch.setattr(Wanted, "_unlike", lambda _wanted, places: list(places))
    every = decided(machine, asked)
    assert found.objective.value == every.objective.value
    assert told(found)["coordinator"] == told(every)["coordinator"]

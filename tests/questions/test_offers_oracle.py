"""Offers against python-constraint: every match of small random requests is enumerated."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction
from itertools import combinations
from typing import Any

import pytest
from constraint import Problem

from skb.decision import Limits, Status
from skb.machine import Machine
from skb.questions import question
from skb.relations import Fact
from tests.machines import grown

OFFERS = question("offers")
ISAS = {0: "a", 1: "a", 2: "b", 3: "b", 4: "a", 5: "a", 6: "b", 7: "b"}
# PUs are off at random, so that services on them must be refused
PUS = range(8)
Option = tuple[int, tuple[str, ...]]


def board(off: set[int]) -> Machine:
    """Return four packages of one core with two PUs: 1 ns in a core, 7 ns between cores."""
    facts = [Fact("latency_within", (level, ns)) for level, ns in (("core", 1.0), ("machine", 7.0))]
    facts += [Fact("isa", (f"pu:{pu}", isa)) for pu, isa in ISAS.items()]
    facts += [Fact("disallowed", (f"pu:{pu}", "test")) for pu in off]
    return grown("package:4 core:1 pu:2", *facts)


def latency(pu: int, service: int) -> int:
    """Return nanoseconds by the numbers above."""
    return 0 if pu == service else 1 if pu // 2 == service // 2 else 7


def drawn(rng: random.Random) -> tuple[set[int], dict[str, Any]]:
    """Return PUs that are off and a random request."""
    off = set(rng.sample(PUS, rng.randrange(3)))
    offers = [
        {
            "name": f"s{index}",
            "at": f"pu:{rng.choice(PUS)}",
            "capacity": rng.choice([0, 1, 1, 2]),
            "properties": {"kind": rng.choice("xy"), "speed": rng.randrange(4)},
        }
        for index in range(rng.randint(2, 5))
    ]
    clients: list[dict[str, Any]] = []
    for index in range(rng.randint(1, 3)):
        client: dict[str, Any] = {"name": f"c{index}", "weight": rng.choice([1, 0.5, 3])}
        client["needs"] = rng.choice([{"kind": "x"}, {"kind": ["x", "y"]}, {"speed": ">= 1"}, {}])
        client["wishes"] = {"speed": {"is": "> 2", "worth_ns": rng.choice([0.5, 4])}}
        client["services"] = rng.choice([1, 1, 1, 2])
        if rng.random() < 0.5:
            client["program"] = "p"
        if "program" not in client or rng.random() < 0.4:
            client["at"] = rng.choice([f"pu:{rng.choice(PUS)}", f"package:{rng.randrange(4)}"])
        if rng.random() < 0.2:
            client["max_latency_ns"] = rng.choice([0, 1, 5])
        clients.append(client)
    return off, {"client": clients, "offer": offers, "images": {"p": [rng.choice("ab")]}}


def options(client: dict[str, Any], request: dict[str, Any], off: set[int]) -> list[Option]:
    """Return every place with every set of services that a client may have."""
    kind, _, number = client.get("at", "machine:0").partition(":")
    inside = {"pu": {int(number)}, "package": {2 * int(number), 2 * int(number) + 1}}
    spots = set(inside.get(kind, PUS)) - off
    if "program" in client:
        spots = {pu for pu in spots if ISAS[pu] in request["images"]["p"]}
    where = {s["name"]: int(s["at"][3:]) for s in request["offer"]}
    fit = [s["name"] for s in request["offer"] if where[s["name"]] not in off and suits(client, s)]
    limit = client.get("max_latency_ns", 1000)
    return [
        (pu, chosen)
        for pu in sorted(spots)
        for chosen in combinations(fit, client["services"])
        if all(latency(pu, where[name]) <= limit for name in chosen)
    ]


def suits(client: dict[str, Any], service: dict[str, Any]) -> bool:
    needs, has = client["needs"], service["properties"]
    return has["kind"] in needs.get("kind", "xy") and ("speed" not in needs or has["speed"] >= 1)


def price(client: dict[str, Any], option: Option, request: dict[str, Any]) -> Fraction:
    services = {s["name"]: s for s in request["offer"]}
    worth = Fraction(str(client["wishes"]["speed"]["worth_ns"]))
    total = Fraction(0)
    for name in option[1]:
        way = latency(option[0], int(services[name]["at"][3:]))
        total += Fraction(str(client["weight"])) * way
        total += 0 if services[name]["properties"]["speed"] > 2 else worth
    return total


def least(request: dict[str, Any], off: set[int]) -> Fraction | None:
    """Return the least price of all matches that python-constraint enumerates, or None."""
    problem = Problem()
    for client in request["client"]:
        found = options(client, request, off)
        if not found:
            return None
        problem.addVariable(client["name"], found)
    seats = {s["name"]: s["capacity"] for s in request["offer"]}

    def seated(*chosen: Option) -> bool:
        load = Counter(name for _, names in chosen for name in names)
        return all(load[name] <= seats[name] for name in load)

    problem.addConstraint(seated)
    prices = [
        sum((price(c, match[c["name"]], request) for c in request["client"]), Fraction(0))
        for match in problem.getSolutions()
    ]
    return min(prices, default=None)


@pytest.mark.parametrize("seed", range(40))
def test_offers_optimum_is_that_of_python_constraint(seed: int) -> None:
    """The proven optimum, or the impossibility, is that of full enumeration."""
    off, request = drawn(random.Random(seed))
    machine = board(off)
    decision = OFFERS.decide(machine, request, Limits())
    best = least(request, off)
    assert OFFERS.check(machine, decision) == []
    if best is None:
        assert decision.status is Status.INFEASIBLE
        return
    assert decision.status is Status.OPTIMAL
    assert decision.objective.value == float(best)
    for row in decision.alternatives:
        forced = {**request, "forced": [{"client": row["client"], "service": row["service"]}]}
        assert OFFERS.decide(machine, forced, Limits()).objective.value == row["value"]

"""The decision for tasks that sit somewhere: prices by term, and what was proven in which sense."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from skb.decision import Assumption, Cost, Decision, Objective, Reason, Status
from skb.engines.asp import rules_digest
from skb.engines.placement_seating import Peer, Seating
from skb.machine import Machine
from skb.questions.placement_ground import Ground
from skb.questions.placement_needs import Told
from skb.questions.placement_program import DECIDE
from skb.questions.placement_rows import Rows


@dataclass(frozen=True, slots=True)
class Whole:
    """All that a decision says of a seating: who sits where by which rules, at what scale."""

    machine: Machine
    ground: Ground
    rows: Rows
    told: Mapping[str, Told]
    seating: Seating
    scale: int

    def ns(self, price: int) -> float:
        """Turn a price into ns/s; the nearest float to the exact quotient."""
        return float(Fraction(price) / (1000 * self.scale))

    def terms(self) -> dict[str, int]:
        """Return the price of all seats by term."""
        seating = self.seating
        latency, seats = seating.grid.latency, seating.seats
        found = {"communication": 0, "near": 0, "memory": 0, "spread": 0, "migration": 0}
        for name, need in seating.needs.items():
            seat = seats[name]
            for other, rate, out in self.peers(name):
                if out:
                    found["communication"] += rate * latency(seat.first, seats[other].first)
            if need.toll is not None:
                found["near"] += need.toll(seat.first)
            if need.remembers and seat.node is not None:
                found["memory"] += self.scale * seating.grid.memory(seat.first, seat.node)
            if len(seat.pus) > 1:
                far = sum(latency(seat.first, pu) for pu in seat.pus if pu != seat.first)
                found["spread"] += self.scale * far
            if need.moving and need.current not in (None, frozenset(seat.pus)):
                found["migration"] += need.moving
        return found

    def peers(self, name: str) -> tuple[Peer, ...]:
        return self.rows.peers(name, self.scale)

    def tasks(self) -> dict[str, dict[str, Any]]:
        """Return where everybody sits, in the order of the request."""
        return {name: self.seating.seats[name].placed() for name in self.told}

    def assumed(self) -> tuple[Assumption, ...]:
        """Return the defaults that prices and sizes rest on."""
        local = self.ground.machine.numa_of_pu
        remote = any(
            seat.node is not None and seat.node not in local[seat.first]
            for seat in self.seating.seats.values()
        )
        instances = {id(told.instance): told.instance for told in self.told.values()}
        found = {one for instance in instances.values() for one in instance.assumed(remote)}
        return tuple(sorted(found, key=lambda a: (a.fact, a.because)))


def kept_request(
    rows: Rows,
    before: Mapping[str, Mapping[str, Any]],
    keep: Collection[str],
    migration_cost: float = 0.0,
) -> dict[str, Any]:
    """Return the request in which the tasks of `keep` stay where they were."""
    current: dict[str, Any] = {"placement": dict(before), "keep": list(keep)}
    if migration_cost:
        current["migration_cost"] = migration_cost
    return {**rows.request(), "current": current}


def decided(
    whole: Whole,
    request: Mapping[str, Any],
    slack: int,
    engine: str,
    reasons: tuple[Reason, ...] = (),
    warnings: tuple[str, ...] = (),
) -> Decision:
    """Return the decision for a seating; `slack` is by how much it may miss the optimum."""
    terms = whole.terms()
    value = sum(terms.values())
    asked = {
        "communication": True,
        "memory": any(need.remembers for need in whole.seating.needs.values()),
        "near": any(need.toll is not None for need in whole.seating.needs.values()),
        "spread": terms["spread"] > 0,
        "migration": "current" in request,
    }
    return Decision(
        question="placement",
        machine=whole.machine.name,
        revision=whole.machine.revision,
        status=Status.FEASIBLE if slack > 0 else Status.OPTIMAL,
        objective=Objective("communication", whole.ns(value), "ns/s"),
        bound=whole.ns(max(0, value - max(0, slack))),
        answer={"tasks": whole.tasks()},
        costs=tuple(
            Cost(term, whole.ns(terms[term]), "ns/s") for term, yes in asked.items() if yes
        ),
        reasons=reasons,
        assumed=whole.assumed(),
        request=dict(request),
        warnings=warnings,
    ).stamped(facts=whole.machine.digest, rules=rules_digest(DECIDE), engine=engine)


def refused(
    machine: Machine, request: Mapping[str, Any], reasons: tuple[Reason, ...], engine: str
) -> Decision:
    """Return the decision for a request that has no placement."""
    return Decision(
        question="placement",
        machine=machine.name,
        revision=machine.revision,
        status=Status.INFEASIBLE,
        objective=Objective("communication", None, "ns/s"),
        answer={},
        reasons=reasons,
        request=dict(request),
    ).stamped(facts=machine.digest, rules=rules_digest(DECIDE), engine=engine)

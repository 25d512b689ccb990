"""The one shape of every answer (docs/design.md)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import msgspec

# how long it took and how the machine was named do not make another decision
_UNSTABLE = frozenset({"seconds", "machine_ref"})


class Status(StrEnum):
    """How good an answer is; `optimal` only with a proof."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Objective:
    """What was minimised: its name, the value reached and the unit."""

    name: str
    value: float | None
    unit: str


@dataclass(frozen=True, slots=True)
class Cost:
    """One term of the price."""

    term: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Reason:
    """A constraint in words: what refused the request, or what bound the answer."""

    id: str
    text: str
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assumption:
    """A number that nobody stated: the fact that was assumed, and why."""

    fact: str
    because: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What an engine may spend: seconds as a fuse, conflicts and steps for determinism.

    `begun` is the monotonic time from which the seconds count, where that was before the engine was
    called: a command counts its own start-up.
    """

    seconds: float = 10.0
    seed: int = 0
    conflicts: int = 20_000
    begun: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer with proof, price and reason.

    `bound` is a proven lower bound of the objective in its unit, None where there is none;
    `provenance` names facts, rules, engine, seed and limit, so that the decision can be replayed.
    """

    question: str
    machine: str
    revision: int
    status: Status
    objective: Objective
    answer: dict[str, Any]
    bound: float | None = None
    costs: tuple[Cost, ...] = ()
    reasons: tuple[Reason, ...] = ()
    alternatives: tuple[dict[str, Any], ...] = ()
    assumed: tuple[Assumption, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    request: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def gap(self) -> float | None:
        """`(value - bound) / value`, None without a value or a bound."""
        value = self.objective.value
        if value is None or self.bound is None:
            return None
        return 0.0 if value == self.bound else (value - self.bound) / value

    @property
    def id(self) -> str:
        """Content address of what decides the answer: question, facts, request, rules, limits."""
        stable = {k: v for k, v in self.provenance.items() if k not in _UNSTABLE}
        parts = (self.question, self.machine, self.revision, self.request, stable, self.answer)
        return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return the decision as plain values, in the order of the contract."""
        return {
            "id": self.id,
            "question": self.question,
            "machine": self.machine,
            "revision": self.revision,
            "status": self.status.value,
            "objective": msgspec.to_builtins(self.objective),
            "bound": self.bound,
            "gap": self.gap,
            "answer": self.answer,
            "costs": msgspec.to_builtins(self.costs),
            "reasons": msgspec.to_builtins(self.reasons),
            "alternatives": list(self.alternatives),
            "assumed": msgspec.to_builtins(self.assumed),
            "warnings": list(self.warnings),
            "provenance": self.provenance,
            "request": self.request,
        }

    def stamped(self, **provenance: Any) -> Decision:
        """Return the decision with more provenance."""
        return replace(self, provenance={**self.provenance, **provenance})

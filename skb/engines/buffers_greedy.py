"""Many flows on few nodes: regret greedy with moves and swaps, and a Lagrangian lower bound.

The generalised assignment problem in whole numbers: flow f at node n costs `prices[f][n]` and takes
`uses[f][n][r]` of each resource r, which gives `limits[r]`. A node that a flow may not use is
absent from its row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Uses = Mapping[str, int]
_UNIT = 2**40
_ROUNDS = 40
_PASSES = 6


@dataclass(frozen=True, slots=True)
class Assignment:
    """The choice that is asked for; see the module's docstring."""

    prices: Sequence[Mapping[int, int]]
    uses: Sequence[Mapping[int, Uses]]
    limits: Mapping[str, int]


@dataclass(slots=True)
class _State:
    problem: Assignment
    used: dict[str, int] = field(default_factory=dict)
    at: dict[int, int] = field(default_factory=dict)

    def fits(self, flow: int, node: int) -> bool:
        limits = self.problem.limits
        return all(
            self.used.get(resource, 0) + amount <= limits[resource]
            for resource, amount in self.problem.uses[flow][node].items()
            if resource in limits
        )

    def put(self, flow: int, node: int) -> None:
        self.at[flow] = node
        for resource, amount in self.problem.uses[flow][node].items():
            self.used[resource] = self.used.get(resource, 0) + amount

    def take(self, flow: int) -> int:
        node = self.at.pop(flow)
        for resource, amount in self.problem.uses[flow][node].items():
            self.used[resource] -= amount
        return node


def greedy(problem: Assignment) -> list[int] | None:
    """Return a node for each flow within all limits, or None where the greedy order finds none."""
    state = _State(problem)
    order = sorted(
        range(len(problem.prices)), key=lambda flow: (-_regret(problem.prices[flow]), flow)
    )
    for flow in order:
        row = problem.prices[flow]
        fitting = (n for n in sorted(row, key=lambda n: (row[n], n)) if state.fits(flow, n))
        node = next(fitting, None)
        if node is None:
            return None
        state.put(flow, node)
    for _ in range(_PASSES):
        if not (_moves(state, order) or _swaps(state, order)):
            break
    return [state.at[flow] for flow in range(len(order))]


def _regret(row: Mapping[int, int]) -> int:
    """Return what the second choice costs more than the first; a flow without one comes first."""
    best = sorted(row.values())
    return best[1] - best[0] if len(best) > 1 else 2**62


def _moves(state: _State, order: Sequence[int]) -> bool:
    """Move each flow to its cheapest node with room; return whether any moved."""
    moved = False
    for flow in order:
        row = state.problem.prices[flow]
        old = state.take(flow)
        better = (n for n in sorted(row, key=lambda n: (row[n], n)) if row[n] < row[old])
        new = next((n for n in better if state.fits(flow, n)), old)
        state.put(flow, new)
        moved = moved or new != old
    return moved


def _swaps(state: _State, order: Sequence[int]) -> bool:
    """Exchange the nodes of two flows where both together pay less; return whether any did."""
    prices = state.problem.prices
    unhappy = [f for f in order if prices[f][state.at[f]] > min(prices[f].values())]
    swapped = False
    for flow in unhappy:
        for other in order:
            swapped = _swap(state, flow, other) or swapped
    return swapped


def _swap(state: _State, flow: int, other: int) -> bool:
    prices = state.problem.prices
    here, there = state.at[flow], state.at[other]
    if here == there or there not in prices[flow] or here not in prices[other]:
        return False
    if prices[flow][there] + prices[other][here] >= prices[flow][here] + prices[other][there]:
        return False
    state.take(flow)
    state.take(other)
    if state.fits(flow, there):
        state.put(flow, there)
        if state.fits(other, here):
            state.put(other, here)
            return True
        state.take(flow)
    state.put(flow, here)
    state.put(other, there)
    return False


def lower_bound(problem: Assignment, upper: int) -> int:
    """Return a lower bound of the total price: Lagrange multipliers on the limits, by subgradient.

    Any multipliers give a valid bound (Fisher, 1981); they are whole numbers in units of 2**-40, so
    no rounding can lift it. `upper` is the price of a known assignment, which sets the step.
    """
    multipliers = dict.fromkeys(problem.limits, 0)
    best = 0
    for count in range(_ROUNDS):
        value, used = _relaxed(problem, multipliers)
        best = max(best, -(-value // _UNIT))
        excess = {r: used.get(r, 0) - limit for r, limit in problem.limits.items()}
        norm = sum(e * e for e in excess.values())
        if norm == 0 or best >= upper:
            break
        step = max(0, upper * _UNIT - value) / norm / (1 + count / 8)
        multipliers = {r: max(0, multipliers[r] + round(step * e)) for r, e in excess.items()}
    return best


def _relaxed(problem: Assignment, multipliers: Mapping[str, int]) -> tuple[int, dict[str, int]]:
    total = -sum(multipliers[r] * limit for r, limit in problem.limits.items())
    used: dict[str, int] = {}
    for row, uses in zip(problem.prices, problem.uses, strict=True):
        value, node = min(
            (p * _UNIT + sum(multipliers.get(r, 0) * a for r, a in uses[n].items()), n)
            for n, p in row.items()
        )
        total += value
        for resource, amount in uses[node].items():
            used[resource] = used.get(resource, 0) + amount
    return total, used

"""How message costs vary: the recorded spread of each cost, and draws that depend on nothing else.

A spread is half the range from 5 to 95 percent (docs/measuring.md), so a cost is drawn from the
normal distribution with its value as the mean and spread / 1.645 as the deviation, and is never
below 0; draws are independent from message to message. A cost without a spread stays as it is. Draw
k of a message depends on the seed, the pair, the role and the phase alone (Philox: J. Salmon et
al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), so that two trees that use one message
meet the same luck.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skb.costs import Costs, to_ps
from skb.messages import LINE, MessagePairs

DEVIATIONS = 1.6448536269514722
"""Half the range from 5 to 95 percent of a normal distribution, in standard deviations."""
SAMPLES = 1000
_ROLES = ("send", "receive", "propagation", "gap")


class Noise:
    """Draws of message costs between the members of a tree, whole picoseconds."""

    def __init__(self, costs: Costs, pairs: MessagePairs, seed: int, transport: str = LINE) -> None:
        self._costs, self._seed, self._transport = costs, seed, transport
        self._tables: Mapping[str, Mapping[tuple[int, int], int]] = {
            "send": pairs.send,
            "receive": pairs.receive,
            "propagation": pairs.propagation,
            "gap": pairs.gap,
        }
        self._spreads: dict[tuple[str, int, int], int] = {}

    def varies(self) -> bool:
        """Whether any message cost of the machine carries a spread."""
        return any(
            fact.spread and self._transport in fact.args
            for name in ("message_cost", "message_cost_within", "message_cost_hops")
            for fact in self._costs.machine.facts_of(name)
        )

    def spread_ps(self, role: str, sender: int, receiver: int) -> int:
        """Return the recorded spread of a cost, 0 where there is none."""
        key = (role, sender, receiver)
        if key not in self._spreads:
            stated = self._stated(role, sender, receiver)
            self._spreads[key] = 0 if stated is None else to_ps(stated)
        return self._spreads[key]

    def _stated(self, role: str, sender: int, receiver: int) -> float | None:
        machine, how = self._costs.machine, (self._transport, role)
        fact = machine.fact("message_cost", f"pu:{sender}", f"pu:{receiver}", *how)
        if fact is not None:
            return fact.spread
        kind, near, *_ = self._costs.pair_class(sender, receiver)
        if kind == "across":
            hops = ("message_cost_hops", near) if near is not None else None
            name, at = hops or ("message_cost_within", "machine")
            fact = machine.fact(name, at, *how)  # type: ignore[arg-type]
            return None if fact is None else fact.spread
        for level in near:  # type: ignore[attr-defined]
            fact = machine.fact("message_cost_within", level, *how)
            if fact is not None:
                return fact.spread
        return None

    def draws(self, role: str, sender: int, receiver: int, phase: int) -> Any:
        """Return the samples of one cost in one phase, an array of int64."""
        import numpy as np

        value = self._tables[role][sender, receiver]
        spread = self.spread_ps(role, sender, receiver)
        if not spread:
            return np.full(SAMPLES, value, dtype=np.int64)
        name = ((sender * 4 + _ROLES.index(role)) * 8 + phase) << 32 | receiver
        random = np.random.Generator(np.random.Philox(key=[self._seed & (2**64 - 1), name]))
        drawn = value + spread / DEVIATIONS * random.standard_normal(SAMPLES)
        return np.maximum(0, np.rint(drawn)).astype(np.int64)


def quantile(samples: Any) -> int:
    """Return the 95 percent point: the smallest sample that 95 of 100 samples do not exceed."""
    rows = sorted(int(value) for value in samples)
    return rows[max(0, -(-len(rows) * 95 // 100) - 1)]

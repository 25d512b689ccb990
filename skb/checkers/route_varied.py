"""Checker of how a route varies: one sample after the other, with the clock of one operation."""

from __future__ import annotations

from typing import Any

from skb.costs import Costs
from skb.decision import Decision
from skb.machine import Machine
from skb.messages import MessagePairs
from skb.noise import SAMPLES, Noise

Rows = dict[int, list[int]]
_PHASES = {
    "broadcast": ("down",),
    "broadcast-ack": ("down", "report"),
    "reduce": ("up",),
    "barrier": ("down", "up"),
    "two-phase-commit": ("down", "down", "up", "report"),
}


def check_varied(
    machine: Machine, decision: Decision, messages: MessagePairs, rows: Rows, back: Rows
) -> list[str]:
    """Return whether the 95 percent point is another one than stated, or stated without spread."""
    request, stated = decision.request, decision.answer.get("varied")
    transport = request.get("transport", "cache_line")
    noise = Noise(Costs(machine), messages, decision.provenance.get("seed", 0), transport)
    if stated is None:
        return []
    clock = _Clock(noise, request.get("model", "logp") == "logp", decision.answer["root"])
    phases = _PHASES[request.get("operation", "broadcast")]
    ends = sorted(clock.run(phases, rows, back, sample) for sample in range(SAMPLES))
    exact = next(at for number, at in enumerate(ends, 1) if number * 100 >= 95 * SAMPLES)
    wrong = []
    if stated["p95_ps"] != exact or stated["samples"] != SAMPLES:
        wrong.append(f"95 of 100 samples end within {exact} ps, stated is {stated['p95_ps']}")
    if abs(stated["median_ps"] - (ends[SAMPLES // 2] + ends[SAMPLES // 2 - 1]) / 2) > 1:
        wrong.append("the median of the samples is another one")
    if not noise.varies():
        wrong.append("no cost carries a spread, but the operation is said to vary")
    return wrong


class _Clock:
    def __init__(self, noise: Noise, logp: bool, root: int) -> None:
        self._noise, self._logp, self._root = noise, logp, root
        self.known: dict[tuple[str, int, int, int], Any] = {}

    def _cost(self, role: str, sender: int, receiver: int, phase: int, sample: int) -> int:
        key = (role, sender, receiver, phase)
        if key not in self.known:
            self.known[key] = self._noise.draws(*key).tolist()
        return int(self.known[key][sample])

    def run(self, phases: tuple[str, ...], rows: Rows, back: Rows, sample: int) -> int:
        """Return when one operation ends in one sample."""
        total, first = 0, {self._root: 0}
        for number, phase in enumerate(phases):
            if phase == "down":
                times = self._informed(rows, number, sample)
                first = times if number == 0 else first
                total += max(times.values())
            elif phase == "up":
                total += self._gathered(back, self._root, number, sample)
            else:
                last = min(
                    (pu for pu in first if not rows.get(pu)), key=lambda pu: (-first[pu], pu)
                )
                if last != self._root:
                    total += sum(
                        self._cost(role, last, self._root, number, sample)
                        for role in ("send", "propagation", "receive")
                    )
        return total

    def _informed(self, rows: Rows, phase: int, sample: int) -> dict[int, int]:
        times, order = {self._root: 0}, [self._root]
        for sender in order:
            now = times[sender]
            for place, to in enumerate(rows.get(sender, [])):
                role = "gap" if place and self._logp else "send"
                now += self._cost(role, sender, to, phase, sample)
                flown = self._cost("propagation", sender, to, phase, sample)
                times[to] = now + flown + self._cost("receive", sender, to, phase, sample)
                order.append(to)
        return times

    def _gathered(self, back: Rows, node: int, phase: int, sample: int) -> int:
        incoming = [
            (
                self._gathered(back, child, phase, sample)
                + self._cost("send", child, node, phase, sample)
                + self._cost("propagation", child, node, phase, sample),
                place,
                child,
            )
            for place, child in enumerate(back.get(node, []))
        ]
        now = 0
        for arrival, _, child in sorted(incoming):
            now = max(now, arrival) + self._cost("receive", child, node, phase, sample)
        return now

"""Asking for buffers: every answer has passed the checker."""

from __future__ import annotations

from typing import Any

from skb.decision import Decision, Limits
from skb.machine import Machine
from skb.questions import question

BUFFERS = question("buffers")


def ask(machine: Machine, *flows: dict[str, Any], **more: Any) -> Decision:
    """Decide and let the checker agree."""
    decision = BUFFERS.decide(machine, {"flow": list(flows), **more}, Limits())
    assert BUFFERS.check(machine, decision) == []
    return decision


def row(decision: Decision, name: str = "rx") -> dict[str, Any]:
    """Return the answer to one flow."""
    found: dict[str, Any] = decision.answer["flows"][name]
    return found

"""Fault plans: order and contradictions."""

import pytest

from simulator.errors import FaultPlanError
from simulator.faults import Fault, require_fault_plan


def test_fault_plan_is_put_in_order() -> None:
    """Rows may be given in any order."""
    up, down = Fault(20, 1, "up"), Fault(10, 1, "down")
    assert require_fault_plan([up, down], [0, 1]) == (down, up)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ([Fault(1, 9, "down")], "PU 9"),
        ([Fault(-1, 1, "down")], "negative"),
        ([Fault(1, 1, "up")], "up already"),
        ([Fault(1, 1, "down"), Fault(2, 1, "down")], "down already"),
        ([Fault(1, 1, "asleep")], "a PU goes down, up, off, on"),  # type: ignore[arg-type]
    ],
)
def test_fault_plan_refuses_contradictions(plan: list[Fault], words: str) -> None:
    """The error names the PU or the state."""
    with pytest.raises(FaultPlanError, match=words):
        require_fault_plan(plan, [0, 1])

"""What provokes the planted faults of replicated logs: a load, and who fails when, on seven PUs."""

from collections.abc import Mapping

from simulator.faults import Fault

LOAD: Mapping[str, int] = {"operations": 40, "outstanding": 7, "items": 2, "reads_per_mille": 500}
HASTY: Mapping[str, int] = {"timeout_ps": 3000}
LOSSY: Mapping[str, int] = {"loss_per_million": 100_000}
LATE: Mapping[str, int] = {"delay_per_million": 300_000, "delay_ps": 20_000}
ROOT_FAILS: tuple[Fault, ...] = (Fault(3000, 0, "down"), Fault(60_000, 0, "up"))
TWO_FAIL: tuple[Fault, ...] = (*ROOT_FAILS, Fault(50_000, 1, "down"), Fault(90_000, 1, "up"))
TWO_ARE_CUT_OFF: tuple[Fault, ...] = (
    Fault(3000, 0, "cut", 1),
    Fault(3000, 1, "cut", 1),
    Fault(80_000, 0, "joined"),
    Fault(80_000, 1, "joined"),
)
THREE_ARE_CUT_OFF: tuple[Fault, ...] = (
    *TWO_ARE_CUT_OFF,
    Fault(3000, 3, "cut", 1),
    Fault(80_000, 3, "joined"),
)
ROOT_IS_SLOW: tuple[Fault, ...] = (Fault(3000, 0, "slow", 50_000),)

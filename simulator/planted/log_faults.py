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
LEADERS_FAIL_WITH_FULL_LOGS: tuple[Fault, ...] = (
    *(Fault(3500, pu, "off") for pu in (1, 3, 5)),
    Fault(11_000, 0, "off"),
    *(Fault(11_000, pu, "slow", 25_300) for pu in (4, 6)),
    *(Fault(11_200, pu, "on") for pu in (1, 3, 5)),
    Fault(13_800, 2, "down"),
    Fault(16_300, 0, "on"),
    Fault(76_300, 2, "up"),
)
MOST_ARE_OFF: tuple[Fault, ...] = (
    *(Fault(1, pu, "off") for pu in (1, 2, 3, 4)),
    Fault(20_000, 0, "off"),
    *(Fault(40_000, pu, "on") for pu in (0, 1, 2, 3, 4)),
)
ROOT_IS_SLOW: tuple[Fault, ...] = (Fault(3000, 0, "slow", 50_000),)

"""Trees on measured pair tables: value, bound, gap and time beside the best values known.

`python -m tests.bench.routing [MACHINE...] [--operation NAME...] [--limit SECONDS]`; values are in
cycles, postal model, free root. A target in whole cycles is met within that cycle. Run `skb warm`
first. Ends with 1 where the checker finds a fault.
"""

from __future__ import annotations

import argparse
import time

from skb.checkers.route import check
from skb.decision import Decision, Limits
from skb.questions.route import decide
from tests.questions.test_route_measured import measured

LIMIT = 60.0
PROVING = 600.0
"""Seconds for 20 unlike cores, whose proof takes one to three minutes."""
TARGETS: dict[tuple[str, str], tuple[float, float | None]] = {
    ("brie", "broadcast"): (319.05, 319.04),
    ("tomme", "broadcast"): (323.74, 323.73),
    ("intel_xeon_e5_v2_2x10", "broadcast"): (1301.21, 1301.2),
    ("ziger", "broadcast"): (2541.11, 2538.0),
    ("gruyere", "broadcast"): (2376.6, 2366.4),
    ("appenzeller", "broadcast"): (2412.9, 2361.0),
    ("intel_xeon_e5_v2_2x10", "reduce"): (1711.0, 1710.0),
    ("tomme", "reduce"): (410.0, 409.0),
    ("ziger", "reduce"): (2771.0, None),
    ("gruyere", "reduce"): (2243.0, None),
    ("appenzeller", "reduce"): (2449.0, None),
    ("intel_xeon_e5_v2_2x10", "barrier"): (3249.0, None),
    ("tomme", "barrier"): (955.0, None),
    ("ziger", "barrier"): (5391.0, None),
    ("gruyere", "barrier"): (4668.0, None),
    ("appenzeller", "barrier"): (4966.0, None),
}
"""The largest value and, where one is asked for, the least bound."""


def main() -> int:
    """Print a row for each machine and operation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":", maxsplit=1)[0])
    parser.add_argument("machines", nargs="*", metavar="MACHINE")
    parser.add_argument("--operation", nargs="*", default=["broadcast", "reduce", "barrier"])
    parser.add_argument("--limit", type=float, help="seconds for each; absent = 60, or a proof's")
    asked = parser.parse_args()
    print(
        f"{'machine':<23}{'operation':<11}{'status':<10}{'value':>10}{'bound':>10}{'gap':>7}"
        f"{'s':>7}{'target':>10}{'bound':>9}  met"
    )
    wrong = 0
    for (name, operation), target in TARGETS.items():
        if (asked.machines and name not in asked.machines) or operation not in asked.operation:
            continue
        machine = measured(name)
        proving = len(machine.usable_pus) == 20 and operation != "barrier"
        limit = asked.limit or (PROVING if proving else LIMIT)
        begin = time.perf_counter()
        request = {"model": "postal", "operation": operation}
        found = decide(machine, request, Limits(seconds=limit))
        _print(name, operation, found, time.perf_counter() - begin, target)
        for fault in check(machine, found):
            print(f"wrong: {fault}")
            wrong = 1
    return wrong


def _print(
    name: str, operation: str, found: Decision, seconds: float, target: tuple[float, float | None]
) -> None:
    most, least = target
    value, bound = found.objective.value, found.bound
    if value is None or bound is None:
        print(f"{name:<23}{operation:<11}{found.status}")
        return
    met = value <= most and (least is None or bound >= least)
    print(
        f"{name:<23}{operation:<11}{found.status:<10}{value:>10.2f}{bound:>10.2f}"
        f"{found.gap or 0:>7.2%}{seconds:>7.1f}{most:>10.2f}"
        f"{'' if least is None else f'{least:.1f}':>9}  {'yes' if met else 'no'}",
        flush=True,
    )


if __name__ == "__main__":
    raise SystemExit(main())

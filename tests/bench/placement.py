"""Placement of random requests on 32 to 1024 cores: price, bound, gap and time, and the price
again by a program of its own.

`python -m tests.bench.placement [MACHINE/TASKS...] [--limit SECONDS] [--seeds N]`; the machines are
m32, m128, m256 and m1024. Prices are in units of 10 ns/s as in the prototype; seed 0 has its
instances, but for memory (which the prototype weighs; its own answers need none from afar) and for
devices, of which the product counts the way into the package too. The column `prototype` is what
the answer costs there. `skb bench placement` has these requests beside other mappers. Ends with 1
where the checker or the other program disagrees.
"""

from __future__ import annotations

import argparse
import time

from skb.checkers.placement import check
from skb.decision import Limits
from skb.questions.placement import decide
from tests.bench.placement_requests import machine_of, prices, request_of

CASES = ("m32/24", "m128/64", "m128/128", "m256/128", "m1024/512", "m1024/1000")


def main() -> int:
    """Print a row for each case and seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":", maxsplit=1)[0])
    parser.add_argument("cases", nargs="*", default=CASES, metavar="MACHINE/TASKS")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds for each request")
    parser.add_argument("--seeds", type=int, default=1, help="requests for each case")
    asked = parser.parse_args()
    wrong = 0
    print(f"{'case':<14}{'status':<10}{'price':>9}{'prototype':>11}{'bound':>9}{'gap':>6}{'s':>7}")
    for case in asked.cases:
        name, _, tasks = case.partition("/")
        machine = machine_of(name)
        for seed in range(asked.seeds):
            request = request_of(name, int(tasks), seed)
            begin = time.perf_counter()
            found = decide(machine, request, Limits(seconds=asked.limit))
            seconds = time.perf_counter() - begin
            if found.objective.value is None:
                print(f"{case + ':' + str(seed):<14}{found.status.value}")
                continue
            paid, devices = prices(name, request, found.answer["tasks"])
            communication = next(c.value for c in found.costs if c.term == "communication")
            faults = check(machine, found)
            if abs(paid - communication) > 1e-6 * max(1, paid):
                faults.append(f"communication is {paid} ns/s, not {communication}")
            wrong += bool(faults)
            row = (found.objective.value / 10, (paid + devices) / 10, (found.bound or 0) / 10)
            print(
                f"{case + ':' + str(seed):<14}{found.status.value:<10}"
                f"{row[0]:>9.0f}{row[1]:>11.0f}{row[2]:>9.0f}{found.gap or 0:>6.0%}{seconds:>7.2f}",
                *faults,
                flush=True,
            )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())

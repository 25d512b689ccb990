"""Random small placements against two oracles: brute force and python-constraint.

`python -m tests.bench.oracle [--count N] [--from SEED]` prints the tally and the seed of every
request on which the product, the brute force and the constraint solver do not all agree (the same
least price, or all that there is none), or whose answer the checker does not accept. Ends with 1
where there is one. `python -m tests.bench.oracle --show SEED` prints one request.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from typing import Any

from skb.checkers.placement import check
from skb.decision import Limits, Status
from skb.questions.placement import decide
from tests.questions.placement_brute import Brute
from tests.questions.placement_csp import Model
from tests.questions.placement_small import Small, drawn, wished

PROGRESS = 100
LARGEST = 300_000  # placements that brute force may have to try


def instance(seed: int) -> tuple[Small, dict[str, Any]]:
    """Return the machine and the request of a seed."""
    chance = random.Random(f"placement {seed}")
    while True:
        small = drawn(chance)
        request = wished(small, chance)
        if Brute(small, request).size <= LARGEST:
            return small, request


def judged(seed: int) -> tuple[str, list[str]]:
    """Return what the answer is (optimal, infeasible, …) and every disagreement in words."""
    small, request = instance(seed)
    brute = Brute(small, request).value_ns()
    solved = Model(small, request).cheapest()
    found = []
    if not _equal(brute, None if solved is None else float(solved)):
        found.append(f"brute force has {brute}, python-constraint {solved and float(solved)}")
    machine = small.machine()
    try:
        decision = decide(machine, request, Limits(seconds=20.0))
    except Exception as fault:
        return "fault", [*found, f"{type(fault).__name__}: {fault}"]
    found += check(machine, decision)
    value = decision.objective.value
    if decision.status is Status.INFEASIBLE:
        value = None
    elif value is None:
        found.append(f"no answer: {decision.status.value}")
    if not _equal(value, brute):
        found.append(f"the product has {value}, brute force {brute}")
    return decision.status.value, found


def _equal(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) <= 1e-9 * max(1.0, abs(first), abs(second))


def main() -> int:
    """Judge the requests of many seeds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":", maxsplit=1)[0])
    parser.add_argument("--count", type=int, default=2000, help="requests")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    parser.add_argument("--show", type=int, help="print the request of this seed instead")
    asked = parser.parse_args()
    if asked.show is not None:
        small, request = instance(asked.show)
        print(json.dumps({"facts": small.rows, "request": request}, indent=1))
        return 0
    tally: Counter[str] = Counter()
    wrong = 0
    begin = time.perf_counter()
    for seed in range(asked.first, asked.first + asked.count):
        status, faults = judged(seed)
        tally[status] += 1
        wrong += bool(faults)
        if status == "feasible" and not faults:
            print(f"seed {seed}: the price agrees, but is not proven", flush=True)
        for fault in faults:
            print(f"seed {seed}: {fault}", flush=True)
        if sys.stderr.isatty() and (seed + 1) % PROGRESS == 0:
            print(f"\r{seed + 1 - asked.first} of {asked.count}", end="", file=sys.stderr)
    words = ", ".join(f"{count} {status}" for status, count in tally.most_common())
    spent = time.perf_counter() - begin
    print(f"{asked.count} requests in {spent:.0f} s: {words}; {wrong} disagree")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())

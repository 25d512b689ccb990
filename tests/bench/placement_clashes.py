"""Impossible placement requests of many named constraints on 128 cores, and the time that it takes
to say which of them clash.

`python -m tests.bench.placement_clashes [KIND...] [--rules N] [--seeds N] [--limit SECONDS]` prints
a row for each kind of conflict and seed: constraints, members of the clash, whether counting found
it, and milliseconds: to read the request, to find the clash, and for the whole step: finding it,
building its program, grounding, and proving that it is a clash and that each member is needed.
Ends with 1 where a clash is not proven to be minimal; `tests/questions/test_placement_clash.py`
re-decides the members without each one.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise

from skb.benching.clashing_requests import KINDS, TASKS, bench_machine, clashing_request
from skb.benching.random_requests import SHAPES
from skb.decision import Limits
from skb.questions.placement_clash import Judge, instance_of

__all__ = ["KINDS", "bench_machine", "clashing_request", "main"]


def main() -> int:
    """Print a row for each kind of conflict and seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(",", maxsplit=1)[0])
    parser.add_argument("kinds", nargs="*", default=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--machine", default="m128", choices=sorted(SHAPES))
    parser.add_argument("--rules", type=int, default=400, help="named constraints, about")
    parser.add_argument("--tasks", type=int, default=TASKS)
    parser.add_argument("--seeds", type=int, default=3, help="requests for each kind")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds for each")
    asked = parser.parse_args()
    machine, limits = bench_machine(asked.machine), Limits(seconds=asked.limit)
    first = clashing_request("chain", 0, asked.rules, asked.machine, asked.tasks)
    warm = instance_of(machine, first)
    Judge(warm, limits, time.monotonic() + limits.seconds).judge(tuple(warm.rules), clash=True)
    print(f"{'case':<14}{'rules':>6}{'members':>8}{'counted':>8}", end="")
    print(f"{'read ms':>9}{'find ms':>9}{'whole ms':>9}{'cpu ms':>8}  proven")
    wrong = 0
    totals = []
    for kind in asked.kinds:
        for seed in range(asked.seeds):
            raw = clashing_request(kind, seed, asked.rules, asked.machine, asked.tasks)
            marks = [time.perf_counter()]
            instance = instance_of(machine, raw)
            marks.append(time.perf_counter())
            cpu = time.process_time()
            judge = Judge(instance, limits, time.monotonic() + limits.seconds)
            seen = judge.suspects.smallest(judge.suspects.everything, {}, judge.deadline)
            judge = Judge(instance, limits, time.monotonic() + limits.seconds)
            marks.append(time.perf_counter())
            cpu_find = time.process_time() - cpu
            verdict = judge.judge(tuple(instance.rules), clash=True)
            marks.append(time.perf_counter())
            # the whole step counts once more, so that its parts need not be watched
            read, find, whole = (b - a for a, b in pairwise(marks))
            cpu = time.process_time() - cpu - cpu_find
            totals.append(whole * 1e3)
            wrong += not (verdict.exact and verdict.rules)
            print(
                f"{f'{kind}:{seed}':<14}{len(instance.rules):>6}{len(verdict.rules):>8}"
                f"{'yes' if seen else 'no':>8}{read * 1e3:>9.1f}{find * 1e3:>9.1f}"
                f"{whole * 1e3:>9.1f}{cpu * 1e3:>8.1f}  {verdict.exact}",
                flush=True,
            )
    totals.sort()
    print(f"explained in {totals[len(totals) // 2]:.1f} ms (median), {totals[-1]:.1f} ms at most")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())

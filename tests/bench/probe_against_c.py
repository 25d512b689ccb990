"""Benchmark: the measured latency of a pair of PUs against the small C program beside this file.

    python -m tests.bench.probe_against_c [--pus 0,1] [--rounds 20] [--batches 3000]

Both run the same protocol in turn, so that what disturbs one disturbs the other. Each run has its
own pages, which lie elsewhere in a distributed cache: single runs differ by more than the programs
do, so the median of the runs' medians is compared, and the pairwise difference of neighbours beside
it. Ends with 1 where the difference passes 5 percent.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from shutil import which

import numpy as np

from skb.probe.atomics import compiled
from skb.probe.messages import Bench, clock_ns, round_trips, warm_up
from skb.probe.statistics import Batches

ALLOWED = 0.05


def build(folder: Path) -> Path:
    """Compile the C program."""
    program = folder / "probe"
    source = Path(__file__).with_name("probe.c")
    command = [*("gcc", "-O2", "-pthread", "-o"), str(program), str(source)]
    subprocess.run(command, check=True)
    return program


def in_c(program: Path, pair: tuple[int, int], batches: int) -> Batches:
    """Return the round trips, in ns, that the C program measures, batch by batch."""
    words = [str(program), *(str(pu) for pu in pair), str(batches)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return np.array(done.stdout.split(), np.float64)


def shown(name: str, runs: list[Batches]) -> float:
    """Print a program's distribution; return the median of its runs' medians."""
    medians = np.array([np.median(run) for run in runs])
    every = np.concatenate(runs) / 2
    marks = ", ".join(
        f"p{mark} {value:.1f}"
        for mark, value in zip(
            (5, 25, 50, 75, 95), np.percentile(every, [5, 25, 50, 75, 95]), strict=True
        )
    )
    middle = float(np.median(medians)) / 2
    print(
        f"{name:6} one way: median of {len(runs)} medians {middle:.2f} ns "
        f"(least {medians.min() / 2:.2f}, most {medians.max() / 2:.2f}); all batches {marks}"
    )
    return middle


def main() -> int:
    """Run both in turn and compare; the exit code says whether they agree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    own = sorted(os.sched_getaffinity(0))
    parser.add_argument("--pus", default=",".join(str(pu) for pu in own[:2]))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--batches", type=int, default=3000)
    given = parser.parse_args()
    numbers = [int(word) for word in given.pus.split(",")]
    if len(numbers) != 2:
        print("the comparison needs two PUs", file=sys.stderr)
        return 2
    pair = (numbers[0], numbers[1])
    if which("gcc") is None:
        print("the comparison needs gcc", file=sys.stderr)
        return 2
    kernels = compiled()
    ours: list[Batches] = []
    theirs: list[Batches] = []
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        for at in range(given.rounds):
            bench = Bench(kernels, clock_ns(kernels), 64, time.monotonic_ns() + 30 * 10**9)
            if at % 2:
                other = in_c(program, pair, given.batches)
                warm_up(kernels, pair, 0.05)
                run = round_trips(bench, *pair, given.batches)
            else:
                warm_up(kernels, pair, 0.05)
                run = round_trips(bench, *pair, given.batches)
                other = in_c(program, pair, given.batches)
            if len(run) and len(other):
                ours.append(run)
                theirs.append(other)
    if not ours:
        print("the two PUs did not run at once; try again on a quieter host", file=sys.stderr)
        return 1
    mine, reference = shown("skb", ours), shown("C", theirs)
    neighbours = [float(np.median(a) / np.median(b)) - 1 for a, b in zip(ours, theirs, strict=True)]
    difference = mine / reference - 1
    print(
        f"difference {difference:+.1%} (allowed {ALLOWED:.0%}); of neighbouring runs "
        f"{np.median(neighbours):+.1%}, half of them within {_half(neighbours):.1%}"
    )
    return 0 if abs(difference) <= ALLOWED else 1


def _half(values: list[float]) -> float:
    """Half the distance between the quartiles."""
    low, high = np.percentile(values, [25, 75])
    return float(high - low) / 2


if __name__ == "__main__":
    sys.exit(main())

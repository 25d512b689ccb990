"""Throws mutated and random inputs at the sources and counts what they did.

    python -m tests.bench.fuzz [--source hwloc] [--count 100000] [--seed 0] [--keep FOLDER]
    python -m tests.bench.fuzz --large

Prints per source: inputs, how many were accepted and refused, the slowest, the peak of memory, and
the faults, each with its smallest input in `--keep`. Ends with 1 where there was a fault.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import queue
import resource
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue
from pathlib import Path

from tests.fuzzing import inputs
from tests.fuzzing.large import large_inputs
from tests.fuzzing.trial import Outcome, keep, limit_memory, minimised, try_input

# inputs that a worker takes at once, and how long it may be silent: the limit of a trial, a
# machine that is busy with other things, and the minimising of a slow input
_BATCH = 250
_SILENCE_S = 900.0
_LARGE_SILENCE_S = 120.0


@dataclass
class Tally:
    """What the inputs of a source did; faults by what and where, with the first input of each."""

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    slowest: int = -1
    peak_bytes: int = 0
    faults: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, number: int, outcome: Outcome) -> bool:
        """Count an outcome; return whether it is a fault that was not seen before."""
        self.inputs += 1
        self.accepted += outcome.kind == "accepted"
        self.refused += outcome.kind == "refused"
        if outcome.seconds > self.slowest_s:
            self.slowest_s, self.slowest = outcome.seconds, number
        if outcome.kind != "fault":
            return False
        what = _signature(outcome)
        first, count = self.faults.get(what, (number, 0))
        self.faults[what] = (first, count + 1)
        return count == 0

    def join(self, other: Tally) -> None:
        """Add what another worker counted."""
        self.inputs += other.inputs
        self.accepted += other.accepted
        self.refused += other.refused
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)
        if other.slowest_s > self.slowest_s:
            self.slowest_s, self.slowest = other.slowest_s, other.slowest
        for what, (number, count) in other.faults.items():
            first, before = self.faults.get(what, (number, 0))
            self.faults[what] = (min(first, number), before + count)


def _signature(outcome: Outcome) -> str:
    return f"{outcome.told.partition(':')[0]} at {outcome.where}"


def run(name: str, seed: int, numbers: range, folder: Path) -> Tally:
    """Try inputs in this process."""
    kind = inputs.kinds()[name]
    tally = Tally()
    for number in numbers:
        data = inputs.make(kind, name, seed, number)
        outcome = try_input(data, kind.reader)
        if tally.add(number, outcome):
            what = _signature(outcome)
            small = data
            if outcome.seconds < 1:
                small = minimised(data, partial(_does, kind, what))
            keep(folder, f"{name}-{number}", small, outcome)
    tally.peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return tally


def _does(kind: inputs.Kind, what: str, data: bytes) -> bool:
    return _signature(try_input(data, kind.reader)) == what


def _work(todo: Queue[tuple[str, int, range] | None], done: Queue[Tally], folder: Path) -> None:
    limit_memory()
    os.nice(5)
    while (task := todo.get()) is not None:
        done.put(run(*task, folder))


def fuzz(name: str, seed: int, count: int, workers: int, folder: Path) -> Tally:
    """Try inputs of a source in worker processes."""
    context = multiprocessing.get_context("spawn")
    todo: Queue[tuple[str, int, range] | None] = context.Queue()
    done: Queue[Tally] = context.Queue()
    batches = [range(at, min(at + _BATCH, count)) for at in range(0, count, _BATCH)]
    for batch in batches:
        todo.put((name, seed, batch))
    processes = [
        context.Process(target=_work, args=(todo, done, folder), daemon=True)
        for _ in range(workers)
    ]
    for process in processes:
        todo.put(None)
        process.start()
    total = Tally()
    for _ in batches:
        tally = _next(done, processes)
        if tally is None:
            total.faults["a worker that ended, or was silent for too long"] = (-1, 1)
            break
        total.join(tally)
        if sys.stderr.isatty():
            print(f"\r{name}: {total.inputs:,} of {count:,}", end="", file=sys.stderr, flush=True)
    for process in processes:
        process.join(5)
        if process.is_alive():
            process.kill()
    return total


def _next(done: Queue[Tally], processes: list[SpawnProcess]) -> Tally | None:
    """Wait for a tally; None where no worker will give one any more."""
    patient_until = time.monotonic() + _SILENCE_S
    while time.monotonic() < patient_until:
        try:
            return done.get(timeout=1)
        except queue.Empty:
            if any(process.exitcode for process in processes):
                return None
    return None


def _tell(name: str, tally: Tally, seconds: float) -> None:
    print(
        f"{name:15} {tally.inputs:9,} {tally.accepted:9,} {tally.refused:9,} "
        f"{tally.slowest_s:8.3f} {tally.slowest:8} {tally.peak_bytes / 1e6:7.0f} "
        f"{sum(count for _first, count in tally.faults.values()):7,} {seconds:7.0f}",
        flush=True,
    )
    for what, (first, count) in sorted(tally.faults.items()):
        print(f"    {count:,} times, first input {first}: {what}", flush=True)


def _try_large(what: str, path: Path, done: Queue[tuple[Outcome, int]] | None) -> None:
    """Write a large input to a file or, given a queue, read it and tell how that went."""
    if done is None:
        path.write_bytes(large_inputs()[what]())
        return
    limit_memory()
    outcome = try_input(path.read_bytes())
    done.put((outcome, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


def fuzz_large(path: Path) -> bool:
    """Try each large input in a process of its own; return whether one was a fault."""
    context = multiprocessing.get_context("spawn")
    faulty = False
    for what in large_inputs():
        maker = context.Process(target=_try_large, args=(what, path, None))
        maker.start()
        maker.join()
        done: Queue[tuple[Outcome, int]] = context.Queue()
        reader = context.Process(target=_try_large, args=(what, path, done))
        reader.start()
        try:
            outcome, peak = done.get(timeout=_LARGE_SILENCE_S)
        except queue.Empty:
            reader.kill()
            outcome, peak = Outcome("fault", _LARGE_SILENCE_S, "no answer"), 0
        reader.join()
        faulty = faulty or outcome.kind == "fault"
        size = path.stat().st_size / 1e6
        told = outcome.told[:60] if outcome.kind != "accepted" else ""
        print(
            f"{what:45} {size:6.1f} MB {outcome.kind:9} {outcome.seconds:6.2f} s"
            f" {peak / 1e6:5.0f} MB  {told}",
            flush=True,
        )
    path.unlink(missing_ok=True)
    return faulty


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    known = list(inputs.kinds())
    parser.add_argument("--source", action="append", choices=known, help="default: all")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--keep", type=Path, help="folder for inputs with faults")
    parser.add_argument("--large", action="store_true", help="only the large inputs")
    given = parser.parse_args()
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    folder = given.keep or Path(tempfile.mkdtemp(prefix="skb-faults-"))
    if given.large:
        return int(fuzz_large(folder / "large.input"))
    print(
        f"seed {given.seed}, faults are kept in {folder}\n"
        f"{'source':15} {'inputs':>9} {'accepted':>9} {'refused':>9} {'slowest':>8}"
        f" {'number':>8} {'peak MB':>7} {'faults':>7} {'s':>7}"
    )
    faulty = False
    for name in given.source or known:
        begin = time.monotonic()
        tally = fuzz(name, given.seed, given.count, given.workers, folder)
        _tell(name, tally, time.monotonic() - begin)
        faulty = faulty or bool(tally.faults)
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())

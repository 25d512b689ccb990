"""Memory as each node sees it: latency of dependent loads, bandwidth of reads and writes.

The buffer of a node is larger than all outermost caches of the machine's fullest node twice over,
so that a line has left them before its turn comes again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from skb.machine import Machine
from skb.probe.atomics import Kernels
from skb.probe.buffers import allocate, alone, available_bytes, bind, node_of
from skb.probe.plan import Reach, cache_bytes
from skb.probe.primitives import Function, Words
from skb.probe.statistics import Batches, Settled, rates, settle
from skb.probe.threads import run_pinned

LOADS = 500
TRIAL = 20
MOST_BATCHES = 4000
CHUNK_WORDS = 1 << 17
MOST_STAMPS = 1 << 15
# a buffer is filled by at most so many PUs, in steps between looks at the clock
FILLERS = 16
PAGE_WORDS = 512
TOUCH_STEP = 1 << 20
LINK_STEP = 1 << 17
ASSUMED_CACHE_BYTES = 128 << 20
LEAST_BITS = 12
MOST_BITS = 30
VISITS = 4
LEAST_SHARE = 0.3
# streams begin together, this long after they are called
START_NS = 2_000_000
# differences that are noise: ns of a load; ns for a MiB
LATENCY_FLOOR_NS = 2.0
PACE_FLOOR_NS = 0.0
_KEY = 0x5BD1E995


@dataclass(frozen=True, slots=True)
class MemoryResult:
    """What one reach showed: `kind` is latency, read or write; `pus` did it together.

    Batches are nanoseconds: of a load, or for a MiB.
    """

    kind: str
    reach: Reach
    pus: tuple[int, ...]
    settled: Settled


@dataclass(slots=True)
class MemoryRun:
    """Measures reaches, one buffer for each target; `notes` say what could not be measured."""

    kernels: Kernels
    machine: Machine
    seed: int
    end_ns: int
    notes: list[str] = field(default_factory=list)

    def measure(
        self, reaches: Sequence[Reach], seconds: float, step: Callable[[str], None]
    ) -> list[MemoryResult]:
        """Measure all reaches to one target in about some seconds; `step` is told each."""
        target = reaches[0].target
        begin = time.monotonic()
        words = self._filled(reaches)
        if words is None:
            return []
        found = []
        # filling counts, but never takes all
        left = max(seconds - (time.monotonic() - begin), LEAST_SHARE * seconds)
        each = left / len(reaches) / 5
        at = 0
        for reach in reaches:
            at, result = self._latency(words, at, reach, each)
            found += result
            step(f"latency numa:{reach.initiator} to numa:{target}")
        for kernel, kind in (
            (self.kernels.stream_read, "read"),
            (self.kernels.stream_write, "write"),
        ):
            for reach in reaches:
                for pus in dict.fromkeys((reach.pus[:1], reach.pus)):
                    found += self._bandwidth(words, kernel, kind, reach, pus, each)
            step(f"{kind} bandwidth of numa:{target}")
        return found

    def _filled(self, reaches: Sequence[Reach]) -> Words | None:
        """Return a buffer on the target node, linked into a random cycle; None, with a note."""
        target = reaches[0].target
        size = self._size(reaches)
        if size is None:
            return None
        stride = self._line_bytes() // 8
        words = allocate(size, huge=True)
        bound = bind(words, target)
        own = [reach for reach in reaches if reach.initiator == target]
        if not bound and not own and len(self.machine.numa) > 1:
            self.notes.append(
                f"memory of numa:{target} was not measured: it has no PU of its own, and the "
                "kernel or the sandbox does not let us bind memory to it (mbind)"
            )
            return None
        bits = (size // (8 * stride)).bit_length() - 1
        if not self._linked(words, (own or list(reaches))[0].pus, bits, stride):
            self.notes.append(
                f"memory of numa:{target} was not measured: the time was over before its "
                f"{size >> 20} MiB were filled (more --seconds)"
            )
            return None
        lies = node_of(words)
        if lies is not None and lies != target and len(self.machine.numa) > 1:
            self.notes.append(
                f"memory of numa:{target} was not measured: the kernel gave memory of numa:{lies}"
            )
            return None
        return words

    def _linked(self, words: Words, pus: tuple[int, ...], bits: int, stride: int) -> bool:
        """Touch the words in their order, then link the cycle; False where the time was over.

        The cycle goes everywhere at once: touched by it, all pages would be asked for in one step.
        """
        key = (self.seed * _KEY + _KEY) & ((1 << bits) - 1)

        def touch(first: int, last: int) -> None:
            self.kernels.touch(words, first, last, PAGE_WORDS)

        def link(first: int, last: int) -> None:
            self.kernels.fill_cycle(words, bits, stride, key, first, last)

        return self._shared(len(words), TOUCH_STEP, pus, touch) and self._shared(
            1 << bits, LINK_STEP, pus, link
        )

    def _shared(
        self, count: int, step: int, pus: tuple[int, ...], work: Callable[[int, int], None]
    ) -> bool:
        """Share the numbers below a count among PUs, step by step; False where time was over."""
        workers = pus[:FILLERS]

        def run(worker: int) -> bool:
            for first in range(worker * step, count, len(workers) * step):
                if time.monotonic_ns() > self.end_ns:
                    return False
                work(first, min(first + step, count))
            return True

        return all(run_pinned([(pu, partial(run, at)) for at, pu in enumerate(workers)]))

    def _line_bytes(self) -> int:
        return line_bytes(self.machine)

    def _size(self, reaches: Sequence[Reach]) -> int | None:
        """Return a power of two that leaves the caches behind; None, with a note, without room."""
        target = reaches[0].target
        caches = max(
            cache_bytes(self.machine, self.machine.pus_of(f"numa:{node}"))
            for node in {reach.initiator for reach in reaches}
        )
        if not caches:
            caches = ASSUMED_CACHE_BYTES
            self.notes.append(
                f"no cache states its size: {caches >> 20} MiB were taken to be larger than all"
            )
        lines = -(-2 * caches // self._line_bytes())
        bits = min(max((lines - 1).bit_length(), LEAST_BITS), MOST_BITS)
        size = self._line_bytes() << bits
        room = available_bytes(target)
        if size > room:
            self.notes.append(
                f"memory of numa:{target} was not measured: that takes {size >> 20} MiB, twice its "
                f"caches, and {room >> 20} MiB may be taken"
            )
            return None
        return size

    def _latency(
        self, words: Words, at: int, reach: Reach, seconds: float
    ) -> tuple[int, list[MemoryResult]]:
        pu = reach.pus[0]

        def follow(spent: Words) -> int:
            return int(self.kernels.chase(words, at, len(spent), LOADS, spent))

        # the first few only show how many fit into half of the time
        spent = alone(TRIAL)
        begin = time.perf_counter()
        [at] = run_pinned([(pu, partial(follow, spent))])
        passed = time.perf_counter() - begin
        batches = int(min(MOST_BATCHES, max(TRIAL, TRIAL * seconds / 2 / passed)))
        visits: list[Batches] = []
        while self._again(visits, LATENCY_FLOOR_NS):
            spent = alone(batches)
            [at] = run_pinned([(pu, partial(follow, spent))])
            visits.append(spent / LOADS)
        return at, self._kept("latency", reach, (pu,), visits, LATENCY_FLOOR_NS)

    def _bandwidth(
        self,
        words: Words,
        kernel: Function,
        kind: str,
        reach: Reach,
        pus: tuple[int, ...],
        seconds: float,
    ) -> list[MemoryResult]:
        share = len(words) // len(pus)
        chunk = min(CHUNK_WORDS, share)
        parts = [words[at * share : (at + 1) * share] for at in range(len(pus))]
        visits: list[Batches] = []
        while self._again(visits, PACE_FLOOR_NS):
            end = time.monotonic_ns() + START_NS + int(seconds / 4 * 1e9)
            moved = self._streamed(kernel, pus, parts, chunk, min(end, self.end_ns))
            visits.append(2**20 / moved)
        return self._kept(kind, reach, pus, visits, PACE_FLOOR_NS)

    def _streamed(
        self, kernel: Function, pus: tuple[int, ...], parts: list[Words], chunk: int, end: int
    ) -> Batches:
        """Stream through a part from each PU until a time; return joint bytes/ns by chunk."""
        begin = time.monotonic_ns() + START_NS
        stamps = [alone(MOST_STAMPS) for _ in pus]

        jobs = [
            (pu, partial(kernel, part, chunk, own, alone(1), begin, end))
            for pu, part, own in zip(pus, parts, stamps, strict=True)
        ]
        done = run_pinned(jobs)
        return rates([own[: n + 1] for own, n in zip(stamps, done, strict=True)], 8 * chunk)

    def _again(self, visits: list[Batches], floor: float) -> bool:
        """Two visits, and more where they do not agree, while there is time."""
        if time.monotonic_ns() >= self.end_ns:
            return False
        if len(visits) < 2:
            return True
        return len(visits) < VISITS and settle(visits, floor).disturbed

    def _kept(
        self,
        kind: str,
        reach: Reach,
        pus: tuple[int, ...],
        visits: list[Batches],
        floor: float,
    ) -> list[MemoryResult]:
        visits = [visit for visit in visits if len(visit)]
        if not visits:
            self.notes.append(
                f"{kind} from numa:{reach.initiator} to numa:{reach.target} was not measured: "
                "the time was over"
            )
            return []
        return [MemoryResult(kind, reach, pus, settle(visits, floor))]


def line_bytes(machine: Machine) -> int:
    """Return the largest stated line of a cache, rounded up to a power of two; 64 without one."""
    stated = [int(str(fact.args[-1])) for fact in machine.facts_of("cache_line")]
    largest = max([64, *(size for size in stated if size <= 4096)])
    return 1 << (largest - 1).bit_length()


def mib_per_s(pace_ns: Batches) -> Batches:
    """Turn nanoseconds for a MiB into MiB per second."""
    return np.asarray(1e9 / pace_ns, np.float64)

"""Visits to a pair of PUs: every cost of a message between them, as batches.

`latency` is half a round trip of the ping-pong. `send` and `receive` are net of the clock. `gap` is
the slope between bursts of two sizes. `message` is the time of one message of a long stream.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from skb.errors import CheckError
from skb.probe.atomics import Kernels
from skb.probe.buffers import allocate, alone
from skb.probe.kernels import STRIDE
from skb.probe.primitives import Words
from skb.probe.statistics import Batches
from skb.probe.threads import run_pinned

LINES = 16
ROUND_TRIPS = 100
BURSTS = 20
BURST_SIZES = (2, 14)
# batches of each size that make one slope: a single difference is mostly noise
SLOPE_BATCHES = 6
SLOTS = 64
STREAM = 1000
TRIAL = 24
MOST_BATCHES = 4000
# shares of a visit's time: ping-pong, then for each direction single messages, bursts, stream
SHARES = {"round_trip": 0.34, "single": 0.11, "burst": 0.16, "stream": 0.06}
# differences that are noise, in ns: the clock's own, and what is a difference of two times
FLOORS = {"round_trip": 2.0, "send": 2.0, "receive": 4.0, "gap": 6.0, "message": 2.0}

Series = dict[tuple[str, int, int], Batches]


@dataclass(frozen=True, slots=True)
class Bench:
    """What all visits share: kernels, the clock's cost in ns, the line's size, the last moment."""

    kernels: Kernels
    clock_ns: float
    line_bytes: int
    end_ns: int

    def deadline(self, seconds: float) -> int:
        """Return when a run must leave off, whatever its partner does."""
        return min(self.end_ns, time.monotonic_ns() + int((20 * seconds + 0.3) * 1e9))


def visit(bench: Bench, first: int, second: int, seconds: float) -> Series:
    """Visit a pair for about some seconds; what was not completed is missing.

    Keys are (what, from, to); a round trip is of no direction and stands once, from the first.
    """
    found: Series = {}
    found["round_trip", first, second] = _timed(
        lambda batches, _: (round_trips(bench, first, second, batches),),
        SHARES["round_trip"] * seconds,
    )[0]
    for a, b in ((first, second), (second, first)):
        send, receive = _single(bench, a, b, SHARES["single"] * seconds)
        found["send", a, b], found["receive", a, b] = send, receive
        found["gap", a, b] = _burst(bench, a, b, SHARES["burst"] * seconds)
        found["message", a, b] = _stream(bench, a, b, SHARES["stream"] * seconds)
    return {key: batches for key, batches in found.items() if len(batches)}


def clock_ns(kernels: Kernels) -> float:
    """Return what an empty measurement reads: the cost of the clock, net of nothing."""
    stamps = np.zeros(200, np.int64)
    kernels.clock_cost(stamps, 1000)
    return float(np.median(stamps)) / 1000


def warm_up(kernels: Kernels, pus: tuple[int, ...], seconds: float) -> None:
    """Keep PUs busy, so that their clocks have risen before anything is timed."""
    end_ns = time.monotonic_ns() + int(seconds * 1e9)
    run_pinned([(pu, lambda: kernels.spin_until(end_ns)) for pu in pus])


def _timed(
    run: Callable[[int, float], tuple[Batches, ...]], seconds: float, unit: int = 1
) -> tuple[Batches, ...]:
    """Run ever more batches until the time is used; return the batches of all runs.

    How many fit cannot be told from one run: on a busy host a run's time is mostly waiting.
    """
    begin = time.perf_counter()
    runs: list[tuple[Batches, ...]] = []
    batches, left = TRIAL, seconds
    while left > 0 or not runs:
        start = time.perf_counter()
        found = run(batches * unit, left)
        passed = time.perf_counter() - start
        if not len(found[0]):
            break
        runs.append(found)
        left = seconds - (time.perf_counter() - begin)
        batches = min(MOST_BATCHES, 4 * batches, max(TRIAL, int(batches * left / passed)))
    if not runs:
        return found
    return tuple(np.concatenate(rows) for rows in zip(*runs, strict=True))


def round_trips(bench: Bench, first: int, second: int, batches: int) -> Batches:
    """Return the round trip of a cache line between two PUs, in ns, batch by batch."""
    words = allocate(8 * STRIDE * 2 * LINES)
    spent, end = alone(batches), bench.deadline(batches * ROUND_TRIPS * 1e-6)
    given = (words, LINES, batches, ROUND_TRIPS)
    done, _ = run_pinned(
        [
            (first, lambda: bench.kernels.ping(*given, spent, end)),
            (second, lambda: bench.kernels.pong(*given, end)),
        ],
        lambda: words.fill(0),
    )
    # the first turn through the lines finds them cold
    kept = spent[min(LINES, done // 2) : done]
    return np.asarray((kept - bench.clock_ns) / ROUND_TRIPS, np.float64)


def _single(bench: Bench, first: int, second: int, seconds: float) -> tuple[Batches, Batches]:
    words = allocate(8 * STRIDE * (LINES + 2))

    def run(batches: int, seconds: float) -> tuple[Batches, ...]:
        send, receive, sums = alone(batches), alone(batches), alone(1)
        end = bench.deadline(seconds)
        given = (words, LINES, batches, ROUND_TRIPS)
        sent, taken = run_pinned(
            [
                (first, lambda: bench.kernels.send_single(*given, send, end)),
                (second, lambda: bench.kernels.receive_single(*given, receive, sums, end)),
            ],
            lambda: words.fill(0),
        )
        _require(sums, single_sum(taken * ROUND_TRIPS), first, second)
        done = min(sent, taken)
        return tuple(
            np.maximum(busy[1:done] / ROUND_TRIPS - bench.clock_ns, 0.0) for busy in (send, receive)
        )

    sent, taken = _timed(run, seconds)
    return sent, taken


def _burst(bench: Bench, first: int, second: int, seconds: float) -> Batches:
    words = allocate(8 * STRIDE * (LINES + 3))
    sizes = np.array(BURST_SIZES, np.int64)

    def run(batches: int, seconds: float) -> tuple[Batches, ...]:
        spent, sums = alone(batches), alone(1)
        end = bench.deadline(seconds)
        given = (words, LINES, sizes, batches, BURSTS)
        sent, taken = run_pinned(
            [
                (first, lambda: bench.kernels.send_burst(*given, spent, end)),
                (second, lambda: bench.kernels.receive_burst(*given, sums, end)),
            ],
            lambda: words.fill(0),
        )
        _require(sums, burst_sum(taken, BURSTS, BURST_SIZES), first, second)
        return (slopes(spent[:sent]),)

    return _timed(run, seconds, 2 * SLOPE_BATCHES)[0]


def slopes(spent: Words) -> Batches:
    """Return what a further message of a burst took, from batches of two sizes in turn."""
    whole = len(spent) // (2 * SLOPE_BATCHES)
    table = spent[: whole * 2 * SLOPE_BATCHES].reshape(whole, SLOPE_BATCHES, 2)
    middle = np.median(table, axis=1)
    further = BURSTS * (BURST_SIZES[1] - BURST_SIZES[0])
    slope: Batches = (middle[:, 1] - middle[:, 0]) / further
    return np.maximum(slope, 0.0)


def _stream(bench: Bench, first: int, second: int, seconds: float) -> Batches:
    step = bench.line_bytes // 8
    ring, ack = allocate(8 * step * SLOTS), allocate(8 * STRIDE)

    def run(batches: int, seconds: float) -> tuple[Batches, ...]:
        spent, sums = alone(batches), alone(1)
        end, messages = bench.deadline(seconds), batches * STREAM

        def clear() -> None:
            ring.fill(0)
            ack.fill(0)

        sent, taken = run_pinned(
            [
                (
                    first,
                    lambda: bench.kernels.produce(
                        ring, ack, SLOTS, step, batches, STREAM, spent, end
                    ),
                ),
                (
                    second,
                    lambda: bench.kernels.consume(ring, ack, SLOTS, step, messages, sums, end),
                ),
            ],
            clear,
        )
        _require(sums, single_sum(taken), first, second)
        return ((spent[1:sent] - bench.clock_ns) / STREAM,)

    return _timed(run, seconds)[0]


def single_sum(messages: int) -> int:
    """Return the checksum of a stream: word 0 holds the number, word 6 six more."""
    return messages * (messages + 1) + 6 * messages


def burst_sum(batches: int, bursts: int, sizes: tuple[int, int]) -> int:
    """Return the checksum of bursts: every message of burst n carries n in its first word."""
    total = 0
    for batch in range(batches):
        first, last = batch * bursts + 1, (batch + 1) * bursts
        total += sizes[batch % 2] * (first + last) * bursts // 2
    return total


def _require(sums: Words, expected: int, first: int, second: int) -> None:
    if int(sums[0]) != expected:
        raise CheckError(
            f"messages from pu:{first} to pu:{second} were lost or changed on the way",
            mend="the memory of this host, or our atomic operations, are at fault; report it",
        )

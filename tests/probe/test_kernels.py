"""The protocols, run as plain Python and compiled: nothing is lost, and no wait is endless."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from skb.probe import kernels, memory_kernels
from skb.probe.buffers import allocate
from skb.probe.kernels import STRIDE
from skb.probe.messages import BURST_SIZES, LINES, SLOTS, burst_sum, single_sum
from skb.probe.primitives import Words

LONG_NS = 20_000_000_000


def both(name: str) -> Any:
    """Return the reference or the compiled kernels under one name; skip without numba."""
    if name == "reference":
        return SimpleNamespace(**{**vars(kernels), **vars(memory_kernels)})
    pytest.importorskip("numba", reason="numba is an extra: pip install '.[measure]'")
    from skb.probe.atomics import compiled

    return compiled()


@pytest.fixture(params=["reference", "compiled"])
def made(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The same kernels as Python runs them and as numba compiles them."""
    found = both(request.param)
    # the reference's threads hand over the interpreter often, so that both get to run
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield found
    sys.setswitchinterval(before)


def together(first: Callable[[], int], second: Callable[[], int]) -> tuple[int, int]:
    """Run two kernels in two threads; return what they return."""
    found: dict[int, int] = {}

    def run(at: int, job: Callable[[], int]) -> None:
        found[at] = job()

    threads = [threading.Thread(target=run, args=row) for row in ((0, first), (1, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found[0], found[1]


def words(lines: int) -> Words:
    """Return lines as far apart as the protocols want them."""
    return allocate(8 * STRIDE * lines)


def end() -> int:
    return time.monotonic_ns() + LONG_NS


def test_kernels_ping_pong_bounces_every_word(made: Any) -> None:
    """Both sides complete, and the last numbers of each line are those that were due."""
    memory, spent, until = words(2 * 4), np.zeros(6, np.int64), end()
    assert together(
        lambda: made.ping(memory, 4, 6, 5, spent, until),
        lambda: made.pong(memory, 4, 6, 5, until),
    ) == (6, 6)
    assert (
        memory[:: 2 * STRIDE].tolist() == memory[STRIDE :: 2 * STRIDE].tolist() == [25, 30, 15, 20]
    )
    assert (spent > 0).all()


def test_kernels_single_messages_arrive_whole(made: Any) -> None:
    """The receiver's checksum over payloads is that of all messages."""
    memory, until = words(LINES + 2), end()
    send, receive, sums = (np.zeros(4, np.int64) for _ in range(3))
    assert together(
        lambda: made.send_single(memory, LINES, 4, 9, send, until),
        lambda: made.receive_single(memory, LINES, 4, 9, receive, sums, until),
    ) == (4, 4)
    assert sums[0] == single_sum(36)
    assert (send > 0).all() and (receive > 0).all()


def test_kernels_bursts_are_complete_when_their_flag_is_seen(made: Any) -> None:
    """Behind the flag all messages of the burst are there, whichever size it had."""
    memory, until = words(LINES + 3), end()
    sizes, spent, sums = np.array(BURST_SIZES), np.zeros(5, np.int64), np.zeros(1, np.int64)
    assert together(
        lambda: made.send_burst(memory, LINES, sizes, 5, 3, spent, until),
        lambda: made.receive_burst(memory, LINES, sizes, 5, 3, sums, until),
    ) == (5, 5)
    by_hand = sum(BURST_SIZES[(burst // 3) % 2] * (burst + 1) for burst in range(15))
    assert sums[0] == burst_sum(5, 3, BURST_SIZES) == by_hand


def test_kernels_channel_keeps_order_through_many_turns_of_the_ring(made: Any) -> None:
    """The stream is taken in order without a loss, far beyond the slots of the ring."""
    ring, ack, until = allocate(64 * SLOTS), allocate(64), end()
    spent, sums = np.zeros(6, np.int64), np.zeros(1, np.int64)
    assert together(
        lambda: made.produce(ring, ack, SLOTS, 8, 6, 100, spent, until),
        lambda: made.consume(ring, ack, SLOTS, 8, 600, sums, until),
    ) == (6, 600)
    assert sums[0] == single_sum(600)


def test_kernels_channel_stops_at_a_full_ring(made: Any) -> None:
    """Nobody takes: the producer overwrites nothing, and leaves at the deadline."""
    ring, ack, spent = allocate(64 * SLOTS), allocate(64), np.zeros(2, np.int64)
    until = time.monotonic_ns() + 50_000_000
    assert made.produce(ring, ack, SLOTS, 8, 2, SLOTS + 1, spent, until) == 0
    assert ring[7::8].tolist() == list(range(1, SLOTS + 1))


@pytest.mark.parametrize("name", ["ping", "pong", "send_single", "receive_single", "send_burst",
                                  "receive_burst", "consume"])  # fmt: skip
def test_kernels_leave_without_a_partner(made: Any, name: str) -> None:
    """A partner that never runs costs the time until the deadline, no more."""
    memory, other, sums = words(LINES + 3), np.zeros(2, np.int64), np.zeros(1, np.int64)
    sizes, until = np.array(BURST_SIZES), time.monotonic_ns() + 50_000_000
    given = {
        "ping": (memory, 4, 2, 2, other, until),
        "pong": (memory, 4, 2, 2, until),
        "send_single": (memory, LINES, 2, 2, other, until),
        "receive_single": (memory, LINES, 2, 2, other, sums, until),
        "send_burst": (memory, LINES, sizes, 2, 2, other, until),
        "receive_burst": (memory, LINES, sizes, 2, 2, sums, until),
        "consume": (memory, other, SLOTS, 8, 9, sums, until),
    }[name]
    assert getattr(made, name)(*given) == 0
    assert time.monotonic_ns() >= until


def test_kernels_cycle_visits_every_line_once(made: Any) -> None:
    """The chase of 2^9 loads comes home, having been everywhere; reference and compiled agree."""
    bits, stride, key = 9, 8, 77
    memory = allocate(8 * stride << bits)
    assert made.fill_cycle(memory, bits, stride, key, 0, 200) == 200
    assert made.fill_cycle(memory, bits, stride, key, 200, 1 << bits) == 1 << bits
    assert sorted(memory[::stride].tolist()) == [stride * line for line in range(1 << bits)]
    seen, at = set(), 0
    for _ in range(1 << bits):
        seen.add(at)
        at = int(memory[at])
    assert at == 0 and len(seen) == 1 << bits
    assert made.chase(memory, 0, 2, 1 << (bits - 1), np.zeros(2, np.int64)) == 0
    plain = allocate(8 * stride << bits)
    memory_kernels.fill_cycle(plain, bits, stride, key, 0, 1 << bits)
    assert (plain == memory).all()


@pytest.mark.parametrize("bits", range(1, 12))
def test_kernels_scatter_is_a_permutation(bits: int) -> None:
    """Whatever the size and key, no two turns take one line, and neighbours lie apart."""
    lines = [memory_kernels.scatter(turn, bits, 12345) for turn in range(1 << bits)]
    assert sorted(lines) == list(range(1 << bits))
    if bits >= 9:
        steps = np.abs(np.diff(lines))
        assert np.median(steps) > (1 << bits) / 8


def test_kernels_touch_reaches_every_page(made: Any) -> None:
    """One word of each page is written, and nothing behind the end."""
    memory = np.ones(40, np.int64)
    assert made.touch(memory, 8, 30, 8) == 32
    assert np.flatnonzero(memory == 0).tolist() == [8, 16, 24]


def test_kernels_streams_touch_all_and_leave_in_time(made: Any) -> None:
    """A read sums what is there, a write leaves its mark, both stamp each chunk."""
    memory, stamps, sums = allocate(8 * 64), np.zeros(9, np.int64), np.zeros(1, np.int64)
    memory[:] = 3
    assert made.stream_read(memory, 16, stamps, sums, 0, end()) == 8
    assert sums[0] == 8 * 16 * 3
    assert (np.diff(stamps) >= 0).all()
    assert made.stream_write(memory, 16, stamps, sums, 0, end()) == 8
    assert len(set(memory[:16].tolist())) == 1 and (memory > 0x0102030405060700).all()
    assert made.stream_read(memory, 16, stamps, sums, 0, 0) == 1


def test_kernels_clock_is_that_of_python(made: Any) -> None:
    """Deadlines are set by Python and read by the kernel: one clock."""
    before = time.monotonic_ns()
    turns = made.spin_until(before + 2_000_000)
    assert time.monotonic_ns() >= before + 2_000_000 and turns > 0
    stamps = np.zeros(5, np.int64)
    assert made.clock_cost(stamps, 20) == 5
    assert (stamps >= 0).all() and stamps.sum() > 0

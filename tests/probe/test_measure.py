"""One tiny real measurement, where there are two PUs and numba."""

from __future__ import annotations

import os
import time

import pytest

from skb.errors import RequestError, SkbError
from skb.knowledge import machine_of
from skb.machine import Machine
from skb.probe.buffers import allocate, available_bytes, node_of
from skb.probe.measure import Options, measure
from skb.probe.reporting import facts_of
from skb.probe.threads import run_pinned
from skb.relations import check_set
from skb.sources import sysfs
from tests.machines import grown


def host() -> Machine:
    """This host as discovered; skips where it cannot be measured."""
    pytest.importorskip("numba", reason="numba is an extra: pip install '.[measure]'")
    machine = machine_of(sysfs.discover(), "host")
    if len(set(machine.usable_pus) & os.sched_getaffinity(0)) < 2:
        pytest.skip("messages need two PUs")
    return machine


def test_measure_two_pus_of_this_host() -> None:
    """Two PUs give a round trip, both directions' costs and a stream, within the budget."""
    machine = host()
    pair = tuple(sorted(set(machine.usable_pus) & os.sched_getaffinity(0))[:2])
    told: list[float] = []
    begin = time.monotonic()
    report = measure(
        machine,
        Options(pus=pair, what=("messages",), seconds=0.6),
        lambda share, what: told.append(share),
    )
    if not any(what == "round_trip" for what, _a, _b in report.costs):
        pytest.skip("this host was too busy to run two PUs at once for half a second")
    facts = check_set(facts_of(report))
    known = Machine("measured", [*machine.facts, *facts])
    trip = known.number(
        "message_cost", f"pu:{pair[0]}", f"pu:{pair[1]}", "cache_line", "round_trip"
    )
    # light passes a package in 1 ns, and no cache line takes a tenth of a millisecond
    assert trip is not None and 2 < trip < 100_000
    assert told == sorted(told) and told[-1] == 1.0
    assert 0 < report.clock_ns < 10_000
    assert report.seconds <= time.monotonic() - begin


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(what=("noise",)), "cannot measure 'noise'"),
        (Options(seconds=0.0), "no budget"),
        (Options(seconds=float("nan")), "no budget"),
        (Options(pus=(0, 7)), "pu:7 cannot be measured: it is not there"),
        (Options(pus=(0,)), "messages need two PUs"),
    ],
)
def test_measure_says_what_cannot_be_measured(options: Options, words: str) -> None:
    """What is impossible is refused before anything is compiled, with a mend."""
    with pytest.raises(RequestError, match=words) as caught:
        measure(grown("core:2 pu:1"), options)
    assert caught.value.mend


def test_measure_threads_run_where_they_are_told() -> None:
    """Each job runs on its PU alone, the preparation on that of the first."""
    own = sorted(os.sched_getaffinity(0))[:2]
    seen: list[set[int]] = []
    found = run_pinned(
        [(pu, lambda: os.sched_getaffinity(0)) for pu in own],
        lambda: seen.append(os.sched_getaffinity(0)),
    )
    assert found == [{pu} for pu in own]
    assert seen == [{own[0]}]
    assert os.sched_getaffinity(0) >= set(own)


def test_measure_threads_hand_on_faults() -> None:
    """A PU that cannot be had and a fault in a job end all threads with one error."""
    own = min(os.sched_getaffinity(0))
    with pytest.raises(SkbError, match="pu:100000 cannot be had"):
        run_pinned([(own, lambda: 0), (100_000, lambda: 0)])
    with pytest.raises(ZeroDivisionError):
        run_pinned([(own, lambda: 1 // 0)])


def test_measure_buffers_lie_on_pages() -> None:
    """Words begin at a page, are zero, and lie on a node that the kernel has."""
    words = allocate(1 << 16)
    assert words.ctypes.data % 4096 == 0
    assert not words.any()
    words[0] = 1
    assert node_of(words) in (None, *range(1024))
    assert available_bytes(0) >= 0

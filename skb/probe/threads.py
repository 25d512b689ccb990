"""Threads that are pinned to PUs and begin together."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

from skb.errors import SkbError

Job = Callable[[], Any]


def run_pinned(
    jobs: Sequence[tuple[int, Job]], prepare: Callable[[], object] = lambda: None
) -> list[Any]:
    """Run each job on its PU, all at once; return what they return.

    `prepare` runs first, on the PU of the first job: the memory that it touches lies near it.
    Raises `SkbError` where a PU cannot be had, and whatever a job raises.
    """
    results: list[Any] = [None] * len(jobs)
    faults: list[BaseException] = []
    gate = threading.Barrier(len(jobs))

    def run(at: int, pu: int, job: Job) -> None:
        try:
            _pin(pu)
            if at == 0:
                prepare()
            gate.wait()
            results[at] = job()
        except threading.BrokenBarrierError:
            return
        except BaseException as fault:
            faults.append(fault)
            gate.abort()

    threads = [
        threading.Thread(target=run, args=(at, pu, job), daemon=True, name=f"probe-pu{pu}")
        for at, (pu, job) in enumerate(jobs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return results


def _pin(pu: int) -> None:
    try:
        os.sched_setaffinity(0, {pu})
    except OSError as fault:
        raise SkbError(
            f"pu:{pu} cannot be had: {fault.strerror}",
            mend="leave it out with --pus, or run where it is allowed",
        ) from fault

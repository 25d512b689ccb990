"""Timing for the benchmarks: the best of a few runs, since other work only adds time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def best(work: Callable[[], Result], rounds: int) -> tuple[float, Result]:
    """Return the seconds of the fastest run, and what the last one gave."""
    fastest = float("inf")
    for _ in range(rounds):
        begin = time.perf_counter()
        result = work()
        fastest = min(fastest, time.perf_counter() - begin)
    return fastest, result

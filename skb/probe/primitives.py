"""What the kernels need of a machine, in plain Python: the meaning that `atomics` compiles.

Run as plain Python, the interpreter's lock orders all accesses, so these are sequentially
consistent; compiled, they are as strong as their names say and no stronger.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.int64]
Function = Any


def load_acquire(words: Words, index: int) -> int:
    """Read a word from memory, before everything that follows."""
    return int(words[index])


def store_release(words: Words, index: int, value: int) -> None:
    """Write a word to memory, after everything that precedes."""
    words[index] = value


def now_ns() -> int:
    """Return the monotonic clock in nanoseconds, the same clock in compiled code."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)

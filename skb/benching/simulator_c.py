"""The workload on an engine in C that was written for it alone, where there is a compiler."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy
from numpy.typing import NDArray

from skb.benching.simulator_workload import OCCUPANCY_PS, RECEIVE_PS, SEND_PS, Workload
from skb.errors import SkbError

SOURCE = Path(__file__).with_name("calendar_queue.c")
MOST_NODES = 4096
SECONDS = 60.0

Integers = NDArray[numpy.int64]


@dataclass(frozen=True, slots=True)
class Ran:
    """What an engine found: picoseconds of each operation, events, processor time."""

    took_ps: Integers
    events: int
    cpu_s: float


Engine = Callable[[Workload], Ran]


def compiler() -> str | None:
    """Return the path of a C compiler, None where there is none."""
    return next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)


def built(source: Path = SOURCE) -> Engine:
    """Compile an engine. Raises `SkbError` where it does not compile."""
    path = compiler()
    if path is None:
        raise SkbError("there is no C compiler here", mend="install gcc, or do without")
    with tempfile.TemporaryDirectory(prefix="skb-bench-") as folder:
        target = Path(folder) / "engine.so"
        command = [path, "-O3", "-march=native", "-shared", "-fPIC", "-DCQ"]
        done = subprocess.run(
            [*command, "-o", str(target), str(source)],
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SkbError(f"{source} does not compile: {done.stderr.strip()[:400]}")
        # what is loaded stays where the file is gone
        run = ctypes.CDLL(str(target)).run
    run.restype = ctypes.c_int64
    return lambda work: _ran(run, work)


def _ran(run: Callable[..., int], work: Workload) -> Ran:
    def integers(numbers: list[int]) -> Integers:
        return numpy.array(numbers, dtype=numpy.int64)

    def pointer(numbers: Integers) -> ctypes.c_void_p:
        return ctypes.c_void_p(numbers.ctypes.data)

    begins, children, ways, way = [0], list[int](), [0], list[int]()
    for row in work.children:
        children += row
        begins.append(len(children))
    for source in range(work.count):
        for target in range(work.count):
            way += work.routes.get((source, target), ())
            ways.append(len(way))
    latency = [work.latency_ps(link) for link in range(work.links)]
    tables = [begins, children, list(work.parent), ways, way, latency]
    arrays = [integers(list(work.arrivals)), *map(integers, tables)]
    took = numpy.zeros(len(work.arrivals), dtype=numpy.int64)
    sizes = (len(work.arrivals), work.count, work.links)
    times = (SEND_PS, RECEIVE_PS, OCCUPANCY_PS)
    given = (*map(ctypes.c_int64, sizes), *map(pointer, arrays), *map(ctypes.c_int64, times))
    begin = time.thread_time()
    events = run(*given, pointer(took))
    return Ran(took, int(events), time.thread_time() - begin)

"""One trial: read an input, make the machine of it, and say how that went.

A fault is an exception that is no `SkbError`, an error that does not say where and what to do, a
machine whose summary cannot be written, more than five seconds, or more than 500 MB of memory.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from skb.errors import SkbError
from skb.machine import Machine
from skb.sources import read
from skb.sources.description import Description

SECONDS_LIMIT = 5.0
MEMORY_LIMIT_BYTES = 500_000_000
# what a process that has done nothing else has in memory when a trial begins
_FRESH_BYTES = 80_000_000
# what is asked for beyond this fails at once, before the machine that runs the trial suffers
_ADDRESS_LIMIT_BYTES = 3_000_000_000
_MESSAGE_LIMIT = 2_000
_OURS = f"{os.sep}skb{os.sep}"


class _TookTooLongError(BaseException):
    """Not an `Exception`, so that nobody on the way handles it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`kind` is accepted, refused or fault; `told` the error, `where` our line it came from."""

    kind: str
    seconds: float
    told: str = ""
    where: str = ""
    details: str = ""


def try_input(data: bytes, reader: Callable[[bytes], Description] | None = None) -> Outcome:
    """Read one input as `skb import` does, up to what `skb show` prints."""
    begin, before = time.process_time(), _peak_bytes()
    # other tests of this process may have left much behind, which is no fault of the input
    most = MEMORY_LIMIT_BYTES + max(0, _resident_bytes() - _FRESH_BYTES)
    try:
        with _limited():
            error = _import(data, reader or (lambda given: read(given, "fuzz.input")))
    except (Exception, _TookTooLongError) as fault:
        lines = [f"{f.filename}:{f.lineno}" for f in traceback.extract_tb(fault.__traceback__)]
        where = next((line for line in reversed(lines) if _OURS in line), lines[-1])
        told = f"{type(fault).__name__}: {fault}"[:_MESSAGE_LIMIT]
        spent = time.process_time() - begin
        return Outcome("fault", spent, told, where, traceback.format_exc()[-6000:])
    spent = time.process_time() - begin
    peak = _peak_bytes()
    # a process never forgets its peak: only the input that raised it is at fault
    if peak > max(most, before):
        return Outcome("fault", spent, f"the process took {peak // 10**6} MB", "memory")
    if error is None:
        return Outcome("accepted", spent)
    if unclear := _unclear(error):
        return Outcome("fault", spent, f"{unclear}: {error}"[:_MESSAGE_LIMIT], unclear)
    return Outcome("refused", spent, str(error))


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _import(data: bytes, reader: Callable[[bytes], Description]) -> SkbError | None:
    try:
        description = reader(data)
        if description.partial:
            return None
        machine = Machine(description.name or "m", description.facts, notes=description.notes)
        json.dumps(machine.summary(), ensure_ascii=False).encode()
        json.dumps([fact.args for fact in machine.facts], ensure_ascii=False).encode()
    except SkbError as error:
        return error
    return None


def _unclear(error: SkbError) -> str:
    """Why an error is of no use to who made the input, or an empty string."""
    if not error.place:
        return f"a {type(error).__name__} without a place"
    if not error.mend:
        return f"a {type(error).__name__} without a mend"
    if len(str(error)) > _MESSAGE_LIMIT:
        return f"a {type(error).__name__} of {len(str(error))} characters"
    try:
        str(error).encode()
    except UnicodeEncodeError:
        return f"a {type(error).__name__} that cannot be printed"
    return ""


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Interrupt what takes more than the allowed time of the processor."""
    old = signal.signal(signal.SIGPROF, _interrupt)
    signal.setitimer(signal.ITIMER_PROF, SECONDS_LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _TookTooLongError(f"more than {SECONDS_LIMIT:g} s")


def limit_memory() -> None:
    """Refuse this process more address space than any trial may need."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_LIMIT_BYTES, _ADDRESS_LIMIT_BYTES))


def minimised(data: bytes, same: Callable[[bytes], bool], tries: int = 300) -> bytes:
    """Return a smaller input with the same fault, by leaving out halves, quarters, and so on."""
    size = max(1, len(data) // 2)
    while tries > 0:
        at = 0
        shrunk = False
        while at < len(data) and tries > 0:
            smaller = data[:at] + data[at + size :]
            tries -= 1
            if same(smaller):
                data, shrunk = smaller, True
            else:
                at += size
        if size == 1 and not shrunk:
            break
        size = max(1, size // 2)
    return data


def keep(folder: Path, name: str, data: bytes, outcome: Outcome) -> Path:
    """Write an input and what it did; return where."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.input"
    path.write_bytes(data)
    path.with_suffix(".txt").write_text(f"{outcome.told}\n{outcome.where}\n\n{outcome.details}\n")
    return path

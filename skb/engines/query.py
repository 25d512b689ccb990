"""A user's rules in a process of their own that can be killed: grounding cannot be cancelled
otherwise.

Guards in order: the text (`query_text`), the syntax tree (`query_vet`, in the child), limits of the
child on memory, processor time, files and output, and SIGKILL to its process group at the deadline.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import IO, Any

import msgspec

import skb
from skb.engines.asp import TUNED
from skb.engines.query_text import vet_text
from skb.errors import LimitError, RulesError, SkbError

MEMORY_BYTES = 2**30
OUTPUT_BYTES = 8 * 2**20
_ENVIRONMENT = ("LD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")
_MODULE = "skb.engines.query_child"


class WorkerError(SkbError):
    """The worker of a query broke by itself: an internal fault."""

    exit_code = 1
    http_status = 500
    kind = "worker"


@dataclass(frozen=True, slots=True)
class Work:
    """What a child is to do: a user's rules over facts, with the part of the prelude that they
    need.

    `known` are the predicates that the rules may not define; `show` restricts the output where it
    is not empty; `models` is how many answer sets are wanted, 0 for all.
    """

    rules: str
    prelude: str
    facts: Sequence[Sequence[str | int]]
    known: Sequence[tuple[str, int]]
    show: Sequence[tuple[str, int]] = ()
    models: int = 1
    seed: int = 0
    options: tuple[str, ...] = TUNED
    memory_bytes: int = MEMORY_BYTES
    output_bytes: int = OUTPUT_BYTES
    cpu_s: int = 60


@dataclass(slots=True)
class Answers:
    """Answer sets as plain values; `finished` is False where the deadline came first.

    `proven` says that the answer sets are the best there are, or that nothing was to be optimised;
    `exhausted` that there are no others.
    """

    models: list[dict[str, Any]] = field(default_factory=list)
    exhausted: bool = False
    finished: bool = False
    proven: bool = False
    messages: tuple[str, ...] = ()


def ask(work: Work, limit_s: float, spent_s: float = 0.0) -> Answers:
    """Return the answer sets of a user's rules; `spent_s` of the limit are gone already.

    Raises `RulesError` for rules that are refused, `LimitError` where time, memory or output ran
    out before the first answer set. The child is gone when this returns.
    """
    deadline = time.monotonic() + max(0.1, limit_s - spent_s)
    vet_text(work.rules)
    data = msgspec.json.encode(replace(work, cpu_s=min(work.cpu_s, ceil(limit_s) + 1)))
    output, code = _run(data, deadline, work.output_bytes)
    found = _answers(output, work)
    if not found.finished and not found.models:
        raise _unanswered(code, limit_s, work)
    return found


def _run(data: bytes, deadline: float, output_bytes: int) -> tuple[bytes, int | None]:
    """Return what the child wrote and its exit code, None where the deadline came first."""
    command = [sys.executable, "-P", "-S", "-m", _MODULE]
    # the child finds what we found, without site and its hooks
    roots = [*(str(Path(place).parent) for place in skb.__path__), *filter(None, sys.path)]
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    with tempfile.TemporaryFile() as inbox:
        inbox.write(data)
        inbox.seek(0)
        child = subprocess.Popen(
            command,
            stdin=inbox,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**kept, "PYTHONPATH": os.pathsep.join(roots), "PYTHONUTF8": "1"},
            start_new_session=True,
        )
    try:
        assert child.stdout is not None
        output, whole = _read(child.stdout, deadline, output_bytes + 2**20)
        return output, _left(child, deadline) if whole else None
    finally:
        _end(child)


def _left(child: subprocess.Popen[bytes], deadline: float) -> int | None:
    try:
        return child.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None


def _read(pipe: IO[bytes], deadline: float, most: int) -> tuple[bytes, bool]:
    found = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0 and len(found) <= most:
            if not selector.select(left):
                break
            chunk = os.read(pipe.fileno(), 65536)
            if not chunk:
                return bytes(found), True
            found += chunk
    return bytes(found), False


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _answers(output: bytes, work: Work) -> Answers:
    """Collect the child's lines; raise what it refused or exceeded."""
    found = Answers()
    best: dict[str, Any] | None = None
    whole = output[: output.rfind(b"\n") + 1]
    for line in map(msgspec.json.decode, whole.splitlines()):
        if "refused" in line:
            refused = line["refused"]
            raise RulesError(refused["message"], place=refused["place"], mend=refused["mend"])
        if "exceeded" in line:
            raise _exceeded(line["exceeded"], work)
        if "end" in line:
            found.finished = True
            found.exhausted = line["end"]["exhausted"]
            found.messages = tuple(line["end"]["messages"])
        elif line["model"]["proven"]:
            found.models.append(line["model"])
        else:
            best = line["model"]
    found.proven = bool(found.models) or best is None
    if not found.models and best is not None:
        found.models.append(best)
    return found


def _unanswered(code: int | None, limit_s: float, work: Work) -> SkbError:
    if code is None:
        return LimitError(
            f"no answer within {limit_s:g} s; the worker was ended",
            mend="ask for less, bound the variables by facts, or raise limit_s (at most 60)",
        )
    if code == -signal.SIGSEGV:
        return RulesError("a term is nested too deeply for clingo", place="rules", mend="split it")
    if code < 0:
        # clingo does not survive every failed allocation
        return _exceeded("memory", work)
    return WorkerError(f"the worker ended with code {code}", mend="report the query")


def _exceeded(what: str, work: Work) -> LimitError:
    most = work.memory_bytes if what == "memory" else work.output_bytes
    mend = {
        "memory": "bound the variables by facts, or split the joins",
        "output": "show fewer predicates, or ask for fewer models",
    }
    return LimitError(
        f"the query needs more than {most >> 20} MiB of {what}; the worker was ended",
        mend=mend[what],
    )

"""Long work on a placement in a process of its own: grounding and eigenvalues cannot be cancelled.

The parent searches meanwhile; at its deadline the child is killed and what it knew is lost. Only
our own programs and results travel, pickled through files that nobody else can open.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import skb
from skb.decision import Limits
from skb.engines.asp import TUNED, Atom, Model, Outcome, Program, minimal_core

_KEPT = ("LD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")
# matrices of this size are slower with several threads, and the parent needs the other PUs
_ALONE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
Core = tuple[tuple[Atom, ...], bool]


class Task(Protocol):
    """What a child can do: it travels pickled, and so does what it gives."""

    def run(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Work:
    """A program to solve or, where `named` is given, whose minimal clash of those is wanted.

    `deadline` is the fuse by the monotonic clock, which processes of one host share.
    """

    program: Program
    limits: Limits
    deadline: float
    named: tuple[Atom, ...] | None = None
    options: tuple[str, ...] = TUNED

    def run(self) -> Outcome | Core:
        return solved(self) if self.named is None else clashing(self)


class _Fused(Model):
    """A model all of whose calls together end at the fuse."""

    def __init__(self, work: Work) -> None:
        self._deadline = work.deadline
        super().__init__(work.program, work.options, work.limits.seed)

    def solve(
        self,
        assumptions: Iterable[tuple[Atom, bool]] = (),
        limits: Limits | None = None,
        *,
        models: int = 0,
    ) -> Outcome:
        left = max(0.0, self._deadline - time.monotonic())
        spent = replace(limits or Limits(), seconds=left)
        return super().solve(assumptions, spent, models=models)


def solved(work: Work) -> Outcome:
    """Return the outcome; grounding is not fused, so only small work is done in this process."""
    return _Fused(work).solve(limits=work.limits)


def clashing(work: Work) -> Core:
    """Return a minimal clash of `named` and whether it is proven to be one."""
    return minimal_core(_Fused(work), work.named or (), work.limits)


class Child:
    """Work under way; use as a context, which kills what still runs at its end."""

    def __init__(self, work: Task) -> None:
        roots = [*(str(Path(place).parent) for place in skb.__path__), *filter(None, sys.path)]
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        self._outbox = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        with tempfile.TemporaryFile() as inbox:
            pickle.dump(work, inbox)
            inbox.seek(0)
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-S", "-m", __name__],
                stdin=inbox,
                stdout=self._outbox,
                stderr=subprocess.DEVNULL,
                env={**kept, **_ALONE, "PYTHONPATH": os.pathsep.join(roots), "PYTHONUTF8": "1"},
            )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_fault: object) -> None:
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        self._outbox.close()

    def result(self, deadline: float) -> Any:
        """Return what the work gave; None where the deadline came first or the child broke."""
        try:
            code = self._child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return None
        self._outbox.seek(0)
        return pickle.load(self._outbox) if code == 0 else None


def main() -> None:
    """Do the work on standard input; write the result to standard output."""
    work: Task = pickle.load(sys.stdin.buffer)
    pickle.dump(work.run(), sys.stdout.buffer)


if __name__ == "__main__":
    # under its importable name, so that the classes in the pickle are the same
    from skb.engines.placement_proof import main as named_main

    named_main()

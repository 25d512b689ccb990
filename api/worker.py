"""The inside of a worker process: waits for one task at a time, answers it, and never outlives it.

Runs what may not end by itself (clingo's grounding ignores interrupts); the parent kills it. Talks
over a pipe that only the parent holds.
"""

from __future__ import annotations

import os
import resource
import signal
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Protocol

from skb.decision import Decision, Limits
from skb.errors import LimitError, SkbError
from skb.machine import Machine
from skb.relations import Fact

if TYPE_CHECKING:
    from skb.questions.placement_repaired import Repaired

MEMORY_LIMIT_BYTES = 3 * 1024**3


Report = Callable[[int, int], None]


class Task(Protocol):
    """Work that travels to a worker by pickle; `run` may report how much of it is done."""

    def run(self, report: Report) -> Any: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A machine as it travels to a worker: its facts without the views computed from them."""

    name: str
    title: str
    revision: int
    notes: tuple[str, ...]
    facts: tuple[Fact, ...]

    @classmethod
    def of(cls, machine: Machine) -> Snapshot:
        return cls(machine.name, machine.title, machine.revision, machine.notes, machine.facts)

    def machine(self) -> Machine:
        return Machine(
            self.name,
            self.facts,
            revision=self.revision,
            title=self.title,
            notes=self.notes,
            checked=True,
        )


@dataclass(frozen=True, slots=True)
class AskTask:
    """Decide a question."""

    snapshot: Snapshot
    question: str
    request: Mapping[str, Any]
    limits: Limits

    def run(self, report: Report) -> Decision:
        from skb.knowledge import decide

        return decide(self.question, self.snapshot.machine(), self.request, self.limits)


@dataclass(frozen=True, slots=True)
class WhyTask:
    """Force an alternative of a decision, or explain it further by topics."""

    snapshot: Snapshot
    decision: Mapping[str, Any]
    clause: Mapping[str, str]
    topics: Mapping[str, int]

    def run(self, report: Report) -> dict[str, Any]:
        from skb.knowledge import explain_alternative, explain_more

        machine = self.snapshot.machine()
        if self.clause:
            return {"not": explain_alternative(machine, self.decision, self.clause)}
        return explain_more(machine, self.decision, self.topics)


@dataclass(frozen=True, slots=True)
class RepairTask:
    """Mend a placement: as the facts are `now` or, without them, as if the parts were off."""

    before: Snapshot
    now: Snapshot | None
    decision: Mapping[str, Any]
    off: tuple[str, ...]
    busy: tuple[str, ...]
    limits: Limits

    def run(self, report: Report) -> Repaired:
        from skb.repairing import mended

        now = None if self.now is None else self.now.machine()
        before = self.before.machine()
        return mended(before, self.decision, now, self.off, self.limits, self.busy)


@dataclass(frozen=True, slots=True)
class SimulateTask:
    """Run a simulation."""

    snapshot: Snapshot
    options: Mapping[str, Any]
    decision: Mapping[str, Any] | None

    def run(self, report: Report) -> dict[str, Any]:
        from skb.knowledge import simulate

        return simulate(self.snapshot.machine(), self.options, self.decision, report)


def main(pipe: Connection, fuse_s: float) -> None:
    """Answer tasks until the parent goes away; `fuse_s` ends a task whose parent has died.

    Sends any number of `("progress", (done, total))`, then `("done", value)`,
    `("refused", error)` or `("fault", traceback)`.
    """
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    _warm()
    pipe.send(("ready", None))
    while True:
        try:
            limit_s, task = pipe.recv()
        except EOFError:
            return
        signal.alarm(int(limit_s + fuse_s) + 1)
        pipe.send(_answer(task, lambda done, total: pipe.send(("progress", (done, total)))))
        signal.alarm(0)


def _warm() -> None:
    """Import what the first task would otherwise wait for."""
    from skb.questions import NAMES

    for name in NAMES:
        import_module(f"skb.questions.{name}")


def _answer(task: Task, report: Report) -> tuple[str, Any]:
    try:
        return ("done", task.run(report))
    except SkbError as error:
        return ("refused", error)
    except MemoryError:
        gib = MEMORY_LIMIT_BYTES // 1024**3
        return ("refused", LimitError(f"more than {gib} GiB of memory", mend="ask for less"))
    except Exception:
        return ("fault", traceback.format_exc())

"""The proof of a placement, and other long work, beside the one who waits for it.

Small programs are solved in threads, which the solver does not need Python for, two ways at once.
Large ones get a process of their own, as grounding and eigenvalues cannot be cancelled: at the
deadline the child is killed, and what it has not told by then is lost. Only our own programs and
results travel, pickled through files that nobody else can open.
"""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import skb
from skb.decision import Limits
from skb.engines.asp import TUNED, Atom, Model, Outcome, Program

# chosen on random requests with 20 tasks on 32 cores and 48 to 64 on 128
PROVING = (
    "--configuration=handy",
    "--opt-strategy=usc,one,stratify",
    "--opt-usc-shrink=min,8",
)
# for small programs (the cost is cut from above), and for larger ones (another way from below)
REFUTING = ("--configuration=tweety", "--opt-strategy=bb,lin")
REFUTING_LARGE = (
    "--configuration=trendy",
    "--opt-strategy=usc,oll,stratify",
    "--opt-usc-shrink=min,8",
)
LARGE = 650
# conflicts after which an instance is not an easy one
FIRST = 6_000
# seconds between two looks at what other threads and processes do
POLL = 0.002
_KEPT = ("LD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")
# matrices of this size are slower with several threads, and the parent needs the other PUs
_ALONE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Task(Protocol):
    """What a child can do: it travels pickled, and so does what it gives."""

    def run(self) -> Any: ...


class Telling(Protocol):
    """Work that tells what it has found so far, each time better than before."""

    def found(self, tell: Callable[[Any], None]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Anytime:
    """Work for a child whose last word counts when it is killed."""

    work: Telling

    def run(self) -> Any:
        return self.work.found(lambda _found: None)


@dataclass(frozen=True, slots=True)
class Work:
    """A program to solve.

    `deadline` is the fuse by the monotonic clock, which processes of one host share. Models that
    cost more than `most` do not count.
    """

    program: Program
    limits: Limits
    deadline: float
    options: tuple[str, ...] = TUNED
    most: int | None = None

    def run(self) -> Outcome:
        return solved(self)


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
        most: int | None = None,
    ) -> Outcome:
        left = max(0.0, self._deadline - time.monotonic())
        spent = replace(limits or Limits(), seconds=left)
        return super().solve(assumptions, spent, models=models, most=most)


def solved(work: Work) -> Outcome:
    """Return the outcome; grounding is not fused, so only small work is done in this process."""
    return _Fused(work).solve(limits=work.limits, most=work.most)


class Aside:
    """A program to solve under way in a thread of this process, for which the solver does not need
    Python; use as a context, which ends it. Grounding is not ended, so that has to be small.

    `begun` says that the first conflicts are spent without a proof, and stays so: the solver begins
    anew, with what it learnt.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._model: Model | None = None
        self._found: Outcome | None = None
        self._fault: BaseException | None = None
        self._ended = False
        self.begun = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._model = _Fused(self._work)
            most = self._work.limits.conflicts
            for conflicts in (min(FIRST, most), most - FIRST):
                if conflicts <= 0 or self._ended or _complete(self._found):
                    break
                limits = replace(self._work.limits, conflicts=conflicts)
                found = self._model.solve(limits=limits, most=self._work.most)
                self._found = _better(self._found, found)
                self.begun = self.begun or not _complete(found)
        except BaseException as fault:  # for the thread that waits
            self._fault = fault

    def __enter__(self) -> Aside:
        return self

    def __exit__(self, *_fault: object) -> None:
        self._end()

    def _end(self) -> None:
        self._ended = True
        if self._model is not None:
            self._model.interrupt()
        self._thread.join()

    def done(self) -> bool:
        return not self._thread.is_alive()

    def result(self, deadline: float) -> Outcome | None:
        """Return the outcome, at the deadline that of as much as was done. Raises what the solver
        raised.
        """
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            self._end()
        if self._fault is not None:
            raise self._fault
        return self._found


def _complete(found: Outcome | None) -> bool:
    return found is not None and (found.proven or found.satisfiable is False)


def _better(before: Outcome | None, after: Outcome) -> Outcome:
    """Return the later outcome with the better model and the better bound of both."""
    if before is None or _complete(after):
        return after
    if before.cost and (not after.cost or before.cost < after.cost):
        after = replace(after, satisfiable=True, atoms=before.atoms, cost=before.cost)
    return replace(after, bound=max(before.bound, after.bound))


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

    def done(self) -> bool:
        return self._child.poll() is not None

    def result(self, deadline: float) -> Any:
        """Return what the work gave, or told last where the deadline came first or the child broke;
        None where that is nothing.
        """
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(max(0.0, deadline - time.monotonic()))
        return self.told()

    def told(self) -> Any:
        """Return what the work told last; None where nothing yet."""
        # the child writes at the position that the file has for both of us
        told = os.pread(self._outbox.fileno(), os.fstat(self._outbox.fileno()).st_size, 0)
        found, words = None, io.BytesIO(told)
        while words.tell() < len(told):
            try:
                found = pickle.load(words)
            except (EOFError, pickle.UnpicklingError):
                break  # the last word is not whole
        return found


class Proof:
    """Two ways to prove a program's optimum, side by side; use as a context, which ends both.

    One finds the cheapest model from below. The other, once a placement is known (`refute`), looks
    for one that costs less, and finds that there is none. So which of them is the quicker does not
    change the answer: the second confirms what is known, or says nothing.
    """

    def __init__(self, program: Program, limits: Limits, deadline: float, inside: bool) -> None:
        self._work = Work(program, limits, deadline, options=PROVING)
        self._inside = inside
        self._first: Aside | Child = Aside(self._work) if inside else Child(self._work)
        self._second: Aside | None = None

    def __enter__(self) -> Proof:
        return self

    def __exit__(self, *fault: object) -> None:
        for member in (self._first, self._second):
            if member is not None:
                member.__exit__(*fault)

    def refute(self, most: int) -> None:
        """Begin to look for models that cost at most so much; only inside this process."""
        if not self._inside or most < 0:
            return
        if self._second is not None:
            self._second.__exit__()
        options = REFUTING if len(self._work.program.atoms) <= LARGE else REFUTING_LARGE
        self._second = Aside(replace(self._work, options=options, most=most))

    @property
    def refuted(self) -> bool:
        """Whether it is proven by now that there are no such models."""
        second = self._second
        if second is None or not second.done():
            return False
        found = second.result(0.0)
        return found is not None and found.satisfiable is False

    @property
    def complete(self) -> bool:
        """Whether the first way has ended with a proof."""
        return self._first.done() and _complete(self._first.result(0.0))

    def wait(
        self, deadline: float, begun: bool = False, other: Callable[[], bool] = lambda: False
    ) -> bool:
        """Wait until there is a proof, here or by an `other` one, or nothing more to come; tell
        whether that was in time.

        With `begun`, wait no longer than until the first way has spent its first conflicts.
        """
        while True:
            over = self._over()
            # after `over`: who looks too late to see what came between answers alike
            if begun and self._begun():
                return False
            if over or other():
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL)

    def _begun(self) -> bool:
        return self._first.begun if isinstance(self._first, Aside) else True

    def _over(self) -> bool:
        if self.refuted or self.complete:
            return True
        return self._first.done() and (self._second is None or self._second.done())

    def outcome(self, deadline: float) -> Outcome | None:
        """Return what the first way found, with the better bound of both, where neither ended with
        a proof; None where the first has not ended by the deadline.
        """
        # who is refuted from above has no need of the other way
        until = 0.0 if self.refuted else deadline
        found: Outcome | None = self._first.result(until)
        if found is None or _complete(found) or self._second is None:
            return found
        other = self._second.result(until)
        return replace(found, bound=max(found.bound, other.bound)) if other else found


# how far work that tells what it has found so far stands back
NICE = 5


def main() -> None:
    """Do the work on standard input; write the result to standard output, and before it what the
    work tells.
    """

    def told(found: Any) -> None:
        sys.stdout.buffer.write(pickle.dumps(found))
        sys.stdout.buffer.flush()

    work: Task = pickle.load(sys.stdin.buffer)
    if isinstance(work, Anytime):
        # it can wait for the search that goes on beside it, whose end comes sooner
        os.nice(NICE)
    told(work.work.found(told) if isinstance(work, Anytime) else work.run())


if __name__ == "__main__":
    # under its importable name, so that the classes in the pickle are the same
    from skb.engines.placement_proof import main as named_main

    named_main()

"""A small pool of pre-warmed worker processes, each with one task at a time, each killable.

A task that is not answered within its limit and half a second is ended with SIGKILL, with
everything that it started, and a fresh worker takes its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

from api.problems import BusyError, CancelledError, FaultError
from api.worker import Report, Task, main
from skb.errors import LimitError

log = logging.getLogger("skb.api")
GRACE_S = 0.5
START_S = 60.0
FUSE_S = 3.0
_context = get_context("forkserver")


class Worker:
    """One process and its pipe; `call` blocks, `kill` may come from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._ready = False
        self.kills = 0
        self._start()

    def _start(self) -> None:
        self._pipe: Connection
        self._pipe, inner = _context.Pipe()
        self._process: ForkServerProcess = _context.Process(
            target=main, args=(inner, FUSE_S), daemon=False, name="skb-worker"
        )
        self._process.start()
        inner.close()
        self._ready = False

    def call(self, task: Task, limit_s: float, report: Report | None = None) -> Any:
        """Return the task's value; raise its error, `LimitError`, or `CancelledError`."""
        with self._lock:
            self._cancelled = False
        try:
            self._await_ready()
            self._pipe.send((limit_s, task))
            word, value = self._receive(time.monotonic() + limit_s + GRACE_S, limit_s, report)
        except LimitError:
            self._restart()
            raise
        except (EOFError, OSError) as fault:
            self._restart()
            if self._cancelled:
                raise CancelledError("the work was cancelled") from fault
            raise FaultError(
                "the worker died", mend="try again; the server's log says more"
            ) from fault
        if word == "refused":
            raise value
        if word == "fault":
            log.error("fault in a worker:\n%s", value)
            raise FaultError("something went wrong in a worker", mend="the server's log says what")
        return value

    def _receive(self, end: float, limit_s: float, report: Report | None) -> tuple[str, Any]:
        while self._pipe.poll(max(0.0, end - time.monotonic())):
            word, value = self._pipe.recv()
            if word != "progress":
                return word, value
            if report is not None:
                report(*value)
        raise LimitError(
            f"no answer within {limit_s:g} s; the worker was ended",
            mend="ask for less, or give a larger limit_s",
        )

    def _await_ready(self) -> None:
        if not self._ready:
            if not self._pipe.poll(START_S):
                raise LimitError(f"no worker within {START_S:g} s", mend="try again")
            self._pipe.recv()
            self._ready = True

    def cancel(self) -> None:
        """End the running task; its `call` raises `CancelledError`."""
        with self._lock:
            self._cancelled = True
            self._kill()

    def _kill(self) -> None:
        pid = self._process.pid
        if pid is not None and self._process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            self._process.kill()

    def _restart(self) -> None:
        self.close()
        self.kills += 1
        self._start()

    def close(self) -> None:
        """End the process."""
        self._kill()
        self._process.join()
        self._pipe.close()


class Pool:
    """Workers for an event loop: `run` waits for a free one without blocking the loop."""

    def __init__(self, size: int = 2, waiting: int = 32) -> None:
        self.size = size
        self.waiting = waiting
        self._workers: list[Worker] = []
        self._free: asyncio.Queue[Worker] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(size + 1, "skb-worker")
        self._queued = 0
        self.busy = 0

    async def start(self) -> None:
        """Start all workers; they warm up while the service is ready already."""
        _context.set_forkserver_preload(["api.worker"])
        loop = asyncio.get_running_loop()
        for _ in range(self.size):
            worker = await loop.run_in_executor(self._threads, Worker)
            self._workers.append(worker)
            self._free.put_nowait(worker)

    async def stop(self) -> None:
        """End all workers, whatever they do."""
        for worker in self._workers:
            worker.cancel()
        self._threads.shutdown(wait=True)
        for worker in self._workers:
            worker.close()
        self._workers.clear()

    @property
    def kills(self) -> int:
        return sum(worker.kills for worker in self._workers)

    async def run(
        self,
        task: Task,
        limit_s: float,
        taken: list[Worker] | None = None,
        report: Report | None = None,
    ) -> Any:
        """Run a task; `taken` receives its worker, so that somebody else can cancel it.

        Raises `BusyError` where too many wait already.
        """
        if self._queued >= self.waiting:
            raise BusyError(f"{self._queued} requests wait for a worker", mend="try again later")
        self._queued += 1
        try:
            worker = await self._free.get()
        finally:
            self._queued -= 1
        self.busy += 1
        if taken is not None:
            taken.append(worker)
        call = asyncio.get_running_loop().run_in_executor(
            self._threads, worker.call, task, limit_s, report
        )
        call.add_done_callback(lambda _done: self._give_back(worker))
        return await asyncio.shield(call)

    def _give_back(self, worker: Worker) -> None:
        self.busy -= 1
        self._free.put_nowait(worker)

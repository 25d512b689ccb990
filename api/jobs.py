"""Long work in the background: started, watched, cancelled; the newest are remembered."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api.problems import BusyError, CancelledError
from api.worker import Task
from api.workers import Pool, Worker
from skb.errors import NotFoundError, SkbError

RUNNING = frozenset({"queued", "running"})


@dataclass(slots=True)
class Job:
    """One piece of work; `state` is queued, running, done, failed or cancelled."""

    id: str
    kind: str
    request: Mapping[str, Any]
    state: str = "queued"
    progress: tuple[int, int] | None = None
    result: Any = None
    error: dict[str, Any] | None = None
    begin: float = field(default_factory=time.monotonic)
    seconds: float | None = None
    taken: list[Worker] = field(default_factory=list)
    work: asyncio.Task[None] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the job as the service shows it; `progress` counts done and total."""
        done = self.progress
        return {
            "id": self.id,
            "kind": self.kind,
            "state": self.state,
            "progress": None if done is None else {"done": done[0], "total": done[1]},
            "seconds": round(time.monotonic() - self.begin, 3)
            if self.seconds is None
            else self.seconds,
            "request": self.request,
            "result": self.result,
            "error": self.error,
        }


class Jobs:
    """Jobs of one service, run in a pool of workers of their own."""

    def __init__(self, pool: Pool, remembered: int = 200) -> None:
        self.pool = pool
        self.remembered = remembered
        self._jobs: dict[str, Job] = {}

    def start(self, kind: str, request: Mapping[str, Any], task: Task, limit_s: float) -> Job:
        """Begin a job and return it; raises `BusyError` where too many are unfinished."""
        unfinished = sum(1 for job in self._jobs.values() if job.state in RUNNING)
        if unfinished >= self.pool.waiting:
            raise BusyError(f"{unfinished} jobs are unfinished", mend="wait, or cancel some")
        job = Job(secrets.token_hex(8), kind, request)
        self._jobs[job.id] = job
        finished = [old for old in self._jobs.values() if old.state not in RUNNING]
        for old in finished[: max(0, len(self._jobs) - self.remembered)]:
            del self._jobs[old.id]
        job.work = asyncio.create_task(self._run(job, task, limit_s))
        return job

    async def _run(self, job: Job, task: Task, limit_s: float) -> None:
        def report(done: int, total: int) -> None:
            job.state, job.progress = "running", (done, total)

        try:
            job.result = await self.pool.run(task, limit_s, job.taken, report)
            job.state = "done"
        except CancelledError:
            job.state = "cancelled"
        except SkbError as error:
            job.state = "failed"
            job.error = {
                "type": f"urn:skb:{error.kind}",
                "detail": error.message,
                "place": error.place,
                "mend": error.mend,
            }
        finally:
            job.taken.clear()
            job.seconds = round(time.monotonic() - job.begin, 3)

    def get(self, wanted: str) -> Job:
        """Return a job by id; raise `NotFoundError`."""
        if wanted not in self._jobs:
            raise NotFoundError(f"there is no job {wanted!r}", mend="GET /v1/jobs lists them")
        job = self._jobs[wanted]
        if job.state == "queued" and job.taken:
            job.state = "running"
        return job

    def all(self) -> list[Job]:
        """Return all remembered jobs, the newest first."""
        return [self.get(wanted) for wanted in reversed(self._jobs)]

    async def cancel(self, wanted: str) -> Job:
        """End a job's worker, or keep a waiting job from starting; return the job."""
        job = self.get(wanted)
        if job.state not in RUNNING or job.work is None:
            return job
        if job.taken:
            job.taken[0].cancel()
            await asyncio.wait([job.work])
        else:
            job.work.cancel()
            await asyncio.wait([job.work])
            job.state = "cancelled"
        return job

    async def stop(self) -> None:
        """Cancel everything."""
        for job in list(self._jobs.values()):
            await self.cancel(job.id)

"""The service's queue of long work: who leases a job does it, or loses it when the lease ends.

Times are in seconds since 1970; a test gives its own.
"""

from __future__ import annotations

import os
import time
from typing import Any

import msgspec

from skb.errors import NotFoundError
from skb.store.core import Core

ATTEMPTS = 3
_LOST = {"message": f"the worker was lost {ATTEMPTS} times"}


class Job(msgspec.Struct, frozen=True):
    """A job: queued, running, done, failed or cancelled. The lowest priority is first."""

    id: str
    kind: str
    state: str
    priority: int
    request: Any
    result: Any
    error: Any
    done: int
    total: int
    created: float
    leased_until: float
    worker: str
    owner: str
    attempts: int


def _job(row: Any) -> Job:
    told = [None if body is None else msgspec.json.decode(body) for body in row[4:7]]
    created, until = (moment / 1000 for moment in row[9:11])
    return Job(*(*row[:4], *told, *row[7:9], created, until, *row[11:]))


def _milliseconds(at: float | None) -> int:
    return int((time.time() if at is None else at) * 1000)


class Jobs(Core):
    """The queue."""

    def enqueue(
        self,
        kind: str,
        request: Any,
        *,
        priority: int = 0,
        owner: str = "",
        at: float | None = None,
    ) -> str:
        """Add a job; return its id."""
        wanted = os.urandom(16).hex()
        with self._database.changing() as session:
            session.rows(
                "add_job",
                id=wanted,
                kind=kind,
                state="queued",
                priority=priority,
                request=msgspec.json.encode(request),
                owner=owner,
                created=_milliseconds(at),
                worker="",
                **dict.fromkeys(("done", "total", "leased_until", "attempts"), 0),
                **dict.fromkeys(("result", "error")),
            )
        return wanted

    def lease(self, worker: str, seconds: float, at: float | None = None) -> Job | None:
        """Take the next job for so long, one whose worker was lost included; None without any."""
        moment = _milliseconds(at)
        with self._database.changing() as session:
            why = msgspec.json.encode(_LOST)
            session.rows("fail_jobs", now=moment, most=ATTEMPTS, failed="failed", why=why)
            until = moment + int(seconds * 1000)
            rows = session.rows("lease_job", now=moment, by=worker, until=until, running="running")
        return _job(rows[0]) if rows else None

    def progress(
        self,
        wanted: str,
        worker: str,
        done: int,
        total: int,
        seconds: float,
        at: float | None = None,
    ) -> bool:
        """Tell how far a job is and hold it for so long; False where it is ours no more."""
        until = _milliseconds(at) + int(seconds * 1000)
        values = {"which": wanted, "by": worker, "now_done": done, "of": total, "until": until}
        with self._database.changing() as session:
            return bool(session.rows("progress_job", **values))

    def finish(self, wanted: str, worker: str, result: Any = None, error: Any = None) -> bool:
        """End a job with its result or its error; False where it is ours no more."""
        with self._database.changing() as session:
            return bool(
                session.rows(
                    "finish_job",
                    which=wanted,
                    by=worker,
                    end="done" if error is None else "failed",
                    told=None if result is None else msgspec.json.encode(result),
                    why=None if error is None else msgspec.json.encode(error),
                )
            )

    def cancel(self, wanted: str) -> bool:
        """Cancel a job; its worker hears of it at its next `progress`. False where it has ended."""
        with self._database.changing() as session:
            return bool(session.rows("cancel_job", which=wanted, end="cancelled"))

    def job(self, wanted: str) -> Job:
        """Return a job; raises `NotFoundError`."""
        with self._database.reading() as session:
            rows = session.rows("job", id=wanted)
        if not rows:
            raise NotFoundError(f"there is no job {wanted!r}")
        return _job(rows[0])

    def jobs(self, limit: int = 50) -> tuple[Job, ...]:
        """Return the newest jobs, newest first."""
        with self._database.reading() as session:
            return tuple(_job(row) for row in session.rows("jobs", count=limit))

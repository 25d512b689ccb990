"""Workers answer, refuse, and are killed with all that they started; the pool goes on."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from api.problems import BusyError, CancelledError, FaultError
from api.workers import GRACE_S, Pool, Worker
from skb.errors import LimitError, RequestError
from tests.api.conftest import Run
from tests.api.tasks import Broken, Dying, Quick, Refusing, Stubborn


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _gone(pid: int) -> bool:
    end = time.monotonic() + 5
    while _alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not _alive(pid)


def test_worker_is_killed_at_its_deadline_with_its_children(run: Run, tmp_path: Path) -> None:
    """A task that ignores signals ends half a second after its limit, and so does its child."""
    note = tmp_path / "pids"

    async def check() -> None:
        pool = Pool(1)
        await pool.start()
        await pool.run(Quick(1), 30)
        begin = time.monotonic()
        with pytest.raises(LimitError, match=r"no answer within 0\.3 s"):
            await pool.run(Stubborn(note), 0.3)
        assert time.monotonic() - begin < 0.3 + GRACE_S + 1
        worker, child = map(int, note.read_text().split())
        assert _gone(worker) and _gone(child)
        assert (await pool.run(Quick(2), 30))[0] == 2
        assert pool.kills == 1
        await pool.stop()

    run(check)


def test_worker_tells_errors_and_faults_apart(run: Run) -> None:
    """Errors of the library arrive whole; faults and deaths tell no secrets; the pool survives."""

    async def check() -> None:
        pool = Pool(1)
        await pool.start()
        with pytest.raises(RequestError) as refused:
            await pool.run(Refusing(), 30)
        assert (refused.value.message, refused.value.place, refused.value.mend) == (
            "no",
            "here",
            "do that",
        )
        with pytest.raises(FaultError) as broken:
            await pool.run(Broken(), 30)
        assert "division" not in str(broken.value)
        with pytest.raises(FaultError, match="worker died"):
            await pool.run(Dying(), 30)
        assert (await pool.run(Quick(3), 30))[0] == 3
        await pool.stop()

    run(check)


def test_worker_reports_progress_and_is_reused(run: Run) -> None:
    """Progress reaches the caller; the same process takes the next task."""

    async def check() -> None:
        pool, seen = Pool(1), []
        await pool.start()
        one = await pool.run(Quick(1), 30, None, lambda done, total: seen.append((done, total)))
        two = await pool.run(Quick(2), 30)
        assert seen == [(1, 2), (2, 2)]
        assert one[1] == two[1] != os.getpid()
        await pool.stop()

    run(check)


def test_worker_can_be_cancelled_from_outside(run: Run, tmp_path: Path) -> None:
    """Cancelling kills the running task; its caller learns that it was cancelled."""
    note = tmp_path / "pids"

    async def check() -> None:
        pool, taken = Pool(1), list[Worker]()
        await pool.start()
        call = asyncio.create_task(pool.run(Stubborn(note), 60, taken))
        while not note.exists() or not note.read_text():
            await asyncio.sleep(0.02)
        taken[0].cancel()
        with pytest.raises(CancelledError):
            await call
        assert all(_gone(int(pid)) for pid in note.read_text().split())
        await pool.stop()

    run(check)


def test_pool_refuses_more_than_may_wait(run: Run, tmp_path: Path) -> None:
    """A full queue answers at once that it is busy."""

    async def check() -> None:
        pool = Pool(1, waiting=1)
        await pool.start()
        calls = [asyncio.create_task(pool.run(Stubborn(tmp_path / str(i)), 0.2)) for i in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(BusyError, match="wait for a worker"):
            await pool.run(Quick(1), 1)
        await asyncio.gather(*calls, return_exceptions=True)
        await pool.stop()

    run(check)

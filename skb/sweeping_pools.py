"""Who does the runs of a sweep: this process, worker processes here, or a cluster of dask.

All three take the same tasks and give the same rows, in whatever order they come.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from skb.errors import SkbError
from skb.sweeping_runs import Done, Task, receive, run_afar, run_on, run_task, sources_hash

if TYPE_CHECKING:
    from simulator import Scenario
    from skb.sweeping import Run

TASK_S, LEAST_TASKS = 0.3, 4
Work = Callable[[Sequence["Scenario"], Sequence[Task]], Iterator[Done]]


def tasks(runs: Sequence[Run], workers: int, seconds: float) -> list[Task]:
    """Cut runs into tasks of about 0.3 s of work, fewer where workers would be idle otherwise.

    `seconds` is what one run takes.
    """
    size = min(int(TASK_S / max(seconds, 1e-6)), -(-len(runs) // (LEAST_TASKS * workers)))
    size = max(1, size)
    pairs = [(run.point, run.seed) for run in runs]
    return [tuple(pairs[at : at + size]) for at in range(0, len(pairs), size)]


def here(scenarios: Sequence[Scenario], work: Sequence[Task]) -> Iterator[Done]:
    """Do all tasks in this process."""
    for task in work:
        yield run_on(scenarios, task)


def processes(workers: int) -> Work:
    """Return what does tasks on worker processes of this machine.

    They are forked from a server that has loaded nothing of ours: what it preloads it looks for
    in the working folder first. Raises `SkbError` where a worker dies.
    """

    def work(scenarios: Sequence[Scenario], tasks: Sequence[Task]) -> Iterator[Done]:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor, as_completed
        from concurrent.futures.process import BrokenProcessPool

        context = multiprocessing.get_context("forkserver")
        shipped = pickle.dumps(list(scenarios), protocol=pickle.HIGHEST_PROTOCOL)
        with ProcessPoolExecutor(workers, context, receive, (shipped,)) as pool:
            futures = [pool.submit(run_task, task) for task in tasks]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BrokenProcessPool as fault:
                raise SkbError(
                    "a worker process ended before its runs did", mend="give it fewer --workers"
                ) from fault
            finally:
                for future in futures:
                    future.cancel()

    return work


def cluster(scheduler: str) -> Work:
    """Return what does tasks on a cluster of dask; its workers need this program installed.

    Raises `SkbError` where dask is missing or no scheduler answers.
    """

    def work(scenarios: Sequence[Scenario], tasks: Sequence[Task]) -> Iterator[Done]:
        client, as_completed = _client(scheduler)
        try:
            shipped = client.scatter(list(scenarios), broadcast=True)
            sources = sources_hash()
            futures = [
                client.submit(run_afar, shipped, task, sources, pure=False) for task in tasks
            ]
            for future in as_completed(futures):
                yield future.result()
        except ImportError as fault:
            raise SkbError(
                f"a worker lacks this program: {fault}", place=scheduler, mend="install it there"
            ) from fault
        finally:
            with suppress(Exception):
                client.close()

    return work


def _client(scheduler: str) -> tuple[Any, Any]:
    try:
        from distributed import Client, as_completed
    except ImportError as fault:
        raise SkbError(
            "dask.distributed is not installed", place="--scheduler", mend="install skb[sweep]"
        ) from fault
    # without types where it is installed, unknown where it is not
    connected: Any = Client
    try:
        return connected(scheduler, timeout=10), as_completed
    except (OSError, TimeoutError, ValueError) as fault:
        raise SkbError(
            f"no scheduler answers: {fault}", place=scheduler, mend="start one: dask scheduler"
        ) from fault


def seconds_of(scenarios: Sequence[Scenario], run: Run) -> tuple[float, Done]:
    """Do one run here, to know how long they take; its row counts like any other."""
    begin = time.perf_counter()
    done = run_on(scenarios, ((run.point, run.seed),))
    return time.perf_counter() - begin, done

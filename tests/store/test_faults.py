"""What a store survives: writers that are killed, a full disk, a server that restarts."""

from __future__ import annotations

import resource
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skb.benching.postgres_server import Server, missing, server
from skb.benching.service_store import kill, latencies, parts
from skb.errors import StoreError
from skb.relations import Fact
from skb.store import Change, Store


def test_nothing_acknowledged_is_lost_when_writers_are_killed(
    address: str, request: pytest.FixtureRequest
) -> None:
    """kill -9 at random moments: all acknowledged facts are there, and no change is torn."""
    rounds = 20 if address.startswith("sqlite:") else 3
    found = kill(address, rounds)
    assert found.acknowledged >= rounds
    assert (found.lost, found.torn) == (0, 0)


@contextmanager
def _no_larger_than(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as if the disk were full."""
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)


@pytest.mark.parametrize("driver", ["sqlite", "sqlite+pysqlite"])
def test_a_full_disk_refuses_writes_and_lets_reads_go_on(
    driver: str, tmp_path: Path, opened: Callable[[str], Store]
) -> None:
    """The refusal is a `StoreError` (507), the facts stay, and writes go on where there is room."""
    path = tmp_path / "k.sqlite3"
    store = opened(f"{driver}:///{path}")
    store.load("m0", "", parts())
    size = max(file.stat().st_size for file in tmp_path.iterdir())
    with _no_larger_than(size):
        for _ in range(2):
            with pytest.raises(StoreError) as caught:
                store.bulk(latencies(1, 10.0))
            assert caught.value.http_status == 507
            assert store.machine("m0").all("latency") == ()
            assert store.head() == 1
    assert set(store.bulk(latencies(1, 10.0))) == {"asserted"}
    assert opened(store.url).machine("m0").facts == store.machine("m0").facts


def test_a_server_that_restarts_loses_nothing_and_listeners_hear_all(
    opened: Callable[[str], Store],
) -> None:
    """As after a crash of the server: a write fails or is there, and each change is told once."""
    if why := missing():
        pytest.skip(why)
    with server(durable=False) as running:
        store, other = (opened(url) for url in [running.database()] * 2)
        heard: list[int] = []
        done = threading.Event()

        def listen(change: Change) -> None:
            heard.append(change.revision)
            if change.machine == "last":
                done.set()

        store.load("m", "", parts())
        store.on_commit(listen)
        _restart(running)
        written = _write_until_it_works(other)
        other.load("last", "", parts(1))
        assert done.wait(20)
        assert heard == list(range(2, other.head() + 1))
        assert {fact.args[0] for fact in other.machine("m").all("service")} == written
        store.close()
        other.close()


def _restart(running: Server) -> None:
    running.stop("immediate")
    running.start(durable=False)


def _write_until_it_works(store: Store) -> set[object]:
    """Write ten facts; each connection of the pool that has died costs an error, and no fact."""
    written: set[object] = set()
    for count in range(10):
        fact = Fact("service", (f"s{count}", "pu:0"))
        for _attempt in range(5):
            try:
                store.write("m", [fact])
            except StoreError:
                continue
            written.add(fact.args[0])
            break
    return written

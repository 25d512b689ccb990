"""Each test of the store runs on SQLite, spoken to in both ways, and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from skb.benching.postgres_server import Server, missing, server
from skb.store import Store


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server of our own, where one can be started."""
    if why := missing():
        pytest.skip(why)
    with server(durable=False) as running:
        yield running


@pytest.fixture(params=["sqlite", "sqlite+pysqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new, empty database."""
    if request.param == "postgresql":
        running: Server = request.getfixturevalue("postgres")
        return running.database()
    return f"{request.param}:///{tmp_path / 'k.sqlite3'}"


@pytest.fixture
def opened() -> Iterator[Callable[[str], Store]]:
    """What opens stores and closes them after the test."""
    stores: list[Store] = []

    def opened(url: str) -> Store:
        stores.append(Store(url))
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


@pytest.fixture
def store(address: str, opened: Callable[[str], Store]) -> Store:
    """A store on a new database."""
    return opened(address)

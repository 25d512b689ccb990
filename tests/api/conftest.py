"""A running service for the API tests: real server, real workers, a database of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.serve import running
from skb.knowledge import KnowledgeBase

Run = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]

SMALL = """
[machine]
name = "small"
title = "Two packages for tests"
[structure]
tree = "package:2 numa:1 l3:1 core:2 pu:1"
"""


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the base address of a service with two workers."""
    path: Path = tmp_path_factory.mktemp("api") / "skb.db"
    with running(create_app(KnowledgeBase.open(f"sqlite:///{path}"), workers=2)) as base:
        yield base


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    """Give a client of the service."""
    with httpx.Client(base_url=address, timeout=30) as found:
        yield found


@pytest.fixture
def small(client: httpx.Client) -> Iterator[str]:
    """Give the name of a small machine that is stored afresh for each test."""
    answer = client.post(
        "/v1/machines?name=small&replace=true",
        content=SMALL,
        headers={"Content-Type": "application/toml"},
    )
    assert answer.status_code == 201, answer.text
    yield "small"
    client.delete("/v1/machines/small")


@pytest.fixture
def run() -> Run:
    """Run a coroutine function in an event loop of its own."""
    return lambda function: asyncio.run(function())

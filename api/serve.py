"""Running the service: in the foreground for people, in a thread for tests and the tour."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from skb.errors import RequestError, StoreError
from skb.knowledge import KnowledgeBase

START_S = 30.0


class _Server(uvicorn.Server):
    """A server that says when it is ready."""

    def __init__(self, config: uvicorn.Config, started: threading.Event | None, words: str) -> None:
        super().__init__(config)
        self._event = started
        self._words = words

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            if self._words:
                print(self._words, flush=True)
            if self._event is not None:
                self._event.set()


def run(
    knowledge_url: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8421,
    workers: int = 2,
) -> None:
    """Serve until interrupted; prints the address once ready. Port 0 takes a free one.

    Raises `RequestError` for an address other than loopback: this version has no tokens.
    """
    app = create_app(KnowledgeBase.open(knowledge_url), workers=workers)
    with _bound(host, port) as listener:
        address = _address(listener)
        server = _Server(_config(app), None, f"System Knowledge Base: {address} (Ctrl+C ends it)")
        server.run([listener])


@contextmanager
def running(app_or_url: FastAPI | str | None = None) -> Iterator[str]:
    """Serve an application or a database on a free port in a thread; gives the base address."""
    if isinstance(app_or_url, FastAPI):
        app = app_or_url
    else:
        app = create_app(KnowledgeBase.open(app_or_url))
    started = threading.Event()
    with _bound("127.0.0.1", 0) as listener:
        server = _Server(_config(app), started, "")
        thread = threading.Thread(target=server.run, args=([listener],), name="skb-serve")
        thread.start()
        try:
            if not started.wait(START_S):
                raise StoreError(f"the service did not start within {START_S:g} s")
            yield _address(listener)
        finally:
            server.should_exit = True
            thread.join()


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        ws="none",
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=64 * 1024,
        timeout_graceful_shutdown=3,
        lifespan="on",
    )


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Give a listening socket on a loopback address."""
    name = "127.0.0.1" if host == "localhost" else host
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise RequestError(
            f"{host} is not a loopback address, and this version has no tokens to protect it",
            place="--host",
            mend="use 127.0.0.1, and an SSH tunnel from elsewhere",
        )
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((name, port))
        except OSError as fault:
            raise RequestError(
                f"port {port} of {host} cannot be used: {fault.strerror}",
                place="--port",
                mend="give another port, or 0 for a free one",
            ) from fault
        yield listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

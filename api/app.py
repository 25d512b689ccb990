"""Putting the service together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp

from api import (
    asks,
    decisions,
    health,
    machines,
    page,
    problems,
    simulations,
    vocabulary,
)
from api.guards import LOOPBACK_HOSTS, Guard
from api.jobs import Jobs
from api.service import Service
from api.workers import Pool
from skb import __version__
from skb.knowledge import KnowledgeBase

DESCRIPTION = (
    "Stores what is known about machines and decides, with proof, price and reason, where code, "
    "messages and buffers go. Every error is an RFC 9457 problem with `place` and `mend`."
)


def create_app(
    knowledge: KnowledgeBase,
    *,
    allowed_hosts: Collection[str] = LOOPBACK_HOSTS,
    workers: int = 2,
) -> FastAPI:
    """Return the service over a knowledge base, with `workers` processes that decide.

    It answers only to the host names in `allowed_hosts`; loopback names by default.
    """
    service = Service(knowledge, Pool(workers), Jobs(Pool(1)))
    app = FastAPI(
        title="System Knowledge Base",
        description=DESCRIPTION,
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(service),
        redirect_slashes=False,
    )
    app.state.service = service
    problems.install(app)
    for routes in (health, page, machines, asks, decisions, simulations, vocabulary):
        app.include_router(routes.router)
    _guard(app, service, allowed_hosts)
    return app


def _guard(app: FastAPI, service: Service, allowed_hosts: Collection[str]) -> None:
    """Put the gate around everything, also around Starlette's own last handler of faults."""
    build = app.build_middleware_stack

    def stack() -> ASGIApp:
        return Guard(build(), allowed_hosts, service.metrics)

    app.build_middleware_stack = stack  # type: ignore[method-assign]


def _lifespan(service: Service) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await service.pool.start()
        await service.jobs.pool.start()
        service.ready = True
        try:
            yield
        finally:
            service.ready = False
            await service.jobs.stop()
            await service.jobs.pool.stop()
            await service.pool.stop()
            service.knowledge.close()

    return lifespan

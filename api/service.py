"""What all routes share: the knowledge base, the workers, the jobs and the counters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from api.jobs import Jobs
from api.metrics import Metrics
from api.workers import Pool
from skb.knowledge import KnowledgeBase
from skb.machine import Machine

Result = TypeVar("Result")


@dataclass(slots=True)
class Service:
    """One per application; `ready` is set once the workers are started."""

    knowledge: KnowledgeBase
    pool: Pool
    jobs: Jobs
    metrics: Metrics = field(default_factory=Metrics)
    ready: bool = False

    async def call(self, function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Run a blocking call of the facade beside the event loop."""
        return await run_in_threadpool(function, *args, **kwargs)

    async def machine(self, name: str, as_of: int | None = None) -> Machine:
        """Return a machine by name; never reads a path."""
        return await self.call(self.knowledge.machine, name, as_of, paths=False)


def service(request: Request) -> Service:
    """Return the service of the application that a request came to."""
    found: Service = request.app.state.service
    return found

"""Probes and counters: answered from the event loop, whatever the workers do."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.bodies import json_response
from api.problems import problem
from api.service import service

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Response:
    """Say that the process lives; a full disk or busy workers do not change that."""
    return json_response({"status": "alive"})


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Say whether the store can be read and the workers are started."""
    kept = service(request)
    if not kept.ready:
        return problem("not-ready", 503, "the workers are being started", mend="ask again")
    await kept.call(kept.knowledge.store.machines)
    return json_response({"status": "ready", "workers": kept.pool.size, "busy": kept.pool.busy})


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Show the counters in Prometheus' text format."""
    kept = service(request)
    text = kept.metrics.text(kept.pool.size, kept.pool.busy, kept.pool.kills + kept.jobs.pool.kills)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

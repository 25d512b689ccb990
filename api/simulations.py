"""`/v1/simulations` and `/v1/jobs`: agreement runs in the background, with progress and cancel."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.bodies import json_response, read_json
from api.service import service
from api.worker import SimulateTask, Snapshot
from skb.errors import NotFoundError, RequestError
from skb.simulation import require, require_there

router = APIRouter(prefix="/v1", tags=["simulations"])
LIMIT_S = 600.0


@router.post("/simulations", status_code=202)
async def simulate(request: Request) -> Response:
    """Start a simulation; the body has the options of `skb simulate`, `machine` among them.

    `route` is `decided`, the name of a classic tree, or the id of a decision.
    """
    kept = service(request)
    options = await read_json(request)
    given = dict(options)
    name = options.pop("machine", None)
    if not isinstance(name, str):
        raise RequestError("which machine?", place="body /machine", mend='add "machine": NAME')
    asked = require(options)
    machine = await kept.machine(name)
    decision = await _decided(request, options)
    if decision is None:
        require_there(machine, asked)
    task = SimulateTask(Snapshot.of(machine), options, decision)
    job = kept.jobs.start("simulation", given, task, LIMIT_S)
    headers = {"Location": f"/v1/simulations/{job.id}"}
    return json_response(job.to_json(), 202, headers)


async def _decided(request: Request, options: dict[str, Any]) -> dict[str, Any] | None:
    """Return the decision that `route` names by its id, if any."""
    from simulator import TREES

    kept = service(request)
    route = options.get("route", "decided")
    if not isinstance(route, str) or route == "decided" or route in TREES:
        return None
    try:
        decision = await kept.call(kept.knowledge.decision, route)
    except NotFoundError as fault:
        raise RequestError(
            f"{route!r} is neither a tree nor a decision",
            place="body /route",
            mend=f"decided, a decision's id, or one of {', '.join(TREES)}",
        ) from fault
    options["route"] = "decided"
    return decision


@router.get("/simulations/{wanted}")
async def show_simulation(request: Request, wanted: str) -> Response:
    """Show state, progress and, once done, the result."""
    return json_response(service(request).jobs.get(wanted).to_json())


@router.delete("/simulations/{wanted}")
async def cancel_simulation(request: Request, wanted: str) -> Response:
    """Cancel a simulation; its worker is killed."""
    return json_response((await service(request).jobs.cancel(wanted)).to_json())


@router.get("/jobs")
async def list_jobs(request: Request) -> Response:
    """List the newest jobs."""
    rows = [job.to_json() for job in service(request).jobs.all()]
    return json_response([{k: v for k, v in row.items() if k != "result"} for row in rows])


@router.get("/jobs/{wanted}")
async def show_job(request: Request, wanted: str) -> Response:
    """Show one job."""
    return json_response(service(request).jobs.get(wanted).to_json())


@router.delete("/jobs/{wanted}")
async def cancel_job(request: Request, wanted: str) -> Response:
    """Cancel a job; its worker is killed."""
    return json_response((await service(request).jobs.cancel(wanted)).to_json())

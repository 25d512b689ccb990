"""`/v1/decisions`: what was decided, why, why not otherwise, and drawn."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.bodies import json_response
from api.drawings import svg_response
from api.service import service
from api.worker import Snapshot, WhyTask
from skb.bindings import bind
from skb.draw import decision_svg
from skb.errors import RequestError

router = APIRouter(prefix="/v1/decisions", tags=["decisions"])


@router.get("")
async def list_decisions(
    request: Request,
    machine: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """List decisions, the newest first."""
    kept = service(request)
    return json_response(await kept.call(kept.knowledge.decisions, machine, limit))


@router.get("/{wanted}.svg")
async def draw_decision(request: Request, wanted: str) -> Response:
    """Draw a decision over the machine that it read."""
    kept = service(request)
    decision = await kept.call(kept.knowledge.decision, wanted)
    machine = await kept.call(kept.knowledge.machine_of_decision, decision, False)
    return svg_response(await kept.call(decision_svg, machine, decision))


@router.get("/{wanted}/bindings/{target}")
async def bind_decision(request: Request, wanted: str, target: str) -> Response:
    """Write a placement for another program: as text, or as JSON where that is accepted."""
    kept = service(request)
    decision = await kept.call(kept.knowledge.decision, wanted)
    machine = await kept.call(kept.knowledge.machine_of_decision, decision, False)
    made = await kept.call(bind, machine, decision, target)
    headers = {"Vary": "Accept"}
    if "application/json" in request.headers.get("accept", ""):
        return json_response(made.to_json(), headers=headers)
    return Response(made.text.encode(), headers=headers, media_type="text/plain")


@router.get("/{wanted}")
async def show_decision(request: Request, wanted: str) -> Response:
    """Show a decision by its id or a unique beginning of it."""
    kept = service(request)
    return json_response(await kept.call(kept.knowledge.decision, wanted))


@router.get("/{wanted}/why")
async def why(
    request: Request,
    wanted: str,
    alternative: Annotated[str, Query(alias="not", max_length=300)] = "",
) -> Response:
    """Show reasons, price and assumptions; with `not=task=rx pu=5` price or refuse that instead."""
    kept = service(request)
    if not alternative:
        return json_response(await kept.call(kept.knowledge.why, wanted, None, False))
    clause = read_clause(alternative)
    decision = await kept.call(kept.knowledge.decision, wanted)
    machine = await kept.call(kept.knowledge.machine_of_decision, decision, False)
    limit_s = float(decision["provenance"]["limit_s"])
    forced = await kept.pool.run(WhyTask(Snapshot.of(machine), decision, clause), limit_s)
    told = ("id", "question", "machine", "status", "objective", "bound", "gap")
    return json_response({**{key: decision[key] for key in told}, "not": forced})


def read_clause(text: str) -> dict[str, str]:
    """Split `task=rx pu=5` into its parts; raise `RequestError` where it has others."""
    clause = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if not (key and equals and value):
            raise RequestError(
                f"{word!r} is no alternative", place="query not", mend='write "task=rx pu=5"'
            )
        clause[key] = value
    return clause

"""`/v1/decisions`: what was decided, why, why not otherwise, and drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.asks import read_limits
from api.bodies import json_response, read_json
from api.drawings import svg_response
from api.service import service
from api.worker import RepairTask, Snapshot, WhyTask
from skb.bindings import bind
from skb.draw import decision_svg
from skb.errors import RequestError

if TYPE_CHECKING:
    from skb.questions.placement_repaired import Repaired

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


@router.get("/{wanted}/hits")
async def hits(request: Request, wanted: str) -> Response:
    """List the decisions that use what a power decision loses, each with the parts."""
    kept = service(request)
    decision = await kept.call(kept.knowledge.decision, wanted)
    return json_response(await kept.call(kept.knowledge.hits, decision))


@router.get("/{wanted}/why")
async def why(
    request: Request,
    wanted: str,
    alternative: Annotated[str, Query(alias="not", max_length=300)] = "",
    reasons: Annotated[int, Query(ge=0, le=50)] = 0,
    mends: Annotated[int, Query(ge=0, le=50)] = 0,
    sensitivity: Annotated[int, Query(ge=0, le=200)] = 0,
) -> Response:
    """Show reasons, price and assumptions; with `not=task=rx pu=5` price or refuse that instead.

    `reasons=3` gives so many minimal clashes of an impossible request, `mends=5` the smallest sets
    of constraints to lift, `sensitivity=10` the numbers whose change flips a placement.
    """
    kept, alternative = service(request), alternative.strip()
    asked = {"reasons": reasons, "mends": mends, "sensitivity": sensitivity}
    topics = {key: count for key, count in asked.items() if count}
    if not alternative and not topics:
        return json_response(await kept.call(kept.knowledge.why, wanted, None, False))
    if alternative and topics:
        raise RequestError("not is asked alone", place="query not", mend="ask twice")
    clause = read_clause(alternative)
    decision = await kept.call(kept.knowledge.decision, wanted)
    machine = await kept.call(kept.knowledge.machine_of_decision, decision, False)
    limit_s = float(decision["provenance"]["limit_s"])
    task = WhyTask(Snapshot.of(machine), decision, clause, topics)
    told = ("id", "question", "machine", "revision", "status", "objective", "bound", "gap")
    first = {key: decision[key] for key in told}
    return json_response({**first, **await kept.pool.run(task, limit_s)})


@router.post("/{wanted}/repair")
async def repair(request: Request, wanted: str) -> Response:
    """Mend a placement with the fewest moves: as facts are now, or as if the parts of `off` were.

    The body has `off` and `busy` (lists of parts, may be absent), `limit_s` and `seed`. The parts
    of `busy` are left to other work. The answer to the facts is kept as a decision, that to parts
    supposed off is not.
    """
    kept = service(request)
    body = await read_json(request)
    limits = read_limits(body)
    off, busy = read_parts(body)
    decision = await kept.call(kept.knowledge.decision, wanted)
    before = await kept.call(kept.knowledge.machine_of_decision, decision, False)
    name = str(decision["provenance"].get("machine_ref") or decision["machine"])
    now = None if off else Snapshot.of(await kept.machine(name))
    task = RepairTask(Snapshot.of(before), now, decision, off, busy, limits)
    found: Repaired = await kept.pool.run(task, limits.seconds)
    if not off:
        await kept.call(found.keep, kept.knowledge, name)
    return json_response(found.to_json())


@router.post("/{wanted}/apply")
async def apply(request: Request, wanted: str) -> Response:
    """Put the tables of a links decision in force on its machine; the body is empty: `{}`."""
    kept = service(request)
    if await read_json(request):
        raise RequestError("the body is not empty", place="body", mend="send {}")
    machine, changes = await kept.call(kept.knowledge.apply, wanted)
    told = {"name": machine.name, "revision": machine.revision, "digest": machine.digest}
    return json_response({**told, "entries": changes.entries})


def read_parts(body: dict[str, object]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the parts that a body supposes to be off, and those that it says are busy.

    Raises `RequestError` for other keys.
    """
    found = [_listed(body.pop(key, [])) for key in ("off", "busy")]
    if body or None in found:
        raise RequestError(
            "the body has other keys or values than it should",
            place="body",
            mend="keys are off and busy (lists of parts), limit_s and seed",
        )
    off, busy = found
    return off or (), busy or ()


def _listed(parts: object) -> tuple[str, ...] | None:
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        return None
    return tuple(parts)


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

"""`/v1/machines/{name}/ask/{question}` and `/v1/questions`: asking, and what may be asked."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from api.bodies import json_response, read_json
from api.service import service
from api.worker import AskTask, Snapshot
from skb.decision import Decision, Limits
from skb.errors import RequestError, SkbError
from skb.powering import filled
from skb.questions import NAMES, question

router = APIRouter(prefix="/v1", tags=["questions"])
LONGEST_S = 60.0


@router.get("/questions")
async def list_questions(request: Request) -> Response:
    """List the questions: what each answers, the JSON schema of its request, and an example."""
    return json_response(await service(request).call(_questions))


@cache
def _questions() -> list[dict[str, Any]]:
    rows = []
    for name in NAMES:
        asked = question(name)
        rows.append(
            {
                "name": name,
                "summary": asked.summary,
                "alternatives": asked.force is not None,
                "example": tomllib.loads(asked.example),
                "example_toml": asked.example,
                "schema": asked.schema,
            }
        )
    return rows


@router.post("/machines/{name}/ask/{asked}")
async def ask(request: Request, name: str, asked: str) -> Response:
    """Answer a question; the body has the keys of a request file, and `limit_s` and `seed`.

    Also an infeasible request is answered with 200: status `infeasible` and the reasons.
    """
    kept = service(request)
    question(asked)
    body = await read_json(request)
    limits = read_limits(body)
    machine = await kept.machine(name)
    body = dict(await kept.call(filled, kept.knowledge, asked, machine.name, body))
    task = AskTask(Snapshot.of(machine), asked, body, limits)
    try:
        decision: Decision = await kept.pool.run(task, limits.seconds)
    except SkbError as error:
        kept.metrics.ask(asked, error.kind)
        raise
    kept.metrics.ask(asked, decision.status.value)
    decision = decision.stamped(machine_ref=name)
    await kept.call(kept.knowledge.keep, decision)
    return json_response(decision.to_json())


class _LimitKeys(msgspec.Struct):
    """The keys of a request that limit the engine and are no part of the question."""

    limit_s: float = Limits().seconds
    seed: int = 0


def read_limits(body: dict[str, Any]) -> Limits:
    """Take `limit_s` and `seed` out of a request; raise `RequestError` where they are no limits."""
    given = {key: body.pop(key) for key in ("limit_s", "seed") if key in body}
    try:
        keys = msgspec.convert(given, _LimitKeys)
    except msgspec.ValidationError as fault:
        raise RequestError(
            str(fault), place="body", mend="limit_s in seconds, seed a number"
        ) from fault
    if not 0 < keys.limit_s <= LONGEST_S:
        raise RequestError(
            f"limit_s is {keys.limit_s:g}",
            place="body /limit_s",
            mend=f"give more than 0 and at most {LONGEST_S:g} s",
        )
    if not 0 <= keys.seed < 2**31:
        raise RequestError("seed is out of range", place="body /seed", mend="0 to 2147483647")
    return Limits(seconds=keys.limit_s, seed=keys.seed)

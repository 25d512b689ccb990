"""`/v1/relations`: every predicate that may be stored; `/v1/queries`: every named query.

Both are generated from the files that define them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from api.bodies import json_response
from skb.named import named_queries, to_json
from skb.relations import PRECEDENCE, relations

router = APIRouter(prefix="/v1", tags=["relations"])


@router.get("/relations")
async def list_relations() -> Response:
    """List the relations: meaning, typed arguments with units, and what identifies a fact."""
    return json_response(_relations())


@router.get("/queries", tags=["queries"])
async def list_queries() -> Response:
    """List the named queries: question, parameters, and what a row of the answer means."""
    return json_response([to_json(one) for one in named_queries().values()])


@cache
def _relations() -> dict[str, Any]:
    rows = [
        {
            "name": relation.name,
            "family": relation.family,
            "meaning": relation.meaning,
            "signature": relation.signature,
            "unit": relation.unit,
            "args": [msgspec.to_builtins(argument) for argument in relation.args],
            "key": [relation.args[at].name for at in relation.key],
        }
        for relation in relations().values()
    ]
    return {"sources": list(PRECEDENCE), "relations": rows}

"""`/v1/machines`: describe, list, read, change and draw machines."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.bodies import etag, json_response, read_json
from api.drawings import svg_response
from api.service import service
from skb.draw import machine_svg
from skb.errors import FactError, RequestError, RevisionError, SkbError
from skb.exports import FORMATS, export
from skb.machine import Machine
from skb.relations import Fact, Source, relations

router = APIRouter(prefix="/v1/machines", tags=["machines"])
AsOf = Annotated[int | None, Query(ge=0, le=2**62, description="revision to read at")]


@router.get("")
async def list_machines(request: Request) -> Response:
    """List the stored and the bundled machines."""
    kept = service(request)
    return json_response(await kept.call(kept.knowledge.machines))


@router.post("", status_code=201)
async def import_machine(
    request: Request,
    name: Annotated[str, Query(max_length=200)] = "",
    replace: Annotated[bool, Query(description="overwrite a stored machine")] = False,
    merge: Annotated[bool, Query(description="add to what is known of the machine")] = False,
    unit: Annotated[str, Query(description="of a table: ns or cycles", max_length=20)] = "",
    clock_mhz: Annotated[float | None, Query(description="turns a table's cycles to time")] = None,
    structure: Annotated[str, Query(description="of a table: numa:8 core:4", max_length=400)] = "",
) -> Response:
    """Store the description in the body, of any known format, under a name."""
    from skb.sources import read
    from skb.sources.description import TableOptions

    kept = service(request)
    if merge and (replace or not name):
        raise RequestError(
            "merge goes with a name and without replace", place="query merge", mend="add name=M"
        )
    body = await request.body()
    description = await kept.call(read, body, "body", TableOptions(unit, clock_mhz, structure))
    wanted = name or description.name
    if not wanted:
        raise RequestError("the description has no name", place="query name", mend="add ?name=NAME")
    if merge:
        machine = await kept.call(kept.knowledge.merge, wanted, [description], ["body"])
    else:
        machine = await kept.call(kept.knowledge.load, wanted, description, replace=replace)
    return json_response(
        machine.summary(),
        201,
        {"ETag": etag(machine.revision), "Location": f"/v1/machines/{wanted}"}
        if wanted.isascii()
        else {"ETag": etag(machine.revision)},
    )


@router.get("/{name}.svg")
async def draw_machine(
    request: Request,
    name: str,
    focus: Annotated[str, Query(max_length=300)] = "machine:0",
    as_of: AsOf = None,
) -> Response:
    """Draw a machine, or one part of it, as nested boxes."""
    kept = service(request)
    machine = await kept.machine(name, as_of)
    return svg_response(await kept.call(machine_svg, machine, focus=focus))


@router.get("/{name}/export")
async def export_machine(
    request: Request,
    name: str,
    to: Annotated[str, Query(max_length=20, description=", ".join(FORMATS))] = "native",
    as_of: AsOf = None,
) -> Response:
    """Write a machine in another format; `X-Notes` says what it could not take."""
    kept = service(request)
    machine = await kept.machine(name, as_of)
    made = await kept.call(export, machine, to)
    file = f"{quote(machine.name, safe='')}{made.suffix}"
    headers = {
        "ETag": etag(machine.revision),
        "X-Notes": " | ".join(ascii(note)[1:-1] for note in made.notes)[:2000],
        "Content-Disposition": f"attachment; filename*=UTF-8''{file}",
    }
    return Response(made.text.encode(), headers=headers, media_type=made.media_type)


@router.get("/{name}")
async def show_machine(request: Request, name: str, as_of: AsOf = None) -> Response:
    """Summarise a machine; the ETag is its revision."""
    machine = await service(request).machine(name, as_of)
    tag = etag(machine.revision)
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return json_response(machine.summary(), headers={"ETag": tag})


@router.delete("/{name}", status_code=200)
async def forget_machine(request: Request, name: str) -> Response:
    """Forget a stored machine; bundled ones stay."""
    kept = service(request)
    _if_match(request, await kept.machine(name))
    revision = await kept.call(kept.knowledge.delete, name)
    return json_response({"name": name, "revision": revision, "deleted": True})


@router.get("/{name}/diff/{other}")
async def compare_machines(
    request: Request,
    name: str,
    other: str,
    predicate: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """Say what differs from one machine to another; `NAME@7` is a revision."""
    from skb.comparing import compare, document

    _known_predicate(predicate)
    kept = service(request)
    a = await kept.call(kept.knowledge.revision, name, paths=False)
    b = await kept.call(kept.knowledge.revision, other, paths=False)
    return json_response(document(a, b, await kept.call(compare, a, b, predicate)))


# -------------------------------------------------------------------- facts
@router.get("/{name}/facts")
async def list_facts(
    request: Request,
    name: str,
    predicate: Annotated[str, Query(max_length=100)] = "",
    object: Annotated[str, Query(max_length=300)] = "",
    source: Annotated[Source | None, Query()] = None,
    as_of: AsOf = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    after: Annotated[str, Query(max_length=60)] = "",
    conflicts: Annotated[bool, Query(description="only facts that others overrule")] = False,
) -> Response:
    """List facts in canonical order; `after` is the `next` of the page before."""
    _known_predicate(predicate)
    revision, start = _cursor(after) if after else (as_of, 0)
    machine = await service(request).machine(name, revision)
    overruled = {lost for _holds, lost in machine.conflicts()} if conflicts else set()
    found: list[dict[str, Any]] = []
    following = None
    for at in range(start, len(machine.facts)):
        fact = machine.facts[at]
        if _wanted(fact, predicate, object, source) and (not conflicts or fact in overruled):
            if len(found) == limit:
                following = f"{machine.revision}.{at}"
                break
            strongest = machine.fact(fact.predicate, *fact.key[1:])
            row = {**fact_json(fact), "holds": strongest == fact}
            if conflicts and strongest is not None:
                row["overruled_by"] = fact_json(strongest)
            found.append(row)
    page = {
        "machine": machine.name,
        "revision": machine.revision,
        "facts": found,
        "next": following,
    }
    return json_response(page, headers={"ETag": etag(machine.revision)})


def _known_predicate(predicate: str) -> None:
    if predicate and predicate not in relations():
        raise FactError(
            f"unknown predicate {predicate!r}", place="query predicate", mend="see /v1/relations"
        )


def _wanted(fact: Fact, predicate: str, part: str, source: Source | None) -> bool:
    return (
        (not predicate or fact.predicate == predicate)
        and (not part or part in fact.args)
        and (source is None or fact.source == source)
    )


def _cursor(after: str) -> tuple[int | None, int]:
    revision, _, at = after.partition(".")
    if not (revision.isascii() and revision.isdigit() and at.isascii() and at.isdigit()):
        raise RequestError(
            f"{after!r} is no page", place="query after", mend="give the `next` of the page before"
        )
    return int(revision) or None, int(at)


def fact_json(fact: Fact) -> dict[str, Any]:
    """Return a fact with its unit and all that is known of its origin."""
    return {
        "predicate": fact.predicate,
        "args": list(fact.args),
        "unit": relations()[fact.predicate].unit,
        "source": fact.source,
        "by": fact.by,
        "when": fact.when,
        "samples": fact.samples,
        "spread": fact.spread,
    }


@router.patch("/{name}/facts")
async def change_facts(request: Request, name: str) -> Response:
    """Assert and retract facts as one transaction; `If-Match` keeps others' changes safe.

    Body: `{"assert": [{"predicate", "args", "source"?, "by"?}], "retract": […]}`.
    """
    kept = service(request)
    body = await read_json(request)
    if strange := set(body) - {"assert", "retract"}:
        raise RequestError(
            f"unknown key {min(strange)!r}", place="body", mend="keys are: assert, retract"
        )
    asserted = _facts(body.get("assert", []), "assert", Source.ASSERTED.value)
    retracted = _facts(body.get("retract", []), "retract", "")
    expected = _if_match(request, await kept.machine(name))
    machine = await kept.call(kept.knowledge.write, name, asserted, retracted, expected)
    return json_response(
        {"name": name, "revision": machine.revision, "digest": machine.digest},
        headers={"ETag": etag(machine.revision)},
    )


def _if_match(request: Request, machine: Machine) -> int | None:
    wanted = request.headers.get("if-match", "*").strip()
    if wanted == "*":
        return None
    number = wanted.removeprefix("W/").strip('"')
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise SkbError(
            f"{wanted[:40]} is no revision",
            place="If-Match header",
            mend='give an ETag such as "7"',
        )
    if int(number) != machine.revision:
        raise RevisionError(
            f"{machine.name} is at revision {machine.revision}, not {number}; nothing was written",
            place="If-Match header",
            mend="read it again and repeat the change",
        )
    return int(number)


def _facts(rows: Any, key: str, source: str) -> list[Fact]:
    if not isinstance(rows, list):
        raise RequestError(
            f"{key} is not a list", place=f"body /{key}", mend="give a list of facts"
        )
    return [_fact(row, f"body /{key}/{at}", source) for at, row in enumerate(rows)]


def _fact(row: Any, place: str, source: str) -> Fact:
    mend = 'write {"predicate": "power", "args": ["core:7", "off"], "source": "asserted"}'
    known = {"predicate", "args", "source", "by", "when"}
    if not isinstance(row, dict) or not {"predicate", "args"} <= set(row) <= known:
        raise FactError("this is no fact", place=place, mend=mend)
    args = row["args"]
    words = [row["predicate"], *(row.get(k, "") for k in ("source", "by", "when"))]
    plain = isinstance(args, list) and all(type(arg) in (str, int, float) for arg in args)
    if not plain or not all(isinstance(word, str) for word in words):
        raise FactError("a fact has a predicate and plain arguments", place=place, mend=mend)
    return Fact(
        row["predicate"],
        tuple(args),
        source=row.get("source", source),
        by=row.get("by", "" if not source else "REST"),
        when=row.get("when", ""),
    )

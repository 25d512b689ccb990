"""One error shape for the whole surface: RFC 9457 problems with place and mend."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from skb.errors import SkbError

log = logging.getLogger("skb.api")
MEDIA_TYPE = "application/problem+json"


class BodyError(SkbError):
    """A request body is no JSON that we take: malformed, too deep, or not an object."""

    kind = "bad-json"


class MediaTypeError(SkbError):
    """A body is sent with a content type that this path does not take."""

    http_status = 415
    kind = "unsupported-media-type"


class BodyTooLargeError(SkbError):
    """A request body is larger than this path takes; nothing was done."""

    http_status = 413
    kind = "too-large"


class HostError(SkbError):
    """The Host header names a server that we are not (DNS rebinding)."""

    http_status = 421
    kind = "misdirected-host"


class OriginError(SkbError):
    """A page of another site tried to change something through the reader's browser."""

    http_status = 403
    kind = "foreign-origin"


class BusyError(SkbError):
    """All workers are busy and too many requests wait already; nothing was done."""

    exit_code = 4
    http_status = 503
    kind = "busy"


class CancelledError(SkbError):
    """The work was cancelled and its worker ended."""

    exit_code = 4
    http_status = 409
    kind = "cancelled"


class FaultError(SkbError):
    """A fault of ours; the details are in the server's log."""

    exit_code = 1
    http_status = 500
    kind = "internal-fault"


def problem(
    kind: str,
    status: int,
    detail: str,
    place: str = "",
    mend: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem response; every error of the service is made here."""
    body = {
        "type": f"urn:skb:{kind}",
        "title": kind.replace("-", " "),
        "status": status,
        "detail": detail,
        "place": place,
        "mend": mend,
    }
    more = dict(headers or {})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        more.setdefault("Retry-After", "1")
    return Response(msgspec.json.encode(body), status, more, MEDIA_TYPE)


def of_error(error: SkbError) -> Response:
    """Return the problem that an error of the library is."""
    return problem(error.kind, error.http_status, error.message, error.place, error.mend)


def fault() -> Response:
    """Return what the user sees of an internal fault: no traceback, no names."""
    return of_error(
        FaultError("something went wrong inside the service", mend="the server's log says what")
    )


async def _on_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, SkbError)
    if error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s: %s", error.kind, error)
    return of_error(error)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind, mend = {
        404: ("not-found", "see /openapi.json for the paths"),
        405: ("method-not-allowed", "the Allow header lists the methods"),
    }.get(error.status_code, ("bad-input", ""))
    detail = {
        404: f"there is nothing at {request.scope['path']}",
        405: f"{request.method} is not possible at {request.scope['path']}",
    }.get(error.status_code, str(error.detail))
    return problem(kind, error.status_code, detail, "", mend, error.headers)


async def _on_validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first: dict[str, Any] = error.errors()[0]
    place = " ".join(str(part) for part in first.get("loc", ()))
    return problem("bad-request", 422, str(first.get("msg", "invalid")), place, "correct the value")


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""
    app.add_exception_handler(SkbError, _on_error)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)

"""The page: a handful of files, read once at the start, so that no name ever becomes a path."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from skb.draw import STYLE

router = APIRouter(include_in_schema=False)
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@cache
def files() -> dict[str, tuple[bytes, str]]:
    """Return content and media type of every file of the page by its name."""
    found = {
        path.name: (path.read_bytes(), _TYPES[path.suffix])
        for path in sorted((Path(__file__).resolve().parent / "web").iterdir())
        if path.suffix in _TYPES
    }
    found["drawing.css"] = (STYLE.encode(), _TYPES[".css"])
    return found


@router.get("/")
async def index(request: Request) -> Response:
    """Show the page."""
    return _file(request, "index.html")


@router.get("/page/{name}")
async def part(request: Request, name: str) -> Response:
    """Show a script or style sheet of the page."""
    return _file(request, name)


def _file(request: Request, name: str) -> Response:
    if name not in files():
        raise HTTPException(404)
    content, media_type = files()[name]
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)

"""Answering with a drawing."""

from __future__ import annotations

from starlette.responses import Response

from api.guards import drawing_policy
from skb.draw import STYLE

_POLICY = drawing_policy(STYLE)


def svg_response(text: str) -> Response:
    """Return SVG that may do nothing but show itself, whatever names are written in it."""
    return Response(
        text.encode(),
        headers={"Content-Security-Policy": _POLICY},
        media_type="image/svg+xml",
    )

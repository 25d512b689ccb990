"""The gate around the application: host, origin, body size, headers, and what faults look like.

Everything is decided on the ASGI scope, never on a URL put together from headers.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import time
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import Metrics
from api.problems import BodyTooLargeError, HostError, OriginError, fault, of_error
from skb.errors import SkbError

log = logging.getLogger("skb.api")
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
BODY_LIMIT_BYTES = 1024 * 1024
IMPORT_LIMIT_BYTES = 64 * 1024 * 1024
IMPORT_PATH = "/v1/machines"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def drawing_policy(style: str) -> str:
    """Return the policy of a drawing on its own: nothing but its one style sheet, by digest."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; sandbox"
    )


class Guard:
    """ASGI middleware; see the module's docstring."""

    def __init__(self, app: ASGIApp, allowed_hosts: Collection[str], metrics: Metrics) -> None:
        self.app = app
        self.allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin = time.perf_counter()
        sent = _Sent(send)
        limited = _Limited(receive, body_limit(scope))
        try:
            self._check(scope)
            limited.check_length(scope)
            await self.app(scope, limited, sent)
        except SkbError as error:
            await sent.instead(of_error(error), scope, receive)
        except Exception:
            log.exception("fault in %s %s", scope["method"], scope["path"])
            await sent.instead(fault(), scope, receive)
        finally:
            self.metrics.request(scope["method"], sent.status, time.perf_counter() - begin)

    def _check(self, scope: Scope) -> None:
        hosts = _header(scope, b"host")
        if len(hosts) != 1 or _host(f"//{hosts[0]}") not in self.allowed_hosts:
            raise HostError(
                f"this server is not {hosts[0][:100] if hosts else 'without a name'}",
                place="Host header",
                mend=f"use one of {', '.join(sorted(self.allowed_hosts))}",
            )
        if scope["method"] in _SAFE_METHODS:
            return
        origins = _header(scope, b"origin")
        strange = any(_host(origin) not in self.allowed_hosts for origin in origins)
        if strange or "cross-site" in _header(scope, b"sec-fetch-site"):
            raise OriginError(
                "this request comes from a page of another site",
                place="Origin header",
                mend="use the page of this service, or a program",
            )


class _Limited:
    """`receive` that counts what it reads."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self.receive = receive
        self.limit = limit
        self.read = 0

    async def __call__(self) -> Message:
        message = await self.receive()
        self.read += len(message.get("body", b""))
        self._check(self.read)
        return message

    def check_length(self, scope: Scope) -> None:
        for length in _header(scope, b"content-length"):
            self._check(int(length) if length.isascii() and length.isdigit() else 0)

    def _check(self, size: int) -> None:
        if size > self.limit:
            raise BodyTooLargeError(
                f"the body is larger than {self.limit} bytes",
                place="body",
                mend="send less at a time",
            )


class _Sent:
    """`send` that adds the security headers and knows whether a response has begun."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": list(_with_security(message["headers"]))}
        await self.send(message)

    async def instead(self, response: ASGIApp, scope: Scope, receive: Receive) -> None:
        if not self.status:
            await response(scope, receive, self)


def _with_security(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    present = set()
    for name, value in headers:
        present.add(name.lower())
        yield name, value
    for word, text in (
        ("content-security-policy", PAGE_POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
    ):
        if word.encode() not in present:
            yield word.encode(), text.encode()


def body_limit(scope: Scope) -> int:
    """Return the bytes that a path takes: descriptions are large, everything else is small."""
    return IMPORT_LIMIT_BYTES if scope["path"] == IMPORT_PATH else BODY_LIMIT_BYTES


def _header(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == wanted]


def _host(address: str) -> str:
    """Return the host name of an origin or of `//host:port`, empty where it is none."""
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""

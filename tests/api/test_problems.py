"""One error shape everywhere, and the guards: host, origin, size, depth, headers, names."""

from __future__ import annotations

import json
import random
import threading
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from api.guards import BODY_LIMIT_BYTES, IMPORT_LIMIT_BYTES
from api.serve import run as serve
from skb.errors import RequestError

KEYS = {"type", "title", "status", "detail", "place", "mend"}
JSON = {"Content-Type": "application/json"}
NAMELESS = b"""<?xml version="1.0"?>
<!DOCTYPE topology SYSTEM "hwloc2.dtd">
<topology version="2.0">
  <object type="Machine" os_index="0" cpuset="0x1" complete_cpuset="0x1" nodeset="0x1">
    <object type="PU" os_index="0" cpuset="0x1" complete_cpuset="0x1" nodeset="0x1"/>
  </object>
</topology>
"""
ASK = "/v1/machines/tyan-s4985/ask/route"
FACTS = "/v1/machines/tyan-s4985/facts"


def _problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert set(body) == KEYS and body["detail"]
    assert (body["type"], body["status"]) == (f"urn:skb:{kind}", status)
    assert "Traceback" not in answer.text
    return body


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/v1/machines/", 404, "not-found"),
        ("GET", "/v1/machines/nope", 404, "not-found"),
        ("GET", "/v1/machines/nope.svg", 404, "not-found"),
        ("GET", "/v1/machines/nope/facts", 404, "not-found"),
        ("GET", "/v1/decisions/nope", 404, "not-found"),
        ("GET", "/v1/decisions/nope.svg", 404, "not-found"),
        ("GET", "/v1/decisions/nope/why", 404, "not-found"),
        ("GET", "/v1/simulations/nope", 404, "not-found"),
        ("DELETE", "/v1/jobs/nope", 404, "not-found"),
        ("DELETE", "/v1/machines/nope", 404, "not-found"),
        ("PUT", "/v1/machines", 405, "method-not-allowed"),
        ("DELETE", "/healthz", 405, "method-not-allowed"),
        ("GET", FACTS + "?limit=0", 422, "bad-request"),
        ("GET", FACTS + "?limit=many", 422, "bad-request"),
        ("GET", FACTS + "?after=x", 422, "bad-request"),
        ("GET", FACTS + "?source=rumour", 422, "bad-request"),
        ("GET", FACTS + "?as_of=999999", 404, "not-found"),
        ("GET", "/v1/decisions?limit=-1", 422, "bad-request"),
    ],
)
def test_problem_for_every_wrong_path(
    client: httpx.Client, method: str, path: str, status: int, kind: str
) -> None:
    """Unknown names and paths, wrong methods and wrong parameters have one shape."""
    _problem(client.request(method, path), status, kind)


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        (ASK, b"{", 400, "bad-json"),
        (ASK, b"", 400, "bad-json"),
        (ASK, b"[]", 400, "bad-json"),
        (ASK, b'{"root": NaN}', 400, "bad-json"),
        (ASK, b'{"root": 1e999}', 400, "bad-json"),
        (ASK, b'{"root": "\xff"}', 400, "bad-json"),
        (ASK, b'{"a":' * 100 + b"1" + b"}" * 100, 400, "bad-json"),
        (ASK, b"[" * 100_000, 400, "bad-json"),
        (ASK, b'{"root": 99}', 422, "bad-request"),
        (ASK, b'{"rooot": 1}', 422, "bad-request"),
        (ASK, b'{"limit_s": 0}', 422, "bad-request"),
        (ASK, b'{"limit_s": 1e9}', 422, "bad-request"),
        (ASK, b'{"limit_s": "soon"}', 422, "bad-request"),
        (ASK, b'{"seed": -1}', 422, "bad-request"),
        ("/v1/machines/nope/ask/route", b"{}", 404, "not-found"),
        ("/v1/machines/tyan-s4985/ask/rooute", b"{}", 404, "not-found"),
        ("/v1/machines/tyan-s4985/ask/query", b'{"rules": "a :- "}', 422, "bad-rules"),
        ("/v1/simulations", b"{}", 422, "bad-request"),
        ("/v1/simulations", b'{"machine": 3}', 422, "bad-request"),
        ("/v1/simulations", b'{"machine": "tyan-s4985", "route": "x"}', 422, "bad-request"),
        ("/v1/machines?name=x", b"what is this", 400, "bad-description"),
        ("/v1/machines", NAMELESS, 422, "bad-request"),
    ],
    ids=range(22),
)
def test_problem_for_every_wrong_body(
    client: httpx.Client, path: str, body: bytes, status: int, kind: str
) -> None:
    """Malformed, deep, infinite or unknown: refused with place and mend, never with 500."""
    found = _problem(client.post(path, content=body, headers=JSON), status, kind)
    assert found["mend"]


@pytest.mark.parametrize(
    "body",
    [
        {"asert": []},
        {"assert": {}},
        {"assert": [3]},
        {"assert": [{"predicate": "power"}]},
        {"assert": [{"predicate": "power", "args": [["core:0"], "off"]}]},
        {"assert": [{"predicate": "power", "args": ["core:0", True]}]},
        {"assert": [{"predicate": "power", "args": ["core:0", "off"], "source": 3}]},
        {"assert": [{"predicate": "power", "args": ["core:0", "off"], "source": "rumour"}]},
        {"assert": [{"predicate": "cache_size", "args": ["l3:0", -1]}]},
        {"assert": [{"predicate": "cache_size", "args": ["l3:0", 1.5]}]},
        {"retract": [{"predicate": "power", "args": ["core:0", "off"]}]},
    ],
)
def test_problem_for_every_wrong_fact(
    client: httpx.Client, small: str, body: dict[str, object]
) -> None:
    """A fact that does not fit its relation is refused and nothing is written."""
    before = client.get(f"/v1/machines/{small}").json()["revision"]
    answer = client.patch(f"/v1/machines/{small}/facts", json=body)
    assert answer.status_code in (400, 422) and set(answer.json()) == KEYS
    assert client.get(f"/v1/machines/{small}").json()["revision"] == before


def test_problem_names_what_the_user_typed(client: httpx.Client) -> None:
    """The place is the path in the request; the mend says what to write."""
    found = _problem(client.post(ASK, json={"members": [0, "x"]}), 422, "bad-request")
    assert "members[1]" in found["place"]


def test_body_must_be_sent_as_json(client: httpx.Client) -> None:
    """What a foreign form could send without asking the browser is refused."""
    answer = client.post(ASK, content=b"{}", headers={"Content-Type": "text/plain"})
    _problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("path", "limit"), [(ASK, BODY_LIMIT_BYTES), ("/v1/machines?name=x", IMPORT_LIMIT_BYTES)]
)
def test_large_bodies_are_refused_by_their_length(
    client: httpx.Client, path: str, limit: int
) -> None:
    """A stated length above the limit is 413 before anything is read."""
    with closing(HTTPConnection(client.base_url.host, client.base_url.port, timeout=10)) as raw:
        raw.putrequest("POST", path)
        raw.putheader("Content-Type", "application/json")
        raw.putheader("Content-Length", str(limit + 1))
        raw.endheaders()
        answer = raw.getresponse()
        assert answer.status == 413 and set(json.loads(answer.read())) == KEYS


def test_large_bodies_are_refused_while_they_are_read(client: httpx.Client) -> None:
    """Without a stated length, reading stops at the limit."""
    sent = 0

    def chunks() -> object:
        nonlocal sent
        for _ in range(64):
            sent += 65536
            yield b" " * 65536

    answer = client.post(ASK, content=chunks(), headers=JSON)  # type: ignore[arg-type]
    _problem(answer, 413, "too-large")


def test_foreign_hosts_are_refused(client: httpx.Client) -> None:
    """A name that is not ours (DNS rebinding) gets nothing, whatever path it asks for."""
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::1"):
        answer = client.get("/v1/machines", headers={"Host": host})
        _problem(answer, 421, "misdirected-host")
    for host in ("localhost", "LOCALHOST:1234", "127.0.0.1", "[::1]:8421"):
        assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_foreign_pages_cannot_write(client: httpx.Client) -> None:
    """A page of another site may not change anything through the reader's browser."""
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        answer = client.post(ASK, json={}, headers=headers)
        _problem(answer, 403, "foreign-origin")
    own = client.post(ASK, json={"root": 99}, headers={"Origin": "http://localhost:8421"})
    assert own.status_code == 422


@pytest.mark.parametrize("path", ["/", "/page/page.js", "/v1/machines", "/nothing", "/healthz"])
def test_security_headers_are_on_every_answer(client: httpx.Client, path: str) -> None:
    """Scripts and styles come from here only; no sniffing, no referrer, no frames."""
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy and "form-action 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "/etc/passwd",
        "facts/machines/tyan-s4985.toml",
        "tyan-s4985.toml",
        "<script>alert(1)</script>",
        "' OR 1=1 --",
        "\x00",
        "é" * 300,
    ],
)
def test_names_are_never_paths(client: httpx.Client, name: str) -> None:
    """A machine is named, never read from disk, and hostile names are only names."""
    for path in ("/v1/machines/{}", "/v1/machines/{}.svg", "/v1/machines/{}/facts", "/page/{}"):
        answer = client.get(path.format(quote(name, safe="")))
        assert answer.status_code == 404 and set(answer.json()) == KEYS, answer.text
    body = '[machine]\nname = "x"\n[structure]\ntree = "core:1 pu:1"\n'
    answer = client.post("/v1/machines", params={"name": name}, content=body)
    assert answer.status_code < 500
    if answer.status_code == 201:
        kept = quote(name, safe="")
        drawing = client.get(f"/v1/machines/{kept}.svg")
        assert "<script>" not in drawing.text
        client.delete(f"/v1/machines/{kept}")


def test_paths_on_disk_are_not_read(client: httpx.Client, tmp_path: Path) -> None:
    """Even an existing description is not found by its path."""
    path = tmp_path / "machine.toml"
    path.write_text('[structure]\ntree = "core:1 pu:1"\n')
    answer = client.get(f"/v1/machines/{quote(str(path), safe='')}")
    _problem(answer, 404, "not-found")


def test_health_answers_while_all_workers_are_busy(address: str) -> None:
    """A grounding bomb in every worker delays neither probe nor metrics, and ends at its limit."""
    bomb = "p(1..3000). q(A,B,C,D) :- p(A), p(B), p(C), p(D). #show q/4."
    answers: list[httpx.Response] = []

    def explode() -> None:
        path = f"{address}/v1/machines/odroid-n2/ask/query"
        answers.append(httpx.post(path, json={"rules": bomb, "limit_s": 1.5}, timeout=30))

    threads = [threading.Thread(target=explode) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    times = []
    with httpx.Client(base_url=address, timeout=10) as client:
        while any(thread.is_alive() for thread in threads):
            begin = time.perf_counter()
            assert client.get("/healthz").status_code == 200
            times.append(time.perf_counter() - begin)
            time.sleep(0.02)
    for thread in threads:
        thread.join()
    assert sorted(times)[len(times) // 2] < 0.1
    for answer in answers:
        _problem(answer, 504, "limit-exceeded")


def test_service_listens_on_loopback_only() -> None:
    """Another address is refused with the way around it: this version has no tokens."""
    for host in ("0.0.0.0", "192.0.2.1", "example.org"):
        with pytest.raises(RequestError, match="loopback"):
            serve("sqlite://", host=host)


def test_random_requests_never_fault(client: httpx.Client) -> None:
    """Three hundred odd requests: always one shape, never 5xx."""
    rng = random.Random(7)
    words = [
        "tyan-s4985",
        "nope",
        "..",
        "%00",
        "a b",
        "é",
        "x" * 300,
        "0",
        "-1",
        "null",
        "{}",
        "[]",
    ]
    paths = [
        "/v1/machines/{}", "/v1/machines/{}/facts?object={}", "/v1/machines/{}.svg?focus={}",
        "/v1/decisions/{}", "/v1/decisions/{}/why?not={}", "/v1/machines/{}/ask/{}", "/v1/jobs/{}",
        "/v1/machines/{}/facts?after={}&limit=1", "/page/{}", "/v1/machines/{}/facts?as_of={}",
    ]  # fmt: skip
    bodies = ["", "{}", "[]", "null", '{"task": 3}', '{"flow": [{}]}', '{"members": [1e5]}', "{{"]
    for _ in range(300):
        path = rng.choice(paths)
        path = path.format(*(quote(rng.choice(words)) for _ in range(path.count("{}"))))
        method = rng.choice(["GET", "GET", "POST", "PATCH", "PUT"])
        answer = client.request(method, path, content=rng.choice(bodies), headers=JSON)
        assert answer.status_code < 500, (method, path, answer.text)
        if answer.status_code >= 400:
            assert set(answer.json()) == KEYS

"""Tables over REST: a network is posted, its tables judged, put in force, and taken back."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

NET = "graph { sw0 -- sw1 -- sw2 -- sw3 -- sw0 }"


@pytest.fixture
def ring(client: httpx.Client) -> Iterator[str]:
    """Give the path of four switches in a ring."""
    answer = client.post(
        "/v1/machines?name=ring&replace=true",
        content=NET,
        headers={"Content-Type": "text/vnd.graphviz"},
    )
    assert answer.status_code == 201, answer.text
    yield "/v1/machines/ring"
    client.delete("/v1/machines/ring")


def test_apply_puts_tables_in_force(client: httpx.Client, ring: str) -> None:
    """A links decision becomes facts; the next one judges them, and other bodies are refused."""
    first = client.post(f"{ring}/ask/links", json={}).json()
    path = f"/v1/decisions/{first['id']}/apply"
    wrong = client.post(path, json={"of": 1})
    assert wrong.status_code == 422 and wrong.json()["type"] == "urn:skb:bad-request"
    told = client.post(path, json={})
    assert told.status_code == 200 and told.json()["entries"] == 12
    assert client.post(f"{ring}/ask/links", json={}).json()["answer"]["current"]["by"] == "facts"
    given = {"next_hop": first["answer"]["next_hop"], "channel": first["answer"]["channel"]}
    answer = client.post(f"{ring}/ask/links", json={"current": given}).json()
    assert answer["answer"]["current"]["by"] == "request"
    assert answer["answer"]["current"]["delivered"] == 12


def test_apply_refuses_what_has_no_tables(client: httpx.Client, small: str) -> None:
    """A placement is bound, not applied."""
    asked = {"task": [{"name": "rx"}]}
    placed = client.post(f"/v1/machines/{small}/ask/placement", json=asked).json()
    refused = client.post(f"/v1/decisions/{placed['id']}/apply", json={})
    assert refused.status_code == 422 and "has no tables" in refused.json()["detail"]

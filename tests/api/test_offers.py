"""Offers over REST: the request of a file, the answer of the command line."""

from __future__ import annotations

import httpx


def test_offers_are_asked_over_rest(client: httpx.Client) -> None:
    """A client gets the service that suits it; `why` prices the other one."""
    request = {
        "client": [{"name": "app", "at": "pu:4", "needs": {"protocol": "tcp"}}],
        "offer": [
            {"name": "near", "at": "pu:4", "properties": {"protocol": "tcp"}},
            {"name": "far", "at": "pu:0", "properties": {"protocol": "tcp"}},
        ],
    }
    asked = client.post("/v1/machines/odroid-n2/ask/offers", json=request)
    assert asked.status_code == 200, asked.text
    decision = asked.json()
    assert decision["answer"]["clients"]["app"]["services"][0]["service"] == "near"
    assert [row["name"] for row in decision["alternatives"]] == ["app uses far"]
    refused = client.post("/v1/machines/odroid-n2/ask/offers", json={})
    assert refused.status_code in {400, 422}
    assert "no clients" in refused.text

"""Power over REST: a stored load keeps running, and who uses what is lost is listed."""

from __future__ import annotations

import httpx


def test_power_is_asked_over_rest(client: httpx.Client) -> None:
    """A stored placement is the load; the decision that goes with its parts is hit."""
    load = client.post("/v1/machines/odroid-n2/ask/placement", json={"task": [{"name": "app"}]})
    assert load.status_code == 200, load.text
    placed = load.json()
    (pu,) = placed["answer"]["tasks"]["app"]["pus"]
    body = {"off": [f"pu:{pu}"], "keep": {"decision": placed["id"]}}
    asked = client.post("/v1/machines/odroid-n2/ask/power", json=body)
    assert asked.status_code == 200, asked.text
    decision = asked.json()
    assert decision["answer"]["evacuation"]["moves"] == 1
    hit = client.get(f"/v1/decisions/{decision['id']}/hits").json()
    assert placed["id"] in {row["id"] for row in hit}
    assert client.get(f"/v1/decisions/{placed['id']}/hits").json() == []
    refused = client.post("/v1/machines/odroid-n2/ask/power", json={"off": ["package:7"]})
    assert refused.status_code == 422
    assert "has no package:7" in refused.text

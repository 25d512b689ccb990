"""Repair over REST: as facts are now, and as if parts were off."""

from __future__ import annotations

import httpx
import pytest


def _placed(client: httpx.Client, machine: str) -> tuple[str, int]:
    answer = client.post(f"/v1/machines/{machine}/ask/placement", json={"task": [{"name": "rx"}]})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    return str(told["id"]), int(told["answer"]["tasks"]["rx"]["pus"][0])


def test_repair_supposes_and_keeps_nothing(client: httpx.Client, small: str) -> None:
    """A supposition moves who has to move; the answer is no decision that was stored."""
    wanted, pu = _placed(client, small)
    answer = client.post(f"/v1/decisions/{wanted}/repair", json={"off": [f"pu:{pu}"]})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert [move["task"] for move in told["moves"]] == ["rx"]
    assert told["best"]["status"] == "optimal"
    assert told["best"]["answer"]["tasks"]["rx"]["pus"] != [pu]
    assert client.get(f"/v1/decisions/{told['best']['id']}").status_code == 404


def test_repair_leaves_busy_parts_alone(client: httpx.Client, small: str) -> None:
    """Who runs on a busy part moves, and the answer is kept."""
    wanted, pu = _placed(client, small)
    answer = client.post(f"/v1/decisions/{wanted}/repair", json={"busy": [f"pu:{pu}"]})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert [(move["task"], move["from"]) for move in told["moves"]] == [("rx", [pu])]
    assert told["best"]["answer"]["tasks"]["rx"]["pus"] != [pu]
    assert client.get(f"/v1/decisions/{told['best']['id']}").status_code == 200


def test_repair_against_the_facts_is_a_decision(client: httpx.Client, small: str) -> None:
    """Without parts the facts count as they are now, and the answer is kept."""
    wanted, _pu = _placed(client, small)
    told = client.post(f"/v1/decisions/{wanted}/repair", json={}).json()
    assert told["moves"] == [] and told["decision"] == wanted
    assert client.get(f"/v1/decisions/{told['best']['id']}").status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"off": ["l3:999"]}, 404, "not-found"),
        ({"off": "l3:0"}, 422, "bad-request"),
        ({"busy": ["l3:999"]}, 422, "bad-request"),
        ({"busy": "l3:0"}, 422, "bad-request"),
        ({"of": ["l3:0"]}, 422, "bad-request"),
        ({"limit_s": 0}, 422, "bad-request"),
    ],
)
def test_repair_problems_have_one_shape(
    client: httpx.Client, small: str, body: dict[str, object], status: int, kind: str
) -> None:
    """What cannot be read or found is a problem."""
    wanted, _pu = _placed(client, small)
    answer = client.post(f"/v1/decisions/{wanted}/repair", json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:skb:{kind}")
    assert client.post("/v1/decisions/nope/repair", json={}).status_code == 404

"""Exports and named queries over REST: same formats, same keys, right content types."""

from __future__ import annotations

import httpx
import pytest

from skb.exports import export
from skb.named import named_queries
from tests.machines import bundled

TYPES = {
    "native": "application/toml",
    "json": "application/json",
    "asp": "text/plain; charset=utf-8",
    "hwloc": "application/xml",
    "nccl": "application/xml",
    "dot": "text/vnd.graphviz; charset=utf-8",
}


@pytest.mark.parametrize("to", list(TYPES))
def test_export_is_that_of_the_command(client: httpx.Client, to: str) -> None:
    """The body is what `skb export` writes, under its own content type, as a file to keep."""
    answer = client.get("/v1/machines/tyan-s4985/export", params={"to": to})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == TYPES[to]
    assert "tyan-s4985" in answer.headers["content-disposition"]
    made = export(bundled("tyan-s4985"), to)
    assert answer.text == made.text
    assert bool(answer.headers["x-notes"]) == bool(made.notes)


def test_export_problems_have_one_shape(client: httpx.Client) -> None:
    """Unknown formats and machines are problems."""
    answer = client.get("/v1/machines/tyan-s4985/export", params={"to": "pdf"})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:skb:bad-request")
    assert client.get("/v1/machines/nosuch/export").status_code == 404


def test_named_queries_are_listed_and_answered(client: httpx.Client) -> None:
    """`/v1/queries` lists them; the body of an ask has the keys of the request file."""
    listed = client.get("/v1/queries").json()
    assert [one["name"] for one in listed] == list(named_queries())
    body = {"named": "nearest-cores", "with": {"device": "device:eth0"}}
    answer = client.post("/v1/machines/tyan-s4985/ask/query", json=body)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert [row["pu"] for row in found["answer"]["rows"]] == ["pu:0", "pu:1", "pu:2", "pu:3"]
    assert found["request"] == body
    again = client.post("/v1/machines/tyan-s4985/ask/query", json=found["request"])
    assert again.json()["id"] == found["id"]
    assert client.get(f"/v1/decisions/{found['id']}").json()["request"] == body
    wrong = client.post(
        "/v1/machines/tyan-s4985/ask/query", json={"named": "nearest-cores", "with": {"device": 7}}
    )
    assert (wrong.status_code, wrong.json()["type"]) == (422, "urn:skb:bad-request")

"""Bindings over REST: the text of the command, or JSON, and one shape of problems."""

from __future__ import annotations

import httpx
import pytest

from skb.bindings import TARGETS


def _asked(client: httpx.Client, machine: str, **body: object) -> str:
    answer = client.post(f"/v1/machines/{machine}/ask/placement", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize("target", TARGETS)
def test_bindings_are_text_or_json(client: httpx.Client, small: str, target: str) -> None:
    """The text is that of the JSON; nothing is rendered by a browser."""
    wanted = _asked(client, small, task=[{"name": "<b>rx</b>"}])
    path = f"/v1/decisions/{wanted}/bindings/{target}"
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    found = client.get(path, headers={"accept": "application/json"})
    assert found.headers["content-type"] == "application/json"
    assert found.json()["text"] == answer.text and found.json()["target"] == target


def test_bindings_problems_have_one_shape(client: httpx.Client, small: str) -> None:
    """Unknown decisions and targets, and decisions that place nothing, are problems."""
    wanted = _asked(client, small, task=[{"name": "rx"}])
    nothing = _asked(client, small, task=[{"name": "rx", "cores": 99}])
    for path, status, kind in (
        ("nope/bindings/env", 404, "not-found"),
        (f"{wanted}/bindings/irq", 422, "bad-request"),
        (f"{nothing}/bindings/env", 422, "bad-request"),
    ):
        answer = client.get(f"/v1/decisions/{path}")
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:skb:{kind}")

"""Refined simulations over REST: links, polling and faults in the body; bad ones never start."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

BODY = {
    "machine": "tyan-s4985",
    "protocol": "single-phase-commit",
    "route": "cluster",
    "members": [0, 4, 8, 12],
    "operations": 20,
}


def finished(client: httpx.Client, body: dict[str, Any]) -> Any:
    """Start a simulation and return its result."""
    job = client.post("/v1/simulations", json=body).json()
    end = time.monotonic() + 20
    while job["state"] in ("queued", "running") and time.monotonic() < end:
        time.sleep(0.02)
        job = client.get(f"/v1/jobs/{job['id']}").json()
    assert job["state"] == "done", job
    return job["result"]


def test_simulation_takes_links_polling_and_faults(client: httpx.Client) -> None:
    """The same keys as on the command line; the result has what they did."""
    slow = {"time_ns": 100, "pu": 4, "state": "slow", "value_ns": 20_000}
    more = {"links": True, "poll_ns": 5, "parameters": {"work_ns": 10}, "faults": [slow]}
    result = finished(client, {**BODY, **more})
    assert result["ended"] == "finished"
    assert result["completed"] == 20
    assert result["latency"]["max"] > 19_000
    assert max(result["link_load"].values()) > 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"parameters": {"speed": 1}}, "speed"),
        ({"rate_per_s": 0}, "rate of 0"),
        ({"faults": [{"time_ns": 0, "pu": 4, "state": "slow"}]}, "value_ns"),
        ({"faults": [{"time_ns": 0, "pu": 4, "state": "cut", "side": "left"}]}, "side"),
        ({"channels": "some"}, "some"),
    ],
)
def test_simulation_that_nobody_could_run_is_refused_at_once(
    client: httpx.Client, more: dict[str, Any], words: str
) -> None:
    """No job is started for it."""
    answer = client.post("/v1/simulations", json={**BODY, **more})
    assert answer.status_code == 422
    assert words in answer.text

"""What changed, over HTTP: differences between machines and revisions, and conflicts."""

from __future__ import annotations

import httpx


def test_diff_compares_machines_and_revisions(client: httpx.Client, small: str) -> None:
    """A revision is NAME@N; the answer has both sides and what differs."""
    first = client.get(f"/v1/machines/{small}").json()["revision"]
    change = {"assert": [{"predicate": "load", "args": ["pu:0", 50]}]}
    client.patch(f"/v1/machines/{small}/facts", json=change)
    found = client.get(f"/v1/machines/{small}@{first}/diff/{small}").json()
    assert [row["args"] for row in found["facts_only_b"]] == [["pu:0", 50]]
    assert (found["a"]["revision"], found["same"]) == (first, "shape")
    other = client.get(f"/v1/machines/{small}/diff/tyan-s4985").json()
    assert other["same"] == "different" and other["counts"]["pu"] == [4, 32]


def test_diff_refuses_what_it_does_not_know(client: httpx.Client, small: str) -> None:
    """Unknown machines, revisions, predicates and paths are problems, not faults."""
    for path, status in (
        (f"/v1/machines/{small}/diff/nosuch", 404),
        (f"/v1/machines/{small}/diff/nosuch@3", 404),
        (f"/v1/machines/{small}/diff/{small}?predicate=lod", 400),
        (f"/v1/machines/{small}/diff/README.md", 404),
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (
            status,
            "application/problem+json",
        ), path


def test_facts_can_be_limited_to_conflicts(client: httpx.Client, small: str) -> None:
    """Only overruled facts come, each with the one that overrules it."""
    path = f"/v1/machines/{small}/facts"
    rows = [
        {"predicate": "load", "args": ["pu:0", load], "source": source}
        for load, source in ((50, "asserted"), (60, "measured"))
    ]
    client.patch(path, json={"assert": rows})
    (fact,) = client.get(path, params={"conflicts": True}).json()["facts"]
    assert (fact["args"], fact["overruled_by"]["args"]) == (["pu:0", 60], ["pu:0", 50])

"""Every path of the service, with what it answers when all is well."""

from __future__ import annotations

import time
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from skb.questions import NAMES
from skb.relations import relations
from skb.resources import bundled_machines

ROUTE = {"root": 0, "members": [0, 4, 8, 12], "limit_s": 5, "seed": 1}


def _route(client: httpx.Client) -> dict[str, Any]:
    answer = client.post("/v1/machines/tyan-s4985/ask/route", json=ROUTE)
    assert answer.status_code == 200, answer.text
    decision: dict[str, Any] = answer.json()
    return decision


def test_machines_are_listed_and_summarised(client: httpx.Client) -> None:
    """The bundled machines are there without a database; a summary has its revision as ETag."""
    rows = client.get("/v1/machines").json()
    assert set(bundled_machines()) <= {row["name"] for row in rows}
    answer = client.get("/v1/machines/tyan-s4985")
    assert answer.json()["counts"]["pu"] == 32
    assert answer.headers["etag"] == '"0"'
    again = client.get("/v1/machines/tyan-s4985", headers={"If-None-Match": '"0"'})
    assert (again.status_code, again.content) == (304, b"")


def test_machine_is_imported_shown_and_forgotten(client: httpx.Client, small: str) -> None:
    """A description in the body becomes a machine under its name, until it is deleted."""
    assert client.get("/v1/machines/small").json()["pus"] == [0, 1, 2, 3]
    assert client.delete("/v1/machines/small").json()["deleted"] is True
    assert client.get("/v1/machines/small").status_code == 404


def test_machine_takes_its_name_from_the_description(client: httpx.Client) -> None:
    """Without ?name= the description's own name is used."""
    body = '[machine]\nname = "own-name"\n[structure]\ntree = "core:2 pu:1"\n'
    answer = client.post("/v1/machines", content=body)
    assert (answer.status_code, answer.headers["location"]) == (201, "/v1/machines/own-name")
    taken = client.post("/v1/machines", content=body.replace("core:2", "core:3"))
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:skb:name-taken")
    client.delete("/v1/machines/own-name")


def test_facts_are_filtered(client: httpx.Client) -> None:
    """Predicate, object and source narrow the list; every fact has unit and provenance."""
    path = "/v1/machines/tyan-s4985/facts"
    found = client.get(path, params={"predicate": "cache_size", "object": "l3:2"}).json()["facts"]
    assert [(f["args"], f["unit"], f["source"]) for f in found] == [
        (["l3:2", 2097152], "bytes", "datasheet")
    ]
    assert found[0]["by"].startswith("AMD Opteron 8350") and found[0]["holds"] is True
    measured = client.get(path, params={"source": "measured"}).json()["facts"]
    assert {fact["source"] for fact in measured} == {"measured"}


def test_facts_come_in_pages_of_one_revision(client: httpx.Client, small: str) -> None:
    """Pages put together are the whole list, also while somebody writes."""
    path = f"/v1/machines/{small}/facts"
    whole = client.get(path).json()
    pages: list[Any] = []
    page = client.get(path, params={"limit": 3}).json()
    client.patch(path, json={"assert": [{"predicate": "power", "args": ["core:0", "off"]}]})
    while True:
        pages += page["facts"]
        assert page["revision"] == whole["revision"]
        if page["next"] is None:
            break
        page = client.get(path, params={"limit": 3, "after": page["next"]}).json()
    assert pages == whole["facts"]


def test_facts_are_changed_in_one_transaction(client: httpx.Client, small: str) -> None:
    """Assert and retract together; as_of reads what was; a bad fact changes nothing."""
    path = f"/v1/machines/{small}/facts"
    before = client.get(f"/v1/machines/{small}").json()["revision"]
    off = {"predicate": "power", "args": ["core:1", "off"], "by": "test"}
    answer = client.patch(path, json={"assert": [off]}, headers={"If-Match": f'"{before}"'})
    assert answer.status_code == 200, answer.text
    after = answer.json()["revision"]
    assert after > before and answer.headers["etag"] == f'"{after}"'
    now = client.get(path, params={"predicate": "power"}).json()["facts"]
    assert [(f["args"], f["source"], f["by"]) for f in now] == [
        (["core:1", "off"], "asserted", "test")
    ]
    then = client.get(path, params={"predicate": "power", "as_of": before}).json()["facts"]
    assert then == []
    bad = {
        "assert": [
            {"predicate": "power", "args": ["core:0", "off"]},
            {"predicate": "powr", "args": []},
        ]
    }
    refused = client.patch(path, json=bad)
    assert refused.status_code == 400 and "did you mean power?" in refused.json()["mend"]
    gone = client.patch(path, json={"retract": [{"predicate": "power", "args": ["core:1", "off"]}]})
    assert gone.status_code == 200
    assert client.get(path, params={"predicate": "power"}).json()["facts"] == []


def test_stale_writes_are_refused(client: httpx.Client, small: str) -> None:
    """If-Match with another revision is 412, and nothing is written."""
    path = f"/v1/machines/{small}/facts"
    off = {"assert": [{"predicate": "power", "args": ["core:1", "off"]}]}
    answer = client.patch(path, json=off, headers={"If-Match": '"99999"'})
    assert (answer.status_code, answer.json()["type"]) == (412, "urn:skb:stale-revision")
    assert client.get(path, params={"predicate": "power"}).json()["facts"] == []
    assert client.patch(path, json=off, headers={"If-Match": "soon"}).status_code == 400


def test_drawings_are_svg_that_may_do_nothing(client: httpx.Client) -> None:
    """A machine, and one part of it, as SVG under a policy without scripts."""
    answer = client.get("/v1/machines/epyc-7773x-2p.svg", params={"focus": "l3:3"})
    assert answer.headers["content-type"] == "image/svg+xml"
    policy = answer.headers["content-security-policy"]
    assert "script" not in policy and "sandbox" in policy and "unsafe" not in policy
    ElementTree.fromstring(answer.content)
    assert 'data-object="pu:24"' in answer.text and 'data-object="pu:0"' not in answer.text
    missing = client.get("/v1/machines/epyc-7773x-2p.svg", params={"focus": "l3:99"})
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:skb:not-found")


def test_question_is_asked_kept_explained_and_drawn(client: httpx.Client) -> None:
    """A route is decided by a worker, stored, listed, explained, priced otherwise, and drawn."""
    decision = _route(client)
    assert decision["status"] in ("optimal", "feasible") and decision["answer"]["root"] == 0
    assert decision["provenance"]["limit_s"] == 5 and decision["provenance"]["seed"] == 1
    assert "limit_s" not in decision["request"]
    path = f"/v1/decisions/{decision['id']}"
    assert client.get(path).json() == decision
    rows = client.get("/v1/decisions", params={"machine": "tyan-s4985"}).json()
    assert decision["id"] in {row["id"] for row in rows}
    assert client.get(f"{path}/why").json()["costs"] == decision["costs"]
    assert 'data-from="pu:0"' in client.get(f"{path}.svg").text


def test_same_question_gives_the_same_decision(client: httpx.Client) -> None:
    """Same facts, request, seed and limits: same id, whichever worker answers."""
    assert _route(client)["id"] == _route(client)["id"]


def test_alternative_is_priced(client: httpx.Client) -> None:
    """`why?not=` tells what a buffer in another node would cost more."""
    flow = {"name": "rx", "device": "eth0", "consumer": 20, "pattern": "consume"}
    asked = client.post("/v1/machines/tyan-s4985/ask/buffers", json={"flow": [flow]})
    assert asked.status_code == 200, asked.text
    node = asked.json()["answer"]["flows"]["rx"]["numa_node"]
    path = f"/v1/decisions/{asked.json()['id']}/why"
    told = client.get(path, params={"not": f"flow=rx node={(node + 3) % 8}"})
    assert told.status_code == 200, told.text
    assert told.json()["not"]["difference"] > 0
    assert client.get(path, params={"not": " "}).json() == client.get(path).json()
    assert client.get(path, params={"not": "flow"}).status_code == 422


def test_decision_is_explained_further(client: httpx.Client) -> None:
    """`why?reasons=`, `mends=` and `sensitivity=` give what `skb why` prints."""
    far = [{"name": "a", "at": "package:0"}, {"name": "b", "at": "package:1"}]
    traffic = [{"from": "a", "to": "b", "messages_per_s": 7}]
    request = {"task": far, "together": [{"tasks": ["a", "b"], "within": "l3"}]}
    asked = client.post("/v1/machines/tyan-s4985/ask/placement", json=request)
    assert asked.json()["status"] == "infeasible"
    path = f"/v1/decisions/{asked.json()['id']}/why"
    told = client.get(path, params={"reasons": 3, "mends": 2}).json()
    assert told["reasons"]["complete"] and len(told["reasons"]["sets"]) == 1
    assert [len(row["lift"]) for row in told["mends"]["mends"]] == [1, 1]
    assert client.get(path, params={"sensitivity": 3}).status_code == 422
    assert client.get(path, params={"reasons": 1, "not": "task=a pu=1"}).status_code == 422
    asked = client.post(
        "/v1/machines/tyan-s4985/ask/placement", json={"task": far, "traffic": traffic}
    )
    path = f"/v1/decisions/{asked.json()['id']}/why"
    told = client.get(path, params={"sensitivity": 3})
    assert told.status_code == 200 and "numbers" in told.json()["sensitivity"]


def test_impossible_request_is_an_answer(client: httpx.Client) -> None:
    """Infeasible is 200 with the user's constraints as reasons, and can be drawn."""
    task = {"name": "big", "cores": 3, "at": "package:0", "memory_mib": 10}
    other = {"name": "other", "cores": 3, "at": "package:0"}
    request = {"task": [{**task, "exclusive": True}, {**other, "exclusive": True}]}
    answer = client.post("/v1/machines/epyc-7773x-2p/ask/placement", json=request)
    assert answer.status_code == 200, answer.text
    request["task"][0]["cores"] = request["task"][1]["cores"] = 40
    answer = client.post("/v1/machines/epyc-7773x-2p/ask/placement", json=request)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "infeasible" and answer.json()["reasons"]
    drawing = client.get(f"/v1/decisions/{answer.json()['id']}.svg")
    assert drawing.status_code == 200 and "infeasible" in drawing.text


def test_vocabulary_is_published(client: httpx.Client) -> None:
    """Questions have summary, schema and example; relations come from relations.toml."""
    rows = client.get("/v1/questions").json()
    assert [row["name"] for row in rows] == list(NAMES)
    assert all(row["summary"] and row["schema"] for row in rows)
    found = client.get("/v1/relations").json()
    assert [row["name"] for row in found["relations"]] == list(relations())


def test_simulation_is_a_job(client: httpx.Client) -> None:
    """A simulation starts, can be watched, and ends with its result."""
    options = {"machine": "tyan-s4985", "protocol": "two-phase-commit", "route": "binary"}
    started = client.post("/v1/simulations", json={**options, "operations": 5})
    assert started.status_code == 202, started.text
    path = started.headers["location"]
    job = client.get(path).json()
    end = time.monotonic() + 20
    while job["state"] in ("queued", "running") and time.monotonic() < end:
        time.sleep(0.02)
        job = client.get(path).json()
    assert job["state"] == "done", job
    assert job["result"]["protocol"] == "two-phase-commit" and job["result"]["violations"] == []
    assert client.get(f"/v1/jobs/{job['id']}").json()["result"] == job["result"]
    assert job["id"] in {row["id"] for row in client.get("/v1/jobs").json()}


def test_simulation_can_be_cancelled(client: httpx.Client) -> None:
    """DELETE kills the run; the next one works."""
    options = {"machine": "tyan-s4985", "route": "sequential", "operations": 2_000_000}
    options["engine"] = "plain"
    started = client.post("/v1/simulations", json=options).json()
    time.sleep(0.3)
    begin = time.monotonic()
    cancelled = client.delete(f"/v1/simulations/{started['id']}").json()
    assert cancelled["state"] == "cancelled" and time.monotonic() - begin < 5
    waiting = client.post("/v1/simulations", json={**options, "operations": 3}).json()
    end = time.monotonic() + 20
    while waiting["state"] in ("queued", "running") and time.monotonic() < end:
        time.sleep(0.02)
        waiting = client.get(f"/v1/jobs/{waiting['id']}").json()
    assert waiting["state"] == "done" and waiting["result"]["completed"] == 3


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_answer(client: httpx.Client, path: str) -> None:
    """Alive and ready."""
    assert client.get(path).status_code == 200


def test_metrics_count(client: httpx.Client) -> None:
    """Requests and workers are counted in Prometheus' text."""
    client.get("/healthz")
    text = client.get("/metrics").text
    assert 'skb_requests_total{method="GET",status="200"}' in text and "skb_workers 2" in text


def test_openapi_lists_the_paths_of_the_contract(client: httpx.Client) -> None:
    """The document names every path that this version has."""
    paths = set(client.get("/openapi.json").json()["paths"])
    assert {
        "/v1/machines",
        "/v1/machines/{name}",
        "/v1/machines/{name}.svg",
        "/v1/machines/{name}/facts",
        "/v1/machines/{name}/ask/{asked}",
        "/v1/decisions",
        "/v1/decisions/{wanted}",
        "/v1/decisions/{wanted}/why",
        "/v1/decisions/{wanted}/bindings/{target}",
        "/v1/decisions/{wanted}.svg",
        "/v1/questions",
        "/v1/relations",
        "/v1/simulations",
        "/v1/simulations/{wanted}",
        "/v1/jobs/{wanted}",
        "/healthz",
        "/readyz",
        "/metrics",
    } <= paths

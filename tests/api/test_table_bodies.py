"""Tables of numbers as the body of a new machine: what the command reads, the service reads too."""

from __future__ import annotations

import httpx
import pytest

MATRIX = ",,,\n10,,,\n20,20,,\n20,20,10,\n"
LIST = "".join(f"{a} {b} {10 + a}\n" for a in range(4) for b in range(4) if a != b)
MCTOP = "#box #HWCs 4 #Nodes 2 SMT 0\n" + "".join(
    f"{a} {b} {0 if a == b else 30 if a // 2 == b // 2 else 90}\n"
    for a in range(4)
    for b in range(4)
)


@pytest.mark.parametrize("body", [MATRIX, LIST, MCTOP])
def test_table_in_the_body_becomes_a_machine(client: httpx.Client, body: str) -> None:
    """A matrix, a list and an MCTOP file are recognised, noted and asked about by name."""
    answer = client.post("/v1/machines", params={"name": "table"}, content=body)
    assert answer.status_code == 201, answer.text
    try:
        shown = client.get("/v1/machines/table").json()
        assert shown["pus"] == [0, 1, 2, 3] and shown["notes"]
        route = client.post("/v1/machines/table/ask/route", json={"root": 0, "limit_s": 5})
        assert route.json()["status"] == "optimal"
    finally:
        client.delete("/v1/machines/table")


def test_table_with_a_fault_is_a_problem_with_its_line(client: httpx.Client) -> None:
    """A broken cell is one clear problem, and nothing is stored."""
    body = MATRIX.replace("20,20,10", "20,x,10")
    answer = client.post("/v1/machines", params={"name": "table"}, content=body)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:skb:bad-description")
    assert "column 2: 'x'" in answer.text
    assert client.get("/v1/machines/table").status_code == 404


def test_table_states_its_unit_and_merges_over_the_service(client: httpx.Client) -> None:
    """Cycles need a clock, a structure fits the table, and a matrix joins a known machine."""
    native = b'[machine]\nname = "joined"\n[structure]\ntree = "package:2 core:2 pu:1"\n'
    head = {"content-type": "application/toml"}
    try:
        assert client.post("/v1/machines", content=native, headers=head).status_code == 201
        asked = {"name": "joined", "merge": "true", "unit": "cycles", "clock_mhz": "2000"}
        answer = client.post("/v1/machines", params=asked, content=MATRIX)
        assert answer.status_code == 201, answer.text
        assert answer.json()["counts"]["package"] == 2
        rows = client.get("/v1/machines/joined/facts", params={"predicate": "latency"}).json()
        assert {row["args"][-1] for row in rows["facts"]} == {5.0, 10.0}
    finally:
        client.delete("/v1/machines/joined")
    for wrong, word in (({"unit": "yards"}, "yards"), ({"unit": "cycles"}, "clock"),
                        ({"merge": "true"}, "name=M")):  # fmt: skip
        refused = client.post("/v1/machines", params=wrong, content=MATRIX)
        assert refused.status_code in {400, 422} and word in refused.text, refused.text

"""`skb ask links` on the command line: options, exit codes, words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from skb.cli.main import main


@pytest.fixture
def db(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/links.sqlite3"


def test_links_options_make_the_request(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Channels, longer ways, failures and traffic reach the request."""
    options = ["--virtual-channels", "1", "--longer", "--failures"]
    options += ["--traffic", "from=package:0 to=package:3 weight=2.5"]
    assert main(["ask", "links", "tyan-s4985", *options, "--json", "--db", db]) == 0
    decision = json.loads(capsys.readouterr().out)
    assert decision["request"] == {
        "virtual_channels": 1,
        "minimal": False,
        "failures": True,
        "traffic": [{"from": "package:0", "to": "package:3", "weight": 2.5}],
    }
    assert len(decision["answer"]["failures"]) == 11


def test_links_uniform_traffic_of_a_file_stays(
    db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The word for uniform traffic is no list of rows; rows beside it are refused."""
    file = tmp_path / "links.toml"
    file.write_text('traffic = "uniform"\nlevel = "package"\n')
    assert main(["ask", "links", "tyan-s4985", str(file), "--db", db]) == 0
    assert "2 virtual channels, free of deadlock" in capsys.readouterr().out
    rows = ["--traffic", "from=package:0 to=package:1"]
    assert main(["ask", "links", "tyan-s4985", str(file), *rows, "--db", db]) == 2
    assert "traffic is given twice" in capsys.readouterr().err


def test_links_tables_are_printed_bound_and_drawn(
    db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Small tables whole, large ones by their fullest links; the decision goes on from there."""
    assert main(["ask", "links", "mesh-1024", "--db", db]) == 0
    assert "the fullest links; the table is in --json" in capsys.readouterr().out
    assert main(["ask", "links", "tyan-s4985", "--failures", "--json", "--db", db]) == 0
    decision = json.loads(capsys.readouterr().out)
    assert main(["bind", decision["id"], "--to", "opensm", "--db", db]) == 0
    assert capsys.readouterr().out.count("valid lids dumped") == 8
    assert main(["draw", decision["id"], "-o", str(tmp_path / "x.svg"), "--db", db]) == 0
    clause = "from=package:0 to=package:1 next=package:7"
    assert main(["why", decision["id"], "--not", clause, "--db", db]) == 0
    assert "only shortest paths are allowed" in capsys.readouterr().out


def test_links_that_cannot_be_have_their_exit_code(
    db: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Infeasible is 3, with the circle in words."""
    assert main(["ask", "links", "tyan-s4985", "--virtual-channels", "1", "--db", db]) == 3
    assert "links wait for each other in a circle" in capsys.readouterr().out

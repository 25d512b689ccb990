"""`skb ask replicas` on the command line: words, exit codes, and what goes on from a decision."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from skb.cli.main import main

TABLE = """
[[object]]
name = "table"
lines = 4
read_rate = 1e6
update_rate = 5000
"""


@pytest.fixture
def db(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/replicas.sqlite3"


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    file = tmp_path / "replicas.toml"
    file.write_text(TABLE)
    return file


def test_replicas_are_printed_explained_and_drawn(
    db: str, tmp_path: Path, request_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The decision is printed, an alternative has its price, and the drawing names the object."""
    assert main(["ask", "replicas", "tyan-s4985", str(request_file), "--db", db]) == 0
    said = capsys.readouterr().out
    assert "table: 8 replicas, one per package, messages between; coordinator pu:" in said
    assert "single-phase-commit" in said
    assert "updates per second one per machine is best" in said
    assert main(["ask", "replicas", "tyan-s4985", str(request_file), "--json", "--db", db]) == 0
    decision = json.loads(capsys.readouterr().out)
    clause = ["--not", "object=table level=machine", "--db", db]
    assert main(["why", decision["id"], *clause]) == 0
    assert "would cost exactly" in capsys.readouterr().out
    assert main(["why", decision["id"], "--not", "object=chair level=core", "--db", db]) == 2
    assert "objects are: table" in capsys.readouterr().err
    picture = tmp_path / "replicas.svg"
    assert main(["draw", decision["id"], "-o", str(picture), "--db", db]) == 0
    assert "table: 8 replicas, one per package" in picture.read_text()


def test_replicas_of_many_domains_are_cut_off(
    db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """More domains than fit a screen are counted, and --json has them."""
    file = tmp_path / "many.toml"
    file.write_text(TABLE + 'level = "core"\n')
    assert main(["ask", "replicas", "tyan-s4985", str(file), "--db", db]) == 0
    assert "… and 8 more domains; --json has all" in capsys.readouterr().out


def test_replicas_that_clash_end_with_3(
    db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An infeasible request is answered with its own limits in words."""
    file = tmp_path / "clash.toml"
    file.write_text(TABLE + "max_replicas = 2\nfaults = 2\n")
    assert main(["ask", "replicas", "tyan-s4985", str(file), "--db", db]) == 3
    said = capsys.readouterr().out
    assert "table has 2 replicas at most" in said
    assert "table survives 2 failures, so it has 5 replicas" in said

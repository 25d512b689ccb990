"""`skb ask power`: what is printed, a stored load, and who uses what is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skb.cli.main import main

LOAD = """
[[task]]
name = "a"
pus = 2
exclusive = true
[[task]]
name = "b"
at = "package:2"
"""


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a database of its own."""
    monkeypatch.setenv("SKB_DB", f"sqlite:///{tmp_path}/power.sqlite3")


def answer(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    """Run a command with `--json` and return what it prints."""
    assert main([*words, "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def placed(capsys: pytest.CaptureFixture[str], folder: Path) -> dict[str, Any]:
    """Store a placement of two tasks."""
    path = folder / "load.toml"
    path.write_text(LOAD)
    return answer(capsys, "ask", "placement", "tyan-s4985", str(path))


def test_power_prints_why_a_device_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """People read the way that is lost, the order, and what takes most along."""
    assert main(["ask", "power", "tyan-s4985", "--off", "package:0", "--off", "eth1"]) == 0
    said = capsys.readouterr().out
    assert "device:eth0 hangs on package:0: the only way was machine:0 -> package:0" in said
    assert "to switch off in this order: device:eth1, package:0" in said
    assert "without each of" in said


def test_power_lists_stored_decisions_that_use_what_is_lost(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A placement and tables are hit by what they use, and by nothing else."""
    load = placed(capsys, tmp_path)
    tables = answer(capsys, "ask", "links", "tyan-s4985")
    pu = load["answer"]["tasks"]["b"]["pus"][0]
    hit = answer(capsys, "ask", "power", "tyan-s4985", "--off", f"pu:{pu}")["hits"]
    assert [(row["id"], row["parts"]) for row in hit] == [(load["id"], [f"pu:{pu}"])]
    link = answer(capsys, "ask", "power", "tyan-s4985", "--off", "link:package:0-package:1")
    assert [row["id"] for row in link["hits"]] == [tables["id"]]
    assert "hits" not in answer(capsys, "ask", "power", "tyan-s4985", "--off", "pu:31")
    assert main(["ask", "power", "tyan-s4985", "--off", f"pu:{pu}"]) == 0
    assert "stored decisions that use what is lost" in capsys.readouterr().out


def test_power_keeps_a_stored_placement_running(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The tasks of a decision are the load, and leave from where it says."""
    load = placed(capsys, tmp_path)
    pus = load["answer"]["tasks"]["a"]["pus"]
    request = tmp_path / "power.toml"
    request.write_text(f'off = ["pu:{pus[0]}"]\n[keep]\ndecision = "{load["id"][:8]}"\n')
    found = answer(capsys, "ask", "power", "tyan-s4985", str(request))
    assert found["answer"]["evacuation"]["moves"] == 1
    assert found["request"]["keep"]["placement"] == load["request"]
    request.write_text('[keep]\ndecision = "ffff"\n')
    assert main(["ask", "power", "tyan-s4985", str(request)]) == 2
    capsys.readouterr()
    other = answer(capsys, "ask", "power", "tyan-s4985", "--off", "pu:0")
    request.write_text(f'[keep]\ndecision = "{other["id"]}"\n')
    assert main(["ask", "power", "tyan-s4985", str(request)]) == 2
    assert "places no tasks" in capsys.readouterr().err
    request.write_text(f'[keep]\ndecision = "{load["id"]}"\n')
    assert main(["ask", "power", "odroid-n2", str(request)]) == 2
    assert "places tasks on tyan-s4985" in capsys.readouterr().err
    request.write_text(f'[keep]\ndecision = "{load["id"]}"\n[[keep.placement.task]]\nname = "x"\n')
    assert main(["ask", "power", "tyan-s4985", str(request)]) == 2
    assert "said twice" in capsys.readouterr().err


def test_power_clash_ends_with_the_code_of_the_infeasible(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A refusal is printed with the wishes that clash, and ends with 3."""
    request = tmp_path / "power.toml"
    request.write_text('off = ["package:0"]\nnever = ["eth0"]\n')
    assert main(["ask", "power", "tyan-s4985", str(request)]) == 3
    assert "package:0 goes" in capsys.readouterr().out

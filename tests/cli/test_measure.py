"""The command `measure`: what it stores, refuses and prints."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest

from skb.knowledge import KnowledgeBase
from tests.cli.test_main import run

HURRY = ("--what", "messages", "--seconds", "0.4")


@pytest.fixture
def pair() -> str:
    """Two PUs of this host; skips where there are none, or no numba."""
    pytest.importorskip("numba", reason="numba is an extra: pip install '.[measure]'")
    own = sorted(os.sched_getaffinity(0))
    if len(own) < 2:
        pytest.skip("messages need two PUs")
    return f"{own[0]},{own[1]}"


def require_latency(told: dict[str, Any]) -> None:
    """Skip where other work kept the two PUs from running at once."""
    if not any(row["predicate"] == "latency" for row in told["facts"]):
        pytest.skip("this host was too busy to run two PUs at once")


def test_measure_stores_facts_and_replaces_them(
    capsys: pytest.CaptureFixture[str], pair: str
) -> None:
    """A first run discovers and measures; a second replaces what the first measured."""
    wanted = ("measure", "--name", "here", "--pus", pair, *HURRY, "--json")
    code, out, err = run(capsys, *wanted)
    assert code == 0, err
    first: dict[str, Any] = json.loads(out)
    assert first["stored"] and first["machine"] == "here"
    require_latency(first)
    stored = KnowledgeBase.open().machine("here")
    assert len(stored.all("latency")) == 2
    assert all(fact.by.startswith("skb measure: ") for fact in stored.all("latency"))
    code, out, _ = run(capsys, *wanted)
    second = json.loads(out)
    require_latency(second)
    assert code == 0 and second["revision"] > first["revision"]
    again = KnowledgeBase.open().machine("here")
    assert len(again.all("latency")) == 2
    assert {fact.when for fact in again.all("latency")} == {second["when"]}


def test_measure_dry_run_stores_nothing(capsys: pytest.CaptureFixture[str], pair: str) -> None:
    """A table for people, and no machine in the database."""
    code, out, err = run(capsys, "measure", "--pus", pair, "--dry-run", *HURRY)
    assert code == 0, err
    assert "pairs, 2 PUs in" in out and "stored" not in out
    assert {m["origin"] for m in KnowledgeBase.open().machines()} == {"bundled"}


def test_measure_refuses_a_machine_that_is_not_this_host(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Facts about this host are not written to another machine."""
    pytest.importorskip("numba", reason="numba is an extra: pip install '.[measure]'")
    many = (os.cpu_count() or 1) + 3
    file = tmp_path / "other.toml"
    file.write_text(f'[machine]\nname = "other"\n[structure]\ntree = "core:{many} pu:1"\n')
    assert run(capsys, "import", str(file))[0] == 0
    code, out, err = run(capsys, "measure", "--name", "other", *HURRY)
    assert (code, out) == (2, "")
    assert "other is not this host" in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--pairs", "some"), "--pairs some is not known"),
        (("--pus", "x"), "PU numbers"),
        (("--pus", "99999,0"), "pu:99999 cannot be measured"),
        (("--what", "heat"), "cannot measure 'heat'"),
        (("--seconds", "-1"), "no budget"),
    ],
)
def test_measure_bad_options_are_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    """Nothing is measured or stored, stdout stays empty, and the exit code is 2."""
    pytest.importorskip("numba", reason="numba is an extra: pip install '.[measure]'")
    code, out, err = run(capsys, "measure", "--dry-run", *arguments)
    assert (code, out) == (2, "")
    assert words in err and "Traceback" not in err


def test_measure_without_numba_names_the_command_that_installs_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra is not part of the main installation, and the error says how to get it."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "skb.probe.atomics.find_spec", lambda name: None if name == "numba" else found(name)
    )
    code, out, err = run(capsys, "measure", "--dry-run")
    assert (code, out) == (2, "")
    assert "pip install 'system-knowledge-base[measure]'" in err

"""Failures of the simulator in files: written, read, run again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simulator.planted import planted
from simulator.swarm import hunt
from skb.cli.main import app
from skb.errors import RequestError
from skb.replaying import lines, replay, write_failure


@pytest.fixture
def failure(tmp_path: Path) -> Path:
    """Return the file of a failure of a planted fault."""
    protocol = planted()["two-phase-commit"][0].protocol
    path = tmp_path / "failure.json"
    write_failure(hunt(protocol, range(200)).failures[0], protocol, path)
    return path


def test_replay_is_the_same_run(failure: Path) -> None:
    """Trace, sources and sentences are those of the file."""
    found = replay(failure)
    assert (found["same_trace"], found["same_protocol"]) == (True, True)
    assert found["violations"] == found["recorded"] != []


def test_replay_says_when_sources_or_trace_differ(failure: Path) -> None:
    """A file from another version of the protocol is no proof any more."""
    raw = json.loads(failure.read_text())
    raw["protocol_hash"] = raw["trace_digest"] = "0" * 64
    failure.write_text(json.dumps(raw))
    told = "\n".join(lines(replay(failure)))
    assert "the protocol has changed since, another trace" in told


def test_command_replays_a_file(failure: Path) -> None:
    """`skb simulate --replay` prints plan and violations, and exits with 1 while there are any."""
    done = CliRunner().invoke(app, ["simulate", "--replay", str(failure)])
    assert done.exit_code == 1, "a violation fails a script"
    assert "the same protocol, the same trace" in done.output
    assert "violation: " in done.output
    shown = CliRunner().invoke(app, ["simulate", "--replay", str(failure), "--json"])
    assert json.loads(shown.output)["same_trace"] is True


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "is not JSON"), ("[]", "no report of a failure"), ("{}", "no report of a failure")],
)
def test_replay_refuses_what_is_no_failure(tmp_path: Path, text: str, words: str) -> None:
    """Anything else is named, with the file."""
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(RequestError, match=words):
        replay(path)


def test_replay_of_a_missing_file_says_so(tmp_path: Path) -> None:
    """The file is named."""
    with pytest.raises(RequestError, match="cannot read"):
        replay(tmp_path / "nowhere.json")

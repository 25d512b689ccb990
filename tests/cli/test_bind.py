"""`skb bind` as people type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from skb.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command in this process; return exit code, stdout and stderr."""
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_bind_writes_to_stdout_a_file_or_json(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """stdout holds the text alone; a file gets the same, and what it needs is said on stderr."""
    asked = run(capsys, "ask", "placement", "tyan-s4985", "--task", "name=rx at=pu:5", "--json")
    wanted = json.loads(asked[1])["id"][:8]
    code, out, err = run(capsys, "bind", wanted, "--to", "taskset")
    assert code == 0 and "taskset -c 5 COMMAND\n" in out and err == ""
    target = tmp_path / "out"
    code, said, err = run(capsys, "bind", wanted, "--to", "taskset", "-o", str(target))
    assert code == 0 and target.read_text() == out and said == ""
    assert err.startswith(f"{target}: ") and "needs: " in err
    code, out, err = run(capsys, "bind", wanted, "--to", "env", "--json")
    found = json.loads(out)
    assert code == 0 and err == "" and found["tasks"]["rx"][1] == "OMP_PLACES={5}"
    assert set(found) == {
        *("decision", "machine", "target", "does", "needs", "text", "undo", "tasks", "notes")
    }


def test_bind_refuses_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown decisions and targets, other questions, infeasible and outdated decisions: exit 2."""
    big = run(capsys, "ask", "placement", "tyan-s4985", "--task", "name=x cores=33", "--json")
    route = run(capsys, "ask", "route", "tyan-s4985", "--members", "0,4", "--root", "0", "--json")
    assert (big[0], route[0]) == (3, 0)
    infeasible, other = (json.loads(one[1])["id"] for one in (big, route))
    for decision, target, words in (
        ("ffffffff", "env", "no decision"),
        (infeasible, "env", "is infeasible"),
        (other, "env", "answers route"),
        (infeasible, "irq", "targets are"),
    ):
        code, out, err = run(capsys, "bind", decision, "--to", target)
        assert (code, out, err.count("\n")) == (2, "", 1) and words in err


def test_bind_refuses_a_machine_that_has_changed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A decision about a file that says something else now is not applied."""
    path = tmp_path / "m.toml"
    path.write_text('[machine]\nname = "m"\n[structure]\ntree = "core:2 pu:1"\n')
    asked = run(capsys, "ask", "placement", str(path), "--task", "name=rx", "--json")
    wanted = json.loads(asked[1])["id"]
    assert run(capsys, "bind", wanted, "--to", "env")[0] == 0
    path.write_text('[machine]\nname = "m"\n[structure]\ntree = "core:4 pu:1"\n')
    code, _out, err = run(capsys, "bind", wanted, "--to", "env")
    assert code == 2 and "ask again" in err

"""Networks and forwarding tables on the command line: import, judge, put in force, take back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skb.cli.main import main
from skb.knowledge import KnowledgeBase
from skb.machine import Machine

NET = """\
graph fabric {
  edge [mib_s=12000];
  leaf1 -- {spine1 spine2}; leaf2 -- {spine1 spine2}; leaf3 -- {spine1 spine2};
}
"""


@pytest.fixture
def db(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/tables.sqlite3"


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    """Run a command; return exit code, stdout and stderr."""
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def decided(capsys: pytest.CaptureFixture[str], db: str, *words: str | Path) -> dict[str, Any]:
    """Return the board's links decision."""
    code, out, err = run(capsys, "ask", "links", "tyan-s4985", *words, "--json", "--db", db)
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_network_in_dot_becomes_a_machine_that_links_decide(
    db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Import, then ask: three leaves over two spines carry three pairs on the fullest link."""
    file = tmp_path / "net.dot"
    file.write_text(NET)
    code, out, err = run(capsys, "import", file, "--db", db)
    assert code == 0 and "net: " in out and "5 device" in out and "became devices" in err
    code, out, _err = run(capsys, "ask", "links", "net", "--db", db)
    assert code == 0 and "optimal, proven" in out and "device:leaf1" in out


@pytest.mark.parametrize("to", ["opensm", "dot", "json"])
def test_tables_of_a_file_are_judged_and_put_in_force(
    to: str, db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is written is judged as the answer was, imported, shown, used, and taken back."""
    decision, file = decided(capsys, db), tmp_path / f"tables.{to}"
    if to == "json":
        file.write_text(json.dumps(decision))
    else:
        assert run(capsys, "bind", decision["id"], "--to", to, "-o", file, "--db", db)[0] == 0
    told = decided(capsys, db, "--tables", file)["answer"]["current"]
    assert told["by"] == "request" and told["deadlock_free"] and told["delivered"] == 56
    same = ("max_load", "mean_load", "load", "hops", "virtual_channels")
    assert [told[key] for key in same] == [decision["answer"][key] for key in same]
    code, out, _err = run(capsys, "import", file, "--name", "tyan-s4985", "--merge", "--db", db)
    assert code == 0 and f"  56 facts from {file}" in out
    out = run(capsys, "show", "tyan-s4985", "--db", db)[1]
    assert f"links forward by tables: 56 next hops, by {file.name}" in out
    assert decided(capsys, db)["answer"]["current"]["by"] == "facts"
    code, out, _err = run(
        capsys, "retract", "tyan-s4985", "next_hop", "virtual_channel", "--db", db
    )
    assert code == 0 and "64 retracted" in out
    assert "current" not in decided(capsys, db)["answer"]
    code, _out, err = run(capsys, "retract", "tyan-s4985", "next_hop", "--db", db)
    assert code == 2 and "states no next_hop" in err


def test_tables_of_a_decision_are_applied(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Apply says what it did; a part on the way that is off is told by show."""
    id_ = decided(capsys, db)["id"]
    code, out, _err = run(capsys, "apply", id_[:8], "--db", db)
    assert code == 0 and "tables of 56 next hops are in force at revision 2" in out
    assert "skb retract tyan-s4985 next_hop virtual_channel" in out
    told = json.loads(run(capsys, "apply", id_, "--json", "--db", db)[1])
    assert told["entries"] == 56 and told["revision"] == 2
    assert run(capsys, "assert", "tyan-s4985", "power(package:1, off)", "--db", db)[0] == 0
    out = run(capsys, "show", "tyan-s4985", "--db", db)[1]
    assert "they do not deliver, such as package:" in out and out.count(": shortest ways") == 1
    assert run(capsys, "retract", "tyan-s4985", "link", "--db", db)[0] == 0
    out = run(capsys, "show", "tyan-s4985", "--db", db)[1]
    assert "42 pairs they do not deliver" in out and ": no way is left" in out
    told = json.loads(run(capsys, "show", "tyan-s4985", "--json", "--db", db)[1])["tables"]
    assert told == {"next_hops": 56, "not_delivered": 42, "shortest": 0}


def test_tables_that_are_wrong_change_nothing(
    db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file with a gap is judged, but not put in force; one line says where, and the mend."""
    decision, file = decided(capsys, db), tmp_path / "gap.lft"
    run(capsys, "bind", decision["id"], "--to", "opensm", "-o", file, "--db", db)
    lines = file.read_text().splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("0x0003"))
    file.write_text("\n".join([*lines[:at], *lines[at + 1 :]]))
    assert decided(capsys, db, "--tables", file)["answer"]["current"]["delivered"] < 56
    code, _out, err = run(capsys, "import", file, "--name", "tyan-s4985", "--merge", "--db", db)
    assert code == 2 and err.startswith(f"skb: error: {file}:12: package:0 has no entry for")
    assert run(capsys, "facts", "tyan-s4985", "next_hop", "--db", db)[1].startswith("tyan-s4985 st")
    for command in ("import", "show"):
        code, _out, err = run(capsys, command, file, "--db", db)
        assert code == 2 and "tables alone" in err
    code, _out, err = run(capsys, "ask", "links", "tyan-s4985", "--tables", tmp_path, "--db", db)
    assert code == 2 and err
    placed = run(capsys, "ask", "placement", "tyan-s4985", "--task", "name=a", "--json", "--db", db)
    code, _out, err = run(capsys, "apply", json.loads(placed[1])["id"], "--db", db)
    assert code == 2 and "has no tables: placement" in err


def test_tables_applied_while_others_change_the_machine_stay_whole(
    db: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who applies other tables in between is not mixed with: the last one stands alone."""
    first = decided(capsys, db)["id"]
    second = decided(capsys, db, "--longer", "--virtual-channels", "1")["id"]
    knowledge, read = KnowledgeBase.open(db), KnowledgeBase.machine
    between = [second]

    def machine(self: KnowledgeBase, *args: Any, **more: Any) -> Machine:
        found = read(self, *args, **more)
        if between:
            KnowledgeBase.open(db).apply(between.pop())
        return found

    monkeypatch.setattr(KnowledgeBase, "machine", machine)
    knowledge.apply(first)
    told = {fact.by for fact in read(knowledge, "tyan-s4985").all("next_hop")}
    assert told == {f"links {first[:8]}"}

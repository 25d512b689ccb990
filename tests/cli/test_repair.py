"""The command `skb repair`: what it prints, stores and answers with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from skb.cli.main import main


def _asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(list(words))
    return code, capsys.readouterr().out


def test_repair_follows_the_facts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A part goes off in the store: the repair moves who ran there, and its answer can be bound."""
    base = ("--db", f"sqlite:///{tmp_path}/repair.db")
    _code, out = _asked(capsys, "ask", "placement", "ex235a", "--per", "gpu", "--json", *base)
    wanted = json.loads(out)
    pu = wanted["answer"]["tasks"]["rank3"]["pus"][0]
    code, out = _asked(capsys, "repair", wanted["id"], *base)
    assert code == 0 and "nobody has to move, all 8 tasks stay" in out
    assert _asked(capsys, "assert", "ex235a", f"power(core:{pu}, off)", *base)[0] == 0
    code, out = _asked(capsys, "repair", wanted["id"], "--json", *base)
    told = json.loads(out)
    assert code == 0 and told["decision"] == wanted["id"]
    [move] = told["moves"]
    assert move["task"] == "rank3" and move["from"] == [pu] and move["to"] != [pu]
    assert told["best"]["status"] == "optimal"
    assert {"prepared", "safe", "best"} == set(told["seconds"])
    code, out = _asked(capsys, "bind", told["best"]["id"], "--to", "taskset", *base)
    assert code == 0 and f"-c {move['to'][0]} " in out


def test_repair_supposes_without_storing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--off` prints who would move and why; the list of decisions stays as it was."""
    base = ("--db", f"sqlite:///{tmp_path}/repair.db")
    words = ("--task", "name=rx at=package:0", "--task", "name=tx at=package:1")
    _code, out = _asked(capsys, "ask", "placement", "tyan-s4985", *words, "--json", *base)
    wanted = json.loads(out)["id"]
    pu = json.loads(out)["answer"]["tasks"]["rx"]["pus"][0]
    code, out = _asked(capsys, "repair", wanted, "--off", f"core:{pu}", *base)
    assert code == 0 and "1 task moves, 1 stay" in out
    assert f"core:{pu} is powered off" in out and "supposed, so not stored" in out
    code, out = _asked(capsys, "repair", wanted, "--off", "package:0", *base)
    assert code == 3 and "these clash:" in out and "task rx must run at package:0" in out
    _code, out = _asked(capsys, "decisions", "--json", *base)
    assert len(json.loads(out)) == 1


def test_repair_leaves_busy_parts_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--busy` moves who runs there and keeps the answer; loads count where the request says so."""
    base = ("--db", f"sqlite:///{tmp_path}/repair.db")
    asked = tmp_path / "asked.toml"
    asked.write_text('busy_above = 25\n[[task]]\nname = "rx"\n[[task]]\nname = "tx"\n')
    _code, out = _asked(capsys, "ask", "placement", "tyan-s4985", str(asked), "--json", *base)
    wanted = json.loads(out)
    pus = {name: at["pus"][0] for name, at in wanted["answer"]["tasks"].items()}
    assert any("load" in row["fact"] for row in wanted["assumed"])
    code, out = _asked(capsys, "repair", wanted["id"], "--busy", f"core:{pus['rx']}", *base)
    assert code == 0 and "1 task moves, 1 stay" in out and f"with core:{pus['rx']} busy" in out
    assert f"core:{pus['rx']} is busy with other work" in out
    assert "applies it" in out
    _code, out = _asked(capsys, "decisions", "--json", *base)
    assert len(json.loads(out)) == 2
    _asked(capsys, "assert", "tyan-s4985", f"load(core:{pus['tx']}, 80)", *base)
    code, out = _asked(capsys, "repair", wanted["id"], "--json", *base)
    told = json.loads(out)
    assert code == 0 and [move["task"] for move in told["moves"]] == ["tx"]
    assert "80 % busy, the request asks for at most 25 %" in told["moves"][0]["why"]
    assert _asked(capsys, "repair", wanted["id"], "--busy", "core:999", *base)[0] == 2


def test_repair_counts_a_part_once_and_says_no_move_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A part that is named twice is off once; that its PU is gone is told by the move alone."""
    base = ("--db", f"sqlite:///{tmp_path}/repair.db")
    words = ("--task", "name=a", "--task", "name=b pus=2", "--json")
    _code, out = _asked(capsys, "ask", "placement", "tyan-s4985", *words, *base)
    wanted = json.loads(out)
    at = [f"pu:{wanted['answer']['tasks'][name]['pus'][0]}" for name in "ab"]
    options = ("--off", at[0], "--off", at[0], "--busy", at[1])
    code, out = _asked(capsys, "repair", wanted["id"], *options, *base)
    assert code == 0 and f"with {at[0]} off and {at[1]} busy: 2 tasks move, 0 stay" in out
    assert "warning" not in out and f'tyan-s4985 "power({at[0]}, off)"`' in out


def test_repair_lists_the_first_pu_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A task speaks from its first PU, so that one leads also where it is not the lowest."""
    base = ("--db", f"sqlite:///{tmp_path}/repair.db")
    asked = tmp_path / "asked.json"
    task = {"name": "w", "pus": 2, "near": {"pu:7": 1000}}
    asked.write_text(json.dumps({"task": [task], "allowed": [1, 7]}))
    code, out = _asked(capsys, "ask", "placement", "tyan-s4985", str(asked), *base)
    assert code == 0 and "7,1 " in out
    assert main(["ask", "placement", "tyan-s4985", str(asked), "--json", *base]) == 0
    assert json.loads(capsys.readouterr().out)["answer"]["tasks"]["w"]["pus"] == [7, 1]


def test_repair_refuses_what_it_cannot_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another question, an impossible placement, unknown parts and limits are bad input."""
    base = ("--db", f"sqlite:///{tmp_path}/repair.db")
    _code, out = _asked(capsys, "ask", "route", "tyan-s4985", "--root", "0", "--json", *base)
    assert _asked(capsys, "repair", json.loads(out)["id"], *base)[0] == 2
    _code, out = _asked(
        capsys, "ask", "placement", "tyan-s4985", "--task", "name=a cores=99", "--json", *base
    )
    assert _asked(capsys, "repair", json.loads(out)["id"], *base)[0] == 2
    assert _asked(capsys, "repair", "feedbeef", *base)[0] == 2
    _code, out = _asked(
        capsys, "ask", "placement", "tyan-s4985", "--task", "name=a", "--json", *base
    )
    wanted = json.loads(out)["id"]
    assert _asked(capsys, "repair", wanted, "--off", "l3:99", *base)[0] == 2
    assert main(["repair", wanted, "--off", "pu:0", "--off", "eth0", *base]) == 2
    said = capsys.readouterr().err
    assert "off[1]" in said and "did you mean device:eth0" in said
    assert _asked(capsys, "repair", wanted, "--limit", "0", *base)[0] == 2

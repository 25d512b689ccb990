"""`skb export` and `skb queries` as people type them, and named queries behind `skb ask`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skb.cli.main import main
from skb.exports import FORMATS
from skb.named import named_queries


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command in this process; return exit code, stdout and stderr."""
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("to", list(FORMATS))
def test_export_writes_the_same_to_a_file_and_to_stdout(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, to: str
) -> None:
    """stdout holds the format alone; notes go to stderr."""
    target = tmp_path / "out"
    code, out, err = run(capsys, "export", "tyan-s4985", "--to", to)
    assert code == 0 and out
    assert run(capsys, "export", "tyan-s4985", "--to", to, "-o", str(target))[0] == 0
    assert target.read_text() == out
    assert err == "" or all(line.startswith("note: ") for line in err.splitlines())


def test_export_of_hwloc_is_a_machine_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What was exported can be shown and asked at once."""
    target = tmp_path / "board.xml"
    run(capsys, "export", "tyan-s4985", "--to", "hwloc", "-o", str(target))
    code, out, _ = run(capsys, "show", str(target), "--json")
    assert code == 0 and json.loads(out)["counts"]["pu"] == 32


def test_export_unknown_format_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt format is one line with near names."""
    code, out, err = run(capsys, "export", "tyan-s4985", "--to", "dto")
    assert (code, out) == (2, "")
    assert "did you mean dot?" in err


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    code, out, err = run(capsys, "ask", "query", "tyan-s4985", *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_named_query_is_asked_by_options_and_by_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`--named` and `--with` are the keys of a request file; both give one decision."""
    words = ("--named", "cores-sharing-cache", "--with", "core=pu:5 level=l3")
    options = asked(capsys, *words)
    assert options["answer"]["columns"] == ["pu", "core", "cache"]
    assert [row["pu"] for row in options["answer"]["rows"]] == ["pu:4", "pu:6", "pu:7"]
    file = tmp_path / "request.toml"
    file.write_text('named = "cores-sharing-cache"\n[with]\ncore = "pu:5"\nlevel = "l3"\n')
    assert asked(capsys, str(file))["id"] == options["id"]
    split = asked(capsys, *words[:2], "--with", "core=pu:5", "--with", "level=l3")
    assert split["id"] == options["id"]


def test_named_query_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """People see the columns of the header, and the parameters that were used."""
    code, out, _ = run(
        capsys, "ask", "query", "tyan-s4985", "--named", "nearest-cores", "--with", "device=eth1"
    )
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert ["cores-near-device", "device=device:eth1"] in lines
    assert ["pu", "core", "locality"] in lines
    assert ["pu:28", "core:28", "local"] in lines


def test_named_query_of_groups_prints_one_row_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    """Eight packages of four PUs are eight rows; JSON has a row for each PU."""
    words = ("ask", "query", "tyan-s4985", "--named", "interrupt-groups")
    lines = [line.split() for line in run(capsys, *words)[1].splitlines()]
    assert ["package:2", "pu:8-11"] in lines
    assert sum(bool(line) and line[0].startswith("package:") for line in lines) == 8
    assert len(json.loads(run(capsys, *words, "--json")[1])["answer"]["rows"]) == 32


def test_named_query_refuses_pairs_joined_by_commas(capsys: pytest.CaptureFixture[str]) -> None:
    """The mend says how pairs are written."""
    words = ("ask", "query", "tyan-s4985", "--named", "channel-buffer", "--with")
    code, _, err = run(capsys, *words, "first=pu:0,second=pu:4")
    assert code == 2 and "blanks" in err


def test_named_query_of_a_long_answer_is_cut_for_people_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A thousand rows are counted on the terminal, and all in JSON."""
    words = ("ask", "query", "mesh-1024", "--named", "available-cores")
    assert "more rows; --json has all" in run(capsys, *words)[1]
    assert len(json.loads(run(capsys, *words, "--json")[1])["answer"]["rows"]) == 1024


def test_queries_lists_every_named_query(capsys: pytest.CaptureFixture[str]) -> None:
    """The table, one query, and JSON say name, question and parameters."""
    code, out, _ = run(capsys, "queries")
    assert code == 0 and all(name.split("-")[0] in out for name in named_queries())
    code, out, _ = run(capsys, "queries", "nearest-cores")
    assert code == 0 and out.startswith("cores-near-device: ") and "device" in out
    found = json.loads(run(capsys, "queries", "--json")[1])
    assert [one["name"] for one in found] == list(named_queries())
    device = next(one for one in found if one["name"] == "cores-near-device")
    assert device["parameters"][0] == {
        "name": "device",
        "type": "device",
        "required": True,
        "default": None,
        "words": [],
        "meaning": "the device, PCI function or bridge",
    }
    assert run(capsys, "queries", "cores-neer")[0] == 2

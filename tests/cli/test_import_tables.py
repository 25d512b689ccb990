"""`skb import` with tables: roles, units, structure, and questions about what they give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skb.cli.main import main
from tests.machines import shared


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    """Run a command; return exit code, stdout and stderr."""
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def facts(capsys: pytest.CaptureFixture[str], name: str, predicate: str) -> list[dict[str, Any]]:
    """Return the facts of one predicate of a stored machine."""
    code, out, err = run(capsys, "facts", name, predicate, "--json")
    assert code == 0, err
    rows: list[dict[str, Any]] = json.loads(out)
    return rows


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, Path]:
    """Return tables of four PUs, in cycles: send, receive and round trip, and one of six PUs."""
    files = {}
    for role, base in (("send", 100), ("receive", 200), ("rtt", 600)):
        lines = [f"{a} {b} {base + 10 * a + b} 5" for a in range(4) for b in range(4) if a != b]
        files[role] = tmp_path / f"{role}.txt"
        files[role].write_text("\n".join(lines))
    other = [f"{a} {b} 50 5" for a in range(6) for b in range(6) if a != b]
    files["six"] = tmp_path / "six.txt"
    files["six"].write_text("\n".join(other))
    return files


def test_import_tables_give_costs_by_role(
    capsys: pytest.CaptureFixture[str], tables: dict[str, Path]
) -> None:
    """Each table states its role, in nanoseconds of the clock, with spread, and who says so."""
    code, _out, err = run(
        capsys,
        *("import", "--send", tables["send"], "--receive", tables["receive"]),
        *("--rtt", tables["rtt"], "--structure", "numa:2 core:2"),
        *("--unit", "cycles", "--clock-mhz", "2000", "--name", "m"),
    )
    assert code == 0, err
    rows = {tuple(row["args"][:4]): row for row in facts(capsys, "m", "message_cost")}
    assert len(rows) == 3 * 12
    row = rows["pu:3", "pu:1", "cache_line", "receive"]
    assert (row["args"][4], row["source"], row["by"]) == (231 / 2, "measured", "receive.txt")
    assert row["spread"] == 2.5
    assert rows["pu:0", "pu:2", "cache_line", "round_trip"]["args"][4] == 301
    code, out, _err = run(capsys, "show", "m", "--json")
    counts = json.loads(out)["counts"]
    assert (counts["pu"], counts["core"], counts["numa"]) == (4, 4, 2)
    stated = {row["source"] for row in facts(capsys, "m", "contains")}
    assert stated == {"asserted"}


def test_import_tables_answer_route(
    capsys: pytest.CaptureFixture[str], tables: dict[str, Path]
) -> None:
    """One message costs what the tables say: send of the pair, then its receive."""
    pair = ("--send", tables["send"], "--receive", tables["receive"], "--unit", "ns")
    assert run(capsys, "import", *pair, "--name", "m")[0] == 0
    ask = ("ask", "route", "m", "--root", "0", "--members", "0,3", "--json")
    code, out, err = run(capsys, *ask)
    assert code == 0, err
    assert json.loads(out)["objective"]["value"] == 103 + 203


def test_import_tables_without_structure_lie_flat(
    capsys: pytest.CaptureFixture[str], tables: dict[str, Path]
) -> None:
    """Without a structure the PUs are flat, and a missing role is told."""
    code, _out, err = run(capsys, "import", "--send", tables["send"], "--name", "m")
    assert code == 0
    assert "lie flat" in err and "no --receive" in err and "nanoseconds" in err


def test_import_structure_with_irregular_numbers(
    capsys: pytest.CaptureFixture[str], tables: dict[str, Path]
) -> None:
    """`indexes` gives the PUs their OS index in the order of the tree."""
    code, _out, err = run(
        capsys,
        *("import", "--send", tables["send"], "--unit", "ns", "--name", "m"),
        *("--structure", "core:2 pu:2(indexes=0,2,1,3)"),
    )
    assert code == 0, err
    inside = {tuple(row["args"]) for row in facts(capsys, "m", "contains")}
    assert {("core:0", "pu:0"), ("core:0", "pu:2"), ("core:1", "pu:1")} <= inside


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--unit", "cycles"), "add --clock-mhz"),
        (("--unit", "furlongs"), "give ns or cycles"),
        (("--unit", "cycles", "--clock-mhz", "0"), "--clock-mhz is 0"),
        (("--clock-mhz", "2000"), "add --unit cycles"),
        (("--unit", "ns", "--structure", "core:6"), "send.txt has 4 PUs, --structure has 6"),
        (("--unit", "ns", "--structure", "core=4"), "cannot read 'core=4'"),
        (("--unit", "ns", "--structure", "core:2 pu:2(indexes=0,1,1,2)"), "twice"),
    ],
)
def test_import_tables_refuse_what_cannot_be(
    capsys: pytest.CaptureFixture[str],
    tables: dict[str, Path],
    options: tuple[str, ...],
    says: str,
) -> None:
    """A wrong option ends with 2, names its mend, and stores nothing."""
    code, _out, err = run(capsys, "import", "--send", tables["send"], *options, "--name", "m")
    assert code == 2 and says in err
    assert run(capsys, "show", "m")[0] == 2


def test_import_tables_of_different_machines_are_refused(
    capsys: pytest.CaptureFixture[str], tables: dict[str, Path]
) -> None:
    """Tables that name different PUs are refused with the PUs that differ."""
    pair = ("--send", tables["send"], "--receive", tables["six"], "--unit", "ns")
    code, _out, err = run(capsys, "import", *pair, "--name", "m")
    assert code == 2
    assert "the --receive table has 6 PUs, send.txt has 4" in err and "4-5" in err


def test_import_missing_pairs_are_told_by_table(
    capsys: pytest.CaptureFixture[str], tables: dict[str, Path]
) -> None:
    """A table that lacks pairs is read, and the gap is named with the file."""
    short = tables["receive"].read_text().splitlines()[:-2]
    tables["receive"].write_text("\n".join(short))
    pair = ("--send", tables["send"], "--receive", tables["receive"], "--unit", "ns")
    code, _out, err = run(capsys, "import", *pair, "--name", "m")
    assert code == 0
    assert "receive.txt: 2 of 12 ordered pairs are not measured" in err


def test_import_options_are_for_tables(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A format that states its units refuses the options; a matrix takes them."""
    native, matrix = tmp_path / "n.toml", tmp_path / "m.csv"
    native.write_text('[machine]\nname = "n"\n[structure]\ntree = "core:2 pu:1"\n')
    matrix.write_text(",,\n100,,\n300,300,\n")
    code, _out, err = run(capsys, "import", str(native), "--unit", "ns")
    assert code == 2 and "states its units" in err
    options = ("--unit", "cycles", "--clock-mhz", "1000", "--structure", "core:3")
    assert run(capsys, "import", str(matrix), *options, "--name", "m")[0] == 0
    assert len(facts(capsys, "m", "latency")) == 6
    assert run(capsys, "import")[0] == 2


def test_import_tables_join_a_description(
    capsys: pytest.CaptureFixture[str], tables: dict[str, Path], tmp_path: Path
) -> None:
    """Beside a description the tables measure its machine: its structure stays."""
    native = tmp_path / "n.toml"
    native.write_text('[machine]\nname = "n"\n[structure]\ntree = "package:2 core:2 pu:1"\n')
    code, _out, err = run(
        capsys,
        *("import", str(native), "--send", tables["send"], "--receive", tables["receive"]),
        *("--unit", "cycles", "--clock-mhz", "2000", "--name", "m"),
    )
    assert code == 0, err
    code, out, _err = run(capsys, "show", "m", "--json")
    assert json.loads(out)["counts"]["package"] == 2
    assert len(facts(capsys, "m", "message_cost")) == 24


def test_questions_take_a_table_by_its_path(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`show` and `ask` read a matrix or a list where a machine is named."""
    matrix = tmp_path / "m.csv"
    matrix.write_text(",,,\n10,,,\n20,20,,\n20,20,10,\n")
    assert run(capsys, "show", str(matrix))[0] == 0
    code, out, err = run(capsys, "ask", "route", str(matrix), "--root", "0", "--json")
    assert code == 0, err
    assert json.loads(out)["answer"]["root"] == 0


def test_import_real_tables_answer_route(capsys: pytest.CaptureFixture[str]) -> None:
    """Every series of the real machines imports with its structure and answers a broadcast."""
    index = shared("smelt/machines.json")
    for name, machine in json.loads(index.read_text()).items():
        nodes, cores = len(machine["numa"]), machine["cores"]
        for series, files in machine["series"].items():
            roles = [role for role in ("send", "receive", "rtt") if role in files]
            options = [w for role in roles for w in (f"--{role}", str(index.parent / files[role]))]
            code, _out, err = run(
                capsys,
                *("import", *options, "--structure", f"numa:{nodes} core:{cores // nodes}"),
                *("--unit", "cycles", "--clock-mhz", "2000", "--name", f"{name}-{series}"),
            )
            assert code == 0, err
            assert len(facts(capsys, f"{name}-{series}", "message_cost")) == (
                len(roles) * cores * (cores - 1)
            )
            members = ("--members", f"0,1,{cores - 1}")
            code, out, err = run(
                capsys, "ask", "route", f"{name}-{series}", "--root", "0", *members, "--json"
            )
            assert (code, json.loads(out)["status"]) == (0, "optimal"), err

"""Facts that change, on the command line: merge, conflicts, diff, history, dependence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_main import run, run_json

CORES = '[machine]\nname = "cores"\n[structure]\ntree = "package:2 numa:1 core:2 pu:1"\n'
CACHES = CORES.replace("core:2", "l3:1 core:2") + '[[cache]]\nlevel = "l3"\nsize_bytes = 1048576\n'


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Give two descriptions of one machine, and one of another."""
    found = {"a.toml": CORES, "b.toml": CACHES, "c.toml": CORES.replace("core:2", "core:9")}
    for name, text in found.items():
        (tmp_path / name).write_text(text)
    return [str(tmp_path / name) for name in found]


def test_changing_several_files_with_one_name_are_one_machine(
    capsys: pytest.CaptureFixture[str], files: list[str]
) -> None:
    """The files are merged, and the command says what each gave."""
    code, out, _err = run(capsys, "import", *files[:2], "--name", "node")
    assert code == 0 and f"facts from {files[0]}" in out and f"facts from {files[1]}" in out
    shown = run_json(capsys, "show", "node")
    assert (shown["counts"]["l3"], shown["counts"]["pu"]) == (2, 4)


def test_changing_without_a_name_each_file_is_a_machine(
    capsys: pytest.CaptureFixture[str], files: list[str]
) -> None:
    """Two files without --name are two machines, as their own names say."""
    run(capsys, "import", files[0])
    stored = [m["name"] for m in run_json(capsys, "machines") if m["origin"] == "stored"]
    assert stored == ["cores"]


def test_changing_a_merge_is_the_next_revision_and_keeps_what_was_asserted(
    capsys: pytest.CaptureFixture[str], files: list[str]
) -> None:
    """--merge adds to the stored machine; its own facts stay; the same again changes nothing."""
    run(capsys, "import", files[0], "--name", "node")
    run(capsys, "assert", "node", "load(pu:1, 50)")
    before = run_json(capsys, "show", "node")["revision"]
    assert run(capsys, "import", files[1], "--name", "node", "--merge")[0] == 0
    shown = run_json(capsys, "show", "node")
    assert shown["revision"] == before + 1 and shown["counts"]["l3"] == 2
    assert run_json(capsys, "facts", "node", "load")[0]["args"] == ["pu:1", 50]
    run(capsys, "import", files[1], "--name", "node", "--merge")
    assert run_json(capsys, "show", "node")["revision"] == before + 1


def test_changing_another_machine_is_refused_and_nothing_stored(
    capsys: pytest.CaptureFixture[str], files: list[str]
) -> None:
    """A file of another machine is named with the reason; the stored machine is as before."""
    run(capsys, "import", files[0], "--name", "node")
    for arguments in (("--name", "node", "--merge"), ("--name", "fresh")):
        code, out, err = run(capsys, "import", files[1], files[2], *arguments)
        assert (code, out) == (2, "") and "c.toml: describes another machine" in err
    assert run_json(capsys, "show", "node")["counts"]["l3"] == 0
    assert run(capsys, "show", "fresh")[0] == 2


def test_changing_merge_wants_a_known_name(
    capsys: pytest.CaptureFixture[str], files: list[str]
) -> None:
    """Without --name there is nothing to merge into; an unknown machine is said to be unknown."""
    assert "--name" in run(capsys, "import", files[0], "--merge")[2]
    assert (
        "no machine 'nosuch'" in run(capsys, "import", files[0], "--merge", "--name", "nosuch")[2]
    )


def test_changing_files_with_one_name_need_a_name_together(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Two files that say different things under one name change nothing, and --name is the mend."""
    for at, tree in enumerate(("core:1 pu:1", "core:2 pu:1")):
        text = f'[machine]\nname = "twin"\n[structure]\ntree = "{tree}"\n'
        (tmp_path / f"{at}.toml").write_text(text)
    both = [str(tmp_path / f"{at}.toml") for at in (0, 1)]
    code, _out, err = run(capsys, "import", *both)
    assert code == 2 and "--name" in err and "1.toml" in err
    assert run(capsys, "show", "twin")[0] == 2
    assert run(capsys, "import", both[0], both[0])[0] == 0


def test_changing_conflicts_stand_side_by_side(
    capsys: pytest.CaptureFixture[str], files: list[str]
) -> None:
    """--conflicts prints what holds and what is overruled with both sources, flat in JSON."""
    run(capsys, "import", files[0], "--name", "node")
    assert run(capsys, "facts", "node", "--conflicts")[1].startswith("nothing")
    run(capsys, "assert", "node", "load(pu:0, 50)")
    run(capsys, "assert", "node", "load(pu:0, 60)", "--source", "measured")
    (row,) = run_json(capsys, "facts", "node", "--conflicts")
    assert (row["args"], row["source"], row["unit"]) == (["pu:0", 60], "measured", "percent")
    assert row["overruled_by"]["args"] == ["pu:0", 50]
    _code, out, _err = run(capsys, "facts", "node", "--conflicts")
    assert "load(pu:0, 50)" in out and "60" in out and "measured" in out


def test_changing_diff_compares_machines_files_and_revisions(
    capsys: pytest.CaptureFixture[str], files: list[str]
) -> None:
    """A is a file, a name or name@revision; the answer is always exit code 0."""
    run(capsys, "import", files[0], "--name", "node")
    first = run_json(capsys, "show", "node")["revision"]
    run(capsys, "assert", "node", "load(pu:0, 50)")
    same = run_json(capsys, "diff", files[0], f"node@{first}")
    assert (same["same"], same["facts_only_b"]) == ("facts", [])
    found = run_json(capsys, "diff", f"node@{first}", "node")
    assert [row["args"] for row in found["facts_only_b"]] == [["pu:0", 50]]
    code, out, _err = run(capsys, "diff", "node", files[1])
    assert code == 0 and "different structures" in out and "l3:0, l3:1" in out
    assert run(capsys, "diff", "nosuch@3", "node")[0] == 2
    assert "unknown predicate" in run(capsys, "diff", "node", "node", "lod")[2]


def test_changing_history_lists_every_revision(
    capsys: pytest.CaptureFixture[str], files: list[str]
) -> None:
    """Each revision has its kind, its number of facts, and what was asserted or retracted."""
    run(capsys, "import", files[0], "--name", "node")
    run(capsys, "assert", "node", "load(pu:0, 50)")
    run(capsys, "retract", "node", "load(pu:0, 50)")
    rows = run_json(capsys, "history", "node")
    assert [row["kind"] for row in rows] == ["load", "write", "write"]
    facts = [row["facts"] for row in rows]
    assert facts == [facts[0], facts[0] + 1, facts[0]]
    assert rows[1]["asserted"] == rows[2]["retracted"]
    assert (
        run_json(capsys, "show", "node", "--as-of", str(rows[1]["revision"]))["revision"]
        == (rows[1]["revision"])
    )
    assert run(capsys, "history", "tyan-s4985")[0] == 2


def test_changing_power_says_what_became_unreachable_and_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """assert and retract print what a package takes along and gives back; show has the reasons."""
    _code, out, _err = run(capsys, "assert", "tyan-s4985", "power(package:7, off)")
    assert "unreachable from now on" in out and "package:7 is off" in out and "eth1" in out
    rows = {row["id"]: row for row in run_json(capsys, "show", "tyan-s4985")["unreachable"]}
    assert rows["device:eth1"]["because"] == ["package:7"]
    assert {"pu:28", "numa:7", "package:7"} <= rows.keys() and "pu:0" not in rows
    assert "reachable again" in run(capsys, "retract", "tyan-s4985", "power(package:7, off)")[1]
    assert run_json(capsys, "show", "tyan-s4985")["unreachable"] == []


def test_changing_depends_supposes_and_changes_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What would go with a part is told with reasons; the machine stays as it is."""
    found = run_json(capsys, "depends", "tyan-s4985", "bridge:1")
    assert {row["id"] for row in found["unreachable"]} == {"pci:0000:81:00.0", "device:eth1"}
    assert "bridge:1 above it is off" in found["unreachable"][0]["text"]
    asleep = run_json(capsys, "depends", "tyan-s4985", "package:7", "--state", "sleep")
    assert "numa:7" not in {row["id"] for row in asleep["unreachable"]}
    assert (
        "nothing depends on device:eth1" in run(capsys, "depends", "tyan-s4985", "device:eth1")[1]
    )
    assert run_json(capsys, "show", "tyan-s4985")["revision"] == 0
    assert "no state" in run(capsys, "depends", "tyan-s4985", "pu:0", "--state", "gone")[2]

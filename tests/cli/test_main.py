"""The command line: exit codes, errors in one line, JSON alone on stdout, a light `--help`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from skb.cli import main as main_module
from skb.cli.main import app, main

HEAVY = (
    "clingo",
    "sqlalchemy",
    "fastapi",
    "networkx",
    "lxml",
    "constraint",
    "uvicorn",
    "rich",
    "numba",
)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command in this process; return exit code, stdout and stderr."""
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """Run a command with --json and return what it printed."""
    code, out, err = run(capsys, *arguments, "--json")
    assert code in (0, 3), err
    return json.loads(out)


def test_main_help_imports_nothing_heavy() -> None:
    """`skb --help` answers at once: solvers, SQL and HTTP are loaded by those who need them."""
    code = (
        "import sys; from skb.cli.main import main; main(['--help']);"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_main_every_command_has_help_with_an_example() -> None:
    """Each command's help shows how it is typed."""
    for command in app.registered_commands:
        assert command.callback is not None
        assert "Example: skb " in (command.callback.__doc__ or ""), command.name


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["show", "nosuch"], 2, "there is no machine or file 'nosuch'"),
        (["show", "tyan-s4958"], 2, "did you mean tyan-s4985?"),
        (["nosuch"], 2, "No such command"),
        (["show"], 2, "Missing argument"),
        (["facts", "tyan-s4985", "lnik"], 2, "unknown predicate"),
        (["assert", "tyan-s4985", "load(pu:0"], 2, "cannot read"),
        (["assert", "tyan-s4985", "load(pu:0, 500)"], 2, "above 100 percent"),
        (["assert", "nosuch", "load(pu:0, 50)"], 2, "no machine 'nosuch'"),
        (["ask", "placemnt", "tyan-s4985"], 2, "did you mean placement?"),
        (["ask", "route", "tyan-s4985", "--limit", "-1"], 2, "--limit"),
        (["ask", "route", "tyan-s4985", "--members", "0,x"], 2, "PU numbers"),
        (["ask", "route", "tyan-s4985", "--members", "0-99999999999"], 2, "PU numbers"),
        (["ask", "route", "tyan-s4985", "/nosuch/request.toml"], 2, "cannot be read"),
        (
            ["ask", "placement", "ex235a", "--per", "gpu", "--task", "pus=2", "--task", "pus=3"],
            2,
            "2 tasks have no name",
        ),
        (["why", "0000"], 2, "there is no decision"),
        (["draw", "nosuch"], 2, "there is no machine or file"),
        (["draw", "tyan-s4985", "-o", "x.bmp"], 2, "cannot draw .bmp"),
        (["export", "tyan-s4985", "--to", "pdf"], 2, "cannot export"),
        (["simulate", "--protocol", "barrier"], 2, "which machine?"),
        (["simulate", "--machine", "tyan-s4985", "--protocol", "gossip"], 2, "gossip"),
        (["machines", "--db", "odd://x"], 2, "cannot open odd://x"),
    ],
)
def test_main_bad_input_is_one_line_and_an_exit_code(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    """What is wrong is said on stderr, stdout stays empty, and there is no traceback."""
    found, out, err = run(capsys, *arguments)
    assert (found, out) == (code, "")
    assert words in err
    assert "Traceback" not in err


def test_main_prices_are_told_in_cycles(capsys: pytest.CaptureFixture[str]) -> None:
    """All prices of an answer are turned, at the clock of the machine; without one that is said."""
    words = ["--task", "name=a", "--task", "name=b", "--traffic", "from=a to=b messages_per_s=10"]
    found = {}
    for unit in ("ns", "cycles"):
        arguments = ["ask", "placement", "tyan-s4985", *words, "--compare", "--json"]
        code, out, _err = run(capsys, *arguments, "--unit", unit)
        assert code == 0
        found[unit] = json.loads(out)
    _code, out, _err = run(capsys, "facts", "tyan-s4985", "clock_mhz", "--json")
    clock = json.loads(out)[0]["args"][1] / 1000
    ns, cycles = found["ns"], found["cycles"]
    assert cycles["objective"]["unit"] == "cycles/s"
    assert cycles["bound"] == pytest.approx(ns["bound"] * clock)
    for a, b in zip(ns["costs"], cycles["costs"], strict=True):
        assert b["unit"] == "cycles/s" and b["value"] == pytest.approx(a["value"] * clock)
    policy = {row["name"]: row for row in cycles["alternatives"] if "name" in row}["compact"]
    assert policy["unit"] == "cycles/s" and policy["value"] >= cycles["objective"]["value"]
    code, out, err = run(capsys, "ask", "placement", "odroid-n2", *words, "--unit", "cycles")
    assert (code, out) == (2, "") and "states no clock" in err


def test_main_a_route_is_told_in_cycles_throughout(capsys: pytest.CaptureFixture[str]) -> None:
    """Arrivals, phases, the busiest PU, the frontier and the alternatives: no unit but one."""
    words = ["ask", "route", "tyan-s4985", "--members", "0,1,4", "--operation", "barrier"]
    found = {}
    for unit in ("ns", "cycles"):
        code, out, _err = run(capsys, *words, "--unit", unit, "--json")
        assert code == 0
        found[unit] = json.loads(out)
    ns, cycles = found["ns"]["answer"], found["cycles"]["answer"]
    clock = found["cycles"]["objective"]["value"] / found["ns"]["objective"]["value"]
    assert clock != 1
    for key in ("arrivals", "phases"):
        assert cycles[key] == pytest.approx({at: value * clock for at, value in ns[key].items()})
    for more in ([], ["--objective", "frontier"]):
        code, out, _err = run(capsys, *words, *more, "--unit", "cycles")
        told = out.partition("because:")[0] + out.partition("alternative ")[2]
        assert code == 0 and "cycles" in told
        assert " ns" not in told
    busy = f"{ns['occupancy_ps'] / 1000 * clock:,.3f}".rstrip("0").rstrip(".")
    code, out, _err = run(capsys, *words, "--unit", "cycles")
    assert f"busy longest, for {busy} cycles" in out


def test_main_facts_of_a_machine_change_and_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """assert, retract, facts, as-of and delete work together, a bundled machine is stored first."""
    assert run(capsys, "assert", "tyan-s4985", "load(pu:0, 50)")[0] == 0
    first = run_json(capsys, "show", "tyan-s4985")["revision"]
    assert run(capsys, "assert", "tyan-s4985", "load(pu:0, 60)")[0] == 2
    assert run(capsys, "assert", "tyan-s4985", "--replace", "load(pu:0, 60)")[0] == 0
    assert run_json(capsys, "facts", "tyan-s4985", "load")[0]["args"] == ["pu:0", 60]
    old = run_json(capsys, "facts", "tyan-s4985", "load", "--as-of", str(first))
    assert old == [{"predicate": "load", "args": ["pu:0", 50], "source": "asserted",
                    "unit": "percent"}]  # fmt: skip
    assert run(capsys, "retract", "tyan-s4985", "load(pu:0, 60)")[0] == 0
    assert run_json(capsys, "facts", "tyan-s4985", "load") == []
    assert run(capsys, "delete", "tyan-s4985")[0] == 0
    assert run_json(capsys, "show", "tyan-s4985")["revision"] == 0


def test_main_a_bad_change_of_a_bundled_machine_stores_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A bundled machine becomes a stored one only together with a change that is sound."""
    bad = "contains(core:0, core:0)"
    assert run(capsys, "assert", "tyan-s4985", "load(pu:0, 5)", bad)[0] == 2
    assert {m["origin"] for m in run_json(capsys, "machines")} == {"bundled"}


def test_main_import_reads_all_files_before_it_writes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One bad file among good ones, and nothing is stored."""
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text('[machine]\nname = "good"\n[structure]\ntree = "core:2 pu:1"\n')
    bad.write_text('[machine]\nname = "bad"\n[structure]\ntree = "core:0"\n')
    code, _out, err = run(capsys, "import", str(good), str(bad))
    assert code == 2 and "bad.toml" in err
    assert [m for m in run_json(capsys, "machines") if m["origin"] == "stored"] == []
    assert run(capsys, "import", str(good))[0] == 0
    assert run_json(capsys, "show", "good")["counts"]["pu"] == 2


def test_main_show_prints_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    """`skb show --json` has the fixed keys."""
    shown = run_json(capsys, "show", "ex235a")
    fixed = {"name", "digest", "counts", "memory_bytes", "pus", "numa", "allowed_pus"}
    assert fixed | {"devices", "distances"} <= set(shown)
    gpu = next(d for d in shown["devices"] if d["id"] == "device:rsmi4")
    assert gpu == {
        "id": "device:rsmi4",
        "kinds": ["coprocessor", "gpu"],
        "pci": "0000:d1:00.0",
        "pus": [*range(8), *range(64, 72)],
        "numa": [0],
        "link_gbytes_per_s": 31.508,
    }


def test_main_answers_without_a_home_that_can_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bundled machines need no database: the answer comes, and a warning that it is not kept."""
    monkeypatch.delenv("SKB_DB")
    monkeypatch.setenv("HOME", "/proc/nohome")
    monkeypatch.setenv("XDG_DATA_HOME", "/proc/nohome")
    code, out, err = run(capsys, "ask", "route", "tyan-s4985", "--members", "0,4", "--json")
    assert (code, json.loads(out)["status"]) == (0, "optimal")
    assert "the decision is not stored" in err


def test_main_discover_finds_this_host(capsys: pytest.CaptureFixture[str]) -> None:
    """The live host has at least the PUs that this process may run on."""
    import os

    shown = run_json(capsys, "discover", "--name", "here")
    assert set(os.sched_getaffinity(0)) <= set(shown["pus"])
    assert run_json(capsys, "show", "here")["digest"] == shown["digest"]


def test_main_export_writes_json_and_native(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Both exports go to a file or stdout; native reads back to the same digest."""
    target = tmp_path / "board.toml"
    assert run(capsys, "export", "tyan-s4985", "-o", str(target))[0] == 0
    shown = run_json(capsys, "show", "tyan-s4985")
    assert run_json(capsys, "show", str(target))["digest"] == shown["digest"]
    code, out, _err = run(capsys, "export", "tyan-s4985", "--to", "json")
    assert code == 0 and len(json.loads(out)["facts"]) == 594


def test_a_command_begins_before_it_waited_for_a_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process of its own began its processor time ago, on a busy host longer; a call now."""
    used = time.process_time()
    assert used <= time.monotonic() - main_module._begun(None)
    monkeypatch.setattr(main_module, "_waited", lambda: 100.0)
    assert time.monotonic() - main_module._begun(None) >= 99 + used
    assert time.monotonic() - main_module._begun(["show"]) < used


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel does not say")
def test_a_process_that_sleeps_does_not_wait_for_a_processor() -> None:
    """Sleep is no wait for a processor, so that what a shell did before does not count."""
    before = main_module._waited()
    begin, used = time.monotonic(), time.process_time()
    time.sleep(0.2)
    busy = time.process_time() - used + main_module._waited() - before
    assert 0 <= busy <= time.monotonic() - begin - 0.19

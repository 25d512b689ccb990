"""`skb bench decisions`: its rows, targets and judges on small cases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from skb.benching import (
    decisions,
    decisions_buffers,
    decisions_interrupts,
    decisions_nearness,
    decisions_pci,
    decisions_power,
    decisions_replicas,
)
from skb.benching.pci_trees import MIB, Device, filled, machine_of_tree, published_series
from skb.cli.main import main
from skb.decision import Decision, Limits, Objective
from skb.errors import RequestError
from skb.exports import export
from skb.machine import Machine
from skb.relations import Fact
from tests.machines import bundled, grown, shared

Plain = dict[str, Any]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut each suite to its smallest cases, and compile nothing: no time counts here."""
    monkeypatch.setattr(decisions, "warm", lambda: None)
    for module, name, value in (
        (decisions_nearness, "SENDERS", {"tyan-s4985": ("eth0", 20)}),
        (decisions_buffers, "PROVEN", (6, 2)),
        (decisions_buffers, "MANY", (256, 4)),
        (decisions_buffers, "PROVEN_SEEDS", 1),
        (decisions_buffers, "RUNS", 1),
        (decisions_replicas, "LARGE", "odroid-n2"),
        (decisions_replicas, "TREES", 5),
        (decisions_pci, "SERIES", 1),
        (decisions_pci, "SEEDS", 1),
        (decisions_pci, "LARGE", 16),
        (decisions_pci, "PROVEN_BARS", (4, 8)),
        (decisions_interrupts, "QUEUES", (4,)),
        (decisions_interrupts, "_bundled", lambda: iter([bundled("epyc-7401-2p")])),
        (decisions_power, "RANDOM", 2),
        (decisions_power, "COUNTED", dict(list(decisions_power.COUNTED.items())[:2])),
        (decisions_power, "OFF", dict(list(decisions_power.OFF.items())[:2])),
    ):
        monkeypatch.setattr(module, name, value)


def bench(capsys: pytest.CaptureFixture[str], *words: str) -> list[Plain]:
    """Return the rows of a run that finds no fault."""
    assert main(["bench", "decisions", *words, "--json"]) == 0
    told: Plain = json.loads(capsys.readouterr().out)
    rows: list[Plain] = told["rows"]
    assert told["met"] + told["missed"] == len(rows)
    return rows


def untimely(rows: list[Plain]) -> list[str]:
    """Return the misses that are not about time, which no test counts."""
    misses = [text for row in rows for text in row["misses"]]
    return [text for text in misses if "took" not in text]


# ------------------------------------------------------------ suites
@pytest.mark.parametrize("suite", list(decisions.SUITES))
def test_bench_decisions_suites_meet_their_targets(
    suite: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each answer is found and judged, and what is asked of it holds."""
    rows = bench(capsys, "--suite", suite)
    assert len(rows) > 3 and {row["suite"] for row in rows} == {suite}
    assert untimely(rows) == []
    assert all(row["seconds"] > 0 and row["target"] for row in rows)


def test_bench_decisions_prints_titles_targets_and_what_is_missed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One title for each suite, a line for each row, then the sum and what is missed."""
    monkeypatch.setattr(decisions_nearness, "SENDERS", {"tyan-s4985": ("eth0", 0)})
    monkeypatch.setattr(decisions_buffers, "rows", lambda _limit: iter(()))
    assert main(["bench", "decisions", "--suite", "buffers"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.startswith(("yes", "NO"))]
    titles = [line for line in lines if line.startswith("buffers: ")]
    assert len(titles) == 1 and len(rows) == 9
    assert "tyan-s4985, 2 writers, a memory holds one ring, ns/s; hops 0 1, proven" in rows[2]
    missed = [line for line in lines if line.startswith("MISSED buffers ")]
    assert len(missed) == sum(row.startswith("NO") for row in rows) == 1
    assert missed[0].endswith("consume from eth0: it lies near the device")
    assert "8 of 9 rows meet their targets" in lines


def test_bench_decisions_published_series_is_as_published() -> None:
    """33 registers, 519,700,480 bytes or 96.8 % of the window; the ascending order overflows from
    the one that fills 84.3 %.
    """
    steps = list(published_series())
    held = [sum(int(f.args[2]) for f in m.facts if f.predicate == "pci_bar") for m in steps]
    assert (len(steps), held[-1], held[-2]) == (33, 519700480, 452591616)
    row = next(decisions_pci.rows(10.0))
    assert row.case == "published fill series, 96.8% full"
    assert row.beside.endswith("ascending order overflows from 84.3%")
    assert untimely([{"misses": row.misses}]) == []


def test_bench_decisions_series_leaves_out_what_has_no_window() -> None:
    """Registers are added until the share is reached; ports and lost functions are none of them."""
    devices = [
        Device(0, ((MIB, "memory32"),)), Device(0, ((256, "io"),)), Device(2, ((MIB, "memory32"),)),
        Device(1, ((2 * MIB, "memory32"),)), Device(1, ((4 * MIB, "memory32"),)),
    ]  # fmt: skip
    lost = Fact("contains", ("machine:0", "bridge:2"))
    machine = machine_of_tree("m", [0], devices, 4 * MIB, more=[lost])
    sizes = [[f.args[2] for f in m.facts if f.predicate == "pci_bar"] for m in filled(machine)]
    assert sizes == [[MIB], [MIB, 2 * MIB]]


# ------------------------------------------------------------ machines that are given
def test_bench_decisions_reads_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A tree of registers is for pci, one with NICs for interrupts; one with both for both."""
    tree = machine_of_tree("bars", [0], [Device(1, ((MIB, "memory32"),))] * 3, 8 * MIB)
    path = tmp_path / "bars.toml"
    path.write_text(export(tree, "native").text)
    rows = bench(capsys, str(path), "epyc-7401-2p")
    assert untimely(rows) == []
    assert {row["case"].split(",")[0] for row in rows if row["suite"] == "interrupts"} == {
        "epyc-7401-2p"
    }
    cases = [row["case"] for row in rows if row["suite"] == "pci"]
    assert cases == [
        *("bars, 3 registers", "bars, USB controllers stay", "bars fill series, 37.5% full")
    ]
    assert {row["suite"] for row in rows} == {"pci", "interrupts"}


def test_bench_decisions_reads_published_facts(capsys: pytest.CaptureFixture[str]) -> None:
    """The 2009 board fits with and without what stays; all of the test devices do not."""
    paths = [str(shared(f"barrelfish/{name}.facts")) for name in ("testdevices2", "testdevices")]
    rows = bench(capsys, "--suite", "pci", *paths)
    assert untimely(rows) == []
    by = {row["case"]: row for row in rows}
    assert by["testdevices2, USB controllers stay"]["value"] == 128 * MIB
    assert by["testdevices, 160 registers"]["status"] == "infeasible"


# ------------------------------------------------------------ judges
def cheaper(found: Decision) -> Decision:
    """Claim a lower value than the answer has."""
    value = (found.objective.value or 0) * 0.5
    lie = Objective(found.objective.name, value, found.objective.unit)
    return replace(found, objective=lie, bound=value)


@pytest.mark.parametrize(
    ("suite", "module"),
    [
        ("buffers", decisions_nearness),
        ("replicas", decisions_replicas),
        ("pci", decisions_pci),
        ("interrupts", decisions_interrupts),
        ("power", decisions_power),
    ],
)
def test_bench_decisions_ends_with_1_where_a_value_is_told_wrong(
    suite: str,
    module: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A planted fault is named on stderr, with its row."""
    decide: Callable[..., Decision] = vars(module)["decide"]

    def lying(machine: Machine, request: Plain, limits: Limits) -> Decision:
        return cheaper(decide(machine, request, limits))

    monkeypatch.setattr(module, "decide", lying)
    assert main(["bench", "decisions", "--suite", suite]) == 1
    told = capsys.readouterr()
    assert f"wrong: {suite} " in told.err
    assert "\nNO " in told.out


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("exit 3", "apply failed"),
        ("exit 0", "apply did not write"),
        ('[ "$1" = apply ] || : > "$PROC_ROOT/irq/100/smp_affinity_list"', "another state"),
    ],
)
def test_bench_decisions_scripts_are_run_in_a_copy(
    script: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script that fails, writes nothing, or undoes to another state is a missed target."""
    write: Callable[..., Any] = vars(decisions_interrupts)["bind"]

    def spoilt(machine: Machine, found: Plain, to: str) -> Any:
        written = write(machine, found, to)
        kept = "" if script.startswith("exit") else f"( {written.text}\n)\n"
        return replace(written, text=f"{kept}{script}\n")

    monkeypatch.setattr(decisions_interrupts, "bind", spoilt)
    row = bench(capsys, "--suite", "interrupts")[-1]
    assert not row["met"] and told in row["misses"][0]


def test_bench_decisions_bare_engine_is_judged() -> None:
    """Sum, limits and flows of a bare choice of buffers are counted again."""
    options = [[(5, {0: 2}), (9, {})], [(3, {0: 2})]]
    faults = decisions_buffers._faults
    assert faults(options, [4], [0, 2], 8) == []
    assert faults(options, [3], [0, 2], 8) == ["resource 0 is exceeded"]
    assert faults(options, [4], [1, 2], 8) == ["the price is 12, not 8"]
    assert faults(options, [4], [2, 2], 8) == ["an option belongs to another flow"]
    assert faults(options, [4], None, None) == ["no answer"]
    differs = decisions_buffers._differs
    assert differs(8, 8, 8, 8) == differs(9, 7, 8, 8) == differs(None, 7, 8, 6) == []
    assert differs(8, 8, 7, 7) == ["CP-SAT finds 7, below the bound 8"]
    assert differs(8, 7, 9, 9) == ["the value 8 is below CP-SAT's bound 9"]


@pytest.mark.parametrize(
    ("fault", "code", "told"),
    [(RequestError("no good"), 0, "MISSED"), (OSError("disk"), 1, "wrong: power row 2: OSError")],
)
def test_bench_decisions_goes_on_after_a_suite_that_ends(
    fault: Exception,
    code: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A refusal is a missed target, another fault ends the command with 1; rows before it stay."""
    one = next(decisions_power.rows(1.0))

    def rows(*_asked: Any) -> Iterator[Any]:
        yield one
        raise fault

    monkeypatch.setattr(decisions, "SUITES", {"power": rows, "pci": lambda *_asked: iter((one,))})
    assert main(["bench", "decisions"]) == code
    shown = capsys.readouterr()
    assert told in shown.out + shown.err
    assert "2 of 3 rows meet their targets" in shown.out


# ------------------------------------------------------------ refusals
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--suite", "forest"], "there is no suite 'forest'"),
        (["nowhere/at-all"], "nowhere/at-all"),
        (["--suite", "power", "odroid-n2"], "has instances of its own"),
        (["--suite", "pci", "odroid-n2"], "no machine here fits"),
        ([__file__], "test_bench_decisions.py"),
    ],
)
def test_bench_decisions_refuses_what_it_does_not_know(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the mistake, and the exit code of bad input."""
    assert main(["bench", "decisions", *words]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("skb: error: ") and told in line


def test_bench_decisions_refuses_a_limit_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A limit is above nothing."""
    assert main(["bench", "decisions", "--limit", "0"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("Error: ")


def test_bench_decisions_needs_no_machine_by_name() -> None:
    """Machines that do not fit leave their suite out."""
    board, bare = bundled("tyan-s4985"), grown("core:4 pu:1")
    assert decisions.chosen(["pci", "power", "interrupts"], [bare, board]) == {
        "interrupts": [board]
    }
    assert decisions.chosen(["power"], []) == {"power": []}

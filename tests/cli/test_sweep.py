"""The command `sweep`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lxml import etree

from skb.cli.main import main
from skb.cli.sweeping import fitting

SCENARIO = """
machine = "tyan-s4985"
members = [0, 4, 8]
root = 0
route = "binary"
operations = 3
seeds = 2

[vary]
outstanding = [1, 2]
"""


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    """Return the path of a sweep of four runs."""
    path = tmp_path / "sweep.toml"
    path.write_text(SCENARIO)
    return str(path)


def swept(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """Run a sweep in this process and return what it tells as JSON."""
    assert main(["sweep", *arguments, "--workers", "1", "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_sweep_prints_a_line_per_combination(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And how many runs there were, with the digest of their rows."""
    assert main(["sweep", scenario, "--workers", "1", "--vary", "route=binary,cluster"]) == 0
    told = capsys.readouterr().out
    assert "8 runs, 0 safety violations; rows " in told
    assert sum(line.split()[:1] in (["1"], ["2"]) for line in told.splitlines()) == 4
    assert "mean ns" in told and "per second" in told


def test_sweep_options_overrule_the_file(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Seeds and what is varied may stand on the command line."""
    found = swept([scenario, "--seeds", "3", "--vary", "outstanding=3"], capsys)
    assert (found["runs"], found["new"]) == (3, 3)


def test_sweep_on_two_workers_prints_the_same(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the byte, digest included."""
    outputs = []
    for workers in ("1", "2"):
        assert main(["sweep", scenario, "--workers", workers]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]


def test_sweep_writes_rows_and_goes_on(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is in the file is not run again."""
    out = str(tmp_path / "runs.csv")
    first = swept([scenario, "--out", out], capsys)
    assert (first["runs"], first["new"]) == (4, 4)
    more = swept([scenario, "--out", out, "--seeds", "3"], capsys)
    assert (more["runs"], more["new"]) == (6, 2)
    assert len(Path(out).read_text().splitlines()) == 1 + 6


def test_sweep_plots_along_the_number(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line per route, and an axis that says what was varied."""
    plot = tmp_path / "sweep.svg"
    swept([scenario, "--vary", "route=binary,cluster", "--plot", str(plot)], capsys)
    text = plot.read_text()
    assert 'data-line="binary"' in text and 'data-line="cluster"' in text
    assert "operations under way at once" in text
    etree.fromstring(text.encode())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--vary", "outstanding=x"], "outstanding"),
        (["--vary", "colour=red"], "colour"),
        (["--seeds", "0"], "runs"),
        (["--out", "runs.xls"], "runs.xls"),
        (["--scheduler", "nowhere"], "nowhere"),
    ],
)
def test_sweep_names_what_is_wrong(
    scenario: str, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, with the word that was typed, and exit code 2 or 1."""
    if "--scheduler" in arguments:
        pytest.importorskip("distributed", reason="dask.distributed is not installed")
    assert main(["sweep", scenario, *arguments]) in (1, 2)
    err = capsys.readouterr().err
    assert told in err and err.startswith("skb: error: ") and "Traceback" not in err


def test_sweep_needs_a_number_to_plot(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Words alone have no axis."""
    path = tmp_path / "words.toml"
    path.write_text(SCENARIO.replace("outstanding = [1, 2]", 'route = ["binary", "mst"]'))
    plot = str(tmp_path / "x.svg")
    assert main(["sweep", str(path), "--workers", "1", "--plot", plot]) == 2
    assert "no number is varied" in capsys.readouterr().err


@pytest.mark.parametrize("vary", ["vary = 3", "[vary]\nroute = 'binary'", "[vary]\nroute = [[1]]"])
def test_sweep_refuses_a_vary_that_is_no_table_of_lists(
    tmp_path: Path, vary: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message shows how one looks."""
    path = tmp_path / "bad.toml"
    path.write_text(f'machine = "tyan-s4985"\n{vary}\n')
    assert main(["sweep", str(path)]) == 2
    assert "[vary] outstanding = [1, 2, 4]" in capsys.readouterr().err


def test_sweep_leaves_columns_out_before_it_breaks_numbers() -> None:
    """In a narrow terminal the columns that matter least go, in their order."""
    columns = {
        "outstanding": ["outstanding", "1"],
        "runs": ["runs", "5"],
        "mean_ns": ["mean ns", "12,292.6"],
        "p50_ns": ["p50 ns", "12,700.8"],
        "p99_ns": ["p99 ns", "15,623.2"],
    }
    assert fitting(columns, 80) == list(columns)
    assert fitting(columns, 54) == ["outstanding", "runs", "mean_ns", "p99_ns"]
    assert fitting(columns, 30) == ["outstanding", "mean_ns"]


def test_sweep_of_a_rate_overrules_the_interval_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both say how often operations come; bursts come as rarely as the rate demands."""
    path = tmp_path / "sweep.toml"
    path.write_text(SCENARIO.partition("[vary]")[0] + "interval_ns = 5\nburst = 3\n")
    told = swept([str(path), "--vary", "rate_per_s=1e6"], capsys)
    path.write_text(SCENARIO.partition("[vary]")[0] + "interval_ns = 3000\nburst = 3\n")
    same = swept([str(path), "--vary", "operations=3"], capsys)
    rows, others = told["rows"], same["rows"]
    assert isinstance(rows, list) and isinstance(others, list)
    assert rows[0]["mean_ns"] == others[0]["mean_ns"]


def test_sweep_without_a_number_is_not_run_to_be_plotted(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plot is refused before the runs, not behind them."""
    out = tmp_path / "runs.csv"
    Path(scenario).write_text(SCENARIO.partition("[vary]")[0])
    plot = ["--plot", str(tmp_path / "p.svg"), "--out", str(out), "--workers", "1"]
    assert main(["sweep", scenario, *plot]) == 2
    assert "no number is varied" in capsys.readouterr().err and not out.exists()

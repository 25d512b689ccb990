"""The options of `skb simulate` that refine a run: files, PUs, numbers, what is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from skb.cli.simulating_options import merged, read_numbers
from skb.errors import RequestError
from tests.cli.test_main import run, run_json

BOARD = ("simulate", "--machine", "tyan-s4985", "--route", "cluster", "--members", "0,4,8,12")
FAULTS = """
[[fault]]
time_ns = 100
pu = 4
state = "slow"
value_ns = 9000

[[fault]]
time_ns = 200
pu = 8
state = "cut"
side = 1

[[fault]]
time_ns = 300
pu = 8
state = "joined"
"""


def test_simulate_merges_file_and_options(tmp_path: Path) -> None:
    """What the line says comes before the file; None and False say nothing; numbers are added."""
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(
        'protocol = "barrier"\nseed = 3\nlinks = true\n[parameters]\na = 1\nb = 2\n'
    )
    faults = tmp_path / "faults.toml"
    faults.write_text(FAULTS)
    raw = merged(
        str(scenario),
        {"protocol": "reduction", "seed": None, "links": False, "overlap": True, "items": 0},
        groups={"members": "0,4-6", "clients": None},
        numbers=["b=3", "c_ns=1.5"],
        faults=faults,
    )
    assert raw.pop("faults")[1] == {"time_ns": 200, "pu": 8, "state": "cut", "side": 1}
    assert raw == {
        "protocol": "reduction",
        "seed": 3,
        "links": True,
        "overlap": True,
        "items": 0,
        "members": [0, 4, 5, 6],
        "parameters": {"a": 1, "b": 3.0, "c_ns": 1.5},
    }


@pytest.mark.parametrize("text", ["defer", "defer=", "=", "defer=soon"])
def test_simulate_refuses_numbers_that_are_none(text: str) -> None:
    """The error repeats what was typed."""
    with pytest.raises(RequestError, match=text):
        read_numbers([text])


def test_simulate_takes_every_refinement_at_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """All options reach the run, which says what each did."""
    faults = tmp_path / "faults.toml"
    faults.write_text(FAULTS)
    result = run_json(
        capsys,
        *BOARD,
        *("--protocol", "single-phase-commit", "--operations", "200", "--set", "work_ns=20"),
        *("--rate", "3e5", "--arrivals", "poisson", "--burst", "2", "--links"),
        *("--poll", "5", "--channels", "tree", "--loss", "2000", "--delay", "300000"),
        *("--delay-ns", "90", "--faults", str(faults)),
    )
    assert result["messages"]["lost"] > 0
    assert result["messages"]["delayed"] > 0
    assert max(result["link_load"].values()) > 0
    assert result["ended"] == "stalled"
    assert result["violations"] == []


def test_simulate_prints_an_overload_and_the_busiest_link(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two lines that stand there only where there is something to say."""
    code, out, err = run(
        capsys,
        *BOARD,
        *("--protocol", "barrier", "--operations", "3000", "--rate", "1e9", "--links"),
    )
    assert (code, err) == (0, "")
    assert "overloaded at " in out
    assert "busiest link package:" in out
    code, out, err = run(capsys, *BOARD, "--protocol", "barrier")
    assert (code, err) == (0, "")
    assert "overloaded" not in out
    assert "busiest" not in out


def test_simulate_says_which_numbers_a_protocol_has(capsys: pytest.CaptureFixture[str]) -> None:
    """One line of error that lists them."""
    code, _, err = run(capsys, *BOARD, "--protocol", "single-phase-commit", "--set", "speed=1")
    assert code == 2
    assert "no use for speed" in err
    assert "work_ns" in err

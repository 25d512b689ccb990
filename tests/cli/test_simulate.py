"""The command `simulate`: its drawings, its trace and its comparisons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from skb import comparing_protocols
from skb.cli.main import main
from skb.cli.simulating_compared import split, verdict
from skb.cli.simulating_shown import VIEWS, read_window
from skb.errors import RequestError

SMALL = ["--machine", "tyan-s4985", "--members", "0,4,8", "--root", "0", "--operations", "3"]
CLASSIC = ["--route", "binary"]


def run(*arguments: str) -> int:
    """Run the command on a small part of the 2009 board."""
    return main(["simulate", *SMALL, *arguments])


@pytest.mark.parametrize("view", VIEWS)
def test_simulate_draws_each_view(
    view: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is a well-formed drawing that names machine and protocol."""
    path = tmp_path / "run.svg"
    assert run(*CLASSIC, "--draw", str(path), "--view", view) == 0
    root = etree.fromstring(path.read_bytes())
    assert "tyan-s4985" in "".join(root.itertext())
    assert "two-phase-commit" in "".join(root.itertext())
    assert str(path) in capsys.readouterr().err


def test_simulate_draws_the_same_numbers_as_it_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Drawing changes nothing of the run: the digest is the same with and without."""
    digests = []
    for more in ([], ["--draw", str(tmp_path / "run.svg")], ["--trace", str(tmp_path / "t.json")]):
        assert run(*CLASSIC, "--json", *more) == 0
        digests.append(json.loads(capsys.readouterr().out)["trace_digest"])
    assert len(set(digests)) == 1


def test_simulate_writes_a_window_of_the_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows that overlap the nanoseconds that were asked for, and it says how many."""
    path = tmp_path / "trace.json"
    assert run(*CLASSIC, "--trace", str(path), "--trace-window", "0-500") == 0
    err = capsys.readouterr().err
    slices = [e for e in json.loads(path.read_text())["traceEvents"] if e["ph"] == "X"]
    assert f"{len(slices)} of " in err
    assert slices and all(each["ts"] <= 0.5 for each in slices)


def test_simulate_draws_a_window(tmp_path: Path) -> None:
    """Fewer messages than the whole run has, and an axis that begins near them."""
    arrows = []
    for more in ([], ["--trace-window", "4000-6000"]):
        path = tmp_path / "run.svg"
        assert run(*CLASSIC, "--draw", str(path), "--view", "space-time", *more) == 0
        root = etree.fromstring(path.read_bytes())
        arrows.append(sum(group.get("class") == "message" for group in root.iter()))
    assert 0 < arrows[1] < arrows[0]


def test_simulate_reads_windows() -> None:
    """Either end may be missing; what is no span is refused."""
    assert read_window("1-2.5") == (1000, 2500)
    assert read_window("-2") == (0, 2000)
    assert read_window("3-")[0] == 3000
    for text in ("", "5", "2-1", "a-b", "nan-1", "1-inf"):
        with pytest.raises(RequestError):
            read_window(text)


@pytest.mark.parametrize(
    ("words", "compare", "expected"),
    [
        ([], True, (None, "routes")),
        (["protocols"], True, (None, "protocols")),
        (["a.toml", "sharing"], True, ("a.toml", "sharing")),
        (["shootdown", "a.toml"], True, ("a.toml", "shootdown")),
        (["routes"], False, ("routes", "routes")),
        (["./routes"], True, ("./routes", "routes")),
    ],
)
def test_simulate_finds_the_question_among_its_words(
    words: list[str], compare: bool, expected: tuple[str | None, str]
) -> None:
    """A word is a question beside --compare only."""
    assert split(words, compare) == expected


@pytest.mark.parametrize("words", [["a", "b"], ["routes", "sharing"], ["a", "b", "routes"]])
def test_simulate_refuses_words_that_are_too_many(words: list[str]) -> None:
    """And says which questions there are."""
    with pytest.raises(RequestError, match="protocols"):
        split(words, True)


def test_simulate_compares_routes_where_nothing_else_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a table, as JSON, and as latencies with a line per route."""
    path = tmp_path / "routes.svg"
    assert run("--compare", "--json", "--draw", str(path)) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["route"] for row in rows][:2] == ["decided", "numa-aware"]
    assert all(f'data-line="{row["route"]}"' in path.read_text() for row in rows)


@pytest.mark.parametrize(
    ("question", "told"),
    [("protocols", "best route"), ("sharing", "queue-lock"), ("shootdown", "ipi-shootdown")],
)
def test_simulate_answers_questions_as_table_json_and_drawing(
    question: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One word behind --compare, in any order with the other options."""
    path = tmp_path / "question.svg"
    assert run("--compare", question, *CLASSIC, "--draw", str(path)) == 0
    assert told in capsys.readouterr().out
    etree.fromstring(path.read_bytes())
    assert run(*CLASSIC, question, "--compare", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["question"] == question and found["rows"]
    if question != "protocols":
        assert "crossover" in found and found["better"] in found["sides"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--view", "timeline"], "--draw FILE.svg"),
        (["--view", "pie", "--draw", "x.svg"], "'pie'"),
        (["--trace-window", "1-2"], "--trace FILE.json"),
        (["--trace-window", "x", "--trace", "t.json"], "'x'"),
        (["--compare", "sharing", "--trace", "t.json"], "--trace"),
        (["--compare", "--draw", "x.svg", "--view", "space-time"], "latency or load"),
        (["--compare", "--trace", "t.json"], "--trace"),
    ],
)
def test_simulate_refuses_what_cannot_be_shown(
    arguments: list[str], told: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Before anything is run or written, with the option in the message."""
    monkeypatch.chdir(tmp_path)
    assert run(*CLASSIC, *arguments) == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_simulate_says_where_it_cannot_write(capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is not there is one clear error."""
    assert run(*CLASSIC, "--trace", "/nowhere/t.json") == 2
    assert "/nowhere/t.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("operations = 'ten'", "$.operations"),
        ("work_ns = 1e30", "too long"),
        ("vary = {operations = [1, 2]}", "skb sweep"),
    ],
)
def test_simulate_names_the_file_that_is_wrong(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line with file, place and mend, and exit code 2."""
    path = tmp_path / "scenario.toml"
    path.write_text(f'machine = "tyan-s4985"\n{text}\n')
    assert main(["simulate", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and str(path) in err and words in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[faults]]\ntime_ns = 3\npu = 0\nstate = "down"', "unknown key 'faults'"),
        ("", "has no tables [[fault]]"),
        ('[[fault]]\ntime_ns = 1e30\npu = 0\nstate = "down"', "faults[0].time_ns"),
        ('[[fault]]\ntime_ns = 5\npu = 0\nstate = "slow"', "needs value_ns"),
    ],
)
def test_simulate_does_not_pass_over_faults(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of faults that says none, under a wrong name, is no run without faults."""
    path = tmp_path / "faults.toml"
    path.write_text(text)
    assert run(*CLASSIC, "--faults", str(path)) == 2
    err = capsys.readouterr().err
    assert str(path) in err and words in err


def test_simulate_tells_cost_and_assumptions(capsys: pytest.CaptureFixture[str]) -> None:
    """What an operation costs, in cycles where the clock is known, and what nobody stated."""
    assert run(*CLASSIC) == 0
    out = capsys.readouterr().out
    assert "an operation keeps PUs busy for " in out and " cycles)" in out
    assert "assumed: message gap" in out
    assert run("--route", "binary", "--protocol", "shared-lock") == 0
    assert "an operation keeps cache lines for " in capsys.readouterr().out


def test_simulate_ends_with_one_where_a_promise_is_broken(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A broadcast loses what the network loses: the violations are told, and scripts notice."""
    lossy = ["--protocol", "atomic-broadcast", "--loss", "100000", "--operations", "30"]
    board = ["--machine", "tyan-s4985", "--members", "0,4,8,12"]
    assert main(["simulate", *board, *CLASSIC, *lossy]) == 1
    told = capsys.readouterr()
    assert "violation: delivery" in told.out and "a promise was broken" in told.err


def test_simulate_gives_each_number_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The second of two values would be taken in silence."""
    assert run(*CLASSIC, "--set", "batch=1", "--set", "batch=2") == 2
    assert "given twice" in capsys.readouterr().err
    assert run("--replay", "failure.json") == 2
    assert "the file says it all" in capsys.readouterr().err


@pytest.mark.parametrize("question", ["protocols", "sharing", "shootdown"])
def test_compare_of_a_single_pu_is_answered_or_refused(
    question: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Operations that take no time are no fault of the program."""
    alone = ["simulate", "--machine", "tyan-s4985", "--members", "1", "--compare", question]
    assert main(alone) == (0 if question == "protocols" else 2)
    told = capsys.readouterr()
    assert "two-phase-commit" in told.out or "at least 2 members" in told.err


def test_compare_takes_no_more_members_than_it_can_answer_about(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a large machine it stops, and says how many PUs it left out."""
    monkeypatch.setattr(comparing_protocols, "MOST_MEMBERS", 4)
    assert main(["simulate", "--machine", "odroid-n2", "--compare", "shootdown"]) == 0
    assert "2 more PUs were left out" in capsys.readouterr().out


def test_drawing_ends_with_the_operations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Heartbeats behind the last operation would be most of it; a window has them."""
    path = tmp_path / "run.svg"
    raft = [*CLASSIC, "--protocol", "raft", "--draw", str(path)]
    assert run(*raft) == 0
    assert "up to the end of the last operation" in capsys.readouterr().err
    short = path.read_text().count("<rect")
    assert run(*raft, "--trace-window", "0-1000000") == 0
    assert path.read_text().count("<rect") > short


def test_verdict_does_not_hide_that_sides_change_places_twice() -> None:
    """Messages that are better in between only are neither better from somewhere on nor never."""
    told: dict[str, Any] = {
        "sides": {"locks": [], "messages": []},
        "rows": [{"members": count} for count in (2, 4, 8)],
        "crossover": None,
        "ahead": {"2": "locks", "4": "messages", "8": "locks"},
    }
    assert verdict(told) == "messages are better at 4 members, locks at the others"
    told["ahead"]["4"] = "locks"
    assert verdict(told) == "up to 8 members messages are not better than locks"
    told["crossover"] = 4
    assert verdict(told) == "messages are better from 4 members on"

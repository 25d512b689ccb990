"""`skb why` on the command line: tables, further reasons, mends, flips, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from skb.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
PULLED = str(ROOT / "docs" / "examples" / "pulled.toml")
IMPOSSIBLE = str(ROOT / "docs" / "examples" / "impossible.toml")


def _asked(request: str, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    main(["ask", "placement", "tyan-s4985", request, "--json"])
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_why_shows_the_dearest_pair_first_with_its_share(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The pairs add up to the communication that the decision states."""
    decision = _asked(PULLED, capsys)
    assert main(["why", str(decision["id"])]) == 0
    text = capsys.readouterr().out
    assert text.index("rx -> worker") < text.index("worker -> db") < text.index("moved alone")
    assert "54.2%" in text and "45.7%" in text
    main(["why", str(decision["id"]), "--json"])
    told = json.loads(capsys.readouterr().out)
    pairs = [row["price"] for row in told["alternatives"] if "traffic" in row]
    assert sum(pairs) == next(c["value"] for c in told["costs"] if c["term"] == "communication")


def test_why_tells_flips_and_the_service_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The table has the smallest relative change first; the rest is counted."""
    decision = _asked(PULLED, capsys)
    assert main(["why", str(decision["id"]), "--sensitivity", "--most", "2"]) == 0
    text = capsys.readouterr().out
    assert text.index("worker -> db") < text.index("rx -> worker")
    assert "exactly" in text and "as far as known of less effect" in text
    main(["why", str(decision["id"]), "--sensitivity", "--most", "2", "--json"])
    told = json.loads(capsys.readouterr().out)["sensitivity"]
    assert told["numbers"][0]["falls"]["flips_at"] == pytest.approx(800)


def test_why_gives_further_reasons_and_a_mend(capsys: pytest.CaptureFixture[str]) -> None:
    """`--next` is two reasons; `--reasons` says when there is no other; the mend is priced."""
    decision = _asked(IMPOSSIBLE, capsys)
    assert main(["why", str(decision["id"]), "--next"]) == 0
    text = capsys.readouterr().out
    assert "reason 2" in text and "reason 3" not in text and "there may be others" in text
    assert main(["why", str(decision["id"]), "--reasons", "9", "--mend", "--limit", "8"]) == 0
    text = capsys.readouterr().out
    assert "there is no other" in text and "drop at of task tx" in text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--not", "task=rx pu=5", "--mend"], "asked alone"),
        (["--next"], "nothing clashes"),
        (["--mend"], "nothing clashes"),
        (["--limit", "0"], "--limit"),
        (["--not", "task=rx colour=2"], "no colour:2"),
        (["--not", "rx"], "--not"),
        (["--not", " "], "--not names nothing"),
    ],
)
def test_why_refuses_what_makes_no_sense(
    options: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the option or what was typed, and exit code 2."""
    decision = _asked(PULLED, capsys)
    assert main(["why", str(decision["id"]), *options]) == 2
    said = capsys.readouterr().err
    assert text in said and "Traceback" not in said


def test_why_says_that_nothing_flips_what_no_number_decides(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A task that talks to nobody, whose name is a number, reads no latency and no rate."""
    main(["ask", "placement", "tyan-s4985", "--task", "name=7", "--json"])
    decision = json.loads(capsys.readouterr().out)
    assert list(decision["answer"]["tasks"]) == ["7"]
    assert main(["why", decision["id"], "--sensitivity"]) == 0
    assert "no latency and no rate" in capsys.readouterr().out


def test_why_of_another_question_has_no_sensitivity(capsys: pytest.CaptureFixture[str]) -> None:
    """A route has no flips to tell, and says so."""
    main(["ask", "route", "tyan-s4985", "--root", "0", "--members", "0,4", "--json"])
    decision = json.loads(capsys.readouterr().out)
    assert main(["why", decision["id"], "--sensitivity"]) == 2
    assert "route has no sensitivity" in capsys.readouterr().err

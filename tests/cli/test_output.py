"""Tables for people: how wide columns are, and the order of names with numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from skb.cli.output import table, widths
from skb.machine import natural_order


def test_output_columns_that_fit_are_as_wide_as_their_content() -> None:
    """Nothing is broken where there is room."""
    assert widths(["a", "name"], [["wide cell", "b"]], 40) == [9, 4]


def test_output_columns_break_between_words_first() -> None:
    """Names stay whole as long as other columns have words to wrap between."""
    rows = [["cores-sharing-no-cache", "Which cores share no cache with a core?"]]
    found = widths(["name", "question"], rows, 40)
    assert found == [22, 18]


@pytest.mark.parametrize("room", [1, 7, 20, 33])
def test_output_columns_never_exceed_the_room(room: int) -> None:
    """Where even words do not fit they are broken, those of the first column last."""
    rows = [["decision0123", "x" * 50, "y" * 30]]
    found = widths(["id", "first", "second"], rows, room)
    assert sum(found) <= max(room, 3) and min(found) >= 1
    assert room < 33 or found[0] == 12


def test_output_names_sort_by_their_numbers() -> None:
    """Part 10 comes after part 2; digits without end are text."""
    names = ["core:10", "core:2", "pu:1", "core:1"]
    assert sorted(names, key=natural_order) == ["core:1", "core:2", "core:10", "pu:1"]
    assert natural_order("9" * 5000)[0] == (1, 0, "9" * 5000)


def test_output_table_wraps_aligns_and_disarms(capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers go to the right, long cells wrap between words, escape codes do not pass."""
    table(["part", "ns", "words"], [["pu:0", 7.5, "a\x1b[2J b"], ["pu:1", None, "long " * 40]])
    _top, head, rule, first, *more, bottom = capsys.readouterr().out.splitlines()
    assert len({len(line) for line in (head, rule, first, *more, bottom)}) == 1
    assert len(head) <= 120 and head.split() == ["part", "ns", "words"]
    assert "\x1b" not in first and first.split()[:2] == ["pu:0", "7.5"]
    assert first.index("7.5") + 3 == head.index("ns") + 2 == more[0].index("-") + 1
    assert sum(line.count("long") for line in more) == 40


def test_output_survives_a_terminal_without_unicode(tmp_path: Path) -> None:
    """Tables and JSON are printed where stdout takes ASCII only."""
    words = [sys.executable, "-m", "skb.cli.main"]
    odd = tmp_path / "odd.toml"
    odd.write_text('[machine]\nname = "né"\ntitle = "→"\n[structure]\ntree = "core:2 pu:1"\n')
    for command in (["facts", str(odd)], ["show", str(odd), "--json"]):
        run = subprocess.run(
            [*words, *command],
            env=dict(os.environ, PYTHONIOENCODING="ascii"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(run.stdout)["title"] == "→"

"""`skb infer`: levels as a table and as JSON, stored, and held against a description."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from skb.cli.main import main
from tests.inference.synthetic import measured, tree

STATED = '[machine]\nname = "box"\n[structure]\ntree = "package:2 l3:1 core:6 pu:2"\n'


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command in this process; return exit code, stdout and stderr."""
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    """A measured matrix of two complexes of six cores with two threads, neighbours together."""
    random = np.random.default_rng(1)
    made = tree(random, [2, 6, 2], [8, 30, 110])
    label = {pu: at for at, g in enumerate(sorted(made.truth[0])) for pu in g}
    order = np.array(sorted(range(24), key=lambda pu: (_outer(made.truth[1], pu), label[pu])))
    values = measured(random, made.matrix[np.ix_(order, order)], 0.03)
    path = tmp_path / "box.csv"
    path.write_text(
        "\n".join(",".join("" if np.isnan(v) else f"{v:.2f}" for v in row) for row in values) + "\n"
    )
    return path


def _outer(truth: frozenset[tuple[int, ...]], pu: int) -> int:
    return next(at for at, group in enumerate(sorted(truth)) if pu in group)


def test_infer_prints_levels_and_why(capsys: pytest.CaptureFixture[str], matrix: Path) -> None:
    """Each level has a row with its members; the reason for it stands on stderr."""
    code, out, err = run(capsys, "infer", str(matrix))
    assert code == 0
    assert "2 levels in the latency of 24 PUs" in out
    assert "0-1 | 2-3 | 4-5" in out and "0-11 | 12-23" in out
    assert "standard errors" in err


def test_infer_json_has_groups_by_os_index(
    capsys: pytest.CaptureFixture[str], matrix: Path
) -> None:
    """JSON alone stands on stdout: kinds, groups, latencies and confidences."""
    code, out, _err = run(capsys, "infer", str(matrix), "--json")
    told = json.loads(out)
    assert code == 0 and not told["graded"]
    assert [level["kind"] for level in told["levels"]] == ["core", "l3"]
    assert told["levels"][0]["groups"] == [[2 * k, 2 * k + 1] for k in range(12)]
    assert told["levels"][1]["groups"] == [list(range(12)), list(range(12, 24))]
    assert told["levels"][1]["latency_ns"] == pytest.approx(30, rel=0.03)
    assert told["levels"][1]["outside_ns"] == pytest.approx(110, rel=0.03)
    assert all(level["confidence"] >= 0.9 for level in told["levels"])


def test_infer_stores_what_it_is_sure_of(capsys: pytest.CaptureFixture[str], matrix: Path) -> None:
    """--name keeps the latencies and adds the structure as measured facts that say how sure."""
    assert run(capsys, "infer", str(matrix), "--name", "found")[0] == 0
    shown = json.loads(run(capsys, "show", "found", "--json")[1])
    assert (shown["counts"]["pu"], shown["counts"]["core"], shown["counts"]["l3"]) == (24, 12, 2)
    facts = json.loads(run(capsys, "facts", "found", "contains", "--json")[1])
    assert {"contains", "measured"} == {f["predicate"] for f in facts} | {
        f["source"] for f in facts
    }
    assert len(json.loads(run(capsys, "facts", "found", "latency", "--json")[1])) == 24 * 23
    assert "inferred from latency (confidence 0." in run(capsys, "facts", "found", "contains")[1]


def test_infer_leaves_out_what_is_not_sure_enough(
    capsys: pytest.CaptureFixture[str], matrix: Path
) -> None:
    """Nothing reaches confidence 1: the PUs then lie flat, and a note says what was left out."""
    assert run(capsys, "infer", str(matrix), "--name", "flat", "--confidence", "1")[0] == 0
    shown = json.loads(run(capsys, "show", "flat", "--json")[1])
    assert (shown["counts"]["pu"], shown["counts"]["core"]) == (24, 0)
    assert any("left out: confidence" in note for note in shown["notes"])


def test_infer_compares_with_a_description(
    capsys: pytest.CaptureFixture[str], matrix: Path, tmp_path: Path
) -> None:
    """--against says which objects each level matches, and names the PUs that differ."""
    stated = tmp_path / "box.toml"
    stated.write_text(STATED)
    code, out, _err = run(capsys, "infer", str(matrix), "--against", str(stated))
    assert code == 0
    assert "core: 12 of 12 core objects of box" in out
    assert "l3: 2 of 2 l3 objects of box" in out
    stated.write_text(STATED.replace("package:2 l3:1 core:6", "package:3 l3:1 core:4"))
    code, out, _err = run(capsys, "infer", str(matrix), "--against", str(stated), "--json")
    told = json.loads(out)["agreement"]
    assert (code, told[0]["same"], told[0]["differ"]) == (0, 12, [])
    assert (told[1]["same"], told[1]["differ"]) == (0, list(range(24)))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["infer", "odroid-n2"], "states no latency between PUs"),
        (["infer", "nosuch.csv"], "there is no machine or file"),
        (["infer", "MATRIX", "--cost", "round_trip"], "it states latency"),
        (["infer", "MATRIX", "--cost", "speed"], "it states latency"),
        (["infer", "MATRIX", "--against", "nosuch"], "there is no machine or file"),
    ],
)
def test_infer_bad_input_is_one_line(
    capsys: pytest.CaptureFixture[str], matrix: Path, arguments: list[str], words: str
) -> None:
    """What is wrong is said on stderr, and stdout stays empty."""
    words_typed = [str(matrix) if word == "MATRIX" else word for word in arguments]
    code, out, err = run(capsys, *words_typed)
    assert (code, out) == (2, "")
    assert words in err and "Traceback" not in err

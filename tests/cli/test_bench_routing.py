"""`skb bench routing`: rows, targets, judges, and the tables that it reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skb.benching import routing_judge, routing_links, routing_trees
from skb.benching.pair_tables import subjects
from skb.benching.routing import SUITES, Case
from skb.benching.routing_rows import Published
from skb.benching.routing_trees import Bench, general, group_of, seconds_for
from skb.cli.main import main
from skb.decision import Decision, Limits, Objective, Status
from skb.errors import DescriptionError
from skb.machine import Machine
from skb.questions.links import decide as decide_links
from skb.questions.route import decide
from skb.resources import measured_tables
from tests.machines import bundled, shared

BRIE = str(measured_tables() / "brie")
Plain = dict[str, Any]


@pytest.fixture(autouse=True)
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip what is compiled before times are taken: no time counts here."""
    monkeypatch.setattr("skb.benching.routing.warm", lambda: None)


def bench(capsys: pytest.CaptureFixture[str], *words: str) -> list[Plain]:
    """Return the rows of a run that finds no fault."""
    assert main(["bench", "routing", *words, "--json"]) == 0
    found: list[Plain] = json.loads(capsys.readouterr().out)["rows"]
    return found


def unknown(name: str) -> Machine:
    """Stand for a store that knows no machine."""
    raise AssertionError(f"{name} was looked up by name")


def tables(folder: Path, size: int, series: str = "", cost: int = 100) -> None:
    """Write a send and a receive table, the costs growing with the distance."""
    folder.mkdir(parents=True, exist_ok=True)
    for role, unit in (("send", cost), ("receive", 2 * cost)):
        rows = [f"{u} {v} {unit + abs(u - v)}" for u in range(size) for v in range(size) if u != v]
        (folder / f"{role}{series}.txt").write_text("\n".join(rows) + "\n")


# ------------------------------------------------------------ suites
def test_bench_routing_prints_a_row_for_each_operation(capsys: pytest.CaptureFixture[str]) -> None:
    """Value, bound, target and the best classic tree of a small machine, each proven."""
    assert main(["bench", "routing", "--suite", "trees", BRIE]) == 0
    shown = capsys.readouterr().out
    rows = [line for line in shown.splitlines() if line.startswith("yes")]
    assert len(rows) == 3
    assert "319.05" in rows[0] and "brie broadcast, cycles; <= 319.05, proven" in rows[0]
    assert "3 of 3 rows meet their targets" in shown


def test_bench_routing_first_answers_are_measured_by_the_best_bound(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each stands beside the bound that is known at the end."""
    rows = bench(capsys, "--suite", "first", BRIE)
    assert [row["met"] for row in rows] == [True] * 3
    assert rows[0]["target"] == "within 10% of bound 319.0"
    machines = subjects([BRIE], unknown)
    known = Bench(machines, bounds={(machines[0].machine.digest, "broadcast"): 100.0})
    known.learn((machines[0].machine.digest, "broadcast"), 280.0)
    row = next(SUITES["first"](known))[1]()
    assert row.misses == ()
    assert known.bounds[machines[0].machine.digest, "broadcast"] == row.value


def test_bench_routing_groups_are_drawn_in_three_ways(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 13 cores there are three groups of 12; a draw repeats."""
    tables(tmp_path / "thirteen", 13)
    rows = bench(capsys, "--suite", "groups", "--limit", "0.3", str(tmp_path))
    assert [row["case"] for row in rows] == [
        *("thirteen 12 first", "thirteen 12 spread", "thirteen 12 random")
    ]
    found = group_of(range(0, 96, 2), 16)
    assert found == group_of(range(0, 96, 2), 16)
    assert found["first"] == list(range(0, 32, 2)) and found["spread"] == list(range(0, 96, 6))
    assert all(len(set(group)) == 16 and group == sorted(group) for group in found.values())


def test_bench_routing_large_machines_get_a_bound(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Part of the synthetic machine, and nothing of a small one."""
    monkeypatch.setattr(routing_trees, "SYNTHETIC_SIZES", (70,))
    (row,) = bench(capsys, "--suite", "large", "--limit", "0.5", BRIE)
    assert row["case"] == "mesh-1024 70 PUs" and row["unit"] == "ns"
    assert 0 < row["bound"] <= row["value"]


def test_bench_routing_measured_broadcasts_stand_beside_predictions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where sending one by one was measured worst, no star is decided, and nothing dearer."""
    (row,) = bench(capsys, "--suite", "measured", "--limit", "1", "tomme")
    assert row["target"] == "<= each of 3 measured trees, no star"
    assert not [text for text in row["misses"] if not text.startswith("took")]
    assert "sequential -2%" in row["note"]


def test_bench_routing_links_have_the_figures_of_known_interconnects(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The board's ports, tables that are and that cannot be, a torus at its bound."""
    known = {name: routing_links.KNOWN[name] for name in ("board", "square")}
    monkeypatch.setattr(routing_links, "KNOWN", known)
    monkeypatch.setattr(routing_links, "GRIDS", {"torus4x4": (8, None)})
    monkeypatch.setattr(routing_links, "RANDOM", {"regular3x8": 1})
    rows = bench(capsys, "--suite", "links")
    assert all(not row["misses"] or row["misses"][0].startswith("took") for row in rows)
    by = {row["case"]: row for row in rows}
    assert by["tyan-s4985 ports"]["target"].startswith("all 24 ports used, load 8, diameter 3")
    assert by["board, 1 channel"]["status"] == "infeasible"
    assert by["torus4x4"]["value"] == 8
    assert by["regular3x8, seed 0"]["target"] == "least channels proven"
    wrong = replace(routing_links.KNOWN["square"], load=3, mean=1.5)
    monkeypatch.setattr(routing_links, "KNOWN", {**known, "square": wrong})
    by = {row["case"]: row for row in bench(capsys, "--suite", "links")}
    assert by["square, 2 channels"]["misses"] == ["load 2, not 3; mean 1.0, not 1.5"]


# ------------------------------------------------------------ judges
def later(found: Decision) -> Decision:
    """Claim a picosecond more than the tree takes."""
    return replace(
        found, answer={**found.answer, "completion_ps": found.answer["completion_ps"] + 1}
    )


def bounded(found: Decision) -> Decision:
    """Claim a bound that the decided and the classic trees are below."""
    return replace(found, bound=(found.objective.value or 0) * 3)


@pytest.mark.parametrize(("lie", "words"), [(later, "completion"), (bounded, "below the bound")])
def test_bench_routing_ends_with_1_where_a_tree_is_told_wrong(
    lie: Callable[[Decision], Decision],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A planted fault is named on stderr, with its row."""

    def lying(machine: Machine, request: Plain, limits: Limits) -> Decision:
        return lie(decide(machine, request, limits))

    monkeypatch.setattr(routing_trees, "decide", lying)
    assert main(["bench", "routing", "--suite", "trees", BRIE]) == 1
    told = capsys.readouterr()
    assert "wrong: trees brie broadcast: " in told.err
    assert words in told.err
    assert "0 of 3 rows meet" in told.out


@pytest.mark.parametrize("judge", ["closed", "run"])
def test_bench_routing_judges_agree_to_the_picosecond(
    judge: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One picosecond beside is a fault, for the closed forms as for the simulated run."""
    board = bundled("tyan-s4985")
    request = {"members": [0, 1, 5, 9], "operation": "barrier"}
    found = decide(board, request, Limits(seconds=1))
    assert routing_judge.faults(board, found) == []
    exact = found.answer["completion_ps"]
    monkeypatch.setattr(routing_judge, judge, lambda *_asked: exact + 1)
    (told,) = routing_judge.faults(board, found)
    assert f"at {exact + 1} ps" in told


def test_bench_routing_ends_with_1_where_a_table_is_told_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The checker walks each table and counts its loads again."""
    monkeypatch.setattr(routing_links, "KNOWN", {"square": routing_links.KNOWN["square"]})
    monkeypatch.setattr(routing_links, "GRIDS", {})
    monkeypatch.setattr(routing_links, "RANDOM", {})
    monkeypatch.setattr(routing_links, "_ports", lambda _bench: (_ for _ in ()).throw(OSError("x")))

    def lying(machine: Machine, request: Plain, limits: Limits) -> Decision:
        found = decide_links(machine, request, limits)
        return replace(found, objective=Objective("maximum link load", 1.0, "pairs"), bound=1.0)

    monkeypatch.setattr(routing_links, "decide", lying)
    assert main(["bench", "routing", "--suite", "links"]) == 1
    told = capsys.readouterr().err
    assert "wrong: links square, 1 channel: " in told
    assert "wrong: links tyan-s4985 ports: OSError: x" in told


def test_bench_routing_tells_a_refusal_and_goes_on() -> None:
    """A request that is refused is a missed target, not the end of the run."""

    def refused() -> Any:
        raise DescriptionError("no good")

    row = Case("trees", "x", refused).row()
    assert row.misses == ("no good",) and row.faults == () and not row.met


# ------------------------------------------------------------ targets
def test_bench_routing_targets_are_met_within_their_last_cycle() -> None:
    """A whole number is met within that cycle, another to a hundredth; a bound must be reached."""
    found = Decision(
        "route", "m", 0, Status.FEASIBLE, Objective("completion", 1710.9, "ns"), {}, bound=1700.0
    )
    whole = Published(1710, 1705.0)
    assert [miss for _text, miss in whole.checks(found)] == ["", "the bound is below 1,705"]
    over = replace(found, objective=Objective("completion", 1711.0, "ns"))
    assert whole.checks(over)[0][1] == "the value is above 1,710"
    assert Published(1710.91).checks(found)[0][1] == ""
    assert Published(1710.88, proven=True).checks(found)[0][1] != ""
    assert Published(1710.9, proven=True).checks(found)[1] == ("proven", "not proven")


@pytest.mark.parametrize(
    ("size", "text"), [(14, "proven"), (16, "proven"), (17, "gap <= 1.5%"), (48, "gap <= 2.5%")]
)
def test_bench_routing_general_targets_go_by_size(size: int, text: str) -> None:
    """Any machine: proven up to 16 cores, near its bound up to 48, nothing above."""
    found = Decision(
        "route", "m", 0, Status.FEASIBLE, Objective("completion", 103.0, "ns"), {}, bound=100.0
    )
    ((told, miss),) = general(found, size)
    assert told == text and miss
    assert general(found, 49) == []


def test_bench_routing_seconds_go_by_size() -> None:
    """One second up to 14 cores, five up to 16, a proof's minutes up to 20."""
    assert [seconds_for(size, "reduce") for size in (14, 16, 20, 21)] == [1.0, 5.0, 600.0, 60.0]
    assert Bench((), 0.5).seconds(60.0) == 0.5
    assert Bench((), 90.0).seconds(60.0) == 60.0


# ------------------------------------------------------------ refusals
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--suite", "forest"], "there is no suite 'forest'"),
        (["nowhere/at-all"], "there is no machine or file 'nowhere/at-all'"),
        (["--suite", "links", BRIE], "has interconnects of its own"),
        (["--suite", "measured", BRIE], "no machine here fits"),
        ([str(Path(__file__).parent)], "there are no tables of pairs here"),
        ([__file__], "test_bench_routing.py"),
    ],
)
def test_bench_routing_refuses_what_it_does_not_know(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the mistake, and the exit code of bad input."""
    assert main(["bench", "routing", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("skb: error: ") and told in line


@pytest.mark.parametrize(
    "words", [["bench", "route"], ["bench", "routing", "--engines", "skb"],
              ["bench", "routing", "--limit", "0"], ["bench", "placement", "--db"]]
)  # fmt: skip
def test_bench_refuses_questions_and_options_that_it_lacks(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each benchmark has its own options; those of the other one are named as unknown."""
    assert main(words) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("Error: ")


# ------------------------------------------------------------ tables
def test_bench_routing_tables_need_no_index(tmp_path: Path) -> None:
    """Files that differ in their role alone belong together; several are several machines."""
    tables(tmp_path / "one", 3)
    tables(tmp_path / "two", 4, "_a")
    tables(tmp_path / "two", 5, "_b")
    (tmp_path / "two" / "send_c.txt").write_text("0 1 5\n1 0 5\n")
    found = subjects([str(tmp_path)], unknown)
    assert [(one.name, one.size) for one in found] == [
        *(("one", 3), ("two/send_a.txt", 4), ("two/send_b.txt", 5))
    ]
    (by_file,) = subjects([str(tmp_path / "one" / "receive.txt")], unknown)
    assert by_file.machine.facts == found[0].machine.facts
    (tmp_path / "one" / "send.txt").write_text("0 1 7\n1 0 7\n2 0 7\n")
    (partly,) = subjects([str(tmp_path / "one")], unknown)
    assert "send.txt: 3 of 6 ordered pairs are not measured" in partly.notes


def test_bench_routing_index_chooses_the_primary_series(tmp_path: Path) -> None:
    """The index says which tables, which NUMA nodes, which unit; results stand beside it."""
    tables(tmp_path / "m", 4, "_slow", 900)
    tables(tmp_path / "m", 4, "_fast", 10)
    series = {key: {role: f"m/{role}_{key}.txt" for role in ("send", "receive")}
              for key in ("slow", "fast")}  # fmt: skip
    entry: Plain = {"numa": [[0, 2], [1, 3]], "primary": "fast", "series": series}
    (tmp_path / "machines.json").write_text(json.dumps({"m": entry}))
    results = {"m": {"hw_cycles": {"sequential": [50, 1], "badtree": [9, 1], "bintree": "?"}}}
    (tmp_path / "hardware_results_1.json").write_text(json.dumps(results))
    (one,) = subjects([str(tmp_path / "m")], unknown)
    assert one.took == {"sequential": 50.0} and one.unit == "cycles"
    assert one.machine.numa_of_pu[2] == one.machine.numa_of_pu[0] != one.machine.numa_of_pu[1]
    sends = [f.args[-1] for f in one.machine.facts if "send" in f.args]
    assert min(float(str(cost)) for cost in sends) == 11
    (tmp_path / "m" / "ab-bench.csv").write_text("algorithm,fibonacci\nab,0.75\n")
    entry["numa"] = [[0], [1, 2, 3]]
    (tmp_path / "machines.json").write_text(json.dumps({"m": entry}))
    (flat,) = subjects([str(tmp_path)], unknown)
    assert flat.took == {"sequential": 50.0, "fibonacci": 750.0}
    assert flat.machine.counts["numa"] == 0


@pytest.mark.parametrize(
    "text",
    ["[]", "{", "{}", '{"m": 3}', '{"m": {"series": {}}}', '{"m": {"series": {"a": {"send": 3}}}}',
     '{"m": {"series": {"a": {"send": "x", "receive": "y"}}}}', '{"m": {"numa": 5, "series": {}}}'],
)  # fmt: skip
def test_bench_routing_refuses_an_index_that_it_cannot_read(tmp_path: Path, text: str) -> None:
    """Each is one clear error that names the index or the table."""
    (tmp_path / "machines.json").write_text(text)
    with pytest.raises(DescriptionError) as told:
        subjects([str(tmp_path)], unknown)
    assert str(tmp_path) in told.value.place


def test_bench_routing_bundles_the_six_measured_machines() -> None:
    """Each with every ordered pair in both roles, by NUMA node; five with measured broadcasts."""
    found = {one.name: one for one in subjects([], unknown)}
    sizes = {"brie": 4, "tomme": 16, "intel_xeon_e5_v2_2x10": 20, "ziger": 24, "gruyere": 32}
    assert {name: one.size for name, one in found.items()} == {**sizes, "appenzeller": 48}
    for one in found.values():
        pairs = [fact for fact in one.machine.facts if fact.predicate == "message_cost"]
        assert len(pairs) == 2 * one.size * (one.size - 1)
        assert one.unit == "cycles" and one.machine.counts["numa"] > 1
    assert {name for name, one in found.items() if one.took} == {*found} - {"brie"}


def test_bench_routing_bundled_tables_are_those_of_their_authors() -> None:
    """Byte copies of the tables that lie beside the checkout."""
    home = measured_tables()
    names = [path.relative_to(home) for path in home.glob("*/*")]
    assert len(names) == 14
    for name in names:
        assert (home / name).read_bytes() == shared(f"smelt/{name}").read_bytes()

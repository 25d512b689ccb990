"""Sweeps: every combination once, the same rows whoever runs them, and nothing twice."""

from __future__ import annotations

import itertools
import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from skb import sweeping_told
from skb.errors import RequestError, SkbError
from skb.knowledge import decide
from skb.sweeping import Plan, Value, plan, read_vary
from skb.sweeping_files import Kept, columns, digest, table
from skb.sweeping_pools import cluster, here, processes, tasks
from skb.sweeping_runs import RESULTS, Done, Task, run_afar, run_on, sources_hash
from skb.sweeping_told import curves, on_engines, summary, sweep
from tests.machines import bundled

RAW: Mapping[str, Any] = {
    "machine": "tyan-s4985",
    "protocol": "two-phase-commit",
    "members": [0, 4, 8, 12, 16],
    "root": 0,
    "route": "binary",
    "operations": 6,
    "outstanding": 2,
    "conflict_per_mille": 400,
}
VARY: Mapping[str, Sequence[Value]] = {"route": ["binary", "sequential"], "outstanding": [1, 3]}


def planned(seeds: int = 3, vary: Mapping[str, Sequence[Value]] = VARY, **changed: object) -> Plan:
    """Return a sweep over the 2009 board."""
    return plan({**RAW, **changed}, vary, seeds, bundled, decide)


def rows_of(wanted: Plan, path: Path | None = None) -> Kept:
    """Do a sweep in this process."""
    kept = Kept(wanted, path)
    sweep(wanted, kept)
    return kept


def test_sweep_has_every_combination_and_seed_once() -> None:
    """The product of what is varied and the seeds, each with a key of its own."""
    wanted = planned()
    found = {(*wanted.points[run.point].values.values(), run.seed) for run in wanted.runs}
    assert found == set(itertools.product(["binary", "sequential"], [1, 3], range(3)))
    assert len({run.key for run in wanted.runs}) == len(wanted.runs) == 12
    assert {point.scenario.outstanding for point in wanted.points} == {1, 3}


def test_sweep_decides_each_route_once() -> None:
    """What varies the load alone does not ask for the route again."""
    asked = []

    def counted(question: str, *rest: Any) -> Any:
        asked.append(question)
        return decide(question, *rest)

    vary: Mapping[str, Sequence[Value]] = {"outstanding": [1, 2, 3], "members": [3, 4]}
    found = plan({**RAW, "route": "decided"}, vary, 5, bundled, counted)
    assert asked == ["route", "route"]
    assert {len(point.scenario.tree.members) for point in found.points} == {3, 4}


def test_sweep_ships_plain_values() -> None:
    """A scenario that was pickled gives the same rows."""
    wanted = planned(engine="plain")
    scenarios = [point.scenario for point in wanted.points]
    task: Task = ((0, 7), (3, 1))
    assert run_on(pickle.loads(pickle.dumps(scenarios)), task) == run_on(scenarios, task)


def test_sweep_gives_the_same_rows_on_processes_and_in_any_order() -> None:
    """Two workers, or tasks in reverse: the digest is that of one process."""
    wanted = planned()
    alone = digest(wanted, rows_of(wanted).rows)
    kept = Kept(wanted, None)
    assert sweep(wanted, kept, processes(2), 2) == len(wanted.runs)
    assert digest(wanted, kept.rows) == alone

    def reversed_(scenarios: Any, work: Sequence[Task]) -> Iterator[Done]:
        yield from here(scenarios, [tuple(reversed(task)) for task in reversed(work)])

    other = Kept(wanted, None)
    sweep(wanted, other, reversed_, 3)
    assert digest(wanted, other.rows) == alone


def test_sweep_rows_do_not_depend_on_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are the same on each engine, and so are the rows where numba can compile."""
    first = planned(2, {"outstanding": [1, 3]})
    plain = planned(2, {"outstanding": [1, 3]}, engine="plain")
    assert [run.key for run in first.runs] == [run.key for run in plain.runs]
    expected = digest(plain, rows_of(plain).rows)
    # "auto" takes the compiled engine where it is there; nothing here waits for a compiler
    monkeypatch.setattr(sweeping_told, "COMPILED_FROM", 1)
    monkeypatch.setattr("simulator.engines.WORTH", 1)
    assert digest(first, rows_of(first).rows) == expected


def test_sweep_takes_the_compiled_engine_where_runs_are_worth_it() -> None:
    """Many long runs do, a few short ones do not, and what was asked for stays."""
    short = planned(1)
    assert {s.engine for s in on_engines(short, short.runs, 1)} == {"plain"}
    long = planned(2, {"outstanding": [1, 2]}, operations=20_000)
    assert {s.engine for s in on_engines(long, long.runs, 1)} == {"auto"}
    plain = planned(2, {"outstanding": [1, 2]}, operations=20_000, engine="plain")
    assert {s.engine for s in on_engines(plain, plain.runs, 1)} == {"plain"}


def test_sweep_digest_tells_other_rows_apart() -> None:
    """Another number of conflicts makes other rows and other keys."""
    first, second = planned(), planned(conflict_per_mille=0)
    assert {run.key for run in first.runs}.isdisjoint(run.key for run in second.runs)
    assert digest(first, rows_of(first).rows) != digest(second, rows_of(second).rows)


@pytest.mark.filterwarnings("ignore")
def test_sweep_on_a_cluster_gives_the_same_rows() -> None:
    """The same sweep on a local cluster of dask with two workers."""
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    wanted = planned()
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
    ) as local:
        kept = Kept(wanted, None)
        sweep(wanted, kept, cluster(local.scheduler_address), 2)
    assert digest(wanted, kept.rows) == digest(wanted, rows_of(wanted).rows)


def test_sweep_refuses_workers_with_other_sources() -> None:
    """Their rows would be of other runs."""
    wanted = planned(1, engine="plain")
    scenarios = [point.scenario for point in wanted.points]
    assert run_afar(scenarios, ((0, 0),), sources_hash()) == run_on(scenarios, ((0, 0),))
    with pytest.raises(SkbError, match="another version"):
        run_afar(scenarios, ((0, 0),), "0" * 64)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_sweep_goes_on_where_its_rows_end(tmp_path: Path, suffix: str) -> None:
    """More seeds run only what is new, and the file reads back as it was written."""
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    path = tmp_path / f"runs{suffix}"
    rows_of(planned(2), path)
    more = planned(3)
    kept = Kept(more, path)
    assert len(kept.rows) == 8
    assert sweep(more, kept) == 4
    again = Kept(more, path)
    assert again.rows == kept.rows == rows_of(more).rows
    assert sweep(more, again) == 0
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


def test_sweep_that_was_interrupted_keeps_what_it_had(tmp_path: Path) -> None:
    """Rows of finished tasks are in the journal; a line that was cut off is run again."""
    path = tmp_path / "runs.csv"
    wanted = planned()

    def broken(scenarios: Any, work: Sequence[Task]) -> Iterator[Done]:
        yield from itertools.islice(here(scenarios, work), 1)
        raise KeyboardInterrupt

    kept = Kept(wanted, path)
    with pytest.raises(KeyboardInterrupt):
        sweep(wanted, kept, broken, 1)
    assert not path.exists()
    journal = path.with_name("runs.csv.part")
    had = len(journal.read_text().splitlines())
    assert 1 < had < len(wanted.runs)
    journal.write_text(journal.read_text()[:-9])
    resumed = Kept(wanted, path)
    assert len(resumed.rows) == had - 1
    sweep(wanted, resumed)
    assert resumed.rows == rows_of(wanted).rows
    assert not journal.exists()


def test_sweep_keeps_rows_of_other_runs(tmp_path: Path) -> None:
    """Fewer seeds than before throw nothing away, and are told apart from the rest."""
    path = tmp_path / "runs.csv"
    rows_of(planned(3), path)
    fewer = planned(1)
    kept = rows_of(fewer, path)
    assert (len(kept.rows), kept.foreign) == (4, 8)
    assert len(path.read_text().splitlines()) == 1 + 12
    assert len(Kept(planned(3), path).rows) == 12


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("runs.txt", "", "not CSV or Parquet"),
        ("runs.csv", "a,b\n1,2\n", "other columns: a, b"),
        ("runs.csv", "a,b\n1\n", "not as many cells"),
    ],
)
def test_sweep_refuses_a_file_that_is_no_sweep(
    tmp_path: Path, name: str, text: str, told: str
) -> None:
    """Nothing is overwritten that was something else."""
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SkbError, match=told):
        Kept(planned(1), path)
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["outstanding"], "cannot read 'outstanding'"),
        (["outstanding="], "cannot read"),
        (["outstanding=1", "outstanding=2"], "varied twice"),
        (["nothing=1"], "'nothing' cannot be varied"),
        (["seed=1,2"], "'seed' cannot be varied"),
        (["members=2,99"], "members=99"),
        (["members=some"], "members='some'"),
        (["rate_per_s=0"], "rate of 0"),
        (["protocol=gossip"], "gossip"),
        (["outstanding=x"], "outstanding"),
    ],
)
def test_sweep_names_what_cannot_be_varied(texts: list[str], told: str) -> None:
    """The error has the word that the user typed."""
    with pytest.raises(RequestError, match=told):
        planned(1, read_vary(texts))


def test_sweep_of_a_rate_is_one_of_intervals() -> None:
    """A million operations per second are one every microsecond."""
    found = planned(1, {"rate_per_s": [1e6, 2e6]})
    assert [point.scenario.interval_ps for point in found.points] == [1_000_000, 500_000]


def test_sweep_summary_averages_over_seeds() -> None:
    """Counts are sums and times are means of the rows of a point."""
    wanted = planned(4)
    kept = rows_of(wanted)
    rows = summary(wanted, kept.rows)
    at = columns(wanted).index("mean_ns")
    mine = [row for row in table(wanted, kept.rows) if row[1:3] == ["sequential", 3]]
    told = next(row for row in rows if row["route"] == "sequential" and row["outstanding"] == 3)
    assert told["mean_ns"] == pytest.approx(sum(float(str(row[at])) for row in mine) / 4)
    assert (told["runs"], told["completed"]) == (4, 4 * RAW["operations"])


def test_sweep_curves_run_along_the_number_that_is_varied() -> None:
    """A line per route, its points ascending; without a number there is nothing to draw."""
    wanted = planned(1, {"outstanding": [4, 1, 2], "route": ["binary", "sequential"]})
    along, lines = curves(wanted, summary(wanted, rows_of(wanted).rows))
    assert along == "outstanding" and set(lines) == {"binary", "sequential"}
    assert [row["outstanding"] for row in lines["binary"]] == [1, 2, 4]
    words = planned(1, {"route": ["binary"]})
    with pytest.raises(ValueError, match="no number"):
        curves(words, summary(words, rows_of(words).rows))


def test_sweep_tasks_hold_every_run_once() -> None:
    """Slow runs go one by one, fast ones together, and every worker has something to do."""
    runs = planned(50).runs
    for seconds in (1.0, 0.01, 1e-6):
        cut = tasks(runs, 2, seconds)
        assert [pair for task in cut for pair in task] == [(run.point, run.seed) for run in runs]
    assert len(tasks(runs, 2, 1.0)) == len(runs)
    assert 2 <= len(tasks(runs, 2, 1e-6)) < len(runs)


def test_sweep_rows_have_the_columns_of_the_results() -> None:
    """What a run gives is what the columns say."""
    wanted = planned(1, engine="plain")
    [(_, _, cells), *_] = run_on([point.scenario for point in wanted.points], ((0, 0),))
    row = dict(zip(RESULTS, cells, strict=True))
    assert all(isinstance(row[name], kind) for name, kind in RESULTS.items())
    assert row["completed"] == RAW["operations"] and row["violations"] == 0
    assert json.loads(json.dumps(row)) == row

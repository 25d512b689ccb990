"""Rows of a sweep on disk: CSV always, Parquet where pyarrow is installed.

While a sweep runs, finished rows are appended to a journal beside the file, so that a sweep that
was interrupted, or one with more seeds or values, goes on where the rows end.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from skb.errors import SkbError
from skb.sweeping import Plan
from skb.sweeping_runs import RESULTS, Cell

KEY, SEED = "key", "seed"
JOURNAL = ".part"
PARQUET = ".parquet"
SUFFIXES = (".csv", PARQUET)
Rows = dict[str, tuple[Cell, ...]]
"""The cells of RESULTS by the key of their run."""


def columns(plan: Plan) -> list[str]:
    """Return the columns of a sweep's file."""
    return [KEY, *plan.names, SEED, *RESULTS]


def table(plan: Plan, rows: Rows) -> list[list[Cell]]:
    """Return the rows of a plan in its order, those that are there."""
    return [
        [run.key, *plan.points[run.point].values.values(), run.seed, *rows[run.key]]
        for run in plan.runs
        if run.key in rows
    ]


def digest(plan: Plan, rows: Rows) -> str:
    """Return the SHA-256 of the rows of a plan, sorted by key: the same whoever did the runs."""
    lines = sorted(table(plan, rows), key=lambda row: str(row[0]))
    return hashlib.sha256(_text(columns(plan), lines).encode()).hexdigest()


class Kept:
    """The file of a sweep and its journal.

    `foreign` counts rows in the file that belong to no run of the plan; they stay in it. Raises
    `SkbError` where the file cannot be read or written, or has other columns.
    """

    def __init__(self, plan: Plan, path: Path | None) -> None:
        """Read what is there."""
        self._plan, self._path = plan, path
        self.rows: Rows = {}
        self._others: list[list[Cell]] = []
        if path is None:
            return
        if path.suffix not in SUFFIXES:
            raise SkbError(f"{path.suffix or 'no suffix'}: not CSV or Parquet", place=str(path),
                           mend="name it runs.csv or runs.parquet")  # fmt: skip
        if path.suffix == PARQUET:
            _pyarrow(path)
        ours = {run.key for run in plan.runs}
        try:
            for row in _read(path, columns(plan)):
                if row[0] in ours:
                    self.rows[str(row[0])] = tuple(row[-len(RESULTS) :])
                else:
                    self._others.append(row)
            self._read_journal(ours)
        except (OSError, ValueError, csv.Error) as fault:
            raise SkbError(
                f"cannot be read: {fault}", place=str(path), mend="give another --out FILE"
            ) from fault

    @property
    def foreign(self) -> int:
        """Rows of other runs that the file has, too."""
        return len(self._others)

    def add(self, rows: Mapping[str, Sequence[Cell]]) -> None:
        """Take in finished rows, and append them to the journal."""
        self.rows.update({key: tuple(row) for key, row in rows.items()})
        if self._path is not None:
            lines = "".join(f"{json.dumps([key, *row])}\n" for key, row in rows.items())
            try:
                with self._journal.open("a", encoding="utf-8") as file:
                    file.write(lines)
            except OSError as fault:
                raise _unwritten(self._journal, fault) from fault

    def close(self) -> None:
        """Write the file whole, in the order of the plan, and drop the journal."""
        if self._path is None:
            return
        rows = [*table(self._plan, self.rows), *self._others]
        new = self._path.with_name(self._path.name + ".new")
        try:
            if self._path.suffix == PARQUET:
                _write_parquet(new, columns(self._plan), rows)
            else:
                new.write_text(_text(columns(self._plan), rows), encoding="utf-8")
            new.replace(self._path)
            self._journal.unlink(missing_ok=True)
        except OSError as fault:
            raise _unwritten(self._path, fault) from fault

    @property
    def _journal(self) -> Path:
        assert self._path is not None
        return self._path.with_name(self._path.name + JOURNAL)

    def _read_journal(self, ours: set[str]) -> None:
        """Take in the whole lines of a journal; a last one that was cut off is run again."""
        if not self._journal.exists():
            return
        for line in self._journal.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, list) and len(row) == 1 + len(RESULTS) and row[0] in ours:
                self.rows[row[0]] = tuple(row[1:])


def _unwritten(path: Path, fault: OSError) -> SkbError:
    return SkbError(
        f"cannot be written: {fault.strerror}", place=str(path), mend="give another --out FILE"
    )


def _read(path: Path, wanted: list[str]) -> Iterable[list[Cell]]:
    """Return the rows of a file; raises `ValueError` where its columns are others."""
    if not path.exists():
        return []
    if path.suffix == PARQUET:
        found = _pyarrow(path).read_table(path)
        names, rows = found.column_names, [list(row.values()) for row in found.to_pylist()]
    else:
        with path.open(newline="", encoding="utf-8") as file:
            names, *texts = list(csv.reader(file)) or [[]]
        if any(len(row) != len(names) for row in texts):
            raise ValueError("a row has not as many cells as there are columns")
        rows = texts
    if names != wanted:
        raise ValueError(f"it has other columns: {', '.join(names)}")
    return rows if path.suffix == PARQUET else [_typed(row) for row in rows]


def _typed(row: list[str]) -> list[Cell]:
    kinds = RESULTS.values()
    first = len(row) - len(RESULTS)
    results = [
        None if text == "" and kind is float else kind(text)
        for kind, text in zip(kinds, row[first:], strict=True)
    ]
    return [*row[:first], *results]


def _text(names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return CSV; a float is written so that it reads back as the same number."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return out.getvalue()


def _write_parquet(path: Path, names: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    import pyarrow

    stored = {
        name: _column([row[at] for row in rows], RESULTS.get(name)) for at, name in enumerate(names)
    }
    _pyarrow(path).write_table(pyarrow.table(stored), path)


def _column(values: list[Cell], kind: type[Any] | None) -> Any:
    """Return a column of one type: what is varied may mix numbers and words."""
    import pyarrow

    kinds = {type(value) for value in values if value is not None} if kind is None else {kind}
    if kinds == {int}:
        return pyarrow.array(values, pyarrow.int64())
    if kinds == {bool}:
        return pyarrow.array(values, pyarrow.bool_())
    if kinds <= {int, float}:
        return pyarrow.array(values, pyarrow.float64())
    texts = [None if value is None else str(value) for value in values]
    return pyarrow.array(texts, pyarrow.string())


def _pyarrow(path: Path) -> Any:
    try:
        from pyarrow import parquet
    except ImportError as fault:
        raise SkbError(
            "pyarrow is not installed", place=str(path),
            mend="install skb[sweep], or name the file .csv",
        ) from fault  # fmt: skip
    return parquet

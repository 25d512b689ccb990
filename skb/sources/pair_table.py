"""A table of measured numbers for ordered pairs of PUs: from text to facts, whatever its layout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from skb.errors import DescriptionError, TooLargeError
from skb.relations import Fact, Source, Value
from skb.sources.description import TableOptions
from skb.sources.table_text import PAIR_LIMIT, PU_LIMIT
from skb.wording import counted

ROOT = "machine:0"
# beyond this the dense matrix that the checks look at costs more than it tells
_DENSE_LIMIT = 1024
_UNITS = ("ns", "cycles")


@dataclass(frozen=True, slots=True)
class PairTable:
    """Numbers by ordered pair: entry k goes from `pus[rows[k]]` to `pus[columns[k]]`.

    `spread` is NaN and `samples` 0 where the table has none; both as values in the table's unit.
    """

    place: str
    pus: tuple[int, ...]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float64]
    spread: NDArray[np.float64]
    samples: NDArray[np.int64]
    notes: tuple[str, ...] = ()

    @property
    def by(self) -> str:
        return PurePath(self.place).name or self.place

    @property
    def missing(self) -> int:
        """Number of ordered pairs without a number."""
        return len(self.pus) * (len(self.pus) - 1) - len(self.values)

    def dense(self, what: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return entries as a matrix, NaN where there is none; None where it would be huge."""
        size = len(self.pus)
        if size > _DENSE_LIMIT:
            return None
        matrix = np.full((size, size), np.nan)
        matrix[self.rows, self.columns] = what
        return matrix

    def without_zeros(self) -> PairTable:
        """Leave out entries of 0, which no transfer takes."""
        keep = self.values > 0
        if keep.all():
            return self
        first = int(np.flatnonzero(~keep)[0])
        pair = f"{self.pus[self.rows[first]]} to {self.pus[self.columns[first]]}"
        note = (
            f"{self.by}: {counted(int((~keep).sum()), 'pair')} of latency 0 left out as not "
            f"measured, the first is {pair}"
        )
        return replace(
            self,
            rows=self.rows[keep],
            columns=self.columns[keep],
            values=self.values[keep],
            spread=self.spread[keep],
            samples=self.samples[keep],
            notes=(*self.notes, note),
        )

    def facts(self, predicate: str, middle: Sequence[Value], scale: float) -> list[Fact]:
        """Return `predicate(pu, pu, *middle, value)` for every entry, in nanoseconds."""
        names = [f"pu:{pu}" for pu in self.pus]
        inside, source, by = tuple(middle), Source.MEASURED.value, self.by
        return [
            Fact(
                predicate,
                (names[row], names[column], *inside, value),
                source,
                by,
                samples=samples or None,
                spread=None if math.isnan(spread) else spread,
            )
            for row, column, value, spread, samples in zip(
                self.rows.tolist(),
                self.columns.tolist(),
                (self.values * scale).tolist(),
                (self.spread * scale).tolist(),
                self.samples.tolist(),
                strict=True,
            )
        ]

    def flat(self) -> list[Fact]:
        """Return the PUs under the machine: what is known where nobody states a structure."""
        source = Source.MEASURED.value
        return [Fact("contains", (ROOT, f"pu:{pu}"), source, self.by) for pu in self.pus]

    def missing_note(self) -> tuple[str, ...]:
        """Say how many ordered pairs have no number."""
        if not self.missing:
            return ()
        total = len(self.pus) * (len(self.pus) - 1)
        return (f"{self.by}: {self.missing} of {total} ordered pairs are not measured",)


def check_size(pus: int, pairs: int, place: str) -> None:
    """Raise `TooLargeError` for a table that no machine needs."""
    if pus > PU_LIMIT or pairs > PAIR_LIMIT:
        raise TooLargeError(
            f"the table has {pus} PUs and {pairs} ordered pairs",
            place=place,
            mend=f"at most {PU_LIMIT} PUs and {PAIR_LIMIT} pairs are read; measure a sample",
        )


def check_options(options: TableOptions) -> None:
    """Raise `DescriptionError` for a unit or clock that cannot be."""
    clock = options.clock_mhz
    if options.unit and options.unit not in _UNITS:
        raise DescriptionError(f"--unit is {options.unit!r}", mend="give ns or cycles")
    if clock is not None and not (math.isfinite(clock) and 1 <= clock <= 1e6):
        raise DescriptionError(f"--clock-mhz is {clock:g}", mend="give MHz, such as 2000 for 2 GHz")


def scale_of(options: TableOptions, place: str) -> tuple[float, tuple[str, ...]]:
    """Return nanoseconds per unit of a table that states none, and what that assumes.

    Raises `DescriptionError` where cycles have no clock, or a clock has no cycles.
    """
    check_options(options)
    if options.unit == "cycles":
        if options.clock_mhz is None:
            raise DescriptionError(
                "cycles cannot be turned into time without the clock",
                place=place,
                mend="add --clock-mhz, such as --clock-mhz 2000",
            )
        return 1000 / options.clock_mhz, ()
    if options.unit == "ns":
        return 1.0, ()
    if options.clock_mhz is not None:
        raise DescriptionError(
            "a clock is given, but not that the table is in cycles",
            place=place,
            mend="add --unit cycles, or leave out --clock-mhz",
        )
    name = PurePath(place).name or place
    note = f"{name}: no unit is stated, read as nanoseconds (else give --unit and --clock-mhz)"
    return 1.0, (note,)


def clock_facts(options: TableOptions) -> list[Fact]:
    """Return the clock as the user states it."""
    if options.clock_mhz is None:
        return []
    args = ("machine:0", options.clock_mhz)
    return [Fact("clock_mhz", args, Source.ASSERTED.value, "--clock-mhz")]

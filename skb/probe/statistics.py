"""From batches to a number: the median, its spread, and whether something disturbed it.

A batch is the mean time of some equal operations; a visit is the batches of one run. A partner that
is taken off its PU costs milliseconds, so means are worthless: medians of batches are reported, and
what two visits do not agree on is said to be disturbed. Disturbances nearly always add time:
of the visits that agree, the fastest are believed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Batches = NDArray[np.float64]

FEWEST = 8
# a batch beyond this many medians was interrupted
INTERRUPTED_TIMES = 4.0
INTERRUPTED_SHARE = 0.1
# half of the batches lie this far apart, relative to the median: not one distribution
WIDE_SHARE = 0.3
# two levels: both hold this share of the batches, lie this far apart, and explain this much of the
# variance (a uniform distribution cut in two explains 0.75, a normal one 0.64)
LEVEL_SHARE = 0.15
LEVEL_STEP = 1.2
LEVEL_VARIANCE = 0.9
AGREEMENT = 0.1


@dataclass(frozen=True, slots=True)
class Summary:
    """What batches say: median, half their 5 to 95 percent range, and how many there were.

    `fault` says in words why they are not to be trusted, empty where they are.
    """

    median: float
    spread: float
    samples: int
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """The batches that are believed after some visits, and why not, where they are not."""

    batches: Batches
    summary: Summary
    visits: int

    @property
    def disturbed(self) -> bool:
        return bool(self.summary.fault)

    def turned(self, convert: Callable[[Batches], Batches]) -> Summary:
        """Return the summary of a converted quantity, such as messages per second."""
        other = summarise(convert(self.batches))
        return Summary(other.median, other.spread, other.samples, self.summary.fault)


def summarise(batches: Batches, floor: float = 0.0) -> Summary:
    """Summarise the batches of one visit; differences up to `floor` (their unit) are noise."""
    count = len(batches)
    if count == 0:
        return Summary(float("nan"), float("nan"), 0, "nothing was completed")
    median = float(np.median(batches))
    kept = batches[batches <= max(INTERRUPTED_TIMES * median, median + floor)]
    low, first, third, high = (float(v) for v in np.percentile(kept, [5, 25, 75, 95]))
    if count < FEWEST:
        fault = f"only {count} batches were completed"
    elif (lost := 1 - len(kept) / count) > INTERRUPTED_SHARE:
        fault = f"{lost:.0%} of the batches were interrupted"
    elif levels := _two_levels(kept, floor):
        fault = f"two levels, {levels[0]:.3g} and {levels[1]:.3g}"
    elif third - first > max(WIDE_SHARE * median, floor):
        fault = f"half of the batches lie between {first:.3g} and {third:.3g}"
    else:
        fault = ""
    return Summary(median, (high - low) / 2, count, fault)


def _two_levels(batches: Batches, floor: float) -> tuple[float, float] | None:
    """Return the means of two levels where the batches have two, by the best cut in two."""
    ordered = np.sort(batches)
    count = len(ordered)
    smallest = max(2, int(LEVEL_SHARE * count))
    variance = float(np.var(ordered))
    if count < 2 * smallest or variance == 0:
        return None
    sums = np.cumsum(ordered)
    cuts = np.arange(smallest, count - smallest + 1)
    lower = sums[cuts - 1] / cuts
    upper = (sums[-1] - sums[cuts - 1]) / (count - cuts)
    weight = cuts / count
    explained = weight * (1 - weight) * (upper - lower) ** 2 / variance
    best = int(np.argmax(explained))
    low, high = float(lower[best]), float(upper[best])
    apart = high - low > floor and high > LEVEL_STEP * max(low, 0.0)
    return (low, high) if apart and explained[best] > LEVEL_VARIANCE else None


def agree(first: Summary, second: Summary, floor: float = 0.0) -> bool:
    """Tell whether two visits saw the same."""
    nearer = min(first.median, second.median)
    return abs(first.median - second.median) <= max(AGREEMENT * nearer, floor)


def settle(visits: Sequence[Batches], floor: float = 0.0) -> Settled:
    """Join the fastest two visits that agree; else keep the fastest and say what is wrong."""
    known = [(summarise(batches, floor), batches) for batches in visits]
    known.sort(key=lambda row: (row[0].samples < FEWEST, row[0].median))
    sound = [row for row in known if not row[0].fault]
    for at, (one, batches) in enumerate(sound):
        for other, more in sound[at + 1 :]:
            if agree(one, other, floor):
                joined = np.concatenate([batches, more])
                summary = summarise(joined, floor)
                kept = Summary(summary.median, summary.spread, summary.samples)
                return Settled(joined, kept, len(visits))
    best, batches = (sound or known)[0]
    if len(sound) > 1:
        seen = ", ".join(f"{row[0].median:.3g}" for row in known)
        best = Summary(best.median, best.spread, best.samples, f"differs by visit: {seen}")
    return Settled(batches, best, len(visits))


def rates(stamps: Sequence[NDArray[np.int64]], chunk_bytes: int) -> Batches:
    """Return the joint bandwidth of some streams, in bytes/ns: the sum of theirs, chunk by chunk.

    Each stream has a stamp (ns) before its first chunk and one after every chunk. Only the time in
    which all of them ran counts; empty where there is none. Chunks and not windows of time are the
    batches: an interruption, however long, spoils one of them, and the median does not see it.
    """
    begin = max(int(stream[0]) for stream in stamps)
    end = min(int(stream[-1]) for stream in stamps)
    found = []
    for stream in stamps:
        inside = (stream[:-1] >= begin) & (stream[1:] <= end)
        found.append(chunk_bytes / np.maximum(np.diff(stream)[inside], 1))
    count = min(len(row) for row in found)
    if not count:
        return np.empty(0)
    evenly = [row[np.linspace(0, len(row) - 1, count).astype(np.int64)] for row in found]
    return np.asarray(np.sum(evenly, axis=0), np.float64)

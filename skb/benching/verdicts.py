"""What the figures of `skb bench placement` say to each target: met, missed, or not run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from skb.benching.peers import OURS
from skb.benching.placement import TOLERANCE, Row

RIVALS = ("scotch", "mtkahypar", "2-swap")
RANKS_MACHINE = "epyc-7401-2p/"
# seconds within which a random case is proven: each of them, or the median
PROVEN_EACH = {"m32/20": 1.0, "m128/64": 10.0}
PROVEN_MEDIAN = {"m128/48": 0.5}
# the price as the prototype counts it, the gap, and the seconds
LARGE = {"m1024/512": (15_324, 0.30, 1.0), "m1024/1000": (50_000, None, 5.0)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target in words, whether it is met, and the figure."""

    target: str
    met: bool
    figure: str


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """Return the verdict on each target of which the rows hold an instance."""
    ours = [row for row in rows if row.engine == OURS]
    found = [_proven(case, ours) for case in (*PROVEN_EACH, *PROVEN_MEDIAN)]
    found += [_large(case, ours) for case in LARGE]
    found.append(_ranks(rows))
    return [verdict for verdict in found if verdict is not None]


def _proven(case: str, ours: Sequence[Row]) -> Verdict | None:
    rows = [row for row in ours if row.case == case]
    if not rows:
        return None
    proven = [row for row in rows if row.status == "optimal"]
    times = sorted(row.seconds for row in rows)
    figure = f"{len(proven)} of {len(rows)} proven, median {median(times):.2f} s, worst "
    figure += f"{times[-1]:.2f} s"
    all_proven = len(proven) == len(rows)
    if case in PROVEN_EACH:
        most = PROVEN_EACH[case]
        return Verdict(
            f"{case}: every one proven within {most:g} s", all_proven and times[-1] <= most, figure
        )
    most = PROVEN_MEDIAN[case]
    met = all_proven and median(times) <= most
    return Verdict(f"{case}: proven within {most:g} s in the median", met, figure)


def _large(case: str, ours: Sequence[Row]) -> Verdict | None:
    row = next((row for row in ours if row.case == case and row.seed == 0), None)
    if row is None:
        return None
    most, gap, seconds = LARGE[case]
    target = f"{case}:0: at most {most:,} as the prototype counts, within {seconds:g} s"
    target += f", gap at most {gap:.0%}" if gap else ""
    if row.prototype is None:
        return Verdict(target, False, f"no answer in {row.seconds:.2f} s")
    far = "unknown" if row.gap is None else f"{row.gap:.0%}"
    met = row.prototype <= most and row.seconds <= seconds
    met = met and (gap is None or (row.gap is not None and row.gap <= gap))
    return Verdict(target, met, f"{row.prototype:,.0f} in {row.seconds:.2f} s, gap {far}")


def _ranks(rows: Sequence[Row]) -> Verdict | None:
    mine = [row for row in rows if row.suite == "ranks" and row.case.startswith(RANKS_MACHINE)]
    ours = [row for row in mine if row.engine == OURS]
    if not ours:
        return None
    here = sorted({row.engine for row in mine} & set(RIVALS), key=RIVALS.index)
    lost, worst = [], 0.0
    for row in ours:
        best = best_of([other for other in mine if _same(row, other) and other.engine in here])
        if row.value is None or row.bound is None or row.breaks:
            lost.append(f"{row.case}:{row.seed}")
        elif best is not None and row.value > best * (1 + TOLERANCE):
            lost.append(f"{row.case}:{row.seed}")
            worst = max(worst, row.value / best - 1)
    slowest = max(row.seconds for row in ours)
    figure = f"{len(ours) - len(lost)} of {len(ours)}, slowest {slowest:.2f} s"
    if lost:
        figure += f"; lost: {', '.join(lost)}" + f" (by {worst:.1%} at most)" * bool(worst)
    names = ", ".join(here) or "no peer"
    target = f"ranks on {RANKS_MACHINE[:-1]}: never above the best of {names}, in at most 5 s"
    return Verdict(target, not lost and slowest <= 5 and len(here) == len(RIVALS), figure)


def _same(row: Row, other: Row) -> bool:
    return (row.case, row.seed) == (other.case, other.seed)


def best_of(rows: Sequence[Row]) -> float | None:
    """Return the least price of an admissible answer, None where there is none."""
    return min(
        (row.value for row in rows if row.value is not None and not row.breaks), default=None
    )

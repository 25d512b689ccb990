"""The rows of `skb bench decisions` about interrupts: every target is met on a bundled machine."""

from __future__ import annotations

from itertools import islice

from skb.benching.decisions_interrupts import QUEUES, rows


def test_interrupts_bench_rows_meet_their_targets() -> None:
    """Nearest, even, judged, equal to the simplex, and undone byte for byte."""
    found = list(islice(rows(5.0), 2 * len(QUEUES) + 2))
    assert [(row.case, row.misses, row.faults) for row in found if not row.met] == []
    assert any("undo restores every byte" in row.target for row in found)
    assert all("nearest" in row.target for row in found[:-1])

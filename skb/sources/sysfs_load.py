"""Load of the PUs of the running system, measured over a moment.

Figures: `/proc/stat`, in ticks since the start (`proc_stat(5)`); idle and iowait are no load.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime

from skb.relations import Fact, Source
from skb.sources.sysfs_tree import FileTree

_PU = re.compile(r"cpu(\d{1,6})((?: \d{1,19}){4,12})", re.M)
_IDLE = (3, 4)
# fields 9 and 10, guests, are counted in fields 1 and 2 already
_COUNTED = 8


def measure_load(
    tree: FileTree, pus: Iterable[str], by: str, seconds: float = 0.2
) -> tuple[Fact, ...]:
    """Measure the load of these PUs in percent; a PU whose figures stand still is left out."""
    before = _ticks(tree)
    time.sleep(seconds)
    after = _ticks(tree)
    when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    facts = []
    for name in pus:
        if name not in before or name not in after:
            continue
        busy, total = (after[name][part] - before[name][part] for part in (0, 1))
        if total > 0:
            percent = min(max(round(100 * busy / total), 0), 100)
            facts.append(Fact("load", (name, percent), Source.MEASURED.value, by, when, 1))
    return tuple(facts)


def _ticks(tree: FileTree) -> dict[str, tuple[int, int]]:
    """Busy and all ticks of every PU so far."""
    found = {}
    for number, words in _PU.findall(tree.read("proc/stat") or ""):
        ticks = [int(word) for word in words.split()][:_COUNTED]
        idle = sum(ticks[field] for field in _IDLE if field < len(ticks))
        found[f"pu:{int(number)}"] = (sum(ticks) - idle, sum(ticks))
    return found

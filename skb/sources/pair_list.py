"""Lists of measured pairs: sender, receiver, cost, and maybe spread, min, max and median.

One ordered pair in each line, separated by blanks, tabs, commas or semicolons, as the pairwise
benchmarks of Barrelfish and Smelt print them. `#` begins a comment; other lines that do not begin
with two whole numbers are skipped and counted. A PU to itself is skipped; a cost of -1, a word such
as `nan`, or none means that nothing was measured. A list that stands alone states no role and is
read as one-way latency.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from skb.errors import DescriptionError
from skb.sources.description import Description, TableOptions
from skb.sources.latency_description import describe_latency
from skb.sources.matrix_layout import is_square_table
from skb.sources.pair_table import PairTable, check_size
from skb.sources.table_text import PU_LIMIT, UNMEASURED, decode, is_measure, peek
from skb.wording import counted

FORMAT = "pair list"
_SEPARATORS = str.maketrans(",;\t", "   ")
_PAIR = re.compile(r"\s*\d{1,9}[\s,;]+\d{1,9}[\s,;]+\S")
# a list has no empty cells; what `lscpu -p` prints has
_EMPTY = re.compile(r"[,;]\s*[,;]")
_MOST_COLUMNS = 8
# a matrix of so few PUs may look like a list
_SQUARE_ROWS = 32
ABSENT = -1.0


def recognises(head: bytes) -> bool:
    """Most lines are two whole numbers and a cost; a square matrix of few PUs is none."""
    lines = peek(head)
    if lines is None:
        return False
    full = len(head) < 65536
    seen = [line for line in (lines if full else lines[:-1]) if _says(line)]
    pairs = [line for line in seen if _is_pair(line)]
    if len(pairs) * 2 <= len(seen) or not any(map(_says_cost, pairs)):
        return False
    return not (len(seen) <= _SQUARE_ROWS and is_square_table(lines))


def _says(line: str) -> bool:
    text = line.strip()
    return bool(text) and not text.startswith("#")


def _is_pair(line: str) -> bool:
    if _PAIR.match(line) is None:
        return False
    if _EMPTY.search(line):
        return False
    words = line.translate(_SEPARATORS).split()
    return 3 <= len(words) <= _MOST_COLUMNS and all(is_measure(word) for word in words[2:])


def _says_cost(line: str) -> bool:
    words = line.translate(_SEPARATORS).split()
    return words[0] != words[1] and words[2] not in {"0", "-1"}


def read(data: bytes, place: str, options: TableOptions | None = None) -> Description:
    """Read a list as one-way latency in nanoseconds, or as the options say.

    Raises `DescriptionError` with the line of the fault.
    """
    advice = "the list states no role, read as one-way latency (else give --send, --receive)"
    return describe_latency(parse(data, place), options or TableOptions(), FORMAT, advice)


@dataclass(slots=True)
class _Lines:
    """What the lines of a list hold, in their order."""

    sender: list[int] = field(default_factory=list)
    receiver: list[int] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)
    spread: list[float] = field(default_factory=list)
    named: set[int] = field(default_factory=set)
    skipped: int = 0
    absent: int = 0
    samples: int = 0


def parse(data: bytes, place: str) -> PairTable:
    """Read the pairs of a list, in its own unit.

    A pair that is stated several times holds the median, with the number of samples.
    """
    lines = _read_lines(decode(data, place), place)
    if not lines.cost:
        raise DescriptionError(
            "no pair of PUs has a cost", place=place, mend="write sender, receiver and cost"
        )
    return _table(lines, place)


def _read_lines(text: str, place: str) -> _Lines:
    found = _Lines()
    for number, line in enumerate(text.translate(_SEPARATORS).splitlines(), 1):
        words = line.split()
        if len(words) < 2 or not (_whole(words[0]) and _whole(words[1])):
            if words and not words[0].startswith("#"):
                found.skipped += 1
            continue
        sender, receiver = int(words[0]), int(words[1])
        if sender > PU_LIMIT - 1 or receiver > PU_LIMIT - 1:
            raise DescriptionError(
                f"PU {max(sender, receiver)} is beyond {PU_LIMIT - 1}",
                place=f"{place}:{number}",
                mend="write sender, receiver and cost, PUs by their OS index",
            )
        found.named.update((sender, receiver))
        if sender == receiver:
            continue
        cost = _number(words, 2, "cost", f"{place}:{number}")
        if cost is None:
            found.absent += 1
            continue
        found.sender.append(sender)
        found.receiver.append(receiver)
        found.cost.append(cost)
        spread = _number(words, 3, "spread", f"{place}:{number}")
        found.spread.append(float("nan") if spread is None else spread)
        found.samples += len(words) > 4
    return found


def _whole(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 10


def _number(words: list[str], at: int, what: str, place: str) -> float | None:
    if len(words) <= at or words[at].lower() in UNMEASURED:
        return None
    try:
        value = float(words[at])
    except ValueError:
        value = float("nan")
    if value == ABSENT:
        return None
    if not 0 <= value < 1e15:
        raise DescriptionError(
            f"column {at + 1}: {words[at][:40]!r} is no {what}",
            place=place,
            mend="write a number from 0; -1 where nothing was measured",
        )
    return value


def _table(lines: _Lines, place: str) -> PairTable:
    pus = tuple(sorted(lines.named))
    position = {pu: at for at, pu in enumerate(pus)}
    size = len(pus)
    key = np.array([position[pu] for pu in lines.sender], dtype=np.int64) * size
    key += np.array([position[pu] for pu in lines.receiver], dtype=np.int64)
    cost, spread = np.array(lines.cost), np.array(lines.spread)
    unique, first, count = np.unique(key, return_index=True, return_counts=True)
    check_size(size, len(unique), place)
    notes = []
    by = place.rpartition("/")[2]
    if lines.skipped:
        notes.append(f"{by}: {counted(lines.skipped, 'line')} without two whole numbers skipped")
    values, wide = cost[first], spread[first]
    samples = np.zeros(len(unique), dtype=np.int64)
    if (repeated := np.flatnonzero(count > 1)).size:
        order = np.argsort(key, kind="stable")
        begin = np.concatenate([[0], np.cumsum(count)])
        for at in repeated.tolist():
            rows = order[begin[at] : begin[at + 1]]
            values[at], samples[at] = np.median(cost[rows]), len(rows)
        notes.append(
            f"{by}: {counted(repeated.size, 'pair')} stated more than once: the median holds"
        )
    if lines.samples:
        notes.append(f"{by}: columns behind the spread (min, max, median) are not kept")
    return PairTable(place, pus, unique // size, unique % size, values, wide, samples, tuple(notes))

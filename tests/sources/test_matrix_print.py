"""The table that core-to-core-latency shows while it measures."""

from __future__ import annotations

import re

import pytest

from skb import sources
from skb.errors import DescriptionError
from skb.relations import Fact

WORDS = "Num cores: 3\nNum samples: 300\nShowing latency=round-trip-time/2 in nanoseconds:\n\n"


def latencies(text: str) -> dict[tuple[object, ...], Fact]:
    found = sources.read(text.encode(), "shown.txt")
    return {fact.args: fact for fact in found.facts if fact.predicate == "latency"}


def test_printed_table_with_colours_and_words_around_it() -> None:
    """Colours and the tool's words are passed over; PUs are those of the header."""
    table = (
        "           4       5       7   \n      4\n"
        "      5 \x1b[1m  47\x1b[0m\x1b[2m±1 \x1b[0m\n"
        "      7 \x1b[1m 148\x1b[0m\x1b[2m±0 \x1b[0m \x1b[1m  50\x1b[0m\x1b[2m±12\x1b[0m\n\n"
        "    Min  latency: 47.1ns ±0.5 cores: (5,4)\n"
    )
    found = latencies(WORDS + table + ",,\n47.1,,\n148.2,50.1,\n")
    one_way = {("pu:5", "pu:4", 47): 1, ("pu:7", "pu:4", 148): 0, ("pu:7", "pu:5", 50): 12}
    wanted = one_way | {(b, a, value): spread for (a, b, value), spread in one_way.items()}
    assert {args: fact.spread for args, fact in found.items()} == wanted
    assert {(fact.samples, fact.source, fact.by) for fact in found.values()} == {
        (300, "measured", "shown.txt")
    }


def test_printed_table_of_both_directions() -> None:
    """A row as long as the others leaves out its own PU only, and each direction stays."""
    table = "   0  1  2\n 0         10±1  20±2\n 1  11±1          30±1\n 2  21±0  31±4\n"
    assert set(latencies(table)) == {
        ("pu:0", "pu:1", 10),
        ("pu:0", "pu:2", 20),
        ("pu:1", "pu:0", 11),
        ("pu:1", "pu:2", 30),
        ("pu:2", "pu:0", 21),
        ("pu:2", "pu:1", 31),
    }


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("   0  1  2\n 0\n 1  11±1\n 3  21±0  31±4\n", "shown.txt:4: the row of PU 2"),
        ("   0  1  2\n 0 1±1\n 1  11±1\n", "shown.txt:2: the row has 1 numbers"),
        ("   0  0\n 0\n 0  11±1\n", "shown.txt:1: a PU is named twice"),
        ("   0  9999\n 0\n 9999  11±1\n", "beyond all numbers"),
        ("   0  1\n 0\n 1  11±1\n 2  1±1\n", "shown.txt:4: the row of PU (none)"),
    ],
)
def test_printed_table_with_a_fault_is_refused(table: str, why: str) -> None:
    """Rows that do not follow the header are refused with their line."""
    with pytest.raises(DescriptionError, match=re.escape(why)):
        latencies(table)

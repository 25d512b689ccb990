"""Lists of sender, receiver and cost: their layouts, their gaps, and cores that were disturbed."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.errors import DescriptionError
from skb.relations import Fact
from skb.sources import read
from skb.sources.description import Description, TableOptions
from tests.machines import shared
from tests.sources.test_latency_matrix import Pairs, pairs, pus


def listed(costs: Pairs, mark: str = " ", spread: float | None = None) -> str:
    """Print costs one pair in a line."""
    tail = "" if spread is None else f"{mark}{spread}"
    return "".join(f"{a}{mark}{b}{mark}{cost}{tail}\n" for (a, b), cost in costs.items())


def costs_of(size: int, seed: int = 1) -> Pairs:
    """Return costs of a machine of nodes of four, a little noisy."""
    draw = random.Random(seed)
    return {
        (a, b): (100 if a // 4 == b // 4 else 300) * draw.uniform(0.99, 1.01)
        for a in range(size)
        for b in range(size)
        if a != b
    }


@given(
    costs=st.dictionaries(
        st.tuples(st.integers(0, 40), st.integers(0, 40)).filter(lambda pair: pair[0] != pair[1]),
        st.floats(1, 1e6),
        min_size=4,
    ),
    mark=st.sampled_from([" ", "\t", ",", ", ", ";", "   "]),
    spread=st.none() | st.floats(0, 100),
)
@settings(max_examples=150, deadline=None)
def test_pair_list_any_layout_reads_back_the_same(
    costs: Pairs, mark: str, spread: float | None
) -> None:
    """Separators are layout; costs and spread come back as printed."""
    found = read(listed(costs, mark, spread).encode(), "l.txt", TableOptions("ns"))
    assert pairs(found) == costs
    assert pus(found) == sorted({pu for pair in costs for pu in pair})
    kept = {fact.spread for fact in found.facts if fact.predicate == "latency"}
    assert kept == {spread}


def test_pair_list_skips_what_is_no_pair() -> None:
    """Comments go silently, other lines are counted; PUs to themselves are no pair."""
    text = "# made today\nsrc dst cost\n\n0 0 -1\n0 1 10 2\n1 0 12 2\n1 1 -1 0\n"
    found = read(text.encode(), "l.txt")
    assert pairs(found) == {(0, 1): 10, (1, 0): 12}
    assert any("1 line without two whole numbers skipped" in note for note in found.notes)


def test_pair_list_absent_and_missing_pairs_are_counted() -> None:
    """A cost of -1 or none is absent, a pair without a line is missing: neither is zero."""
    found = read(b"0 1 10\n0 2 -1\n1 0 10\n1 2 nan\n2 0 14\n", "l.txt")
    assert pairs(found) == {(0, 1): 10, (1, 0): 10, (2, 0): 14}
    assert any("3 of 6 ordered pairs are not measured" in note for note in found.notes)


def test_pair_list_repeated_pair_holds_the_median() -> None:
    """Several measurements of a pair are one fact with their number."""
    found = read(b"0 1 10\n0 1 30\n0 1 11\n1 0 12\n", "l.txt")
    facts = {fact.args[:2]: fact for fact in found.facts if fact.predicate == "latency"}
    assert (facts["pu:0", "pu:1"].args[2], facts["pu:0", "pu:1"].samples) == (11, 3)
    assert facts["pu:1", "pu:0"].samples is None
    assert any("1 pair stated more than once" in note for note in found.notes)


def test_pair_list_alone_is_read_as_latency_and_says_so() -> None:
    """A list has no role of its own: it is one-way latency, with the way to say otherwise."""
    found = read(b"0 1 10\n1 0 10\n", "l.txt")
    assert any("--send" in note for note in found.notes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0 1 10\n1 0 -7\n0 2 5\n", "l.txt:2: column 3: '-7' is no cost"),
        ("0 1 10\n1 0 10\n2 0 1O\n", "l.txt:3: column 3: '1O' is no cost"),
        ("0 1 10\n1 0 10\n2 70000 5\n", "l.txt:3: PU 70000 is beyond 4095"),
        ("0 1 10\n1 0 10 -3\n1 2 5 3\n", "l.txt:2: column 4: '-3' is no spread"),
    ],
)
def test_pair_list_fault_names_line_and_column(text: str, says: str) -> None:
    """A number that cannot be is refused where it stands."""
    with pytest.raises(DescriptionError) as caught:
        read(text.encode(), "l.txt")
    assert says in str(caught.value)


def test_pair_list_small_matrix_is_a_matrix() -> None:
    """Rows of few whole numbers that mirror each other are a matrix, not pairs."""
    matrix = b"0 10 20 20\n10 0 20 20\n20 20 0 10\n20 20 10 0\n"
    assert pairs(read(matrix, "m.txt"))[3, 0] == 20


def disturbances(found: Description) -> str:
    """Return the notes about disturbed PUs."""
    return " ".join(note for note in found.notes if "disturbed" in note)


@pytest.mark.parametrize("seed", range(4))
def test_disturbed_cores_are_found_wherever_they_are(seed: int) -> None:
    """Cores whose costs are off and unstable are named by number, the others are not."""
    size = 24
    draw = random.Random(seed)
    bad = set(draw.sample(range(size), 3))
    lines = []
    for (a, b), cost in costs_of(size, seed).items():
        off = b in bad
        value = cost * draw.uniform(1.4, 2.2) if off else cost
        lines.append(f"{a} {b} {value} {value * draw.uniform(0.2, 0.3) if off else cost * 0.01}")
    note = disturbances(read("\n".join(lines).encode(), "l.txt"))
    assert "as receivers" in note and "as senders" not in note
    named = re.search(r"PUs ([\d, -]+) look disturbed", note)
    assert named is not None
    numbers = {int(word) for word in re.findall(r"\d+", named[1])}
    assert numbers <= bad and {min(bad), max(bad)} <= numbers


def test_disturbed_cores_without_spread_show_by_direction() -> None:
    """Where the list has no spread, the difference of the directions tells instability."""
    draw = random.Random(3)
    costs = {
        (a, b): cost * (draw.uniform(1.5, 2.5) if b == 5 else 1)
        for (a, b), cost in costs_of(24).items()
    }
    note = disturbances(read(listed(costs).encode(), "l.txt"))
    assert "PUs 5 look disturbed as receivers" in note


def test_disturbance_is_not_seen_in_structure() -> None:
    """A far but stable node, nodes of unlike size, and plain noise are no disturbance."""
    far = {(a, b): cost * (3 if b >= 20 else 1) for (a, b), cost in costs_of(24).items()}
    assert disturbances(read(listed(far, spread=2.0).encode(), "l.txt")) == ""
    assert disturbances(read(listed(costs_of(32)).encode(), "l.txt")) == ""
    draw = random.Random(1)
    noisy = [f"{a} {b} {c} {draw.uniform(1, 9)}" for (a, b), c in costs_of(24).items()]
    assert disturbances(read("\n".join(noisy).encode(), "l.txt")) == ""


@pytest.mark.parametrize(
    ("file", "disturbed"),
    [
        ("ziger/send_NUMA.txt", "18-23"),
        ("ziger/send_noNUMA.txt", "18-23"),
        ("ziger/send_UMPQ.txt", ""),
        ("ziger/receive_UMPQ.txt", ""),
        ("gruyere/send_NUMA.txt", ""),
        ("gruyere/receive_noNUMA.txt", ""),
        ("appenzeller/send_NUMA.txt", ""),
        ("appenzeller/receive_NUMA.txt", ""),
        ("intel_xeon_e5_v2_2x10/pairwise-nsend_send", ""),
        ("intel_xeon_e5_v2_2x10/pairwise-nsend_receive", ""),
        ("intel_xeon_e5_v2_2x10/pairwise-nsend_rtt", ""),
    ],
)
def test_disturbed_cores_of_real_tables(file: str, disturbed: str) -> None:
    """The cores that the data's README calls disturbed are named, and none of a clean table."""
    note = disturbances(read(shared(f"smelt/{file}").read_bytes(), file))
    assert (disturbed in note) if disturbed else note == ""


def test_pair_list_facts_name_the_file() -> None:
    """Every number says that it was measured, and which file says so."""
    found = read(b"0 1 10 2\n1 0 12 2\n", "folder/l.txt")
    assert Fact("latency", ("pu:0", "pu:1", 10.0), "measured", "l.txt", spread=2.0) in found.facts

"""Latency matrices: any layout reads back the same, what was not measured stays unknown."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.errors import DescriptionError, SkbError, TooLargeError
from skb.relations import Fact
from skb.sources import read, read_path
from skb.sources.description import Description, TableOptions
from tests.machines import shared

Pairs = dict[tuple[int, int], float]


def pairs(description: Description) -> Pairs:
    """Return the latencies of a description by PU numbers."""
    rows = [fact for fact in description.facts if fact.predicate == "latency"]
    return {(_number(fact, 0), _number(fact, 1)): float(str(fact.args[2])) for fact in rows}


def _number(fact: Fact, at: int) -> int:
    return int(str(fact.args[at]).removeprefix("pu:"))


def pus(description: Description) -> list[int]:
    """Return the PUs that a description has."""
    rows = [fact for fact in description.facts if fact.predicate == "contains"]
    assert {fact.args[0] for fact in rows} == {"machine:0"}
    return sorted(_number(fact, 1) for fact in rows)


def printed(
    cells: list[list[str]], mark: str, labels: tuple[bool, bool], trailing: bool, words: bool
) -> bytes:
    """Print rows with a separator, maybe with a header row, an index column, a last separator."""
    size = len(cells)
    names = [f"cpu{k}" if words else str(k) for k in range(size)]
    rows = [list(row) for row in cells]
    if labels[1]:
        rows = [[name, *row] for name, row in zip(names, rows, strict=True)]
    if labels[0]:
        rows = [([""] if labels[1] else []) + names, *rows]
    end = mark if trailing else ""
    return ("\n".join(mark.join(row) + end for row in rows) + "\n").encode()


@given(
    size=st.integers(3, 9),
    shape=st.sampled_from(["lower", "upper", "full"]),
    mark=st.sampled_from([",", ";", "\t"]),
    labels=st.tuples(st.booleans(), st.booleans()),
    trailing=st.booleans(),
    words=st.booleans(),
    own=st.sampled_from(["", "0", "nan"]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=200, deadline=None)
def test_matrix_any_layout_reads_back_the_same(
    size: int,
    shape: str,
    mark: str,
    labels: tuple[bool, bool],
    trailing: bool,
    words: bool,
    own: str,
    seed: int,
) -> None:
    """Separators, labels, triangles and the diagonal are layout; the numbers are what they are."""
    draw = random.Random(seed)
    expected: Pairs = {}
    cells = [[""] * size for _ in range(size)]
    for i in range(size):
        cells[i][i] = own
        for j in range(size):
            wanted = i != j and (shape == "full" or (i > j) == (shape == "lower"))
            if wanted and (draw.random() < 0.9 or abs(i - j) == 1):
                cells[i][j] = f"{draw.uniform(5, 500):.4f}"
                expected[i, j] = float(cells[i][j])
                if shape != "full":
                    expected[j, i] = expected[i, j]
    found = read(printed(cells, mark, labels, trailing, words), "m.csv")
    assert pairs(found) == expected
    assert pus(found) == list(range(size))


@pytest.mark.parametrize("diagonal", [True, False])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("mark", [" ", "  ", ",", "\t"])
def test_matrix_triangle_may_end_where_it_ends(diagonal: bool, lower: bool, mark: str) -> None:
    """Rows that grow or shrink are a triangle without padding."""
    size = 5
    rows = []
    for i in range(size):
        js = range(i + 1) if lower else range(i, size)
        rows.append([str(10 * (i + j)) if i != j else "0" for j in js if diagonal or i != j])
    text = "\n".join(mark.join(row) for row in rows if row)
    expected = {(i, j): 10.0 * (i + j) for i in range(size) for j in range(size) if i != j}
    assert pairs(read(text.encode(), "m.txt")) == expected


def test_matrix_full_keeps_both_directions() -> None:
    """Where both triangles are printed, row to column is one direction; the gap is told."""
    found = read(b"0,10,20\n12,0,30\n22,30,0\n", "m.csv")
    assert pairs(found)[0, 1] == 10 and pairs(found)[1, 0] == 12
    assert any("differ by up to 20%" in note for note in found.notes)


def test_matrix_blank_is_neither_zero_nor_error() -> None:
    """What was not measured gives no fact and is counted."""
    found = read(b",,,\n10,,,\n20,,,\n20,30,nan,\n", "m.csv")
    assert pus(found) == [0, 1, 2, 3]
    assert len(pairs(found)) == 2 * 4
    assert any("4 of 12 ordered pairs are not measured" in note for note in found.notes)
    facts = [fact for fact in found.facts if fact.predicate == "latency"]
    assert {(fact.source, fact.by) for fact in facts} == {("measured", "m.csv")}
    assert any("skb infer" in note for note in found.notes)


def test_matrix_zero_off_the_diagonal_is_told_by_place() -> None:
    """No transfer takes no time: the cell is left out, with its line and column."""
    found = read(b"# made by hand\n,,,\n10,,,\n20,0,,\n20,30,40,\n", "m.csv")
    assert (2, 1) not in pairs(found)
    assert any("line 4 column 2" in note for note in found.notes)
    half = read(b"0,0,0\n10,0,0\n20,30,0\n", "m.csv")
    assert pairs(half)[1, 2] == 30


def test_matrix_labels_number_the_pus() -> None:
    """A matrix of every other PU keeps their numbers; words are no numbers, and that is told."""
    some = read(b"pu,0,2,4\n0,,5,6\n2,5,,7\n4,6,7,\n", "m.csv")
    assert pus(some) == [0, 2, 4] and pairs(some)[2, 4] == 7
    words = read(b",big,small\nbig,,5\nsmall,5,\n", "m.csv")
    assert pus(words) == [0, 1]
    assert any("'big'" in note for note in words.notes)


def test_matrix_unit_is_nanoseconds_unless_said() -> None:
    """Cycles take the clock; without any word nanoseconds are assumed, and that is told."""
    data = b",,\n100,,\n300,200,\n"
    cycles = read(data, "m.csv", TableOptions("cycles", 2000))
    assert pairs(cycles)[0, 1] == 50
    assert Fact("clock_mhz", ("machine:0", 2000), "asserted", "--clock-mhz") in cycles.facts
    assert any("nanoseconds" in note for note in read(data, "m.csv").notes)
    assert not any("nanoseconds" in n for n in read(data, "m.csv", TableOptions("ns")).notes)


def test_matrix_takes_a_stated_structure() -> None:
    """The structure that a user states beside the table takes the place of the flat one."""
    found = read(b",,,\n5,,,\n9,9,,\n9,9,5,\n", "m.csv", TableOptions(structure="core:2 pu:2"))
    assert Fact("contains", ("core:1", "pu:3"), "asserted", "--structure") in found.facts
    with pytest.raises(DescriptionError, match="has 4 PUs, --structure has 6"):
        read(b",,,\n5,,,\n9,9,,\n9,9,5,\n", "m.csv", TableOptions(structure="core:6"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (",,,\n10,,,\n20,-3,,\n20,30,40,\n", "m.csv:3: column 2: '-3' is no latency"),
        (",,,\n10,,,\n20,x3,,\n20,30,40,\n", "m.csv:3: column 2: 'x3' is no latency"),
        (",,,\n10,,,\n20,inf,,\n20,30,40,\n", "column 2: 'inf' is no latency"),
        (",,,,\n1,,,,\n2,2,,,\n3,3,3,\n4,4,4,4,\n", "m.csv:4: the row has 4 columns, the others 5"),
        (",,,,\n1,,,,\n2,2,,,\n", "3 rows and 5 columns"),
        (",a,b,c\na,,5,6\nd,5,,7\nc,6,7,\n", "the row is named 'd', its column 'b'"),
    ],
)
def test_matrix_fault_is_named_by_line_and_column(text: str, says: str) -> None:
    """Negative numbers, words, ragged rows and unequal labels are refused where they stand."""
    with pytest.raises(DescriptionError) as caught:
        read(text.encode(), "m.csv")
    assert says in str(caught.value)


def test_matrix_of_absurd_size_is_refused() -> None:
    """More PUs than a machine has end in one clear error."""
    rows = [["7"] * at + [""] * (4200 - at) for at in range(20)]
    with pytest.raises(TooLargeError, match="4199 PUs"):
        read("\n".join(map(",".join, rows)).encode(), "m.csv")


def test_matrix_suspicious_pair_is_named() -> None:
    """One pair far off its like is named; on the same matrix without it nothing is."""
    size = 16
    cells = [
        [f"{40 if i // 4 == j // 4 else 90 + (i * j) % 5}" for j in range(i)] for i in range(size)
    ]
    rows = [row + [""] * (size - len(row)) for row in cells]
    clean = read("\n".join(map(",".join, rows)).encode(), "m.csv")
    assert not any("far off" in note for note in clean.notes)
    rows[13][2] = "400"
    found = read("\n".join(map(",".join, rows)).encode(), "m.csv")
    assert any("1 pair of PUs far off" in note and "2 and 13" in note for note in found.notes)


@pytest.mark.parametrize(
    "text",
    [
        "name,city\nann,bern\nbob,rome\n",
        "month,jan,feb\nrent,900,900\nfood,300,310\nfun,80,95\ntravel,10,20\ntax,1,1\n",
        "To be, or not to be,\nthat is the question\n",
        "1,2\n3,4\n5,6\n7,8\n9,10\n11,12\n",
        "0,0,0,0,,0,0,0,0\n1,1,0,0,,1,1,1,0\n2,0,0,0,,0,0,0,0\n3,1,0,0,,1,1,1,0\n" * 4,
        "2024-01-01,5\n2024-01-02,6\n",
        "42\n",
        '{"a": [1, 2]}',
    ],
)
def test_matrix_other_tables_are_not_taken(text: str) -> None:
    """A spreadsheet, prose, and the table that lscpu prints are no matrix and no list of pairs."""
    with pytest.raises(DescriptionError, match="no machine description"):
        read(text.encode(), "x.csv")


def test_matrix_near_miss_is_told_what_is_wrong() -> None:
    """A table of numbers that is not square hears its own size, and what would be read."""
    with pytest.raises(DescriptionError, match="7 rows and 2 columns") as caught:
        read(b"a,b\n" + b"1,2\n" * 6, "x.csv")
    assert "sender, receiver and cost" in str(caught.value)
    with pytest.raises(DescriptionError, match="line 2, column 1 holds 'x'"):
        read(b"1.5,2.5\nx,4.5\n", "x.csv")


@given(
    st.lists(
        st.lists(
            st.sampled_from(["", "0", "1", "5.5", "-1", "x", "nan", "1e400", '"', "#"]), max_size=6
        ),
        max_size=7,
    ),
    st.sampled_from([",", ";", "\t", " "]),
)
@settings(max_examples=300, deadline=None)
def test_matrix_random_cells_give_an_answer_or_an_error(rows: list[list[str]], mark: str) -> None:
    """Whatever the cells are, they are read or refused: every latency is finite and above 0."""
    try:
        found = read("\n".join(mark.join(row) for row in rows).encode(), "m.csv")
    except SkbError:
        return
    assert all(math.isfinite(value) and value > 0 for value in pairs(found).values())


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("ryzen9-5900x", 24),
        ("i9-12900k", 24),
        ("epyc-7773x", 128),
        ("graviton3", 64),
        ("m1-ultra", 20),
        ("dual-e5-2690", 32),
        ("xeon-8375c", 128),
    ],
)
def test_matrix_real_files_give_all_pairs(name: str, size: int) -> None:
    """Each real matrix gives both directions of every pair that it prints, and flat PUs."""
    path = shared(f"core-to-core/{name}.csv")
    found = read_path(path)
    printed_cells = sum(bool(cell) for cell in path.read_text().replace("\n", ",").split(","))
    assert pus(found) == list(range(size))
    assert len(pairs(found)) == 2 * printed_cells


def test_matrix_recognition_is_quick_on_endless_digits() -> None:
    """A line of ten thousand digits is no cell of a table; backtracking would take minutes."""
    with pytest.raises(SkbError):
        read((b"9" * 10_000 + b"x,1\n") * 6, "digits")

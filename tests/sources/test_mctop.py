"""MCTOP files: structure from the clustered table, what it measures, and its traps."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.errors import DescriptionError, SkbError
from skb.knowledge import machine_of
from skb.machine import Machine
from skb.sources import read, read_path
from skb.sources.description import TableOptions
from tests.machines import shared

SIBLING, LOCAL, REMOTE = 28, 110, 300
Place = Callable[[int], tuple[int, int]]


def adjacent(context: int) -> tuple[int, int]:
    """Node and core of eight contexts whose siblings are neighbours: two nodes of two cores."""
    return context // 4, context // 2


def interleaved(context: int) -> tuple[int, int]:
    """The same machine, the nodes taking turns and siblings half a machine apart."""
    return context % 2, context % 4


def table(place: Place, size: int = 8, nodes: int = 2, smt: int = 1) -> str:
    """Print the header and the table of pairs as mctop does."""
    lines = [f"#host #HWCs {size} #Nodes {nodes} SMT {smt}"]
    for a in range(size):
        for b in range(size):
            near = SIBLING if place(a)[1] == place(b)[1] else LOCAL
            cost = 0 if a == b else near if place(a)[0] == place(b)[0] else REMOTE
            lines.append(f"{a:<4} {b:<4} {cost}")
    return "\n".join(lines) + "\n"


def memory(place: Place, measured: tuple[int, ...], first: int = 0) -> str:
    """Print memory latencies of some contexts; node `first` is that of context 0."""
    lines = ["#Mem_latencies 2"]
    for context in range(8):
        for node in range(2):
            near = (place(context)[0] + first) % 2 == node
            lines.append(f"{context} {node} {(150 if near else 310) * (context in measured)}")
    return "\n".join(lines) + "\n"


def machine(text: str, clock_mhz: float | None = None) -> Machine:
    """Read the text of a file as a machine."""
    return machine_of(read(text.encode(), "a.mct", TableOptions(clock_mhz=clock_mhz)))


@pytest.mark.parametrize("place", [adjacent, interleaved])
def test_mctop_structure_is_that_of_the_table(place: Place) -> None:
    """Cores, packages and nodes are the groups of the table, whatever the numbering."""
    found = machine(table(place) + memory(place, tuple(range(8))))
    assert (found.counts["package"], found.counts["numa"], found.counts["core"]) == (2, 2, 4)
    for a in range(8):
        for b in range(8):
            assert (found.core_of[a] == found.core_of[b]) == (place(a)[1] == place(b)[1])
            assert (found.numa_of_pu[a] == found.numa_of_pu[b]) == (place(a)[0] == place(b)[0])


@pytest.mark.parametrize("first", [0, 1])
def test_mctop_node_numbers_are_those_of_least_memory_latency(first: int) -> None:
    """Packages are numbered by their first context, nodes by who is near."""
    found = machine(table(interleaved) + memory(interleaved, (0, 1), first))
    assert found.numa_of_pu[0] == (first,)
    assert found.package_of[0] == "package:0"


def test_mctop_zero_memory_latency_is_unknown() -> None:
    """Zeros give no fact and one note; the one measured context speaks for its package."""
    found = machine(table(adjacent) + memory(adjacent, (0, 4)))
    rows = {tuple(f.args) for f in found.facts_of("memory_latency")}
    assert ("pu:0", "numa:0", "access", 150.0) in rows
    assert ("package:1", "numa:1", "access", 150.0) in rows
    assert len(rows) == 2 * 2 * 2 and all(row[-1] for row in rows)
    assert any("12 of 16 memory latencies" in note for note in found.notes)


def test_mctop_sections_disagree_about_nodes() -> None:
    """Where memory latency contradicts the groups, no structure is invented."""
    crossed = memory(interleaved, tuple(range(8)))
    found = machine(table(adjacent) + crossed)
    assert {kind for kind, count in found.counts.items() if count} == {"pu"}
    assert any("no structure is read" in note for note in found.notes)


def test_mctop_groups_that_do_not_come_out_stay_flat() -> None:
    """A header that states another number of nodes than the table shows gives no nodes."""
    found = machine(table(adjacent, nodes=4, smt=0))
    assert found.counts["package"] == 4
    flat = machine(table(adjacent, nodes=8, smt=0))
    assert (flat.counts["package"], flat.counts["numa"]) == (0, 0)
    assert any("states 8 nodes" in note for note in flat.notes)


def test_mctop_smt_of_the_header_decides_about_cores() -> None:
    """Groups of contexts are cores only where the header says SMT; else they are groups."""
    found = machine(table(adjacent, smt=0))
    assert found.counts["core"] == 0
    assert len(found.of_kind("group")) == 4


def test_mctop_glued_header_is_read_and_told() -> None:
    """A header at the end of a cache line begins its section, with the line in a note."""
    caches = "#Cache_levels 2\nCache_level 0 Latency 0 SizeOS 32 SizeEst 32\n"
    glued = "Cache_level 1 Latency 4 SizeOS 48 SizeEst 46#Power_measurements 6\n"
    power = "Power_sockt_1_idle \t1.5 2 3.5 4 7.5\nPower_total_2_2ndhwc 0.5 -0.25 0.25 1 1.25 \n"
    text = table(adjacent) + memory(adjacent, (0, 4)) + caches + glued + power
    found = machine(text, 2000)
    line = text.splitlines().index(glued.strip()) + 1
    assert any(note.startswith(f"line {line}: the header #Power") for note in found.notes)
    sizes = {(f.args, f.source) for f in found.all("cache_level_size")}
    assert sizes == {
        (("l1i", 32 * 1024), "discovered"),
        (("l1d", 48 * 1024), "discovered"),
        (("l1d", 46 * 1024), "measured"),
    }
    assert found.value("cache_latency", "l1d") == 2.0
    assert found.value("power_draw", "package:1", "idle", "dram") == 4
    assert found.value("power_draw", "machine:0", "second_context", "rest") == -0.25


def test_mctop_bandwidth_of_a_core_and_of_a_package_differ() -> None:
    """All cores speak for the package, one core for each core; 10^9 bytes become MiB."""
    rows = [(s, n, 20 if s == n else 10) for s in range(2) for n in range(2)]
    text = "".join(f"{s} {n} {v}\n" for s, n, v in rows)
    one = "".join(f"{s} {n} {v / 4}\n" for s, n, v in rows)
    body = f"#Mem_bw-READ 2\n{text}#Mem_bw1-READ 2\n{one}"
    found = machine(table(adjacent) + memory(adjacent, (0, 4)) + body)
    whole = found.value("memory_bandwidth", "package:1", "numa:1", "read")
    assert whole == pytest.approx(20e9 / 2**20)
    for core in range(4):
        value = found.value("memory_bandwidth", f"core:{core}", "numa:0", "read")
        assert value == pytest.approx((5e9 if core < 2 else 2.5e9) / 2**20)


def test_mctop_sections_come_in_any_order() -> None:
    """The same sections in another order are the same facts."""
    sections = [table(adjacent), memory(adjacent, (0, 4)), "#Mem_bw-READ 2\n0 0 20\n1 1 20\n"]
    first, second = machine("".join(sections)), machine("".join(reversed(sections)))
    assert first.facts == second.facts


def test_mctop_cycles_need_a_clock_or_say_so() -> None:
    """With a clock cycles are nanoseconds; without one they are kept, and a default clock noted."""
    plain, timed = machine(table(adjacent)), machine(table(adjacent), 2000)
    assert plain.value("latency", "pu:0", "pu:7") == REMOTE
    assert timed.value("latency", "pu:0", "pu:7") == REMOTE / 2
    clocks = [
        (m.value("clock_mhz", "machine:0"), m.all("clock_mhz")[0].source) for m in (plain, timed)
    ]
    assert clocks == [(1000, "default"), (2000, "asserted")]
    assert any("no clock" in note for note in plain.notes)
    with pytest.raises(DescriptionError, match="in cycles"):
        read(table(adjacent).encode(), "a.mct", TableOptions("ns"))


def test_mctop_unclustered_table_has_no_structure() -> None:
    """Raw measurements are latencies, but no structure is read from them."""
    draw = random.Random(5)
    lines = table(adjacent).splitlines()
    noisy = [lines[0]]
    for line in lines[1:]:
        a, b, value = line.split()
        noisy.append(f"{a} {b} {float(value) + draw.random() if a != b else 0}")
    found = machine("\n".join(noisy))
    assert len(found.facts_of("latency")) == 56 and found.counts["package"] == 0
    assert any("not clustered" in note for note in found.notes)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("0    1    28", "0    1    abc", "a.mct:3: '0    1    abc' is no row"),
        ("0    1    28", "0    9    28", "outside 8 rows"),
        ("0    1    28", "0    1    -4", "from 0"),
        ("0    1    28", "0    2    28", "stated twice, 28 and 110"),
        ("#HWCs 8", "#HWCs 9999", "9999 contexts"),
        ("#Nodes 2", "#Nodes 0", "0 nodes"),
    ],
)
def test_mctop_fault_names_the_line(old: str, new: str, says: str) -> None:
    """A broken number is refused with the line it stands in."""
    text = table(adjacent)
    assert old in text
    with pytest.raises(DescriptionError, match=r"a\.mct") as caught:
        machine(text.replace(old, new, 1))
    assert says in str(caught.value)


def test_mctop_truncated_file_tells_what_is_missing() -> None:
    """A file that ends early is read up to there: missing pairs are counted, nothing inferred."""
    found = machine("\n".join(table(adjacent).splitlines()[:40]))
    assert len(found.facts_of("latency")) == 39 - 5
    assert found.counts["package"] == 0
    assert any("22 of 56 ordered pairs are not measured" in note for note in found.notes)


def test_mctop_unknown_section_is_named() -> None:
    """A section that we do not know is left out by name."""
    assert any("#Weather" in n for n in machine(table(adjacent) + "#Weather 2\n1 2 3\n").notes)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_mctop_mutations_give_an_answer_or_an_error(data: st.DataObject) -> None:
    """Cut, doubled and changed lines are read or refused, and never a traceback."""
    lines = (table(adjacent) + memory(adjacent, (0, 4))).splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        word = data.draw(st.sampled_from(["", "#", "#x 1", "0 1", "nan 1 2", "1 2 inf", "9 9 9"]))
        lines[at] = data.draw(
            st.sampled_from([word, lines[at] + word, lines[at][:3], lines[at] * 2])
        )
    try:
        machine("\n".join(lines))
    except SkbError as fault:
        assert str(fault)


@pytest.mark.parametrize(
    ("name", "pus", "nodes", "cores", "classes"),
    [
        ("lpdpc4", 8, 1, 4, {28: 1, 88: 6}),
        ("lpdxeon2680", 40, 2, 20, {28: 1, 112: 18, 308: 20}),
        ("lpd48core", 48, 8, 0, {117: 5, 197: 6, 217: 18, 300: 18}),
        ("maglite", 64, 1, 0, {67: 63}),
        ("diassrv8", 160, 8, 80, {28: 1, 116: 18, 341: 60, 458: 80}),
        ("ol-collab1", 256, 4, 32, {101: 7, 207: 56, 650: 192}),
    ],
)
def test_mctop_real_files_have_what_their_maker_states(
    name: str, pus: int, nodes: int, cores: int, classes: dict[int, int]
) -> None:
    """Contexts, nodes, cores and the classes around context 0 are those of the data's README."""
    found = machine_of(read_path(shared(f"mctop/{name}.mct")))
    counts = found.counts
    assert (counts["pu"], counts["numa"], counts["package"]) == (pus, nodes, nodes)
    assert counts["core"] == cores
    for latency, count in classes.items():
        to = [f for f in found.facts_of("latency") if f.args[0] == "pu:0" and f.args[2] == latency]
        assert len(to) == count
    assert all(len(found.pus_of(f"package:{k}")) == pus // nodes for k in range(nodes))


def test_mctop_header_that_promises_too_much_is_refused() -> None:
    """A header of 4095 contexts over a table of four pairs is an error, not half a gigabyte."""
    text = "#tiny #HWCs 4095 #Nodes 1 SMT 1\n0 0 0\n0 1 88\n1 0 88\n1 1 0\n"
    with pytest.raises(DescriptionError, match="only 4 of 16769025 pairs"):
        read(text.encode(), "tiny.mct")

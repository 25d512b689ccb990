"""Barrelfish fact files: real ones counted by hand, each fault by name, merging, and bad input."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skb.errors import DescriptionError, RequestError, SkbError, TooLargeError
from skb.knowledge import decide, machine_of
from skb.sources import barrelfish, read, read_path
from skb.sources.description import TableOptions
from tests.machines import shared
from tests.sources.boards import NIC, ROOT, described, kinds, told
from tests.sources.samples import args, of, parents


# ------------------------------------------------------------ the four real files
def test_barrelfish_board_layout_has_links_and_threads() -> None:
    """Eight packages of four cores, 22 links between packages and 2 to root complexes."""
    description = read_path(shared("barrelfish/boardlayout.facts"))
    assert kinds(description) == {"package": 8, "core": 32, "pu": 32, "bridge": 2}
    links = args(description, "link")
    inner = {pair for pair in links if "bridge" not in str(pair)}
    assert (len(inner), len(links)) == (22, 24)
    assert {("package:0", "bridge:0", "hypertransport")} == {
        pair for pair in links if pair[1] == "bridge:0"
    }
    assert told(
        description, "lack their reverse", "package:0 -> package:4", "package:7 -> package:0"
    )
    above = parents(description)
    assert (above["bridge:0"], above["bridge:128"]) == ("package:0", "package:7")
    # APIC IDs begin at 4; PUs are counted in their order
    assert ("pu:0", 4) in args(description, "apic_id")
    assert ("pu:31", 35) in args(description, "apic_id")
    assert told(description, "no numbers of an operating system", "APIC ID 4 is pu:0")
    machine = machine_of(description, "m")
    assert machine.package_of[13] == "package:3"
    assert machine.hops("package:0", "package:7") == 3, "no link leads back from 7 to 0"


def test_barrelfish_pci_of_the_board_is_complete() -> None:
    """40 registers, 5 bridges under one root complex, one window of 128 MiB."""
    description = read_path(shared("barrelfish/testdevices2.facts"))
    assert kinds(description) == {"bridge": 6, "pci": 58}
    assert len(of(description, "pci_bar")) == 40
    spaces = Counter(str(fact.args[3]) for fact in of(description, "pci_bar"))
    assert spaces == {"io": 22, "memory32": 17, "prefetchable32": 1}
    assert args(description, "pci_window") == {("bridge:0", "memory", 3556769792, 128 * 2**20)}
    assert ("bridge:1", "0604", "10de", "005c") in args(description, "pci_id")
    assert ("pci:0000:01:09.0", 0, 64 * 2**20, "prefetchable32") in args(description, "pci_bar")
    assert ("pci:0000:01:09.0", 0, 3623878656) in args(description, "pci_bar_base")
    assert parents(description)["pci:0000:01:09.0"] == "bridge:1"
    assert args(description, "ioapic") == {(0, 4273995776, 0)}
    # buses 128, 131 and 132 have functions, but nothing leads there
    assert told(description, "bus 128 at machine:0", "bus 131", "bus 132")
    assert description.partial
    assert told(description, "names no PU")


def test_barrelfish_synthetic_pci_is_complete() -> None:
    """160 registers of 160 functions, 15 bridges and the root complex; two share an address."""
    description = read_path(shared("barrelfish/testdevices.facts"))
    assert kinds(description) == {"bridge": 16, "pci": 160}
    assert len(of(description, "pci_bar")) == 160
    assert told(description, "two bridges at one address", "addr(9, 1, 0)", "addr(12, 1, 0)")
    # the first bridge leads to buses 1 to 7
    assert ("bridge:1", 0, 1, 7) in args(description, "bridge_buses")
    machine = machine_of(description, "m")
    assert machine.ancestors("pci:0000:0b:04.0") == (
        *("bridge:11", "bridge:9", "bridge:8", "bridge:0"),
        "machine:0",
    )


def test_barrelfish_discovered_machine_is_cleaned() -> None:
    """Four PUs in two nodes; invented cores, a bad window and a bad region are left out by name."""
    description = read_path(shared("barrelfish/data.facts"))
    counts = kinds(description)
    assert (counts["pu"], counts["numa"], counts["core"]) == (4, 2, 0)
    assert (counts["l1d"], counts["l1i"], counts["l2"], counts["l3"]) == (4, 4, 4, 0)
    assert counts["pci"] + counts["bridge"] == 36 + 2, "36 functions and two root complexes"
    # the ranges of the SRAT
    assert args(description, "memory_size") == {
        ("numa:0", 655360 + 2951741440 + 1342177280),
        ("numa:1", 4294967296),
    }
    # code 8 of level 2 means 16 ways
    assert ("l2:0", 16) in args(description, "cache_ways")
    assert ("l1d:3", 2) in args(description, "cache_ways")
    assert told(description, "caches of cores that no", "cores 4, 5, 6, 7")
    assert told(description, "end before they begin", "4294901760, 3758096383")
    assert told(description, "size 0 were left out", "4294967296", "32 bits mean 4294967296")
    assert told(description, "older form", "36 of device/5")
    assert told(description, "contradict", "interrupt_override(0, 0, 2, 5)")
    assert told(description, "no mem_region_type", "4294967295")
    assert told(description, "left out, because no relation takes it", "16 facts of tlb/6")
    assert len(of(description, "pci_window")) == 1
    assert parents(description)["numa:1"] == parents(description)["l2:2"]


# ------------------------------------------------------------ processors
def test_barrelfish_core_numbers_name_pus() -> None:
    """corename numbers the PUs; newer files count cores in cpu_thread, too."""
    text = (
        "corename(0, x86_64, apic(8)). corename(1, x86_64, apic(0)).\n"
        "apic(0, 0, 1). apic(1, 8, 1).\n"
        "cpu_thread(0, 1, 0, 0). cpu_thread(1, 0, 0, 0).\n"
        "cpu_family(0, intel, 6, 45, 7). vendor(1, intel).\n"
        "cpu_cache(0, l3, 3, unified, 20971520, 20, 64, 32, 1)."
    )
    found = described(text)
    above = parents(found)
    assert args(found, "isa") == {("machine:0", "x86_64")}
    assert {("pu:0", 8), ("pu:1", 0)} <= args(found, "apic_id")
    assert ("package:0", "CPUFamilyNumber", "6") in args(found, "info")
    assert {fact.args for fact in of(found, "os_index") if "package" in str(fact.args[0])} == {
        ("package:0", 1),
        ("package:1", 0),
    }
    assert above["core:0"] == "l3:0"
    assert above["l3:0"] == "package:0"


def test_barrelfish_older_core_numbers_are_apic_ids() -> None:
    """Without the newer predicates, cpu_thread has APIC IDs even where both numberings fit."""
    text = (
        "corename(0, x86_64, apic(1)). corename(1, x86_64, apic(0)). "
        "cpu_thread(0, 0, 0, 0). cpu_thread(1, 1, 0, 0)."
    )
    machine = machine_of(described(text), "m")
    numbers = {machine.value("os_index", machine.package_of[pu]): pu for pu in machine.pus}
    assert numbers == {0: 1, 1: 0}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("apic(0,0,1). apic(1,1,0). cpu_thread(1,0,1,0).", ("apic fact disables", "(1, 0, 1, 0)")),
        ("apic(0,0,1). apic(1,1,0). corename(1,x86_64,apic(1)).", ("disables", "apic(1)")),
        ("apic(0,0,1). cpu_thread(0,0,0,0). cpu_thread(0,1,0,0).", ("contradict", "(0, 1, 0, 0)")),
        ("apic(0,0,1). cpu_thread(7,0,0,0).", ("disagree", "APIC IDs only in cpu_thread 7")),
        ("cpu_thread(0,0,0,0). cpu_thread(1,0,0,0).", ("same thread", "APIC IDs 0 and 1")),
        ("apic(0,0,1). cpu(5,0).", ("cpu facts about cores", "5")),
        ("apic(0,0,1). cpu_affinity(9,0,0).", ("cpu_affinity", "APIC IDs 9")),
        ("apic(0,0,1). nr_running_cores(3).", ("names 1 PUs", "nr_running_cores(3)")),
        ("apic(0,0,1). apic(0,0,1).", ("more than once", "apic(0, 0, 1) (line 1)")),
        ("apic(0,0,1). apic(1,-1,1).", ("other arguments", "apic(1, -1, 1)")),
        ("apic(0,0,1). apic(1,X,1).", ("with a variable", "apic(1, X, 1)")),
        ("apic(0,0,1). p(X) :- q(X).", ("rules are not run", "line 1")),
        ("apic(0,0,1).\n:- lib(ic).", ("directives are not run", "line 2")),
        ("apic(0,0,1). cpu_affinity(0,0,9999999).", ("no NUMA node has", "9999999")),
        ("apic(0,0,1). memory_affinity(0, 8, 9999999).", ("no NUMA node has", "9999999")),
        ("apic(0,0,1). memory_affinity(0, 0, 0).", ("impossible size", "memory_affinity(0, 0, 0)")),
        (
            "apic(0,0,1). memory_affinity(0,20,0). memory_affinity(10,20,0).",
            ("overlap", "(10, 20, 0)"),
        ),
        ("apic(0,0,1). cpu_affinity(0,0,0). node_distance(0,3,20).", ("NUMA nodes that no", "20")),
        ("cpu(0,0). cache(l1d, 0, 1, data, 512, 7, 64, 1).", ("associativity", "7 of level 1")),
        ("cpu(0,0). cache(l9, 0, 9, data, 512, 7, 64, 1).", ("no machine has", "l9")),
        (
            "cpu(0,0). cache(l2,0,2,data,512,1,64,1). cache(l2,0,2,instruction,256,1,64,1).",
            ("contradict", "256"),
        ),
        ("cpu(0,0). cpu_thread(0,0,0,0). ht_link(cpu0, cpu9).", ("links to a part", "cpu9")),
        ("cpu(0,0). message_rtt(0, 4, 5, 0, 5, 5).", ("round trips of cores", "(0, 4, 5")),
    ],
)
def test_barrelfish_fault_of_processors_is_reported(text: str, words: tuple[str, ...]) -> None:
    """Each fault is named with its fact; the rest loads."""
    found = described(text)
    assert told(found, *words), found.notes
    assert machine_of(found, "m").pus[0] == 0


def test_barrelfish_round_trips_are_cycles() -> None:
    """1,200 cycles are 1,200 ns at the assumed 1000 MHz, 500 ns at a stated 2400 MHz."""
    text = "apic(0,0,1). apic(1,1,1). message_rtt(0, 1, 1200, 400, 1100, 1300)."
    assumed, stated = described(text), described(text, TableOptions(clock_mhz=2400.0))
    (fact,), (other,) = of(assumed, "message_cost"), of(stated, "message_cost")
    assert fact.args == ("pu:0", "pu:1", "cache_line", "round_trip", 1200.0)
    assert (fact.source, fact.spread) == ("measured", 20.0)
    assert other.args[-1] == 500.0
    assert other.spread == pytest.approx(20 / 2.4)
    assert [f.source for f in of(assumed, "clock_mhz")] == ["default"]
    assert told(assumed, "1000 MHz is assumed")
    assert not told(stated, "assumed, so that")


def test_barrelfish_values_beyond_32_bits_stay_exact() -> None:
    """Addresses and sizes are whole numbers of up to 63 bits."""
    found = described("cpu(0,0). memory_affinity(16'100000000, 0x7fffffff00000001, 3).")
    assert not of(found, "memory_size"), "the sum passes 63 bits"
    found = described("cpu(0,0). memory_affinity(16'100000000, 0x0fffffff00000001, 3).")
    assert args(found, "memory_size") == {("numa:3", 0x0FFFFFFF00000001)}


@pytest.mark.parametrize(
    "text",
    [
        "device(pci,addr(0,3,0),1,2,2,0,0,0). bar(addr(0,3,_),0,0,16,mem,prefetchable,32). "
        "bar(addr(0,3,0),0,0,16,mem,prefetchable,32).",
        "interrupt_override(0,9,9,15). interrupt_override(1,9,9,15).",
        "apic(0,0,1). apic(1,1,1). message_rtt(0,1,500,4,400,600). message_rtt(0,1,500,4,401,600).",
        "apic(0,0,1). cpu_family(0,intel,6,1,2). vendor(0,intel).",
    ],
)
def test_barrelfish_same_said_in_two_ways_is_said_once(text: str) -> None:
    """Facts that differ in what is not stated do not contradict."""
    found = described(text)
    assert not told(found, "contradict")
    machine_of(found, "m")


# ------------------------------------------------------------ a part of a machine
def test_barrelfish_machine_without_pus_is_shown_but_not_asked() -> None:
    """A snapshot of PCI alone has views; a question that needs PUs says so in one error."""
    machine = machine_of(described(ROOT + NIC), "pci-only")
    assert machine.summary()["counts"] == {
        **dict.fromkeys(machine.counts, 0),
        "pci": 1,
        "bridge": 1,
    }
    for question, request in (("route", {"root": 0}), ("placement", {"task": [{"name": "a"}]})):
        with pytest.raises(RequestError, match="describes no PU"):
            decide(question, machine, request)
    rules = "found(X) :- pci_id(X, _, _, _). #show found/1."
    assert "pci:0000:00:03.0" in str(decide("query", machine, {"rules": rules}).answer)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"apic(0,0,1).\napic(1 1,1).", DescriptionError, "board.facts:2:8"),
        (b"apic(0,0,1).\napic('\xff).", DescriptionError, "0xff is no UTF-8"),
        (
            b":- lib(ic).\np :- q,\n ioapic(0,1,0).",
            DescriptionError,
            "no fact of the file describes",
        ),
        (b"apic(0,0,1)." + b"(" * 2**20, TooLargeError, "nested deeper than 64"),
        (
            b"".join(b"apic(%d,%d,1)." % (n, n) for n in range(8200)),
            TooLargeError,
            "describes 8200 PUs",
        ),
    ],
    ids=["syntax", "encoding", "program", "depth", "pus"],
)
def test_barrelfish_bad_file_is_one_clear_error(
    data: bytes, error: type[SkbError], words: str
) -> None:
    """Each is one error that names the place."""
    with pytest.raises(error) as caught:
        read(data, "board.facts")
    assert words in str(caught.value)


def test_barrelfish_unit_of_a_table_is_refused() -> None:
    """The file measures in cycles, whatever an option says."""
    with pytest.raises(DescriptionError, match="cycles"):
        described("apic(0,0,1).", TableOptions(unit="ns"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cpu,0,1\n2,3,4\n",
        "[machine]\nname = 'apic(0,0,1).'\n",
        "f(1). g(2).",
        "device (the second) is broken\ncpu(0) too.",
        "We saw cpu(0,0). It was slow.",
        "<apic(0,0,1).>",
        '{"a": "apic(0,0,1)."}',
        "import os\ncpu(0,0).\n",
        "% only a comment, cpu(0,0).\n",
    ],
)
def test_barrelfish_recognises_only_its_own(text: str) -> None:
    """Tables, TOML, prose, JSON and Prolog about other things are left to others."""
    assert not barrelfish.recognises(text.encode())


@pytest.mark.parametrize(
    "text",
    ["apic(0,0,1).", "\ufeff% c\n/* d */ :- lib(x).\ncpu(0, 0).", "f(1).\nbar(addr(0,0,0))."],
)
def test_barrelfish_recognises_facts_behind_comments(text: str) -> None:
    """A known predicate in a text that begins as Prolog is enough."""
    assert barrelfish.recognises(text.encode())


def test_barrelfish_recogniser_passes_a_head_once() -> None:
    """Comments and blanks without end take no exponential time."""
    for head in (b"/* */" * 13000, b"%\n" * 30000, b"a" * 65536, b"/*" * 30000, b" " * 65536):
        assert not barrelfish.recognises(head)


NAMES = st.sampled_from(
    (
        *(
            "apic",
            "cpu_thread",
            "cpu_affinity",
            "memory_affinity",
            "cache",
            "device",
            "bridge",
            "bar",
        ),
        *(
            "rootbridge",
            "prt",
            "pir",
            "ht_link",
            "memory_region",
            "mem_region_type",
            "message_rtt",
            "corename",
            "node_distance",
        ),
    )
)
NUMBERS = st.sampled_from([0, 1, 2, 3, 7, 255, 256, 4096, -1, 2**32, 2**63, "_", "data", "x86_64"])
ADDRESSES = st.builds("addr({},{},{})".format, NUMBERS, NUMBERS, NUMBERS)
PAIRS = st.builds("{}({},{})".format, st.sampled_from(["childbus", "mem", "io"]), NUMBERS, NUMBERS)
VALUES = st.one_of(NUMBERS.map(str), ADDRESSES, PAIRS, st.just("secondary(1)"), st.just("apic(0)"))
ROWS = st.builds(
    lambda name, values: f"{name}({','.join(values)}).",
    NAMES,
    st.lists(VALUES, min_size=1, max_size=8),
)


@given(st.lists(ROWS, max_size=12))
def test_barrelfish_any_facts_load_or_are_one_error(rows: list[str]) -> None:
    """Whatever the producers disagree about, the outcome is a sound snapshot or our error."""
    with suppress(SkbError):
        machine_of(described("cpu(0,0).\n" + "\n".join(rows)), "m").summary()

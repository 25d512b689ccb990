"""The native description: what a person writes, what is refused, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skb.errors import DescriptionError, SkbError
from skb.exports import export
from skb.machine import Machine
from skb.resources import bundled_machines
from skb.sources import native, read
from tests.machines import bundled

HEAD = b'[machine]\nname = "m"\nclock_mhz = 1000\n[structure]\ntree = "package:2 core:2 pu:1"\n'
BAD = [
    (b'[machine]\nname = "m\n', "line 2"),
    (b"[machine]\nname = 5\n", "machine.name"),
    (b'[machine]\nname = "m"\nclok = 5\n', "clok"),
    (b'[machine]\nname = "m"\n[structure]\ntree = "package:x"\n', "package:x"),
    (b'[machine]\nname = "m"\n[structure]\ntree = "package:9999999"\n', "more than 100000"),
    (b'[machine]\nname = "m"\n[structure]\ntree = "core:1 pu:1"\npu_order = "odd"\n', "odd"),
    (HEAD + b'[[link]]\nfrom = "package:0"\n', "to"),
    (HEAD + b'[[link]]\nfrom = "package:0"\nto = "package:1"\nsource = "x"\n', "unknown source"),
    (HEAD + b'[[latency]]\nwithin = "core"\n', "no latency"),
    (HEAD + b'[[latency]]\nwithin = "core"\nhops = 1\ncycles = 3\n', "not clear"),
    (HEAD + b'[[latency]]\nwithin = "cores"\ncycles = 3\n', "not one of core"),
    (HEAD + b"[[latency]]\nhops = 1\ncycles = 3\nlatency_ns = 3\n", "both nanoseconds"),
    (HEAD + b"[[message]]\nhops = 1\n", "no cost"),
    (HEAD + b'[[cache]]\nlevel = "l3"\nsize_kib = 3\n', "has no l3"),
    (HEAD + b"[[memory]]\nnuma = 7\n", "has no numa:7"),
    (HEAD + b'[facts.measured]\nloda = [["pu:0", 3]]\n', "unknown predicate"),
    (HEAD + b'[facts.measured]\nload = [["pu:0", 3], ["pu:0", 4]]\n', "contradicts"),
    (HEAD + b'[[part]]\nid = "pu:0"\n', "exists already"),
    (HEAD + b'[[part]]\nid = "pu:9"\nparent = "core:9"\n', "no parent core:9"),
    (b"[machine]\nname = " + b"[" * 5000, "mend the TOML"),
    (b'[machine]\nname = "\xff"\n', "utf-8"),
    (b"", "the description is empty"),
    (b'[machine]\nname = "m"\n', "has no PU"),
    (b"\x00" * 4096, "no machine description"),
]


@pytest.mark.parametrize(("data", "words"), BAD)
def test_native_refuses_with_place_and_mend(data: bytes, words: str) -> None:
    """A bad description is one error that names the file and what is wrong."""
    with pytest.raises(SkbError, match=words) as caught:
        read(data, "m.toml")
    assert caught.value.place.startswith("m.toml")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", sorted(bundled_machines()))
def test_native_export_reads_back_to_the_same_facts(name: str) -> None:
    """What `skb export` writes gives the same machine."""
    machine = bundled(name)
    again = read(export(machine, "native").text.encode(), "again.toml")
    assert Machine(again.name, again.facts).digest == machine.digest
    assert again.title == machine.title


@pytest.mark.parametrize("name", sorted(bundled_machines()))
def test_native_bundled_machines_name_a_source_for_each_number(name: str) -> None:
    """No bundled fact is anonymous: each says by whom it is known."""
    anonymous = {fact.predicate for fact in bundled(name).facts if not fact.by}
    assert anonymous == set()


def test_native_threads_last_numbers_siblings_half_a_machine_apart() -> None:
    """`pu_order` gives the second threads of all cores the upper half of the numbers."""
    text = HEAD.replace(b"core:2 pu:1", b"core:2 pu:2") + b'pu_order = "threads-last"\n'
    description = read(text, "m.toml")
    machine = Machine("m", description.facts)
    assert [sorted(machine.pus_of(core)) for core in machine.of_kind("core")] == [
        [0, 4],
        [1, 5],
        [2, 6],
        [3, 7],
    ]


def test_native_cycles_become_nanoseconds_of_the_clock() -> None:
    """3 cycles at 1000 MHz are 3 ns."""
    description = read(HEAD + b'[[latency]]\nwithin = "package"\ncycles = 3\n', "m.toml")
    assert Machine("m", description.facts).number("latency_within", "package") == 3.0


@given(st.binary(max_size=300))
def test_native_survives_any_bytes(tail: bytes) -> None:
    """Whatever follows a good head gives a description or one of our errors."""
    try:
        native.read(HEAD + tail, "m.toml")
    except SkbError as fault:
        assert fault.place.startswith("m.toml")


def test_native_accepts_a_byte_order_of_irregular_parts() -> None:
    """The big.LITTLE board has two kinds of cores with their own capacity and caches."""
    board = bundled("odroid-n2")
    kinds = [board.value("core_kind", core) for core in board.of_kind("core")]
    assert kinds == ["efficiency"] * 2 + ["performance"] * 4
    assert board.value("relative_capacity", "core:0") == 592
    assert isinstance(DescriptionError("x"), SkbError)


def test_native_devices_may_share_a_pci_function() -> None:
    """A port is a network and an InfiniBand device: one function, stated once, at one place."""
    ports = """
[machine]
name = "m"
[structure]
tree = "package:2 core:1 pu:1"
[[device]]
name = "ib0"
kind = "network"
at = "package:1"
pci = "0000:41:00.0"
link_gbytes_per_s = 15.75
[[device]]
name = "mlx5_0"
kind = "openfabrics"
at = "package:1"
pci = "0000:41:00.0"
link_gbytes_per_s = 15.75
"""
    facts = {(f.predicate, f.args) for f in read(ports.encode(), "m.toml").facts}
    pci = "pci:0000:41:00.0"
    assert {("contains", (pci, "device:ib0")), ("contains", (pci, "device:mlx5_0"))} <= facts
    apart = ports.replace('at = "package:1"', 'at = "package:0"', 1)
    with pytest.raises(DescriptionError, match="also at package:0"):
        read(apart.encode(), "m.toml")


def test_native_tree_with_an_endless_count_is_refused() -> None:
    """A count of five thousand digits is a clear error."""
    text = '[machine]\nname = "m"\n[structure]\ntree = "package:' + "9" * 5000 + '"\n'
    with pytest.raises(DescriptionError, match="cannot read 'package:999"):
        read(text.encode(), "endless.toml")

"""PCI, interrupts and addresses of Barrelfish fact files: each fact, and each fault by name."""

from __future__ import annotations

import pytest

from skb.knowledge import machine_of
from tests.sources.boards import NIC, ROOT, described, told
from tests.sources.samples import args, of, parents


def test_barrelfish_non_ground_facts_are_expanded() -> None:
    """A device or route without a function number is about each function of its slot."""
    found = described(
        ROOT
        + "device(pci, addr(0,5,_), 1, 2, 2, 0, 0, -1).\n"
        + NIC
        + 'prt(addr(0,3,_), 1, gsi(19)). prt(addr(0,5,_), 0, pir("\\\\_SB_.LNKA")).\n'
        + 'pir("\\\\_SB_.LNKA", 5). pir("\\\\_SB_.LNKA", 10). prt(addr(0,9,_), 0, gsi(3)).'
    )
    slots = [name for name in parents(found) if name.startswith("pci:0000:00:05.")]
    assert sorted(slots) == [f"pci:0000:00:05.{number}" for number in range(8)]
    routes = args(found, "interrupt_route")
    assert ("pci:0000:00:03.0", 1, 19) in routes
    assert {gsi for name, pin, gsi in routes if name == "pci:0000:00:05.7"} == {5, 10}
    assert len(routes) == 1 + 8 * 2
    assert args(found, "interrupt_pin") == {("pci:0000:00:03.0", 1)}
    assert told(found, "routes of slots", "0:9 pin 0")


def test_barrelfish_windows_of_one_root_are_said_once() -> None:
    """rootbridge repeats the largest window; the others come on their own."""
    found = described(
        "rootbridge_address_window(addr(0,0,0), mem(655360, 786431)).\n"
        "rootbridge_address_window(addr(0,0,0), mem(16'e0000000, 16'efffffff)).\n"
        "rootbridge_address_window(addr(0,0,0), io(0, 16'ffff)).\n"
        "rootbridge(addr(0,0,0), childbus(0,30), mem(16'e0000000, 16'efffffff))."
    )
    assert args(found, "pci_window") == {
        ("bridge:0", "memory", 655360, 131072),
        ("bridge:0", "memory", 0xE0000000, 2**28),
        ("bridge:0", "io", 0, 65536),
    }
    assert {fact.source for fact in of(found, "pci_window")} == {"firmware"}


def test_barrelfish_taken_addresses_are_reserved() -> None:
    """Fixed memory and platform regions; free address space is not taken."""
    found = described(
        "cpu(0,0). fixed_memory(4096, 12288).\n"
        "mem_region_type(3, phyaddr). mem_region_type(8, io).\n"
        "memory_region(65536, 12, 4096, 8, 0). memory_region(0, 12, 4096, 3, 0)."
    )
    assert args(found, "reserved_range") == {
        ("machine:0", 4096, 8192, "fixed_memory"),
        ("machine:0", 65536, 4096, "io"),
    }
    assert told(found, "free address space", "1 of phyaddr")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "bar(addr(0,4,0), 0, 0, 4096, mem, prefetchable, 64).",
            ("1 registers of functions", "04"),
        ),
        ("bar(addr(0,3,0), 0, 0, 0, mem, prefetchable, 64).", ("values that no PCI has", "bar")),
        ("bar(addr(0,3,0), 0, 0, 16, ram, prefetchable, 64).", ("values that no PCI has", "ram")),
        ("bar(addr(0,3,0), 0, 8, 16, mem, prefetchable, 64).", ("no multiple", "00:03.0 0")),
        (
            "bar(addr(0,3,0),0,0,16,mem,prefetchable,64). "
            "bar(addr(0,3,0),0,0,32,mem,prefetchable,64).",
            ("contradict", "32"),
        ),
        ("device(pci, addr(0,3,0), 1, 2, 3, 0, 0, 0).", ("contradict", "device(pci")),
        ("device(pci, addr(300,3,0), 1, 2, 3, 0, 0, 0).", ("other arguments", "addr(300")),
        ("device(pci, addr(0,4,0), 99999, 2, 3, 0, 0, 0).", ("numbers that no PCI", "99999")),
        ("device(pci, addr(0,4,0), 1, 2, 3, 0, 0, 9).", ("numbers that no PCI", "9)")),
        (
            "device(pci, addr(7,4,0), 1, 2, 3, 0, 0, 0).",
            ("leads to some buses", "bus 7 at bridge:0"),
        ),
        ("device(pci, addr(77,4,0), 1, 2, 3, 0, 0, 0).", ("leads to some buses", "77 at machine")),
        ("device(pci, addr(0,4,0), 1, 2).", ("no relation takes it", "device/4")),
        (
            "bridge(pci,addr(0,1,0),1,2,6,4,0,secondary(0)).",
            ("something else leads to", "00:01.0 to bus 0"),
        ),
        (
            "bridge(pci,addr(5,1,0),1,2,6,4,0,secondary(6)). "
            "bridge(pci,addr(6,1,0),1,2,6,4,0,secondary(5)).",
            ("lead to themselves", "06:01.0 to bus 5"),
        ),
        ("bridge(pci,addr(0,1,0),1,2,6,4,0,secondary(999)).", ("bus that no PCI has", "999")),
        (
            "rootbridge(addr(1,0,0), childbus(9,1), mem(1,2)).",
            ("ranges of buses", "childbus(9, 1)"),
        ),
        ("rootbridge(addr(5,0,0), childbus(5,20), mem(1,2)).", ("two root complexes", "0 to 9")),
        (
            "rootbridge(addr(64,0,0), childbus(64,99), mem(5000,6000)).",
            ("windows that overlap", "5000"),
        ),
        ("rootbridge_address_window(addr(0,0,0), dma(1,2)).", ("unknown kind", "dma(1, 2)")),
        ('prt(addr(0,3,_), 0, pir("none")).', ("no known target", "none")),
        ("fixed_memory(8, 8).", ("impossible size", "fixed_memory(8, 8)")),
        ("ioapic(0, 4096, 0). ioapic(0, 8192, 0).", ("contradict", "ioapic(0, 8192, 0)")),
    ],
)
def test_barrelfish_fault_of_pci_is_reported(text: str, words: tuple[str, ...]) -> None:
    """Each fault is named with its fact; the rest loads, and the snapshot is sound."""
    found = described(ROOT + NIC + text)
    assert told(found, *words), found.notes
    assert machine_of(found, "m").has("pci:0000:00:03.0")


def test_barrelfish_bridge_is_numbered_by_its_bus() -> None:
    """The same bridge has the same number whatever else a file describes."""
    bridge = "bridge(pcie, addr(0,9,0), 4318, 92, 6, 4, 1, secondary(5)).\n"
    alone, more = (
        described(ROOT + bridge),
        described(ROOT + NIC + bridge.replace("5", "2") + bridge),
    )
    assert "bridge:5" in parents(alone)
    assert parents(more)["bridge:5"] == "bridge:0"

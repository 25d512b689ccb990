"""Linux sysfs: addresses of PCI registers, and windows of host bridges out of `/proc/iomem`."""

from __future__ import annotations

from tests.sources.linux import describe, machine, pci
from tests.sources.samples import args

IOMEM = """\
00001000-0009fbff : System RAM
c0000000-febfffff : PCI Bus 0000:00
  c0000000-c0ffffff : 0000:00:01.0
    c0000000-c0ffffff : driver
  fe000000-fe0fffff : PCI Bus 0000:01
  fea00000-fea00fff : HPET 0
fec00000-fec003ff : IOAPIC 0
4000000000-7fffffffff : PCI Bus 0000:00
c0000000-c0000fff : PCI Bus 0000:00
nonsense
ffffffffffffffff-0000 : PCI Bus 0000:00
"""


def test_sysfs_states_present_addresses_and_windows() -> None:
    """Addresses of registers, windows of the host bridge, and what is taken inside them."""
    files = machine(2) | pci("pci0000:00/0000:00:01.0", "0x030000")
    where = next(path for path in files if path.endswith("0000:00:01.0/class"))[: -len("class")]
    files[f"{where}resource"] = (
        "0x00000000c0000000 0x00000000c0ffffff 0x0000000000040200\n"
        "0x0000000000000000 0x0000000000000fff 0x0000000020040200\n"
        "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
    )
    found = describe(files | {"proc/iomem": IOMEM})
    assert args(found, "pci_bar_base") == {("pci:0000:00:01.0", 0, 0xC0000000)}
    assert {a[1] for a in args(found, "pci_bar")} == {0, 1}
    ((bridge, *_),) = {a[:1] for a in args(found, "pci_window")}
    assert args(found, "pci_window") == {
        (bridge, "memory", 0xC0000000, 0x3EC00000),
        (bridge, "memory", 0x4000000000, 0x4000000000),
    }
    assert args(found, "reserved_range") == {("machine:0", 0xFEA00000, 0x1000, "HPET 0")}


def test_sysfs_says_that_addresses_are_hidden() -> None:
    """Who may not read `/proc/iomem` sees zeros: no window is made of them."""
    hidden = "00000000-00000000 : PCI Bus 0000:00\n"
    found = describe(
        machine(2) | pci("pci0000:00/0000:00:01.0", "0x030000") | {"proc/iomem": hidden}
    )
    assert not args(found, "pci_window")
    assert any("hides its addresses" in note for note in found.notes)

"""PCI windows that touch, that cross 4 GiB, and rows of a request that say one thing twice."""

from __future__ import annotations

from typing import Any

import pytest

from skb.benching.pci_trees import MIB, Device, machine_of_tree
from skb.checkers.pci import check
from skb.decision import Decision, Limits
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.pci import decide
from skb.relations import Fact

FOUR_GIB = 1 << 32


def decided(machine: Machine, request: dict[str, Any]) -> Decision:
    """Return a decision that the judge accepts."""
    found = decide(machine, request, Limits(seconds=20))
    assert check(machine, found) == []
    return found


def two_windows(devices: list[Device], first: str, second: str, mib: int) -> Machine:
    """Return a machine whose host bridge has two windows of so many MiB that touch."""
    more = Fact("pci_window", ("bridge:0", second, 0xD0000000 + mib * MIB, mib * MIB))
    made = machine_of_tree("touching", (0,), devices, mib * MIB, 0xD0000000, [more])
    window = ("bridge:0", first, 0xD0000000, mib * MIB)
    facts = [
        Fact(f.predicate, window)
        if f.args[:1] == ("bridge:0",) and f.args[2:3] == (0xD0000000,)
        else f
        for f in made.facts
    ]
    return Machine("touching", facts)


def test_pci_small_registers_share_a_grain_around_4_gib() -> None:
    """A 64-bit register fills the grain beside one of 32 bits, so that nothing is left empty."""
    half = MIB // 2
    devices = [
        Device(0, ((half, "memory64"),)),
        Device(0, ((half, "memory64"),)),
        Device(0, ((half, "prefetchable32"),)),
        Device(1, ((MIB, "prefetchable32"),)),
        Device(1, ((4 * MIB, "prefetchable32"),)),
    ]
    machine = machine_of_tree("crossing", (0,), devices, 13 * MIB, FOUR_GIB - 6 * MIB)
    found = decided(machine, {})
    assert found.status == "optimal"
    assert found.objective.value == sum(size for d in devices for size, _kind in d.bars)


def test_pci_windows_of_one_space_that_touch_are_one() -> None:
    """A register may lie across two memory windows without anything between them."""
    machine = two_windows([Device(0, ((2 * MIB, "memory32"),))], "memory", "memory", 1)
    assert decided(machine, {}).objective.value == 2 * MIB


@pytest.mark.parametrize("behind", [0, 1])
def test_pci_nothing_lies_across_windows_of_two_spaces(behind: int) -> None:
    """Prefetchable registers lie in the one window or in the other."""
    devices = [Device(behind, ((4 * MIB, "prefetchable64"),))]
    machine = two_windows(devices, "memory", "prefetchable", 2)
    found = decided(machine, {})
    assert found.status == "infeasible" and found.objective.value is None


def test_pci_rows_of_room_behind_one_bridge_add_up() -> None:
    """Two rows of 1 MiB keep 2 MiB."""
    machine = machine_of_tree("room", (0,), [Device(1, ((MIB, "memory32"),))], 16 * MIB)
    rows = [{"bridge": "bridge:1", "memory": "1 MiB"}] * 2
    found = decided(machine, {"hotplug": rows})
    assert sum(row["size"] for row in found.answer["room"]) == 2 * MIB


def test_pci_host_bridge_that_is_named_twice_is_decided_once() -> None:
    """Every register has one row."""
    machine = machine_of_tree("twice", (), [Device(0, ((MIB, "memory32"),))], 16 * MIB)
    assert len(decided(machine, {"below": ["bridge:0"] * 2}).answer["registers"]) == 1


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"pin": [("base", "0xb0000000"), ("base", "0xb0100000")]}, "pinned at two addresses"),
        ({"bar": [("size", "1 MiB"), ("size", "2 MiB")]}, "has two rows"),
    ],
)
def test_pci_rows_that_contradict_are_refused(
    request_: dict[str, list[tuple[str, str]]], said: str
) -> None:
    """One register has one address and one size."""
    machine = machine_of_tree("rows", (), [Device(0, ((MIB, "memory32"),))], 16 * MIB)
    rows = {
        key: [{"pci": "0000:00:00.0", "bar": 0, word: value} for word, value in told]
        for key, told in request_.items()
    }
    with pytest.raises(RequestError, match=said):
        decide(machine, rows, Limits(seconds=20))


def test_pci_window_around_a_pin_without_room_is_refused() -> None:
    """What is behind a bridge has 1 MiB between taken ranges, and is pinned there."""
    devices = [Device(1, ((MIB, "memory32"),)), Device(1, ((MIB, "memory32"),))]
    machine = machine_of_tree("cramped", (0,), devices, 16 * MIB, 0xD0000000)
    pin = {"pci": "0000:01:00.0", "bar": 0, "base": "0xd0200000"}
    taken = [{"base": 0xD0000000 + at * MIB, "size": MIB} for at in (1, 3)]
    found = decided(machine, {"pin": [pin], "reserved": taken})
    assert found.status == "infeasible"
    words = " ".join(reason.text for reason in found.reasons)
    assert "must lie at 0xd0200000" in words and "0xd0100000 to 0xd01fffff is taken" in words
    # beside one of the ranges there is room
    assert decided(machine, {"pin": [pin], "reserved": taken[:1]}).status != "infeasible"

"""pci: published machines, an independent oracle, pins, ranges, room, limits, refusals."""

from __future__ import annotations

import random
from typing import Any

import pytest

from skb.benching.pci_trees import MIB, Device, fill_series, machine_of_tree, mixed, random_tree
from skb.decision import Limits
from skb.errors import RequestError
from skb.knowledge import decide, explain_alternative, machine_of
from skb.machine import Machine
from skb.relations import Fact
from skb.sources import read, read_path
from tests.machines import shared
from tests.questions.pci_oracle import Small, fits

BASE = 0xB0000000


def asked(machine: Machine, seconds: float = 20, **request: Any) -> dict[str, Any]:
    """Return the decision on a request as JSON; the checker has accepted it."""
    return decide("pci", machine, request, Limits(seconds=seconds)).to_json()


def base_of(answer: dict[str, Any], pci: str, bar: int = 0) -> int:
    rows = answer["answer"]["registers"]
    return next(int(r["base"]) for r in rows if (r["pci"], r["bar"]) == (pci, bar))


def machine(*devices: Device, parents: tuple[int, ...] = (), window: int = 64 * MIB) -> Machine:
    return machine_of_tree("m", parents, devices, window)


def one(bridge: int, mib: float, kind: str = "memory32") -> Device:
    return Device(bridge, ((int(mib * MIB), kind),))


# ------------------------------------------------------------------ published machines
def gruyere() -> Machine:
    return machine_of(read_path(shared("barrelfish/testdevices2.facts")), "gruyere")


def test_pci_of_the_2009_board() -> None:
    """USB registers that stay push the 64 MiB register to the next multiple: 128 MiB, proven."""
    answer = asked(gruyere(), keep=["usb", "ioapic"])
    assert answer["status"] == "optimal"
    assert answer["objective"]["value"] == answer["bound"] == 128 * MIB
    assert base_of(answer, "pci:0000:00:02.0") == 3556769792
    assert len(answer["assumed"]) == 2


def test_pci_of_the_2009_board_without_pins() -> None:
    """What is free is packed into 64 MiB, three windows of 1 MiB and the small registers."""
    answer = asked(gruyere())
    small = 4 * 4096 + 256
    assert answer["objective"]["value"] == answer["bound"] == 67 * MIB + small
    assert any("behind no host bridge" in warning for warning in answer["warnings"])


def test_pci_fill_series_as_published() -> None:
    """Every step of the published series is proven with at most 1 MiB of padding, where the
    ascending order overflows by 128 MiB from 84.3 % on.
    """
    lines = shared("barrelfish/testdevices.facts").read_text().splitlines(keepends=True)
    published = {228: 419037184, 229: 452591616, 230: 519700480}
    for count in (193, 202, 208, 214, 220, 226, 227, *published):
        found = read("".join(lines[:count]).encode(), "testdevices.facts")
        answer = asked(machine_of(found, "filled"))
        assert answer["status"] == "optimal"
        (root,) = answer["answer"]["roots"]
        assert root["padding"] <= MIB
        if count in published:
            assert root["held"] == published[count]
        ascending = next(row for row in answer["alternatives"] if row["name"] == "ascending")
        assert ("128 MiB behind" in ascending.get("breaks", "")) == (count >= 229)


@pytest.mark.parametrize("seed", range(3))
def test_pci_fill_series_of_our_own(seed: int) -> None:
    """Registers are added one by one until 97 % are full; each step is proven."""
    for made in fill_series(seed):
        answer = asked(made)
        assert answer["status"] == "optimal"
    (root,) = answer["answer"]["roots"]
    assert root["padding"] <= MIB
    assert root["held"] >= 0.9 * 512 * MIB


# ------------------------------------------------------------------ the oracle
@pytest.mark.parametrize("seed", range(60))
def test_pci_equals_the_oracle(seed: int) -> None:
    """The value is feasible and one slot less is not, by code that shares nothing."""
    draw = random.Random(seed)
    parents = tuple(draw.randrange(at + 1) for at in range(draw.randint(0, 3)))
    bars = [
        Small(draw.randint(0, len(parents)), draw.choice((1, 1, 2, 4, 8)), draw.random() < 0.3)
        for _ in range(draw.randint(1, 6))
    ]
    taken = [slot for slot in range(40) if draw.random() < 0.06]
    devices = [
        one(bar.bridge, bar.size, "prefetchable32" if bar.prefetchable else "memory32")
        for bar in bars
    ]
    answer = asked(
        machine(*devices, parents=parents, window=40 * MIB),
        reserved=[{"base": BASE + slot * MIB, "size": MIB} for slot in taken],
    )
    if answer["status"] == "infeasible":
        assert not fits(parents, bars, 40, taken)
        return
    assert answer["status"] == "optimal"
    slots = answer["objective"]["value"] // MIB
    assert fits(parents, bars, slots, taken)
    assert not fits(parents, bars, slots - 1, taken)


@pytest.mark.parametrize("seed", range(60))
def test_pci_with_pins_agrees_with_the_oracle(seed: int) -> None:
    """With pins an answer is feasible, a proof holds, and what is refused does not fit."""
    draw = random.Random(1000 + seed)
    parents = tuple(draw.randrange(at + 1) for at in range(draw.randint(1, 3)))
    bars = [
        Small(draw.randint(0, len(parents)), draw.choice((1, 1, 2, 4)), draw.random() < 0.3)
        for _ in range(draw.randint(2, 5))
    ]
    slots = draw.choice((16, 24))
    pins = {
        at: draw.randrange(slots // bars[at].size) * bars[at].size
        for at in draw.sample(range(len(bars)), draw.randint(1, 2))
    }
    devices = [
        one(bar.bridge, bar.size, "prefetchable32" if bar.prefetchable else "memory32")
        for bar in bars
    ]
    made = machine(*devices, parents=parents, window=slots * MIB)
    names = [
        f"{bar.bridge:02x}:00.{sum(other.bridge == bar.bridge for other in bars[:at])}"
        for at, bar in enumerate(bars)
    ]
    rows = [{"pci": names[at], "bar": 0, "base": BASE + slot * MIB} for at, slot in pins.items()]
    answer = asked(made, pin=rows)
    if answer["status"] == "infeasible":
        assert not fits(parents, bars, slots, (), pins)
    elif answer["status"] != "unknown":
        value = answer["objective"]["value"] // MIB
        assert fits(parents, bars, value, (), pins)
        if answer["status"] == "optimal":
            assert not fits(parents, bars, value - 1, (), pins)


@pytest.mark.parametrize("seed", range(40))
def test_pci_of_random_trees_is_accepted(seed: int) -> None:
    """The checker accepts answers with small registers, both kinds of memory, room and pins."""
    draw = random.Random(seed)
    made = random_tree(seed, draw.randint(1, 12))
    bridges = [name for name in made.objects if name.startswith("bridge:")]
    request: dict[str, Any] = {
        "hotplug": [{"bridge": draw.choice(bridges), "memory": draw.randint(1, 3 * MIB)}],
        "reserved": [{"base": BASE + draw.randrange(64) * MIB + 4096, "size": 8192}],
        "prefetchable": draw.choice(["apart", "with-memory"]),
    }
    free = asked(made, **request)
    assert free["status"] in ("optimal", "feasible")
    # a register anywhere else, at a multiple of its size
    row = draw.choice(free["answer"]["registers"])
    other = BASE + draw.randrange(64 * MIB // row["size"]) * row["size"]
    pinned = asked(made, **request, pin=[{"pci": row["pci"], "bar": 0, "base": other}])
    assert pinned["status"] in ("optimal", "feasible", "infeasible", "unknown")
    if pinned["answer"]:
        assert base_of(pinned, row["pci"]) == other
        assert pinned["objective"]["value"] >= free["bound"]


# ------------------------------------------------------------------ sizes
@pytest.mark.parametrize("count", [16, 32, 64])
def test_pci_proves_up_to_64_registers(count: int) -> None:
    """The optimum is proven, and never above a classic order."""
    for seed in range(2):
        answer = asked(mixed(count, seed))
        assert answer["status"] == "optimal"
        assert answer["objective"]["value"] <= min(a["value"] for a in answer["alternatives"])


def test_pci_packs_256_registers_tightly() -> None:
    """A large tree is within 5 % of the sum of its registers."""
    answer = asked(mixed(256, 0), seconds=2)
    (root,) = answer["answer"]["roots"]
    assert root["used"] <= 1.05 * root["held"]


def test_pci_does_not_depend_on_the_clock() -> None:
    """Work is counted: the same request gives the same answer."""
    first, second = asked(mixed(48, 3)), asked(mixed(48, 3))
    assert first["answer"] == second["answer"]


# ------------------------------------------------------------------ what is asked
def test_pci_keeps_prefetchable_windows_apart() -> None:
    """A bridge with both kinds has two windows; with-memory it has one."""
    made = machine(one(1, 1), one(1, 2, "prefetchable32"), parents=(0,))
    rows = asked(made)["answer"]["windows"]
    assert {row["space"] for row in rows} == {"memory", "prefetchable"}
    together = asked(made, prefetchable="with-memory")
    assert [row["space"] for row in together["answer"]["windows"]] == ["memory"]
    # one window of 4 MiB instead of 2 + 1
    assert together["objective"]["value"] == 3 * MIB


def test_pci_uses_addresses_above_4_gib_exactly() -> None:
    """A 64-bit prefetchable register goes to the window above, one of 32 bits does not."""
    above = 0x12_3400_0000_0000
    made = machine(
        one(1, 64, "prefetchable64"), one(2, 64, "prefetchable32"), parents=(0, 0), window=64 * MIB
    )
    windows = [
        {"base": "0xb0000000", "size": "64 MiB"},
        {"space": "prefetchable", "base": above, "size": "1 GiB"},
    ]
    answer = asked(made, window=windows)
    assert answer["status"] == "optimal"
    assert base_of(answer, "pci:0000:01:00.0") == above
    assert base_of(answer, "pci:0000:02:00.0") == 0xB0000000


def test_pci_memory_behind_a_bridge_stays_below_4_gib() -> None:
    """A bridge's memory window has 32 bits, whatever the register behind it has."""
    made = machine_of_tree("high", (0,), [one(1, 1, "memory64")], 64 * MIB, 1 << 33)
    answer = asked(made)
    assert answer["status"] == "infeasible"
    assert any("bridge:0" in reason["text"] for reason in answer["reasons"])


def test_pci_leaves_room_for_hotplug() -> None:
    """An empty bridge gets a window of the room that is asked for."""
    made = machine(one(0, 1), parents=(0,))
    answer = asked(made, hotplug=[{"bridge": "bridge:1", "memory": "3 MiB"}])
    assert sum(row["size"] for row in answer["answer"]["room"]) == 3 * MIB
    (window,) = answer["answer"]["windows"]
    assert window["size"] == 3 * MIB


def test_pci_avoids_an_io_apic_unless_a_register_holds_it() -> None:
    """The page is kept free; a register that holds it stays, which is said."""
    apic = Fact("ioapic", (0, BASE, 0))
    made = machine_of_tree("apic", (), [one(0, 1)], 8 * MIB, more=[apic])
    assert base_of(asked(made), "pci:0000:00:00.0") == BASE + MIB
    held = Fact("pci_bar_base", ("pci:0000:00:00.0", 0, BASE))
    kept = asked(machine_of_tree("apic", (), [one(0, 1)], 8 * MIB, more=[apic, held]))
    assert base_of(kept, "pci:0000:00:00.0") == BASE
    assert "I/O APIC 0" in kept["assumed"][0]["because"]


def test_pci_keeps_present_addresses_where_it_can() -> None:
    """Two registers at one address: one of them moves, the third stays."""
    bases = [
        Fact("pci_bar_base", (f"pci:0000:00:00.{at}", 0, base))
        for at, base in enumerate((BASE + 2 * MIB, BASE + 2 * MIB, BASE + 5 * MIB))
    ]
    made = machine_of_tree("now", (), [one(0, 1)] * 3, 8 * MIB, more=bases)
    answer = asked(made, keep_current=True)
    assert answer["objective"] == {"name": "registers that move", "value": 1, "unit": "registers"}
    assert base_of(answer, "pci:0000:00:00.2") == BASE + 5 * MIB
    assert answer["status"] == "optimal"


def test_pci_adds_bridges_and_registers() -> None:
    """What the facts lack comes from the request."""
    made = machine(one(0, 1))
    answer = asked(
        made,
        bridge=[{"name": "bridge:9", "at": "bridge:0"}],
        bar=[{"pci": "09:00.0", "bar": 2, "size": "2 MiB", "at": "bridge:9"}],
    )
    assert base_of(answer, "pci:0000:09:00.0", 2) % (2 * MIB) == 0
    assert answer["answer"]["windows"][0]["bridge"] == "bridge:9"


def test_pci_lays_out_io_ports() -> None:
    """I/O registers have windows of 4 KiB in a space of their own."""
    made = machine(Device(1, ((128, "io"), (MIB, "memory32"))), parents=(0,))
    window = {"space": "io", "base": 0x1000, "size": 0xF000}
    answer = asked(made, window=[window])
    rows = {row["space"]: row for row in answer["answer"]["windows"]}
    assert rows["io"]["base"] == 0x1000
    assert rows["io"]["size"] == 4096


def test_pci_around_a_pin_behind_a_bridge() -> None:
    """The window of a bridge lies around what is pinned, and holds the rest."""
    made = machine(one(1, 1), one(1, 4), one(0, 8), parents=(0,))
    pin = {"pci": "01:00.0", "bar": 0, "base": BASE + 11 * MIB}
    answer = asked(made, pin=[pin])
    assert base_of(answer, "pci:0000:01:00.0") == BASE + 11 * MIB
    # 8 MiB at the base, then a window from 8 to 12 MiB + 1
    assert answer["objective"]["value"] <= 16 * MIB


# ------------------------------------------------------------------ nothing fits
def test_pci_infeasible_names_window_and_missing_bytes() -> None:
    """The smallest window that would do is told, and the registers that clash."""
    made = machine(one(0, 4), one(0, 4), one(0, 1), window=8 * MIB)
    answer = asked(made)
    assert answer["status"] == "infeasible"
    assert f"{MIB} bytes (1 MiB) are missing" in answer["reasons"][0]["text"]
    assert "memory window of bridge:0" in answer["reasons"][0]["text"]
    assert "3 registers of 9 MiB" in answer["reasons"][-1]["text"]


def test_pci_infeasible_reasons_are_minimal() -> None:
    """Of two reserved ranges only the one that is in the way is a reason."""
    made = machine(one(0, 4), window=8 * MIB)
    answer = asked(
        made,
        reserved=[
            {"base": BASE + MIB, "size": MIB, "what": "first"},
            {"base": BASE + 5 * MIB, "size": MIB, "what": "second"},
            {"base": BASE + 6 * MIB, "size": MIB, "what": "third"},
        ],
    )
    assert answer["status"] == "infeasible"
    words = " ".join(reason["text"] for reason in answer["reasons"])
    assert "first" in words
    assert ("second" in words) != ("third" in words)


def test_pci_pins_that_clash_are_named() -> None:
    """Two pins on one address, and a pin outside, are told without a search."""
    made = machine(one(0, 1), one(0, 1))
    pins = [{"pci": f"00:00.{at}", "bar": 0, "base": BASE} for at in range(2)]
    answer = asked(made, pin=pins)
    assert answer["status"] == "infeasible"
    assert len(answer["reasons"]) == 2
    outside = asked(made, pin=[{"pci": "00:00.0", "bar": 0, "base": 0}])
    assert outside["status"] == "infeasible"
    crooked = asked(made, pin=[{"pci": "00:00.0", "bar": 0, "base": BASE + 4096}])
    assert "multiple of its size" in crooked["reasons"][1]["text"]


def test_pci_alternative_has_a_price() -> None:
    """`why --not` forces an address; what it costs is exact where both are proven."""
    made = machine(one(0, 4), one(0, 1), window=16 * MIB)
    limits = Limits(seconds=10)
    decision = decide("pci", made, {}, limits)
    clause = {"pci": "00:00.0", "bar": "0", "base": hex(BASE + 8 * MIB)}
    other = explain_alternative(made, decision.to_json(), clause, limits)
    assert other["price"] == "exact"
    assert other["difference"] == 7 * MIB


# ------------------------------------------------------------------ bad requests
@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"pin": [{"pci": "00:00.0", "bar": 3, "base": BASE}]}, "no register 3"),
        ({"pin": [{"pci": "00:00.0", "bar": 0}]}, "either base or keep"),
        ({"pin": [{"pci": "0f:00.0", "bar": 0, "base": BASE}]}, "no PCI function 0f:00.0"),
        ({"pin": [{"pci": "00:00.0", "bar": 0, "keep": "current"}]}, "no fact states an address"),
        ({"window": [{"base": "12 parsec", "size": 1}]}, "no number of bytes"),
        ({"window": [{"base": 0, "size": 0}]}, "not inside 64 bits"),
        ({"window": [{"bridge": "bridge:1", "base": 0, "size": 1}]}, "no host bridge"),
        ({"below": ["bridge:1"]}, "no host bridge"),
        ({"space": ["io"]}, "no window of a host bridge takes io"),
        ({"align": {"memory": 3}}, "cannot be aligned"),
        ({"hotplug": [{"bridge": "bridge:7", "memory": 1}]}, "no bridge bridge:7"),
        ({"hotplug": [{"bridge": "bridge:1", "io": 1}]}, "takes io"),
        ({"bar": [{"pci": "00:00.0", "bar": 9, "size": 1}]}, "no function has a register 9"),
        ({"bar": [{"pci": "00:00.0", "bar": 0, "size": "8 GiB"}]}, "fits no address space"),
        ({"bridge": [{"name": "bridge:1"}]}, "there is a bridge:1 already"),
        ({"shape": 1}, "unknown field"),
        ({"window": [{"base": 2**64, "size": 1}]}, "64 bits"),
    ],
)
def test_pci_bad_request_names_the_mend(request_: dict[str, Any], said: str) -> None:
    """Each error is one sentence with a place and what to do."""
    made = machine(one(0, 1), one(1, 1), parents=(0,))
    with pytest.raises(RequestError, match=said) as caught:
        asked(made, **request_)
    assert caught.value.mend


def test_pci_without_windows_says_what_to_add() -> None:
    """A machine whose facts state no window of a host bridge is asked for one."""
    made = Machine("bare", [Fact("contains", ("machine:0", "bridge:0"))])
    with pytest.raises(RequestError, match="no window of a host bridge") as caught:
        asked(made)
    assert "[[window]]" in str(caught.value.mend)

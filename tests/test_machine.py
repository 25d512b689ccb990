"""The snapshot: structure, nearness, what may be used; the 2009 board's published graph."""

from __future__ import annotations

import itertools

import pytest

from skb.errors import ContradictionError, NotFoundError
from skb.machine import Machine
from skb.relations import Fact
from tests.machines import bundled, grown


def test_machine_board_has_the_published_graph() -> None:
    """V3: diameter 3, mean hops 1.594 with self, 22/22/12 ordered pairs, all 24 ports used."""
    board = bundled("tyan-s4985")
    pairs = itertools.product(board.of_kind("package"), repeat=2)
    hops = [board.hops(a, b) for a, b in pairs]
    counted = [hop for hop in hops if hop is not None]
    assert len(counted) == 64
    assert [counted.count(n) for n in (1, 2, 3, 4)] == [22, 22, 12, 0]
    assert round(sum(counted) / 64, 3) == 1.594
    assert sum(len(ends) for ends in board.links.values()) + 2 == 24


def test_machine_board_has_its_cores_in_order() -> None:
    """Package p holds PUs 4p to 4p + 3 and node p; the NICs hang on packages 0 and 7."""
    board = bundled("tyan-s4985")
    for package in range(8):
        assert board.pus_of(f"package:{package}") == frozenset(range(4 * package, 4 * package + 4))
        assert board.numa_of(f"package:{package}") == (package,)
    assert board.pus_of("device:eth0") == frozenset(range(4))
    assert board.pus_of("device:eth1") == frozenset(range(28, 32))


def test_machine_counts_every_kind_of_the_contract() -> None:
    """`counts` has its fixed keys in their fixed order, zero where there is none."""
    counts = grown("package:2 numa:1 l3:1 core:2 pu:2").counts
    kinds = "pu core package die numa l1d l1i l2 l3 memcache pci bridge device misc"
    assert " ".join(counts) == kinds
    assert counts["pu"] == 8 and counts["die"] == 0


def test_machine_levels_name_every_level_with_the_same_pus() -> None:
    """Where an L3 covers a whole package with its memory, it is all three levels at once."""
    board = bundled("tyan-s4985")
    assert board.common_ancestor(0, 3) == "l3:0"
    assert board.levels("l3:0") == ("l3", "package", "numa")
    assert board.common_ancestor(0, 4) == "machine:0"


def test_machine_memory_is_local_to_its_parent() -> None:
    """Several NUMA nodes of a package divide its PUs; a device knows the nodes around it."""
    machine = grown("package:1 numa:2 l3:1 core:2 pu:1")
    assert [machine.numa_of_pu[pu] for pu in machine.pus] == [(0,), (0,), (1,), (1,)]
    assert machine.numa_of("package:0") == (0, 1)
    assert machine.numa_of("l3:1") == (1,)


@pytest.mark.parametrize(
    ("fact", "gone"),
    [
        (Fact("power", ("package:1", "off")), {4, 5, 6, 7}),
        (Fact("presence", ("core:0", "absent")), {0, 1}),
        (Fact("disallowed", ("pu:3", "cgroup")), {3}),
        (Fact("power", ("pu:2", "sleep")), {2}),
    ],
)
def test_machine_unusable_follows_power_presence_and_allowance(fact: Fact, gone: set[int]) -> None:
    """What hangs below a part that is off or absent cannot be used either, and says why."""
    machine = grown("package:2 core:2 pu:2", fact)
    assert set(machine.pus) - set(machine.usable_pus) == gone
    assert all(str(fact.args[0]) in machine.unusable(f"pu:{pu}") for pu in gone)


def test_machine_precedence_prefers_measured_over_firmware() -> None:
    """The stronger source holds; the weaker stays visible as a conflict."""
    weak = Fact("memory_latency", ("numa:0", "numa:0", "read", 100.0), source="firmware")
    strong = Fact("memory_latency", ("numa:0", "numa:0", "read", 87.5), source="measured")
    machine = grown("numa:1 core:1 pu:1", weak, strong)
    assert machine.number("memory_latency", "numa:0", "numa:0", "read") == 87.5
    assert machine.conflicts() == ((strong, weak),)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ([("package:0", "pu:0")], "package:0, which has no parent"),
        ([("core:0", "core:1"), ("core:1", "core:0")], "contains itself"),
        ([("machine:0", "core:0"), ("core:0", "machine:0")], "cannot be inside core:0"),
    ],
)
def test_machine_refuses_impossible_structure(facts: list[tuple[str, str]], words: str) -> None:
    """A part without a way to the machine, and a circle, are contradictions by name."""
    with pytest.raises(ContradictionError, match=words):
        Machine("odd", [Fact("contains", pair) for pair in facts])


def test_machine_digest_does_not_know_its_name() -> None:
    """Equal facts have equal digests whatever the machine is called and who stated them."""
    facts = bundled("tyan-s4985").facts
    assert Machine("a", facts).digest == Machine("b", reversed(facts)).digest
    assert Machine("a", facts[:-1]).digest != Machine("a", facts).digest


def test_machine_require_says_what_there_is() -> None:
    """An object that does not exist is refused with the ones that do."""
    with pytest.raises(NotFoundError, match=r"has no numa:9 \(it has numa:0 to numa:7 \(8\)\)"):
        bundled("tyan-s4985").require("numa:9")


def test_machine_counts_one_gpu_for_each_pci_function() -> None:
    """A GPU that several back-ends name is one GPU."""
    assert len(bundled("ex235a").of_device_kind("gpu")) == 8

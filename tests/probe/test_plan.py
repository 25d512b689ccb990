"""Which pairs are measured: all of a small machine, some of every class of a large one."""

from __future__ import annotations

from collections import Counter

import pytest

from skb.costs import Costs
from skb.probe.plan import cache_bytes, fact_words, plan_memory, plan_pairs, pooled
from skb.relations import Fact
from tests.machines import bundled, grown

TREE = "package:2 numa:1 l3:2 core:4 pu:2"


def test_plan_small_machine_has_every_pair_once() -> None:
    """32 PUs are 496 pairs, each class complete."""
    machine = grown(TREE)
    plan = plan_pairs(machine, machine.pus, None, 0)
    assert not plan.sampled
    assert len(set(plan.pairs)) == len(plan.pairs) == 32 * 31 // 2
    assert all(a < b for a, b in plan.pairs)
    assert all(group.complete for group in plan.groups)


def test_plan_sample_reaches_every_class() -> None:
    """A sample has pairs of each class, and the first visits see one of each."""
    machine = grown(TREE)
    plan = plan_pairs(machine, machine.pus, "sampled", 0)
    costs = Costs(machine)
    every = {costs.pair_class(a, b) for a in machine.pus for b in machine.pus if a < b}
    first = [costs.pair_class(*pair) for pair in plan.pairs[: len(every)]]
    assert set(first) == every
    assert len(plan.pairs) < 40
    assert {group.word for group in plan.groups} == {"core", "l3", "package", "machine"}


def test_plan_sample_spreads_over_the_pus() -> None:
    """Eight pairs of hyperthreads are sixteen different PUs."""
    machine = grown(TREE)
    plan = plan_pairs(machine, machine.pus, "sampled", 0)
    cores = next(group for group in plan.groups if group.word == "core")
    assert max(Counter(pu for pair in cores.sampled for pu in pair).values()) == 1


def test_plan_is_that_of_its_seed() -> None:
    """One seed gives one order; another seed another."""
    machine = grown(TREE)
    plans = [plan_pairs(machine, machine.pus, "sampled", seed).pairs for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]


def test_plan_thousand_pus_are_sampled_without_sorting_all_pairs() -> None:
    """A machine of 1024 PUs gets some pairs of each distance, from more than a dozen PUs."""
    machine = bundled("mesh-1024")
    plan = plan_pairs(machine, machine.pus, None, 0)
    assert plan.sampled and not any(group.complete for group in plan.groups)
    assert all(group.sampled for group in plan.groups)
    assert len({pu for pair in plan.pairs for pu in pair}) > 12


def test_plan_hops_are_named_by_their_number() -> None:
    """On a machine with a link graph the classes across packages are hops."""
    machine = bundled("tyan-s4985")
    plan = plan_pairs(machine, machine.pus, None, 0)
    words = {(group.predicate, group.word) for group in plan.groups}
    assert {("hops", 1), ("hops", 2), ("hops", 3)} <= words


def test_plan_says_which_classes_share_a_median() -> None:
    """Packages at two firmware distances are one "machine" to a fact, and that is said."""
    ends = [(0, 1, 12), (0, 2, 20), (1, 2, 20)]
    facts = [
        Fact("numa_distance", (f"numa:{x}", f"numa:{y}", d), "firmware")
        for a, b, d in ends
        for x, y in ((a, b), (b, a))
    ]
    machine = grown("package:3 numa:1 core:2 pu:1", *facts)
    [said] = pooled(plan_pairs(machine, machine.pus, "sampled", 0))
    assert "NUMA distance 12" in said and "NUMA distance 20" in said
    assert pooled(plan_pairs(grown(TREE), range(32), "sampled", 0)) == []


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (("within", ("l3", "numa", "package"), None), ("within", "l3")),
        (("within", (), None), ("within", "machine")),
        (("across", 2, None, False), ("hops", 2)),
        (("across", None, 20.0, False), ("within", "machine")),
    ],
)
def test_plan_classes_have_words_that_facts_know(
    key: tuple[object, ...], words: tuple[str, str | int]
) -> None:
    """A class becomes a level or a number of hops, never a word that no fact can hold."""
    assert fact_words(key) == words


def test_plan_memory_goes_from_nodes_with_pus_to_nodes_with_memory() -> None:
    """Two nodes with four PUs reach each other; a subset of PUs is no whole node."""
    machine = grown("package:2 numa:1 core:4 pu:1", extra="[[memory]]\nsize_mib = 1024\n")
    reaches = plan_memory(machine, machine.pus)
    assert [(r.initiator, r.target) for r in reaches] == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert all(reach.whole for reach in reaches)
    part = plan_memory(machine, (0, 1, 4))
    assert [(r.initiator, r.pus, r.whole) for r in part][:2] == [
        (0, (0, 1), False),
        (1, (4,), False),
    ]


def test_plan_caches_count_each_outermost_once() -> None:
    """Two third-level caches around a package are both to be outgrown; inner ones are in them."""
    machine = grown(
        "package:1 l3:2 l2:2 core:1 pu:2",
        extra='[[cache]]\nlevel = "l3"\nsize_kib = 1024\n[[cache]]\nlevel = "l2"\nsize_kib = 256\n',
    )
    assert cache_bytes(machine, machine.pus) == 2 * 1024 * 1024
    assert cache_bytes(machine, machine.pus[:2]) == 1024 * 1024
    assert cache_bytes(grown("core:2 pu:1"), (0, 1)) == 0

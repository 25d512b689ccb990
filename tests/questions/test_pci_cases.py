"""The cases about PCI windows that `skb bench decisions` shows."""

from __future__ import annotations

from itertools import takewhile

from skb.benching.decisions_pci import rows
from skb.benching.pci_trees import STAND_INS, random_tree, stand_in


def test_pci_rows_of_series_and_stand_ins_are_proven() -> None:
    """Every fill series and stand-in has an answer that the checker accepts, with its targets."""
    found = list(takewhile(lambda row: "registers, seed" not in row.case, rows(20.0)))
    assert all(not row.faults for row in found)
    assert all(row.status == "optimal" for row in found)
    assert {f"{name}, stand-in" for name in STAND_INS} < {row.case for row in found}


def test_pci_generators_repeat_themselves() -> None:
    """A seed gives one tree, and a stand-in the published sum."""
    assert random_tree(5).facts == random_tree(5).facts
    for name, system in STAND_INS.items():
        sizes = [int(str(fact.args[2])) for fact in stand_in(name).facts_of("pci_bar")]
        assert sum(sizes) == system.total

"""Layout: children inside parents, no overlap, stable order, everything findable, folding."""

from __future__ import annotations

import time
from itertools import combinations
from pathlib import Path

import pytest

from skb.draw.boxes import BUDGET, index, layout
from skb.draw.packing import Box
from skb.errors import NotFoundError
from skb.knowledge import machine_of
from skb.machine import Machine, kind_of
from skb.sources import read_path
from tests.draw.machines import everything, hostile
from tests.machines import bundled, grown

SLACK = 0.01


def _machine(name: str) -> Machine:
    return machine_of(read_path(Path(name))) if name.endswith(".xml") else bundled(name)


def _inside(inner: Box, outer: Box) -> bool:
    return (
        inner.x >= outer.x - SLACK
        and inner.y >= outer.y - SLACK
        and inner.x + inner.w <= outer.x + outer.w + SLACK
        and inner.y + inner.h <= outer.y + outer.h + SLACK
    )


def _overlap(a: Box, b: Box) -> bool:
    beside = a.x + a.w <= b.x + SLACK or b.x + b.w <= a.x + SLACK
    above = a.y + a.h <= b.y + SLACK or b.y + b.h <= a.y + SLACK
    return not (beside or above)


def _check(box: Box) -> None:
    for outer in box.walk():
        assert outer.w > 0 and outer.h > 0, outer.name
        for child in outer.children:
            assert _inside(child, outer), f"{child.name} sticks out of {outer.name}"
            assert child.y >= outer.y + outer.header - SLACK, f"{child.name} covers a label"
        for a, b in combinations(outer.children, 2):
            assert not _overlap(a, b), f"{a.name} overlaps {b.name} in {outer.name}"


@pytest.mark.parametrize("name", everything(), ids=lambda name: Path(name).name)
def test_boxes_lie_inside_their_parents_and_apart_from_each_other(name: str) -> None:
    """On every bundled and real machine boxes nest and siblings do not overlap, also when tall."""
    machine = _machine(name)
    guests = {f"numa:{node}": ["one", "two"] for node in machine.numa[:3]}
    for box in (layout(machine), layout(machine, tall=True), layout(machine, guests=guests)):
        _check(box)


@pytest.mark.parametrize("name", everything(), ids=lambda name: Path(name).name)
def test_boxes_show_every_part(name: str) -> None:
    """Every part of a machine is drawn or named by the box that stands for it."""
    machine = _machine(name)
    found = index(layout(machine))
    missing = [at for at in machine.objects if at not in found and kind_of(at) != "misc"]
    assert missing == []


def test_boxes_are_the_same_every_time() -> None:
    """The same facts give the same boxes in the same order."""
    assert layout(bundled("ex235a")) == layout(bundled("ex235a"))


def test_boxes_keep_pus_in_the_order_of_their_cores() -> None:
    """Reading row by row meets the cores of a cache in ascending order."""
    cores = [box for box in layout(bundled("epyc-7773x-2p")).walk() if box.kind == "core"]
    by_name = {box.name: (box.y, box.x) for box in cores}
    places = [by_name[f"core:{at}"] for at in range(8)]
    assert places == sorted(places)


def test_boxes_wind_where_links_become_shorter() -> None:
    """On the 2009 board package 7 lies below package 0, to which it is linked."""
    at = index(layout(bundled("tyan-s4985")))
    assert at["package:7"].x == at["package:0"].x
    assert at["package:7"].y > at["package:0"].y


def test_boxes_put_devices_where_they_are_local() -> None:
    """A GPU lies inside the cache group that it hangs off."""
    at = index(layout(bundled("ex235a")))
    assert _inside(at["device:rsmi4"], at["l3:0"]) or any(
        child.name == "device:rsmi4" for child in at["group:0"].walk()
    )
    frames = [box for box in layout(bundled("ex235a")).walk() if box.role == "frame"]
    home = [box.name for box in frames if any(c.name == "device:rsmi4" for c in box.children)]
    assert home == ["l3:0"]


def test_boxes_fold_equal_siblings_above_the_budget() -> None:
    """4096 cores stay within the budget; the fold says how many and hides none from the index."""
    machine = grown("package:16 numa:1 l3:16 core:16 pu:1")
    begin = time.perf_counter()
    box = layout(machine)
    assert time.perf_counter() - begin < 5
    assert sum(1 for _ in box.walk()) <= BUDGET
    folds = [inner for inner in box.walk() if inner.role == "fold"]
    assert folds and folds[0].label == "× 16"
    assert index(box)["pu:4095"].role == "fold"
    _check(box)


def test_boxes_never_fold_what_is_to_be_kept() -> None:
    """A PU that a decision names is drawn by itself, however large the machine."""
    machine = grown("package:16 numa:1 l3:16 core:16 pu:1")
    at = index(layout(machine, keep=frozenset({"pu:9"})))
    assert at["pu:9"].role == "tile"


def test_boxes_of_one_part_hold_only_that_part() -> None:
    """A focus draws one package; an unknown part is refused by name."""
    at = index(layout(bundled("tyan-s4985"), focus="package:3"))
    assert "pu:12" in at and "pu:0" not in at
    with pytest.raises(NotFoundError, match="package:99"):
        layout(bundled("tyan-s4985"), focus="package:99")


def test_boxes_of_hostile_names_are_boxes_like_others() -> None:
    """Names change widths, nothing else."""
    _check(layout(hostile()))


def test_boxes_of_a_machine_without_structure() -> None:
    """A machine of one PU, and one of nothing but PUs, can be drawn."""
    _check(layout(grown("pu:1")))
    _check(layout(grown("pu:64")))

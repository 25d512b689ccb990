"""Real machines: what the makers state is found, under any numbering; a mesh gives nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from skb.inference import infer
from tests.inference.real import blocks, classes, csv, halves, mct, smelt
from tests.inference.synthetic import Matrix, Partition, found, measured, partition

# 12 cores of two threads side by side, 2 complexes of 6 cores; and so on, as data/README states
STATED: dict[str, tuple[Callable[[], Matrix], Callable[[Matrix], tuple[Partition, ...]]]] = {
    "ryzen9-5900x": (lambda: csv("ryzen9-5900x"), lambda m: (blocks(*[2] * 12), blocks(12, 12))),
    "i9-12900k": (
        lambda: csv("i9-12900k"),
        lambda m: (blocks(*[2] * 8, *[1] * 8), blocks(*[2] * 8, 4, 4)),
    ),
    "epyc-7773x": (lambda: csv("epyc-7773x"), lambda m: (halves(128, 1), halves(128, 8))),
    "dual-e5-2690": (lambda: csv("dual-e5-2690"), lambda m: (halves(32, 1), halves(32, 8))),
    "xeon-8375c": (lambda: csv("xeon-8375c"), lambda m: (halves(128, 1), halves(128, 32))),
    "lpdpc4": (lambda: mct("lpdpc4"), lambda m: (classes(m, 28),)),
    "lpdxeon2680": (lambda: mct("lpdxeon2680"), lambda m: (classes(m, 28), classes(m, 112))),
    "lpd48core": (lambda: mct("lpd48core"), lambda m: (classes(m, 117),)),
    "diassrv8": (lambda: mct("diassrv8"), lambda m: (classes(m, 28), classes(m, 116))),
    "ol-collab1": (lambda: mct("ol-collab1"), lambda m: (classes(m, 101), classes(m, 207))),
    "intel_xeon_e5_v2": (
        lambda: smelt("intel_xeon_e5_v2_2x10", "nsend"),
        lambda m: (blocks(10, 10),),
    ),
    "tomme": (lambda: smelt("tomme", "NUMA"), lambda m: (blocks(*[2] * 8), blocks(8, 8))),
    "ziger": (lambda: smelt("ziger", "UMPQ"), lambda m: (blocks(6, 6, 6, 6),)),
}


def _shuffled(matrix: Matrix, truth: Partition, order: np.ndarray) -> tuple[Matrix, Partition]:
    label = {pu: at for at, group in enumerate(sorted(truth)) for pu in group}
    return matrix[np.ix_(order, order)], partition([label[int(pu)] for pu in order])


@pytest.mark.parametrize("name", STATED)
def test_infer_finds_the_stated_structure_and_no_more(name: str) -> None:
    """Every level is the stated partition exactly, there is no other, and none is in doubt."""
    read, stated = STATED[name]
    matrix = read()
    structure = infer(matrix)
    assert tuple(found(level) for level in structure.levels) == stated(matrix)
    assert all(level.confidence >= 0.85 for level in structure.levels)


@pytest.mark.parametrize("name", STATED)
def test_infer_does_not_depend_on_the_numbering(name: str) -> None:
    """With PUs numbered at random the same groups are found."""
    read, stated = STATED[name]
    matrix = read()
    whole = np.where(np.isnan(matrix), matrix.T, matrix)
    order = np.random.default_rng(len(name)).permutation(len(whole))
    structure = infer(whole[np.ix_(order, order)])
    wanted = tuple(_shuffled(whole, truth, order)[1] for truth in stated(matrix))
    assert tuple(found(level) for level in structure.levels) == wanted


@pytest.mark.parametrize("name", ["ryzen9-5900x", "dual-e5-2690", "lpdxeon2680", "lpd48core"])
def test_infer_bears_more_noise_than_was_measured(name: str) -> None:
    """Another 8 percent of noise leaves the stated levels as they are."""
    read, stated = STATED[name]
    matrix = read()
    whole = np.where(np.isnan(matrix), matrix.T, matrix)
    noisy = measured(np.random.default_rng(3), whole, 0.08)
    assert tuple(found(level) for level in infer(noisy).levels) == stated(matrix)


def test_infer_invents_no_groups_on_a_mesh_chip() -> None:
    """Distances on the mesh of a Graviton 3 grade: said so, and no level is given."""
    structure = infer(csv("graviton3"))
    assert structure.levels == () and structure.graded
    assert any("graded" in note for note in structure.notes)


def test_infer_claims_nothing_where_values_have_no_order() -> None:
    """The M1 Ultra's dies do not show, as macOS pins no threads: nothing is claimed, but asked."""
    structure = infer(csv("m1-ultra"))
    assert structure.levels == () and not structure.graded
    assert any("were the threads pinned" in note for note in structure.notes)


def test_infer_calls_one_class_flat() -> None:
    """A table with one value has no levels and does not grade."""
    structure = infer(mct("maglite"))
    assert structure.levels == () and not structure.graded
    assert any("flat" in note for note in structure.notes)


def test_infer_names_threads_and_not_clusters() -> None:
    """Two threads are a core; four efficiency cores around one cache are not."""
    kinds = [level.kind for level in infer(csv("i9-12900k")).levels]
    assert kinds == ["core", "group"]
    assert [level.kind for level in infer(csv("epyc-7773x")).levels] == ["core", "l3"]

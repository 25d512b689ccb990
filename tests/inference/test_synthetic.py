"""Synthetic machines: trees are found under noise, strays and blanks; nothing is invented."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.errors import RequestError
from skb.inference import infer
from skb.inference.clustering import branches, linkage
from skb.inference.confidence import calibrated, confidence
from skb.inference.levels import left_out
from skb.inference.scoring import score
from tests.inference.population import draw
from tests.inference.synthetic import Made, Matrix, flat, found, measured, mesh, tree

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[int], list[float]]:
    """Fans from the inside, and latencies that rise by at least 60 percent a level."""
    threads = draw(st.sampled_from([1, 2, 4]))
    fan = ([threads] if threads > 1 else []) + draw(
        st.lists(st.sampled_from([2, 3, 4, 6]), min_size=1 if threads > 1 else 2, max_size=2)
    )
    latency = [draw(st.floats(5, 30))]
    for _level in fan[1:]:
        latency.append(latency[-1] * draw(st.floats(1.6, 3.5)))
    return fan, latency


@settings(max_examples=25, deadline=None)
@given(trees(), SEEDS, st.floats(0, 0.05))
def test_infer_recovers_random_trees(
    shape: tuple[list[int], list[float]], seed: int, noise: float
) -> None:
    """Two to three nested levels of any size are found exactly, in order, under noise."""
    random = np.random.default_rng(seed)
    made = tree(random, *shape)
    if len(made.matrix) < 8:
        return
    structure = infer(measured(random, made.matrix, noise))
    assert tuple(found(level) for level in structure.levels) == made.truth


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(0, 0.05), st.sampled_from([0.5, 3.0, 20.0]), st.booleans())
def test_infer_invents_nothing_on_meshes_and_rings(
    seed: int, noise: float, step: float, around: bool
) -> None:
    """Lines, rings, meshes and tori have no groups, whatever their size and step."""
    random = np.random.default_rng(seed)
    width, height = random.choice([(8, 8), (16, 1), (6, 1), (4, 4), (5, 3), (4, 1), (2, 2)])
    structure = infer(measured(random, mesh(random, int(width), int(height), step, around), noise))
    assert [level for level in structure.levels if level.confidence > 0.5] == []


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.sampled_from([4, 6, 8, 16, 40]), st.sampled_from([0.01, 0.1, 0.3]))
def test_infer_invents_nothing_from_noise(seed: int, size: int, noise: float) -> None:
    """A flat machine stays flat under little and much noise."""
    random = np.random.default_rng(seed)
    structure = infer(measured(random, flat(size), noise, strays=0.01))
    assert [level for level in structure.levels if level.confidence > 0.5] == []
    assert not structure.graded


@pytest.mark.parametrize(
    ("fan", "latency"),
    [
        ([2, 8, 2], [8, 30, 110]),
        ([4, 8, 2], [9, 30, 110]),
        ([2, 4, 4, 2], [8, 25, 60, 150]),
        ([6, 8], [117, 197]),
        ([2, 2], [8, 60]),
        ([8, 16, 2], [10, 30, 90]),
    ],
)
def test_infer_bears_noise_strays_and_blanks(fan: list[int], latency: list[float]) -> None:
    """Ten percent noise by direction, blank pairs and pairs far off leave all levels alone."""
    random = np.random.default_rng(11)
    made = tree(random, fan, latency)
    spoiled = measured(random, made.matrix, 0.03, strays=0.005, blanks=0.02, one_way=0.1)
    assert tuple(found(level) for level in infer(spoiled).levels) == made.truth


def test_infer_pairs_by_elimination_only_who_has_no_value() -> None:
    """A blank between two threads is filled where all others pair; with a value, it is believed."""
    made = tree(np.random.default_rng(2), [2, 8, 2], [8, 30, 110])
    a, b = sorted(made.truth[0])[0]
    blank = made.matrix.copy()
    blank[a, b] = blank[b, a] = np.nan
    structure = infer(blank)
    assert found(structure.levels[0]) == made.truth[0]
    assert any("were paired because" in note for note in structure.notes)
    apart = made.matrix.copy()
    apart[a, b] = apart[b, a] = 30.0
    assert (a,) in infer(apart).levels[0].groups


def test_infer_takes_disturbed_cores_along() -> None:
    """A PU that was twice as slow is named and still grouped with its like."""
    random = np.random.default_rng(4)
    made = tree(random, [2, 8, 2], [8, 30, 110])
    matrix = measured(random, made.matrix, 0.04)
    matrix[5] *= 2.1
    matrix[:, 5] *= 2.1
    structure = infer(matrix, range(100, 132))
    assert tuple(found(level) for level in structure.levels) == made.truth
    assert structure.odd == (5,)
    assert any("PU 105 answers 2." in note for note in structure.notes)


def test_infer_finds_groups_of_unequal_size() -> None:
    """Disabled cores leave complexes of eight, seven, six and five."""
    random = np.random.default_rng(6)
    made = tree(random, [8, 4], [30, 100])
    gone = [pu for at, g in enumerate(sorted(made.truth[0])) for pu in g[: (0, 2, 3, 1)[at]]]
    kept = np.array([pu for pu in range(32) if pu not in gone])
    structure = infer(measured(random, made.matrix[np.ix_(kept, kept)], 0.06))
    assert sorted(len(group) for group in structure.levels[0].groups) == [5, 6, 7, 8]
    assert len(structure.levels) == 1


def test_infer_finds_cores_on_a_mesh() -> None:
    """Threads of a core are found where the cores themselves only grade."""
    random = np.random.default_rng(7)
    cores = mesh(random, 6, 4, 4.0)
    matrix = np.repeat(np.repeat(cores, 2, axis=0), 2, axis=1)
    matrix[matrix == 30.0] = 9.0
    structure = infer(measured(random, matrix, 0.03))
    assert [level.kind for level in structure.levels] == ["core"]
    assert sorted(structure.levels[0].groups) == [(2 * k, 2 * k + 1) for k in range(24)]
    assert structure.graded


def test_infer_nests_its_levels() -> None:
    """Each group lies in one group of the next level, and every PU is in each level once."""
    random = np.random.default_rng(8)
    levels = infer(
        measured(random, tree(random, [2, 4, 4, 2], [8, 25, 60, 150]).matrix, 0.1)
    ).levels
    assert len(levels) == 3
    for inner, outer in pairwise(levels):
        assert sorted(pu for group in inner.groups for pu in group) == list(range(64))
        assert all(sum(set(g) <= set(o) for o in outer.groups) == 1 for g in inner.groups)
        assert inner.latency < outer.latency


def test_infer_takes_large_machines() -> None:
    """256 PUs in four levels are found exactly."""
    random = np.random.default_rng(9)
    made = tree(random, [2, 8, 4, 4], [8, 25, 90, 200])
    structure = infer(measured(random, made.matrix, 0.06))
    assert tuple(found(level) for level in structure.levels) == made.truth


@pytest.mark.parametrize(
    "matrix", [np.zeros((0, 0)), np.full((1, 1), 5.0), np.full((3, 3), np.nan), np.zeros((6, 6))]
)
def test_infer_says_nothing_about_nothing(matrix: Matrix) -> None:
    """Empty, tiny and unmeasured matrices have no levels."""
    assert infer(matrix).levels == ()


def test_infer_refuses_what_is_no_matrix() -> None:
    """A table that is not square, or far too large, is an error that says so."""
    with pytest.raises(RequestError, match="shape"):
        infer(np.zeros((3, 4)))
    with pytest.raises(RequestError, match="limit"):
        infer(np.empty((5000, 5000)))


def _swapped(made: Made) -> np.ndarray:
    labels = np.zeros(len(made.matrix), dtype=np.int64)
    for at, group in enumerate(sorted(made.truth[0])):
        labels[list(group)] = at
    first, second = np.flatnonzero(labels == 0)[0], np.flatnonzero(labels == 1)[0]
    labels[first], labels[second] = 1, 0
    return labels


def test_scoring_catches_a_planted_fault() -> None:
    """Two PUs that changed places, two groups tied together, or one torn: none is believed."""
    random = np.random.default_rng(10)
    made = tree(random, [4, 5], [30, 100])
    values = np.log(measured(random, made.matrix, 0.05))
    right = np.zeros(20, dtype=np.int64)
    for at, group in enumerate(sorted(made.truth[0])):
        right[list(group)] = at
    good = score(values, right)
    assert good is not None and confidence(good) > 0.95
    for wrong in (_swapped(made), np.where(right == 4, 3, right)):
        judged = score(values, wrong)
        assert judged is None or confidence(judged) < 0.8
    torn = right.copy()
    torn[np.flatnonzero(right == 0)[:2]] = 9
    judged = score(values, torn)
    assert judged is None or confidence(judged) < 0.5


def test_infer_finds_nodes_that_are_slower_inside() -> None:
    """A far node's PUs are farther from each other than some other nodes are: all are found."""
    random = np.random.default_rng(12)
    made = tree(random, [4, 6], [300, 420])
    label = np.zeros(24, dtype=np.int64)
    for at, group in enumerate(sorted(made.truth[0])):
        label[list(group)] = at
    slower = np.array([1.0, 1.02, 1.05, 1.1, 1.25, 1.4])[label]
    near = np.isin(label, (0, 1))
    matrix = made.matrix * np.maximum(slower[:, None], slower)
    matrix[near[:, None] & near & (label[:, None] != label)] = 345.0
    structure = infer(measured(random, matrix, 0.01))
    assert found(structure.levels[0]) == made.truth[0]


def test_infer_does_not_report_a_level_that_leaves_clear_groups_out() -> None:
    """Half of the groups of a level are not the level, also where the others are slower inside."""
    random = np.random.default_rng(13)
    made = tree(random, [4, 6], [50, 100])
    half = np.arange(24)
    for group in sorted(made.truth[0])[:3]:
        half[list(group)] = group[0]
    slow = np.bincount(half, minlength=24)[half] == 1
    matrix = np.where(slow[:, None] & slow & (made.matrix < 60), 72.0, made.matrix)
    values = np.log(measured(random, matrix, 0.02))
    grown = branches(linkage(values))
    judged = score(values, half)
    assert judged is not None and left_out(grown, half, judged.jump)
    right = half.copy()
    for group in sorted(made.truth[0])[3:]:
        right[list(group)] = group[0]
    assert not left_out(grown, right, judged.jump)


def test_infer_asks_about_pinning_only_where_nothing_repeats() -> None:
    """Wide noise may be threads that moved; a mesh, a flat machine and a tree are not asked."""
    random = np.random.default_rng(14)

    def asked(matrix: Matrix, noise: float) -> bool:
        notes = infer(measured(random, matrix, noise)).notes
        return any("pinned" in note for note in notes)

    assert asked(flat(20), 0.25) and asked(flat(40), 0.25)
    assert not asked(flat(20), 0.03)
    assert not any(asked(mesh(random, *size, 8.0), 0.02) for size in ((6, 4), (8, 8), (16, 1)))
    assert not asked(tree(random, [2, 8, 2], [8, 30, 110]).matrix, 0.05)


def test_confidence_is_calibrated() -> None:
    """Over machines of all kinds, stated confidences come true, high ones and all together."""
    random = np.random.default_rng(2026)
    stated: list[tuple[float, bool]] = []
    for _machine in range(60):
        one = draw(random)
        if len(one.matrix) > 64:
            continue
        stated += [
            (level.confidence, found(level) in one.truth) for level in infer(one.matrix).levels
        ]
    sure = [right for confidence, right in stated if confidence >= 0.9]
    assert len(sure) > 20
    assert sum(sure) / len(sure) >= 0.95
    promised = sum(confidence for confidence, _right in stated) / len(stated)
    assert abs(promised - sum(right for _confidence, right in stated) / len(stated)) < 0.06


def test_calibrated_never_falls() -> None:
    """A surer judgement never becomes a smaller share, and none is certain."""
    shares = [calibrated(raw) for raw in np.linspace(0, 1, 101)]
    assert shares == sorted(shares)
    assert shares[0] == 0 and shares[-1] < 1
